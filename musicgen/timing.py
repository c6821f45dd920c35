"""Beats, bars and the way between seconds, beats and quarter notes.

A `Timing` is an immutable map: `beats` holds the time of every beat in seconds, positions between beats are
interpolated linearly, positions outside continue at the tempo of the nearest beat. Position 0 is the first beat,
in beats as in quarter notes; what lies before it has negative positions.
"""

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .errors import InputError


class Meter(NamedTuple):
    """A time signature, `numerator`/`denominator`, that holds from the beat position `beat` on (a downbeat)."""

    beat: float
    numerator: int
    denominator: int

    @property
    def quarters(self):
        """Length of a full bar in quarter notes."""
        return 4 * self.numerator / self.denominator


def natural_quarters_per_beat(numerator, denominator):
    """Quarter notes per beat of a meter: 1.5 in 6/8, 9/8 and 12/8, 2 in x/2, 1 elsewhere.

    Examples
    --------
    >>> natural_quarters_per_beat(6, 8), natural_quarters_per_beat(3, 4), natural_quarters_per_beat(2, 2)
    (1.5, 1.0, 2.0)
    """
    if numerator > 3 and numerator % 3 == 0 and denominator >= 8:
        return 12 / denominator
    return 2.0 if denominator == 2 else 1.0


@dataclass(frozen=True, eq=False)
class Timing:
    """Beat times and meters of one piece.

    Parameters
    ----------
    beats : array-like of float, shape (n_beats,)
        Beat times in seconds, n_beats ≥ 2, strictly increasing, finite.
    quarters_per_beat : float
        Quarter notes in one beat: 1 in x/4, 1.5 in 6/8.
    meters : sequence of (beat, numerator, denominator)
        Time signatures by beat position, strictly increasing. The first entry's position is the first downbeat;
        beats before it form a pickup (an incomplete bar).

    Raises
    ------
    InputError
        If beats or meters break these rules.

    Examples
    --------
    >>> timing = Timing([0.0, 0.5, 1.0, 2.0])
    >>> timing.seconds_to_beats([0.25, 1.5, 3.0])
    array([0.5, 2.5, 4. ])
    >>> timing.bars(2.0)
    array([0.])
    """

    beats: np.ndarray
    quarters_per_beat: float = 1.0
    meters: tuple = (Meter(0.0, 4, 4),)

    def __post_init__(self):
        beats = np.array(self.beats, dtype=np.float64)
        if beats.ndim != 1 or len(beats) < 2:
            raise InputError(f"beats must be a list of at least 2 times, not shape {beats.shape}")
        if not (-np.inf < beats[0] and beats[-1] < np.inf and (beats[1:] > beats[:-1]).all()):
            raise InputError("beats must be finite and strictly increasing", remedy="sort them, drop repeated times")
        beats.setflags(write=False)
        if not 0 < self.quarters_per_beat <= 16:
            raise InputError(f"quarters_per_beat must lie in (0, 16], not {self.quarters_per_beat}")
        object.__setattr__(self, "beats", beats)
        object.__setattr__(self, "quarters_per_beat", float(self.quarters_per_beat))
        object.__setattr__(self, "meters", _checked_meters(self.meters))

    @classmethod
    def regular(cls, bpm=120.0, meter=(4, 4), *, quarters_per_beat=None, start=0.0):
        """An even beat.

        Parameters
        ----------
        bpm : float
            Beats per minute, where a beat is `quarters_per_beat` quarter notes.
        meter : (int, int)
            Numerator and denominator.
        quarters_per_beat : float, optional
            Default: 1.5 for 6/8, 9/8, 12/8; 2 for x/2; else 1.
        start : float
            Time of the first downbeat in seconds.

        Returns
        -------
        Timing
        """
        if not (isinstance(bpm, int | float | np.number) and np.isfinite(bpm) and bpm > 0):
            raise InputError(f"bpm must be a positive number, not {bpm!r}")
        if quarters_per_beat is None:
            quarters_per_beat = natural_quarters_per_beat(*meter)
        return cls([start, start + 60.0 / bpm], quarters_per_beat, (Meter(0.0, *meter),))

    def seconds_to_beats(self, seconds):
        """Beat positions (float64, same shape) of times in seconds."""
        return _interpolate(seconds, self.beats, np.arange(len(self.beats), dtype=np.float64))

    def beats_to_seconds(self, positions):
        """Times in seconds (float64, same shape) of beat positions."""
        return _interpolate(positions, np.arange(len(self.beats), dtype=np.float64), self.beats)

    def seconds_to_quarters(self, seconds):
        """Quarter-note positions (float64, same shape) of times in seconds."""
        return self.seconds_to_beats(seconds) * self.quarters_per_beat

    def quarters_to_seconds(self, quarters):
        """Times in seconds (float64, same shape) of quarter-note positions."""
        return self.beats_to_seconds(np.asarray(quarters, dtype=np.float64) / self.quarters_per_beat)

    @property
    def bpm(self):
        """Median tempo in beats per minute."""
        return float(60.0 / np.median(np.diff(self.beats)))

    @property
    def qpm(self):
        """Median tempo in quarter notes per minute."""
        return self.bpm * self.quarters_per_beat

    def bars(self, seconds, *, start=0.0):
        """Starts, in quarter notes, of the bars that begin before the time `seconds`.

        Parameters
        ----------
        seconds : float
            End of the region, in seconds.
        start : float
            Beginning of the region, in seconds: the first bar returned is the one that holds this time.

        Returns
        -------
        numpy.ndarray of float64, shape (n_bars,)
            At least one bar. A bar before the first downbeat (the pickup) is given where it would begin if it were
            complete, a multiple of the first meter's length before the first downbeat.
        """
        end = float(self.seconds_to_quarters(seconds))
        begin = float(self.seconds_to_quarters(start))
        marks = [m.beat * self.quarters_per_beat for m in self.meters]
        lengths = [m.quarters for m in self.meters]
        before = max(0, math.ceil((marks[0] - begin) / lengths[0] - 1e-9))
        starts = [marks[0] - lengths[0] * np.arange(before, 0, -1)]
        for mark, length, limit in zip(marks, lengths, [*marks[1:], max(end, begin + 1e-6)], strict=True):
            count = max(0, math.ceil((limit - mark) / length - 1e-9))
            starts.append(mark + length * np.arange(count))
        bars = np.concatenate(starts)
        first = max(0, int(np.searchsorted(bars, begin + 1e-9, side="right")) - 1)
        bars = bars[first:]
        kept = bars[bars < end - 1e-9]
        return kept if len(kept) else bars[:1]

    def first_bars(self, count):
        """Starts, in quarter notes, of the first `count` bars from time 0 on, however long the piece.

        Returns
        -------
        numpy.ndarray of float64, shape (count,)
        """
        if len(self.meters) == 1:
            mark, length = self.meters[0].beat * self.quarters_per_beat, self.meters[0].quarters
            first = math.floor((float(self.seconds_to_quarters(0.0)) + 1e-9 - mark) / length)
            return mark + length * np.arange(first, first + count)
        longest = max(meter.quarters for meter in self.meters)
        end = self.bars(1e-6)[0] + longest * (count + 1)
        return self.bars(float(self.quarters_to_seconds(end)))[:count]

    def meter_indices(self, quarters):
        """Which of `meters` holds at each quarter-note position: intp, same shape (0 before the first downbeat)."""
        marks = [m.beat * self.quarters_per_beat for m in self.meters]
        return np.maximum(np.searchsorted(marks, np.asarray(quarters) + 1e-9, side="right") - 1, 0)

    def meter_at(self, quarters):
        """The `Meter` that holds at a quarter-note position (the first one before the first downbeat)."""
        return self.meters[int(self.meter_indices(quarters))]

    def covering(self, start, end):
        """The same map with explicit beats from at or before `start` to at or after `end` (seconds).

        Beats are added at the tempo of the nearest given beat; one that would fall before `start` is not added
        unless none lies there, and beats before 0 s are never added.

        Returns
        -------
        Timing
        """
        first, last = self.beats[1] - self.beats[0], self.beats[-1] - self.beats[-2]
        before = max(0, math.floor((self.beats[0] - max(start, 0.0)) / first + 1e-9))
        after = max(0, math.ceil((end - self.beats[-1]) / last - 1e-9))
        beats = np.concatenate(
            [
                self.beats[0] - first * np.arange(before, 0, -1),
                self.beats,
                self.beats[-1] + last * np.arange(1, after + 1),
            ]
        )
        meters = [Meter(m.beat + before, m.numerator, m.denominator) for m in self.meters]
        return Timing(beats, self.quarters_per_beat, tuple(meters))

    def __eq__(self, other):
        if not isinstance(other, Timing):
            return NotImplemented
        return (
            np.array_equal(self.beats, other.beats)
            and self.quarters_per_beat == other.quarters_per_beat
            and self.meters == other.meters
        )

    def __hash__(self):
        return hash((self.beats.tobytes(), self.quarters_per_beat, self.meters))

    def __repr__(self):
        meters = ", ".join(f"{m.numerator}/{m.denominator}" for m in self.meters)
        return f"Timing({len(self.beats)} beats, {self.bpm:.1f} bpm, {meters})"


