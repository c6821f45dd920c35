"""MIDI files in nested folders."""

import json
from pathlib import Path

from ..errors import InputError
from ..files import text_of
from ..midi import read_midi
from ..notes import MIDI_SUFFIXES
from ..transcription.folder import MANIFEST as TRANSCRIPTIONS


class MidiFolder:
    """Pieces of a folder, read one at a time, each time they are iterated over.

    Attributes
    ----------
    root : pathlib.Path
    paths : tuple of pathlib.Path
        The MIDI files, sorted.
    refused : list of (pathlib.Path, str)
        Recordings that could not be transcribed into the folder (`set_aside` holds these alone), and files that
        could not be used in the last iteration, with the reason.
    provenance : dict of str to str
        Name, reference and terms of the source.
    """

    def __init__(self, root, paths, *, drop_faulty=False, set_aside=(), provenance=None):
        self.root, self.paths, self._drop_faulty, self.set_aside = root, tuple(paths), drop_faulty, list(set_aside)
        self.refused, self.provenance = list(set_aside), dict(provenance or _provenance(root))

    def __iter__(self):
        self.refused = refused = list(self.set_aside)
        for path in self.paths:
            try:
                piece = self.read(path)
            except InputError as error:
                refused.append((path, error.reason))
                continue
            yield piece

    def read(self, path):
        """The piece of one of the paths.

        Raises
        ------
        InputError
            If the file cannot be used.
        """
        piece = read_midi(path, drop_faulty=self._drop_faulty)
        return piece.replace(meta=self._origin(path, piece.meta))

    def __repr__(self):
        return f"MidiFolder('{self.root}', {len(self.paths)} files)"

    def _origin(self, path, meta):
        """What the file itself does not tell."""
        name = path.relative_to(self.root)
        origin = {"title": path.stem, "source": name.as_posix(), "genre": name.parent.name}
        return {key: text_of(value) for key, value in origin.items() if value and not meta.get(key)}


def _provenance(root):
    name = text_of(Path(root).resolve().name)
    return {"name": name, "reference": "MIDI files of a folder", "terms": "those of the files"}


def load_folder(path, *, genres=None, drop_faulty=False):
    """MIDI files of a folder and its sub-folders, as pieces that are read when iterated over.

    Parameters
    ----------
    path : path-like
        Folder; files and folders whose names begin with a dot are left out.
    genres : collection of str, optional
        Take the files in sub-folders of these names only.
    drop_faulty : bool
        Leave out faulty notes instead of refusing the file, see `read_midi`.

    Returns
    -------
    MidiFolder
        Iterable of `NoteSequence`. Where a file does not tell, its name is the title, its path in the folder the
        source, and its sub-folder's name the genre. Files that `read_midi` refuses are passed over and listed in
        `refused`, as are recordings that could not be transcribed into the folder.

    Raises
    ------
    InputError
        If the folder is missing or holds no MIDI file, or its manifest of transcriptions is none.

    Examples
    --------
    >>> import tempfile
    >>> from musicgen import NoteSequence
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = NoteSequence([(0.0, 0.5, 60, 80, 0)]).save(Path(folder) / "jazz" / "one.mid")
    ...     [piece] = load_folder(folder)
    >>> piece.meta["genre"], piece.meta["title"]
    ('jazz', 'one')
    """
    root = Path(path)
    if not root.is_dir():
        reason = "is not a folder" if root.exists() else "does not exist"
        raise InputError(reason, path=path, remedy="name a folder of MIDI files")
    paths = midi_paths(root)
    if genres is not None:
        paths = [file for file in paths if file.parent.name in set(genres) and file.parent != root]
    if not paths:
        wanted = f" of genre {', '.join(sorted(genres))}" if genres is not None else ""
        raise InputError(f"holds no MIDI file{wanted}", path=path, remedy="transcribe recordings into it first")
    return MidiFolder(root, paths, drop_faulty=drop_faulty, set_aside=_not_transcribed(root, genres))


def midi_paths(root):
    """The MIDI files of a folder and its sub-folders, sorted; hidden ones are left out."""
    root = Path(root)
    return sorted(file for file in root.rglob("*") if file.suffix.lower() in MIDI_SUFFIXES and _is_listed(file, root))


def _not_transcribed(root, genres):
    """(name, reason) of the recordings that are refused in the manifest that transcription left in a folder."""
    try:
        lines = (root / TRANSCRIPTIONS).read_text(encoding="utf-8").split("\n")
        entries = {
            entry["file"]: entry for entry in map(json.loads, lines[:-1])
        }  # the last line may be cut by a kill
        refused = [entry for entry in entries.values() if entry["status"] == "refused"]
        found = [(Path(entry["source"]), str(entry["reason"])) for entry in refused]
        return [pair for pair in found if genres is None or pair[0].parent.name in set(genres)]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            "is no manifest of transcriptions that this musicgen can read",
            path=root / TRANSCRIPTIONS,
            remedy="delete it, or transcribe again",
        ) from error


def _is_listed(file, root):
    return file.is_file() and not any(part.startswith(".") for part in file.relative_to(root).parts)
