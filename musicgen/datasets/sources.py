"""Whatever the command line calls DATA: a folder of MIDI files or recordings, piano rolls, the name of a corpus."""

from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError
from ..notes import MIDI_SUFFIXES
from .corpora import CORPORA, load_corpus
from .folder import load_folder
from .polyphonic import load_polyphonic


@dataclass
class Data:
    """Pieces taken from a source, what was refused as (path, reason), and the source's provenance."""

    pieces: list
    refused: list = field(default_factory=list)
    provenance: dict = field(default_factory=dict)


def load_data(source, *, notes=None, workers=None, progress=True):
    """Pieces of a folder or corpus.

    Parameters
    ----------
    source : path-like
        Folder with MIDI files, folder with recordings (GTZAN or flat), file of piano rolls (`.mat`, see
        `load_polyphonic`), or a name of `CORPORA`.
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
    if not path.exists() and str(source) in CORPORA:
        return _used(source, load_corpus(str(source)))
    if path.suffix.lower() == ".mat":
        return _used(source, load_polyphonic(path))
    if not path.is_dir():
        known = ", ".join(CORPORA)
        reason = "is no folder" if path.exists() else "does not exist"
        raise InputError(reason, path=path, remedy=f"give a folder, or a corpus: {known}")
    try:
        folder = load_folder(path)
    except InputError:
        return _transcribed(path, notes, workers, progress)
    return _used(path, folder)


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
    if notes is None:
        raise InputError(
            "holds recordings, not notes", path=path, remedy=f"first: musicgen transcribe {path} --out NOTES"
        )
    report = transcribe_folder(path, notes, workers=workers, progress=progress)
    return _used(path, load_folder(notes), report.refused)


def _used(source, found, refused=()):
    pieces = list(found)
    refused = [*refused, *found.refused]
    if not pieces:
        reasons = "; ".join(f"{Path(path).name}: {reason}" for path, reason in refused[:3])
        raise InputError(f"none of its files can be used: {reasons}", path=source)
    return Data(pieces, refused, found.provenance)
