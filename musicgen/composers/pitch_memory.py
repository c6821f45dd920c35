"""What sounded last, as the recurrent network is told it: pitches by group, and as degrees of the key's scale."""

import numpy as np
from keras import ops

from .backend import scan

GROUPS = 3  # in the memory: the open one, the one before, the one before that
ROWS = GROUPS + 1  # and the last pitch of the track


class PitchMemory:
    """What sounded last, as one-hot rows that every token moves on.

    Parameters
    ----------
    table : PitchTable
        Which tokens are pitches, close a group, choose a track: see `codecs.base`.
    """

    def __init__(self, table):
        self.pitches = max(table.pitches) + 1
        self.tracks = max(max(table.tracks) + 1, 1)
        self.start = table.start
        self._pitch = np.array(table.pitches, np.int32)
        self._one_hot = np.eye(self.pitches, dtype=np.float32)[self._pitch] * (self._pitch >= 0)[:, None]
        self._closes = np.array(table.closes, bool)
        self._track = np.array(table.tracks, np.int32)
        self._key = np.array(table.keys or [-1] * len(table.pitches), np.int32)
        self.keyed = bool((self._key >= 0).any())
        self.classes = np.eye(12, dtype=np.float32)[(table.lowest + np.arange(self.pitches)) % 12]
        self.first = int(np.argmax(self._pitch >= 0))  # token of pitch 0; the others follow it

    def initial(self, batch):
        """Memory before the first token: groups (batch, GROUPS, pitches), last pitch by track, track, key or -1."""
        groups = ops.zeros((batch, GROUPS, self.pitches), dtype="float32")
        last, nothing = ops.full((batch, self.tracks), -1, dtype="int32"), ops.full((batch,), -1, dtype="int32")
        return groups, last, nothing + 1, nothing

    def advance(self, memory, tokens):
        """Memory after one more token per stream, tokens being int32 of shape (batch,)."""
        groups, last, track, key = memory
        pitch, chosen, told = self.pitch(tokens), ops.take(self._track, tokens), ops.take(self._key, tokens)
        track, key = ops.where(chosen >= 0, chosen, track), ops.where(told >= 0, told, key)
        here = ops.arange(self.tracks, dtype="int32")[None] == ops.expand_dims(track, 1)
        last = ops.where(here & ops.expand_dims(pitch >= 0, 1), ops.expand_dims(pitch, 1), last)
        opened = groups[:, :1] + ops.expand_dims(ops.take(self._one_hot, tokens, axis=0), 1)
        closed = ops.concatenate([ops.zeros_like(opened), groups[:, :2]], axis=1)
        opened = ops.concatenate([opened, groups[:, 1:]], axis=1)
        groups = ops.where(column(self.closes(tokens), 2), closed, opened)
        again = tokens == self.start
        return (
            ops.where(column(again, 2), 0.0, groups),
            ops.where(column(again, 1), -1, last),
            ops.where(again, 0, track),
            ops.where(again, -1, key),
        )

    def pitch(self, tokens):
        """Pitch of every token, -1 for those that are none: int32, as `tokens`."""
        return ops.take(self._pitch, tokens)

    def closes(self, tokens):
        """Whether the open group ends with a token: bool, as `tokens`."""
        return ops.take(self._closes, tokens)

    def rows(self, memory):
        """The memory as float32 of shape (batch, ROWS, pitches)."""
        groups, last, track, _ = memory
        pitch = ops.take_along_axis(last, ops.expand_dims(track, 1), axis=1)  # (batch, 1)
        return ops.concatenate([groups, ops.one_hot(pitch, self.pitches, dtype="float32")], axis=1)

    def over(self, tokens):
        """The rows, float32 (batch, time, ROWS, pitches), and keys (batch, time) after every token (batch, time)."""

        def step(memory, token):
            memory = self.advance(memory, token)
            return memory, (self.rows(memory), memory[3])

        _, (rows, keys) = scan(step, self.initial(ops.shape(tokens)[0]), ops.transpose(tokens))
        return ops.stop_gradient(ops.transpose(rows, (1, 0, 2, 3))), ops.transpose(keys)

    def degrees(self, rows, keys):
        """What sounds as degrees of the scale, and the mode: float32, (..., ROWS * 12 + 2); 0 where no key is known.

        Parameters
        ----------
        rows : float32, shape (..., ROWS, pitches)
        keys : int32, shape (...)
        """
        chroma = ops.matmul(ops.minimum(ops.matmul(rows, self.classes), 1.0), _turns(keys, from_degrees=False))
        chroma = ops.reshape(chroma, (*ops.shape(keys), ROWS * 12))
        return ops.concatenate(
            [chroma, ops.one_hot(ops.where(keys < 0, -1, keys // 12), 2, dtype="float32")], axis=-1
        )

    def of_degrees(self, said, keys):
        """What is said of degrees (..., 12), as said of pitches (..., pitches); 0 where no key is known."""
        said = ops.matmul(ops.expand_dims(said, -2), ops.cast(_turns(keys, from_degrees=True), said.dtype))[..., 0, :]
        return ops.matmul(said, ops.cast(self.classes.T, said.dtype))


_TURNS = np.stack(
    [np.roll(np.eye(12, dtype=np.float32), key, axis=1) for key in range(12)] * 2 + [np.zeros((12, 12))]
)


def _turns(keys, *, from_degrees):
    """Matrices (..., 12, 12) that turn degrees of a scale into pitch classes, or back; 0 where the key is -1."""
    tables = (_TURNS if from_degrees else _TURNS.transpose(0, 2, 1)).astype(np.float32)
    return ops.take(tables, ops.where(keys < 0, 24, keys), axis=0)


def column(values, axes):
    """(batch,) to (batch, 1, ...)."""
    return ops.reshape(values, (-1, *[1] * axes))
