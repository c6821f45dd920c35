"""Quality: how far pieces are like real music of their kind, by distributions, vectors, an n-gram and a classifier.

All figures set a `MeasuredSet` beside another, the known references, and come with intervals of 95 %.
"""

from typing import NamedTuple

import numpy as np

from .classifier import SoftmaxRegression
from .distances import (
    FLOOR,
    GRID_POINTS,
    divergence,
    farthest_divergence,
    frechet_distance,
    set_distances,
    shared_area,
    shares,
)
from .features import DISTRIBUTIONS, VECTOR
from .intervals import UNKNOWN, interval, mean_interval, resamples
from .novelty import COPIED_NOTES, copies
from .papers import OWN
from .sets import ALL_MEASURES, VOCAB_SIZE

#: Tokens in an n-gram of the reference model: two and a half notes.
ORDER = 5
#: Pieces of a set between which distances are taken, and draws of all that is more than a mean.
DISTANCE_PIECES, DRAWS = 150, 200


class Standard(NamedTuple):
    """A figure of two sets: `unit` (empty for a pure number), `low` and `high` end of its range, its `definition`,
    and the `paper` that it comes from, by its name in `PAPERS`."""

    unit: str
    low: float
    high: float
    definition: str
    paper: str


#: The figures of every distribution, by the ending of their name in `QUALITY`.
OF_DISTRIBUTION = {
    "overlap": Standard(
        "share",
        0,
        1,
        "Area that the histograms of both sets share, all pieces together.",
        "Swain and Ballard 1991 (histogram intersection)",
    ),
    "divergence": Standard(
        "nats",
        0,
        np.inf,
        "Sum of p ln(p/q) for the pieces' histogram p and the references' q, all pieces together, "
        f"{FLOOR:.0%} of either spread evenly over the bins, so that it is finite.",
        "Kullback and Leibler 1951",
    ),
    "distance_within": Standard(
        "",
        0,
        np.sqrt(2),
        "Mean Euclidean distance between pieces of the set, by the histogram of each.",
        "Yang and Lerch 2020 (intra-set distance)",
    ),
    "distance_between": Standard(
        "",
        0,
        np.sqrt(2),
        "Mean Euclidean distance from pieces to references, by the histogram of each.",
        "Yang and Lerch 2020 (inter-set distance)",
    ),
    "distance_overlap": Standard(
        "share",
        0,
        1,
        "Area that the densities of distances within the references and of those from pieces to references share, "
        "both on one grid.",
        "Yang and Lerch 2020 (overlapping area)",
    ),
    "distance_divergence": Standard(
        "nats",
        0,
        farthest_divergence(GRID_POINTS),
        "Sum of p ln(p/q) for the density p of distances within the references and q of those from pieces to "
        f"references, both on one grid, {FLOOR:.0%} of either spread evenly.",
        "Yang and Lerch 2020 (Kullback-Leibler divergence)",
    ),
}


def _of_distribution(name):
    """The figures of one distribution."""
    what, bins = DISTRIBUTIONS[name].definition, len(DISTRIBUTIONS[name].bins) + 1
    for kind, standard in OF_DISTRIBUTION.items():
        high = farthest_divergence(bins) if kind == "divergence" else standard.high
        yield f"{name}_{kind}", standard._replace(high=high, definition=f"{standard.definition} Of: {what}")


#: Every figure of quality by name.
QUALITY = {
    "quality_level": Standard("share", 0, 1, "Mean of the overlaps of all distributions.", OWN),
    "frechet_distance": Standard(
        "",
        0,
        np.inf,
        "Fréchet distance of the vectors of both sets, in standard deviations of the references, squared. The "
        f"vector: {', '.join(f'`{name}`' for name in VECTOR)}; what is not defined counts as the references' mean.",
        "Dowson and Landau 1982, of vectors of features as in Heusel et al. 2017",
    ),
    "nats_per_note": Standard(
        "nats/note",
        0,
        np.inf,
        f"Negative log-likelihood of the notes under a {ORDER}-gram model of the references, from the distances in "
        "time and pitch between successive notes; far below that of real pieces means copies or monotony.",
        "Chen and Goodman 1999 (modified Kneser-Ney smoothing)",
    ),
    "novelty": Standard(
        "share",
        0,
        1,
        f"Share of the notes that lie in no run of {COPIED_NOTES} or more notes which also occurs in a reference, in "
        "any key and at any tempo.",
        OWN,
    ),
    "longest_copy": Standard(
        "notes", 0, np.inf, "Longest run of notes that also occurs in a reference, see `longest_verbatim_run`.", OWN
    ),
    "genre_agreement": Standard(
        "share",
        0,
        1,
        "Share of the pieces whose genre a linear classifier names that learnt from the references; not known where "
        "the references have less than two genres.",
        OWN,
    ),
    **{name: each for distribution in DISTRIBUTIONS for name, each in _of_distribution(distribution)},
}

#: The figures that each piece has for itself.
PER_PIECE = ("nats_per_note", "novelty", "longest_copy", "genre_agreement")


