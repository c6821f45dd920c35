"""Moving about in a latent space: where the data lie in it, ways between points, directions."""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError

ACTIVE = 0.01  # variance of a latent's mean over the data from which it counts as used (Burda et al. 2016)
PAIRS = 4096  # of random steps from which an attribute's direction is told, at most; so many per fragment:
PAIRS_EACH = 4
LENGTHS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0)  # of attributes' vectors, in standard deviations of the data
LOOKED_AT = 256  # fragments by which a length is chosen


@dataclass
class LatentSpace:
    """Where the training data lie, as Gaussians, and in which directions attributes grow.

    Parameters
    ----------
    means : float32, shape (1 + n_genres, latent_dim)
        Of all fragments, then of those of each genre.
    factors : float32, shape (1 + n_genres, latent_dim, latent_dim)
        Cholesky factors of their covariances.
    attributes : float32, shape (n_attributes, latent_dim)
    """

    means: np.ndarray
    factors: np.ndarray
    attributes: np.ndarray

    @classmethod
    def empty(cls, genres, attributes, latent_dim):
        """The standard normal distribution, for weights that are still to be read."""
        means = np.zeros((1 + genres, latent_dim), np.float32)
        factors = np.broadcast_to(np.eye(latent_dim, dtype=np.float32), (1 + genres, latent_dim, latent_dim)).copy()
        return cls(means, factors, np.zeros((attributes, latent_dim), np.float32))

    @classmethod
    def of_data(cls, means, variances, labels, genres, directions):
        """The space of encoded fragments.

        Parameters
        ----------
        means, variances : float32, shape (n, latent_dim)
            Of the fragments' latents.
        labels : int, shape (n,)
            Genre of each: an index of `genres`, -1 for none.
        genres : int
            Number of genres.
        directions : float32, shape (n_attributes, latent_dim)
            Of the attributes.
        """
        parts = [np.ones(len(means), bool), *(labels == genre for genre in range(genres))]
        whole = _gaussian(means, variances)
        # A genre of few fragments keeps the spread of all the data, moved to its own place.
        found = [_gaussian(means[part], variances[part], whole[1]) if part.any() else whole for part in parts]
        factors = [np.linalg.cholesky(covariance) for _, covariance in found]
        stack = lambda arrays: np.asarray(arrays, np.float32)  # noqa: E731
        return cls(stack([mean for mean, _ in found]), stack(factors), stack(directions))

    def weights(self):
        """The arrays by the names under which they are saved."""
        return {"space.means": self.means, "space.factors": self.factors, "space.attributes": self.attributes}

    def point(self, normal, genre=-1):
        """Points (..., latent_dim) of the data, or of a genre's, for standard normal ones of the same shape."""
        return self.means[genre + 1] + normal @ self.factors[genre + 1].T

    def normal(self, points, genre=-1):
        """The opposite of `point`."""
        offsets = np.asarray(points, np.float64) - self.means[genre + 1]
        return np.linalg.solve(self.factors[genre + 1].astype(np.float64), offsets.T).T


def _gaussian(means, variances, spread=None):
    """Mean and covariance of latents; with `spread`, a covariance that counts as much as latent_dim fragments."""
    centre, dim = means.mean(axis=0).astype(np.float64), means.shape[1]
    offsets = means - centre
    covariance = (offsets.T @ offsets).astype(np.float64) / len(means) + np.diag(variances.mean(axis=0))
    if spread is not None:
        covariance = (len(means) * covariance + dim * spread) / (len(means) + dim)
    return centre, covariance + 1e-6 * np.eye(dim)


