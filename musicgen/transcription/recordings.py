"""Which recordings lie in a folder: genre, annotation, and a name that no two of them share."""

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError

#: Suffixes of the files that are taken from folders; a file named by itself may have any.
RECORDING_SUFFIXES = (
    *(".aac", ".aif", ".aiff", ".au", ".caf", ".flac", ".m4a", ".mp3"),
    *(".oga", ".ogg", ".opus", ".snd", ".w64", ".wav", ".wave", ".wma"),
)

_GTZAN_STEM = re.compile(r"([a-z]+)\.(\d{5})")


@dataclass(frozen=True)
class Recording:
    """One sound file: `path`; `name`, its relative path among those found with it; `genre`, the name of its
    sub-folder; `number` of a GTZAN clip; `beats` and `tempo`, the paths of its annotations. None stands for what
    there is not."""

    path: Path
    name: Path
    genre: str | None = None
    number: int | None = None
    beats: Path | None = None
    tempo: Path | None = None


def find_recordings(*paths):
    """Recordings among files and in folders, their sub-folders included.

    GTZAN is known in each of its layouts by ``<genre>/<genre>.NNNNN.<suffix>``, be it below ``genres``,
    ``Data/genres_original`` or anything else; its annotations are looked for in folders ``beats`` and ``tempo``
    beside that, or in mirdata's ``gtzan_tempo_beat-main``, as ``gtzan_<genre>_NNNNN.beats`` and ``.bpm``. Hidden
    files are left out.

    Parameters
    ----------
    *paths : path-like
        Sound files and folders.

    Returns
    -------
    list of Recording
        Sorted by name, each file once.

    Raises
    ------
    InputError
        If there is none.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "genres" / "blues" / "blues.00007.au"
    ...     path.parent.mkdir(parents=True)
    ...     path.touch()
    ...     (recording,) = find_recordings(folder)
    >>> recording.name.as_posix(), recording.genre, recording.number
    ('blues/blues.00007.au', 'blues', 7)
    """
    given = [Path(path) for path in paths]
    found = {Path(os.path.abspath(file)): file for path in given for file in _files(path)}
    if not found:
        raise InputError(
            "holds no recordings",
            path=", ".join(map(str, given)) or None,
            remedy=f"name sound files, or folders with {' '.join(RECORDING_SUFFIXES)}",
        )
    base = _base(given, found)
    return sorted((_recording(full, file, base) for full, file in found.items()), key=lambda item: item.name)


def midi_names(recordings):
    """A relative path with suffix .mid for each recording, all different.

    Examples
    --------
    >>> names = midi_names([Recording(Path(n), Path(n)) for n in ("a.wav", "b.wav", "b.mp3")])
    >>> [name.as_posix() for name in names]
    ['a.mid', 'b.wav.mid', 'b.mp3.mid']
    """
    short = [recording.name.with_suffix(".mid") for recording in recordings]
    full = [recording.name.with_name(recording.name.name + ".mid") for recording in recordings]
    uses = Counter(_folded(name) for name in short)
    reserved = {_folded(name) for name in full}
    unique = (uses[_folded(name)] == 1 and _folded(name) not in reserved for name in short)
    return [a if is_unique else b for a, b, is_unique in zip(short, full, unique, strict=True)]


def _folded(name):
    return name.as_posix().casefold()  # some file systems do not tell case


def _files(path):
    if not path.is_dir():
        return [path]
    files = (file for file in path.rglob("*") if file.suffix.lower() in RECORDING_SUFFIXES and file.is_file())
    return [file for file in files if not any(part.startswith(".") for part in file.relative_to(path).parts)]


def _base(given, found):
    """The folder that names are relative to: GTZAN's folder of genres, the only folder given, or the common one."""
    containers = {full.parent.parent if _gtzan_match(full) else None for full in found}
    if len(containers) == 1 and None not in containers:
        return containers.pop()
    if len(given) == 1 and given[0].is_dir():
        return Path(os.path.abspath(given[0]))
    return Path(os.path.commonpath([full.parent for full in found]))


def _gtzan_match(path):
    match = _GTZAN_STEM.fullmatch(path.stem)
    return match if match and match[1] == path.parent.name else None


def _recording(full, file, base):
    name, match = full.relative_to(base), _gtzan_match(full)
    if match:
        stem = f"gtzan_{match[1]}_{match[2]}"
        beats, tempo = _annotation(full, f"beats/{stem}.beats"), _annotation(full, f"tempo/{stem}.bpm")
        return Recording(file, name, match[1], int(match[2]), beats, tempo)
    return Recording(file, name, genre=name.parent.name or None)


def _annotation(path, name):
    places = [folder / part for folder in path.parents[1:4] for part in ("", "gtzan_tempo_beat-main")]
    return next((place / name for place in places if (place / name).is_file()), None)
