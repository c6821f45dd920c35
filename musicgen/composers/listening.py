"""What a stream has sounded so far, as registers that every token moves on inside the compiled loop.

The grammar's registers say what may come next; these say what has been: the open group of notes and those before it,
how often a passage of at most a bar was stated without a break, which notes still sound, and, after a primer,
how long each pitch class has sounded and how many notes are owed to the density that was asked for.
"""

import numpy as np
from keras import ops

from ..codecs.grammar import REGISTERS, TYPE

GROUPS = 32  # groups of notes that are remembered; a bar that holds more is not recognised as a loop
VOICES = 16  # notes that may sound at once and still be counted
_LONG_AGO = -(2**20)
_FACTOR = 1_000_003  # of the hash of a group: hash of the notes before times this, plus the note's number


class Listener:
    """Registers of one codec.

    Parameters
    ----------
    grammar : Grammar
    drums : sequence of bool
        Which tracks are percussion, whose pitches are no pitches.
    """

    def __init__(self, grammar, drums):
        self.grammar, self.drums = grammar, np.array(drums, np.float32)
        self.first_pitch = int(np.argmax(grammar.types == TYPE["Pitch"]))

    def initial(self, batch):
        """Registers before the first bar: a dict of arrays with leading axis `batch`.

        Times are grid steps from the first bar heard. `hashes`, `times` and `runs` are those of the groups before
        the open one, the last first; `runs[:, i]` counts the groups up to the last that are each the same as the
        one i + 1 groups earlier.
        """
        numbers = ("bar", "next_bar", "now", "hash", "end", "filled", "silent")
        return {
            **{name: np.zeros(batch, np.int32) for name in numbers},
            "hashes": np.zeros((batch, GROUPS), np.int32),
            "times": np.full((batch, GROUPS + 1), _LONG_AGO, np.int32),
            "runs": np.zeros((batch, GROUPS), np.int32),
            "ends": np.zeros((batch, VOICES), np.int32),
            "heights": np.zeros((batch, 12), np.float32),
            "owed": np.zeros(batch, np.float32),
        }

    def advance(self, heard, before, after, tokens, pace):
        """Registers after one more token per stream.

        Parameters
        ----------
        heard : dict
        before, after : int32, shape (batch, len(REGISTERS))
            The grammar's registers before and after the token.
        tokens : int32, shape (batch,)
        pace : float32, shape (batch,)
            Notes owed per step; negative in a primer, of which neither notes nor pitch classes are counted.

        Returns
        -------
        dict
        """
        kind, value = ops.take(self.grammar.types, tokens), ops.take(self.grammar.values, tokens)
        is_bar, is_place, is_pitch = (kind == TYPE[name] for name in ("Bar", "Position", "Pitch"))
        is_length = kind == TYPE["Duration"]
        bar = ops.where(is_bar, heard["next_bar"], heard["bar"])
        now = ops.where(is_bar, bar, ops.where(is_place, bar + value, heard["now"]))
        code = register(after, "track") * 128 + value + 1
        grown = ops.where(is_pitch, heard["hash"] * _FACTOR + code, heard["hash"])
        owed = heard["owed"] + pace * ops.cast(now - heard["now"], "float32") - ops.cast(is_pitch, "float32")
        fresh = is_bar & (register(before, "bars") > 0)
        sounded = self._sounded(after, ops.where(is_length & (pace >= 0), value, 0))
        return {
            "bar": bar,
            "next_bar": ops.where(is_bar, bar + register(after, "bar_steps"), heard["next_bar"]),
            "now": now,
            "hash": ops.where(is_bar | is_place, 0, grown),
            "end": ops.where(is_pitch, 0, ops.where(is_length, ops.maximum(heard["end"], now) + value, heard["end"])),
            "filled": ops.where(is_bar, 0, ops.where(is_pitch, 1, heard["filled"])),
            "silent": ops.where(fresh, (heard["silent"] + 1) * (1 - heard["filled"]), heard["silent"]),
            **_closed(heard, (is_bar | is_place) & (heard["hash"] != 0), register(before, "bar_steps")),
            "ends": _begun(heard, is_pitch),
            "heights": heard["heights"] + sounded,
            "owed": ops.where(pace >= 0, owed, heard["owed"]),
        }

    def _sounded(self, state, steps):
        """Steps for the pitch class of the current note, none for percussion: float32, (batch, 12)."""
        pitched = 1.0 - ops.take(self.drums, ops.maximum(register(state, "track"), 0))
        classes = ops.one_hot(register(state, "pitch") % 12, 12, dtype="float32")
        return classes * ops.expand_dims(pitched * ops.cast(steps, "float32"), 1)


def register(state, name):
    """One of the grammar's registers: int32, shape (batch,)."""
    return state[:, REGISTERS.index(name)]


def sounding(heard, time):
    """How many notes sound at a step, for steps of shape (batch, n) after all that began: int32, (batch, n)."""
    later = ops.expand_dims(heard["ends"], 1) > ops.expand_dims(time, 2)  # (batch, n, VOICES)
    return ops.sum(ops.cast(later, "int32"), axis=-1) + ops.cast(ops.expand_dims(heard["end"], 1) > time, "int32")


def statements(heard):
    """Of a group that comes now and continues the loop of so many groups: how often that will have been stated.

    Returns
    -------
    int32, shape (batch, GROUPS)
        Column i is for loops of i + 1 groups; 0 where there is none, or the time is not that of its next group.
    """
    times, size = heard["times"], np.arange(1, GROUPS + 1, dtype=np.int32)[None]
    in_time = ops.expand_dims(heard["now"], 1) - times[:, :1] == times[:, :-1] - times[:, 1:]
    stated = (heard["runs"] + size) // size + 1
    return ops.where(in_time & (heard["runs"] > 0), stated, 0)


def completing(heard, track):
    """The pitch that would make the open group the one before which the loop of so many groups comes round.

    Returns
    -------
    int32, shape (batch, GROUPS)
        What is no pitch, from 0 to 127, stands where one note alone cannot do so.
    """
    return heard["hashes"] - ops.expand_dims(heard["hash"] * _FACTOR + track * 128 + 1, 1)


def _closed(heard, closes, bar_steps):
    """`hashes`, `times` and `runs` after the open group was closed, in the streams where it was."""
    hashes, times, runs = heard["hashes"], heard["times"], heard["runs"]
    now, last = ops.expand_dims(heard["now"], 1), ops.expand_dims(heard["hash"], 1)
    same = (hashes == last) & (now - times[:, :-1] <= ops.expand_dims(bar_steps, 1))
    in_time = now - times[:, :1] == times[:, :-1] - times[:, 1:]
    counted = ops.where(same, ops.where(in_time, runs + 1, 1), 0)
    closes = ops.expand_dims(closes, 1)
    return {
        "hashes": ops.where(closes, ops.concatenate([last, hashes[:, :-1]], axis=1), hashes),
        "times": ops.where(closes, ops.concatenate([now, times[:, :-1]], axis=1), times),
        "runs": ops.where(closes, counted, runs),
    }


def _begun(heard, is_pitch):
    """`ends` after another note began: the note before it takes the place of the one that ended first."""
    ends = heard["ends"]
    first = ops.one_hot(ops.argmin(ends, axis=1), VOICES, dtype="bool")
    last = ops.expand_dims(heard["end"], 1)
    return ops.where(first & ops.expand_dims(is_pitch, 1) & (last > 0), last, ends)
