"""SoundFont files, checked before a synthesiser sees them.

Synthesisers are C libraries that trust a file's tables: an index beyond its table can end the process. Here every
count, index and sample range is compared with what the file holds (SoundFont Technical Specification 2.04, §4 to §7).
"""

import itertools
import os
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .errors import InputError

_NAME = ("name", "S20")
_ZONE = np.dtype([("generators", "<u2"), ("modulators", "<u2")])
_MODULATOR = np.dtype([("fields", "<u2", 5)])
_GENERATOR = np.dtype([("operator", "<u2"), ("amount", "<u2")])
_PRESET = np.dtype([_NAME, ("program", "<u2"), ("bank", "<u2"), ("zones", "<u2"), ("unused", "<u4", 3)])
_INSTRUMENT = np.dtype([_NAME, ("zones", "<u2")])
_SAMPLE = np.dtype(
    [
        _NAME,
        *((name, "<u4") for name in ("start", "end", "loop_start", "loop_end", "rate")),
        ("pitch", "u1"),
        ("correction", "i1"),
        ("link", "<u2"),
        ("kind", "<u2"),
    ]
)
#: The tables of a SoundFont; each ends with a terminal record.
_TABLES = {
    b"phdr": _PRESET,
    b"pbag": _ZONE,
    b"pmod": _MODULATOR,
    b"pgen": _GENERATOR,
    b"inst": _INSTRUMENT,
    b"ibag": _ZONE,
    b"imod": _MODULATOR,
    b"igen": _GENERATOR,
    b"shdr": _SAMPLE,
}
_PLAYS_INSTRUMENT, _PLAYS_SAMPLE = 41, 53  # generator operators
_ROM, _COMPRESSED = 0x8000, 0x10  # bits of a sample's kind
_DRUM_BANK = 128


class SoundFont(NamedTuple):
    """A checked SoundFont: its path, its bytes, and the (bank, program) pairs it can play, in ascending order."""

    path: Path
    data: bytes
    presets: tuple

    def preset(self, track):
        """The (bank, program) for a track, with a warning where another instrument must take its part."""
        bank = _DRUM_BANK if track.drum else 0
        if (bank, track.program) in self.presets:
            return bank, track.program
        if track.drum and (bank, 0) in self.presets:  # General MIDI has one kit; others are a maker's extra
            return bank, 0
        wanted = "drums" if track.drum else f"program {track.program}"
        warnings.warn(
            f"{self.path}: no {wanted} in this SoundFont, preset {self.presets[0]} plays instead", stacklevel=2
        )
        return self.presets[0]

    def refused(self, by):
        """The error for a file that passes every check here and is still refused by a synthesiser."""
        return InputError(f"{by} cannot load this SoundFont", path=self.path, remedy=_REMEDY)


_REMEDY = "download the file again, or leave soundfont out to use TimGM6mb"


def default_soundfont():
    """Path of TimGM6mb.sf2, which pretty_midi brings."""
    return Path(find_spec("pretty_midi").origin).parent / "TimGM6mb.sf2"


def read_soundfont(path):
    """Read and check a SoundFont 2 or 3 file.

    Parameters
    ----------
    path : path-like
        `.sf2` or `.sf3`.

    Returns
    -------
    SoundFont

    Raises
    ------
    InputError
        If the file cannot be read, is no SoundFont, or is damaged.

    Examples
    --------
    >>> font = read_soundfont(default_soundfont())
    >>> len(font.presets), (0, 0) in font.presets
    (136, True)
    """
    path = Path(os.fspath(path))
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"the SoundFont cannot be read: {error.strerror}", path=path, remedy=_REMEDY) from error
    if data[:4] != b"RIFF" or data[8:12] != b"sfbk":
        raise InputError("not a SoundFont (it does not begin with RIFF and sfbk)", path=path, remedy=_REMEDY)
    try:
        presets = _checked_presets(data)
    except _DamagedError as error:
        raise InputError(f"damaged SoundFont: {error}", path=path, remedy=_REMEDY) from error
    return SoundFont(path, data, presets)


