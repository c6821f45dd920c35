"""A piece that a composition continues: its tokens, its timing, and the place where it ends."""

import math
from functools import cached_property

import numpy as np

from ..codecs.grammar import TYPE
from ..codecs.spec import KEYS, TEMPI, key_name
from ..datasets.labels import labelled
from ..errors import InputError
from ..notes import NoteSequence
from ..score.key import key_lead
from ..timing import Timing
from .base import checked_sequences
from .prompts import walk

_OF_COMPOSING = ("composer", "seed", "number", "bars", "primer", "warning", "temperature", "top_k", "top_p", "min_p")
_OF_COMPOSING += ("repetition_penalty", "smoothness", "truncation", "candidates")
_LABELS = (("Genre", "genre"), ("Key", "key"))  # controls that stand in `meta`


class Primer:
    """The end of a given piece, as the network hears it, and the way back.

    The piece itself is kept as it is, off the grid too; what follows lies on the codec's grid from its last bar on,
    at its last tempo and meter, and begins no earlier than the piece ends.

    Parameters
    ----------
    codec : EventsCodec
    sequence : NoteSequence
    controls : mapping of str to object
        Controls that are asked for, such as "Key", in place of the piece's own.

    Raises
    ------
    InputError
        If the piece has no notes, more tracks than the codec, percussion where the codec has none, or a meter that
        the codec cannot hold.
    """

    def __init__(self, codec, sequence, controls=()):
        self.codec, self.sequence = codec, checked_sequences([sequence], "primer")[0]
        self._check_tracks()
        self.timing = continued_timing(self.sequence)
        self._asked = {name: controls[kind] for kind, name in _LABELS if kind in controls}
        labels = labelled(self.sequence.replace(meta=self._asked))
        self.key = key_name(labels.meta.get("key"))
        self.tokens = self._encoded(labels, dict(controls))
        bars = self.timing.first_bars(self.bars)
        end = float(self.timing.seconds_to_quarters(self.sequence.duration))
        free = math.ceil((end - bars[-1]) * codec.resolution - 1e-3)
        self.floor = max(free, self._last_position() + 1)
        self.begin = float(self.timing.quarters_to_seconds(bars[-1] + self.floor / codec.resolution))

    @property
    def bars(self):
        """Number of bars that the piece has begun."""
        return int(np.sum(self.codec.grammar.types[self.tokens] == TYPE["Bar"]))

    @cached_property
    def walked(self):
        """The grammar's registers behind the piece."""
        return walk(self.codec.grammar, self.tokens)

    @property
    def tracks(self):
        """The piece's tracks, and those that only the codec has."""
        return self.sequence.tracks + self.codec.tracks[len(self.sequence.tracks) :]

    @property
    def key_lead(self):
        """By how much `key` fits the piece better than any other key; 0 where there is none to tell."""
        try:
            return 0.0 if self.key is None else key_lead(self.sequence, KEYS.index(self.key))
        except InputError:  # percussion alone, though a key is noted
            return 0.0

    def continued(self, tokens, meta):
        """The piece and what new tokens add to it, as a NoteSequence that may sound beyond its last bar."""
        given = self.sequence
        meta = meta_beside_primer(given, {**self._asked, **meta})
        whole = self.codec.decode(
            np.concatenate([self.tokens, tokens]), timing=self.timing, tracks=self.tracks, meta=meta
        )
        added = whole.notes[whole.notes["start"] >= self.begin - 1e-6]
        notes = np.concatenate([given.notes, added])
        return NoteSequence(notes, self.tracks, self.timing, max(whole.duration, given.duration), whole.meta)

    def _encoded(self, labels, controls):
        tokens = self.codec.encode(labels.replace(timing=self.timing))[:-1]
        qpm = 60.0 * self.timing.quarters_per_beat / float(self.timing.beats[-1] - self.timing.beats[-2])
        controls["Tempo"] = nearest_tempo(qpm)
        for kind in controls.keys() - dict(_LABELS):
            value = controls[kind]
            tokens[self.codec.grammar.types[tokens] == TYPE[kind]] = self.codec.token(f"{kind}_{value}")
        return tokens

    def _last_position(self):
        """Last step at which a note begins in the last bar, -1 if there is none."""
        types, values = self.codec.grammar.types[self.tokens], self.codec.grammar.values[self.tokens]
        last = np.flatnonzero(types == TYPE["Bar"])[-1]
        return int(values[last:][types[last:] == TYPE["Position"]].max(initial=-1))

    def _check_tracks(self):
        used = np.unique(self.sequence.notes["track"])
        tracks = self.codec.tracks
        if used[-1] >= len(tracks):
            raise InputError(
                f"the primer uses {used[-1] + 1} tracks, this composer knows {len(tracks)}",
                remedy="leave out or join tracks of the primer",
            )
        for index in used.tolist():
            drum, kinds = self.sequence.tracks[index].drum, ("pitched", "percussion")
            if drum != tracks[index].drum:
                known = any(track.drum == drum for track in tracks)
                order = "put the primer's tracks into the composer's order"
                raise InputError(
                    f"track {index} of the primer is {kinds[drum]}, this composer's is {kinds[not drum]}",
                    remedy=order if known else f"leave it out: this composer writes no {kinds[drum]} tracks",
                )


def meta_beside_primer(primer, meta):
    """`meta` of a continuation: what the primer tells of itself, not of how it was composed, and what is new."""
    own = {
        name: value
        for name, value in primer.meta.items()
        if name not in _OF_COMPOSING and not name.startswith(("asked_", "achieved_"))
    }
    return {**own, **meta, "primer": primer.meta.get("title", "a given piece")}


def nearest_tempo(qpm):
    """The Tempo token's value next to a tempo in quarter notes per minute."""
    return min(TEMPI, key=lambda tempo: abs(math.log(tempo / qpm)))


def continued_timing(primer):
    """The primer's timing; the last meter in which it sounds holds on."""
    timing = primer.timing
    end = timing.seconds_to_beats(max(primer.duration, 1e-6))
    meters = [meter for meter in timing.meters if meter.beat < end] or timing.meters[:1]
    return Timing(timing.beats, timing.quarters_per_beat, tuple(meters))
