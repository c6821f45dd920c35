"""Encoded pieces on disk: plain .npy files, read through memory maps, so that training needs no memory for the data.

A prepared folder holds::

    codec.json          the codec that encoded everything
    shard-00000.npy     arrays of many pieces, one after another along the first axis
    shard-00000.json    where each piece lies in it, its meta, and the files that could not be used
    ...
    manifest.json       format version, codec, list of the shards with checksums; written last

A shard is written from a fixed part of the source and is there as a whole or not at all, so that a run that was
killed goes on with the shards that are missing, and ends with the same files.
"""

import hashlib
import inspect
import json
import math
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from .. import files
from ..codecs import codec_class, codec_from_config
from ..errors import InputError, MusicgenError
from ..notes import NoteSequence
from ..workers import map_files
from .folder import MidiFolder, load_folder, midi_paths
from .labels import labelled
from .prepared import CODEC, FORMAT_VERSION, MANIFEST, open_shard, read_json, shard_path
from .sources import load_data
from .summary import piece_facts

SHARD_BYTES = 2 << 20  # of MIDI files, or of notes in memory, per shard of tokens
SHARD_PIECES = 512


@dataclass
class PrepareReport:
    """What a run did: shards written (`done`), found up to date (`skipped`), pieces and notes in all of them, and
    (path, reason) of what could not be used (`refused`)."""

    out: Path
    done: list = field(default_factory=list)
    skipped: list = field(default_factory=list)
    pieces: int = 0
    notes: int = 0
    refused: list = field(default_factory=list)

    def __str__(self):
        shards = f"{len(self.done)} shards written, {len(self.skipped)} up to date"
        lines = [f"{self.pieces:,} pieces with {self.notes:,} notes; {shards}; {len(self.refused)} refused"]
        return "\n".join(lines + [f"refused {path}: {reason}" for path, reason in self.refused])


def prepare(data, out, *, codec="events", workers=None, progress=True, **options):
    """Encode pieces into a folder of shards, in several processes, with flat memory for folders of MIDI files.

    The run may be killed at any time and started again: finished shards are kept, and the folder is the same in the
    end. A second run on the same data changes nothing.

    Parameters
    ----------
    data : path-like or sequence of NoteSequence
        Folder of MIDI files, the name of a corpus, piano rolls (see `load_data`), or pieces.
    out : path-like
        Folder for the shards: new, empty, or of an earlier run with the same codec.
    codec : str
        Name of a codec, see `codecs.CODECS`.
    workers : int, optional
        Local processes, see `workers.map_files`. Default: one per processor.
    progress : bool
        Whether to show bars on stderr.
    **options
        Arguments of the codec. By default `events` and `pianoroll` learn tracks, `events` genres too, from the data.

    Returns
    -------
    PrepareReport

    Raises
    ------
    InputError
        If there is no such data or codec, no piece can be used, the disk is full, or `out` holds something else.

    Examples
    --------
    >>> import tempfile
    >>> scale = NoteSequence([(i / 2, i / 2 + 0.5, 60 + i, 80, 0) for i in range(8)], meta={"genre": "folk"})
    >>> from musicgen.datasets import PreparedPieces
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = prepare([scale], folder, codec="melody", resolution=1, progress=False)
    ...     pieces = PreparedPieces(folder)
    ...     pieces[0].tolist(), pieces.genre(0), len(pieces)
    ([60, 61, 62, 63, 64, 65, 66, 67], 'folk', 1)
    """
    family = codec_class(codec)
    _check_options(family, options)
    out, source = Path(out), _source(data)
    with files.locked(out):
        files.remove_temporaries(out, (".npy", ".json"))
        _check_place(out)
        work = {"workers": workers, "progress": progress}
        config = {"codec": codec, **family.for_data(_outlines(source, family, **work), **options).get_config()}
        _claim(out, config)
        jobs = list(enumerate(_groups(source.items, codec_from_config(config))))
        report, shards = PrepareReport(out), {}
        task = partial(_write_shard, out, config, replace(source, items=(), refused=[]))
        for outcome in map_files(task, jobs, unit="shard", **work):
            number, written, entry = _result(outcome)
            shards[number] = entry
            (report.done if written else report.skipped).append(shard_path(out, number, ".npy"))
        _finish(report, config, [shards[number] for number in sorted(shards)], source)
    return report


