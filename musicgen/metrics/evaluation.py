"""`evaluate`: pieces judged beside references in three families of figures, quality, noise and coherence."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from .coherence import COHERENCE
from .copying import moves
from .facts import check_sequences
from .intervals import UNKNOWN, Interval
from .noise import NOISE
from .quality import DRAWS, PER_PIECE, QUALITY, Known, of_pieces, of_sets, per_piece
from .sets import RESOLUTION, MeasuredSet
from .tables import format_figures

FAMILIES = {"quality": QUALITY, "noise": NOISE, "coherence": COHERENCE}
#: The one figure of each family that sums it up.
LEVELS = {"quality": "quality_level", "noise": "noise_level", "coherence": "coherence_level"}


class Figure(NamedTuple):
    """One figure: its `family`, `name` and `unit`, the `Interval` of the judged `pieces`, and that of the
    `references`, taken in the same way."""

    family: str
    name: str
    unit: str
    pieces: Interval
    references: Interval


class Reference:
    """Pieces that others are judged by, measured once for all sets that will be.

    One half of the references, drawn by seed, is known: the n-gram and the classifier learn from it, and
    distributions are compared with it. The other half is held out and judged as the pieces are, so that every figure
    stands beside that of real music. Copies of a piece, transposed ones included, are on one side. Verbatim passages
    are sought in all references (those of held-out ones in all others).

    Parameters
    ----------
    references : iterable of NoteSequence
        At least one piece.
    seed : int
        The same seed gives the same halves and draws.
    limit : int
        Measure at most so many references, drawn by seed; copies are still sought in all.
    draws : int
        Draws of the bootstrap.

    Raises
    ------
    InputError
        If there is no reference, or an argument is out of range.
    """

    def __init__(self, references, *, seed=0, limit=1000, draws=DRAWS):
        self.pieces = _checked(references, "references")
        for name, value in (("limit", limit), ("draws", draws)):
            if not (isinstance(value, (int, np.integer)) and value >= 2):
                raise InputError(f"{name} must be a whole number of at least 2, not {value!r}")
        self.seed, self.limit, self.draws = seed, limit, draws
        self.lines = [moves(piece, RESOLUTION) for piece in self.pieces]
        chosen, is_known = _halves(self.lines, limit, seed)
        self.measured = MeasuredSet([self.pieces[place] for place in chosen])
        self.known = Known(self.measured.subset(np.flatnonzero(is_known)))
        self._held_out = np.flatnonzero(~is_known)
        self._set_aside = set(chosen[~is_known].tolist())

    @cached_property
    def held_out(self):
        """The held-out half, measured."""
        return self.measured.subset(self._held_out)

    @cached_property
    def values(self):
        """Every measure of every measured reference; figures of quality of the held-out ones, NaN of the others."""
        found = {name: np.full(len(self.measured), np.nan) for name in PER_PIECE}
        if len(self.held_out):
            others = [line for place, line in enumerate(self.lines) if place not in self._set_aside]
            for name, values in per_piece(self.held_out, self.known, others).items():
                found[name][self._held_out] = values
        return {**self.measured.values, **found}

    @cached_property
    def figures(self):
        """Every figure of the references: dict of str to Interval."""
        if not len(self.held_out):
            return dict.fromkeys(QUALITY, UNKNOWN) | of_pieces(self.values, seed=self.seed)
        found = of_sets(self.held_out, self.known, draws=self.draws, seed=self.seed)
        return found | of_pieces(self.values, seed=self.seed)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What `evaluate` found; never changes.

    Attributes
    ----------
    figures : tuple of Figure
        Every figure of the three families, the one that sums up its family first.
    values : mapping of str to numpy.ndarray of float64, shape (n,)
        Every measure of every piece, in the order of the pieces; NaN where it is not defined.
    reference_values : mapping of str to numpy.ndarray of float64, shape (m,)
        The same of the measured references.
    titles : tuple of str
        Title of each piece, "" where it has none.
    seed : int
    """

    figures: tuple
    values: Mapping
    reference_values: Mapping
    titles: tuple
    seed: int

    def __getitem__(self, name):
        """The `Figure` of a name."""
        for figure in self.figures:
            if figure.name == name:
                return figure
        raise KeyError(name)

    @property
    def levels(self):
        """The figure that sums up each family: dict of str to Figure."""
        return {family: self[name] for family, name in LEVELS.items()}

    def table(self):
        """All figures but a few details as text, those that sum up first."""
        return format_figures(self)

    def to_dict(self):
        """All figures, and all measures of every piece, as JSON holds them; None for NaN."""
        return {
            "pieces": len(self.titles),
            "references": len(next(iter(self.reference_values.values()))),
            "seed": self.seed,
            "figures": {figure.name: _plain_figure(figure) for figure in self.figures},
            "titles": list(self.titles),
            "values": {name: _plain(values) for name, values in self.values.items()},
            "reference_values": {name: _plain(values) for name, values in self.reference_values.items()},
        }

    def to_json(self):
        """`to_dict` as text."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def evaluate(pieces, references, *, seed=0):
    """Judge pieces beside references: how far they are like them, how noisy and how coherent they are.

    Parameters
    ----------
    pieces : iterable of NoteSequence
        At least one, such as compositions.
    references : iterable of NoteSequence, or Reference
        Real pieces of the kind that is wanted. A `Reference` is measured once and may judge several sets.
    seed : int
        The same seed gives the same halves of the references and the same draws; a `Reference` brings its own.

    Returns
    -------
    Evaluation
        Figures with intervals of 95 % for the pieces and, taken in the same way, for the references; measures of
        every piece; `table()` and `to_json()`. Definitions, units and ranges stand in `metrics.QUALITY`,
        `metrics.NOISE` and `metrics.COHERENCE`.

    Raises
    ------
    InputError
        If either side is empty or holds anything but NoteSequences.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> from musicgen.baselines import random_notes
    >>> def tune(key):
    ...     pitches = [key + step for step in (0, 2, 4, 5, 7, 5, 4, 2) * 4]
    ...     return NoteSequence([(0.5 * i, 0.5 * i + 0.5, pitch, 80, 0) for i, pitch in enumerate(pitches)])
    >>> tunes = [tune(key) for key in range(60, 72)]
    >>> judged = evaluate([random_notes(piece, seed=key) for key, piece in enumerate(tunes)], tunes)
    >>> noise = judged.levels["noise"]
    >>> noise.pieces.value > noise.references.value
    True
    """
    pieces = _checked(pieces, "pieces")
    reference = references if isinstance(references, Reference) else Reference(references, seed=seed)
    measured = MeasuredSet(pieces)
    values = {**measured.values, **per_piece(measured, reference.known, reference.lines)}
    found = of_sets(measured, reference.known, draws=reference.draws, seed=reference.seed)
    found |= of_pieces(values, seed=reference.seed)
    figures = (
        Figure(family, name, standard.unit, found[name], reference.figures[name])
        for family, standards in FAMILIES.items()
        for name, standard in standards.items()
    )
    titles = tuple(piece.meta.get("title", "") for piece in pieces)
    return Evaluation(tuple(figures), _frozen(values), _frozen(reference.values), titles, reference.seed)


def _checked(sequences, name):
    sequences = check_sequences(sequences, name)
    if not sequences:
        raise InputError(f"{name} hold no piece", remedy="give at least one NoteSequence")
    return sequences


def _halves(lines, limit, seed):
    """Places of the references that are measured, and which of them are known; copies stay together."""
    groups = {}
    for place, line in enumerate(lines):
        groups.setdefault(line.tobytes(), []).append(place)
    groups = list(groups.values())
    order = np.random.default_rng(seed).permutation(len(groups))
    places, known = [], []
    for rank, group in enumerate(order):
        places += groups[group]
        known += [rank % 2 == 0] * len(groups[group])
    return np.array(places[:limit]), np.array(known[:limit])


def _frozen(values):
    for array in values.values():
        array.setflags(write=False)
    return MappingProxyType(values)


def _plain(values):
    return [float(value) if np.isfinite(value) else None for value in values]


def _plain_figure(figure):
    ends = {"pieces": figure.pieces, "references": figure.references}
    sides = {side: dict(zip(Interval._fields, _plain(found), strict=True)) for side, found in ends.items()}
    return {"family": figure.family, "unit": figure.unit, **sides}
