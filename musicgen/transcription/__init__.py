"""Recordings to notes: one by `transcribe`, many by `transcribe_folder`."""

from .audio import read_audio
from .folder import TranscriptionReport, transcribe_folder
from .recordings import Recording, find_recordings
from .transcriber import transcribe, transcribe_audio

__all__ = [
    "Recording",
    "TranscriptionReport",
    "find_recordings",
    "read_audio",
    "transcribe",
    "transcribe_audio",
    "transcribe_folder",
]
