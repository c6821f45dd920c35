"""Pieces of the corpus that comes with music21, parsed once.

===============  ==========================================================  ====================================
name             what                                                        terms of use
===============  ==========================================================  ====================================
bach-chorales    four-part chorales of J. S. Bach: soprano, alto, tenor and  music: public domain; encodings:
                 bass; accompanying instruments are left out                 distributed with music21 by permission
                                                                             of the encoders, which may exclude
                                                                             commercial use
folk             tunes in one voice: Essen collection of folk songs, Ryan's  music: public domain; encodings: as
                 Mammoth Collection, O'Neill's Music of Ireland (1850),      above, each collection with terms of
                 Aird's Airs                                                 its own
===============  ==========================================================  ====================================

music21 assumes no rights in its corpus and gives no warranty: its `corpus/license.txt` and the notes inside the
files tell the terms of each encoding. Nothing of it is part of musicgen; a cache of parsed notes is kept on the
user's machine alone.
"""

import io
import json
import math
import os
import warnings
from pathlib import Path

import numpy as np

from .. import files
from ..errors import InputError, MusicgenError, missing_dependency
from ..notes import NOTE_DTYPE, NoteSequence, Track
from ..timing import Timing
from ..workers import map_files

_FEW = 24  # files
_FORMAT = 1  # of the cache; raise it when parsing changes
_VOICES = ("Soprano", "Alto", "Tenor", "Bass")
_COLLECTIONS = {
    "bach-chorales": {"bach": "bwv*.mxl"},
    "folk": {"essenFolksong": "*.abc", "ryansMammoth": "*.abc", "oneills1850": "*.abc", "airdsAirs": "*.abc"},
}
CORPORA = tuple(_COLLECTIONS)


class Corpus(list):
    """A list of NoteSequence with the `name` of the corpus, its `provenance` (name, reference, terms) and the
    (source, reason) of pieces `refused`."""

    def __init__(self, pieces, name, refused):
        super().__init__(pieces)
        self.name, self.refused = name, list(refused)
        terms = "music: public domain; encodings: see music21's corpus/license.txt"
        self.provenance = {"name": name, "reference": "corpus of music21", "terms": terms}


def load_corpus(name, *, limit=None, workers=None, cache=None):
    """Pieces of a corpus that music21 brings along (see the table and terms at the head of this module).

    The first call parses in several processes under a progress bar (about half a minute for the chorales on two
    free processors, far longer for the thousands of folk tunes) and keeps the notes; later calls only read them.
    With `limit` no more files are parsed than that takes.

    Parameters
    ----------
    name : {"bach-chorales", "folk"}
    limit : int, optional
        Take the first so many pieces.
    workers : int, optional
        Processes for parsing. Default: one per processor; with a small `limit` none.
    cache : path-like, optional
        Folder of parsed notes. Default: `$MUSICGEN_CACHE`, else `musicgen` in the user's cache folder.

    Returns
    -------
    Corpus
        A list of NoteSequence in the corpus's order. `meta` has title, source (the file in the corpus), genre
        ("chorale", "folk") and corpus. Its `refused` lists (source, reason) of pieces that could not be used;
        a warning counts them.

    Raises
    ------
    InputError
        If there is no such corpus, or `limit` is not positive.
    MissingDependencyError
        If music21 is not installed.
    """
    if name not in _COLLECTIONS:
        raise InputError(f"there is no corpus {name!r}", remedy=f"one of {', '.join(CORPORA)}")
    if limit is not None and limit < 1:
        raise InputError(f"limit must be at least 1, not {limit}")
    folder, version = _music21_corpus()
    stored = Path(cache or _cache_folder()) / f"{name}-music21-{version}-{_FORMAT}.npz"
    pieces, refused = _cached(stored)
    if pieces is None:
        paths = [path for part, glob in _COLLECTIONS[name].items() for path in sorted((folder / part).glob(glob))]
        pieces, refused = _parsed(name, folder, paths, limit, workers)
        if limit is None:
            files.write_bytes(stored, _packed(pieces, refused))
    if refused:
        warnings.warn(f"{len(refused)} pieces of {name} could not be used, see `.refused`", stacklevel=2)
    return Corpus(pieces[:limit], name, refused)


def _music21_corpus():
    """Folder and version, without the seconds that importing music21 takes."""
    import importlib.metadata
    import importlib.util

    found = importlib.util.find_spec("music21")
    if found is None:
        raise missing_dependency("music21", "loading a corpus")
    return Path(found.submodule_search_locations[0]) / "corpus", importlib.metadata.version("music21")


def _cache_folder():
    if own := os.environ.get("MUSICGEN_CACHE"):
        return own
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "musicgen"


