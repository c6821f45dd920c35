"""Which token may follow: the grammar of event tokens as tables and a handful of registers.

`Grammar` holds the tables that follow from the codec's spec; `initial_state`, `advance` and `allowed` work on a
batch of token streams at once, with NumPy or with any array module that has `take`, `where`, `stack` and
`expand_dims` (`keras.ops`), so that the compiled sampling loop and the tests run the very same code.

The state of a stream is a row of `len(REGISTERS)` int32: the last token's type, whether it may be prolonged, the
length of the bar in steps, the last position in the bar, the current track, the last pitch of this track at this
position, the number of bars begun, and whether any note has sounded.
"""

from typing import NamedTuple

import numpy as np

TYPES = (
    "PAD",
    "BOS",
    "EOS",
    "Genre",
    "Key",
    "Density",
    "Tempo",
    "Meter",
    "Bar",
    "Position",
    "Track",
    "Pitch",
    "Velocity",
    "Duration",
)
TYPE = {name: index for index, name in enumerate(TYPES)}
#: Controls in front of a piece, in this order; the first three may be left out.
CONTROLS = ("Genre", "Key", "Density", "Tempo", "Meter")
OPTIONAL_CONTROLS = CONTROLS[:3]
REGISTERS = ("type", "extends", "bar_steps", "position", "track", "pitch", "bars", "sounded")

_AFTER_NOTE = ("Pitch", "Track", "Position", "Bar", "Meter", "EOS")
_FOLLOWS = {
    "PAD": ("PAD",),
    "BOS": ("Genre", "Key", "Density", "Tempo"),
    "EOS": ("PAD",),
    "Genre": ("Key", "Density", "Tempo"),
    "Key": ("Density", "Tempo"),
    "Density": ("Tempo",),
    "Tempo": ("Meter",),
    "Meter": ("Bar",),
    "Bar": ("Position", "Bar", "Meter", "EOS"),
    "Position": ("Track", "Pitch"),
    "Track": ("Pitch",),
    "Pitch": ("Velocity",),
    "Velocity": ("Duration",),
    "Duration": ("Duration", *_AFTER_NOTE),
}


class Places(NamedTuple):
    """Types and values of all tokens of a stream, and where its tokens of some types stand (sorted indices)."""

    types: np.ndarray
    values: np.ndarray
    meters: np.ndarray
    bars: np.ndarray
    positions: np.ndarray
    tracks: np.ndarray
    pitches: np.ndarray


