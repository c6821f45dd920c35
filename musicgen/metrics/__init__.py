"""Notes to numbers: what a piece is like, how noisy and how coherent it is, and how two sets of pieces differ.

`measures` describes one piece, `noise` and `coherence` judge it, `copying` finds copied and repeated passages,
`quality` and `comparing` set pieces beside references, `evaluation` does all of it at once. A number that is not
defined (the mean pitch range of no notes) is NaN, never 0. `papers` holds what measures cite.
"""

from .coherence import COHERENCE, coherence_level
from .comparing import compare_with, overlap_area
from .copying import Loop, longest_loop, longest_verbatim_run, loop_count
from .distances import frechet_distance
from .evaluation import FAMILIES, Evaluation, Figure, Reference, evaluate
from .intervals import Interval, mean_interval
from .measures import MEASURES, Measure, describe
from .noise import NOISE, noise_level
from .papers import PAPERS
from .quality import QUALITY, Standard

__all__ = [
    "COHERENCE",
    "MEASURES",
    "NOISE",
    "PAPERS",
    "Measure",
    "coherence_level",
    "describe",
    "noise_level",
    "Loop",
    "longest_loop",
    "longest_verbatim_run",
    "loop_count",
    "compare_with",
    "frechet_distance",
    "overlap_area",
    "FAMILIES",
    "QUALITY",
    "Evaluation",
    "Figure",
    "Interval",
    "Reference",
    "Standard",
    "evaluate",
    "mean_interval",
]
