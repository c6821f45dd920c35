"""Bootstrap intervals: how far a figure may move with the pieces that happened to be drawn.

Pieces are drawn again with replacement (Efron and Tibshirani, An Introduction to the Bootstrap, 1993). An interval
holds the middle 95 % of the figure over the draws, moved by the mean difference between draws and figure: an overlap,
for one, is lower for a sample with repetitions than for the pieces themselves.
"""

from typing import NamedTuple

import numpy as np

from ..errors import InputError

#: Share of the draws that an interval holds.
CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A figure, `value`, and the ends of its 95 % interval, `low` and `high`; NaN where nothing is known: the ends of
    a single piece's figure, which tells nothing of others, or all three."""

    value: float
    low: float
    high: float


UNKNOWN = Interval(np.nan, np.nan, np.nan)


def resamples(count, draws, *, seed):
    """How often each of `count` pieces is drawn, for the pieces as they are and for several draws.

    Parameters
    ----------
    count, draws : int
        At least 1.
    seed : int
        The same seed gives the same draws.

    Returns
    -------
    numpy.ndarray of float64, shape (1 + draws, count)
        The first row is 1 for each piece; every row sums to `count`.

    Raises
    ------
    InputError
        If `count` or `draws` is less than 1.

    Examples
    --------
    >>> resamples(3, 2, seed=0).sum(axis=1)
    array([3., 3., 3.])
    """
    for name, value in (("count", count), ("draws", draws)):
        if not (isinstance(value, (int, np.integer)) and value >= 1):
            raise InputError(f"{name} must be a whole number of at least 1, not {value!r}")
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=draws)
    return np.vstack([np.ones(count), drawn])


def interval(figures, *, low=-np.inf, high=np.inf):
    """The interval of a figure from its values over draws.

    Parameters
    ----------
    figures : array-like of float, shape (1 + draws,)
        The figure of the pieces as they are, then of each draw.
    low, high : float
        Ends of the figure's range, which no interval leaves.

    Returns
    -------
    Interval

    Examples
    --------
    >>> interval([2.0, 1.0, 2.0, 3.0])
    Interval(value=2.0, low=1.05, high=2.95)
    """
    value, drawn = float(figures[0]), np.asarray(figures[1:], np.float64)
    drawn = drawn[np.isfinite(drawn)]
    if not (np.isfinite(value) and len(drawn)):
        return Interval(value, np.nan, np.nan)
    tail = (1 - CONFIDENCE) / 2
    ends = np.quantile(drawn, [tail, 1 - tail]) - (drawn.mean() - value)
    begin, end = np.clip([min(ends[0], value), max(ends[1], value)], low, high)
    return Interval(value, float(begin), float(end))


def mean_interval(values, *, draws=1000, seed=0, low=-np.inf, high=np.inf):
    """Mean of one value per piece, and its interval.

    Parameters
    ----------
    values : array-like of float, shape (n,)
        Values that are not defined, NaN, are left out.
    draws : int
        At least 1.
    seed : int
        The same seed gives the same interval.
    low, high : float
        Ends of the range of the values, which no interval leaves.

    Returns
    -------
    Interval
        NaN if no value is defined; ends of NaN if only one is.

    Examples
    --------
    >>> mean_interval([1.0, 1.0, 4.0, np.nan]).value
    2.0
    >>> mean_interval([3.0, np.nan])
    Interval(value=3.0, low=nan, high=nan)
    """
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return UNKNOWN._replace(value=float(values[0])) if len(values) else UNKNOWN
    return interval(resamples(len(values), draws, seed=seed) @ values / len(values), low=low, high=high)