class _DamagedError(Exception):
    """What is wrong inside a file; `read_soundfont` adds where."""


def _require(holds, complaint):
    if not holds:
        raise _DamagedError(complaint)


def _checked_presets(data):
    chunks = _all_chunks(data)
    tables = {name: _table(data, chunks, name, dtype) for name, dtype in _TABLES.items()}
    _check_zones(tables, b"phdr", b"pbag", b"pmod", b"pgen")
    _check_zones(tables, b"inst", b"ibag", b"imod", b"igen")
    _check_targets(tables[b"pgen"], _PLAYS_INSTRUMENT, len(tables[b"inst"]) - 1, "instrument")
    _check_targets(tables[b"igen"], _PLAYS_SAMPLE, len(tables[b"shdr"]) - 1, "sample")
    begin, end = chunks.get(b"smpl", (0, 0))
    _check_samples(tables[b"shdr"][:-1], end - begin)
    presets = tables[b"phdr"][:-1]
    return tuple(sorted(set(zip(presets["bank"].tolist(), presets["program"].tolist(), strict=True))))


def _all_chunks(data):
    """Name to (begin, end) of every leaf chunk, lists opened."""
    _require(int.from_bytes(data[4:8], "little") + 8 <= len(data), "the file is cut short")
    leaves = {}
    for name, begin, end in _chunks(data, 12, int.from_bytes(data[4:8], "little") + 8):
        inner = _chunks(data, begin + 4, end) if name == b"LIST" else [(name, begin, end)]
        leaves.update({leaf: (first, last) for leaf, first, last in inner})
    return leaves


def _chunks(data, begin, end):
    while begin + 8 <= end:
        size = int.from_bytes(data[begin + 4 : begin + 8], "little")
        _require(begin + 8 + size <= end, f"chunk {data[begin : begin + 4]!r} reaches beyond its list")
        yield data[begin : begin + 4], begin + 8, begin + 8 + size
        begin += 8 + size + size % 2


def _table(data, chunks, name, dtype):
    _require(name in chunks, f"table {name.decode()} is missing")
    begin, end = chunks[name]
    size = end - begin
    _require(
        size and size % dtype.itemsize == 0, f"table {name.decode()} has {size} bytes, no multiple of its records"
    )
    return np.frombuffer(data, dtype, size // dtype.itemsize, begin)


def _check_zones(tables, owners, zones, modulators, generators):
    """Every owner's zones, and every zone's generators and modulators, are runs inside the next table."""
    _require(len(tables[owners]) > 1, f"table {owners.decode()} is empty")
    links = [
        (owners, "zones", zones),
        (zones, "generators", generators),
        (zones, "modulators", modulators),
    ]
    for source, field, target in links:
        index = tables[source][field].astype(np.int64)
        _require(np.all(np.diff(index) >= 0), f"indices of table {source.decode()} run backwards")
        _require(index[-1] < len(tables[target]), f"table {source.decode()} points beyond table {target.decode()}")


def _check_targets(generators, operator, count, what):
    amounts = generators["amount"][generators["operator"] == operator]
    _require(np.all(amounts < count), f"{what} {amounts.max(initial=0)} is named, {count} are there")


def _check_samples(samples, size):
    """Sample ranges lie in the `size` bytes of sample data; compressed ones count bytes, others 16-bit frames."""
    samples = samples[(samples["kind"] & _ROM) == 0]
    limit = np.where(samples["kind"] & _COMPRESSED, size, size // 2)
    _require(
        np.all((samples["start"] <= samples["end"]) & (samples["end"] <= limit)), "a sample lies outside the data"
    )
    plain = samples[(samples["kind"] & _COMPRESSED) == 0]
    for first, last in itertools.pairwise(("loop_start", "loop_end")):
        _require(
            np.all(plain[first] <= plain[last]) & np.all(plain[last] <= size // 2), "a loop lies outside the data"
        )
