"""Sampling event tokens from a recurrent network: one compiled loop for many streams.

The loop carries the network's recurrent state, the grammar's registers and the `Listener`'s, so that every token
costs one step and every stream decodes. Randomness enters as uniform numbers drawn by NumPy, one generator per
stream: a piece does not depend on how many are composed beside it.
"""

import numpy as np
from keras import ops

from ..codecs.grammar import CONTROLS, REGISTERS, TYPE
from .backend import compile_function, scan, to_numpy
from .drawing import draw
from .guidance import Guidance, Guide
from .listening import Listener

CHUNK = 64  # tokens per call of the compiled loop
BATCH_SIZES = (1, 4, 16, 64)  # streams per call: compiled once for each size that occurs
MAX_TOKENS_PER_BAR = 768  # bars denser on average come from an untrained network: they get no further positions


def with_bar_ends(logits, types, *, last):
    """Logits in which a bar ends as probably as ever, though only EOS may end the last one and none but the last.

    Were Bar merely forbidden, the last bar would be filled up with whatever else is allowed.

    Parameters
    ----------
    logits : float32, shape (batch, vocab_size)
    types : int32, shape (1, vocab_size)
    last : bool, shape (batch,)
        Whether no further bar may begin.

    Returns
    -------
    float32, shape (batch, vocab_size)
    """
    bar, meter, eos = (types == TYPE[kind] for kind in ("Bar", "Meter", "EOS"))
    last = ops.expand_dims(last, 1)
    total = ops.logsumexp(ops.where(bar | eos | (meter & last), logits, -1e9), axis=-1, keepdims=True)
    return ops.where((eos & last) | (bar & ~last), total, logits)