class Grammar:
    """Tables of one codec.

    Parameters
    ----------
    types : numpy.ndarray of int32, shape (vocab_size,)
        Index into `TYPES` of every token.
    values : numpy.ndarray of int32, shape (vocab_size,)
        Its number: the pitch, the position in steps, the track, for Meter the length of the bar in steps.
    longest : int
        Token id of the longest Duration, which another Duration may prolong.
    velocities : bool
        Whether a Velocity stands between Pitch and Duration.
    """

    def __init__(self, types, values, longest, *, velocities=True):
        self.types, self.values, self.longest = types, values, longest
        self.follows = np.zeros((len(TYPES), len(TYPES)), bool)
        for name, successors in _FOLLOWS.items():
            self.follows[TYPE[name], [TYPE[successor] for successor in successors]] = True
        if not velocities:
            self.follows[TYPE["Pitch"]] = self.follows[TYPE["Velocity"]]
        self.token_follows = self.follows[:, types]
        self._pairs = self._pair_table()

    def initial_state(self, batch):
        """State after the BOS token: int32, shape (batch, len(REGISTERS))."""
        return np.tile(np.array([TYPE["BOS"], 0, 0, -1, -1, -1, 0, 0], np.int32), (batch, 1))

    def advance(self, state, tokens, xp=np):
        """State after one more token per stream.

        Parameters
        ----------
        state : int32 array, shape (batch, len(REGISTERS))
        tokens : int32 array, shape (batch,)
        xp : module
            `numpy` or `keras.ops`.

        Returns
        -------
        int32 array, shape (batch, len(REGISTERS))
        """
        _, _, bar_steps, position, track, pitch, bars, sounded = (state[:, i] for i in range(len(REGISTERS)))
        kind = xp.take(self.types, tokens)
        value = xp.take(self.values, tokens)
        bar_steps = xp.where(kind == TYPE["Meter"], value, bar_steps)
        new_bar = kind == TYPE["Bar"]
        new_group = (kind == TYPE["Position"]) | (kind == TYPE["Track"])
        position = xp.where(new_bar, -1, xp.where(kind == TYPE["Position"], value, position))
        track = xp.where(kind == TYPE["Track"], value, track)
        pitch = xp.where(new_bar | new_group, -1, xp.where(kind == TYPE["Pitch"], value, pitch))
        bars = xp.where(new_bar, bars + 1, bars)
        extends = xp.where(tokens == self.longest, 1, 0)
        sounded = xp.where(kind == TYPE["Pitch"], 1, sounded)
        return xp.stack([kind, extends, bar_steps, position, track, pitch, bars, sounded], axis=1)

    def allowed(self, state, bars=None, xp=np):
        """Which tokens may come next.

        Parameters
        ----------
        state : int32 array, shape (batch, len(REGISTERS))
        bars : int32 array, shape (batch,), optional
            Bars that the piece shall have in all: no further bar begins after them, and no piece ends before, nor
            without a note.
        xp : module
            `numpy` or `keras.ops`.

        Returns
        -------
        bool array, shape (batch, vocab_size)
            At least one token is allowed in every state that can be reached.
        """
        column = {name: xp.expand_dims(state[:, i], 1) for i, name in enumerate(REGISTERS)}
        types, values = self.types[None], self.values[None]
        allowed = xp.take(self.token_follows, state[:, 0], axis=0)
        fresh = column["type"] == TYPE["Position"]
        rules = {
            "Duration": (column["type"] != TYPE["Duration"]) | (column["extends"] == 1),
            "Position": (values > column["position"]) & (values < column["bar_steps"]),
            "Track": (values > column["track"]) | (fresh & (values != column["track"])),
            "Pitch": (values > column["pitch"]) & (column["track"] >= 0),
        }
        for name, rule in rules.items():
            allowed = allowed & ((types != TYPE[name]) | rule)
        if bars is None:
            return allowed
        full = column["bars"] >= xp.expand_dims(bars, 1)
        begins = (types == TYPE["Bar"]) | (types == TYPE["Meter"])
        ends = types == TYPE["EOS"]
        may_end = full & (column["sounded"] > 0)
        return allowed & ~(begins & full) & ~(ends & ~may_end)

    def places(self, tokens):
        """The `Places` of one stream of tokens."""
        types, values = self.types.take(tokens), self.values.take(tokens)
        sought = ("Meter", "Bar", "Position", "Track", "Pitch")
        return Places(types, values, *((types == TYPE[kind]).nonzero()[0] for kind in sought))

    def first_error(self, tokens, places=None):
        """Where tokens first break the grammar, found without walking through them.

        Parameters
        ----------
        tokens : int array, shape (n_tokens,)
            One stream from BOS on, without EOS.
        places : Places, optional
            Those of the tokens, where they are known.

        Returns
        -------
        int or None
            Index of the first token that may not stand where it stands; n_tokens if the last note or the header
            is unfinished; None if all is well.
        """
        if not len(tokens) or self.types[tokens[0]] != TYPE["BOS"]:
            return 0
        places = places or self.places(tokens)
        types, values, meters, bars, positions, tracks, pitches = places
        kinds = types + (tokens == self.longest)  # a longest Duration is a type of its own
        wrong = [(~self._pairs.take(kinds[:-1] * (len(TYPES) + 1) + kinds[1:])).nonzero()[0] + 1]
        if len(positions) and len(meters):
            place = values.take(positions)
            wrong.append(positions[place >= values.take(meters.take(last_before(meters, positions)))])
            bar = bars.searchsorted(positions)
            wrong.append(positions[1:][(place[1:] <= place[:-1]) & (bar[1:] == bar[:-1])])
        if len(pitches):
            wrong.append(pitches[:1] if not len(tracks) or pitches[0] < tracks[0] else pitches[:0])
            height, later = values.take(pitches), pitches[1:]
            wrong.append(later[(height[1:] <= height[:-1]) & (types.take(later - 1) == TYPE["Duration"])])
        if len(tracks) > 1:
            change = np.diff(values.take(tracks))
            fresh = types.take(tracks[1:] - 1) == TYPE["Position"]
            wrong.append(tracks[1:][(change == 0) | (~fresh & (change < 0))])
        found = [int(hits[0]) for hits in wrong if len(hits)]
        if found:
            return min(found)
        return None if types[-1] in (TYPE["Bar"], TYPE["Duration"]) else len(tokens)

    def _pair_table(self):
        """`follows` with one more type, the longest Duration: it alone is followed by a Duration."""
        last = TYPE["Duration"]
        table = np.zeros((len(TYPES) + 1, len(TYPES) + 1), bool)
        table[:-1, :-1] = self.follows
        table[-1, :-1] = self.follows[last]
        table[last, last] = False
        table[:, -1] = table[:, last]
        return table


def last_before(marks, places):
    """For every place, which of the sorted marks stands last at or before it; -1 before the first."""
    return marks.searchsorted(places, side="right") - 1


def last_value(types, values, kind):
    """At every token, the value of the last token of a type up to there; -1 before the first."""
    index = np.maximum.accumulate(np.where(types == TYPE[kind], np.arange(len(types)), -1))
    return np.where(index >= 0, values[index], -1)
