"""The scripts of examples/, run as a user runs them, on small data."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from musicgen import load_composer, read_midi
from musicgen.baselines import random_notes
from tests.test_composers import TUNES
from tests.test_composers import tune as real_tune

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


def test_each_has_its_number():
    assert list(EXAMPLES) == ["01", "02", "03", "04", "05", "06", "07", "08", "09", "10"]


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


def test_render_plays_with_the_soundfont_that_is_given(run, folder, tmp_path):
    from musicgen.soundfonts import default_soundfont

    said = run("05", default_soundfont(), folder / "1.mid", folder / "2.mid", "--out", tmp_path, "--format", "flac")
    assert said.split() == [str(tmp_path / "1.flac"), str(tmp_path / "2.flac")]
    assert all(Path(path).stat().st_size > 1000 for path in said.split())


def test_a_score_is_written_beside_the_song(run, folder, tmp_path):
    pytest.importorskip("music21", reason="scores need music21")
    read_midi(folder / "1.mid").save(tmp_path / "song.mid")
    said = run("06", tmp_path / "song.mid")
    assert "notes in" in said
    assert "<score-partwise" in (tmp_path / "song.musicxml").read_text(encoding="utf-8")


def test_every_genre_gets_a_piece(run, tmp_path):
    for number, tune in enumerate(TUNES):
        tune.save(tmp_path / "midi" / ["folk", "march"][number % 2] / f"{number}.mid")
    short = ["--preset", "tiny", "--epochs", "2", "--bars", "2"]
    said = run("07", tmp_path / "midi", "--out", tmp_path / "new", *short)
    assert sorted(Path(line).name for line in said.split()) == ["composer", "folk.mid", "march.mid"]
    for number, tune in enumerate(TUNES[:5]):
        tune.replace(meta={"genre": ""}).save(tmp_path / "plain" / f"{number}.mid")
    with pytest.raises(SystemExit, match="no file lies in a folder of its genre"):
        run("07", tmp_path / "plain", "--out", tmp_path / "none", *short)


def test_notes_are_told_when_they_sound(run, trained, folder):
    said = run("08", trained / "composer", "--seconds", "1")
    *notes, last = said.splitlines()
    assert notes
    assert all(re.fullmatch(r" *[\d.]+ s  [A-G][♯♭]?-?\d +for [\d.]+ s", note) for note in notes), notes
    assert re.fullmatch(r"composed \d+ times as fast as it sounds", last)


def test_noise_in_the_output_of_a_model_is_told(run, tmp_path):
    for number in range(24):
        real_tune(number).save(tmp_path / "real" / f"{number}.mid")
    for number, piece in enumerate(TUNES[:5]):
        random_notes(piece, seed=number).save(tmp_path / "made" / f"{number}.mid")
    real_tune(30).save(tmp_path / "made" / "clean.mid")
    (tmp_path / "made" / "broken.mid").write_bytes(b"no MIDI")
    file = tmp_path / "judged.json"
    said = run("09", tmp_path / "made", "--reference", tmp_path / "real", "--json", file)
    levels = dict(re.findall(r"^(\w+)  .*   ([a-z ]+)$", said, flags=re.MULTILINE))
    assert levels["quality"] == "lower than real music"
    assert levels["noise"] == "higher than real music"
    assert re.search(rf"^left out {tmp_path / 'made' / 'broken.mid'}: ", said, flags=re.MULTILINE)
    noisy = re.findall(r"^noisy: ([\d.]+) .*/(\w+)\.mid$", said, flags=re.MULTILINE)
    assert len(noisy) == 3
    assert "clean" not in dict(map(reversed, noisy))
    found = json.loads(file.read_text(encoding="utf-8"))
    assert found["pieces"] == 6
    assert max(map(float, dict(noisy))) == pytest.approx(max(found["values"]["noise_level"]), abs=0.005)


def test_real_music_is_told_from_real_music_by_nothing(run, tmp_path):
    for number in range(24):
        real_tune(number).save(tmp_path / ("real" if number % 4 else "made") / f"{number}.mid")
    said = run("09", tmp_path / "made", "--reference", tmp_path / "real")
    assert said.startswith("6 of 6 pieces, 6 real ones, both beside 12 other real ones")
    assert said.count("no difference to be told") == 3


def test_from_few_pieces_no_difference_is_told(run, folder, tmp_path):
    random_notes(TUNES[0], seed=0).save(tmp_path / "made.mid")
    said = run("09", tmp_path, "--reference", folder)
    assert said.count("too few pieces to tell") == 3


@pytest.mark.slow
def test_a_cluster_transcribes_a_folder(tmp_path):
    pytest.importorskip("basic_pitch", reason="transcription needs basic-pitch")
    pytest.importorskip("dask.distributed", reason="needs the extra musicgen-midi[distributed]")
    for number in range(2):
        TUNES[number].save(tmp_path / "audio" / f"{number}.wav", sample_rate=22050)
    command = [sys.executable, EXAMPLES["10"], tmp_path / "audio", "--out", tmp_path / "notes"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 transcribed, 0 up to date, 0 refused")
    assert sorted(path.name for path in (tmp_path / "notes").glob("*.mid")) == ["0.mid", "1.mid"]


@pytest.mark.parametrize("number", ["01", "03", "06"])
def test_without_arguments_they_tell_how_to_call_them(run, number):
    with pytest.raises(SystemExit, match=rf"python examples/{number}_\w+\.py"):
        run(number)


@pytest.mark.parametrize(
    ("number", "arguments"),
    [
        ("01", ["none.wav"]),
        ("02", ["none"]),
        ("03", ["no-model", "no.mid"]),
        ("04", ["none", "a", "b"]),
        ("05", ["no.mid", "no.mid"]),
        ("06", ["no.mid"]),
        ("07", ["none"]),
        ("08", ["no-model"]),
        ("09", ["none", "--reference", "bach-chorales"]),
    ],
)
def test_what_is_not_there_is_said_in_a_line(run, number, arguments):
    with pytest.raises(SystemExit) as ended:
        run(number, *arguments)
    assert arguments[0] in str(ended.value)
    assert "\n" not in str(ended.value)
