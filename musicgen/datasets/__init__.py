"""Sources of pieces, and how to split them."""

from .folder import MidiFolder, load_folder
from .gtzan import gtzan_recordings, load_gtzan
from .splits import split

__all__ = ["MidiFolder", "gtzan_recordings", "load_folder", "load_gtzan", "split"]