def _checked_meters(meters):
    checked = tuple(Meter(float(beat), int(numerator), int(denominator)) for beat, numerator, denominator in meters)
    if not checked:
        raise InputError("meters must hold at least one (beat, numerator, denominator)")
    for meter in checked:
        power_of_two = meter.denominator > 0 and meter.denominator & (meter.denominator - 1) == 0
        if not (math.isfinite(meter.beat) and 1 <= meter.numerator <= 255 and power_of_two):
            raise InputError(
                f"meter {tuple(meter)} is not (beat, numerator, denominator)",
                remedy="numerator 1 to 255, denominator a power of two",
            )
    if any(a.beat >= b.beat for a, b in itertools.pairwise(checked)):
        raise InputError("meters must be sorted by beat, one per beat")
    return checked


def _interpolate(x, xs, ys):
    """Piecewise linear map that continues with the slope of its first and last piece."""
    x = np.asarray(x, dtype=np.float64)
    if len(xs) == 2:
        return ys[0] + (x - xs[0]) * ((ys[1] - ys[0]) / (xs[1] - xs[0]))
    index = np.minimum(np.maximum(xs.searchsorted(x, side="right") - 1, 0), len(xs) - 2)
    slope = (ys[index + 1] - ys[index]) / (xs[index + 1] - xs[index])
    return ys[index] + (x - xs[index]) * slope
