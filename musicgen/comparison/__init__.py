"""Several composers trained on one split for the same time, judged beside trivial rivals, with a recommendation.

`judging` and `advice` also take pieces that were made elsewhere: `judge({"mine": [...], "real": [...]}, training)`.
"""

from .advice import Advice, advise
from .judging import CRITERIA, Difference, Entry, Judgement, judge
from .plan import RIVALS, Plan
from .result import Comparison, compare
from .votes import read_votes

__all__ = [
    "CRITERIA",
    "RIVALS",
    "Advice",
    "Comparison",
    "Difference",
    "Entry",
    "Judgement",
    "Plan",
    "advise",
    "compare",
    "judge",
    "read_votes",
]
