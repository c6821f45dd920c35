"""The trivial rivals that a trained composer has to beat: n-gram models, shuffled bars, random notes."""

from .ngram import MAX_ORDER, SMOOTHINGS, NGram
from .rivals import random_notes, shuffled_bars

__all__ = ["MAX_ORDER", "SMOOTHINGS", "NGram", "random_notes", "shuffled_bars"]
