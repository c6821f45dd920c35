"""What a piece has sounded before: the passage that it repeats just now, as far back as need be.

Music comes back: phrases, sections, refrains. A recurrent network forgets them after some bars. Here every place of
the past is compared with now: how many tokens before it are the same as those written last. The token behind the
longest such passage is the echo, and how long the passage is tells how far to trust it (as in match models of data
compression; Mahoney, "Adaptive weighing of context models for lossless data compression", 2005).
"""

import numpy as np
from keras import ops

from .backend import scan

LEVELS = (4, 8, 16, 32, 64)  # tokens in a row from which on an echo is trusted more


class EchoMemory:
    """The echo of every token, one token at a time.

    Parameters
    ----------
    start : int
        Token that begins a piece: nothing before it counts.
    span : int
        Tokens that it looks back.
    """

    def __init__(self, start, span):
        self.start, self.span = start, span

    def initial(self, batch):
        """Memory before the first token: past tokens, the last one first, and tokens in a row that are the same."""
        return ops.full((batch, self.span), -1, dtype="int32"), ops.zeros((batch, self.span), dtype="int32")

    def advance(self, memory, tokens):
        """Memory after one more token per stream, tokens being int32 of shape (batch,)."""
        past, alike = memory
        tokens = ops.cast(tokens, "int32")[:, None]
        alike = ops.where(past == tokens, alike + 1, 0)
        past = ops.concatenate([tokens, past[:, :-1]], axis=1)
        again = tokens == self.start
        return ops.where(again, -1, past), ops.where(again, 0, alike)

    def echo(self, memory):
        """Token behind the longest passage, of equal ones the last, and its level in `LEVELS`: int32, (batch, 2).

        Level 0 is none.
        """
        past, alike = memory
        longest = ops.max(alike, axis=1)
        token = ops.take_along_axis(past, ops.cast(ops.argmax(alike, axis=1), "int32")[:, None], axis=1)[:, 0]
        level = sum(ops.cast(longest >= least, "int32") for least in LEVELS)
        return ops.stack([ops.where(level > 0, token, 0), level], axis=1)

    def over(self, tokens):
        """Echoes of streams: int32, (batch, time, 2), for tokens (batch, time)."""

        def step(memory, token):
            memory = self.advance(memory, token)
            return memory, self.echo(memory)

        _, echoes = scan(step, self.initial(ops.shape(tokens)[0]), ops.transpose(tokens))
        return ops.transpose(echoes, (1, 0, 2))


def echoes_of(stream, span):
    """The echoes of a stream that begins with its start token, as `EchoMemory` finds them.

    Parameters
    ----------
    stream : int array, shape (time,)
    span : int

    Returns
    -------
    numpy.ndarray of int32, shape (time, 2)
        How many tokens back from the next token its echo stands (0 for none), and its level: the same whatever key
        the stream is moved to.
    """
    stream, found = np.asarray(stream, np.int32), np.zeros((len(stream), 2), np.int32)
    past, alike = stream[::-1], np.zeros(span, np.int32)
    for time in range(1, len(stream)):
        before = past[len(stream) - time :][:span]  # the last one first
        alike[: len(before)] = np.where(before == stream[time], alike[: len(before)] + 1, 0)
        back = int(np.argmax(alike))
        level = int(np.searchsorted(LEVELS, alike[back], side="right"))
        found[time] = (back + 1, level) if level else (0, 0)
    return found


def with_echoes(tokens, echoes):
    """Tokens of a stream, each with its echo.

    Parameters
    ----------
    tokens : int array, shape (time,)
    echoes : int array, shape (time, 2)
        From `echoes_of`, of the stream in any key.

    Returns
    -------
    numpy.ndarray of int32, shape (time, 3)
        Token, token of its echo (0 for none), level.
    """
    back, level = echoes.T
    echo = np.where(level > 0, tokens[np.arange(len(tokens)) + 1 - np.maximum(back, 1)], 0)
    return np.stack([tokens, echo, level], axis=1).astype(np.int32)
