"""Pieces that no model made: bars in random order, random notes."""

from collections.abc import Mapping

import numpy as np

from ..errors import InputError
from ..metrics import describe
from ..notes import NOTE_DTYPE, NoteSequence
from ..timing import Timing

_SLACK_QUARTERS = 1e-6  # float error of a position on a bar line


def shuffled_bars(sequence, *, seed):
    """The piece with its bars in random order.

    Keeps everything but the order of bars: every statistic of notes within a bar stays what it was. Notes move
    with the bar in which they begin and keep their length in quarter notes, so one held over a bar line may
    overlap a note of its pitch (`transforms.canonical` ends it there). Only bars of one length change places, so
    that meters stay right; a pickup stays in front.

    Parameters
    ----------
    sequence : NoteSequence
    seed : int
        The same seed gives the same order.

    Returns
    -------
    NoteSequence
        The same tracks and timing; the duration grows if the last bar is now a longer one.

    Raises
    ------
    InputError
        If `sequence` is no NoteSequence.

    Examples
    --------
    >>> scale = NoteSequence([(2.0 * i, 2.0 * i + 0.5, 60 + i, 80, 0) for i in range(5)])  # one note per bar
    >>> shuffled_bars(scale, seed=1).notes["pitch"].tolist()
    [61, 62, 63, 64, 60]
    """
    if not isinstance(sequence, NoteSequence):
        raise InputError(f"sequence must be a NoteSequence, not {type(sequence).__name__}")
    timing, notes = sequence.timing, np.array(sequence.notes)
    bars = timing.bars(sequence.duration)
    start, end = timing.seconds_to_quarters(notes["start"]), timing.seconds_to_quarters(notes["end"])
    bar = np.maximum(np.searchsorted(bars, start + _SLACK_QUARTERS, side="right") - 1, 0)
    shift = (_shuffled_starts(timing, bars, np.random.default_rng(seed)) - bars)[bar]
    moved = shift != 0
    notes["start"][moved] = np.maximum(0.0, timing.quarters_to_seconds(start + shift))[moved]
    notes["end"][moved] = timing.quarters_to_seconds(end + shift)[moved]
    return sequence.replace(notes=notes, meta={"model": "shuffled_bars", "seed": seed})


def _shuffled_starts(timing, bars, random):
    """Where each bar begins afterwards, in quarter notes."""
    lengths = np.diff(np.append(bars, bars[-1] + timing.meter_at(bars[-1]).quarters)).round(6)
    pickup = bars < timing.meters[0].beat * timing.quarters_per_beat - _SLACK_QUARTERS
    starts = bars.copy()
    for length in np.unique(lengths[~pickup]):
        places = np.flatnonzero((lengths == length) & ~pickup)
        starts[places] = bars[random.permutation(places)]
    return starts


def random_notes(like, *, seed, resolution=None):
    """A piece of random notes, as many, as long and in the range of a given piece.

    Parameters
    ----------
    like : NoteSequence or mapping
        A piece, or its measures as `metrics.describe` returns them; "notes", "duration", "lowest_pitch",
        "highest_pitch", "mean_note_quarters" and "mean_velocity" are used. Of a piece the timing is taken over,
        measures get 120 bpm in 4/4.
    seed : int
        The same seed gives the same notes.
    resolution : int, optional
        Grid steps per quarter note on which notes begin and end. Default: none, notes begin anywhere.

    Returns
    -------
    NoteSequence
        One piano track. Onsets are spread evenly over the piece and pitches over the range, lengths are
        exponentially distributed around the mean, cut at the end of the piece; all have the mean velocity.

    Raises
    ------
    InputError
        If `like` is neither, lacks a measure, or `resolution` is less than 1.

    Examples
    --------
    >>> theme = NoteSequence([(0.5 * i, 0.5 * i + 0.5, 60 + i, 80, 0) for i in range(4)])
    >>> noise = random_notes(theme, seed=0, resolution=4)
    >>> len(noise), noise.duration, bool(noise.notes["pitch"].max() <= 63)
    (4, 2.0, True)
    """
    timing, values = _timing_and_measures(like)
    if resolution is not None and not (isinstance(resolution, (int, np.integer)) and resolution >= 1):
        raise InputError(f"resolution must be None or a whole number of at least 1, not {resolution!r}")
    random, count = np.random.default_rng(seed), int(values["notes"])
    if count and not values["duration"] > 0:
        raise InputError(f"{count} notes do not fit into a duration of {values['duration']} s")
    notes = np.empty(count, NOTE_DTYPE)
    if count:
        start, end = _random_times(timing, values, count, random, resolution)
        notes["start"], notes["end"], notes["track"] = start, end, 0
        low, high = int(values["lowest_pitch"]), int(values["highest_pitch"])
        notes["pitch"] = random.integers(low, high, count, endpoint=True)
        notes["velocity"] = round(values["mean_velocity"])
    return NoteSequence(
        notes,
        timing=timing,
        duration=max(float(values["duration"]), notes["end"].max(initial=0.0)),
        meta={"model": "random_notes", "seed": seed},
    )


def _timing_and_measures(like):
    if isinstance(like, NoteSequence):
        return like.timing, _with_pitches(describe(like))
    if not isinstance(like, Mapping):
        raise InputError(f"like must be a NoteSequence or a mapping of measures, not {type(like).__name__}")
    missing = [name for name in _USED if name not in like]
    if missing:
        raise InputError(f"like lacks {', '.join(missing)}", remedy="give a piece or what metrics.describe returns")
    return Timing.regular(), _with_pitches(like)


_USED = ("notes", "duration", "lowest_pitch", "highest_pitch", "mean_note_quarters", "mean_velocity")


def _with_pitches(values):
    if values["notes"] and not np.isfinite(values["lowest_pitch"]):
        raise InputError("like has notes but no pitch: all its tracks are drums", remedy="give a piece with pitches")
    return values


def _random_times(timing, values, count, random, resolution):
    """Starts and ends in seconds, evenly spread in quarter notes."""
    first, last = timing.seconds_to_quarters([0.0, values["duration"]])
    length = random.exponential(values["mean_note_quarters"], count)
    if resolution is None:
        shortest = min(1e-3, (last - first) / 2)
        start = random.uniform(first, last - shortest, count)
        end = np.minimum(start + np.maximum(length, shortest), last)
    else:
        first, last = np.ceil(first * resolution), max(np.ceil(first * resolution) + 1, np.floor(last * resolution))
        start = np.floor(random.uniform(first, last, count))
        end = np.minimum(start + np.maximum(np.rint(length * resolution), 1), last)
        start, end = start / resolution, end / resolution
    return np.maximum(0.0, timing.quarters_to_seconds(start)), timing.quarters_to_seconds(end)
