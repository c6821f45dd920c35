"""Pieces of the corpora that come with music21, parsed once.

================  =============================================================================================
name              what
================  =============================================================================================
bach-chorales     four-part chorales of J. S. Bach: soprano, alto, tenor and bass; accompanying instruments are
                  left out
folk              tunes in one voice: the Essen collection of folk songs, Ryan's Mammoth Collection (1883),
                  O'Neill's Music of Ireland, Aird's Airs (1778 to 1801), American fife tunes, Northumbrian
                  Minstrelsy (1882)
monteverdi        madrigals of Claudio Monteverdi, books 3 to 5: five voices, in book 5 with continuo
palestrina        sections of the masses of Giovanni Pierluigi da Palestrina: two to eight voices
string-quartets   movements of Haydn, Mozart, Beethoven and Robert Schumann: two violins, viola and cello
trecento          polyphony of the Italian Trecento and Ciconia: two to four voices
================  =============================================================================================

music21 assumes no rights in its corpus and gives no warranty; each corpus has terms of use of its own, told by
`Corpus.provenance["terms"]` and ``musicgen info NAME``. Nothing of it is part of musicgen; a cache of parsed notes is
kept on the user's machine alone.
"""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

from .. import files
from ..errors import InputError, missing_dependency
from . import corpus_files
from .corpus_cache import FORMAT_VERSION, packed, read_cache

_MUSIC = "music: public domain. Encodings: distributed with music21 by permission of the encoders, see its corpus/"
_TERMS = {
    "bach-chorales": _MUSIC + "license.txt; the files name no licence of their own, commercial use may be excluded",
    "folk": _MUSIC + "license.txt. Essen collection: legal status unclear, given by E. Dahlig-Turek and S. Schlien "
    "for non-commercial use (corpus/essenFolksong/license.txt). The others: transcribers are named in the files, "
    "which name no licence",
    "monteverdi": _MUSIC + "license.txt; the files name no licence, two bear the mark of the edition they were "
    "taken from (Ut Orpheus, 2003); commercial use may be excluded",
    "palestrina": "music: public domain. Encodings: copyright 2000 John Miller, rights to all derived electronic "
    "formats reserved; to be accompanied by the licence of "
    "http://www.music-cog.ohio-state.edu/HumdrumDatabases/Palestrina/license.txt; distributed with music21 by "
    "permission, see its corpus/license.txt",
    "string-quartets": _MUSIC + "license.txt; the files name no licence, commercial use may be excluded",
    "trecento": _MUSIC + "license.txt; the files name no licence, some a copyright without a holder; commercial "
    "use may be excluded",
}
CORPORA = tuple(_TERMS)


class Corpus(Sequence):
    """The pieces of a corpus: a sequence of NoteSequence that are made when they are first asked for.

    Attributes
    ----------
    name : str
    provenance : dict of str to str
        Name, reference and terms of use.
    refused : list of (str, str)
        Source and reason of pieces that could not be used.
    """

    def __init__(self, pieces, name, refused):
        self._pieces, self.name, self.refused = pieces, name, list(refused)
        self.provenance = {"name": name, "reference": "corpus of music21", "terms": _TERMS[name]}

    def __len__(self):
        return len(self._pieces)

    def __getitem__(self, index):
        return self._pieces[index]

    def __repr__(self):
        return f"Corpus({self.name!r}, {len(self):,} pieces)"


def load_corpus(name, *, collection=None, limit=None, workers=None, cache=None, progress=True):
    """Pieces of a corpus that music21 brings along (see the table at the head of this module).

    The first call parses in several processes under a progress bar, on two free processors from half a minute
    (chorales) to several minutes (folk tunes), and keeps the notes; later calls only read them, in less than a
    second. With `limit` no more pieces are parsed than that takes.

    Parameters
    ----------
    name : str
        One of `CORPORA`.
    collection : str, optional
        One of those that the corpus is made of, as `meta["collection"]` names them: "Essen", "Ryan's Mammoth",
        "O'Neill's 1850", "Aird's Airs", "American fife" or "Northumbrian Minstrelsy" of folk; "Haydn", "Mozart",
        "Beethoven" or "Schumann" of string-quartets. Only it is parsed. Default: all of them.
    limit : int, optional
        Take the first so many pieces.
    workers : int, optional
        Processes for parsing. Default: one per processor; with a small `limit` none.
    cache : path-like, optional
        Folder of parsed notes. Default: `$MUSICGEN_CACHE`, else `musicgen` in the user's cache folder.
    progress : bool
        Show a progress bar on standard error while a whole corpus or collection is parsed.

    Returns
    -------
    Corpus
        A sequence of NoteSequence in the corpus's order. `meta` has title, source (the file in the corpus, and the
        tune in the file), genre, corpus, collection, and what the file tells of these: composer, region, kind (of
        dance or song), key, mode. `key` is there where the file states a tonic (in Essen the mode is then the one
        that fits better, see `estimate_key`). Where the file states no tempo or meter, `tempo` and `meter` tell
        what was assumed. Its `refused` lists (source, reason) of pieces that could not be used; a warning counts
        them.

    Raises
    ------
    InputError
        If there is no such corpus or collection, or `limit` is not positive.
    MissingDependencyError
        If music21 is not installed.
    """
    corpus = read_corpus(name, collection=collection, limit=limit, workers=workers, cache=cache, progress=progress)
    if corpus.refused:
        warnings.warn(f"{len(corpus.refused)} pieces of {name} could not be used, see `.refused`", stacklevel=2)
    return corpus


def read_corpus(name, *, collection=None, limit=None, workers=None, cache=None, progress=True):
    """As `load_corpus`, for callers that tell of `refused` themselves."""
    if name not in CORPORA:
        raise InputError(f"there is no corpus {name!r}", remedy=f"one of {', '.join(CORPORA)}")
    collections = corpus_files.collections_of(name)
    if collection not in (None, *collections):
        raise InputError(f"{name} has no collection {collection!r}", remedy=f"one of {', '.join(collections)}")
    if limit is not None and limit < 1:
        raise InputError(f"limit must be at least 1, not {limit}")
    folder, version = _music21_corpus()
    stored = Path(cache or _cache_folder()) / f"{name}-music21-{version}-{FORMAT_VERSION}.npz"
    if limit is None and collection is None:
        with files.one_at_a_time(f"corpus-{name}"):  # whoever waited while another parsed finds the cache
            pieces, refused = read_cache(stored) or _parsed_and_kept(name, folder, workers, stored, progress)
    elif (kept := read_cache(stored)) is None:
        pieces, refused = corpus_files.parse(name, folder, limit, workers, collection, progress=progress)
    else:
        pieces, refused = kept if collection is None else _of_collection(*kept, name, folder, collection)
    return Corpus(pieces[:limit] if limit else pieces, name, refused)


def _of_collection(pieces, refused, name, folder, collection):
    """What a cache holds of one collection."""
    sources = {unit.source for unit in corpus_files.units_of(name, folder, collection)}
    return pieces.of_collection(collection), [pair for pair in refused if pair[0] in sources]


def _parsed_and_kept(name, folder, workers, stored, progress):
    pieces, refused = corpus_files.parse(name, folder, None, workers, progress=progress)
    try:
        files.write_bytes(stored, packed(pieces, refused))
    except InputError as error:  # minutes of work are not thrown away for a full disk
        warnings.warn(f"{error}; without it the corpus is parsed anew each time: set MUSICGEN_CACHE", stacklevel=3)
    return pieces, refused


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