class Sampler:
    """Compiled loop over `step` for one codec.

    Parameters
    ----------
    step : callable
        `(weights, tokens (batch,), carry) -> (logits (batch, vocab_size), carry)`, a pure function in `keras.ops`.
    codec : EventsCodec
    """

    def __init__(self, step, codec):
        self.step, self.grammar, self.resolution = step, codec.grammar, codec.resolution
        self.listener = Listener(codec.grammar, [track.drum for track in codec.tracks])
        self.guide = Guide(codec.grammar, self.listener)
        self._loops = {}

    def _loop(self, filters):
        """The compiled loop in which these filters of `SamplingControls` and `Guidance` are applied."""
        if filters not in self._loops:
            self._loops[filters] = compile_function(self._made_loop(*filters))
        return self._loops[filters]

    def _made_loop(self, cuts, asked):
        grammar, guide = self.grammar, self.guide

        def body(shared, loop_state, inputs):
            weights, bars, floor, required, permitted, controls, numbers = shared
            carry, state, heard, token = loop_state
            uniform, forced = inputs
            logits, carry = self.step(weights, token, carry)
            logits = with_bar_ends(logits, grammar.types[None], last=state[:, REGISTERS.index("bars")] >= bars)
            logits = logits + guide.bias(state, heard, numbers, asked)
            allowed = grammar.allowed(state, bars, xp=ops) & permitted
            allowed = allowed & guide.permitted(state, heard, numbers, floor, asked)
            need = ops.take_along_axis(required, state[:, :1], axis=1)  # (batch, 1)
            allowed = allowed & ((need < 0) | (grammar.types[None] == need))
            token = draw(logits, allowed, uniform, controls, filters=cuts)
            token = ops.where(forced >= 0, forced, token)
            after = grammar.advance(state, token, xp=ops)
            pace = ops.where(forced >= 0, -1.0, numbers["pace"])
            heard = self.listener.advance(heard, state, after, token, pace)
            return (carry, after, heard, token), token

        def run(shared, loop_state, uniform, forced):
            return scan(lambda s, x: body(shared, s, x), loop_state, (uniform, forced))

        return run

    def sample(self, weights, carry, prompts, controls, *, guidance=None, progress=None):
        """Continue prompts to their ends.

        Parameters
        ----------
        weights : nested arrays
            First argument of `step`.
        carry : nested arrays
            Recurrent state of one stream before its first token, each of shape (1, ...).
        prompts : list of Prompt
        controls : SamplingControls
        guidance : Guidance, optional
        progress : callable, optional
            Called with the number of bars begun since the last call.

        Returns
        -------
        list of numpy.ndarray of int32
            New tokens of each stream, from after its prompt to its EOS.
        list of bool
            Whether a stream was cut short because its bars became too dense.
        """
        results = []
        for first in range(0, len(prompts), BATCH_SIZES[-1]):
            group = prompts[first : first + BATCH_SIZES[-1]]
            results.extend(self._sample_group(weights, carry, group, controls, guidance, progress))
        return [tokens for tokens, _ in results], [dense for _, dense in results]

    def _sample_group(self, weights, carry, prompts, controls, guidance, progress):
        out, begun = [], 0
        for tokens, bars, dense in self.chunks(weights, carry, prompts, controls, guidance):  # noqa: B007
            out.append(tokens)
            if progress:
                progress(int(bars.sum()) - begun)
                begun = int(bars.sum())
        streams = np.concatenate(out).T
        ended = [stream[: np.argmax(stream == self._eos) + 1] for stream in streams]
        return [(tokens[len(p.tokens) - 1 :], cut) for tokens, p, cut in zip(ended, prompts, dense, strict=True)]

    def chunks(self, weights, carry, prompts, controls, guidance=None):
        """Continue prompts, at most as many as the largest of `BATCH_SIZES`, some tokens at a time.

        Parameters
        ----------
        weights, carry, prompts, controls, guidance
            As in `sample`.

        Yields
        ------
        tokens : int32, shape (CHUNK, n_prompts)
            Those of the prompts too, but for their first.
        bars : int, shape (n_prompts,)
            New bars begun so far.
        dense : bool, shape (n_prompts,)
            Whether a stream was cut short so far because its bars became too dense.
        """
        size = next(size for size in BATCH_SIZES if size >= len(prompts))
        padded = prompts + [prompts[-1]] * (size - len(prompts))
        guidance = guidance or Guidance()
        loop = self._loop((controls.filters, guidance.filters))
        numbers = guidance.numbers(self.resolution)
        limits = np.array([p.bars for p in padded], np.int32)
        primed = np.array([p.primer_bars for p in padded], np.int32)
        floor = (np.where(primed > 0, primed, -1).astype(np.int32), np.array([p.floor for p in padded], np.int32))
        required, permitted = np.stack([p.required for p in padded]), np.stack([p.permitted for p in padded])
        controls = controls.row(permitted.shape[1])
        budget = np.array([len(p.tokens) for p in padded]) + len(CONTROLS)
        generators = [np.random.default_rng(p.seed) for p in padded]
        state = np.stack([p.state(self.grammar) for p in padded])
        token = np.array([p.tokens[0] for p in padded], np.int32)
        carry, heard = _repeat(carry, size), self.listener.initial(size)
        dense, done, begun = np.zeros(size, bool), 0, np.zeros(size, int)
        ended = np.zeros(size, bool)
        while not ended[: len(prompts)].all():
            uniform = np.stack([g.random(CHUNK) for g in generators], axis=1).astype(np.float32)
            forced = np.stack([p.forced(done, CHUNK) for p in padded], axis=1)
            too_dense = ~ended & (done > budget + MAX_TOKENS_PER_BAR * np.minimum(begun + 1, limits - primed))
            dense |= too_dense
            opened = permitted & ~(too_dense[:, None] & (self.grammar.types == TYPE["Position"]))
            shared = (weights, limits, floor, required, opened, controls, numbers)
            (carry, state, heard, token), tokens = loop(shared, (carry, state, heard, token), uniform, forced)
            registers, tokens = to_numpy((state, tokens))
            done += CHUNK
            begun = np.clip(registers[:, REGISTERS.index("bars")] - primed, 0, limits - primed)
            ended = np.isin(registers[:, REGISTERS.index("type")], (TYPE["EOS"], TYPE["PAD"]))
            yield tokens[:, : len(prompts)], begun[: len(prompts)], dense[: len(prompts)]

    @property
    def _eos(self):
        return int(np.flatnonzero(self.grammar.types == TYPE["EOS"])[0])


def _repeat(carry, size):
    if isinstance(carry, (list, tuple)):
        return tuple(_repeat(part, size) for part in carry)
    return np.repeat(np.asarray(carry), size, axis=0)
