"""The command line: the whole way on small recordings, refusals that name file, reason and remedy."""

import json

import numpy as np
import pytest

from musicgen import NoteSequence, read_midi, write_midi
from musicgen.cli import main

pytestmark = pytest.mark.filterwarnings("ignore")
pytest.importorskip("onnxruntime", reason="transcription is an extra")


def melody(seed):
    rng = np.random.default_rng(seed)
    pitches = 60 + np.array([0, 2, 4, 5, 7, 9, 11, 12])[rng.integers(0, 8, 16)]
    rows = [(i / 2, i / 2 + 0.45, int(pitch), 100, 0) for i, pitch in enumerate(pitches)]
    return NoteSequence(rows, meta={"title": f"melody {seed}"})


@pytest.fixture(scope="module")
def way(tmp_path_factory):
    """Folder in which recordings were transcribed, and a composer trained on the notes."""
    folder = tmp_path_factory.mktemp("way")
    for seed in range(3):
        genre = ["calm", "wild"][seed % 2]
        melody(seed).save(folder / "audio" / genre / f"take {seed}.wav", sample_rate=22050, backend="additive")
    (folder / "audio" / "calm" / "broken.wav").write_bytes(b"no sound")
    status = main(["transcribe", str(folder / "audio"), "--out", str(folder / "notes"), "--workers", "1"])
    assert status == 1, "the broken recording must show in the exit status"
    command = ["train", "lstm", str(folder / "notes"), "--out", str(folder / "model"), "--preset", "tiny"]
    assert main([*command, "--epochs", "2", "--held-out", "0.34"]) == 0
    (folder / "empty").mkdir()
    return folder


def test_good_neighbours_of_a_broken_recording_are_transcribed(way, capsys):
    found = sorted(path.relative_to(way / "notes").as_posix() for path in (way / "notes").rglob("*.mid"))
    assert found == ["calm/take 0.mid", "calm/take 2.mid", "wild/take 1.mid"]
    assert main(["transcribe", str(way / "audio"), "--out", str(way / "notes")]) == 1
    output = capsys.readouterr()
    assert output.out == "", "what is up to date is not done again"
    assert "3 up to date" in output.err
    assert "broken.wav" in output.err


def test_compose_writes_what_it_prints(way, tmp_path, capsys):
    command = ["compose", str(way / "model"), "--out", str(tmp_path), "-n", "2", "--bars", "2"]
    assert main([*command, "--genre", "wild", "--seed", "5", "--render", "--plot"]) == 0
    printed = capsys.readouterr().out.split()
    assert sorted(printed) == sorted(map(str, tmp_path.iterdir()))
    assert {path.suffix for path in tmp_path.iterdir()} == {".mid", ".wav", ".png"}
    piece = read_midi(tmp_path / "wild-5-1.mid")
    assert (piece.meta["genre"], piece.meta["seed"]) == ("wild", "5")


def test_compose_asks_for_what_the_options_say(way, tmp_path):
    asked = ["--key", "G major", "--tempo", "90", "--pitch-range", "55", "79", "--instrument", "Flute"]
    limits = ["--polyphony", "1", "--density", "2", "--repetition-penalty", "2", "--min-p", "0.01"]
    command = ["compose", str(way / "model"), "--out", str(tmp_path), "--bars", "4", "--seed", "5"]
    assert main([*command, *asked, *limits]) == 0
    piece = read_midi(tmp_path / "piece-5-1.mid")
    assert piece.timing.bpm == pytest.approx(90, abs=0.01)
    assert {track.program for track in piece.tracks} == {73}
    assert 55 <= piece.notes["pitch"].min() <= piece.notes["pitch"].max() <= 79
    assert not np.any(piece.notes["start"][1:] < piece.notes["end"][:-1] - 1e-6)
    assert main([*command, "--key", "H major"]) == 1


