"""A set of pieces and all that is measured of each, worked out once."""

from functools import cached_property

import numpy as np

from .coherence import COHERENCE
from .copying import moves
from .facts import Facts
from .features import DISTRIBUTIONS, VECTOR, histograms
from .measures import MEASURES
from .noise import NOISE

#: Grid steps per quarter note by which onsets are put in order.
RESOLUTION = 12
#: Every measure of one piece by name.
ALL_MEASURES = {**MEASURES, **NOISE, **COHERENCE}
#: Distributions that the classifier of genres sees; those of absolute pitch and its pairs tell more of keys.
GENRE_DISTRIBUTIONS = ("interval", "note_quarters", "inter_onset_quarters", "velocity", "density")

_FARTHEST_STEPS = 8 * RESOLUTION  # a note that comes later is as far as this one
_GAPS, _INTERVALS = _FARTHEST_STEPS + 1, 256
#: Tokens of `MeasuredSet.tokens`: distances in grid steps, then intervals from -128 to 127 semitones.
VOCAB_SIZE = _GAPS + _INTERVALS


class MeasuredSet:
    """Pieces, measured.

    Parameters
    ----------
    pieces : list of NoteSequence

    Attributes
    ----------
    values : dict of str to numpy.ndarray of float64, shape (n,)
        Every measure of `ALL_MEASURES`.
    histograms : dict of str to numpy.ndarray of float64, shape (n, bins)
        Counts of every distribution of `features.DISTRIBUTIONS`.
    """

    def __init__(self, pieces):
        self.pieces = list(pieces)
        rows, counts = [], []
        for piece in self.pieces:
            facts = Facts(piece, RESOLUTION)
            rows.append([measure.of(facts) for measure in ALL_MEASURES.values()])
            counts.append(histograms(facts))
        table = np.array(rows, np.float64).reshape(-1, len(ALL_MEASURES))
        self.values = dict(zip(ALL_MEASURES, table.T, strict=True))
        self.histograms = {name: np.array([each[name] for each in counts], np.float64) for name in DISTRIBUTIONS}

    def __len__(self):
        return len(self.pieces)

    def subset(self, places):
        """The set of some of the pieces, without measuring anew."""
        part = MeasuredSet([])
        part.pieces = [self.pieces[place] for place in places]
        part.values = {name: values[places] for name, values in self.values.items()}
        part.histograms = {name: counts[places] for name, counts in self.histograms.items()}
        return part

    @cached_property
    def vectors(self):
        """The measures of `features.VECTOR` of each piece: float64, (n, 16)."""
        return np.column_stack([self.values[name] for name in VECTOR])

    @cached_property
    def genre_features(self):
        """What the classifier sees of each piece: `vectors`, and roots of the shares of some distributions."""
        parts = [self.histograms[name] for name in GENRE_DISTRIBUTIONS]
        parts = [np.sqrt(part / np.maximum(part.sum(axis=1, keepdims=True), 1)) for part in parts]
        return np.nan_to_num(np.column_stack([self.vectors, *parts]))

    @cached_property
    def genres(self):
        """Genre of each piece, "" where it has none."""
        return [piece.meta.get("genre", "") for piece in self.pieces]

    @cached_property
    def lines(self):
        """Each piece as `copying.moves` gives it."""
        return [moves(piece, RESOLUTION) for piece in self.pieces]

    @cached_property
    def tokens(self):
        """Each piece as tokens, two per note after the first: the way in time and in pitch from the note before.

        The same in every key and at every tempo; pitched tracks are read as one line.
        """
        return [_tokens(line) for line in self.lines]


def _tokens(line):
    gaps, intervals = np.divmod(line[1:], 256)
    return np.column_stack([np.minimum(gaps, _FARTHEST_STEPS), _GAPS + intervals]).ravel()
