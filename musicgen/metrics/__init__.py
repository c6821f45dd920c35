"""Notes to numbers: what a piece is like, whether it is copied or stuck in a loop, how two sets of pieces differ.

`measures` describes one piece, `copying` finds copied and repeated passages, `comparing` sets generated pieces
beside reference pieces. A number that is not defined (the mean pitch range of no notes) is NaN, never 0.
"""

from .comparing import compare_with, overlap_area
from .copying import Loop, longest_loop, longest_verbatim_run, loop_count
from .measures import MEASURES, Measure, describe

__all__ = [
    "MEASURES",
    "Measure",
    "describe",
    "Loop",
    "longest_loop",
    "longest_verbatim_run",
    "loop_count",
    "compare_with",
    "overlap_area",
]
