"""Notes to notes: pure functions that take one `NoteSequence` and return another.

Nothing is repaired anywhere in the library without one of these names being called.
"""

from .basic import canonical, crop, fit_timing, monophonic, onset_shifts, quantise, stretch, transpose
from .cleaning import clean
from .joining import concatenate
from .lengths import cut_overlaps, merge_fragments, trim_tails
from .noise import drop_echoes, drop_faint, drop_ghosts, drop_short, limit_polyphony

__all__ = [
    "canonical",
    "clean",
    "concatenate",
    "crop",
    "cut_overlaps",
    "drop_echoes",
    "drop_faint",
    "drop_ghosts",
    "drop_short",
    "fit_timing",
    "limit_polyphony",
    "merge_fragments",
    "monophonic",
    "onset_shifts",
    "quantise",
    "stretch",
    "transpose",
    "trim_tails",
]
