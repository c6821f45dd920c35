"""One piece as numbers: a table of measures and `describe`, which walks it.

Pitch and length measures leave out drum tracks, where a pitch names an instrument and a length means nothing;
counts, onsets, bars and velocities take every note. Quarter notes come from the piece's `timing`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from .facts import Facts, check_resolution, check_sequence, check_sequences, onset_steps, pitched, true_runs
from .harmony import SLACK, spans, tonal_distance
from .papers import OWN

__all__ = [
    "MEASURES",
    "Measure",
    "check_resolution",
    "check_sequence",
    "check_sequences",
    "describe",
    "onset_steps",
    "pitched",
    "true_runs",
]


def describe(sequence, *, resolution=12, tolerance=0.02):
    """Measure a piece.

    Parameters
    ----------
    sequence : NoteSequence
    resolution : int
        Grid steps per quarter note for `off_grid_share`; 12 holds sixteenths and eighth triplets.
    tolerance : float
        Quarter notes that an onset may lie off the grid, less than half a grid step. Onsets spread evenly over
        time have an `off_grid_share` of 1 - 2 * tolerance * resolution.

    Returns
    -------
    dict of str to float
        One value per entry of `MEASURES`, which holds definition, unit, range and paper of each; NaN where a measure
        is not defined, as for a piece without notes.

    Raises
    ------
    InputError
        If `sequence` is no NoteSequence, or `resolution` or `tolerance` is out of range.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> piece = NoteSequence([(0.0, 1.0, 60, 80, 0), (0.5, 1.0, 64, 80, 0)], duration=4.0)
    >>> values = describe(piece)
    >>> values["notes_per_second"], values["polyphony"], values["pitch_class_entropy"], values["empty_bar_share"]
    (0.5, 1.5, 1.0, 0.5)
    >>> MEASURES["polyphony"].unit
    'notes'
    """
    check_sequence(sequence, "sequence")
    check_resolution(resolution)
    if not 0 <= tolerance < 0.5 / resolution:
        raise InputError(
            f"tolerance {tolerance} must be at least 0 and less than half a grid step, {0.5 / resolution:.4g}",
            remedy="choose a smaller tolerance or a smaller resolution",
        )
    facts = Facts(sequence, resolution, tolerance)
    return {name: float(measure.of(facts)) for name, measure in MEASURES.items()}


def _ratio(part, whole):
    return part / whole if whole > 0 else np.nan


def _or_nan(function, values):
    return function(values) if len(values) else np.nan


def _polyphony(facts):
    """Sum of note lengths over the length of their union."""
    start, end = facts.pitched["start"], facts.pitched["end"]
    latest = np.maximum.accumulate(np.concatenate([[0.0], end]))[: len(end)]
    union = np.maximum(0.0, end - np.maximum(start, latest)).sum()
    return _ratio(facts.seconds_held.sum(), union)


def _pitch_class_entropy(facts):
    counts = np.bincount(facts.pitches % 12, minlength=12)
    if not counts.sum():
        return np.nan
    shares = counts[counts > 0] / counts.sum()
    return abs(-np.sum(shares * np.log2(shares)))  # abs turns -0.0 into 0.0


def _longest_repeat(facts):
    notes = facts.pitched[np.lexsort((facts.pitched["pitch"], facts.pitched["start"], facts.pitched["track"]))]
    if not len(notes):
        return 0
    same = (notes["pitch"][1:] == notes["pitch"][:-1]) & (notes["track"][1:] == notes["track"][:-1])
    return true_runs(same)[1].max(initial=0) + 1


def _empty_bar_share(facts):
    bars, start, end = facts.bar_starts, facts.note_quarters[0] + SLACK, facts.note_quarters[1] - SLACK
    first = np.maximum(np.searchsorted(bars, start, side="right") - 1, 0)
    last = np.maximum(np.searchsorted(bars, end, side="right") - 1, first)
    steps = np.bincount(first, minlength=len(bars) + 1) - np.bincount(last + 1, minlength=len(bars) + 1)
    return np.mean(np.cumsum(steps)[: len(bars)] == 0)


def _in_key_share(facts):
    return np.minimum(1.0, facts.scale_shares.max())  # float sums may differ by an ulp


def _off_grid_share(facts):
    distance = np.abs(facts.grid_steps - np.rint(facts.grid_steps)) / facts.resolution
    return _or_nan(np.mean, distance > facts.tolerance + 1e-9)


def _polyphonic_share(facts):
    """Share of the piece's quarters in which more than two pitches sound."""
    start, end = facts.starts, facts.ends
    if len(start):  # of notes of one pitch that overlap, what the earlier ones leave over
        reach = facts.pitches * (end.max() - start.min() + 1)  # keeps the pitches apart
        order = np.argsort(reach + start)
        reach, start, end = reach[order], start[order], end[order]
        latest = np.maximum.accumulate(np.concatenate([[-np.inf], reach + end]))[:-1] - reach
        start = np.minimum(np.maximum(start, latest), end)
    times = np.concatenate([start, end])
    order = np.argsort(times)
    voices = np.cumsum(np.where(order < len(start), 1, -1))[:-1]
    times = times[order]
    return _ratio((times[1:] - times[:-1])[voices > 2].sum(), facts.quarters)


