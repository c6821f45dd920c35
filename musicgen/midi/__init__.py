"""Notes to and from MIDI: files (parsed and dumped by symusic) and pretty_midi objects.

symusic is asked for ticks alone; all times are computed here, in float64.
"""

from .files import from_symusic, read_midi, to_symusic, write_midi
from .pretty import from_pretty_midi, to_pretty_midi

__all__ = ["from_pretty_midi", "from_symusic", "read_midi", "to_pretty_midi", "to_symusic", "write_midi"]
