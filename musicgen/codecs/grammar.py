"""Which token may follow: the grammar of event tokens as tables and a handful of registers.

`Grammar` holds the tables that follow from the codec's spec; `initial_state`, `advance` and `allowed` work on a
batch of token streams at once, with NumPy or with any array module that has `take`, `where`, `stack` and
`expand_dims` (`keras.ops`), so that the compiled sampling loop and the tests run the very same code.

The state of a stream is a row of `len(REGISTERS)` int32: the last token's type, whether it may be prolonged, the
length of the bar in steps, the last position in the bar, the current track, the last pitch of this track at this
position, and the number of bars begun.
"""

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
REGISTERS = ("type", "extends", "bar_steps", "position", "track", "pitch", "bars")

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

    def initial_state(self, batch):
        """State after the BOS token: int32, shape (batch, len(REGISTERS))."""
        return np.tile(np.array([TYPE["BOS"], 0, 0, -1, -1, -1, 0], np.int32), (batch, 1))

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
        _, _, bar_steps, position, track, pitch, bars = (state[:, i] for i in range(len(REGISTERS)))
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
        return xp.stack([kind, extends, bar_steps, position, track, pitch, bars], axis=1)

    def allowed(self, state, bars=None, xp=np):
        """Which tokens may come next.

        Parameters
        ----------
        state : int32 array, shape (batch, len(REGISTERS))
        bars : int32 array, shape (batch,), optional
            Bars that the piece shall have in all: no further bar begins after them, and no piece ends before.
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
        return allowed & ~(begins & full) & ~(ends & ~full)

    def first_error(self, tokens):
        """Where tokens first break the grammar, found without walking through them.

        Parameters
        ----------
        tokens : int array, shape (n_tokens,)
            One stream from BOS on, without EOS.

        Returns
        -------
        int or None
            Index of the first token that may not stand where it stands; n_tokens if the last note or the header
            is unfinished; None if all is well.
        """
        types, values = self.types[tokens], self.values[tokens]
        wrong = np.zeros(len(tokens), bool)
        wrong[0] = types[0] != TYPE["BOS"]
        wrong[1:] = ~self.follows[types[:-1], types[1:]]
        prolonged = (types[1:] == TYPE["Duration"]) & (types[:-1] == TYPE["Duration"])
        wrong[1:] |= prolonged & (tokens[:-1] != self.longest)
        wrong |= (types == TYPE["Position"]) & (values >= last_value(types, values, "Meter"))
        wrong |= (types == TYPE["Pitch"]) & (last_value(types, values, "Track") < 0)
        is_bar, is_position, is_track = (types == TYPE[kind] for kind in ("Bar", "Position", "Track"))
        span = int(values.max(initial=0)) + 2
        wrong |= _not_rising(is_position, np.cumsum(is_bar) * span + values)
        wrong |= _not_rising(types == TYPE["Pitch"], np.cumsum(is_bar | is_position | is_track) * span + values)
        tracks = np.flatnonzero(is_track)
        before, here = values[tracks[:-1]], values[tracks[1:]]
        fresh = types[tracks[1:] - 1] == TYPE["Position"]
        wrong[tracks[1:]] |= np.where(fresh, here == before, here <= before)
        if np.any(wrong):
            return int(np.argmax(wrong))
        return None if types[-1] in (TYPE["Bar"], TYPE["Duration"]) else len(tokens)


def last_value(types, values, kind):
    """At every token, the value of the last token of a type up to there; -1 before the first."""
    index = np.maximum.accumulate(np.where(types == TYPE[kind], np.arange(len(types)), -1))
    return np.where(index >= 0, values[index], -1)


def _not_rising(chosen, order):
    """Where a chosen token does not stand above the chosen one before it."""
    places = np.flatnonzero(chosen)
    wrong = np.zeros(len(chosen), bool)
    wrong[places[1:]] = np.diff(order[places]) <= 0
    return wrong