def _check_options(family, options):
    """Refuse wrong options before anything is read."""
    try:
        family.for_data([], **options)
    except TypeError as error:
        known = ", ".join(inspect.signature(family).parameters)
        raise InputError(
            f"codec {family.name!r} cannot be made with {', '.join(options)}: {error}", remedy=f"it has {known}"
        ) from error


# ---- where pieces come from


@dataclass
class _Source:
    """Items; `read` gives the piece of one, `name` what it is called in the index."""

    items: list
    read: object
    name: object
    refused: list = field(default_factory=list)
    provenance: dict = field(default_factory=dict)


def _source(data):
    if not isinstance(data, (str, Path)):
        return _Source([_checked_piece(piece, index) for index, piece in enumerate(data)], _itself, _title)
    if Path(data).is_dir() and midi_paths(data):
        folder = load_folder(data)
        reader, name = MidiFolder(folder.root, ()), partial(_relative, folder.root)
        return _Source(folder.paths, reader.read, name, provenance=folder.provenance)
    found = load_data(data)
    return _Source(found.pieces, _itself, _title, found.refused, found.provenance)


def _checked_piece(piece, index):
    if not isinstance(piece, NoteSequence):
        raise InputError(f"data[{index}] must be a NoteSequence, not {type(piece).__name__}")
    return piece


def _itself(piece):
    return piece


def _groups(items, codec=None):
    """Items in the order given, cut into parts of about `SHARD_BYTES`; fewer where a codec's steps are large."""
    limit = SHARD_BYTES // max(1, math.prod(codec.shape) // 16 if codec else 1)
    groups, size = [], limit
    for item in items:
        if size >= limit or len(groups[-1]) >= SHARD_PIECES:
            groups.append([])
            size = 0
        groups[-1].append(item)
        size += item.notes.nbytes if isinstance(item, NoteSequence) else item.stat().st_size
    return groups


def _title(piece):
    return piece.meta.get("source") or piece.meta.get("title", "")


def _relative(root, path):
    return files.text_of(path.relative_to(root).as_posix())


def _digest(item):
    """SHA-256 of all that is encoded of a piece, or of its file."""
    if not isinstance(item, NoteSequence):
        return files.file_sha256(item)
    timing, rest = item.timing, [item.tracks, item.duration, dict(item.meta)]
    rest += [timing.quarters_per_beat, timing.meters]
    content = item.notes.tobytes() + timing.beats.tobytes() + json.dumps(rest).encode()
    return hashlib.sha256(content).hexdigest()


def _outlines(source, family, **work):
    """Tracks and genre of all pieces, for a codec that learns from them."""
    if not family.learns:
        return
    for outcome in map_files(partial(_outline, source.read), _groups(source.items), unit="part read", **work):
        yield from _result(outcome)


def _outline(read, group):
    found = []
    for item in group:
        try:
            piece = read(item)
        except InputError:  # told when it is encoded
            continue
        found.append(NoteSequence((), piece.tracks, meta={"genre": piece.meta.get("genre", "")}))
    return found


def _result(outcome):
    if outcome.error is not None:
        raise outcome.error
    return outcome.result


# ---- the folder


def _check_place(out):
    """Refuse a folder with something else in it, or of another format version."""
    found = {path.name for path in out.iterdir() if path.name != files.LOCK}
    if MANIFEST in found:
        read_json(out / MANIFEST, version=FORMAT_VERSION)
    elif found and CODEC not in found:
        raise InputError(
            f"is there already and holds {sorted(found)[0]}, no prepared pieces", path=out, remedy="use a new folder"
        )


def _claim(out, config):
    """Note the codec, or compare it with the one noted."""
    path = out / CODEC
    if not path.exists():
        files.write_text(path, json.dumps(config, indent=2) + "\n")
        return
    earlier = read_json(path)
    if earlier != json.loads(json.dumps(config)):
        differing = sorted(key for key in {*earlier, *config} if earlier.get(key) != config.get(key))
        raise InputError(
            f"holds pieces of another codec: {', '.join(differing)} differ",
            path=out,
            remedy="choose another folder, or delete this one to encode all again",
        )


