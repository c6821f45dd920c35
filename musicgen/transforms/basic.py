"""Transforms of pitch and time: transpose, quantise, crop, stretch, and the plain forms of a piece."""

import math
import operator

import numpy as np

from ..errors import InputError
from ..timing import Meter, Timing

_NEAR = 1e-9  # beats or seconds that count as the same place


def canonical(sequence):
    """End every note where the next one of its pitch and track starts: the form that MIDI can hold.

    Where notes of one pitch in one track overlap, the earlier ends at the later's start. Of notes that start
    together the longest is kept (the loudest of equally long ones).

    Parameters
    ----------
    sequence : NoteSequence

    Returns
    -------
    NoteSequence
        With the same tracks, timing, duration and meta; `canonical` of it changes nothing more.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> canonical(NoteSequence([(0, 2, 60, 80, 0), (1, 3, 60, 80, 0)])).notes["end"].tolist()
    [1.0, 3.0]
    """
    notes = sequence.notes
    order = np.lexsort(
        (-notes["velocity"].astype(int), -notes["end"], notes["start"], notes["pitch"], notes["track"])
    )
    notes = notes[order]
    same_pitch = (notes["pitch"][1:] == notes["pitch"][:-1]) & (notes["track"][1:] == notes["track"][:-1])
    repeated = same_pitch & (notes["start"][1:] == notes["start"][:-1])
    notes = notes[np.concatenate([[True], ~repeated])[: len(notes)]]
    same_pitch = (notes["pitch"][1:] == notes["pitch"][:-1]) & (notes["track"][1:] == notes["track"][:-1])
    following = np.where(same_pitch, notes["start"][1:], np.inf)
    notes["end"][:-1] = np.minimum(notes["end"][:-1], following)
    return sequence.replace(notes=notes, duration=sequence.duration)


def transpose(sequence, semitones, *, octave_fold=False):
    """Shift the pitch of every note; drum tracks stay as they are, for there a pitch names an instrument.

    Parameters
    ----------
    sequence : NoteSequence
    semitones : int
        Upwards if positive.
    octave_fold : bool
        Move notes that would leave 0 to 127 by whole octaves into it.

    Returns
    -------
    NoteSequence

    Raises
    ------
    InputError
        If a note would leave 0 to 127 and `octave_fold` is false, or `semitones` is no whole number.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> transpose(NoteSequence([(0, 1, 60, 80, 0)]), -12).notes["pitch"].tolist()
    [48]
    """
    semitones = whole("semitones", semitones)
    notes = np.array(sequence.notes)
    drums = np.array([track.drum for track in sequence.tracks], dtype=bool)[notes["track"]]
    pitch = notes["pitch"].astype(np.int64) + np.where(drums, 0, semitones)
    outside = (pitch < 0) | (pitch > 127)
    if outside.any() and not octave_fold:
        first = int(notes["pitch"][np.argmax(outside)])
        raise InputError(
            f"{int(outside.sum())} of {len(notes)} notes leave pitches 0 to 127 when moved by {semitones} semitones,"
            f" the first from {first}",
            remedy="move by less, or allow octave_fold=True",
        )
    notes["pitch"] = np.where(pitch < 0, pitch % 12, np.where(pitch > 127, 116 + (pitch - 116) % 12, pitch))
    return sequence.replace(notes=notes)


def quantise(sequence, resolution):
    """Move starts and ends onto a grid of `resolution` steps per quarter note, through the piece's timing.

    The grid begins at the first beat and continues before and after it. A start moves to the nearest step that
    is not before 0 s, an end to the nearest step at least one step after the start. Notes of one pitch may come
    to overlap or to start together; `canonical` decides between them.

    Parameters
    ----------
    sequence : NoteSequence
    resolution : int
        Steps per quarter note, at least 1.

    Returns
    -------
    NoteSequence
        With the same timing, and a duration that reaches the last note's end.

    Raises
    ------
    InputError
        If `resolution` is no whole number of at least 1.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> quantise(NoteSequence([(0.13, 0.2, 60, 80, 0)]), 4).notes[["start", "end"]].tolist()
    [(0.125, 0.25)]
    """
    notes = np.array(sequence.notes)
    notes["start"], notes["end"] = _on_grid(sequence, resolution)
    return sequence.replace(notes=notes)


