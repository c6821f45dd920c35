"""Standard MIDI files: reading and writing."""

import json
import struct
import warnings
from pathlib import Path

import numpy as np
import symusic

from .. import files
from ..errors import InputError
from ..notes import NOTE_DTYPE, NoteSequence, Track
from ..transforms import canonical
from .ticks import BeatHint, Signature, TempoMap, plan, timing_from

_MARK = "musicgen "
_END = "end"
_TRACK_END = b"\xff\x2f\x00"
_DAMAGED = "it is damaged or incomplete: get it again, or open and export it with a MIDI editor"
#: Note-offs for everything, a delta time of 0 after each: behind them no note can still sound. (Running status: the
#: status byte stands before a channel's first pitch only.)
_ALL_OFF = b"".join(
    bytes([0x80 | channel]) + b"\0".join(bytes([pitch, 0]) for pitch in range(128)) + b"\0" for channel in range(16)
)


def read_midi(path, *, drop_faulty=False):
    """Read a MIDI file of format 0 or 1.

    Voices that share a program stay apart as tracks if they have tracks of their own in the file; a track with
    several channels or programs becomes several. Tracks without notes are left out. Where two notes of one pitch
    overlap in a track, the first to begin is the first to end. Beats are quarter notes, or the natural beat of
    the meter (a dotted quarter in 6/8) where all meters have the same one. A first bar shorter than the meter
    after it is a pickup. The piece lasts until the last note or marker. Controllers, pitch bends, key
    signatures and lyrics are not read. What `write_midi` noted (meta, the beat) is read back.

    Parameters
    ----------
    path : path-like
    drop_faulty : bool
        Leave out notes without an end and notes without length, instead of refusing the file; their number is
        told in `meta["dropped_notes"]`.

    Returns
    -------
    NoteSequence
        Times in seconds, float64.

    Raises
    ------
    InputError
        If the file cannot be read, is no MIDI file, is truncated or damaged, counts time in SMPTE frames, has no
        notes, faulty notes, or an impossible tempo or length.

    Examples
    --------
    >>> import tempfile
    >>> from musicgen import NoteSequence
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_midi(NoteSequence([(0, 0.5, 60, 80, 0)], meta={"title": "C"}), folder + "/c.mid")
    ...     read_midi(path)
    NoteSequence('C', 1 note, 1 track, 0.5 s)
    """
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot be read: {reason}", path=path, remedy="check name and rights") from error
    try:
        return _sequence_from(*_parse(data), drop_faulty)
    except InputError as error:
        raise InputError(error.reason, path=path, remedy=error.remedy or _DAMAGED) from error


def write_midi(sequence, path):
    """Write a piece as a MIDI file of format 1, in its canonical form.

    MIDI cannot hold two overlapping notes of one pitch in one track: `transforms.canonical` decides. A canonical
    piece is read back with every note, beat and bar line within 1 ms, with its tracks, duration and meta; the
    beats are then those of `transforms.fit_timing`. A piece that begins inside a bar gets a short first bar.
    What MIDI has no place for (meta, length of a beat, tracks without notes) stands in a marker at the beginning,
    the duration in a marker `end` if it exceeds the last note's.

    Parameters
    ----------
    sequence : NoteSequence
        With at least one note.
    path : path-like
        Written atomically.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    InputError
        If the piece has no notes, or beats that MIDI cannot hold (more than 16.77 s per quarter note).
    """
    try:
        data = _score_from(canonical(sequence)).dumps_midi()
    except InputError as error:
        raise InputError(error.reason, path=path, remedy=error.remedy) from error
    return files.write_bytes(path, data)


def to_symusic(sequence):
    """The canonical form of a piece as a symusic score in ticks, as `write_midi` writes it.

    Returns
    -------
    symusic.Score

    Raises
    ------
    InputError
        As `write_midi`.
    """
    return _score_from(canonical(sequence))


def from_symusic(score):
    """The piece of a symusic score in ticks, as `read_midi` reads it.

    Returns
    -------
    NoteSequence

    Raises
    ------
    InputError
        If it has no notes, notes without length, or an impossible tempo or length.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> piece = NoteSequence([(0, 0.5, 60, 80, 0)])
    >>> from_symusic(to_symusic(piece)).notes == piece.notes
    array([ True])
    """
    return _sequence_from(score, 0, False)


