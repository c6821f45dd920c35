"""What the benchmark of the metrics and the learning of their weights do to pieces."""

import importlib
import itertools
from pathlib import Path

import numpy as np
import pytest

from musicgen.baselines import with_fragments, with_random_notes
from musicgen.metrics.calibration import calibrated
from musicgen.metrics.coherence import COHERENCE
from musicgen.metrics.noise import NOISE
from musicgen.notes import NoteSequence

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
pytest.importorskip("sklearn", reason="the weights are learnt by scikit-learn")


@pytest.fixture
def fit(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("fit_metrics")


@pytest.fixture
def benchmark(fit):
    return importlib.import_module("metrics")


def scale(bars):
    """One note per bar of 4/4, each of its own pitch."""
    return NoteSequence([(2.0 * bar, 2.0 * bar + 0.5, 40 + bar, 80, 0) for bar in range(bars)], duration=2.0 * bars)


def test_the_share_of_noise_is_that_of_the_notes_of_the_spoiled_piece(fit):
    piece = scale(40)
    assert fit.noise_share("jitter", 0.25, 40, 40) == 0.25
    assert fit.noise_share("random notes", 0.25, 40, len(with_random_notes(piece, 0.25, seed=0))) == pytest.approx(
        10 / 50
    )
    torn = len(with_fragments(piece, 0.25, seed=0))
    assert fit.noise_share("fragments", 0.25, 40, torn) == pytest.approx((torn - 30) / torn)


def test_the_weights_are_those_of_measures_that_there_are():
    assert set(calibrated("noise")) < set(NOISE)
    assert set(calibrated("coherence")) - {"flow_offset", "return_offset", "least_distinct_bar_share"} < set(
        COHERENCE
    )


def test_phrases_change_places_as_wholes_and_the_last_one_stays(benchmark):
    whole, mixed = benchmark.in_phrases(scale(18), 2)
    assert np.array_equal(whole.notes["pitch"], scale(18).notes["pitch"])
    pitches = mixed.notes["pitch"].reshape(9, 2)
    assert np.array_equal(pitches[-1], [56, 57])
    phrases = pitches[:-1].reshape(4, 4)
    assert np.array_equal(np.sort(phrases[:, 0]), [40, 44, 48, 52])
    assert np.all(np.diff(phrases.astype(int), axis=1) == 1)
    assert not np.array_equal(mixed.notes["pitch"], whole.notes["pitch"])


def test_a_5_gram_of_tunes_writes_such_tunes(benchmark):
    tunes = [NoteSequence([(0.5 * i, 0.5 * i + 0.5, (60, 64, 67)[i % 3], 80, 0) for i in range(60)])] * 3
    [piece] = benchmark.five_gram_pieces(tunes, 1)
    following = {60: 64, 64: 67, 67: 60}
    pitches = piece.notes["pitch"].tolist()
    assert np.mean([following.get(a) == b for a, b in itertools.pairwise(pitches)]) > 0.9
    assert len(piece.timing.bars(piece.duration)) >= benchmark.MIN_BARS
    assert np.median(np.diff(piece.notes["start"])) == pytest.approx(0.5)


def test_long_pieces_are_windows_of_64_bars(benchmark):
    found = list(benchmark.windows([scale(60), scale(66)]))
    assert [len(piece) for piece in found] == [64]
    assert found[0].duration == pytest.approx(128.0)
