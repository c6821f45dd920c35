"""Notes to notes: pure functions that take one `NoteSequence` and return another.

Nothing is repaired anywhere in the library without one of these names being called.
"""

from .basic import canonical, crop, fit_timing, monophonic, quantise, stretch, transpose

__all__ = ["canonical", "crop", "fit_timing", "monophonic", "quantise", "stretch", "transpose"]
