"""Whether two contestants differ: permutation tests within seeds, corrected for their number; intervals over seeds.

A permutation test (Good, Permutation, Parametric and Bootstrap Tests of Hypotheses, 2005) asks how often pieces that
change sides at random differ as much; pieces change sides within a seed only. Holm's method (A simple sequentially
rejective multiple test procedure, 1979) corrects for many tests.
"""

import numpy as np

from ..metrics.intervals import UNKNOWN, interval

#: Random exchanges of a test, and draws of an interval.
EXCHANGES, DRAWS = 9999, 1000


def means(values, weights):
    """Means of values (n,) under rows of weights (k, n): float64, (k,)."""
    return weights @ values / weights.sum(axis=1)


def mean_of_seeds(groups, statistic=means):
    """Mean over seeds of a figure of the pieces; pieces for which a value is not defined are left out.

    Parameters
    ----------
    groups : list of array-like of float
        One row or value per piece, one array per seed.
    statistic : callable
        `(values (n, ...), weights (k, n)) -> (k,)`: figures of the pieces, each piece counted so many times.

    Returns
    -------
    float
        NaN if there is no value.

    Examples
    --------
    >>> mean_of_seeds([[1.0, 3.0, np.nan], [4.0]])
    3.0
    """
    found = [statistic(group, np.ones((1, len(group))))[0] for group in _defined(groups)]
    return float(np.mean(found)) if found else float("nan")


def interval_over_seeds(groups, statistic=means, *, seed=0, low=-np.inf, high=np.inf):
    """`mean_of_seeds` and its interval of 95 %: seeds are drawn again with replacement, and pieces within each.

    Parameters
    ----------
    groups, statistic
        As for `mean_of_seeds`.
    seed : int
        The same seed gives the same interval.
    low, high : float
        Ends of the range of the figure.

    Returns
    -------
    Interval
    """
    groups, random = _defined(groups), np.random.default_rng(seed)
    if not groups:
        return UNKNOWN
    count, found = len(groups), np.empty((DRAWS, len(groups)))
    for slot in range(count):
        chosen = random.integers(count, size=DRAWS)
        for number, group in enumerate(groups):
            mine = np.flatnonzero(chosen == number)
            weights = random.multinomial(len(group), np.full(len(group), 1 / len(group)), size=len(mine))
            found[mine, slot] = statistic(group, weights)
    return interval([mean_of_seeds(groups, statistic), *found.mean(axis=1)], low=low, high=high)


def permutation_test(first, second, statistic=means, *, seed=0):
    """Whether two contestants differ in the mean over seeds.

    Parameters
    ----------
    first, second : list of array-like of float
        Values of either, one array per seed, seeds in the same order.
    statistic : callable
        As for `mean_of_seeds`.
    seed : int
        The same seed gives the same exchanges.

    Returns
    -------
    difference : float
        Mean over seeds of `first` less `second`; NaN where no seed has values on both sides.
    p : float
        Share of the exchanges, the given sides among them, whose difference is as large; 1 where nothing is known.
    agree : bool
        Whether the difference has the same sign under every seed.

    Examples
    --------
    >>> permutation_test([[0.1, 0.2, 0.1, 0.2]], [[0.8, 0.9, 0.7, 0.9]])[1] < 0.05
    True
    """
    pairs = [tuple(map(_finite, pair)) for pair in zip(first, second, strict=True)]
    pairs = [pair for pair in pairs if min(map(len, pair))]
    if not pairs:
        return float("nan"), 1.0, False
    random, exchanged, found = np.random.default_rng(seed), np.zeros(EXCHANGES), []
    for pair in pairs:
        sides = np.repeat([1.0, 0.0], [len(side) for side in pair])
        rows = np.vstack([sides, random.permuted(np.tile(sides, (EXCHANGES, 1)), axis=1)])
        values = np.concatenate(pair)
        given, *others = statistic(values, rows) - statistic(values, 1 - rows)
        found.append(given)
        exchanged += others
    difference = float(np.mean(found))
    as_large = np.sum(np.abs(exchanged / len(pairs)) >= abs(difference) - 1e-12)
    agree = bool(np.all(np.array(found) > 0) or np.all(np.array(found) < 0))
    return difference, float((1 + as_large) / (1 + EXCHANGES)), agree


def holm(values):
    """p-values corrected for their number by Holm's method.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(values, kind="stable")
    raised = np.asarray(values, float)[order] * np.arange(len(values), 0, -1)
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return corrected.tolist()


def _defined(groups):
    return [values for values in map(_finite, groups) if len(values)]


def _finite(values):
    values = np.asarray(values, np.float64)
    return values[np.isfinite(values).all(axis=tuple(range(1, values.ndim)))]
