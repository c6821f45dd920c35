"""Sources of pieces, and how to split them."""

from .corpora import CORPORA, Corpus, load_corpus
from .folder import MidiFolder, load_folder
from .gtzan import gtzan_recordings, load_gtzan
from .splits import split

__all__ = ["CORPORA", "Corpus", "MidiFolder", "gtzan_recordings", "load_corpus", "load_folder", "load_gtzan", "split"]