def _parse(data):
    """The symusic score of a file's bytes, and how many notes in it never end."""
    chunks = _track_chunks(data)
    try:
        score = symusic.Score.from_midi(data)
        ended = symusic.Score.from_midi(_with_all_notes_ended(data, chunks))
    except RuntimeError as error:
        raise InputError(f"cannot be parsed as MIDI: {error}") from error
    return score, ended.note_num() - score.note_num()


def _track_chunks(data):
    """(start, end) of the tracks' bytes; a file that is cut off or of another kind is refused here."""
    if not data:
        raise InputError("is empty")
    if data[:4] != b"MThd":
        raise InputError("is not a MIDI file: it does not begin with MThd", remedy="give a .mid file")
    if len(data) < 14:
        raise InputError(f"is truncated: {len(data)} bytes, the header alone has 14")
    size, kind, count, division = struct.unpack(">IHHH", data[4:14])
    if kind > 1:
        raise InputError(f"is MIDI of format {kind}", remedy="export it as format 0 or 1")
    if division & 0x8000:
        raise InputError("counts time in SMPTE frames, not in beats", remedy="export it with ticks per quarter note")
    if division == 0:
        raise InputError("has 0 ticks per quarter note")
    return _listed_tracks(data, 8 + size, count)


def _listed_tracks(data, place, count):
    chunks = []
    while place + 8 <= len(data) and len(chunks) < count:
        kind, size = struct.unpack(">4sI", data[place : place + 8])
        if place + 8 + size > len(data):
            raise InputError(f"is truncated: {place + 8 + size - len(data)} bytes are missing at its end")
        if kind == b"MTrk":
            chunks.append((place + 8, place + 8 + size))
        place += 8 + size
    if len(chunks) < count:
        raise InputError(f"is truncated: {len(chunks)} of the {count} tracks that the header counts")
    if data[place : place + 4] == b"MTrk":
        raise InputError(f"has more tracks than the {count} that the header counts")
    return chunks


def _with_all_notes_ended(data, chunks):
    """The same file with a note-off for everything at the end of each track: symusic drops a note without one."""
    parts = [data[: chunks[0][0] - 8]] if chunks else [data]
    for start, end in chunks:
        body = data[start:end]
        # The delta time before the end of track becomes that of the first note-off.
        body = body[:-3] if body.endswith(_TRACK_END) else body + b"\0"
        body += _ALL_OFF + _TRACK_END
        parts += [b"MTrk", struct.pack(">I", len(body)), body]
    return b"".join(parts)


def _sequence_from(score, hanging, drop_faulty):
    tempo_map, signatures = _tempo_map_of(score), _signatures_of(score)
    tracks = [track for track in score.tracks if len(track.notes)]
    notes, ends = _notes_of(tracks, tempo_map)
    flat = notes["end"] <= notes["start"]
    faults = {"without an end": hanging, "without length": int(flat.sum())}
    if any(faults.values()) and not drop_faulty:
        what = " and ".join(f"{n} note{'s' * (n > 1)} {fault}" for fault, n in faults.items() if n)
        raise InputError(
            f"has {what}",
            remedy="open it in a sequencer or notation program and save it anew "
            "(in Python, read_midi(path, drop_faulty=True) leaves such notes out)",
        )
    notes, ends = notes[~flat], ends[~flat]
    if not len(notes):
        raise InputError("has no notes", remedy="choose another file")
    mark, last = _marks_of(score, int(ends.max()))
    meta, hint, silent = _read_mark(mark)
    if sum(faults.values()):
        meta["dropped_notes"] = sum(faults.values())
    notes, tracks = _with_silent(notes, [Track(t.name, t.program, t.is_drum) for t in tracks], silent)
    timing = timing_from(tempo_map, signatures, last, hint)
    return NoteSequence(notes, tracks, timing, max(float(tempo_map.to_seconds(last)), notes["end"].max()), meta)


def _tempo_map_of(score):
    changes = {0: 500_000, **{tempo.time: tempo.mspq for tempo in score.tempos}}
    ticks, tempos = np.array(sorted(changes.items()), dtype=np.int64).T
    if tempos.min() < 1:
        raise InputError(f"has a tempo of {tempos.min()} microseconds per quarter note")
    if ticks[0] < 0:
        raise InputError(f"has an event at tick {ticks[0]}")
    return TempoMap(score.ticks_per_quarter, ticks, tempos)


