"""GTZAN: clips of 30 s in ten genres (Tzanetakis and Cook, "Musical genre classification of audio signals", 2002).

Its faults (repetitions, mislabellings, distortions) are listed by Sturm, "The state of the art ten years after a
state of the art" (2014); `split="fault-filtered"` leaves them out and keeps artists on one side.
"""

from importlib import resources
from typing import NamedTuple

from ..errors import InputError
from ..midi import read_midi
from ..transcription import find_recordings, transcribe_folder
from .folder import MidiFolder, load_folder
from .splits import duplicate_key
from .splits import split as split_seeded

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


class GtzanSplit(NamedTuple):
    """The parts of a split of GTZAN, each a MidiFolder or None where it holds no clip."""

    train: MidiFolder | None
    validation: MidiFolder | None
    test: MidiFolder | None


def load_gtzan(root, out, *, split=None, seed=0, genres=None, workers=None, progress=True, **options):
    """Transcribe GTZAN into a folder, or go on where an earlier run stopped, and load its pieces.

    Parameters
    ----------
    root : path-like
        See `gtzan_recordings`.
    out : path-like
        Folder for the MIDI files, one sub-folder per genre, and the manifest (see `transcribe_folder`). Clips that
        are there already are not transcribed again.
    split : "fault-filtered" or three floats, optional
        "fault-filtered": the published 443, 197 and 290 clips of `gtzan_split`. Three fractions that sum to 1: a
        split by clip at random, copies of a clip on one side. Default: no split.
    seed : int
        Of the split at random.
    genres : collection of str, optional
        Some of `GENRES`. Default: all.
    workers, progress
        See `transcribe_folder`.
    **options
        `scheduler`, `fallback_bpm` and the settings of `transcribe`.

    Returns
    -------
    MidiFolder or GtzanSplit
        Iterable of `NoteSequence`, or three of them. Clips that could not be transcribed (one, jazz.00054, cannot be
        decoded in the usual copy) are in `refused` with the reason.

    Raises
    ------
    InputError
        As `gtzan_recordings`, if no clip could be transcribed, or if there is no such split.
    """
    if isinstance(split, str):
        gtzan_split(split)  # refused before hours of work
    paths = [clip.path for clip in gtzan_recordings(root, genres=genres)]
    report = transcribe_folder(paths, out, workers=workers, progress=progress, **options)
    written = {path.resolve() for path in report.done + report.skipped}
    found = [path for path in load_folder(out, genres=genres).paths if path.resolve() in written]
    parts = [found] if split is None else _parts(found, split, seed)
    folders = [_folder(out, part, report.refused) for part in parts]
    return folders[0] if split is None else GtzanSplit(*folders)


def gtzan_split(name="fault-filtered"):
    """A published split of GTZAN by clip.

    Parameters
    ----------
    name : {"fault-filtered"}
        That of Kereliuk, Sturm and Larsen (2015): no repetitions, no distorted or mislabelled clips, no artist on
        two sides.

    Returns
    -------
    dict of str to str
        "train", "validation" or "test" by clip, as in ``{"blues.00029": "train", ...}``; other clips are left out.

    Raises
    ------
    InputError
        If there is no split of this name.

    Examples
    --------
    >>> from collections import Counter
    >>> sorted(Counter(gtzan_split().values()).items())
    [('test', 290), ('train', 443), ('validation', 197)]
    """
    if name != "fault-filtered":
        raise InputError(f"there is no split {name!r}", remedy="'fault-filtered', or three fractions that sum to 1")
    text = resources.files(__package__).joinpath("gtzan_fault_filtered.txt").read_text(encoding="utf-8")
    rows = (line.split() for line in text.splitlines() if not line.startswith("#"))
    return {clip: part for part, clip in rows}


def _parts(paths, split, seed):
    if not isinstance(split, str):
        if len(tuple(split)) != 3:
            raise InputError(f"split must be 'fault-filtered' or three fractions, not {split!r}")
        return split_seeded(paths, split, seed=seed, group=lambda path: duplicate_key(read_midi(path)))
    part_of = gtzan_split(split)
    return [[path for path in paths if part_of.get(path.stem) == part] for part in GtzanSplit._fields]


def _folder(out, paths, refused):
    return MidiFolder(out, paths, set_aside=refused, provenance=_PROVENANCE) if paths else None


_PROVENANCE = {
    "name": "GTZAN",
    "reference": "Tzanetakis and Cook, IEEE Transactions on Speech and Audio Processing 10(5), 2002",
    "terms": "no licence given: research only, never redistributed",
}
