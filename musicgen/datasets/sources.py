"""Whatever the command line calls DATA: a folder of MIDI files or recordings, piano rolls, the name of a corpus."""

from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError
from ..notes import MIDI_SUFFIXES
from .corpora import CORPORA, read_corpus
from .folder import MidiFolder, load_folder, midi_paths
from .polyphonic import load_polyphonic
from .prepared import PreparedPieces, is_prepared


@dataclass
class Data:
    """Pieces taken from a source, what was refused of it as (path, reason), and the source's provenance."""

    pieces: list
    refused: list = field(default_factory=list)
    provenance: dict = field(default_factory=dict)


def open_data(source):
    """A source of pieces, without reading more of it than that takes.

    Parameters
    ----------
    source : path-like
        Folder with MIDI files, folder of prepared pieces, file of piano rolls (`.mat`, see `load_polyphonic`), or a
        name of `CORPORA`.

    Returns
    -------
    MidiFolder, PreparedPieces, Polyphonic or Corpus
        Each has `provenance` and `refused`; a MidiFolder knows all of `refused` once it was iterated over.

    Raises
    ------
    InputError
        If there is no such source.
    """
    path = Path(source)
    if not path.exists() and str(source) in CORPORA:
        return read_corpus(str(source))
    if path.suffix.lower() == ".mat":
        return load_polyphonic(path)
    if not path.is_dir():
        known = ", ".join(CORPORA)
        reason = "is no folder" if path.exists() else "does not exist"
        raise InputError(reason, path=path, remedy=f"give a folder, or a corpus: {known}")
    if is_prepared(path):
        return PreparedPieces(path)
    if not midi_paths(path):
        recordings_in(path)
        raise InputError(
            "holds recordings, not notes", path=path, remedy=f"first: musicgen transcribe {path} --out NOTES"
        )
    return load_folder(path)


def load_data(source, *, notes=None, workers=None, progress=True):
    """Pieces of a folder or corpus, in memory.

    Parameters
    ----------
    source : path-like
        As for `open_data`, prepared pieces excepted, or a folder with recordings (GTZAN or flat).
    notes : path-like, optional
        Where the transcriptions of recordings are written. Without it recordings are refused.
    workers : int, optional
        Processes for transcription.
    progress : bool

    Returns
    -------
    Data

    Raises
    ------
    InputError
        If there is no such source, or nothing in it can be used.
    """
    path = Path(source)
    if notes is not None and path.is_dir() and not midi_paths(path):
        found, earlier = _transcribed(path, notes, workers, progress), []
    else:
        found = open_data(source)
        earlier = list(getattr(found, "set_aside", ()))  # an earlier run's recordings, told by that run
    if isinstance(found, PreparedPieces):
        raise InputError("holds pieces that are prepared already", path=path, remedy="train on it as it is")
    pieces = list(found)
    if not pieces:
        reasons = "; ".join(f"{Path(path).name}: {reason}" for path, reason in found.refused[:3])
        raise InputError(f"none of its files can be used: {reasons}", path=source)
    return Data(pieces, [pair for pair in found.refused if pair not in earlier], found.provenance)


def recordings_in(path):
    """Recordings of a folder without MIDI files, see `transcription.find_recordings`.

    Raises
    ------
    InputError
        If it holds none either.
    """
    from ..transcription.recordings import RECORDING_SUFFIXES, find_recordings

    try:
        return find_recordings(path)
    except InputError as error:
        known = " ".join((*MIDI_SUFFIXES, *RECORDING_SUFFIXES))
        raise InputError(
            "holds neither MIDI files nor recordings", path=path, remedy=f"give a folder with files {known}"
        ) from error


def _transcribed(path, notes, workers, progress):
    from ..transcription import transcribe_folder

    recordings_in(path)
    report = transcribe_folder(path, notes, workers=workers, progress=progress)
    folder = load_folder(notes)
    return MidiFolder(folder.root, folder.paths, set_aside=report.refused, provenance=folder.provenance)
