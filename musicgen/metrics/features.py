"""What pieces are compared by: distributions of values within a piece, all on one grid of bins, and one vector.

The distributions follow Yang and Lerch, On the evaluation of generative models in music, Neural Computing and
Applications 32, 2020. Drum tracks are left out.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .coherence import COHERENCE
from .measures import MEASURES

#: Bin edges of note lengths and inter-onset times: half powers of 2 from a 32nd note to 8 bars of 4/4, each bin
#: centred on 2**(k/2) quarter notes, so that no common note value lies on an edge.
QUARTER_BINS = 2.0 ** (np.arange(-6, 11) / 2 - 0.25)
INTERVAL_BINS = np.arange(-24, 26) - 0.5
PITCH_CLASS_BINS = np.arange(1, 12) - 0.5

_LENGTHS = len(QUARTER_BINS) + 1


class Distribution(NamedTuple):
    """A distribution of values: its `unit`, its `definition`, the inner edges of its `bins` (the outermost bins are
    open), and the function `of` a piece's facts that gives the values."""

    unit: str
    definition: str
    bins: np.ndarray
    of: Callable


def _line_pairs(facts):
    """Places of successive notes of the top line, and the grid steps between them."""
    line = facts.top_line
    return line.notes[:-1][line.within], line.notes[1:][line.within], line.gaps[line.within]


def _intervals(facts):
    first, second, _ = _line_pairs(facts)
    return facts.pitches[second] - facts.pitches[first]


def _gaps(facts):
    return _line_pairs(facts)[2] / facts.resolution


def _pitch_class_moves(facts):
    first, second, _ = _line_pairs(facts)
    return facts.pitches[first] % 12 * 12 + facts.pitches[second] % 12


def _length_moves(facts):
    first, second, _ = _line_pairs(facts)
    bins = np.searchsorted(QUARTER_BINS, facts.quarters_held, side="right")
    return bins[first] * _LENGTHS + bins[second]


#: Every distribution by name.
DISTRIBUTIONS = {
    "pitch": Distribution("MIDI pitch", "Pitches.", np.arange(1, 128) - 0.5, lambda f: f.pitches),
    "pitch_class": Distribution("pitch class", "Pitch classes.", PITCH_CLASS_BINS, lambda f: f.pitches % 12),
    "interval": Distribution(
        "semitones",
        "Intervals between the highest notes of successive onsets of a track.",
        INTERVAL_BINS,
        _intervals,
    ),
    "note_quarters": Distribution("quarters", "Note lengths.", QUARTER_BINS, lambda f: f.quarters_held),
    "inter_onset_quarters": Distribution(
        "quarters", "Distances between successive onsets of a track.", QUARTER_BINS, _gaps
    ),
    "velocity": Distribution(
        "MIDI velocity", "Velocities.", np.arange(8, 128, 8) - 0.5, lambda f: f.pitched["velocity"].astype(np.int64)
    ),
    "density": Distribution(
        "notes",
        "Notes that begin in a bar.",
        np.arange(32) + 0.5,
        lambda f: f.bars.pitch_classes.sum(axis=1),
    ),
    "pitch_class_transition": Distribution(
        "",
        "Pairs of pitch classes of successive notes of the top line, as a matrix of 12 by 12.",
        np.arange(1, 144) - 0.5,
        _pitch_class_moves,
    ),
    "length_transition": Distribution(
        "",
        f"Pairs of lengths of successive notes of the top line, as a matrix of {_LENGTHS} by {_LENGTHS}.",
        np.arange(1, _LENGTHS**2) - 0.5,
        _length_moves,
    ),
}

#: The vector of a piece, of which the Fréchet distance is taken: measures that do not grow with the piece.
VECTOR = (
    *("notes_per_quarter", "polyphony", "polyphonic_share", "pitch_range", "top_pitch_share", "pitch_class_entropy"),
    *("in_key_share", "pitch_classes_per_bar", "mean_note_quarters", "median_note_quarters", "qualified_note_share"),
    *("off_grid_share", "empty_bar_share", "groove_consistency", "pitch_class_entropy_1_bar", "self_similarity"),
)


def histogram(values, bins):
    """Counts of values in bins with open ends: int64, shape (n_bins,).

    Examples
    --------
    >>> histogram([0, 1, 1, 7], np.array([0.5, 1.5])).tolist()
    [1, 2, 1]
    """
    return np.bincount(np.searchsorted(bins, values, side="right"), minlength=len(bins) + 1)


def histograms(facts):
    """The histogram of every distribution of a piece, by name."""
    return {name: histogram(each.of(facts), each.bins) for name, each in DISTRIBUTIONS.items()}


def vector(facts):
    """The entries of `VECTOR` of a piece: float64, shape (16,)."""
    return np.array([(COHERENCE if name in COHERENCE else MEASURES)[name].of(facts) for name in VECTOR], np.float64)
