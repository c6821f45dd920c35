"""Noise: notes that are too short, alone, out of key, off the grid or too many, and one level from 0 to 1.

The level's weights were learnt by adding known noise to real pieces (`benchmarks/fit_metrics.py`): it is an estimate
of the share of the notes that are noise.
"""

import numpy as np

from .calibration import calibrated
from .facts import Facts, check_sequence, sounding
from .harmony import SLACK
from .measures import MEASURES, Measure
from .papers import OWN

#: Notes shorter than this are too short to be heard as notes of their own, in seconds.
SHORT_S = 0.06
#: Interval classes above the lower note that are dissonant: seconds, tritone and sevenths.
DISSONANT = (1, 2, 6, 10, 11)
#: A note is alone where no other is so near: quarter notes before and after it, semitones below and above.
NEAR_QUARTERS, NEAR_SEMITONES = 1.0, 12

_CELLS = 2  # per quarter note, in which neighbours are sought


def noise_level(sequence):
    """How noisy a piece is, as one number.

    Parameters
    ----------
    sequence : NoteSequence

    Returns
    -------
    float
        0 to 1, see `NOISE["noise_level"]`; NaN without pitched notes.

    Raises
    ------
    InputError
        If `sequence` is no NoteSequence.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> from musicgen.baselines import with_random_notes
    >>> tune = NoteSequence([(0.5 * i, 0.5 * i + 0.5, p, 80, 0) for i, p in enumerate([60, 62, 64, 65] * 8)])
    >>> noise_level(tune) < noise_level(with_random_notes(tune, 0.2, seed=0))
    True
    """
    check_sequence(sequence, "sequence")
    return float(_noise_level(Facts(sequence)))


def _share(condition):
    return np.mean(condition) if len(condition) else np.nan


def _isolated_share(facts):
    """By cells of half a quarter note: those of a note's surroundings less its own hold nothing."""
    if not len(facts.pitched):
        return np.nan
    begin, end, near = _cells(facts.starts), _cells(facts.ends - 2 * SLACK) + 1, int(NEAR_QUARTERS * _CELLS)
    end = np.maximum(end, begin + 1)
    spans = np.stack([begin, end, begin - near, end + near])
    edges, places = np.unique(spans, return_inverse=True)  # silence between is one cell
    begin, end, first, last = places.reshape(spans.shape)
    low, high = np.maximum(facts.pitches - NEAR_SEMITONES, 0), np.minimum(facts.pitches + NEAR_SEMITONES, 127) + 1
    sums = _summed(begin, end, facts.pitches, len(edges))
    around = sums[last, high] - sums[first, high] - sums[last, low] + sums[first, low]
    return np.mean(around == end - begin)


def _cells(quarters):
    return np.floor((quarters + SLACK) * _CELLS).astype(np.int64)


def _summed(begin, end, pitches, cells):
    """Notes that sound in all earlier cells and at all lower pitches: int64, (cells, 129)."""
    edges = np.zeros((cells + 1, 129), np.int64)
    np.add.at(edges, (begin + 1, pitches + 1), 1)
    np.add.at(edges, (end + 1, pitches + 1), -1)
    return edges.cumsum(axis=0).cumsum(axis=0).cumsum(axis=1)[:-1]


def _dissonant_share(facts):
    """Share of the pair time; pairs of pitch classes by one matrix."""
    seconds, counts = facts.moments
    voices = counts.sum(axis=1)
    pairs = seconds @ (voices * (voices - 1) / 2)
    clashes = seconds @ ((counts @ _CLASHES) * counts).sum(axis=1) / 2  # each pair is met twice
    return min(1.0, clashes / pairs) if pairs > 1e-9 else 0.0 if len(facts.pitched) else np.nan


def _clash_share(facts):
    seconds, counts = facts.moments
    clashing = np.where(counts @ _CLASHES > 0, counts, 0).sum(axis=1)
    total = seconds @ counts.sum(axis=1)
    return min(1.0, seconds @ clashing / total) if total > 0 else np.nan


def _velocity_jitter(facts):
    """Mean step of velocity between successive notes of a track."""
    notes = facts.pitched[np.lexsort((facts.pitched["pitch"], facts.pitched["start"], facts.pitched["track"]))]
    steps = np.abs(np.diff(notes["velocity"].astype(np.int64)))[np.diff(notes["track"].astype(np.int64)) == 0]
    return steps.mean() if len(steps) else 0.0 if len(notes) else np.nan


