"""The scripts of examples/, run as a user runs them, on small data."""

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from musicgen import load_composer, read_midi
from tests.test_composers import TUNES

pytestmark = pytest.mark.filterwarnings("ignore")
EXAMPLES = {path.name[:2]: path for path in sorted((Path(__file__).parent.parent / "examples").glob("*.py"))}


@pytest.fixture
def run(monkeypatch, capsys):
    def run(number, *arguments):
        monkeypatch.setattr(sys, "argv", [str(EXAMPLES[number]), *map(str, arguments)])
        runpy.run_path(str(EXAMPLES[number]), run_name="__main__")
        return capsys.readouterr().out

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """MIDI files of a user."""
    folder = tmp_path_factory.mktemp("midi")
    for number, tune in enumerate(TUNES[:5]):
        tune.save(folder / f"{number}.mid")
    return folder


@pytest.fixture(scope="module")
def trained(folder):
    """Folder with what example 02 left, and what it printed."""
    out = folder / "new"
    with pytest.MonkeyPatch.context() as patch:
        options = ["--out", str(out), "--preset", "tiny", "--epochs", "30", "--bars", "4"]
        patch.setattr(sys, "argv", [str(EXAMPLES["02"]), str(folder), *options])
        runpy.run_path(str(EXAMPLES["02"]), run_name="__main__")
    return out


def test_there_are_four():
    assert list(EXAMPLES) == ["01", "02", "03", "04"]


def test_transcribe_writes_the_notes_it_heard_beside_the_recording(run, tmp_path):
    pytest.importorskip("basic_pitch", reason="transcription needs basic-pitch")
    TUNES[0].save(tmp_path / "song.wav", sample_rate=22050)
    said = run("01", tmp_path / "song.wav")
    heard = read_midi(tmp_path / "song.mid")
    assert f"{len(heard)} notes in" in said
    assert re.search(r"\d+ bpm, [A-Ga-g][#b]? (major|minor)", said)
    played = set(TUNES[0].notes["pitch"].tolist())
    share = np.isin(heard.notes["pitch"], sorted(played)).mean()
    assert share > 0.7, f"{share:.0%} of the notes heard have a pitch that was played"


def test_compose_leaves_a_composer_and_three_pieces(trained):
    assert sorted(path.name for path in trained.iterdir()) == ["composer"] + [f"piece-{k}.mid" for k in (1, 2, 3)]
    assert load_composer(trained / "composer").provenance["pieces"] == 4
    for path in trained.glob("*.mid"):
        piece = read_midi(path)
        assert len(piece.timing.bars(piece.duration)) == 4


def test_continue_keeps_the_first_bars_and_adds_new_ones(run, trained, tmp_path):
    song = TUNES[6]
    song.save(tmp_path / "song.mid")
    said = run("03", trained / "composer", tmp_path / "song.mid")
    kept = song.notes[song.notes["start"] < 8]  # four bars of 4/4 at 120 bpm
    for path in map(Path, said.split()):
        piece = read_midi(path)
        assert len(piece.timing.bars(piece.duration)) == 12
        np.testing.assert_array_equal(piece.notes["pitch"][: len(kept)], kept["pitch"])
        np.testing.assert_allclose(piece.notes["start"][: len(kept)], kept["start"], atol=1e-3)
    assert len(said.split()) == 3


def test_blend_writes_the_way_between_two_songs(run, folder, tmp_path):
    songs = [folder / "1.mid", folder / "2.mid"]
    said = run("04", folder, *songs, "--out", tmp_path / "new", "--preset", "tiny", "--minutes", "0.05")
    names = ["blend.mid", "composer", *(f"step-{k}.mid" for k in range(1, 6)), "steps.png"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == names
    assert sorted(said.split()) == sorted(str(tmp_path / "new" / name) for name in names)
    assert len(read_midi(tmp_path / "new" / "blend.mid"))


@pytest.mark.parametrize("number", ["01", "03"])
def test_without_arguments_they_tell_how_to_call_them(run, number):
    with pytest.raises(SystemExit, match=rf"python examples/{number}_\w+\.py"):
        run(number)


@pytest.mark.parametrize(
    ("number", "arguments"),
    [("01", ["none.wav"]), ("02", ["none"]), ("03", ["no-model", "no.mid"]), ("04", ["none", "a", "b"])],
)
def test_what_is_not_there_is_said_in_a_line(run, number, arguments):
    with pytest.raises(SystemExit) as ended:
        run(number, *arguments)
    assert arguments[0] in str(ended.value)
    assert "\n" not in str(ended.value)
