"""Notes to scores."""

import math
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import files
from ..errors import InputError
from ..notes import SCORE_SUFFIXES
from ..transforms import canonical, fit_timing
from .key import estimate_key
from .reading import _music21

_TEMPO_CHANGE = 0.04  # a beat this much slower or faster than the last mark gets a new one
_LENGTHS = [Fraction(n, 16) for n in (64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1)]  # plain and dotted notes, quarters
_SHARPS = "C C# D D# E F F# G G# A A# B"
_FLATS = "C D- D E- E F G- G A- A B- B"
_CONTAINER = """<?xml version="1.0" encoding="UTF-8"?>
<container><rootfiles><rootfile full-path="score.musicxml"/></rootfiles></container>
"""


def write_score(sequence, path, **options):
    """Write a score as MusicXML, for notation programs.

    Notes of one chord get their mean velocity, the only one that music21 writes for a chord.

    Parameters
    ----------
    sequence : NoteSequence
    path : path-like
        `.musicxml` or `.xml`, or `.mxl` (compressed). Written atomically.
    **options
        Passed on to `to_music21`.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    InputError
        If the suffix is none of these, or the piece cannot be written as a score.
    """
    path = Path(path)
    if path.suffix.lower() not in SCORE_SUFFIXES:
        raise InputError(
            f"unknown suffix {path.suffix!r}", path=path, remedy=f"use one of {', '.join(SCORE_SUFFIXES)}"
        )
    try:
        score = to_music21(sequence, **options)
    except InputError as error:
        raise InputError(error.reason, path=path, remedy=error.remedy) from error
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    _share_velocities(score)
    text = GeneralObjectExporter(score).parse()
    if path.suffix.lower() != ".mxl":
        return files.write_bytes(path, text)
    with files.atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", _CONTAINER)
        archive.writestr("score.musicxml", text)
    return path


def _share_velocities(score):
    from music21 import volume

    for chord in score.recurse().getElementsByClass("Chord"):
        mean = round(np.mean([note.volume.velocity for note in chord.notes]))
        chord.volume = volume.Volume(velocity=mean)


def to_music21(sequence, *, resolution=4, triplets=True):
    """Write a piece down as a music21 score.

    Starts and ends move to a grid: in each quarter of a bar to `resolution` even steps or, where the starts in it
    lie nearer to them, to three. A piece without this grid in its timing looks no better than its beats are
    true. Notes of one pitch that overlap then are told apart by `canonical`. Every track is a part, with as many
    voices as notes overlap; a drum track's part sounds on channel 10. Tempo marks follow the beat where it changes
    by 4 % or more; key signature and spelling come from `estimate_key`.

    Parameters
    ----------
    sequence : NoteSequence
    resolution : {1, 2, 4, 8, 16}
        Even steps per quarter note.
    triplets : bool
        Whether quarters may be divided in three.

    Returns
    -------
    music21.stream.Score

    Raises
    ------
    InputError
        If `resolution` is none of these or the piece has no notes.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> score = to_music21(NoteSequence([(0, 0.5, 60, 80, 0), (0.5, 3, 64, 80, 0)]))
    >>> [(note.nameWithOctave, note.quarterLength) for note in score.recurse().notes]
    [('C4', 1.0), ('E4', 3.0), ('E4', 2.0)]
    """
    music21 = _music21()
    if resolution not in (1, 2, 4, 8, 16):
        raise InputError(f"resolution must be 1, 2, 4, 8 or 16 steps per quarter note, not {resolution}")
    if not len(sequence):
        raise InputError("a piece without notes cannot be written as a score")
    layout = _Layout.of(sequence)
    grid = _gridded(sequence, layout, resolution, triplets)
    score = music21.stream.Score()
    score.insert(0, music21.metadata.Metadata(title=sequence.meta.get("title") or "Untitled"))
    spelling = _spelling(sequence)
    for index, track in enumerate(sequence.tracks):
        score.insert(0, _part(track, [chord for chord in grid if chord.track == index], layout, spelling, index == 0))
    return score


class _Layout(NamedTuple):
    """Bars in quarters from the score's beginning: bounds, signatures by bar, tempo marks (quarter, bpm, beat)."""

    bounds: list
    signatures: list
    tempos: list
    origin: float
    timing: object

    @classmethod
    def of(cls, sequence):
        timing = fit_timing(sequence.timing, 0.0, sequence.duration)
        starts = timing.bars(sequence.duration, start=0.0)
        signatures = [timing.meter_at(start + 1e-6) for start in starts.tolist()]
        begin = float(timing.seconds_to_quarters(0.0))
        origin = max(starts[0], starts[0] + math.floor((begin - starts[0]) * 4 + 1e-6) / 4)
        end = starts[-1] + signatures[-1].quarters
        bounds = [Fraction(bound - origin).limit_denominator(1024) for bound in (origin, *starts[1:], end)]
        return cls(bounds, [m[1:] for m in signatures], _tempo_marks(timing, origin), float(origin), timing)

    @property
    def missing(self):
        """Quarters that the first bar lacks: it is a pickup, of number 0, if any."""
        numerator, denominator = self.signatures[0]
        return max(Fraction(4 * numerator, denominator) - (self.bounds[1] - self.bounds[0]), Fraction(0))

    @property
    def first_number(self):
        return 0 if self.missing else 1