def _signatures_of(score):
    return [Signature(s.time, s.numerator, s.denominator) for s in score.time_signatures]


def _notes_of(tracks, tempo_map):
    """Notes of NOTE_DTYPE and their last ticks; a note before tick 0 or in 0 time is as in the file."""
    notes = np.empty(sum(len(track.notes) for track in tracks), NOTE_DTYPE)
    ends, begin = np.empty(len(notes), np.int64), 0
    for index, track in enumerate(tracks):
        columns = track.notes.numpy()
        part = slice(begin, begin + len(track.notes))
        starts = columns["time"].astype(np.int64)
        if starts.min() < 0:
            raise InputError(f"has a note at tick {starts.min()}")
        ends[part] = starts + columns["duration"]
        notes["start"][part] = tempo_map.to_seconds(starts)
        notes["end"][part] = tempo_map.to_seconds(ends[part])
        notes["pitch"][part], notes["velocity"][part] = columns["pitch"], columns["velocity"]
        notes["track"][part] = index
        begin = part.stop
    return notes, ends


def _marks_of(score, last):
    """Our own marker's text (or None), and the last tick of notes and markers."""
    own = [marker.text for marker in score.markers if marker.time == 0 and marker.text.startswith(_MARK)]
    return (own[0] if own else None), max([last, *(marker.time for marker in score.markers)])


def _read_mark(text):
    """Meta, BeatHint and silent tracks by index, as `_written_mark` noted them."""
    if text is None:
        return {}, None, {}
    try:
        content = json.loads(text.removeprefix(_MARK))
        meta = {str(key): str(value) for key, value in content["meta"].items()}
        size, first, pickup = content["beat"]
        if not (0.001 < size <= 16 and 0 <= first <= 1e6):
            raise ValueError("beat")
        silent = {int(k): Track(str(n), int(p) & 127, bool(d)) for k, (n, p, d) in content["silent"].items()}
        return meta, BeatHint(float(size), float(first), bool(pickup)), silent
    except (ValueError, KeyError, TypeError, AttributeError):
        warnings.warn("the marker that musicgen wrote is damaged: title and origin are lost", stacklevel=4)
        return {}, None, {}


def _with_silent(notes, tracks, silent):
    """Put the tracks without notes back to their places."""
    heard = list(range(len(tracks)))
    for index, track in sorted(silent.items()):
        tracks.insert(index, track)
        heard = [place + (place >= index) for place in heard]
    notes["track"] = np.array(heard, dtype=np.uint16)[notes["track"]]
    return notes, tracks


def _score_from(sequence):
    notes = sequence.notes
    if not len(notes):
        raise InputError("a piece without notes cannot be written as MIDI", remedy="write pieces with notes")
    tempo_map, signatures, hint = plan(sequence.timing, sequence.duration)
    score = symusic.Score(tempo_map.ticks_per_quarter)
    for tick, tempo in zip(tempo_map.ticks.tolist(), tempo_map.tempos.tolist(), strict=True):
        score.tempos.append(symusic.Tempo(tick, mspq=tempo))
    score.time_signatures.extend(symusic.TimeSignature(*signature) for signature in signatures)
    starts = tempo_map.to_ticks(notes["start"])
    ends = np.maximum(tempo_map.to_ticks(notes["end"]), starts + 1)
    for index, track in enumerate(sequence.tracks):
        mine = notes["track"] == index
        score.tracks.append(_track_from(track, notes[mine], starts[mine], ends[mine]))
    score.markers.append(symusic.TextMeta(0, _written_mark(sequence, hint)))
    last = int(tempo_map.to_ticks(sequence.duration))
    if last > ends.max():
        score.markers.append(symusic.TextMeta(last, _END))
    return score


def _track_from(track, notes, starts, ends):
    try:
        track.name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"track name {track.name!r} is no valid text", remedy="rename the track") from error
    result = symusic.Track(track.name, track.program, track.drum)
    columns = [starts.astype(np.int32), (ends - starts).astype(np.int32)]
    columns += [notes[name].astype(np.int8) for name in ("pitch", "velocity")]
    result.notes = symusic.Note.from_numpy(*columns)
    return result


def _written_mark(sequence, hint):
    heard = set(sequence.notes["track"].tolist())
    silent = {index: list(track) for index, track in enumerate(sequence.tracks) if index not in heard}
    return _MARK + json.dumps({"meta": dict(sequence.meta), "beat": list(hint), "silent": silent})
