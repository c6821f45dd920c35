"""The rivals that a trained composer has to beat: n-gram models, shuffled bars, random notes; spoiled pieces."""

from .ngram import MAX_ORDER, SMOOTHINGS, NGram
from .rivals import random_notes, shuffled_bars
from .spoiled import NOISES, with_fragments, with_jitter, with_random_notes, with_wrong_pitches

__all__ = [
    "MAX_ORDER",
    "SMOOTHINGS",
    "NGram",
    "random_notes",
    "shuffled_bars",
    "NOISES",
    "with_fragments",
    "with_jitter",
    "with_random_notes",
    "with_wrong_pitches",
]