def _tempo_marks(timing, origin):
    marks, size = [], timing.quarters_per_beat
    for index, bpm in enumerate((60.0 / np.diff(timing.beats)).tolist()):
        if not marks or abs(bpm / marks[-1][1] - 1) >= _TEMPO_CHANGE:
            place = max(0.0, index * size - origin) if index else 0.0
            marks.append((Fraction(place).limit_denominator(1024), round(bpm, 6), size))
    return marks


class _Chord(NamedTuple):
    """Notes of one track that start and end together, in quarters from the score's beginning."""

    start: Fraction
    end: Fraction
    track: int
    notes: list  # (pitch, velocity)


def _gridded(sequence, layout, resolution, triplets):
    """The piece's notes on the grid, as chords by start."""
    quarters = {
        name: layout.timing.seconds_to_quarters(sequence.notes[name]) - layout.origin for name in ("start", "end")
    }
    cells = _cells(layout, quarters, resolution, triplets)
    starts = [_snap(cells, place) for place in quarters["start"].tolist()]
    ends = [_snap(cells, place) for place in quarters["end"].tolist()]
    ends = [end if end > start else _next(cells, start) for start, end in zip(starts, ends, strict=True)]
    # `canonical` decides between notes of one pitch: the grid's places stand in for seconds.
    places = sorted({*starts, *ends})
    rank = {place: float(index) for index, place in enumerate(places)}
    notes = np.array(sequence.notes)
    notes["start"], notes["end"] = [rank[s] for s in starts], [rank[e] for e in ends]
    chords = {}
    ranked = canonical(sequence.replace(notes=notes, duration=float(len(places)))).notes
    for start, end, pitch, velocity, track in ranked.tolist():
        chords.setdefault((places[int(start)], places[int(end)], track), []).append((pitch, velocity))
    return sorted((_Chord(*key, notes) for key, notes in chords.items()), key=lambda c: (c.start, -c.notes[-1][0]))


class _Cells(NamedTuple):
    """Quarters of bars: where each begins (floats and Fractions) and into how many steps it is divided."""

    edges: np.ndarray
    exact: list
    steps: list


def _cells(layout, quarters, resolution, triplets):
    exact = []
    for begin, end in zip(layout.bounds, layout.bounds[1:], strict=False):
        # A pickup's cells are counted back from the bar line, so that they agree with the full bars.
        offset = (end - begin) % 1 if begin == 0 else 0
        exact += [begin] * bool(offset) + [begin + offset + k for k in range(math.ceil(end - begin - offset))]
    exact.append(layout.bounds[-1])
    edges = np.array([float(edge) for edge in exact])
    held = {name: np.searchsorted(edges, places + 1e-6, side="right") - 1 for name, places in quarters.items()}
    steps = []
    for cell, whole in enumerate(np.abs(np.diff(edges) - 1) < 1e-6):
        places = [quarters[name][held[name] == cell] - edges[cell] for name in ("start", "end")]
        steps.append(3 if triplets and whole and _in_three(*places, resolution) else resolution)
    return _Cells(edges, exact, steps)


def _in_three(starts, ends, resolution):
    """Whether starts in a quarter (or ends, where these do not tell) ask for triplets."""
    gain = _error(starts, resolution) - _error(starts, 3)
    if abs(gain) > 1e-6:
        return gain > 0
    return _error(ends, 3) < 1e-6 < _error(ends, resolution)


def _error(places, steps):
    return float(np.abs(places * steps - np.rint(places * steps)).sum() / steps)


def _snap(cells, place):
    index = int(np.clip(np.searchsorted(cells.edges, place + 1e-6, side="right") - 1, 0, len(cells.steps) - 1))
    step = max(0, math.floor((place - cells.edges[index]) * cells.steps[index] + 0.5))
    return min(cells.exact[index] + Fraction(step, cells.steps[index]), cells.exact[index + 1])


def _next(cells, place):
    """The grid's next place after one of its places."""
    index = int(np.searchsorted(cells.edges, float(place) + 1e-6, side="right")) - 1
    index = min(index, len(cells.steps) - 1)
    return min(place + Fraction(1, cells.steps[index]), cells.exact[index + 1])