class Known:
    """References that are known: what is learnt from them, once.

    Parameters
    ----------
    measured : MeasuredSet
        At least one piece.
    """

    def __init__(self, measured):
        self.measured = measured
        mean, spread = _moments(measured.vectors)
        self._mean, self._spread = mean, spread
        self.ngram = _ngram(measured.tokens)
        self.classifier = _classifier(measured)

    def vectors(self, measured):
        """Vectors in standard deviations of these references: float64, (n, 16)."""
        return np.nan_to_num((measured.vectors - self._mean) / self._spread)


def per_piece(measured, known, sources):
    """The figures of quality that each piece has for itself.

    Parameters
    ----------
    measured : MeasuredSet
    known : Known
    sources : list of numpy.ndarray of int64
        What may have been copied, as `copying.moves` gives it.

    Returns
    -------
    dict of str to numpy.ndarray of float64, shape (n,)
    """
    longest, novelty = copies(measured.lines, sources)
    values = (_nats(measured, known), novelty, longest, _agreement(measured, known))
    return dict(zip(PER_PIECE, values, strict=True))


def of_sets(measured, known, *, draws=DRAWS, seed=0):
    """The figures of quality of two sets.

    Parameters
    ----------
    measured : MeasuredSet
        The pieces that are judged, at least one.
    known : Known
    draws : int
        Both sets are drawn again so many times.
    seed : int
        The same seed gives the same draws.

    Returns
    -------
    dict of str to Interval
        Without ends where either set is a single piece.
    """
    weights = resamples(len(measured), draws, seed=seed)
    known_weights = resamples(len(known.measured), draws, seed=seed + 1)
    figures = {
        "frechet_distance": frechet_distance(
            known.vectors(measured), known.vectors(known.measured), weights, known_weights
        )
    }
    for name in DISTRIBUTIONS:
        sides = [side.histograms[name] for side in (measured, known.measured)]
        pooled = [shares(w @ side) for w, side in zip((weights, known_weights), sides, strict=True)]
        figures[f"{name}_overlap"] = shared_area(*pooled)
        figures[f"{name}_divergence"] = divergence(*pooled)
        found = _distances(sides, draws, seed)
        figures |= {f"{name}_distance_{key}": getattr(found, key) for key in found._fields}
    figures["quality_level"] = _mean_of_defined([figures[f"{name}_overlap"] for name in DISTRIBUTIONS])
    if min(len(measured), len(known.measured)) < 2:
        return {name: UNKNOWN._replace(value=float(found[0])) for name, found in figures.items()}
    return {name: interval(figures[name], low=QUALITY[name].low, high=QUALITY[name].high) for name in figures}


def _mean_of_defined(rows):
    """Mean of each column over the rows in which it is no NaN; NaN where there is none."""
    known = np.isfinite(rows)
    count = known.sum(axis=0)
    return np.divide(np.where(known, rows, 0.0).sum(axis=0), count, out=np.full(len(count), np.nan), where=count > 0)


def _distances(sides, draws, seed):
    """Of some of the pieces, drawn by seed, where there are many."""
    random = np.random.default_rng(seed)
    chosen = [side[random.permutation(len(side))[:DISTANCE_PIECES]] for side in sides]
    weights = [resamples(len(side), draws, seed=seed + place) for place, side in enumerate(chosen)]
    return set_distances(*map(shares, chosen), *weights)


def _moments(vectors):
    """Mean and standard deviation of the values that are defined; 0 and 1 where these tell nothing."""
    known = np.isfinite(vectors)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, vectors, 0.0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, vectors - mean, 0.0) ** 2).sum(axis=0) / count)
    return mean, np.where(spread > 1e-9, spread, 1.0)


def _ngram(tokens):
    """The n-gram model, None where no reference has two notes."""
    from ..baselines import NGram  # here, as baselines needs the measures of this room

    tokens = [each for each in tokens if len(each)]
    return NGram(ORDER, VOCAB_SIZE).fit(tokens) if tokens else None


def _nats(measured, known):
    if known.ngram is None:
        return np.full(len(measured), np.nan)
    return np.array([2 * known.ngram.nll(each).mean() if len(each) else np.nan for each in measured.tokens])


def _classifier(measured):
    """The classifier of genres, None where there are less than two."""
    labelled = [place for place, genre in enumerate(measured.genres) if genre]
    labels = [measured.genres[place] for place in labelled]
    if len(set(labels)) < 2:
        return None
    return SoftmaxRegression().fit(measured.genre_features[labelled], labels)


def _agreement(measured, known):
    if known.classifier is None or not len(measured):
        return np.full(len(measured), np.nan)
    named = known.classifier.predict(measured.genre_features)
    return np.array([float(a == b) if b else np.nan for a, b in zip(named, measured.genres, strict=True)])


def of_pieces(values, *, seed=0):
    """Means over pieces with their intervals: values by name to `Interval` by name."""
    ranges = {**ALL_MEASURES, **QUALITY}
    return {
        name: mean_interval(each, seed=seed, low=ranges[name].low, high=ranges[name].high)
        for name, each in values.items()
    }
