"""Reading prepared pieces: see `shards`, which writes them."""

import copy
import json
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..codecs import codec_from_config
from ..errors import CheckpointError
from ..files import file_sha256
from ..timing import Timing

FORMAT_VERSION = 4  # raise it when what is encoded or the files change
MANIFEST, CODEC = "manifest.json", "codec.json"
OPEN_SHARDS = 4  # at a time; a map that is closed gives its memory back
_ROW = np.dtype(
    [(name, "i8") for name in ("shard", "place", "start", "length", "notes", "genre")]
    + [("seconds", "f8"), ("copies", "u8")]
)


class PreparedPieces(Sequence):
    """Encoded pieces of a folder that `prepare` wrote.

    An item is the array of one piece, a read-only part of a memory-mapped file: only what is looked at is read.

    Parameters
    ----------
    path : path-like

    Attributes
    ----------
    codec : Codec
        The one that encoded the pieces; ``codec.decode(pieces[0])`` is the first piece.
    provenance : dict
        Name, reference and terms of the source.
    refused : list of (str, str)
        What of the source could not be encoded, and why.

    Raises
    ------
    CheckpointError
        If the folder is incomplete, damaged, or of another format version.
    """

    def __init__(self, path):
        self.path = Path(path)
        manifest = _read_manifest(self.path)
        try:
            self.codec, self.provenance = codec_from_config(manifest["codec"]), manifest["provenance"]
            self.refused = [tuple(pair) for pair in manifest["refused"]]
            self._sums = [shard["sha256"] for shard in manifest["shards"]]
            lengths = [shard["length"] for shard in manifest["shards"]]
            self._labels, self._table = self._indexed(len(lengths), manifest["pieces"])
        except (KeyError, TypeError, IndexError) as error:
            raise _damaged(self.path, f"its manifest or an index lacks {error}") from error
        self._open = lru_cache(OPEN_SHARDS)(lambda n: open_shard(shard_path(self.path, n, ".npy"), lengths[n]))
        self._index = lru_cache(2)(lambda n: read_json(shard_path(self.path, n, ".json")))

    def _indexed(self, shards, pieces):
        labels, table, row = {}, np.zeros(pieces, _ROW), 0
        for shard in range(shards):
            for place, piece in enumerate(read_json(shard_path(self.path, shard, ".json"))["pieces"]):
                genre = labels.setdefault(piece["meta"].get("genre", ""), len(labels))
                facts = (piece[name] for name in ("start", "length", "notes"))
                table[row] = (shard, place, *facts, genre, piece["seconds"], int(piece["duplicate_key"], 16))
                row += 1
        if row != pieces:
            raise IndexError(f"{pieces - row} pieces")
        return list(labels), table

    def __len__(self):
        return len(self._table)

    def __getitem__(self, index):
        row = self._table[index]
        if row.ndim:
            return self.subset(np.arange(len(self))[index])
        return self._open(int(row["shard"]))[row["start"] : row["start"] + row["length"]]

    def __eq__(self, other):
        return self is other

    __hash__ = None

    def __repr__(self):
        return f"PreparedPieces('{self.path}', {len(self):,} pieces, codec {self.codec.name})"

    @property
    def lengths(self):
        """Length of every array: int64, shape (n_pieces,)."""
        return self._table["length"].copy()

    def meta(self, index):
        """Title, genre, source and what else is known of one piece."""
        row = self._table[index]
        return dict(self._index(int(row["shard"]))["pieces"][row["place"]]["meta"])

    def genre(self, index):
        """Genre of one piece; "" if it has none."""
        return self._labels[self._table["genre"][index]]

    @property
    def duplicate_keys(self):
        """What each piece shares with its copies alone, see `datasets.duplicate_key`: list of str."""
        return [f"{key:016x}" for key in self._table["copies"].tolist()]

    def piece_facts(self):
        """What each piece was before it was encoded, one dict after another (see `summary.piece_facts`)."""
        for row in self._table:
            yield dict(self._index(int(row["shard"]))["pieces"][row["place"]])

    def timings(self):
        """Of each piece an even `Timing` with its bars and median tempo, one after another."""
        for facts in self.piece_facts():
            position, quarters_per_beat, meters = facts["grid"]
            beat = 60.0 / facts["bpm"]
            yield Timing([-position * beat, (1 - position) * beat], quarters_per_beat, tuple(map(tuple, meters)))

    def subset(self, indices):
        """Some of the pieces, in the order given, as another `PreparedPieces`.

        Parameters
        ----------
        indices : sequence of int

        Returns
        -------
        PreparedPieces
        """
        part = copy.copy(self)
        part._table = self._table[np.asarray(indices, dtype=np.int64)]
        return part

    def facts(self):
        """Pieces, notes, hours and genres, without reading any piece."""
        genres = Counter(self._table["genre"].tolist())
        return {
            "pieces": len(self),
            "notes": int(self._table["notes"].sum()),
            "hours": round(float(self._table["seconds"].sum()) / 3600, 4),
            "genres": {self._labels[label]: count for label, count in genres.items() if self._labels[label]},
        }

    def verify(self):
        """Read every file and compare it with its checksum.

        Raises
        ------
        CheckpointError
            If one has changed since it was written.
        """
        for number, expected in enumerate(self._sums):
            path = shard_path(self.path, number, ".npy")
            if file_sha256(path) != expected:
                raise _damaged(path, "does not match its sha256 in the manifest")


def is_prepared(path):
    """Whether a folder is one that `prepare` wrote, finished or not."""
    path = Path(path)
    if (path / "config.json").is_file():  # a composer has a codec too
        return False
    return (path / MANIFEST).is_file() or (path / CODEC).is_file()


def shard_path(folder, number, suffix):
    """File of a shard: ".npy" has the arrays, ".json" the index."""
    return Path(folder) / f"shard-{number:05}{suffix}"


def open_shard(path, length):
    """The memory-mapped array of a shard, after checking that it is whole.

    Raises
    ------
    CheckpointError
        If it is missing, cut off, or of another length.
    """
    try:
        rows = np.load(path, mmap_mode="r" if length else None, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(path, f"cannot be opened: {error}") from error
    if len(rows) != length:
        raise _damaged(path, f"has {len(rows)} rows, its index tells {length}")
    return rows


def read_json(path, *, version=None):
    """An object from a JSON file, of a format version where one is given.

    Raises
    ------
    CheckpointError
        If it is missing, no JSON object, or of another version.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise _damaged(path, "is missing") from error
    except (OSError, ValueError) as error:
        raise _damaged(path, f"is no readable JSON: {error}") from error
    if not isinstance(content, dict):
        raise _damaged(path, "holds no JSON object")
    if version is not None and content.get("format_version") != version:
        raise CheckpointError(
            f"has format version {content.get('format_version')!r}, this musicgen knows {version}",
            path=path,
            remedy="prepare the data again into another folder, or use the musicgen that wrote this one",
        )
    return content


def _read_manifest(folder):
    if (folder / CODEC).is_file() and not (folder / MANIFEST).is_file():
        raise CheckpointError(
            "is not finished: it has no manifest", path=folder, remedy="run the same musicgen prepare again"
        )
    return read_json(folder / MANIFEST, version=FORMAT_VERSION)


def _damaged(path, reason):
    return CheckpointError(reason, path=path, remedy="run musicgen prepare on the data again")
