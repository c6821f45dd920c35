"""benchmarks/cleaning.py: what is played, what counts as its truth, and how defaults are chosen."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from musicgen import NoteSequence, Timing, Track

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
VOICES = NoteSequence([(0, 40, 60, 80, 0), (0, 20, 48, 80, 1), (20, 40, 50, 80, 1)], [Track("high"), Track("low")])


@pytest.fixture
def cleaning(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("cleaning")


def test_a_performance_differs_in_time_and_loudness_but_not_in_pitch(cleaning):
    performance = cleaning.performed(VOICES, np.random.default_rng(0))
    assert performance.duration == 17
    assert set(performance.notes["pitch"].tolist()) <= {48, 50, 60}
    assert cleaning.QPM[0] <= performance.timing.qpm <= cleaning.QPM[1]
    assert performance.notes["end"].max() < 16.1
    assert performance == cleaning.performed(VOICES, np.random.default_rng(0))
    assert performance != cleaning.performed(VOICES, np.random.default_rng(1))


def test_truth_has_no_drums_and_one_note_where_voices_meet(cleaning):
    rows = [(0, 2, 60, 80, 0), (1, 3, 60, 90, 1), (1, 2, 64, 70, 1)]
    mix = cleaning.band(NoteSequence(rows, [Track(), Track()], duration=17.0), np.array([40, 73, 0]))
    assert [track.program for track in mix.tracks] == [40, 73, 0]
    assert mix.tracks[2].drum
    assert cleaning.truth(mix).notes.tolist() == [(0, 1, 60, 80, 0), (1, 3, 60, 90, 0), (1, 2, 64, 70, 0)]


def test_the_drums_play_in_eighths_until_the_passage_ends(cleaning):
    rows = cleaning.drum_pattern(Timing.regular(120), 3)  # an eighth lasts 0.25 s
    starts = {pitch: [row[0] for row in rows if row[2] == pitch] for pitch in (42, 36, 38)}
    assert starts[42] == [number / 4 for number in range(64)]
    assert starts[36] == [float(number) for number in range(16)]
    assert starts[38] == [number + 0.5 for number in range(16)]


def test_scores_are_those_of_mir_eval(cleaning):
    played = NoteSequence([(0, 1, 60, 80, 0), (1, 2, 62, 80, 0), (2, 3, 64, 80, 0), (3, 4, 65, 80, 0)])
    heard = NoteSequence([(0.04, 1.15, 60, 9, 0), (1.04, 2.5, 62, 9, 0), (2.06, 3, 64, 9, 0)])
    # 60 is right, 62 ends late, 64 begins late, 65 is missing: 2 of 3 and 2 of 4, then 1 of 3 and 1 of 4.
    assert cleaning.f1s(played, heard) == pytest.approx([4 / 7, 2 / 7])


def test_the_gentlest_of_equally_good_values_is_chosen(cleaning):
    assert cleaning.gentlest({0: 0.5, 0.5: 0.69995, 0.6: 0.7, 0.7: 0.69}) == 0.5
    assert cleaning.gentlest({0: 0.5, 0.5: 0.69985, 0.6: 0.7, 0.7: 0.69}) == 0.6


def test_an_interval_holds_the_mean_and_narrows_with_more_pieces(cleaning):
    gains = np.random.default_rng(0).normal(0.1, 0.2, 1000)
    few, many = cleaning.interval(gains[:50], 0), cleaning.interval(gains, 0)
    assert few[0] < gains[:50].mean() < few[1]
    assert many[1] - many[0] == pytest.approx(4 * 0.98 * 0.2 / 1000**0.5, rel=0.1)
    assert many[1] - many[0] < few[1] - few[0]