def steepest(points, measured, spreads, *, seed):
    """Vectors along which attributes of what is written grow most, on the mean over the data.

    The slope at random points of the data is told from pairs of random steps to opposite sides, as large as the data
    are wide (natural evolution strategies, Wierstra et al. 2014). A vector is as long as it takes to raise the
    attribute's mean by one standard deviation, or, where that is beyond reach, as raises it most.

    Parameters
    ----------
    points : float32, shape (n, latent_dim)
        Latents of the data.
    measured : callable
        Attributes (n_attributes, n) of what is written from latents (n, latent_dim).
    spreads : array of float, shape (n_attributes,)
        Standard deviations of the attributes in the data.
    seed : int or sequence of int

    Returns
    -------
    numpy.ndarray of float32, shape (n_attributes, latent_dim)
        Zeros for an attribute that nothing changes.
    """
    random, count = np.random.default_rng(seed), min(PAIRS, PAIRS_EACH * len(points))
    offsets = points - points.mean(axis=0, dtype=np.float64)
    variances, axes = np.linalg.eigh(offsets.T @ offsets / len(points))
    used = variances > ACTIVE
    axes = axes[:, used] * np.sqrt(variances[used])  # (latent_dim, used)
    places = points[random.integers(0, len(points), count)]
    steps = random.standard_normal((count, axes.shape[1]))
    change = measured(places + steps @ axes.T) - measured(places - steps @ axes.T)
    slopes = change @ steps  # (n_attributes, used)
    slopes /= np.maximum(np.linalg.norm(slopes, axis=1, keepdims=True), 1e-12)
    some = points[random.permutation(len(points))[:LOOKED_AT]]
    before, vectors = measured(some).mean(axis=1), []
    for number, (direction, spread) in enumerate(zip(slopes @ axes.T, spreads, strict=True)):
        best, most = 0.0, 0.0
        for length in LENGTHS if direction.any() and spread > 0 else ():
            rise = measured(some + length * direction)[number].mean() - before[number]
            if rise > most:
                best, most = length, rise
            if rise >= spread:
                break
        vectors.append(best * direction)
    return np.asarray(vectors, np.float32)


def spherical(first, last, share):
    """The point at `share`, 0 to 1, of the great circle from one point to another (Shoemake 1985).

    Parameters
    ----------
    first, last : array, shape (..., latent_dim)
        Their lengths are gone through evenly too.
    share : float

    Returns
    -------
    numpy.ndarray of float64, shape (..., latent_dim)

    Examples
    --------
    >>> spherical([1.0, 0.0], [0.0, 1.0], 0.5).round(3).tolist()
    [0.707, 0.707]
    """
    first, last = np.asarray(first, np.float64), np.asarray(last, np.float64)
    lengths = [np.maximum(np.linalg.norm(point, axis=-1, keepdims=True), 1e-12) for point in (first, last)]
    cosine = np.clip(np.sum(first * last, axis=-1, keepdims=True) / (lengths[0] * lengths[1]), -1, 1)
    angle = np.arccos(cosine)
    straight = np.sin(angle) < 1e-6  # one direction, or opposite ones, between which there is no circle
    sine = np.where(straight, 1.0, np.sin(angle))
    parts = [np.where(straight, part, np.sin(part * angle) / sine) for part in (1 - share, share)]
    length = (1 - share) * lengths[0] + share * lengths[1]
    return length * (parts[0] * first / lengths[0] + parts[1] * last / lengths[1])


def checked_weights(weights, count):
    """Weights of a blend as float64.

    Raises
    ------
    InputError
        If there are not `count`, one is negative, or they do not sum to 1.
    """
    try:
        weights = np.asarray(weights, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"weights must be {count} numbers, one per piece, not {weights!r}") from error
    if weights.shape != (count,):
        raise InputError(f"weights must hold {count} numbers, one per piece, not {weights.size}")
    if not np.isfinite(weights).all() or weights.min() < 0:
        raise InputError(f"weights must be numbers of at least 0, not {weights.tolist()}")
    if abs(weights.sum() - 1) > 1e-6:
        raise InputError(f"weights must sum to 1, not to {weights.sum():g}", remedy="divide them by their sum")
    return weights


def blended(points, weights):
    """Mean of points (n, ..., latent_dim) with weights (n,), as long as they are in the mean."""
    points = np.asarray(points, np.float64)
    mean = np.tensordot(weights, points, axes=1)
    length = np.tensordot(weights, np.linalg.norm(points, axis=-1, keepdims=True), axes=1)
    return mean * length / np.maximum(np.linalg.norm(mean, axis=-1, keepdims=True), 1e-12)
