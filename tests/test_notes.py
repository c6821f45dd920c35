"""The central values: what a NoteSequence and a Timing promise."""

import copy
import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import sequences, timings

from musicgen import InputError, Meter, NoteSequence, Timing, Track
from musicgen.timing import natural_quarters_per_beat

NOTE = (0.0, 1.0, 60, 80, 0)


@given(sequences(min_notes=0))
def test_notes_are_sorted_sound_and_read_only(piece):
    notes = piece.notes
    keys = list(zip(notes["start"], notes["track"], notes["pitch"], strict=True))
    assert keys == sorted(keys)
    assert np.all(notes["end"] > notes["start"])
    assert piece.duration >= notes["end"].max(initial=0.0)
    with pytest.raises(ValueError, match="read-only"):
        notes["pitch"] = 0


@given(sequences())
def test_pieces_survive_pickling_and_copying(piece):
    assert pickle.loads(pickle.dumps(piece)) == piece
    assert copy.deepcopy(piece) == piece
    assert piece.replace(notes=piece.notes) == piece


@given(sequences())
def test_a_change_makes_another_piece(piece):
    assert piece.replace(duration=piece.duration + 1) != piece
    assert piece.replace(meta={"new": "1"}).meta == {**piece.meta, "new": "1"}
    assert piece.replace(timing=Timing([0.0, 9.0])) != piece


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((-0.1, 1, 60, 80, 0), "start must be at least 0"),
        ((1, 1, 60, 80, 0), "end must be after start"),
        ((0, np.inf, 60, 80, 0), "finite"),
        ((0, np.nan, 60, 80, 0), "finite"),
        ((0, 1, 128, 80, 0), "at most 127"),
        ((0, 1, 60.5, 80, 0), "whole numbers"),
        ((0, 1, 60, 0, 0), "velocity must be 1 to 127"),
        ((0, 1, 60, 80, 1), "below 1, the number of tracks"),
        ((0, 1, 60), "rows of"),
    ],
)
def test_broken_notes_are_refused(row, reason):
    with pytest.raises(InputError, match=reason):
        NoteSequence([row])


def test_broken_pieces_are_refused():
    with pytest.raises(InputError, match="program 128"):
        NoteSequence([NOTE], [Track("x", 128)])
    with pytest.raises(InputError, match="less than the last note"):
        NoteSequence([NOTE], duration=0.5)


@given(timings(), st.lists(st.floats(-50, 500), min_size=1))
def test_seconds_and_quarters_are_inverse(timing, seconds):
    quarters = timing.seconds_to_quarters(seconds)
    np.testing.assert_allclose(timing.quarters_to_seconds(quarters), seconds, atol=1e-9, rtol=1e-9)
    np.testing.assert_allclose(timing.seconds_to_beats(timing.beats), np.arange(len(timing.beats)), atol=1e-9)


@given(timings(), st.floats(0, 20), st.floats(0.1, 60))
def test_covering_changes_no_conversion(timing, start, length):
    wide = timing.covering(start, start + length)
    assert wide.beats[-1] >= start + length - 1e-6
    seconds = np.linspace(start, start + length, 20)
    shift = wide.meters[0].beat - timing.meters[0].beat
    np.testing.assert_allclose(wide.seconds_to_beats(seconds), timing.seconds_to_beats(seconds) + shift, atol=1e-6)


@given(timings(), st.floats(0.1, 60))
def test_bars_begin_at_meters_and_last_as_they_say(timing, end):
    bars = timing.bars(end)
    assert np.all(np.diff(bars) > 0)
    last = float(timing.seconds_to_quarters(end))
    marks = [m.beat * timing.quarters_per_beat for m in timing.meters]
    assert all(np.abs(bars - mark).min() < 1e-9 for mark in marks if bars[0] <= mark < last - 1e-6)
    for bar, following in itertools.pairwise(bars):
        assert following - bar <= timing.meter_at(bar).quarters + 1e-9


def test_a_bar_of_six_eight_has_two_beats():
    timing = Timing.regular(90, (6, 8))
    assert timing.quarters_per_beat == 1.5
    assert timing.qpm == pytest.approx(135)
    np.testing.assert_allclose(timing.bars(4.0), [0, 3, 6])
    assert natural_quarters_per_beat(7, 8) == 1.0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (([0.0],), "at least 2"),
        (([0.0, 0.0],), "strictly increasing"),
        (([0.0, np.nan],), "finite"),
        (([0.0, 1.0], 0.0), "quarters_per_beat"),
        (([0.0, 1.0], 1.0, ()), "at least one"),
        (([0.0, 1.0], 1.0, [(0, 4, 3)]), "power of two"),
        (([0.0, 1.0], 1.0, [Meter(4, 4, 4), Meter(0, 3, 4)]), "sorted"),
    ],
)
def test_broken_timings_are_refused(arguments, reason):
    with pytest.raises(InputError, match=reason):
        Timing(*arguments)


@pytest.mark.parametrize("bpm", ["fast", None, [120.0], 0, -3.0, np.nan, np.inf])
def test_a_tempo_that_is_no_positive_number_is_refused(bpm):
    with pytest.raises(InputError, match="bpm must be a positive number, not"):
        Timing.regular(bpm=bpm)
    assert Timing.regular(np.float32(90)).bpm == pytest.approx(90)