def test_compose_never_overwrites(way, tmp_path):
    # Several bars: a composer that has hardly learnt leaves single ones empty.
    command = ["compose", str(way / "model"), "--out", str(tmp_path), "--bars", "4", "--seed", "5"]
    assert main(command) == main(command) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["piece-5-1-v2.mid", "piece-5-1.mid"]


def test_compose_continues_a_primer(way, tmp_path):
    primer = write_midi(melody(9), tmp_path / "mine.mid")
    out = tmp_path / "out"
    assert main(["compose", str(way / "model"), "--out", str(out), "--bars", "2", "--primer", str(primer)]) == 0
    (piece,) = map(read_midi, out.iterdir())
    assert len(piece.timing.bars(piece.duration)) == 6
    assert piece.meta["primer"] == "melody 9"


def test_interpolate_writes_steps_a_row_and_a_picture(way, tmp_path, capsys):
    songs = []
    for seed in range(4):
        melody(seed).save(tmp_path / "songs" / f"{seed}.mid")
        songs.append(str(tmp_path / "songs" / f"{seed}.mid"))
    model, out = tmp_path / "model", tmp_path / "new"
    command = ["train", "vae", str(tmp_path / "songs"), "--out", str(model), "--preset", "tiny", "--epochs", "2"]
    assert main([*command, "--fragment-bars", "2"]) == 0
    capsys.readouterr()
    command = ["interpolate", str(model), *songs[:2], "--out", str(out), "--steps", "3", "--seed", "5"]
    assert main([*command, "--render"]) == 0
    output = capsys.readouterr()
    names = ["0-1-5-row.mid", "0-1-5-row.wav", *(f"0-1-5-step-{step}.mid" for step in (1, 2, 3)), "0-1-5.png"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert sorted(output.out.split()) == sorted(str(out / name) for name in names)
    assert "0.mid: 4 bars" in output.err
    steps = [read_midi(out / f"0-1-5-step-{step}.mid") for step in (1, 2, 3)]
    row = read_midi(out / "0-1-5-row.mid")
    assert len(row) == sum(map(len, steps))
    assert len(row.timing.bars(row.duration)) <= 12
    assert main(command) == 0
    assert (out / "0-1-5-v2.png").exists(), "nothing is overwritten"
    assert main(["interpolate", str(way / "model"), *songs[:2], "--out", str(out)]) == 1
    assert "has no latent space" in capsys.readouterr().err


def test_render_names_what_it_refuses_and_renders_the_rest(way, tmp_path, capsys):
    bad = tmp_path / "bad.mid"
    bad.write_bytes(b"MThd nonsense")
    good = str(way / "notes" / "calm" / "take 0.mid")
    assert main(["render", str(bad), good, "--out", str(tmp_path / "audio"), "--format", "flac"]) == 1
    output = capsys.readouterr()
    assert output.out.strip() == str(tmp_path / "audio" / "take 0.flac")
    assert "bad.mid" in output.err


@pytest.mark.parametrize(
    ("name", "kind"), [("model", "composer"), ("notes/calm", "pieces"), ("notes/calm/take 0.mid", "piece")]
)
def test_info_tells_the_kind(way, capsys, name, kind):
    assert main(["info", str(way / name)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["kind"] == kind
    if kind == "composer":
        assert {"codec", "keys", "meters"} <= told.keys()


def test_info_of_notes_tells_which_recordings_are_missing(way, capsys):
    assert main(["info", str(way / "notes")]) == 1
    output = capsys.readouterr()
    assert json.loads(output.out)["refused"] == 1
    assert "refused calm/broken.wav: is not audio that can be decoded" in output.err


def test_info_of_recordings(way, capsys):
    assert main(["info", str(way / "audio")]) == 1
    output = capsys.readouterr()
    facts = json.loads(output.out)
    assert (facts["kind"], facts["recordings"], facts["refused"]) == ("recordings", 4, 1)
    seconds = sum(melody(seed).duration for seed in range(3))
    assert 0.999 * seconds < 3600 * facts["hours"] < seconds + 9  # what rings on
    assert "broken.wav" in output.err
    assert main(["info", str(way / "audio" / "calm" / "take 0.wav")]) == 0
    assert json.loads(capsys.readouterr().out)["sample_rate"] == 22050


@pytest.mark.parametrize(
    ("arguments", "reasons"),
    [
        (["train", "lstm", "{way}/nowhere", "--out", "{way}/new"], ["nowhere", "does not exist", "bach-chorales"]),
        (["train", "lstm", "{way}/notes", "--out", "{way}/model"], ["is there already", "--overwrite"]),
        (
            ["train", "lstm", "{way}/notes", "--out", "{way}/new", "--fragment-bars", "2"],
            ["lstm learns no fragments"],
        ),
        (["compose", "{way}/notes", "--out", "{way}/new"], ["notes", "config.json"]),
        (["compose", "{way}/model", "--out", "{way}/new", "--genre", "polka"], ["polka", "calm, wild"]),
        (["train", "lstm", "{way}/notes", "--out", "{way}/audio/calm/broken.wav/m"], ["cannot be written", "m"]),
        (["train", "lstm", "{way}/empty", "--out", "{way}/new"], ["neither MIDI files nor recordings", ".mid"]),
        (["prepare", "{way}/empty", "--out", "{way}/new"], ["neither MIDI files nor recordings", ".wav"]),
        (["info", "{way}/empty"], ["neither MIDI files nor recordings", ".mid"]),
        (["transcribe", "{way}/no", "{way}/none", "--out", "{way}/new"], ["no, ", "none: does not exist"]),
        (["transcribe", "{way}/audio", "--out", "{way}/audio/calm/broken.wav"], ["broken.wav", "cannot be written"]),
        (["info", "{way}/nothing.mid"], ["nothing.mid", "is not there", "folk"]),
        (["transcribe", "{way}/model", "--out", "{way}/new"], ["holds no recordings"]),
        (["demo", "--audio", "{way}/audio", "--out", "{way}/notes"], ["holds no demo", "--out"]),
        (["demo", "--audio", "{way}/audio", "--out", "{way}"], ["lie inside it", "--out"]),
    ],
)
def test_refusals_name_file_reason_and_remedy(way, capsys, arguments, reasons):
    assert main([argument.format(way=way) for argument in arguments]) == 1
    message = capsys.readouterr().err
    for reason in reasons:
        assert reason in message
    assert "Traceback" not in message
    assert not (way / "new").exists()


WRONG = {
    "transcribe a --out d": [
        *("--workers -1", "--onset-threshold 0", "--frame-threshold 1.1", "--min-note-ms -1", "--fallback-bpm 0"),
        "--workers 1 --scheduler tcp://host:1",
    ],
    "prepare a --out d": ["--codec songs", "--resolution 0", "--workers two"],
    "train lstm a --out d": [
        *("--preset huge", "--epochs 0", "--minutes -3", "--minutes nan", "--held-out 1", "--seed -1"),
        "--minutes inf",
    ],
    "compose m --out d": [
        *("-n two", "-n 0", "--bars 0", "--temperature -1", "--temperature hot", "--top-k 0", "--top-p 0"),
        *("--min-p 1.5", "--seed -1"),
    ],
    "interpolate m a b --out d": ["--steps 1", "--temperature -1", "--seed -1"],
    "render a --out d": ["--format mp3"],
    "demo": ["--minutes 0", "--seed -1"],
}


@pytest.mark.parametrize(
    "line", ["", "sing", "train lstm", *(f"{command} {value}" for command in WRONG for value in WRONG[command])]
)
def test_wrong_usage_is_status_2(line, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(line.split())
    assert stop.value.code == 2
    message = capsys.readouterr().err
    option = next((word for word in line.split() if word.startswith("-") and word != "--out"), "error")
    assert option in message
    assert "parse" not in message
    assert not list(tmp_path.iterdir())
