"""Whatever the command line calls DATA: a folder of MIDI files, a folder of recordings, the name of a corpus."""

from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError
from .corpora import CORPORA, load_corpus
from .folder import load_folder


@dataclass
class Data:
    """Pieces taken from a source, and what was refused: (path, reason)."""

    pieces: list
    refused: list = field(default_factory=list)


def load_data(source, *, notes=None, workers=None, progress=True):
    """Pieces of a folder or corpus.

    Parameters
    ----------
    source : path-like
        Folder with MIDI files, folder with recordings (GTZAN or flat), or a name of `CORPORA`.
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
        return Data(list(load_corpus(str(source))))
    if not path.is_dir():
        known = ", ".join(CORPORA)
        raise InputError("is no folder", path=path, remedy=f"give a folder, or a corpus: {known}")
    try:
        folder = load_folder(path)
    except InputError:
        return _transcribed(path, notes, workers, progress)
    return _used(folder, list(folder), folder.refused)


def _transcribed(path, notes, workers, progress):
    from ..transcription import find_recordings, transcribe_folder

    find_recordings(path)
    if notes is None:
        raise InputError(
            "holds recordings, not notes", path=path, remedy=f"first: musicgen transcribe {path} --out NOTES"
        )
    report = transcribe_folder(path, notes, workers=workers, progress=progress)
    folder = load_folder(notes)
    return _used(path, list(folder), report.refused + folder.refused)


def _used(source, pieces, refused):
    if not pieces:
        reasons = "; ".join(f"{Path(path).name}: {reason}" for path, reason in refused[:3])
        raise InputError(f"none of its files can be used: {reasons}", path=getattr(source, "root", source))
    return Data(pieces, list(refused))
