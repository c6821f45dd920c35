"""The file that keeps the parsed pieces of a corpus: one .npz, read whole, its pieces made when asked for."""

import io
import json
import warnings
from collections.abc import Sequence

import numpy as np

from ..notes import NOTE_DTYPE, NoteSequence
from ..timing import Timing

FORMAT_VERSION = 3  # raise it when parsing or the file changes


class StoredPieces(Sequence):
    """Pieces of a cache file; each is made, and checked as every piece is, when it is first asked for."""

    def __init__(self, notes, note_edges, beats, beat_edges, rest):
        self._notes, self._note_edges, self._beats, self._beat_edges = notes, note_edges, beats, beat_edges
        self._rest, self._made = rest, [None] * len(rest)

    def __len__(self):
        return len(self._rest)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        if self._made[index] is None:
            self._made[index] = self._make(range(len(self))[index])
        return self._made[index]

    def of_collection(self, name):
        """Those whose `meta` names this collection, as a list."""
        return [self[place] for place, rest in enumerate(self._rest) if rest[4].get("collection") == name]

    def _make(self, index):
        tracks, size, meters, duration, meta = self._rest[index]
        notes = self._notes[self._note_edges[index] : self._note_edges[index + 1]]
        beats = self._beats[self._beat_edges[index] : self._beat_edges[index + 1]]
        return NoteSequence(notes, tracks, Timing(beats, size, meters), duration, meta)


def packed(pieces, refused):
    """Bytes of an .npz: all notes, all beats, and what else a piece has as JSON."""
    rest = [[piece.tracks, *_timing(piece.timing), piece.duration, dict(piece.meta)] for piece in pieces]
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        notes=np.concatenate([np.empty(0, NOTE_DTYPE), *(piece.notes for piece in pieces)]),
        note_edges=np.cumsum([0, *map(len, pieces)]),
        beats=np.concatenate([np.empty(0), *(piece.timing.beats for piece in pieces)]),
        beat_edges=np.cumsum([0, *(len(piece.timing.beats) for piece in pieces)]),
        rest=np.frombuffer(json.dumps({"pieces": rest, "refused": refused}).encode(), dtype=np.uint8),
    )
    return buffer.getvalue()


def _timing(timing):
    return timing.quarters_per_beat, timing.meters


def read_cache(path):
    """Pieces and refusals of a cache file; None if there is none. A damaged file counts as none."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return _unpacked({name: stored[name] for name in stored.files})  # zip's checksums guard every byte
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Exception as error:  # zip, numpy and JSON have their say on damaged bytes
        warnings.warn(f"{path} is damaged and made anew: {error}", stacklevel=3)
        return None


def _unpacked(arrays):
    content = json.loads(arrays["rest"].tobytes())
    edges = arrays["note_edges"], arrays["beat_edges"]
    if not all(len(edge) == len(content["pieces"]) + 1 for edge in edges):
        raise ValueError("it does not hold the notes of every piece")
    pieces = StoredPieces(arrays["notes"], edges[0], arrays["beats"], edges[1], content["pieces"])
    return pieces, [tuple(pair) for pair in content["refused"]]
