"""What a trained composer has to beat: n-grams, Markov chains, shuffled bars, random notes, spoiled pieces."""

from .markov import MarkovChain
from .ngram import MAX_ORDER, SMOOTHINGS, NGram
from .rivals import random_notes, shuffled_bars
from .spoiled import NOISES, with_fragments, with_jitter, with_random_notes, with_wrong_pitches

__all__ = [
    "MAX_ORDER",
    "SMOOTHINGS",
    "MarkovChain",
    "NGram",
    "random_notes",
    "shuffled_bars",
    "NOISES",
    "with_fragments",
    "with_jitter",
    "with_random_notes",
    "with_wrong_pitches",
]