def _pitch_classes_per_bar(facts):
    edges = np.append(facts.bar_starts, np.inf)
    start, end = facts.starts + SLACK, facts.ends - SLACK
    row, bar, _ = spans(edges, start, np.maximum(start, end))
    return len(np.unique(bar * 12 + facts.pitches[row] % 12)) / (len(edges) - 1)


def _tonal_distance(facts):
    tracks = [facts.pitched[facts.pitched["track"] == track] for track in np.unique(facts.pitched["track"])]
    return tonal_distance(tracks, facts.timing, facts.duration)


class Measure(NamedTuple):
    """A measure: its `unit` (empty for a pure number), the `low` and `high` end of its range, its `definition`, the
    `paper` that it comes from, by its name in `PAPERS`, and the function `of` it."""

    unit: str
    low: float
    high: float
    definition: str
    paper: str
    of: Callable


#: Every measure by name; `describe` returns them in this order.
MEASURES = {
    "notes": Measure(
        "notes", 0, np.inf, "Number of notes.", "Yang and Lerch 2020 (note count)", lambda f: len(f.notes)
    ),
    "duration": Measure(
        "s",
        0,
        np.inf,
        "Length of the piece, trailing silence included.",
        "McKay 2004 (duration), there without trailing silence",
        lambda f: f.duration,
    ),
    "notes_per_second": Measure(
        "notes/s",
        0,
        np.inf,
        "Notes over duration.",
        "McKay 2004 (note density)",
        lambda f: _ratio(len(f.notes), f.duration),
    ),
    "notes_per_quarter": Measure(
        "notes/quarter",
        0,
        np.inf,
        "Notes over the length of the piece in quarter notes.",
        "McKay 2004 (note density), there by second",
        lambda f: _ratio(len(f.notes), f.quarters),
    ),
    "polyphony": Measure(
        "notes",
        1,
        np.inf,
        "Pitched notes sounding at once, averaged over the time in which any sounds.",
        "Dong et al. 2020 (polyphony), there of pitches by time steps",
        _polyphony,
    ),
    "pitches": Measure(
        "pitches",
        0,
        128,
        "Number of distinct pitches.",
        "Yang and Lerch 2020 (pitch count)",
        lambda f: np.count_nonzero(np.bincount(f.pitches)),
    ),
    "lowest_pitch": Measure("MIDI pitch", 0, 127, "Lowest pitch.", OWN, lambda f: _or_nan(np.min, f.pitches)),
    "highest_pitch": Measure("MIDI pitch", 0, 127, "Highest pitch.", OWN, lambda f: _or_nan(np.max, f.pitches)),
    "pitch_range": Measure(
        "semitones",
        0,
        127,
        "Highest less lowest pitch.",
        "Yang and Lerch 2020 (pitch range)",
        lambda f: _or_nan(np.ptp, f.pitches),
    ),
    "pitch_class_entropy": Measure(
        "bits",
        0,
        np.log2(12),
        "Entropy of the histogram of the 12 pitch classes, each note counted once.",
        "Wu and Yang 2020 (pitch-class histogram entropy), there over windows of bars, here over the piece",
        _pitch_class_entropy,
    ),
    "top_pitch_share": Measure(
        "share",
        0,
        1,
        "Share of the notes that have the most frequent pitch.",
        "McKay 2004 (most common pitch prevalence)",
        lambda f: _or_nan(lambda pitches: np.bincount(pitches).max() / len(pitches), f.pitches),
    ),
    "longest_repeat": Measure(
        "notes", 0, np.inf, "Longest run of one pitch in successive notes of a track.", OWN, _longest_repeat
    ),
    "empty_bar_share": Measure(
        "share",
        0,
        1,
        "Share of the bars in which no note begins or sounds longer than 0.005 quarter notes, drums included. A "
        "piece of no length has one bar.",
        "Dong et al. 2018 (empty bars, EB), there by track, here of all tracks together",
        _empty_bar_share,
    ),
    "in_key_share": Measure(
        "share",
        7 / 12,
        1,
        "Share of the sounding time that lies in the best of the 24 major and natural minor scales; relative "
        "scales hold the same notes, so that 12 sets decide. Seven of twelve pitch classes are in a scale: evenly "
        "spread pitches have 7/12, and none have less.",
        "Mogren 2016 (scale consistency), there by notes, here by time",
        _in_key_share,
    ),
    "qualified_note_share": Measure(
        "share",
        0,
        1,
        "Share of the pitched notes that last at least 1/8 of a quarter note: low where notes are torn to fragments.",
        "Dong et al. 2018 (qualified notes, QN), there by track, here of all tracks together",
        lambda f: _or_nan(np.mean, f.quarters_held >= 1 / 8 - 1e-6),
    ),
    "polyphonic_share": Measure(
        "share",
        0,
        1,
        "Share of the time, in quarter notes, in which more than two pitches sound.",
        "Dong and Yang 2018 (polyphonicity, PP), there by time steps",
        _polyphonic_share,
    ),
    "pitch_classes_per_bar": Measure(
        "pitch classes",
        0,
        12,
        "Number of pitch classes that sound in a bar, mean over all bars.",
        "Dong et al. 2018 (used pitch classes, UPC), there by track, here of all tracks together",
        _pitch_classes_per_bar,
    ),
    "tonal_distance": Measure(
        "",
        0,
        3,
        "Distance of two tracks in tonal space, mean over all pairs of pitched tracks and the beats in which both "
        "sound.",
        "Dong et al. 2018 (tonal distance, TD), in the space of Harte et al. 2006",
        _tonal_distance,
    ),
    "mean_note_s": Measure(
        "s",
        0,
        np.inf,
        "Mean note length.",
        "McKay 2004 (average note duration)",
        lambda f: _or_nan(np.mean, f.seconds_held),
    ),
    "median_note_s": Measure(
        "s", 0, np.inf, "Median note length.", OWN, lambda f: _or_nan(np.median, f.seconds_held)
    ),
    "mean_note_quarters": Measure(
        "quarters",
        0,
        np.inf,
        "Mean note length in quarter notes.",
        "McKay 2004 (average note duration), there in seconds",
        lambda f: _or_nan(np.mean, f.quarters_held),
    ),
    "median_note_quarters": Measure(
        "quarters",
        0,
        np.inf,
        "Median note length in quarter notes.",
        OWN,
        lambda f: _or_nan(np.median, f.quarters_held),
    ),
    "off_grid_share": Measure(
        "share",
        0,
        1,
        "Share of the onsets farther than `tolerance` from the nearest of `resolution` steps per quarter note, "
        "counted from the first downbeat.",
        OWN,
        _off_grid_share,
    ),
    "mean_velocity": Measure(
        "MIDI velocity", 1, 127, "Mean velocity.", OWN, lambda f: _or_nan(np.mean, f.notes["velocity"])
    ),
}
