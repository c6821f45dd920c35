"""What measures need of one piece, each worked out once, and the checks that all of them share."""

from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from ..notes import NoteSequence
from .bars import Bars
from .harmony import SLACK


def check_sequence(value, name):
    """Refuse what is no NoteSequence, naming the argument."""
    if not isinstance(value, NoteSequence):
        raise InputError(
            f"{name} must be a NoteSequence, not {type(value).__name__}", remedy="read a file with musicgen.read_midi"
        )


def check_sequences(values, name):
    """The NoteSequences of an iterable as a list; refuses anything else, naming the argument."""
    if isinstance(values, NoteSequence):
        raise InputError(f"{name} must be several NoteSequences, not one", remedy="put it into a list")
    values = list(values)
    for index, value in enumerate(values):
        check_sequence(value, f"{name}[{index}]")
    return values


def check_resolution(resolution):
    """Refuse a resolution that is no whole number of at least 1."""
    if not (isinstance(resolution, (int, np.integer)) and resolution >= 1):
        raise InputError(f"resolution must be a whole number of steps per quarter, at least 1, not {resolution!r}")


def pitched(sequence):
    """The notes of all tracks but drum tracks (structured array, in the piece's order)."""
    return sequence.notes[are_pitched(sequence)]


def are_pitched(sequence):
    """Which notes are of a track that is no drum track (bool, in the piece's order)."""
    drums = np.array([track.drum for track in sequence.tracks], dtype=bool)
    return ~drums[sequence.notes["track"]]


def onset_steps(timing, start, resolution):
    """Nearest grid step (int64) of onsets in seconds; an onset midway between two steps goes to the later one."""
    steps = timing.seconds_to_quarters(start) * resolution
    return np.floor(steps + 0.5 + SLACK).astype(np.int64)


def true_runs(values):
    """Where each run of True begins, and its length (two int arrays).

    Examples
    --------
    >>> true_runs(np.array([True, False, True, True]))
    (array([0, 2]), array([1, 2]))
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], values, [False]]).astype(np.int8)))
    return edges[::2], edges[1::2] - edges[::2]


class Line(NamedTuple):
    """The highest notes of successive onsets of each track: `notes`, places among the pitched notes; `gaps`, grid
    steps from each to the next; `within`, whether the next is of the same track."""

    notes: np.ndarray
    gaps: np.ndarray
    within: np.ndarray


def top_line(notes, timing, resolution):
    """The highest notes of successive onsets of each track.

    Parameters
    ----------
    notes : structured array, shape (n,)
    timing : Timing
    resolution : int
        Grid steps per quarter note, by which onsets count as simultaneous.

    Returns
    -------
    Line
    """
    steps = onset_steps(timing, notes["start"], resolution)
    order = np.lexsort((notes["pitch"], steps, notes["track"]))
    track, step = notes["track"][order].astype(np.int64), steps[order]
    top = np.ones(len(order), bool)
    top[:-1] = (np.diff(track) != 0) | (np.diff(step) != 0)
    return Line(order[top], np.diff(step[top]), np.diff(track[top]) == 0)


class Facts:
    """What several measures need of one piece, each worked out once."""

    def __init__(self, sequence, resolution=12, tolerance=0.02):
        self.sequence, self.resolution, self.tolerance = sequence, resolution, tolerance
        self.notes, self.timing, self.duration = sequence.notes, sequence.timing, sequence.duration
        self._is_pitched = are_pitched(sequence)
        self.pitched = self.notes[self._is_pitched]

    @cached_property
    def note_quarters(self):
        """Starts and ends of all notes in quarter notes: float64, (2, n)."""
        return self.timing.seconds_to_quarters(np.stack([self.notes["start"], self.notes["end"]]))

    @cached_property
    def quarters(self):
        """Length of the piece in quarter notes."""
        return float(np.diff(self.timing.seconds_to_quarters([0.0, self.duration]))[0])

    @cached_property
    def seconds_held(self):
        return self.pitched["end"] - self.pitched["start"]

    @cached_property
    def starts(self):
        """Onsets of the pitched notes in quarter notes."""
        return self.note_quarters[0][self._is_pitched]

    @cached_property
    def ends(self):
        """Ends of the pitched notes in quarter notes."""
        return self.note_quarters[1][self._is_pitched]

    @cached_property
    def quarters_held(self):
        return self.ends - self.starts

    @cached_property
    def pitches(self):
        return self.pitched["pitch"].astype(np.int64)

    @cached_property
    def grid_steps(self):
        """Onsets of all notes in grid steps from the first downbeat on (float64)."""
        first = self.timing.meters[0].beat * self.timing.quarters_per_beat
        return (self.note_quarters[0] - first) * self.resolution

    @cached_property
    def scale_shares(self):
        """Share of the sounding time in each of the 12 diatonic sets; NaN without notes."""
        held = np.bincount(self.pitches % 12, weights=self.seconds_held, minlength=12)
        total = held.sum()
        return held[_SCALES].sum(axis=1) / total if total > 0 else np.full(12, np.nan)

    @cached_property
    def moments(self):
        """Seconds from each start or end of a note to the next, and how many notes of each pitch class sound."""
        return sounding(self.pitched["start"], self.pitched["end"], self.pitches % 12, 12)

    @cached_property
    def top_line(self):
        """See the function `top_line`."""
        return top_line(self.pitched, self.timing, self.resolution)

    @cached_property
    def bar_starts(self):
        """Starts of the bars in quarter notes."""
        return self.timing.bars(self.duration)

    @cached_property
    def bars(self):
        """The piece by bars, see `Bars`."""
        return Bars(self)


_SCALES = (np.arange(12)[:, None] + [0, 2, 4, 5, 7, 9, 11]) % 12  # (12, 7)


def sounding(start, end, kind, kinds):
    """How many notes of each kind sound between one start or end of a note and the next.

    Parameters
    ----------
    start, end : numpy.ndarray of float, shape (n,)
    kind : numpy.ndarray of int, shape (n,)
        From 0 to kinds - 1.

    Returns
    -------
    length : numpy.ndarray of float64, shape (2 n - 1,)
    counts : numpy.ndarray of int64, shape (2 n - 1, kinds)

    Examples
    --------
    >>> length, counts = sounding(np.array([0.0, 1.0]), np.array([3.0, 2.0]), np.array([0, 1]), 2)
    >>> length.tolist(), counts.tolist()
    ([1.0, 1.0, 1.0], [[1, 0], [1, 1], [1, 0]])
    """
    times = np.concatenate([start, end])
    order = np.argsort(times, kind="stable")
    change = np.zeros((len(times), kinds), np.int64)
    change[np.arange(len(times)), np.tile(kind, 2)] = np.repeat([1, -1], len(start))
    return np.diff(times[order]), np.cumsum(change[order], axis=0)[:-1]
