"""Seeded splits that keep together what belongs together."""

import math

import numpy as np

from ..errors import InputError


def split(sequences, fractions=(0.8, 0.1, 0.1), *, seed=0, group=None):
    """Divide pieces at random into parts, such as train, validation and test.

    Parameters
    ----------
    sequences : iterable
        Pieces, or whatever stands for them (paths, clips).
    fractions : sequence of float
        Share of the groups in each part; they sum to 1.
    seed : int
        The same seed gives the same parts.
    group : callable, optional
        Of one piece, its group: pieces of one group (the same song, transposed) stay in one part. Default: each
        piece is its own.

    Returns
    -------
    tuple of list
        One list per fraction, pieces in their order. Sizes are exact to one group.

    Raises
    ------
    InputError
        If the fractions are not positive or do not sum to 1, or a part would be empty.

    Examples
    --------
    >>> train, test = split(range(10), (0.8, 0.2), seed=1)
    >>> len(train), len(test), sorted(train + test) == list(range(10))
    (8, 2, True)
    """
    sequences = list(sequences)
    if any(fraction <= 0 for fraction in fractions) or not math.isclose(sum(fractions), 1, abs_tol=1e-9):
        raise InputError(f"fractions must be above 0 and sum to 1, not {tuple(fractions)}")
    keys = [group(sequence) for sequence in sequences] if group else range(len(sequences))
    unique = list(dict.fromkeys(keys))
    edges = np.round(np.cumsum(fractions) * len(unique)).astype(int)
    if np.any(np.diff(edges, prepend=0) == 0):
        raise InputError(
            f"{len(unique)} groups are too few for fractions {tuple(fractions)}", remedy="give more pieces"
        )
    ranks = np.random.default_rng(seed).permutation(len(unique))
    part = dict(zip(unique, np.searchsorted(edges, ranks, side="right").tolist(), strict=True))
    parts = tuple([] for _ in fractions)
    for sequence, key in zip(sequences, keys, strict=True):
        parts[part[key]].append(sequence)
    return parts