def _write_shard(out, config, source, job):
    """Number, whether it was written, and the index of one shard."""
    number, group = job
    inputs = [FORMAT_VERSION, config, [[source.name(item), _digest(item)] for item in group]]
    inputs = hashlib.sha256(json.dumps(inputs).encode()).hexdigest()
    earlier = _up_to_date(out, number, inputs)
    if earlier is not None:
        return number, False, earlier
    codec, path = codec_from_config(config), shard_path(out, number, ".npy")
    pieces, refused = [], []
    with files.atomic_path(path) as temporary, open(temporary, "wb") as handle:
        rows = _Rows(handle, storage_dtype(codec), codec.shape)
        for item in group:
            try:
                piece = source.read(item)
                array = codec.encode(labelled(piece))
            except InputError as error:
                refused.append([source.name(item), _reason(error)])
                continue
            pieces.append(_entry(piece, rows.length, len(array)))
            rows.append(array)
        rows.close()
    index = {"inputs": inputs, "sha256": files.file_sha256(path), "length": rows.length}
    index |= {"pieces": pieces, "refused": refused}
    files.write_text(shard_path(out, number, ".json"), json.dumps(index, ensure_ascii=False) + "\n")
    return number, True, _summary(index)


def _up_to_date(out, number, inputs):
    """The summary of a shard that an earlier run finished from the same inputs; None if there is none."""
    try:
        index = read_json(shard_path(out, number, ".json"))
        open_shard(shard_path(out, number, ".npy"), index["length"])
    except (MusicgenError, KeyError):
        return None
    return _summary(index) if index.get("inputs") == inputs else None


def _reason(error):
    return str(InputError(error.reason, remedy=error.remedy))


def _entry(piece, start, length):
    return {"start": start, "length": length, **piece_facts(piece)}


def _summary(index):
    """What the manifest tells of a shard."""
    pieces = index["pieces"]
    return {
        "sha256": index["sha256"],
        "length": index["length"],
        "pieces": len(pieces),
        "notes": sum(piece["notes"] for piece in pieces),
        "refused": index["refused"],
    }


def _finish(report, config, shards, source):
    """Count, write the manifest, remove the shards of an earlier, longer run."""
    report.done.sort()
    report.skipped.sort()
    for shard in shards:
        report.refused += [tuple(pair) for pair in shard.pop("refused")]
        report.pieces += shard["pieces"]
        report.notes += shard["notes"]
    report.refused += source.refused
    if not report.pieces:
        reasons = "; ".join(f"{path}: {reason}" for path, reason in report.refused[:2])
        raise InputError(f"no piece can be encoded: {reasons}", path=report.out)
    content = {
        "format_version": FORMAT_VERSION,
        "codec": config,
        "provenance": source.provenance,
        "pieces": report.pieces,
        "notes": report.notes,
        "refused": report.refused,
        "shards": shards,
    }
    files.write_text(report.out / MANIFEST, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    for path in report.out.glob("shard-*.*"):
        number = path.stem.removeprefix("shard-")
        if number.isdigit() and int(number) >= len(shards):
            path.unlink()


def storage_dtype(codec):
    """The smallest dtype that holds what a codec encodes."""
    return np.dtype(codec.dtype) if codec.shape else np.min_scalar_type(codec.vocab_size - 1)


class _Rows:
    """An .npy file that grows: its header has room for any length, and is written again at the end."""

    def __init__(self, handle, dtype, shape):
        self.length, self._handle, self._dtype, self._shape = 0, handle, dtype, shape
        self._write_header()

    def append(self, array):
        self._handle.write(np.ascontiguousarray(array, self._dtype).tobytes())
        self.length += len(array)

    def close(self):
        self._handle.seek(0)
        self._write_header()

    def _write_header(self):
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self.length, *self._shape),
        }
        np.lib.format.write_array_header_1_0(self._handle, header)