def _part(track, chords, layout, spelling, with_tempo):
    from music21 import clef, meter, stream, tempo

    part = stream.Part()
    part.partName = track.name
    part.insert(0, _instrument(track))
    voices = _voices(chords)
    signature = None
    for number, (begin, end) in enumerate(zip(layout.bounds, layout.bounds[1:], strict=False)):
        measure = stream.Measure(number=number + layout.first_number)
        if layout.signatures[number] != signature:
            signature = layout.signatures[number]
            measure.insert(0, meter.TimeSignature("{}/{}".format(*signature)))
        if number == 0:
            measure.insert(0, clef.PercussionClef() if track.drum else _clef(chords))
            measure.insert(0, spelling.signature())
            measure.paddingLeft = float(layout.missing)
            measure.showNumber = "never" if layout.missing else "default"
        if with_tempo:
            for place, bpm, size in layout.tempos:
                if begin <= place < end:
                    mark = tempo.MetronomeMark(number=int(bpm) if bpm.is_integer() else bpm, referent=float(size))
                    measure.insert(place - begin, mark)
        short = end - begin < Fraction(4 * signature[0], signature[1])
        _fill(measure, voices, begin, end, spelling, short)
        part.append(measure)
    return part


def _instrument(track):
    from music21 import instrument

    if track.drum:
        result = instrument.UnpitchedPercussion()
        result.midiChannel, result.midiProgram = 9, track.program
    else:
        result = instrument.instrumentFromMidiProgram(track.program)
        result.midiProgram = track.program
        result.transposition = None  # the score is written at concert pitch
    result.partName = track.name
    return result


def _clef(chords):
    from music21 import clef

    pitches = [pitch for chord in chords for pitch, _ in chord.notes]
    return clef.BassClef() if pitches and np.mean(pitches) < 58 else clef.TrebleClef()


def _voices(chords):
    """Chords dealt out to voices in which nothing overlaps, the upper ones first."""
    voices = [[]]
    for chord in chords:
        free = next((voice for voice in voices if not voice or voice[-1].end <= chord.start), None)
        if free is None:
            voices.append(free := [])
        free.append(chord)
    return voices


def _fill(measure, voices, begin, end, spelling, short):
    from music21 import stream

    inside = [[chord for chord in voice if chord.start < end and chord.end > begin] for voice in voices]
    heard = [index for index, chords in enumerate(inside) if chords] or [0]
    for index in heard:
        target = measure if heard == [0] else stream.Voice(id=str(index + 1))
        _fill_voice(target, inside[index], begin, end, spelling, short)
        if target is not measure:
            measure.insert(0, target)


def _fill_voice(target, chords, begin, end, spelling, short):
    from music21 import note

    now = begin
    for chord in chords:
        first, last = max(chord.start, begin), min(chord.end, end)
        for start, length in _written(now, first, begin):
            target.insert(start - begin, note.Rest(quarterLength=length))
        for start, length in _written(first, last, begin):
            tied = chord.start < start, start + length < chord.end
            target.insert(start - begin, spelling.sound(chord.notes, length, tied))
        now = last
    rest = list(_written(now, end, begin))
    if short and len(rest) == 1 and rest[0][1] in (4, 8):  # music21 reads a whole rest alone as one of a full bar
        rest = [(now, rest[0][1] / 2), (now + rest[0][1] / 2, rest[0][1] / 2)]
    for start, length in rest:
        target.insert(start - begin, note.Rest(quarterLength=length))


def _written(start, end, bar):
    """(start, length) of the written notes that fill a span of a bar: triplets stay inside their quarter."""
    last = bar + math.floor(end - bar)  # the quarter that holds the end
    triplet_end = (end - bar).denominator % 3 == 0
    while start < end:
        edge = bar + math.floor(start - bar) + 1
        rest = (last if triplet_end and start < last else end) - start
        length = next((length for length in _LENGTHS if length <= rest), rest)
        inside = (start - bar).denominator > 1
        if (start - bar).denominator % 3 == 0 or (triplet_end and start >= last) or (inside and length < rest):
            length = min(edge - start, rest)
        yield start, length
        start += length


class _Spelling(NamedTuple):
    """The key's signature, and the name of each pitch class in it."""

    tonic: str
    names: list

    def signature(self):
        from music21 import key

        return key.Key(self.tonic)

    def sound(self, notes, length, tied):
        """A Note or Chord of (pitch, velocity) pairs, tied to what is (before, after) it."""
        from music21 import chord, note, tie
        from music21 import pitch as m21_pitch

        sounds = []
        for pitch, velocity in notes:
            name = m21_pitch.Pitch(name=self.names[pitch % 12], octave=pitch // 12 - 1)
            sounds.append(note.Note(name, quarterLength=length))
            sounds[-1].volume.velocity = velocity
        result = sounds[0] if len(sounds) == 1 else chord.Chord(sounds, quarterLength=length)
        kind = {(False, True): "start", (True, True): "continue", (True, False): "stop"}.get(tied)
        if kind:
            result.tie = tie.Tie(kind)
        return result


def _spelling(sequence):
    pitched = any(not sequence.tracks[track].drum for track in set(sequence.notes["track"].tolist()))
    name, _, _ = (estimate_key(sequence) if pitched else "C major").partition(" ")
    tonic = name[0] + name[1:].replace("b", "-")
    flat = "-" in tonic or tonic in ("F", "d", "g", "c", "f")
    return _Spelling(tonic, (_FLATS if flat else _SHARPS).split())
