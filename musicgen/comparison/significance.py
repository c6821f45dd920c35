"""Whether two contestants differ: permutation tests within seeds, corrected for their number; intervals over seeds.

A permutation test (Good, Permutation, Parametric and Bootstrap Tests of Hypotheses, 2005) asks how often pieces that
change sides at random differ as much; pieces change sides within a seed only. Holm's method (A simple sequentially
rejective multiple test procedure, 1979) corrects for many tests.
"""

import numpy as np

from ..metrics.intervals import UNKNOWN, interval

#: Random exchanges of a test, and draws of an interval.
EXCHANGES, DRAWS = 9999, 1000


def mean_of_seeds(groups):
    """Mean over seeds of the mean over pieces; values that are not defined are left out.

    Parameters
    ----------
    groups : list of array-like of float
        Values of one contestant, one array per seed.

    Returns
    -------
    float
        NaN if there is no value.

    Examples
    --------
    >>> mean_of_seeds([[1.0, 3.0, np.nan], [4.0]])
    3.0
    """
    groups = _defined(groups)
    return float(np.mean([group.mean() for group in groups])) if groups else float("nan")


def interval_over_seeds(groups, *, seed=0, low=-np.inf, high=np.inf):
    """`mean_of_seeds` and its interval of 95 %: seeds are drawn again with replacement, and pieces within each.

    Parameters
    ----------
    groups : list of array-like of float
    seed : int
        The same seed gives the same interval.
    low, high : float
        Ends of the range of the values.

    Returns
    -------
    Interval
    """
    groups, random = _defined(groups), np.random.default_rng(seed)
    if not groups:
        return UNKNOWN
    count, means = len(groups), np.empty((DRAWS, len(groups)))
    for slot in range(count):
        chosen = random.integers(count, size=DRAWS)
        for number, group in enumerate(groups):
            mine = np.flatnonzero(chosen == number)
            means[mine, slot] = group[random.integers(len(group), size=(len(mine), len(group)))].mean(axis=1)
    return interval([mean_of_seeds(groups), *means.mean(axis=1)], low=low, high=high)


def permutation_test(first, second, *, seed=0):
    """Whether two contestants differ in the mean over seeds.

    Parameters
    ----------
    first, second : list of array-like of float
        Values of either, one array per seed, seeds in the same order.
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
    random, exchanged = np.random.default_rng(seed), np.zeros(EXCHANGES)
    found = np.array([a.mean() - b.mean() for a, b in pairs])
    for a, b in pairs:
        exchanged += _exchanged(a, b, random)
    difference = found.mean()
    as_large = np.sum(np.abs(exchanged / len(pairs)) >= abs(difference) - 1e-12)
    agree = bool(np.all(found > 0) or np.all(found < 0))
    return float(difference), float((1 + as_large) / (1 + EXCHANGES)), agree


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


def _exchanged(a, b, random):
    """Differences of means after random exchanges: float64, (EXCHANGES,)."""
    values = np.concatenate([a, b])
    mixed = random.permuted(np.tile(values, (EXCHANGES, 1)), axis=1)
    sums = mixed[:, : len(a)].sum(axis=1)
    return sums / len(a) - (values.sum() - sums) / len(b)


def _defined(groups):
    return [values for values in map(_finite, groups) if len(values)]


def _finite(values):
    values = np.asarray(values, np.float64)
    return values[np.isfinite(values)]