def _off_grid_deviation(facts):
    steps = facts.grid_steps
    return 2 * np.mean(np.abs(steps - np.rint(steps))) if len(steps) else np.nan


def _polyphony_excess(facts):
    notes, tracks = facts.pitched, np.unique(facts.pitched["track"])
    parts = np.array([_excess(notes[notes["track"] == track]) for track in tracks]).reshape(-1, 2)
    beyond, total = parts.sum(axis=0)
    return beyond / total if total > 0 else np.nan


def _excess(notes):
    """Sounding time of all notes of a track beyond its usual number of notes at once, and in all."""
    seconds, voices = sounding(notes["start"], notes["end"], np.zeros(len(notes), np.int64), 1)
    seconds, voices = seconds[voices[:, 0] > 0], voices[voices[:, 0] > 0, 0]
    usual = _weighted_median(voices, seconds)
    return seconds @ np.maximum(voices - usual, 0), seconds @ voices


def _weighted_median(values, weights):
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return values[order][np.searchsorted(reached, reached[-1] / 2)]


def _noise_level(facts):
    weights = calibrated("noise")
    total = sum(weight * NOISE[name].of(facts) for name, weight in weights.items())
    return 1 - np.exp(-total)


def _clashes():
    """1 for pitch classes that are dissonant together: float64, (12, 12)."""
    distance = (np.arange(12)[:, None] - np.arange(12)) % 12
    return np.isin(distance, DISSONANT).astype(np.float64)


_CLASHES = _clashes()

#: Every measure of noise by name.
NOISE = {
    "noise_level": Measure(
        "",
        0,
        1,
        "Estimate of the share of the notes that are noise: 1 - exp(-sum of weight times measure), the weights "
        "learnt from real pieces to which random notes, wrong pitches, jitter or fragments were added. Music that "
        "breathes, such as a recording's, has a level of its own: compare with references.",
        OWN,
        _noise_level,
    ),
    "fragment_share": Measure(
        "share",
        0,
        1,
        "Share of the pitched notes shorter than 1/8 of a quarter note: 1 - `qualified_note_share`.",
        "Dong et al. 2018 (qualified notes, QN), there the share of the others",
        lambda facts: 1 - MEASURES["qualified_note_share"].of(facts),
    ),
    "short_note_share": Measure(
        "share",
        0,
        1,
        f"Share of the pitched notes shorter than {1000 * SHORT_S:.0f} ms.",
        "McKay 2004 (staccato incidence), there below 100 ms",
        lambda facts: _share(facts.seconds_held < SHORT_S),
    ),
    "isolated_note_share": Measure(
        "share",
        0,
        1,
        "Share of the pitched notes that are alone: no other within an octave sounds from a quarter note before to a "
        "quarter note after it, in steps of half a quarter note.",
        OWN,
        _isolated_share,
    ),
    "out_of_key_share": Measure(
        "share",
        0,
        5 / 12,
        "Share of the sounding time outside the best diatonic scale: 1 - `in_key_share`.",
        "Mogren 2016 (scale consistency), there the share inside, by notes",
        lambda facts: 1 - MEASURES["in_key_share"].of(facts),
    ),
    "dissonant_share": Measure(
        "share",
        0,
        1,
        "Share of the time in which pairs of notes sound together, each pair counted, that is of seconds, tritones "
        "and sevenths; 0 where no two sound together.",
        OWN,
        _dissonant_share,
    ),
    "clash_share": Measure(
        "share",
        0,
        1,
        "Share of the sounding time of all notes in which a note sounds together with one that it is dissonant with.",
        OWN,
        _clash_share,
    ),
    "velocity_jitter": Measure(
        "MIDI velocity",
        0,
        126,
        "Mean step of velocity from one pitched note to the next of a track.",
        "McKay 2004 (average note to note dynamics change)",
        _velocity_jitter,
    ),
    "off_grid_deviation": Measure(
        "",
        0,
        1,
        "Mean distance of onsets from the nearest of 12 steps per quarter note, over the farthest there is, half a "
        "step; 0.5 where onsets are spread evenly.",
        OWN,
        _off_grid_deviation,
    ),
    "polyphony_excess": Measure(
        "share",
        0,
        1,
        "Share of the sounding time of all notes that is beyond the usual number of notes at once of a track: their "
        "median over the time in which any sounds.",
        OWN,
        _polyphony_excess,
    ),
    "empty_bar_share": MEASURES["empty_bar_share"],
}
