"""Piano rolls of the polyphonic benchmark (Boulanger-Lewandowski, Bengio and Vincent, "Modeling temporal dependencies
in high-dimensional sequences", ICML 2012), as MATLAB files with a split of their own.

A file holds `traindata`, `validdata` and `testdata`, each a cell of 0/1 arrays of shape (steps, 88), key 0 being MIDI
pitch 21. The rolls do not tell a repeated note from a held one.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import InputError, missing_dependency
from ..metrics.measures import true_runs
from ..notes import NOTE_DTYPE, NoteSequence
from ..timing import Timing

LOWEST_PITCH, N_PITCHES = 21, 88
_PARTS = {"train": "traindata", "validation": "validdata", "test": "testdata"}
_REMEDY = "give a file such as JSB_Chorales.mat or Nottingham.mat"
_VELOCITY = 80


class Rolls(NamedTuple):
    """Lists of bool arrays of shape (steps, 88): `train`, `validation`, `test`."""

    train: list
    validation: list
    test: list


class Polyphonic(list):
    """A list of NoteSequence with the benchmark's own split, lists `train`, `validation` and `test`, with
    `provenance` and with (source, reason) of pieces `refused`."""

    def __init__(self, train, validation, test, *, provenance, refused=()):
        super().__init__([*train, *validation, *test])
        self.train, self.validation, self.test = list(train), list(validation), list(test)
        self.provenance, self.refused = dict(provenance), list(refused)


def read_rolls(path):
    """Read the piano rolls of a benchmark file as they are.

    Parameters
    ----------
    path : path-like
        A MATLAB file (up to version 7).

    Returns
    -------
    Rolls

    Raises
    ------
    InputError
        If the file is no such file; the message names what has another shape.
    MissingDependencyError
        If scipy is not installed.
    """
    content = _content(path)
    missing = [name for name in _PARTS.values() if name not in content]
    if missing:
        raise InputError(f"holds no {', '.join(missing)}", path=path, remedy=_REMEDY)
    return Rolls(*(_checked_rolls(path, part, content[name]) for part, name in _PARTS.items()))


def load_polyphonic(path, *, step_quarters=1.0, bpm=120.0):
    """Pieces of the polyphonic benchmark, with its own split.

    Parameters
    ----------
    path : path-like
        See `read_rolls`.
    step_quarters : float
        Length of a step in quarter notes, which the file does not tell.
    bpm : float
        Tempo of the pieces, which it does not tell either.

    Returns
    -------
    Polyphonic
        A list of all pieces, with `train`, `validation` and `test`. A key that is on for several steps is one note.
        Rolls without any note are in `refused`.

    Raises
    ------
    InputError
        As `read_rolls`, or if `step_quarters` or `bpm` is not above 0.

    Examples
    --------
    >>> import scipy.io, tempfile
    >>> roll = np.zeros((4, 88), np.uint8)
    >>> roll[:2, 39], roll[2:, 43] = 1, 1
    >>> cell = np.empty((1, 1), object)
    >>> cell[0, 0] = roll
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "small.mat"
    ...     scipy.io.savemat(path, dict.fromkeys(["traindata", "validdata", "testdata"], cell))
    ...     data = load_polyphonic(path)
    >>> len(data), data.train[0].notes[["start", "end", "pitch"]].tolist()
    (3, [(0.0, 1.0, 60), (1.0, 2.0, 64)])
    """
    if not step_quarters > 0:
        raise InputError(f"step_quarters must be above 0, not {step_quarters}")
    timing, refused, parts = Timing.regular(bpm), [], []
    for part, rolls in read_rolls(path)._asdict().items():
        parts.append([])
        for number, roll in enumerate(rolls, start=1):
            meta = {"title": f"{Path(path).stem} {part} {number}", "source": f"{Path(path).name}#{part}/{number}"}
            if roll.any():
                parts[-1].append(_piece(roll, step_quarters, timing, meta))
            else:
                refused.append((meta["source"], "holds no note"))
    return Polyphonic(*parts, provenance=_provenance(path), refused=refused)


def _provenance(path):
    return {
        "name": Path(path).stem,
        "reference": "Boulanger-Lewandowski, Bengio and Vincent, ICML 2012",
        "terms": "not stated; used as a benchmark",
    }


def _content(path):
    try:
        import scipy.io
    except ImportError as error:
        raise missing_dependency("scipy", "reading piano rolls of the polyphonic benchmark") from error
    if not Path(path).exists():
        raise InputError("does not exist", path=path, remedy=_REMEDY)
    try:
        return scipy.io.loadmat(path, appendmat=False)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", path=path, remedy=_REMEDY) from error
    except (ValueError, TypeError, NotImplementedError, IndexError, scipy.io.matlab.MatReadError) as error:
        raise InputError(f"is no MATLAB file of version 7 or below ({error})", path=path, remedy=_REMEDY) from error


def _checked_rolls(path, part, cells):
    if cells.dtype != object:
        raise InputError(f"{part}: is an array of {cells.dtype}, not a cell of rolls", path=path, remedy=_REMEDY)
    return [_checked_roll(path, f"{part} {number}", roll) for number, roll in enumerate(cells.ravel(), start=1)]


def _checked_roll(path, name, roll):
    roll = np.asarray(roll)
    if roll.ndim != 2 or roll.shape[1] != N_PITCHES:
        raise InputError(f"{name}: has shape {roll.shape}, not (steps, {N_PITCHES})", path=path, remedy=_REMEDY)
    if not np.isin(roll, (0, 1)).all():
        raise InputError(f"{name}: holds other values than 0 and 1", path=path, remedy=_REMEDY)
    return roll.astype(bool)


def _piece(roll, step_quarters, timing, meta):
    rows = []
    for key in np.flatnonzero(roll.any(axis=0)):
        starts, lengths = true_runs(roll[:, key])
        rows += [(start, start + length, key + LOWEST_PITCH) for start, length in zip(starts, lengths, strict=True)]
    steps = np.array(rows, dtype=np.float64)
    notes = np.empty(len(rows), NOTE_DTYPE)
    notes["start"], notes["end"] = timing.quarters_to_seconds(steps[:, :2] * step_quarters).T
    notes["pitch"], notes["velocity"], notes["track"] = steps[:, 2], _VELOCITY, 0
    duration = float(timing.quarters_to_seconds(len(roll) * step_quarters))
    return NoteSequence(notes, timing=timing, duration=max(duration, notes["end"].max()), meta=meta)