def onset_shifts(sequence, resolution):
    """How far `quantise` moves the start of every note.

    Parameters
    ----------
    sequence : NoteSequence
    resolution : int
        Steps per quarter note, at least 1.

    Returns
    -------
    numpy.ndarray of float64, shape (notes,)
        Seconds, later positive, in the order of the notes. Their median and 95th percentile tell how well a timing
        fits its notes.

    Raises
    ------
    InputError
        If `resolution` is no whole number of at least 1.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> onset_shifts(NoteSequence([(0.13, 0.2, 60, 80, 0), (0.24, 0.5, 62, 80, 0)]), 4).round(3).tolist()
    [-0.005, 0.01]
    """
    return _on_grid(sequence, resolution)[0] - sequence.notes["start"]


def _on_grid(sequence, resolution):
    """Starts and ends of the notes in seconds, after `quantise`."""
    resolution = whole("resolution", resolution)
    if resolution < 1:
        raise InputError(f"resolution must be at least 1 step per quarter note, not {resolution}")
    timing, notes = sequence.timing, sequence.notes
    first = math.ceil(float(timing.seconds_to_quarters(0.0)) * resolution - _NEAR)
    starts = np.maximum(_nearest(timing.seconds_to_quarters(notes["start"]) * resolution), first)
    ends = np.maximum(_nearest(timing.seconds_to_quarters(notes["end"]) * resolution), starts + 1)
    begin, end = (timing.quarters_to_seconds(places / resolution) for places in (starts, ends))
    return np.maximum(begin, 0.0), end


def monophonic(sequence, *, track=None):
    """One line of melody: of notes that begin together the highest, each ended where the next begins.

    Parameters
    ----------
    sequence : NoteSequence
        Put it on a grid first (`quantise`) where notes that begin together do so only roughly.
    track : int, optional
        The track to take. Default: all but drums, as if they were one.

    Returns
    -------
    NoteSequence
        With one track, that of its first note.

    Raises
    ------
    InputError
        If there is no such track.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> monophonic(NoteSequence([(0, 2, 60, 80, 0), (0, 2, 64, 80, 0), (1, 3, 62, 80, 0)])).notes.tolist()
    [(0.0, 1.0, 64, 80, 0), (1.0, 3.0, 62, 80, 0)]
    """
    if track is not None and not 0 <= track < len(sequence.tracks):
        raise InputError(f"there is no track {track}", remedy=f"the piece has tracks 0 to {len(sequence.tracks) - 1}")
    chosen = [not t.drum if track is None else index == track for index, t in enumerate(sequence.tracks)]
    notes = sequence.notes[np.array(chosen, bool)[sequence.notes["track"]]]
    notes = notes[np.lexsort((-notes["end"], -notes["pitch"].astype(int), notes["start"]))]
    notes = notes[np.diff(notes["start"], prepend=-1.0) > 0]
    notes["end"][:-1] = np.minimum(notes["end"][:-1], notes["start"][1:])
    kept = sequence.tracks[notes["track"][0] if len(notes) else track or 0]
    notes["track"] = 0
    return sequence.replace(notes=notes, tracks=(kept,), duration=sequence.duration)


def crop(sequence, start, end=None):
    """Cut out the part between two times; what sounds across an edge is cut there.

    Times shift so that `start` becomes 0 s. A cut inside a bar leaves a pickup. See `fit_timing` for beats and
    meters.

    Parameters
    ----------
    sequence : NoteSequence
    start, end : float
        Seconds, 0 ≤ start < end ≤ duration. Default for `end`: the piece's duration.

    Returns
    -------
    NoteSequence
        With duration `end - start`.

    Raises
    ------
    InputError
        If the times are not in this order.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> crop(NoteSequence([(0, 2, 60, 80, 0), (3, 4, 62, 80, 0)]), 1, 3.5).notes[["start", "end"]].tolist()
    [(0.0, 1.0), (2.0, 2.5)]
    """
    end = sequence.duration if end is None else end
    if not 0 <= start < end <= sequence.duration:
        raise InputError(
            f"crop from {start} to {end} s does not lie inside the piece",
            remedy=f"0 <= start < end <= {sequence.duration}",
        )
    notes = sequence.notes[(sequence.notes["start"] < end) & (sequence.notes["end"] > start)]
    notes["start"] = np.maximum(notes["start"], start) - start
    notes["end"] = np.minimum(notes["end"], end) - start
    timing = fit_timing(sequence.timing, start, end)
    # A cut right beside an edge can leave a note shorter than the rounding of its times.
    return sequence.replace(notes=notes[notes["end"] > notes["start"]], timing=timing, duration=end - start)


