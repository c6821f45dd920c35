"""Contestants judged beside each other: figures with intervals over seeds and pieces, tests of their differences."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from ..metrics import COHERENCE, NOISE, QUALITY, Interval, Reference, evaluate
from ..metrics.distances import shares
from ..metrics.features import DISTRIBUTIONS
from ..metrics.sets import MeasuredSet
from .plan import RIVALS
from .significance import holm, interval_over_seeds, mean_of_seeds, means, permutation_test

#: Differences with a corrected p below this, and of one sign under every seed, count.
LEVEL = 0.05


#: Figures of `metrics.QUALITY` that are told beside the criteria.
BESIDE = ("genre_agreement", "longest_copy")


class Criterion(NamedTuple):
    """What contestants are ranked by: the `measure` of a piece (likeness is a figure of all of a seed), its range
    `low` to `high`, whether `more` of it is better, the `title` of its ranking, what it is called in sentences, and
    its `definition`."""

    measure: str
    low: float
    high: float
    more: bool
    title: str
    called: str
    definition: str


#: The criteria by name.
CRITERIA = {
    "noise": Criterion("noise_level", 0, 1, False, "lowest noise", "noise level", NOISE["noise_level"].definition),
    "coherence": Criterion(
        "coherence_level", 0, 1, True, "most coherent", "coherence level", COHERENCE["coherence_level"].definition
    ),
    "likeness": Criterion(
        "likeness",
        0,
        1,
        True,
        "most like the data",
        "likeness",
        "Area that the histograms of all pieces of a seed share with those of the training pieces, mean over the "
        "distributions of pitches, intervals, lengths, onsets, velocities and "
        "densities (Yang and Lerch 2018); fewer pieces share less.",
    ),
    "novelty": Criterion("novelty", 0, 1, True, "least copied", "novelty", QUALITY["novelty"].definition),
}


class Difference(NamedTuple):
    """A test of two contestants: mean of `first` less that of `second` by a criterion, `p` as it is and `corrected`,
    whether the seeds `agree` in its sign."""

    criterion: str
    first: str
    second: str
    value: float
    p: float
    corrected: float
    agree: bool

    @property
    def counts(self):
        """Whether the two are told apart."""
        return self.corrected < LEVEL and self.agree


@dataclass(frozen=True, eq=False)
class Entry:
    """What was found of one contestant; never changes.

    Attributes
    ----------
    name : str
    pieces : int
    figures : mapping of str to Interval
        By criterion, over seeds and pieces; also those of `BESIDE`, over pieces.
    by_seed : mapping of str to list of float
        Figures by criterion under each seed.
    by_piece : mapping of str to list of numpy.ndarray of float64
        Values of every piece, one array per seed, by those criteria that are means over pieces.
    evaluation : Evaluation
        All pieces together beside the references.
    """

    name: str
    pieces: int
    figures: Mapping
    by_seed: Mapping
    by_piece: Mapping
    evaluation: object


@dataclass(frozen=True, eq=False)
class Judgement:
    """What `judge` found.

    Attributes
    ----------
    entries : mapping of str to Entry
        Contestants by name, models first.
    models : tuple of str
        Those that are compared; the others are what they are measured against.
    differences : tuple of Difference
        Models with each other, corrected together; models with the others, corrected together.
    """

    entries: Mapping
    models: tuple
    differences: tuple

    def difference(self, criterion, first, second):
        """The `Difference` of two contestants, whichever way round it was tested; None if it was not."""
        for found in self.differences:
            if found.criterion == criterion and {found.first, found.second} == {first, second}:
                return found
        return None

    def apart(self, criterion, first, second):
        """Whether two contestants are told apart."""
        found = self.difference(criterion, first, second)
        return found is not None and found.counts

    def ranking(self, criterion, names=None):
        """Names of models, or of those given, best first; what is not defined comes last."""
        more = CRITERIA[criterion].more
        value = {name: self.entries[name].figures[criterion].value for name in names or self.models}
        return sorted(value, key=lambda name: (np.isnan(value[name]), -value[name] if more else value[name]))

    def leaders(self, criterion, names=None):
        """The best by a criterion, and those that are not told apart from it."""
        best, *others = self.ranking(criterion, names)
        return [best, *(name for name in others if not self.apart(criterion, best, name))]


def judge(sets, references, *, models=None, seed=0):
    """Judge sets of pieces beside each other.

    Parameters
    ----------
    sets : mapping of str to list of NoteSequence, or to list of such lists
        Pieces of each contestant; a list of lists has those of each seed, seeds in the same order for all.
    references : iterable of NoteSequence, or Reference
        The training pieces.
    models : sequence of str, optional
        Contestants that are compared. Default: all but those named as in `RIVALS`.
    seed : int
        Of halves, draws and exchanges.

    Returns
    -------
    Judgement

    Raises
    ------
    InputError
        If a contestant has no piece, `models` names none of them, or they have different numbers of seeds.
    """
    sets = {name: _by_seed(name, pieces) for name, pieces in sets.items()}
    models = tuple(models or (name for name in sets if name not in RIVALS))
    _check(sets, models)
    reference = references if isinstance(references, Reference) else Reference(references, seed=seed)
    order = [*models, *(name for name in sets if name not in models)]
    likeness = Likeness(reference)
    statistics = {criterion: likeness if criterion == "likeness" else means for criterion in CRITERIA}
    found = {name: _values(sets[name], reference, likeness) for name in order}
    entries = {name: _entry(name, *found[name], statistics, seed) for name in order}
    values = {name: each for name, (_, each) in found.items()}
    pairs = list(itertools.combinations(models, 2))
    beside = [(model, name) for model in models for name in order if name not in models]
    tests = [*_differences(pairs, values, statistics, seed), *_differences(beside, values, statistics, seed)]
    return Judgement(MappingProxyType(entries), models, tuple(tests))


class Likeness:
    """Figure of a set of pieces: the area that its distributions share with those of the references.

    Parameters
    ----------
    reference : Reference

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> tune = NoteSequence([(i / 2, i / 2 + 0.5, 60 + i, 80, 0) for i in range(8)])
    >>> likeness = Likeness(Reference([tune]))
    >>> likeness(likeness.rows([tune]), np.ones((1, 1)))
    array([1.])
    """

    def __init__(self, reference):
        counts = [reference.measured.histograms[name].sum(axis=0) for name in DISTRIBUTIONS]
        self._known = np.concatenate([shares(each) for each in counts])
        self._of = np.repeat(np.arange(len(counts)), [len(each) for each in counts])  # distribution of each bin

    def rows(self, pieces):
        """Counts of every distribution of each piece, side by side: float64, (n, bins)."""
        if not pieces:
            return np.empty((0, len(self._known)))
        measured = MeasuredSet(pieces)
        return np.concatenate([measured.histograms[name] for name in DISTRIBUTIONS], axis=1).astype(np.float64)

    def __call__(self, rows, weights):
        """The figure under rows of weights: float64, (k,); distributions that are not defined are left out."""
        used = rows.any(axis=0)  # bins that are always empty share nothing
        ends = np.searchsorted(self._of[used], np.arange(1, len(DISTRIBUTIONS)))
        pooled, known = np.split(weights @ rows[:, used], ends, axis=1), np.split(self._known[used], ends)
        areas = [_area(*sides) for sides in zip(pooled, known, strict=True)]
        defined = np.isfinite(areas)
        count = defined.sum(axis=0)
        total = np.where(defined, areas, 0.0).sum(axis=0)
        return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)


def _area(counts, known):
    """Area that rows of counts (k, bins) share with known shares (bins,): float64, (k,); NaN where nothing counts."""
    total = counts.sum(axis=1)
    shared = np.minimum(counts, total[:, None] * known).sum(axis=1)
    return np.divide(shared, total, out=np.full(len(total), np.nan), where=total > 0)


def _by_seed(name, pieces):
    pieces = list(pieces)
    groups = [list(group) for group in pieces] if pieces and isinstance(pieces[0], (list, tuple)) else [pieces]
    if not any(groups):
        raise InputError(f"{name} has no piece with notes", remedy="train longer, or leave it out")
    return groups


def _check(sets, models):
    unknown = [name for name in models if name not in sets]
    if unknown or not models:
        raise InputError(f"models names {list(models)}", remedy=f"name some of {', '.join(sets)}")
    counts = {name: len(groups) for name, groups in sets.items()}
    if len(set(counts.values())) > 1:
        raise InputError(f"contestants have different numbers of seeds: {counts}", remedy="give the same for all")


def _values(groups, reference, likeness):
    """The evaluation of all pieces, and by criterion what its figure is made of, one array per seed."""
    evaluation = evaluate([piece for group in groups for piece in group], reference)
    ends = np.cumsum([len(group) for group in groups])[:-1]
    values = {
        name: np.split(evaluation.values[each.measure], ends) for name, each in CRITERIA.items() if name != "likeness"
    }
    return evaluation, values | {"likeness": [likeness.rows(group) for group in groups]}


def _entry(name, evaluation, values, statistics, seed):
    figures = {
        criterion: interval_over_seeds(
            values[criterion], statistics[criterion], seed=seed, low=each.low, high=each.high
        )
        for criterion, each in CRITERIA.items()
    }
    figures |= {figure: evaluation[figure].pieces for figure in BESIDE}
    by_seed = {c: [mean_of_seeds([group], statistics[c]) for group in values[c]] for c in CRITERIA}
    by_piece = {c: values[c] for c in CRITERIA if c != "likeness"}
    return Entry(
        name,
        len(evaluation.titles),
        *map(MappingProxyType, (figures, by_seed, by_piece)),
        evaluation,
    )


def _differences(pairs, values, statistics, seed):
    """Tests of some pairs by every criterion, corrected together."""
    asked = [(criterion, *pair) for pair in pairs for criterion in CRITERIA]
    found = [permutation_test(values[a][c], values[b][c], statistics[c], seed=seed) for c, a, b in asked]
    corrected = holm([p for _, p, _ in found])
    return [
        Difference(*which, value, p, level, agree)
        for which, (value, p, agree), level in zip(asked, found, corrected, strict=True)
    ]


def plain_interval(found):
    """An `Interval` as JSON holds it; None for NaN."""
    return {
        name: float(value) if np.isfinite(value) else None
        for name, value in zip(Interval._fields, found, strict=True)
    }
