"""The data sets that several benchmarks learn from."""

import shutil
from pathlib import Path

from common import ROOT

from musicgen.datasets import gtzan_recordings, load_corpus, load_folder
from musicgen.transcription import transcribe_folder


def pieces_of(name, data, *, scratch, limit=None, clips=None):
    """The pieces of a corpus, or of "clips", which are transcribed anew.

    Parameters
    ----------
    name : str
    data : path-like
        Folder that holds gtzan/, needed for the clips.
    scratch : str
        Name of the folder below out/ for their notes.
    limit, clips : int, optional
        Pieces of a corpus, and recordings, at most.

    Returns
    -------
    list of NoteSequence
    """
    if name != "clips":
        return list(load_corpus(name, limit=limit, workers=0 if limit else None))
    folder = ROOT / "out" / scratch / "midi"
    shutil.rmtree(folder, ignore_errors=True)
    recordings = gtzan_recordings(Path(data) / "gtzan")[:clips]
    transcribe_folder([recording.path for recording in recordings], folder, progress=False)
    return list(load_folder(folder))
