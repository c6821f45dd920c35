"""`NoteSequence`: one piece of music, in seconds, immutable."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from .errors import InputError
from .timing import Timing

#: dtype of `NoteSequence.notes`: times in seconds, MIDI pitch and velocity, index into `tracks`.
NOTE_DTYPE = np.dtype([("start", "f8"), ("end", "f8"), ("pitch", "u1"), ("velocity", "u1"), ("track", "u2")])

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg")
MIDI_SUFFIXES = (".mid", ".midi")
SCORE_SUFFIXES = (".musicxml", ".xml", ".mxl")


class Track(NamedTuple):
    """An instrument or voice: `name`, General MIDI `program` (0 to 127), `drum` for percussion."""

    name: str = ""
    program: int = 0
    drum: bool = False


@dataclass(frozen=True, eq=False)
class NoteSequence:
    """One piece: notes, tracks, timing.

    Parameters
    ----------
    notes : array-like
        Structured array of `NOTE_DTYPE`, or rows (start, end, pitch, velocity, track). Stored sorted by
        (start, track, pitch), read-only. `start` and `end` in seconds with end > start ≥ 0, `pitch` 0 to 127,
        `velocity` 1 to 127, `track` an index into `tracks`.
    tracks : sequence of Track
        Default: one piano track.
    timing : Timing
        Beats and meters. Default: 120 bpm in 4/4, from 0 s.
    duration : float, optional
        Seconds, at least the last note's end (trailing silence counts). Default: the last note's end.
    meta : mapping of str to str
        Title, genre, source, how it was made.

    Raises
    ------
    InputError
        If a note breaks the rules; the message names the first such note.

    Examples
    --------
    >>> piece = NoteSequence([(0.0, 0.5, 60, 80, 0), (0.5, 1.0, 64, 80, 0)], meta={"title": "third"})
    >>> piece
    NoteSequence('third', 2 notes, 1 track, 1.0 s)
    >>> piece.notes["pitch"].tolist()
    [60, 64]
    """

    notes: np.ndarray = ()
    tracks: tuple = (Track(),)
    timing: Timing = field(default_factory=Timing.regular)
    duration: float | None = None
    meta: Mapping = field(default_factory=dict)

    def __post_init__(self):
        tracks = tuple(Track(str(name), int(program), bool(drum)) for name, program, drum in self.tracks)
        for track in tracks:
            if not 0 <= track.program <= 127:
                raise InputError(f"track {track.name!r} has program {track.program}", remedy="0 to 127")
        notes = _checked_notes(self.notes, len(tracks))
        last = float(notes["end"].max()) if len(notes) else 0.0
        duration = last if self.duration is None else float(self.duration)
        if not (np.isfinite(duration) and duration >= last):
            raise InputError(f"duration {duration} s is less than the last note's end, {last} s")
        meta = {str(key): str(value) for key, value in self.meta.items()}
        object.__setattr__(self, "notes", notes)
        object.__setattr__(self, "tracks", tracks)
        object.__setattr__(self, "duration", duration)
        object.__setattr__(self, "meta", MappingProxyType(meta))

    def __len__(self):
        return len(self.notes)

    def __eq__(self, other):
        if not isinstance(other, NoteSequence):
            return NotImplemented
        return (
            np.array_equal(self.notes, other.notes)
            and self.tracks == other.tracks
            and self.timing == other.timing
            and self.duration == other.duration
            and self.meta == other.meta
        )

    __hash__ = None

    def __reduce__(self):  # mappingproxy does not pickle; worker processes and Dask need this
        return (
            NoteSequence,
            (np.array(self.notes), self.tracks, self.timing, self.duration, dict(self.meta)),
        )

    def __repr__(self):
        title = f"{self.meta['title']!r}, " if self.meta.get("title") else ""
        notes, tracks = _counted(len(self.notes), "note"), _counted(len(self.tracks), "track")
        return f"NoteSequence({title}{notes}, {tracks}, {self.duration:.1f} s)"

    def replace(self, **changes):
        """A copy with some fields changed; `meta` given here is merged into the old one.

        Examples
        --------
        >>> NoteSequence(meta={"genre": "jazz"}).replace(meta={"title": "A"}).meta["genre"]
        'jazz'
        """
        if "meta" in changes:
            changes["meta"] = {**self.meta, **changes["meta"]}
        if "notes" in changes and "duration" not in changes:
            notes = np.asarray(changes["notes"])
            ends = notes["end"] if notes.dtype.names else np.array([row[1] for row in changes["notes"]])
            changes["duration"] = max(self.duration, float(ends.max(initial=0.0)))
        changes.setdefault("meta", dict(self.meta))
        return replace(self, **changes)

    def save(self, path, **options):
        """Write the piece; the suffix chooses the format.

        Parameters
        ----------
        path : path-like
            `.mid`, `.midi`: MIDI. `.wav`, `.flac`, `.ogg`: rendered audio. `.musicxml`, `.xml`, `.mxl`: score.
        **options
            Passed on to `write_midi`, `render` or `write_score`.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        InputError
            If the suffix is none of these.
        """
        suffix = Path(path).suffix.lower()
        if suffix in MIDI_SUFFIXES:
            from .midi import write_midi as write
        elif suffix in AUDIO_SUFFIXES:
            from .rendering import write_audio as write
        elif suffix in SCORE_SUFFIXES:
            from .score import write_score as write
        else:
            known = ", ".join(MIDI_SUFFIXES + AUDIO_SUFFIXES + SCORE_SUFFIXES)
            raise InputError(f"unknown suffix {suffix!r}", path=path, remedy=f"use one of {known}")
        return write(self, path, **options)

    def plot(self, **options):
        """Piano roll with bars and beats marked, as a matplotlib Axes (see `plots.plot_piece`)."""
        from .plots import plot_piece

        return plot_piece(self, **options)

    def _repr_html_(self):
        from .notebook import piece_html

        return piece_html(self)


def _counted(count, noun):
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _checked_notes(rows, track_count):
    if not (isinstance(rows, np.ndarray) and rows.dtype == NOTE_DTYPE):
        rows = _notes_from_rows(rows)
    order = np.lexsort((rows["pitch"], rows["track"], rows["start"]))
    notes = rows.copy() if (order[1:] > order[:-1]).all() else rows[order]
    start, end, pitch, velocity, track = (notes[name] for name in NOTE_DTYPE.names)
    sound = (start >= 0) & (end > start) & (end < np.inf) & (pitch <= 127) & (velocity - np.uint8(1) <= 126)
    if not (sound & (track < track_count)).all():
        _refuse_note(notes, track_count)
    notes.setflags(write=False)
    return notes


def _refuse_note(notes, track_count):
    finite = np.isfinite(notes["start"]) & np.isfinite(notes["end"])
    rules = {
        "times must be finite": finite,
        "start must be at least 0": notes["start"] >= 0,
        "end must be after start": notes["end"] > notes["start"],
        "pitch must be at most 127": notes["pitch"] <= 127,
        "velocity must be 1 to 127": (notes["velocity"] >= 1) & (notes["velocity"] <= 127),
        f"track must be below {track_count}, the number of tracks": notes["track"] < track_count,
    }
    rule = next(rule for rule, holds in rules.items() if not np.all(holds))
    index = int(np.argmin(rules[rule]))
    raise InputError(f"note {index} {notes[index].item()}: {rule}")


def _notes_from_rows(rows):
    rows = [tuple(row) for row in rows]
    try:
        values = np.array(rows, dtype=np.float64).reshape(len(rows), 5)
    except (TypeError, ValueError) as error:
        raise InputError("notes must be rows of (start, end, pitch, velocity, track)") from error
    integers = values[:, 2:]
    if not np.all(np.isfinite(integers)) or np.any((integers < 0) | (integers != np.floor(integers))):
        raise InputError("pitch, velocity and track must be whole numbers of at least 0")
    if np.any(integers[:, :2] > 127):
        raise InputError("pitch and velocity must be at most 127")
    notes = np.empty(len(rows), NOTE_DTYPE)
    for column, name in enumerate(NOTE_DTYPE.names):
        notes[name] = values[:, column]
    return notes
