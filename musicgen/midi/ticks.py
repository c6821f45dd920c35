"""Timing in ticks: the tempo map, bars and beats of a MIDI file.

MIDI counts bars from tick 0, knows whole microseconds per quarter note only, and has no word for a pickup. So a
piece whose first beat or downbeat comes late is written with a short first bar; a first bar that is shorter
than the following meter and lasts exactly one bar is read as a pickup.
"""

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from ..timing import Meter, Timing, natural_quarters_per_beat
from ..transforms import fit_timing

MAX_BEATS = 1_000_000
_RESOLUTIONS = [480 * 2**k for k in range(7)]  # ticks per quarter; the last suits MIDI's slowest tempo
_TICK_S = 0.9e-3  # a tick is shorter than this
_SLACK_US = 100  # a tempo is kept while beats stay this near to their times
_MAX_TEMPO = 2**24 - 1  # microseconds per quarter
_MAX_TICK = 2**28 - 1  # the longest wait between two events
_OFF_GRID = 1 / 16  # quarters by which a pickup's time signature may miss its length


@dataclass(frozen=True)
class TempoMap:
    """Seconds of ticks, exact: `tempos[i]` microseconds per quarter hold from tick `ticks[i]` on; `ticks[0]` is 0."""

    ticks_per_quarter: int
    ticks: np.ndarray
    tempos: np.ndarray

    @property
    def _seconds(self):
        steps = np.diff(self.ticks) * self.tempos[:-1]  # whole numbers: nothing is lost in the sum
        return np.concatenate([[0], np.cumsum(steps)]) / (self.ticks_per_quarter * 1e6)

    def to_seconds(self, ticks):
        """Times in seconds (float64) of ticks."""
        index = np.searchsorted(self.ticks, ticks, side="right") - 1
        beyond = (np.asarray(ticks) - self.ticks[index]) * self.tempos[index]
        return self._seconds[index] + beyond / (self.ticks_per_quarter * 1e6)

    def to_ticks(self, seconds):
        """Ticks (int64) nearest to times in seconds."""
        marks = self._seconds
        index = np.searchsorted(marks, seconds, side="right") - 1
        beyond = (np.asarray(seconds) - marks[index]) * (self.ticks_per_quarter * 1e6) / self.tempos[index]
        return self.ticks[index] + np.rint(beyond).astype(np.int64)


class Signature(NamedTuple):
    """A time signature at a tick."""

    tick: int
    numerator: int
    denominator: int

    @property
    def quarters(self):
        return 4 * self.numerator / self.denominator


class BeatHint(NamedTuple):
    """What signatures cannot tell: length and first place of a beat, in quarters, and if bar one is a pickup."""

    quarters_per_beat: float
    first: float
    pickup: bool


def plan(timing, duration):
    """Lay a timing out in ticks, from 0 s to `duration`.

    Returns
    -------
    TempoMap
    list of Signature
    BeatHint

    Raises
    ------
    InputError
        If a beat is too long, too short or too far out for MIDI.
    """
    _refuse_many(float(np.ptp(timing.seconds_to_beats([0.0, duration]))))
    timing = fit_timing(timing, 0.0, duration)
    if any(meter.denominator > 128 for meter in timing.meters):
        raise InputError("a meter's denominator above 128 does not fit into MIDI")
    size, lead = timing.quarters_per_beat, _lead_in(timing)
    marks, seconds = lead + size * np.arange(len(timing.beats)), timing.beats
    if lead > 0:
        marks, seconds = np.concatenate([[0.0], marks]), np.concatenate([[0.0], seconds])
    resolution = _resolution(np.diff(seconds) / np.diff(marks))
    ticks = np.rint(marks * resolution)
    if np.any(np.diff(ticks) < 1) or ticks[-1] > _MAX_TICK:
        raise InputError(f"{len(timing.beats)} beats of {size:g} quarters do not fit into MIDI's ticks")
    ticks = ticks.astype(np.int64)
    downbeats = [(round((lead + meter.beat * size) * resolution), meter) for meter in timing.meters]
    signatures = [Signature(max(0, tick), meter.numerator, meter.denominator) for tick, meter in downbeats]
    pickup = signatures[0].tick > 0
    if pickup:
        signatures.insert(0, _pickup_signature(signatures[0], resolution))
    return _tempo_map(resolution, ticks, seconds), signatures, BeatHint(size, float(lead), pickup)


