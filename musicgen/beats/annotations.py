"""Beats of a recording, and its tempo, as people annotated them."""

import itertools
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..timing import Timing


def read_beats(path, *, meter=(4, 4)):
    """Read an annotation of beats: one per line, its time in seconds and, after white space, its place in the bar.

    Places count from 1, the downbeat. The beats from one downbeat to the next give the meter of that bar, changes
    included, in quarter notes (3 beats are 3/4: the files do not tell 6/8 from 2/4). Beats before the first downbeat
    are a pickup, and the last bar may be incomplete. Empty lines and lines that begin with # are skipped.

    Parameters
    ----------
    path : path-like
    meter : (int, int)
        Numerator and denominator for files that give no places, whose first beat is taken as a downbeat, and for
        those without two downbeats.

    Returns
    -------
    Timing
        With exactly the annotated beats, also those outside the recording.

    Raises
    ------
    InputError
        If the file cannot be read or breaks these rules; the message names the line.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "waltz.beats"
    ...     _ = path.write_text("0.5 3\\n1.0 1\\n1.5 2\\n2.0 3\\n2.5 1\\n")
    ...     timing = read_beats(path)
    >>> timing, timing.meters[0].beat
    (Timing(5 beats, 120.0 bpm, 3/4), 1.0)
    """
    rows = [_parsed(path, number, line) for number, line in _lines(path)]
    if len(rows) < 2:
        raise InputError(f"holds {len(rows)} beats, at least 2 are needed", path=path, remedy="annotate more beats")
    for (_, before, _), (number, time, _) in itertools.pairwise(rows):
        if time <= before:
            raise InputError(f"line {number}: {time} s is not after {before} s", path=path, remedy="sort the beats")
    times = [time for _, time, _ in rows]
    given = [place is not None for _, _, place in rows]
    if not any(given):
        return Timing(times, meters=((0, *meter),))
    if not all(given):
        number = rows[given.index(False)][0]
        raise InputError(f"line {number}: no place in the bar", path=path, remedy="give it on every line or on none")
    _check_places(path, rows)
    return Timing(times, meters=_meters([place for _, _, place in rows], meter))


def read_tempo(path):
    """Read an annotation of tempo: a file that holds one number, in beats per minute.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    float

    Raises
    ------
    InputError
        If the file holds anything else.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "waltz.bpm"
    ...     _ = path.write_text("8.003e+01\\n")
    ...     read_tempo(path)
    80.03
    """
    lines = _lines(path)
    try:
        [(_, text)] = lines
        bpm = float(text)
    except ValueError as error:
        raise InputError("does not hold one number", path=path, remedy="as in '120.5'") from error
    if not 0 < bpm < np.inf:
        raise InputError(f"holds {text.strip()}, no tempo", path=path, remedy="beats per minute, above 0")
    return bpm


def _lines(path):
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path, remedy="check name and rights") from error
    except UnicodeDecodeError as error:
        raise InputError("is not text", path=path, remedy="give a file of times in seconds") from error
    lines = enumerate(text.splitlines(), start=1)
    return [(number, line) for number, line in lines if line.strip() and not line.lstrip().startswith("#")]


def _parsed(path, number, line):
    """(line number, time, place or None) of one line."""
    fields = line.split()
    try:
        time, *places = (float(field) for field in fields[:2])
    except ValueError as error:
        raise InputError(
            f"line {number}: {line.strip()!r} is not a time and a place", path=path, remedy="as in '0.512 1'"
        ) from error
    if not np.isfinite(time):
        raise InputError(f"line {number}: the time {time} is not finite", path=path, remedy="correct it")
    if not places:
        return number, time, None
    if not (places[0] >= 1 and places[0] == int(places[0])):
        raise InputError(f"line {number}: place {fields[1]} is not 1, 2, 3, ...", path=path, remedy="correct it")
    return number, time, int(places[0])


def _check_places(path, rows):
    for (_, _, before), (number, _, place) in itertools.pairwise(rows):
        if place not in (1, before + 1):
            raise InputError(
                f"line {number}: place {place} after {before}", path=path, remedy=f"1 or {before + 1} can follow"
            )


def _meters(places, default):
    """((beat, numerator, denominator), ...) where the meter begins or changes."""
    downbeats = [index for index, place in enumerate(places) if place == 1]
    if len(downbeats) < 2:
        numerator = max(default[0], *places)
        first = downbeats[0] if downbeats else numerator + 1 - places[0]
        return ((first, numerator, default[1]),)
    meters = []
    for downbeat, following in itertools.pairwise(downbeats):
        if not meters or meters[-1][1] != following - downbeat:
            meters.append((downbeat, following - downbeat, 4))
    last = len(places) - downbeats[-1]
    if last > meters[-1][1]:
        meters.append((downbeats[-1], last, 4))
    return tuple(meters)
