"""Two sets of pieces as distributions: shared area, divergence, distances within and between sets, Fréchet distance.

Wherever pieces are weighted, `weights` tell how often each counts, one row per draw (see `intervals.resamples`).
"""

from typing import NamedTuple

import numpy as np

#: Points of the grid on which densities of distances are compared.
GRID_POINTS = 256
#: Share of the uniform distribution that is mixed into both sides of a divergence, so that it is finite.
FLOOR = 0.01


def shares(counts):
    """Rows of counts divided by their sums; NaN where a sum is 0."""
    counts = np.asarray(counts, np.float64)
    total = counts.sum(axis=-1, keepdims=True)
    return np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)


def shared_area(first, second):
    """Sum over bins of the lesser of two shares, 0 to 1; over the last axis.

    The intersection of histograms (Swain and Ballard, Color indexing, International Journal of Computer Vision 7(1),
    1991).

    Examples
    --------
    >>> float(shared_area(shares([3, 1, 0]), shares([1, 1, 2])))
    0.5
    """
    return np.minimum(first, second).sum(axis=-1)


def divergence(first, second):
    """Kullback-Leibler divergence in nats, sum of p ln(p/q) for p `first` and q `second`, over the last axis.

    How badly `second` tells what `first` holds (Kullback and Leibler, On information and sufficiency, The Annals of
    Mathematical Statistics 22(1), 1951): 0 for equal shares, else not the same with the sides changed. Both are mixed
    with the uniform distribution (`FLOOR` of it), so that bins which one leaves empty count finitely.

    Examples
    --------
    >>> first, second = shares([3, 1]), shares([1, 1])
    >>> round(float(divergence(first, second)), 3), round(float(divergence(second, first)), 3)
    (0.128, 0.141)
    """
    p, q = ((1 - FLOOR) * np.asarray(side) + FLOOR / np.shape(side)[-1] for side in (first, second))
    return np.maximum(0.0, (p * np.log(p / q)).sum(axis=-1))


def farthest_divergence(bins):
    """The divergence of two histograms of so many bins that never meet, each in one bin: the greatest there is.

    Examples
    --------
    >>> round(farthest_divergence(3), 3) == round(float(divergence([1, 0, 0], [0, 0, 1])), 3)
    True
    """
    return float((1 - FLOOR) * np.log1p((1 - FLOOR) * bins / FLOOR))


def distances(first, second):
    """Euclidean distances of the rows of two arrays: float64, (n, m)."""
    squares = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1) - 2 * first @ second.T
    return np.sqrt(np.maximum(squares, 0.0))


class SetDistances(NamedTuple):
    """Figures of Yang and Lerch over draws, each of shape (1 + draws,): mean distance `within` the judged set and
    `between` it and the references; of the densities of distances within the references and of those between, the
    `overlap`, and the `divergence` of the former from the latter."""

    within: np.ndarray
    between: np.ndarray
    overlap: np.ndarray
    divergence: np.ndarray


def set_distances(pieces, references, piece_weights, reference_weights):
    """Distances between pieces within and between two sets.

    Figures of Yang and Lerch (On the evaluation of generative models in music, Neural Computing and Applications 32,
    2020, online since 2018). Their program takes each density on a grid of its own, so that a divergence compares
    different distances; here both are on one.

    Where the judged pieces are like the references, they are as far from these as these are from one another. The
    densities are estimated by Gaussian kernels of Scott's width and compared on one grid, from 0 to the largest
    distance of all.

    Parameters
    ----------
    pieces, references : numpy.ndarray of float, shape (n, bins), (m, bins)
        One normalised histogram per piece; rows of NaN (nothing to count) are left out.
    piece_weights, reference_weights : numpy.ndarray of float, shape (1 + draws, n), (1 + draws, m)

    Returns
    -------
    SetDistances
        NaN where a set holds less than 2 pieces.
    """
    (pieces, piece_weights), (references, reference_weights) = (
        _defined(*side) for side in ((pieces, piece_weights), (references, reference_weights))
    )
    if min(len(pieces), len(references)) < 2:
        return SetDistances(*np.full((4, len(piece_weights)), np.nan))
    sides = (
        _Pairs.within(pieces, piece_weights),
        _Pairs.between(pieces, references, piece_weights, reference_weights),
        _Pairs.within(references, reference_weights),
    )
    farthest = max(max(side.values.max() for side in sides), 1e-9)
    between, within = (side.density(farthest) for side in sides[1:])
    means = [side.means() for side in sides[:2]]
    return SetDistances(*means, shared_area(within, between), divergence(within, between))


