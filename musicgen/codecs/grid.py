"""A piece on one even grid of steps, as `frames`, `melody` and `pianoroll` use it.

Step 0 is the first multiple of 1/resolution quarter, counted from the first beat, that is not before 0 s. Bars and
tempo are not in the arrays; the `Timing` that is kept beside them has both.
"""

import math

import numpy as np

from ..errors import InputError
from ..notes import NOTE_DTYPE, NoteSequence
from ..timing import Timing
from .base import DEFAULT_VELOCITY

_NEAR = 1e-6  # steps that count as the same place


def steps_of(sequence, resolution):
    """Where the notes of a piece lie that `transforms.quantise` put on the grid.

    Parameters
    ----------
    sequence : NoteSequence
    resolution : int
        Steps per quarter note.

    Returns
    -------
    starts, ends : numpy.ndarray of int64, shape (n_notes,)
        First step of every note, and the step after its last.
    count : int
        Steps of the piece, trailing silence included.
    """
    timing, first = sequence.timing, _first_step(sequence.timing, resolution)
    starts, ends = (
        np.rint(timing.seconds_to_quarters(sequence.notes[edge]) * resolution).astype(np.int64) - first
        for edge in ("start", "end")
    )
    last = math.ceil(float(timing.seconds_to_quarters(sequence.duration)) * resolution - _NEAR) - first
    return starts, ends, max(last, int(ends.max(initial=0)), 0)


def piece_of(starts, ends, pitches, *, track=0, count, resolution, timing, tracks, meta):
    """The piece whose notes lie on these steps; the opposite of `steps_of`."""
    timing = timing or Timing.regular()
    first = _first_step(timing, resolution)
    seconds = np.maximum(timing.quarters_to_seconds((first + np.arange(count + 1)) / resolution), 0.0)
    notes = np.empty(len(starts), NOTE_DTYPE)
    notes["start"], notes["end"] = seconds[starts], seconds[ends]
    notes["pitch"], notes["velocity"], notes["track"] = pitches, DEFAULT_VELOCITY, track
    duration = float(seconds[count]) if count else 0.0
    return NoteSequence(notes, tracks, timing, duration, meta or {})


def covered(starts, ends):
    """All steps of all notes, one after another, and the number of the note of each."""
    lengths = ends - starts
    note = np.repeat(np.arange(len(starts)), lengths)
    return np.arange(len(note)) + np.repeat(starts - np.cumsum(lengths) + lengths, lengths), note


def checked_roll(roll, shape, what):
    """A roll as bool, refused if it has another shape than (steps, *shape) or other values than 0 and 1.

    Raises
    ------
    InputError
    """
    roll = np.asarray(roll)
    if roll.ndim != len(shape) + 1 or roll.shape[1:] != shape:
        wanted = ", ".join(["steps", *map(str, shape)])
        raise InputError(f"{what} must have the shape ({wanted}), not {roll.shape}")
    if roll.dtype != bool and not np.all((roll == 0) | (roll == 1)):
        raise InputError(f"{what} must hold 0 and 1 or False and True alone", remedy="compare it with a threshold")
    return roll.astype(bool)


def _first_step(timing, resolution):
    return math.ceil(float(timing.seconds_to_quarters(0.0)) * resolution - _NEAR)


def bar_steps(timing, resolution, count):
    """Where the bars of a piece lie on its grid.

    Parameters
    ----------
    timing : Timing
    resolution : int
        Steps per quarter note.
    count : int
        Steps of the piece.

    Returns
    -------
    starts : numpy.ndarray of float64, shape (n_bars,)
        First step of every bar that begins before step `count`; of a bar that began before the piece, below 0; not
        whole where a meter does not fit the grid.
    meters : list of (int, int)
        Numerator and denominator of each.
    """
    first = _first_step(timing, resolution)
    if not count:
        return np.zeros(0), []
    quarters = timing.bars(float(timing.quarters_to_seconds((first + count) / resolution)))
    meters = [timing.meters[index][1:] for index in timing.meter_indices(quarters + 1e-6)]
    starts = quarters * resolution - first
    whole = np.rint(starts)
    return np.where(np.abs(starts - whole) < _NEAR, whole, starts), meters
