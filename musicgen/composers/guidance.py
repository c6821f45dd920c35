"""What is asked of a composition, as masks and biases of the next token's scores inside the compiled loop.

Masks keep what can be promised: a range of pitches, notes sounding at once, one meter, a beginning where a primer
ends. Biases lean towards what a model must want by itself: a key, a density, an end of a loop. They are strong where
the piece so far has gone astray, and vanish where it has not.
"""

from dataclasses import dataclass

import numpy as np
from keras import ops

from ..codecs.grammar import TYPE
from ..score.key import PROFILES
from .listening import completing, register, sounding, statements

STATEMENTS = 4  # of a loop of a bar or less that cost nothing
KEY_LEAD = 0.16  # correlation by which the key asked for shall lead all others
KEY_STRENGTH, STRONGEST_KEY = 40.0, 8.0  # nats per correlation that is missing, and at most, by a unit profile
DENSITY_STRENGTH, STRONGEST_DENSITY = 0.8, 8.0  # nats per note that is owed, and at most


@dataclass(frozen=True)
class Guidance:
    """What is asked, checked before.

    Parameters
    ----------
    repetition_penalty : float
        Nats that a note loses for every statement of a loop beyond `STATEMENTS`.
    key : int, optional
        Index into `codecs.spec.KEYS`.
    key_lead : float
        Correlation by which that key shall lead all others.
    density : float, optional
        Notes per quarter note.
    polyphony : int, optional
        Notes that sound at once, at most.
    pitch_range : (int, int), optional
        Lowest and highest pitch of tracks that are no percussion.
    one_meter : bool
        Whether the first meter holds to the end.
    """

    repetition_penalty: float = 0.0
    key: int | None = None
    key_lead: float = KEY_LEAD
    density: float | None = None
    polyphony: int | None = None
    pitch_range: tuple | None = None
    one_meter: bool = False

    @property
    def filters(self):
        """Names of what is asked; the rest costs nothing."""
        asked = {
            "loops": self.repetition_penalty > 0,
            "key": self.key is not None,
            "density": self.density is not None,
            "polyphony": self.polyphony is not None,
            "pitch_range": self.pitch_range is not None,
            "one_meter": self.one_meter,
        }
        return tuple(name for name, is_asked in asked.items() if is_asked)

    def numbers(self, resolution):
        """The values as arrays by name."""
        low, high = self.pitch_range or (0, 127)
        return {
            "penalty": np.float32(self.repetition_penalty),
            "key": np.int32(self.key or 0),
            "lead": np.float32(self.key_lead),
            "pace": np.float32((self.density or 0.0) / resolution),
            "polyphony": np.int32(self.polyphony or 0),
            "low": np.int32(low),
            "high": np.int32(high),
        }


