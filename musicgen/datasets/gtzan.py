"""GTZAN: clips of 30 s in ten genres (Tzanetakis and Cook, "Musical genre classification of audio signals", 2002)."""

from ..errors import InputError
from ..transcription import find_recordings, transcribe_folder
from .folder import load_folder

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")


def gtzan_recordings(root, *, genres=None):
    """The clips of a copy of GTZAN, in any of its layouts.

    Parameters
    ----------
    root : path-like
        Holds ``genres/<genre>/*.au`` or ``.wav``, or ``Data/genres_original/<genre>/*.wav``; or one of the folders
        on the way. Annotations are used from a folder ``beats`` beside (``gtzan_<genre>_NNNNN.beats``).
    genres : collection of str, optional
        Some of `GENRES`. Default: all that are there.

    Returns
    -------
    list of musicgen.transcription.Recording
        Each with path, name, genre, number, and beats (a path or None).

    Raises
    ------
    InputError
        If `genres` names an unknown one, or the root holds no clip of them.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     clip = pathlib.Path(root, "Data", "genres_original", "jazz", "jazz.00054.wav")
    ...     clip.parent.mkdir(parents=True)
    ...     clip.touch()
    ...     [recording] = gtzan_recordings(root)
    >>> recording.genre, recording.number, recording.beats
    ('jazz', 54, None)
    """
    wanted = set(GENRES if genres is None else genres)
    if unknown := sorted(wanted - set(GENRES)):
        raise InputError(f"unknown genre {', '.join(unknown)}", remedy=f"some of {', '.join(GENRES)}")
    clips = [clip for clip in find_recordings(root) if clip.number is not None and clip.genre in wanted]
    if not clips:
        raise InputError(
            f"holds no clip of {', '.join(sorted(wanted))}",
            path=root,
            remedy="name the folder that holds genres/ or Data/genres_original/",
        )
    return clips


def load_gtzan(root, out, *, genres=None, workers=None, progress=True, **options):
    """Transcribe GTZAN into a folder, or go on where an earlier run stopped, and load its pieces.

    Parameters
    ----------
    root : path-like
        See `gtzan_recordings`.
    out : path-like
        Folder for the MIDI files, one sub-folder per genre, and the manifest (see `transcribe_folder`). Clips that
        are there already are not transcribed again.
    genres : collection of str, optional
        Some of `GENRES`. Default: all.
    workers, progress
        See `transcribe_folder`.
    **options
        `fallback_bpm` and the settings of `transcribe`.

    Returns
    -------
    MidiFolder
        Iterable of `NoteSequence`; clips that could not be transcribed are in the manifest with the reason.

    Raises
    ------
    InputError
        As `gtzan_recordings`, or if no clip could be transcribed.
    """
    paths = [clip.path for clip in gtzan_recordings(root, genres=genres)]
    transcribe_folder(paths, out, workers=workers, progress=progress, **options)
    return load_folder(out, genres=genres)
