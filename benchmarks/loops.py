"""Loops as benchmarks count them: a segment of at most a bar that is stated more than four times without a break.

The share among compositions is given with the upper end of its exact 95 % interval (Clopper and Pearson 1934), beside
the share among real pieces, cut into parts of as many bars.
"""

import itertools

import numpy as np

from musicgen.metrics import loop_count
from musicgen.transforms import crop

MOST = 4  # statements in a row that are no loop yet
POINTS = 2  # percentage points by which the upper end may lie above the data's share


def loops_among(pieces, *, resolution=12):
    """How many of the pieces have a loop."""
    return sum(loop_count(piece, resolution=resolution) > MOST for piece in pieces)


def upper_bound(hits, count, level=0.95):
    """Upper end of the Clopper-Pearson interval of a share.

    Examples
    --------
    >>> round(upper_bound(0, 100), 4), round(upper_bound(5, 100), 4)
    (0.0362, 0.1128)
    """
    from scipy.stats import beta

    return 1.0 if hits == count else float(beta.ppf(1 - (1 - level) / 2, hits + 1, count - hits))


def parts_of(piece, bars):
    """A piece cut into parts of so many bars; a shorter rest is left out, a last bar may end early."""
    count = len(piece.timing.bars(piece.duration)) // bars
    edges = piece.timing.quarters_to_seconds(piece.timing.first_bars(count * bars + 1)[::bars])
    edges = np.clip(edges, 0.0, piece.duration)
    parts = [crop(piece, begin, end) for begin, end in itertools.pairwise(edges)]
    return [part for part in parts if len(part)]
