"""The demo leaves what it promises, and finds fault with music that is none."""

import json

import pytest

from musicgen import load_composer, read_midi
from musicgen.demo import BARS, PIECES, _problems, run_demo
from tests.test_cli import melody


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_whole_way_leaves_what_it_promises(tmp_path):
    pytest.importorskip("onnxruntime", reason="transcription is an extra")
    for seed in range(6):
        genre = ["calm", "slow", "wild"][seed % 3]
        melody(seed).save(tmp_path / "audio" / genre / f"{seed}.wav", sample_rate=22050, backend="additive")
    (tmp_path / "audio" / "calm" / "broken.wav").write_bytes(b"")
    out = tmp_path / "demo"
    for _ in range(2):  # a second run takes the place of the first
        report = run_demo(tmp_path / "audio", out, minutes=0.02)
    assert json.loads((out / "report.json").read_text()) == report
    assert [reason for _, reason in report["refused"]] == ["is empty (0 bytes) (get a complete copy)"]
    assert report["data"]["pieces"] == 6
    assert report["held-out loss"]["LSTM"] > 0
    assert load_composer(out / "composer").codec.genres == ("calm", "slow", "wild")
    files = sorted(path.name for path in (out / "pieces").iterdir())
    stems = [f"{genre}-{number}" for number, genre in enumerate(["calm", "slow", "wild"], 1)]
    assert files == sorted(stem + suffix for stem in stems for suffix in (".mid", ".png", ".wav"))
    for stem, described in zip(stems, report["compositions"], strict=True):
        piece = read_midi(out / "pieces" / f"{stem}.mid")
        assert len(piece.timing.bars(piece.duration)) == BARS
        assert described["measures"]["notes"] == len(piece)
    assert len(report["compositions"]) == PIECES


def composition(notes, pitches, run):
    return {
        "file": "a.mid",
        "measures": {"notes": notes, "pitches": pitches},
        "longest run of notes found verbatim in the training data": run,
    }


@pytest.mark.parametrize(
    ("piece", "problem"),
    [
        (composition(100.0, 20, 10), None),
        (composition(10.0, 5, 2), "nearly empty"),
        (composition(100.0, 2, 2), "one endless note"),
        (composition(100.0, 20, 60), "copied: 60 of 100"),
    ],
)
def test_faults_of_compositions_are_found(piece, problem):
    found = _problems([piece])
    assert (problem is None and not found) or problem in found[0][1]