class Guide:
    """Masks and biases for one codec.

    Parameters
    ----------
    grammar : Grammar
    listener : Listener
    """

    def __init__(self, grammar, listener):
        self.grammar, self.listener = grammar, listener
        self.types, self.values = grammar.types[None], grammar.values[None]

    def _is(self, *kinds):
        return np.isin(self.types, [TYPE[kind] for kind in kinds])

    def permitted(self, state, heard, numbers, floor, filters):
        """Which tokens what is asked permits.

        Parameters
        ----------
        state : int32, shape (batch, len(REGISTERS))
        heard : dict
            Registers of the `Listener`.
        numbers : dict
            `Guidance.numbers`.
        floor : (int32, int32), each of shape (batch,)
            Number of the bar in which a primer ends, and the first step in it that is free.
        filters : tuple of str

        Returns
        -------
        bool, shape (batch, vocab_size)
        """
        allowed = ~self._held(state, floor) & ~self._endless(heard)
        if "polyphony" in filters:
            allowed = allowed & ~self._crowded(state, heard, numbers["polyphony"])
        if "pitch_range" in filters:
            outside = (self.values < numbers["low"]) | (self.values > numbers["high"])
            allowed = allowed & ~(self._is("Pitch") & outside & ~self._on_drums(state))
        if "one_meter" in filters:
            allowed = allowed & ~(self._is("Meter") & _column(register(state, "bars") > 0))
        return allowed

    def bias(self, state, heard, numbers, filters):
        """Nats to add to the scores of the next token: float32, shape (batch, vocab_size)."""
        bias = ops.zeros((1, 1))
        if "loops" in filters:
            bias = bias - numbers["penalty"] * self._repeated(state, heard)
        if "key" in filters:
            bias = bias + self._towards_key(state, heard, numbers["key"], numbers["lead"])
        if "density" in filters:
            bias = bias + self._towards_density(state, heard, numbers["pace"])
        return bias

    # ---- masks

    def _held(self, state, floor):
        """Before the end of the primer nothing is added."""
        bar, step = floor
        here = _column(register(state, "bars") <= bar)
        early = self._is("Position") & (self.values < _column(step))
        beside = self._is("Pitch", "Track") & _column(register(state, "position") < step)
        return here & (early | beside)

    def _endless(self, heard):
        """A note is prolonged to at most 16 of the longest Durations."""
        longest = 16 * int(self.grammar.values[self.grammar.longest])
        return self._is("Duration") & _column(heard["end"] - heard["now"] >= longest)

    def _crowded(self, state, heard, polyphony):
        """A note may begin only where fewer than `polyphony` sound."""
        steps = np.arange(np.count_nonzero(self._is("Position")), dtype=np.int32)[None]
        full = sounding(heard, _column(heard["bar"]) + steps) >= polyphony  # (batch, steps of the longest bar)
        at = ops.take(full, np.where(self._is("Position"), self.values, 0)[0], axis=1)
        # A Position is followed by a note in any case, so only notes beside another one are counted here.
        beside = self._is("Pitch", "Track") & _column(register(state, "type") == TYPE["Duration"])
        return (self._is("Position") & at) | (beside & (sounding(heard, _column(heard["now"])) >= polyphony))

    def _on_drums(self, state):
        return _column(ops.take(self.listener.drums, ops.maximum(register(state, "track"), 0)) > 0)

    # ---- biases

    def _repeated(self, state, heard):
        """For the pitch with which a loop comes round, its statements beyond those that cost nothing."""
        excess = ops.maximum(statements(heard) - STATEMENTS, 0)  # (batch, GROUPS)
        pitch = completing(heard, register(state, "track"))
        excess = ops.where((pitch >= 0) & (pitch < 128), excess, 0)
        hit = ops.expand_dims(pitch, 2) == np.where(self._is("Pitch"), self.values, -1)[None]
        repeated = ops.max(ops.where(hit, ops.expand_dims(excess, 2), 0), axis=1)
        empty = _column(ops.where(heard["filled"] == 0, ops.maximum(heard["silent"] - 1, 0), 0))
        return ops.cast(repeated + ops.where(self._is("Bar", "Meter"), empty, 0), "float32")

    def _towards_key(self, state, heard, key, wanted):
        """Pitches of the key gain by as much as its lead falls short, against the key that leads instead."""
        profiles = ops.convert_to_tensor(PROFILES.astype(np.float32))
        heights = heard["heights"]
        size = ops.sqrt(ops.sum(ops.square(heights - ops.mean(heights, axis=1, keepdims=True)), axis=1))
        fits = ops.matmul(heights, ops.transpose(profiles)) / ops.expand_dims(
            ops.maximum(size, 1e-6), 1
        )  # (batch, 24)
        others = ops.where(ops.arange(24) == key, -2.0, fits)
        lead = ops.take(fits, key, axis=1) - ops.max(others, axis=1)
        strength = ops.clip(KEY_STRENGTH * (wanted - lead), 0.0, STRONGEST_KEY)
        own = ops.take(profiles, key, axis=0)
        against = ops.expand_dims(own, 0) - 0.5 * ops.take(
            profiles, ops.argmax(others, axis=1), axis=0
        )  # (batch, 12)
        gained = ops.take(against * ops.expand_dims(strength, 1), self.values[0] % 12, axis=1)
        return ops.where(self._is("Pitch") & ~self._on_drums(state), gained, 0.0)

    def _towards_density(self, state, heard, pace):
        """Notes gain, and time that passes without notes loses, by as many notes as are owed."""
        price = ops.clip(DENSITY_STRENGTH * heard["owed"], -STRONGEST_DENSITY, STRONGEST_DENSITY)
        position = _column(ops.maximum(register(state, "position"), 0))
        rest = _column(register(state, "bar_steps")) - position
        skipped = ops.where(self._is("Position"), self.values - position, 0)
        skipped = ops.where(self._is("Bar", "Meter", "EOS"), rest, skipped)  # all of them end the bar
        gained = self._is("Position", "Pitch", "Track").astype(np.float32)
        choosing = _column((register(state, "type") == TYPE["Duration"]) | (register(state, "type") == TYPE["Bar"]))
        return ops.where(choosing, _column(price) * (gained - pace * ops.cast(skipped, "float32")), 0.0)


def _column(values):
    return ops.expand_dims(values, 1)
