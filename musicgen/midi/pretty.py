"""NoteSequence to and from `pretty_midi.PrettyMIDI`."""

import numpy as np

from ..errors import InputError, missing_dependency
from ..notes import NoteSequence, Track
from .ticks import Signature, TempoMap, plan, timing_from

_MAX_TICKS = 9_000_000  # pretty_midi keeps one number per tick and refuses 10 million


def to_pretty_midi(sequence):
    """Convert to pretty_midi, for its analyses and synthesis.

    Note times are exact; tempo and meters go through ticks (within 1 ms). Overlapping notes of one pitch are kept.
    Trailing silence and meta have no place there.

    Parameters
    ----------
    sequence : NoteSequence

    Returns
    -------
    pretty_midi.PrettyMIDI
        One instrument per track, in the same order.

    Raises
    ------
    InputError
        If MIDI cannot hold the beats.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> to_pretty_midi(NoteSequence([(0, 0.5, 60, 80, 0)])).get_end_time()
    0.5
    """
    pretty_midi = _pretty_midi()
    result = pretty_midi.PrettyMIDI(mido_object=_conductor(sequence))
    for index, track in enumerate(sequence.tracks):
        instrument = pretty_midi.Instrument(track.program, track.drum, track.name)
        rows = sequence.notes[sequence.notes["track"] == index].tolist()
        instrument.notes = [pretty_midi.Note(velocity, pitch, start, end) for start, end, pitch, velocity, _ in rows]
        result.instruments.append(instrument)
    return result


def _conductor(sequence):
    """A mido.MidiFile with the tempo and meters alone."""
    import mido

    tempo_map, signatures, _ = plan(sequence.timing, sequence.duration)
    coarser = max(1, int(np.ceil(tempo_map.ticks[-1] / _MAX_TICKS)))
    resolution = tempo_map.ticks_per_quarter // coarser
    events = [(t, mido.MetaMessage("set_tempo", tempo=q)) for t, q in zip(*_changes(tempo_map), strict=True)]
    for tick, numerator, denominator in signatures:
        message = mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator)
        events.append((tick, message))
    track, now = mido.MidiTrack(), 0
    for tick, message in sorted(events, key=lambda event: event[0]):
        place = round(tick * resolution / tempo_map.ticks_per_quarter)
        track.append(message.copy(time=place - now))
        now = place
    return mido.MidiFile(ticks_per_beat=resolution, tracks=[track])


def _changes(tempo_map):
    return tempo_map.ticks.tolist(), tempo_map.tempos.tolist()


def from_pretty_midi(midi):
    """Convert from pretty_midi.

    Parameters
    ----------
    midi : pretty_midi.PrettyMIDI

    Returns
    -------
    NoteSequence
        One track per instrument; note times exact; beats and pickup read as by `read_midi`.

    Raises
    ------
    InputError
        If a note breaks the rules of `NoteSequence` or the tempo those of `Timing`.

    Examples
    --------
    >>> import pretty_midi
    >>> midi = pretty_midi.PrettyMIDI(initial_tempo=90)
    >>> piano = pretty_midi.Instrument(0, name="piano")
    >>> piano.notes.append(pretty_midi.Note(80, 60, 0.0, 1.0))
    >>> midi.instruments.append(piano)
    >>> from_pretty_midi(midi).timing.bpm
    90.0
    """
    tracks = [Track(i.name, i.program, i.is_drum) for i in midi.instruments] or [Track()]
    rows = [(n.start, n.end, n.pitch, n.velocity, k) for k, i in enumerate(midi.instruments) for n in i.notes]
    return NoteSequence(rows, tracks, _timing_of(midi, max([0.0, *(row[1] for row in rows)])))


def _timing_of(midi, end):
    times, tempos = midi.get_tempo_changes()
    if not (np.all(np.isfinite(tempos)) and np.all(tempos > 0)):
        raise InputError("the PrettyMIDI object has a tempo of 0")
    ticks = np.array([midi.time_to_tick(time) for time in times], dtype=np.int64)
    tempo_map = TempoMap(midi.resolution, ticks, 60e6 / tempos)
    changes = midi.time_signature_changes
    signatures = [Signature(midi.time_to_tick(c.time), c.numerator, c.denominator) for c in changes]
    return timing_from(tempo_map, signatures, int(tempo_map.to_ticks(end)))


def _pretty_midi():
    try:
        import pretty_midi
    except ImportError as error:
        raise missing_dependency("pretty_midi", "this conversion") from error
    return pretty_midi
