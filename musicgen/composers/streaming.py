"""Notes one by one, while the composer goes on: for playing live, and for music without an end."""

import time
from typing import NamedTuple

from ..codecs.base import DEFAULT_VELOCITY
from ..codecs.grammar import TYPES
from ..timing import natural_quarters_per_beat


class StreamedNote(NamedTuple):
    """A note: `start` and `end` in seconds, MIDI `pitch` and `velocity`, `track` as an index."""

    start: float
    end: float
    pitch: int
    velocity: int
    track: int


class NoteStream:
    """Iterator over the notes of a composition, in the order in which they begin.

    A note is handed out as soon as nothing that is still to come can change it: when the music has passed its end,
    or its pitch begins anew in its track.

    Attributes
    ----------
    tracks : tuple of Track
    seed : int
    composed_s, worked_s : float
        Seconds of music composed so far, and seconds that this took.
    """

    def __init__(self, plan, chunks):
        self.seed, self.tracks = plan.seed, plan.tracks
        self.composed_s = self.worked_s = 0.0
        self._notes = self._read(_Reader(plan), chunks, len(plan.prompt(0).tokens) - 1)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._notes)

    @property
    def real_time_factor(self):
        """Seconds of music per second of work; above 1 the music is ready before it is heard."""
        return self.composed_s / self.worked_s if self.worked_s else float("nan")

    def _read(self, reader, chunks, given):
        origin = reader.now()
        begun = time.perf_counter()
        for tokens, _, _ in chunks:
            heard = tokens[given:, 0].tolist()
            given = max(0, given - len(tokens))
            notes = reader.read(heard)
            self.composed_s = reader.now() - origin
            self.worked_s += time.perf_counter() - begun
            yield from notes
            begun = time.perf_counter()
            if reader.ended:
                return


class _Reader:
    """Tokens to notes, a few at a time."""

    def __init__(self, plan):
        grammar = plan.codec.grammar
        self._kinds, self._values = [TYPES[kind] for kind in grammar.types], grammar.values.tolist()
        self._resolution, self._tempo = plan.codec.resolution, plan.asked.tempo
        self._meters = {plan.codec.token(f"Meter_{label}"): label for label in plan.codec.spec["Meter"]}
        self._bar = self._next_bar = self._place = self._bar_quarters = 0.0
        self._qpm, self._track, self._note, self._waiting, self.ended = 120.0, 0, None, [], False
        self._seconds = lambda quarters: quarters * 60.0 / self._qpm
        if plan.primer is not None:
            self._begin_after(plan.primer)

    def _begin_after(self, primer):
        self._seconds = lambda quarters: float(primer.timing.quarters_to_seconds(quarters))
        self._bar = float(primer.timing.first_bars(primer.bars)[-1])
        self._bar_quarters = primer.timing.meters[-1].quarters
        self._next_bar = self._bar + self._bar_quarters
        self._place = self._bar + primer.floor / self._resolution
        tracks = [self._values[token] for token in primer.tokens if self._kinds[token] == "Track"]
        self._track = tracks[-1]

    def now(self):
        """Seconds up to which the music is composed."""
        return self._seconds(self._place)

    def read(self, tokens):
        """Notes that have become certain with some more tokens, as a list of StreamedNote."""
        for token in tokens:
            self._heed(self._kinds[token], self._values[token], token)
            if self.ended:
                break
        return self._certain()

    def _heed(self, kind, value, token):
        if kind in ("Bar", "Position", "Track", "Pitch", "EOS"):
            self._close()
        if kind == "Tempo":
            self._qpm = value
        elif kind == "Meter":
            self._change_meter(self._meters[token])
        elif kind == "Bar":
            self._bar, self._next_bar = self._next_bar, self._next_bar + self._bar_quarters
            self._place = self._bar
        elif kind == "Position":
            self._place = self._bar + value / self._resolution
        elif kind == "Track":
            self._track = value
        elif kind == "Pitch":
            self._note = [value, DEFAULT_VELOCITY, 0]
        elif kind == "Velocity":
            self._note[1] = value
        elif kind == "Duration":
            self._note[2] += value
        elif kind == "EOS":
            self._place, self.ended = self._next_bar, True

    def _change_meter(self, label):
        numerator, denominator = map(int, label.split("/"))
        self._bar_quarters = 4 * numerator / denominator
        if self._tempo is not None:
            self._qpm = self._tempo * natural_quarters_per_beat(numerator, denominator)

    def _close(self):
        """The current note, if there is one, begins to wait; the one of its pitch that still sounds ends there."""
        if self._note is None:
            return
        pitch, velocity, steps = self._note
        start, end = self._seconds(self._place), self._seconds(self._place + steps / self._resolution)
        for index, other in enumerate(self._waiting):
            if (other.pitch, other.track) == (pitch, self._track) and other.end > start:
                self._waiting[index] = other._replace(end=start)
        self._waiting.append(StreamedNote(start, end, pitch, velocity, self._track))
        self._note = None

    def _certain(self):
        """Take the first waiting notes that have ended."""
        now = self.now()
        count = 0
        while count < len(self._waiting) and (self.ended or self._waiting[count].end <= now):
            count += 1
        certain, self._waiting = self._waiting[:count], self._waiting[count:]
        return [note._replace(end=min(note.end, now)) for note in certain]