class _Pairs(NamedTuple):
    """Distances of pairs of pieces, and how often each pair counts in each draw: (p,), (1 + draws, p)."""

    values: np.ndarray
    weights: np.ndarray

    @classmethod
    def within(cls, rows, weights):
        i, j = np.triu_indices(len(rows), 1)
        return cls(distances(rows, rows)[i, j], weights[:, i] * weights[:, j])

    @classmethod
    def between(cls, first, second, first_weights, second_weights):
        weights = first_weights[:, :, None] * second_weights[:, None, :]
        return cls(distances(first, second).ravel(), weights.reshape(len(weights), -1))

    def means(self):
        total = self.weights.sum(axis=1)
        return np.divide(self.weights @ self.values, total, out=np.full(len(total), np.nan), where=total > 0)

    def density(self, farthest):
        """Shares of the grid's points, smoothed: (1 + draws, points)."""
        step = farthest / (GRID_POINTS - 1)
        places = np.rint(self.values / step).astype(np.int64)
        counts = np.array([np.bincount(places, weights=row, minlength=GRID_POINTS) for row in self.weights])
        return shares(counts @ _kernel(self.values.std() * len(self.values) ** -0.2 / step))


def _kernel(width):
    """Gaussian of a width in grid points around each point: (points, points)."""
    points = np.arange(GRID_POINTS)
    return np.exp(-(((points[:, None] - points) / max(width, 0.1)) ** 2) / 2)


def _defined(rows, weights):
    known = np.isfinite(rows).all(axis=1)
    return rows[known], weights[:, known]


def frechet_distance(pieces, references, piece_weights=None, reference_weights=None):
    """Fréchet distance of two sets of vectors, taken as normal distributions.

    `d² = |m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^(1/2))` (Dowson and Landau, The Fréchet distance between multivariate
    normal distributions, 1982), used to judge generated pictures and sound (Heusel et al. 2017, Kilgour et al. 2019).

    Parameters
    ----------
    pieces, references : numpy.ndarray of float, shape (n, d), (m, d)
    piece_weights, reference_weights : numpy.ndarray of float, shape (draws, n), (draws, m), optional
        Default: every piece counts once.

    Returns
    -------
    numpy.ndarray of float64, shape (draws,)
        d², at least 0, one per draw. Small sets are far apart by chance: compare sets of one size.

    Examples
    --------
    >>> frechet_distance(np.array([[0.0], [2.0]]), np.array([[3.0], [3.0]]))
    array([5.])
    """
    if piece_weights is None:
        piece_weights = np.ones((1, len(pieces)))
    if reference_weights is None:
        reference_weights = np.ones((1, len(references)))
    normals = (_normals(pieces, piece_weights), _normals(references, reference_weights))
    return np.array([_frechet(*first, *second) for first, second in zip(*normals, strict=True)])


def _normals(rows, weights):
    """Weighted mean and covariance (of the population) of each draw."""
    for row in weights / weights.sum(axis=1, keepdims=True):
        mean = row @ rows
        yield mean, (rows - mean).T @ ((rows - mean) * row[:, None])


def _frechet(mean, covariance, other_mean, other_covariance):
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    common = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other_covariance @ root), 0.0)).sum()
    spread = np.trace(covariance) + np.trace(other_covariance) - 2 * common
    return max(0.0, ((mean - other_mean) ** 2).sum() + spread)