def _parsed(name, folder, paths, limit, workers):
    """Pieces and refusals in the order of paths; no more files than `limit` needs."""
    pieces, refused, waiting = [], [], [(name, folder, path) for path in paths]
    while waiting and (limit is None or len(pieces) < limit):
        batch = waiting if limit is None else waiting[: _files_for(limit, len(pieces), len(paths) - len(waiting))]
        waiting = waiting[len(batch) :]
        # Starting processes takes longer than parsing a few files.
        inline = 0 if workers is None and len(batch) <= _FEW else workers
        mapped = map_files(_pieces_of, batch, workers=inline, progress=limit is None)
        outcomes = {item: (result, error) for item, result, error in mapped}
        for item in batch:
            result, error = outcomes[item]
            found, bad = result if error is None else ([], [(_source(folder, item[2]), str(error))])
            pieces += found
            refused += bad
    return pieces, refused


def _files_for(limit, pieces, done):
    """How many more files to parse for `limit` pieces, to judge by those of the files done."""
    return math.ceil((limit - pieces) * done / max(pieces, 1)) if done else 1


def _source(folder, path):
    return path.relative_to(folder).as_posix()


def _pieces_of(item):
    """Pieces of one file, and (source, reason) of those that cannot be used."""
    name, folder, path = item
    from music21 import converter

    source = _source(folder, path)
    stream = converter.parseFile(path, forceSource=True)
    scores = list(getattr(stream, "scores", [stream]))
    pieces, refused = [], []
    for number, score in enumerate(scores, 1):
        place = source if len(scores) == 1 else f"{source}#{number}"
        try:
            pieces.append(_BUILDERS[name](score, place))
        except MusicgenError as error:
            refused.append((place, str(error)))
        except Exception as error:  # one tune that music21 trips over must not cost the hundreds beside it
            refused.append((place, f"{type(error).__name__}: {error}"))
    return pieces, refused


def _chorale(score, source):
    from ..score import from_music21

    piece = from_music21(score, split_voices=False)
    names = [track.name for track in piece.tracks]
    if any(names.count(voice) != 1 for voice in _VOICES):
        raise InputError(f"has parts {', '.join(names)}, not one each of {', '.join(_VOICES)}")
    place = np.full(len(names), len(_VOICES))
    place[[names.index(voice) for voice in _VOICES]] = range(len(_VOICES))
    notes = np.array(piece.notes)
    notes["track"] = place[notes["track"]]
    notes = notes[notes["track"] < len(_VOICES)]
    if len(set(notes["track"].tolist())) < len(_VOICES):
        raise InputError("has a voice without notes")
    meta = {"title": piece.meta.get("title", Path(source).stem), "source": source, "genre": "chorale"}
    tracks = [Track(voice, 52) for voice in _VOICES]  # General MIDI's choir
    return piece.replace(notes=notes, tracks=tracks, meta={**meta, "corpus": "bach-chorales"})


def _tune(score, source):
    from ..score import from_music21

    piece = from_music21(score)
    meta = {"title": piece.meta.get("title", source), "source": source, "genre": "folk", "corpus": "folk"}
    return piece.replace(meta=meta)


_BUILDERS = {"bach-chorales": _chorale, "folk": _tune}


def _packed(pieces, refused):
    """Bytes of an .npz: all notes, all beats, and what else a piece has as JSON."""
    rest = [
        {
            "tracks": [list(track) for track in piece.tracks],
            "size": piece.timing.quarters_per_beat,
            "meters": [list(meter) for meter in piece.timing.meters],
            "duration": piece.duration,
            "meta": dict(piece.meta),
        }
        for piece in pieces
    ]
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        notes=np.concatenate([np.empty(0, NOTE_DTYPE), *(piece.notes for piece in pieces)]),
        note_counts=np.array([len(piece) for piece in pieces], dtype=np.int64),
        beats=np.concatenate([np.empty(0), *(piece.timing.beats for piece in pieces)]),
        beat_counts=np.array([len(piece.timing.beats) for piece in pieces], dtype=np.int64),
        rest=np.frombuffer(json.dumps({"pieces": rest, "refused": refused}).encode(), dtype=np.uint8),
    )
    return buffer.getvalue()


def _cached(path):
    """Pieces and refusals of a cache file; (None, None) if there is none. A damaged file counts as none."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return _unpacked({name: stored[name] for name in stored.files})
    except FileNotFoundError:
        return None, None
    except Exception as error:  # zip, numpy, JSON and our own values have their say on damaged bytes
        warnings.warn(f"{path} is damaged and made anew: {error}", stacklevel=3)
        return None, None


def _unpacked(arrays):
    content = json.loads(arrays["rest"].tobytes())
    notes = np.split(arrays["notes"], np.cumsum(arrays["note_counts"])[:-1])
    beats = np.split(arrays["beats"], np.cumsum(arrays["beat_counts"])[:-1])
    pieces = [
        NoteSequence(n, rest["tracks"], Timing(b, rest["size"], rest["meters"]), rest["duration"], rest["meta"])
        for n, b, rest in zip(notes, beats, content["pieces"], strict=True)
    ]
    return pieces, [tuple(pair) for pair in content["refused"]]
