"""Sources of pieces, how to split them, and what they hold."""

from .corpora import CORPORA, Corpus, load_corpus
from .download import download_gtzan
from .folder import MidiFolder, load_folder
from .gtzan import GtzanSplit, gtzan_recordings, gtzan_split, load_gtzan
from .polyphonic import Polyphonic, Rolls, load_polyphonic, read_rolls
from .prepared import PreparedPieces, is_prepared
from .shards import PrepareReport, prepare
from .splits import duplicate_key, duplicates, hold_out, split
from .summary import DataReport, report_data

__all__ = [
    "CORPORA",
    "Corpus",
    "DataReport",
    "GtzanSplit",
    "MidiFolder",
    "Polyphonic",
    "PrepareReport",
    "PreparedPieces",
    "Rolls",
    "download_gtzan",
    "duplicate_key",
    "duplicates",
    "gtzan_recordings",
    "gtzan_split",
    "hold_out",
    "is_prepared",
    "load_corpus",
    "load_folder",
    "load_gtzan",
    "load_polyphonic",
    "prepare",
    "read_rolls",
    "report_data",
    "split",
]