def stretch(sequence, factor):
    """Play slower (factor above 1) or faster: every time is multiplied, notes keep their place in the bar.

    Parameters
    ----------
    sequence : NoteSequence
    factor : float
        Positive; 2 doubles the duration.

    Returns
    -------
    NoteSequence

    Raises
    ------
    InputError
        If `factor` is not a positive number.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> slow = stretch(NoteSequence([(0, 1, 60, 80, 0)]), 2)
    >>> slow.duration, slow.timing.bpm
    (2.0, 60.0)
    """
    if not (np.isfinite(factor) and factor > 0):
        raise InputError(f"factor must be a positive number, not {factor}")
    notes = np.array(sequence.notes)
    notes["start"] *= factor
    notes["end"] *= factor
    old = sequence.timing
    timing = Timing(old.beats * factor, old.quarters_per_beat, old.meters)
    return sequence.replace(notes=notes, timing=timing, duration=sequence.duration * factor)


def fit_timing(timing, start, end):
    """The part of a timing between two times, in its plainest form, with `start` moved to 0 s.

    The beats are explicit: from the first one at or after `start` to the first one at or after `end`, at least
    two. An incomplete beat at the beginning takes the tempo of the first whole one, or counts as a whole one
    itself if it lasts longer; a bar line inside it keeps its place in the beat. The first meter begins at the
    first bar line at or after `start` (before it only where the bar that is cut would be too long for a pickup to
    the next meter); meters that begin at or after `end` are left out.

    Parameters
    ----------
    timing : Timing
    start, end : float
        Seconds, start ≤ end.

    Returns
    -------
    Timing

    Examples
    --------
    >>> fit_timing(Timing.regular(120), 0.25, 2.0)
    Timing(4 beats, 120.0 bpm, 4/4)
    >>> fit_timing(Timing.regular(120), 0.25, 2.0).meters[0].beat
    3.0
    """
    wide = timing.covering(start, end)
    dropped = min(int(np.searchsorted(wide.beats, start - _NEAR)), len(wide.beats) - 1)
    beats = wide.beats[dropped:] - start
    if len(beats) < 2:
        beats = np.append(beats, beats[-1] + wide.beats[-1] - wide.beats[-2])
    beats[0] = max(beats[0], 0.0)
    if beats[0] >= (beats[1] - beats[0]) * (1 - _NEAR):
        beats, dropped = np.insert(beats, 0, 0.0), dropped - 1
    beats = beats[: max(2, int(np.searchsorted(beats, end - start - _NEAR)) + 1)]
    moved = [Meter(m.beat - dropped, m.numerator, m.denominator) for m in wide.meters]
    bare = Timing(beats, timing.quarters_per_beat)
    first, last = bare.seconds_to_beats([0.0, end - start]).tolist()
    return Timing(beats, timing.quarters_per_beat, _meters_between(moved, first, last, timing.quarters_per_beat))


def _meters_between(meters, first, last, quarters_per_beat):
    """Meters that hold between two beat positions, the first from its first bar line there."""
    current = max((i for i, meter in enumerate(meters) if meter.beat <= first + _NEAR), default=0)
    meter = meters[current]
    bar = meter.quarters / quarters_per_beat
    downbeat = meter.beat + bar * math.ceil((first - meter.beat) / bar - _NEAR)
    rest = [m for m in meters[current + 1 :] if m.beat < last - _NEAR]
    if rest and downbeat >= rest[0].beat - _NEAR:
        if rest[0].beat - first < rest[0].quarters / quarters_per_beat - _NEAR:
            return tuple(rest)
        downbeat -= bar  # the rest of this bar is too long for a pickup to the next meter
    return (Meter(downbeat, meter.numerator, meter.denominator), *rest)


def whole(name, value):
    """The value as an int; refused if it is no whole number."""
    try:
        return operator.index(value)
    except TypeError as error:
        raise InputError(f"{name} must be a whole number, not {value!r}") from error


def _nearest(x):
    return np.floor(x + 0.5)
