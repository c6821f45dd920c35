"""The benchmark of the whole way: how it splits, how it scores, and that it walks to the end."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from musicgen import EventsCodec, InputError, NoteSequence

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture
def first_way(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("first_way")


def clips(per_genre=4):
    """Small pieces of three genres, all different."""
    pieces = []
    for number in range(3 * per_genre):
        notes = [(i / 2, i / 2 + 0.5, 40 + (number * i) % 30, 80, 0) for i in range(6 + number)]
        pieces.append(NoteSequence(notes, meta={"genre": "abc"[number % 3], "title": str(number)}))
    return pieces


def titles(pieces):
    return [piece.meta["title"] for piece in pieces]


def test_one_clip_of_every_genre_is_held_out_always_the_same(first_way):
    train, test = first_way.hold_out(clips(), seed=0)
    assert [piece.meta["genre"] for piece in test] == ["a", "b", "c"]
    assert sorted(titles(train) + titles(test)) == sorted(titles(clips()))
    assert titles(first_way.hold_out(clips(), seed=0)[1]) == titles(test)
    assert any(titles(first_way.hold_out(clips(), seed=seed)[1]) != titles(test) for seed in range(1, 4))


def test_folds_share_out_every_clip_once_and_every_genre_evenly(first_way):
    pairs = list(first_way.folds(clips(), seed=0))
    assert sorted(title for _, fold in pairs for title in titles(fold)) == sorted(titles(clips()))
    for rest, fold in pairs:
        assert [sum(piece.meta["genre"] == genre for piece in fold) for genre in "abc"] == [1, 1, 1]
        assert not set(titles(rest)) & set(titles(fold))


def test_density_is_taken_over_all_pieces_of_a_genre(first_way):
    pieces = [
        NoteSequence([(0, 1, 60, 80, 0)], duration=1.0, meta={"genre": "a"}),
        NoteSequence([(0, 1, 60, 80, 0)], duration=3.0, meta={"genre": "a"}),
        NoteSequence([(0, 1, 60, 80, 0), (1, 2, 60, 80, 0)], duration=2.0, meta={"genre": "b"}),
    ]
    assert first_way.densities(pieces) == [0.5, 1.0]


def test_masked_nats_of_equal_logits_count_the_allowed_tokens(first_way):
    codec = EventsCodec.for_data(clips())
    stream = codec.encode(clips()[5])
    nats = first_way.allowed_nats(codec, stream, np.zeros((len(stream), codec.vocab_size)))
    counts = [codec.allowed_next(stream[:place]).sum() for place in range(1, len(stream))]
    np.testing.assert_allclose(nats, np.log(counts))


def test_masks_only_ever_help(first_way):
    codec = EventsCodec.for_data(clips())
    train, test = first_way.hold_out(clips(), seed=1)
    masked = first_way.masked_bigram_nats(codec, train, test)
    assert np.all(masked <= first_way.ngram_nats(codec, 2, train, test) + 1e-9)


def test_without_recordings_it_says_where_to_name_them(first_way, monkeypatch):
    monkeypatch.delenv("MUSICGEN_DATA", raising=False)
    with pytest.raises(InputError, match="set MUSICGEN_DATA or --data"):
        first_way.main(["--quick"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_quick_run_walks_to_the_end(first_way, data_folder, tmp_path):
    content = first_way.main(["--quick", "--data", str(data_folder), "--out", str(tmp_path)])
    values = {row["what"]: row["value"] for row in content["rows"]}
    assert values["clips refused"] == 0
    assert values["composed pieces without notes, of 3"] == 0
    assert len(list((tmp_path / "midi").rglob("*.mid"))) == 6
    assert len(list((tmp_path / "pieces").glob("*.mid"))) == len(list((tmp_path / "audio").glob("*.wav"))) == 3
    unmasked, masked = (values[f"held-out nll, {name}"] for name in MASKED_PAIR)
    assert masked < unmasked


MASKED_PAIR = ("LSTM, mean of 1", "first LSTM, impossible tokens masked")
