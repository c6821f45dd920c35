"""Notes to and from scores (music21, MusicXML), and the key of a piece."""

from .key import estimate_key
from .reading import from_music21, read_score
from .writing import to_music21, write_score

__all__ = ["estimate_key", "from_music21", "read_score", "to_music21", "write_score"]
