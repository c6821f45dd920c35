"""Scores to notes."""

import math
import os
from bisect import bisect_left
from typing import NamedTuple

import numpy as np

from ..errors import InputError, missing_dependency
from ..notes import NoteSequence, Track
from ..timing import Meter, Timing, natural_quarters_per_beat
from .repeats import playing_order

_LASTING = ("TimeSignature", "MetronomeMark")
_NEAR = 1e-6  # quarter notes that count as the same place
_VELOCITY = 80
_DEFAULT_QPM = 120.0


class _Event(NamedTuple):
    """An element of a part: offset in quarters, number of its voice, the element."""

    offset: float
    voice: int
    element: object


def read_score(path, **options):
    """Read a score file: MusicXML (`.musicxml`, `.xml`, `.mxl`) or any other format that music21 knows.

    Parameters
    ----------
    path : path-like
    **options
        Passed on to `from_music21`.

    Returns
    -------
    NoteSequence

    Raises
    ------
    InputError
        If the file cannot be read or parsed, or holds several pieces or no notes.
    """
    music21 = _music21()
    if not os.path.isfile(path):
        raise InputError("cannot be read: no such file", path=path, remedy="check the name")
    try:
        score = music21.converter.parseFile(os.path.abspath(path), forceSource=True)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path, remedy="check name and rights") from error
    except Exception as error:  # music21 lets every error of its parsers through
        raise InputError(
            f"cannot be parsed as a score: {type(error).__name__} {error}", path=path, remedy="export it as MusicXML"
        ) from error
    try:
        return from_music21(score, **options)
    except InputError as error:
        raise InputError(error.reason, path=path, remedy=error.remedy) from error


def from_music21(score, *, split_voices=True):
    """Convert a music21 stream, or read a score file.

    Repeats are played out where music21 can, tied notes become one, transposing instruments sound as they do.
    A short first bar is a pickup; a bar that is shorter than its meter elsewhere restarts the count of bars, unless
    the next one fills it up, as where a part that is repeated begins with a pickup. The
    tempo is that of the metronome marks; without one at the beginning it is 120 quarters per minute and
    `meta["tempo"]` says so. Velocities are the notes' own, else those of the dynamics, else 80. Grace notes have no
    length and are left out (`meta["grace_notes"]` counts them); fermatas, ornaments and chord symbols make no
    difference; of several instruments in one part the first holds.

    Parameters
    ----------
    score : music21.stream.Stream or path-like
        A score, part or any stream of notes.
    split_voices : bool
        Whether each voice of a part becomes a track of its own; otherwise each part is one track.

    Returns
    -------
    NoteSequence
        Parts in the score's order.

    Raises
    ------
    InputError
        If it holds several pieces or no notes.

    Examples
    --------
    >>> from music21 import converter
    >>> piece = from_music21(converter.parse("tinynotation: 3/4 c4 d8 e f4 g2."))
    >>> piece.notes["pitch"].tolist(), piece.timing.meters[0][1:]
    ([60, 62, 64, 65, 67], (3, 4))
    """
    music21 = _music21()
    if isinstance(score, (str, os.PathLike)):
        return read_score(score, split_voices=split_voices)
    if isinstance(score, music21.stream.Opus):
        raise InputError(f"holds {len(score.scores)} pieces", remedy="convert each of its scores by itself")
    streams = list(score.getElementsByClass(music21.stream.Part)) or [score]
    order = playing_order(streams[0])
    parts = [(part, _events(part, order)) for part in streams]
    clock, assumed = _clock([*_walk(score, deep=False), *(event for _, events in parts for event in events)])
    timing = _timing(parts[0][1], clock)
    rows, tracks, graces = _rows(parts, clock, split_voices)
    if not rows:
        raise InputError("has no notes", remedy="choose another score")
    meta = _meta(score, assumed, graces)
    duration = max(float(clock(_end(parts[0][1]))), max(row[1] for row in rows))
    return NoteSequence(rows, tracks, timing, duration, meta)