def _lead_in(timing):
    """Quarters before the first beat, lengthened so that the first downbeat falls on a 1/32 (at worst 1/128) note."""
    size, meter = timing.quarters_per_beat, timing.meters[0]
    down = meter.beat * size
    if timing.beats[0] * 1e6 < _SLACK_US:
        return 0.0
    natural = -float(timing.seconds_to_quarters(0.0))
    if abs(down + natural) < 1e-9:  # a bar begins at 0 s
        return natural
    for step in (1 / 8, 1 / 16, 1 / 32):
        whole = step * math.ceil((down + natural) / step - 1e-9)
        if whole < meter.quarters - 1e-9:
            return whole - down
    return natural


def _pickup_signature(following, resolution):
    quarters, denominator = following.tick / resolution, following.denominator
    while denominator <= 128:
        numerator = round(quarters * denominator / 4)
        if abs(numerator - quarters * denominator / 4) < 1e-6 and 1 <= numerator <= 255:
            return Signature(0, numerator, denominator)
        denominator *= 2
    return Signature(0, min(255, max(1, math.floor(quarters * 16 + 1e-6))), 64)


def _resolution(seconds_per_quarter):
    slowest, fastest = float(seconds_per_quarter.max()), float(seconds_per_quarter.min())
    if slowest * 1e6 > _MAX_TEMPO - 1000 or fastest * 1e6 < 1:
        odd = slowest if fastest * 1e6 >= 1 else fastest
        raise InputError(
            f"a quarter note of {odd:g} s does not fit into MIDI's tempo",
            remedy="use beats of 0.000001 to 16.77 s per quarter note",
        )
    return next(resolution for resolution in _RESOLUTIONS if slowest / resolution < _TICK_S)


def _tempo_map(resolution, ticks, seconds):
    """Tempos whose rounding errors do not add up; steady as long as beats stay within `_SLACK_US`."""
    now, tempo, changes = 0, None, []
    for (tick, following), target in zip(itertools.pairwise(ticks.tolist()), seconds[1:].tolist(), strict=True):
        goal, span = target * 1e6 * resolution, following - tick
        if tempo is None or abs(now + tempo * span - goal) > _SLACK_US * resolution:
            tempo = min(max(round((goal - now) / span), 1), _MAX_TEMPO)
            changes.append((tick, tempo))
        now += tempo * span
    at, tempos = np.array(changes, dtype=np.int64).T
    return TempoMap(resolution, at, tempos)


def timing_from(tempo_map, signatures, end_tick, hint=None):
    """Timing of a file: the opposite of `plan`.

    Parameters
    ----------
    tempo_map : TempoMap
    signatures : list of Signature
        By tick; where none stands at tick 0, MIDI's default 4/4 holds.
    end_tick : int
        Where the piece ends.
    hint : BeatHint, optional
        Without one the beat is that of all signatures if they agree, else a quarter note.

    Raises
    ------
    InputError
        If there are more than `MAX_BEATS` beats, or a signature is none.
    """
    signatures = list({0: Signature(0, 4, 4), **{s.tick: s for s in signatures}}.values())
    if any(s.numerator < 1 or s.denominator < 1 for s in signatures):
        raise InputError("a time signature of 0 beats in the bar")
    signatures.sort()
    if (hint is None or hint.pickup) and _begins_with_pickup(signatures, tempo_map.ticks_per_quarter):
        signatures = signatures[1:]
    hint = hint or _natural_hint(signatures, tempo_map.ticks_per_quarter)
    beat = hint.quarters_per_beat * tempo_map.ticks_per_quarter
    first = hint.first * tempo_map.ticks_per_quarter
    count = max(2, math.ceil((end_tick - 1 - first) / beat) + 1)
    _refuse_many(count)
    beats = tempo_map.to_seconds(first + beat * np.arange(count))
    meters = [Meter(round((s.tick - first) / beat, 6), s.numerator, s.denominator) for s in signatures]
    kept = [m for m in meters if m.beat < (end_tick - first) / beat] or meters[:1]
    return Timing(beats, hint.quarters_per_beat, tuple(kept))


def _refuse_many(beats):
    if beats > MAX_BEATS:
        raise InputError(
            f"{beats:,.0f} beats, more than {MAX_BEATS:,}", remedy="check times and tempo, or cut the piece"
        )


def _begins_with_pickup(signatures, ticks_per_quarter):
    if len(signatures) < 2 or signatures[0].quarters >= signatures[1].quarters:
        return False
    return abs(signatures[1].tick / ticks_per_quarter - signatures[0].quarters) <= _OFF_GRID


def _natural_hint(signatures, ticks_per_quarter):
    """Beats counted back from the first downbeat, one per natural beat of the meter (quarters if meters disagree)."""
    sizes = {natural_quarters_per_beat(s.numerator, s.denominator) for s in signatures}
    size = sizes.pop() if len(sizes) == 1 else 1.0
    down = signatures[0].tick / ticks_per_quarter
    return BeatHint(size, down - size * math.floor(down / size + 1e-6), True)
