"""Beats of a recording, read from an annotation or tracked in the audio, as a `Timing`."""

from .annotations import read_beats, read_tempo
from .tracking import estimate_beats, estimate_beats_in_sections

__all__ = ["estimate_beats", "estimate_beats_in_sections", "read_beats", "read_tempo"]