def _events(part, order):
    """Everything in a part by offset in quarters, its measures in the order of playing.

    The first voice of a measure counts as the notes outside of voices.
    """
    measures = list(part.getElementsByClass("Measure"))
    if not measures or max(order, default=len(measures)) >= len(measures):  # the first part has other measures
        return _sorted(_walk(part))
    places = [float(measure.offset) for measure in measures]
    places.append(places[-1] + float(measures[-1].quarterLength))
    events = [event for event in _walk(part, deep=False) if "Measure" not in event.element.classSet]
    now, state, states = places[0], {}, []
    for measure in measures:  # the signature and tempo that hold in each, wherever it is played from
        state = {**state, **{name: found for name in _LASTING if (found := _first(measure, name))}}
        states.append(state)
    for index in order:
        events += [_Event(now, 0, element) for element in states[index].values()]
        events += [_Event(now, 0, measures[index]), *_walk(measures[index], now)]
        now += places[index + 1] - places[index]
    return _sorted(events)


def _first(measure, name):
    return next((element for element in measure.getElementsByClass(name) if element.offset == 0), None)


def _sorted(events):
    return sorted(events, key=lambda event: event.offset)


def _walk(stream, offset=0.0, voice=0, deep=True):
    voices = 0
    for element in stream:
        place = offset + float(element.offset)
        yield _Event(place, voice, element)
        if element.isStream and deep:
            is_voice = "Voice" in element.classSet
            yield from _walk(element, place, voices if is_voice else voice)
            voices += is_voice


def _of_class(events, name):
    return [event for event in events if name in event.element.classSet]


def _clock(events):
    """Function from quarters to seconds, and whether its first tempo is a guess."""
    marks = {}
    for offset, _, mark in _of_class(events, "MetronomeMark"):
        qpm = mark.getQuarterBPM()
        if qpm is not None and math.isfinite(qpm) and qpm > 0:
            marks.setdefault(offset, float(qpm))
    assumed = 0.0 not in marks
    marks.setdefault(0.0, _DEFAULT_QPM)
    places = np.array(sorted(marks))
    slopes = np.array([60.0 / marks[place] for place in places.tolist()])
    seconds = np.concatenate([[0.0], np.cumsum(np.diff(places) * slopes[:-1])])

    def clock(quarters):
        index = np.searchsorted(places, quarters, side="right") - 1
        return seconds[index] + (quarters - places[index]) * slopes[index]

    return clock, assumed


def _timing(events, clock):
    marks = _bar_marks(events)
    sizes = {natural_quarters_per_beat(numerator, denominator) for _, numerator, denominator in marks}
    size = sizes.pop() if len(sizes) == 1 else 1.0
    first = marks[0][0] % size
    first = 0.0 if size - first < _NEAR else first
    last = _end(events)
    beats = clock(first + size * np.arange(max(2, math.ceil((last - first) / size - _NEAR) + 1)))
    meters = [Meter(round((place - first) / size, 6), *signature) for place, *signature in marks]
    return Timing(beats, size, tuple(meters))


def _end(events):
    return max(event.offset + float(event.element.quarterLength) for event in events)


def _bar_marks(events):
    """(offset, numerator, denominator) where the meter changes or the count of bars restarts."""
    signatures = {e.offset: (e.element.numerator, e.element.denominator) for e in _of_class(events, "TimeSignature")}
    bars = sorted({event.offset for event in _of_class(events, "Measure")} | set(signatures) | {0.0})
    current, marks = (4, 4), []
    for place in bars:
        changed = signatures.get(place, current)
        if (
            not marks
            or changed != current
            or not (_on_bar_line(place, marks[-1]) or _in_a_bar(place, marks[-1], bars))
        ):
            current = changed
            marks.append((place, *current))
    if len(marks) > 1 and len(bars) > 1 and bars[1] == marks[1][0] < 4 * marks[0][1] / marks[0][2] - _NEAR:
        del marks[0]
    return marks


def _on_bar_line(place, mark):
    bars = (place - mark[0]) / (4 * mark[1] / mark[2])
    return abs(bars - round(bars)) < _NEAR


def _in_a_bar(place, mark, bars):
    """Whether a bar begins where the bar that holds `place` ends: a repeat sign cut that one in two."""
    length = 4 * mark[1] / mark[2]
    end = mark[0] + length * math.ceil((place - mark[0]) / length)
    after = bisect_left(bars, end - _NEAR)
    return after < len(bars) and bars[after] < end + _NEAR


def _rows(parts, clock, split_voices):
    rows, tracks, graces = [], [], 0
    for part, events in parts:
        name, program, drum, shift = _instrument(events)
        shift = 0 if part.atSoundingPitch is True else shift
        sounding = [e for e in _of_class(events, "GeneralNote") if e.element.isNote or e.element.isChord or _hits(e)]
        sounding = [e for e in sounding if "Harmony" not in e.element.classSet]
        graces += sum(event.element.duration.isGrace for event in sounding)
        notes = _joined([note for event in sounding for note in _notes_of(event, shift)], _dynamics(events))
        voices = sorted({note.voice for note in notes}) if split_voices else [0]
        for number, voice in enumerate(voices or [0]):
            mine = [note for note in notes if note.voice == voice or not split_voices]
            rows += [(*_span(note, clock), note.pitch, note.velocity, len(tracks)) for note in mine]
            tracks.append(Track(name if number == 0 else f"{name} {number + 1}".strip(), program, drum))
    return rows, tracks, graces


def _span(note, clock):
    return float(clock(note.start)), float(clock(note.end))


def _hits(event):
    return "NotRest" in event.element.classSet


class _Note(NamedTuple):
    start: float
    end: float
    pitch: int
    velocity: int | None
    voice: int
    tie: str | None


def _notes_of(event, shift):
    """The notes of a Note, Unpitched, Chord or PercussionChord."""
    element = event.element
    if element.duration.isGrace or element.quarterLength == 0:
        return
    end = event.offset + float(element.quarterLength)
    for note in element.notes if hasattr(element, "notes") else [element]:
        velocity = note.volume.velocity if note.volume.velocity is not None else element.volume.velocity
        tie = note.tie or element.tie
        pitch = _pitch(note) if "Unpitched" in note.classSet else note.pitch.midi + shift
        if 0 <= pitch <= 127:
            yield _Note(event.offset, end, pitch, velocity, event.voice, tie.type if tie else None)
        else:
            raise InputError(f"a note at quarter {event.offset:g} has MIDI pitch {pitch}", remedy="0 to 127")


def _pitch(unpitched):
    """MIDI number of a drum: that of its instrument, else of the line or space it stands on."""
    drum = unpitched.storedInstrument
    mapped = getattr(drum, "percMapPitch", None)
    return mapped if mapped is not None else unpitched.displayPitch().midi


def _joined(notes, dynamics):
    """Tied notes made one, velocities between 1 and 127."""
    joined, held = [], {}
    for note in notes:
        index = held.pop(note.pitch, None) if note.tie in ("continue", "stop") else None
        if index is not None and abs(joined[index].end - note.start) < _NEAR:
            joined[index] = joined[index]._replace(end=note.end)
        else:
            index = len(joined)
            velocity = note.velocity if note.velocity is not None else dynamics(note.start)
            joined.append(note._replace(velocity=min(127, max(1, round(velocity)))))
        if note.tie in ("start", "continue"):
            held[note.pitch] = index
    return joined


def _dynamics(events):
    """Function from quarters to the velocity that the last dynamic before asks for."""
    marks = [(e.offset, e.element.volumeScalar) for e in _of_class(events, "Dynamic")]
    places = [offset for offset, scalar in marks if scalar is not None]
    velocities = [_VELOCITY, *(127 * scalar for _, scalar in marks if scalar is not None)]
    return lambda quarters: velocities[int(np.searchsorted(places, quarters + _NEAR))]


def _instrument(events):
    """(name, program, drum, semitones from written to sounding pitch) of a part."""
    found = [event.element for event in _of_class(events, "Instrument")]
    if not found:
        return "", 0, False, 0
    name = next((i.partName or i.instrumentName for i in found if i.partName or i.instrumentName), "")
    program = next((i.midiProgram for i in found if i.midiProgram is not None), 0)
    drum = any(i.midiChannel == 9 or "UnpitchedPercussion" in i.classSet for i in found)
    shift = found[0].transposition.semitones if found[0].transposition is not None else 0
    return name, program, drum, int(shift)


def _meta(score, assumed, graces):
    meta = {}
    title = score.metadata.title if score.metadata is not None else None
    composer = score.metadata.composer if score.metadata is not None else None
    if title:
        meta["title"] = title
    if composer:
        meta["composer"] = composer
    if assumed:
        meta["tempo"] = f"{_DEFAULT_QPM:g} quarters per minute assumed"
    if graces:
        meta["grace_notes"] = f"{graces} left out"
    return meta


def _music21():
    try:
        import music21
    except ImportError as error:
        raise missing_dependency("music21", "reading and writing scores") from error
    return music21
