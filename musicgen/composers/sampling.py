"""Sampling event tokens from a recurrent network: one compiled loop for many streams.

The loop carries the network's recurrent state and the grammar's registers, so that every token costs one step and
every stream decodes. Randomness enters as uniform numbers drawn by NumPy, one generator per stream: a piece does
not depend on how many are composed beside it.
"""

from dataclasses import asdict, dataclass

import numpy as np
from keras import ops

from ..codecs.grammar import CONTROLS, REGISTERS, TYPE, TYPES
from ..errors import InputError
from .backend import compile_function, scan, to_numpy

CHUNK = 128  # tokens per call of the compiled loop
BATCH_SIZES = (1, 4, 16, 64)  # streams per call: compiled once for each size that occurs
MAX_TOKENS_PER_BAR = 768  # a bar this dense comes from an untrained network: no further positions are opened then


@dataclass(frozen=True)
class SamplingControls:
    """How tokens are drawn; applied in the order of the fields.

    Parameters
    ----------
    temperature : float
        Logits are divided by it; 0 takes the most probable token.
    top_k : int or None
        Keep the k most probable tokens (and those as probable as the k-th).
    top_p : float
        Keep the smallest set of most probable tokens that holds this probability (Holtzman et al. 2020).
    min_p : float
        Keep tokens at least this fraction as probable as the most probable one (Nguyen et al. 2024).

    Raises
    ------
    InputError
        If a value lies outside its range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    min_p: float = 0.0

    def __post_init__(self):
        rules = {
            "temperature": (0 <= self.temperature <= 100, "0 (argmax) to 100"),
            "top_k": (self.top_k is None or (isinstance(self.top_k, int) and self.top_k >= 1), "None or at least 1"),
            "top_p": (0 < self.top_p <= 1, "above 0, at most 1"),
            "min_p": (0 <= self.min_p <= 1, "0 to 1"),
        }
        for name, (holds, allowed) in rules.items():
            if not holds:
                raise InputError(f"{name} must be {allowed}, not {getattr(self, name)!r}")

    @property
    def filters(self):
        """Whether any token is cut off."""
        return self.top_k is not None or self.top_p < 1 or self.min_p > 0

    def row(self, vocab_size):
        """The four numbers as float32, with top_k = vocab_size for None."""
        values = asdict(self) | {"top_k": vocab_size if self.top_k is None else min(self.top_k, vocab_size)}
        return np.array(list(values.values()), np.float32)


def draw(logits, allowed, uniform, controls, *, filters=True):
    """Draw one token per stream.

    Parameters
    ----------
    logits : float32, shape (batch, vocab_size)
    allowed : bool, shape (batch, vocab_size)
    uniform : float32, shape (batch,)
        In [0, 1): the quantile that is taken.
    controls : float32, shape (4,)
        `SamplingControls.row`.
    filters : bool
        False skips top_k, top_p and min_p, which need a sort.

    Returns
    -------
    int32, shape (batch,)
    """
    temperature, top_k, top_p, min_p = (controls[i] for i in range(4))
    logits = ops.where(allowed, logits, -1e9)
    scaled = logits / ops.maximum(temperature, 1e-4)
    weights = ops.softmax(scaled, axis=-1)
    weights = ops.where(allowed, weights, 0.0)
    if filters:
        weights = _cut(weights, top_k, top_p, min_p)
    cumulative = ops.cumsum(weights, axis=-1)  # (batch, vocab_size)
    target = ops.expand_dims(uniform, 1) * cumulative[:, -1:]
    drawn = ops.sum(ops.cast(cumulative <= target, "int32"), axis=-1)
    best = ops.cast(ops.argmax(logits, axis=-1), "int32")
    safe = (temperature > 0) & (drawn < weights.shape[-1])
    return ops.where(safe, drawn, best)


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


def _cut(weights, top_k, top_p, min_p):
    """Weights of the tokens that top_k, top_p and min_p leave; 0 elsewhere."""
    ordered = ops.flip(ops.sort(weights, axis=-1), axis=-1)
    rank = ops.arange(weights.shape[-1], dtype="float32")[None]
    ordered = ops.where(rank < top_k, ordered, 0.0)
    total = ops.sum(ordered, axis=-1, keepdims=True)
    before = ops.cumsum(ordered, axis=-1) - ordered
    kept = (before < top_p * total) & (ordered > 0) & (ordered >= min_p * ordered[:, :1])
    threshold = ops.min(ops.where(kept, ordered, 2.0), axis=-1, keepdims=True)
    return ops.where(weights >= threshold, weights, 0.0)


class Sampler:
    """Compiled loop over `step` for one codec.

    Parameters
    ----------
    step : callable
        `(weights, tokens (batch,), carry) -> (logits (batch, vocab_size), carry)`, a pure function in `keras.ops`.
    grammar : Grammar
    """

    def __init__(self, step, grammar):
        self.step, self.grammar = step, grammar
        self._loops = {filters: compile_function(self._loop(filters)) for filters in (False, True)}

    def _loop(self, filters):
        grammar, step = self.grammar, self.step

        def body(shared, loop_state, inputs):
            weights, bars, required, permitted, controls = shared
            carry, state, token = loop_state
            uniform, forced = inputs
            logits, carry = step(weights, token, carry)
            logits = with_bar_ends(logits, grammar.types[None], last=state[:, REGISTERS.index("bars")] >= bars)
            allowed = grammar.allowed(state, bars, xp=ops) & permitted
            need = ops.take_along_axis(required, state[:, :1], axis=1)  # (batch, 1)
            allowed = allowed & ((need < 0) | (grammar.types[None] == need))
            token = draw(logits, allowed, uniform, controls, filters=filters)
            token = ops.where(forced >= 0, forced, token)
            return (carry, grammar.advance(state, token, xp=ops), token), token

        def run(shared, loop_state, uniform, forced):
            return scan(lambda s, x: body(shared, s, x), loop_state, (uniform, forced))

        return run

    def sample(self, weights, carry, prompts, controls, *, progress=None):
        """Continue prompts to their ends.

        Parameters
        ----------
        weights : nested arrays
            First argument of `step`.
        carry : nested arrays
            Recurrent state of one stream before its first token, each of shape (1, ...).
        prompts : list of Prompt
        controls : SamplingControls
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
            results.extend(self._sample_group(weights, carry, group, controls, progress))
        return [tokens for tokens, _ in results], [dense for _, dense in results]

    def _sample_group(self, weights, carry, prompts, controls, progress):
        size = next(size for size in BATCH_SIZES if size >= len(prompts))
        padded = prompts + [prompts[-1]] * (size - len(prompts))
        loop = self._loops[controls.filters]
        bars = np.array([p.bars for p in padded], np.int32)
        required, permitted = np.stack([p.required for p in padded]), np.stack([p.permitted for p in padded])
        lengths = np.array([len(p.tokens) - 1 for p in padded])
        budget = lengths + MAX_TOKENS_PER_BAR * np.array([p.new_bars for p in padded]) + len(CONTROLS) + 1
        generators = [np.random.default_rng(p.seed) for p in padded]
        state = np.stack([p.state(self.grammar) for p in padded])
        token = np.array([p.tokens[0] for p in padded], np.int32)
        carry = _repeat(carry, size)
        out, dense, begun = [], np.zeros(size, bool), 0
        while not np.all(np.isin(state[:, 0], (TYPE["EOS"], TYPE["PAD"]))):
            done = sum(map(len, out))
            uniform = np.stack([g.random(CHUNK) for g in generators], axis=1).astype(np.float32)
            forced = np.stack([p.forced(done, CHUNK) for p in padded], axis=1)
            dense |= (done > budget) & ~np.isin(state[:, 0], (TYPE["EOS"], TYPE["PAD"]))
            permitted[np.ix_(dense, self.grammar.types == TYPE["Position"])] = False
            shared = (weights, bars, required, permitted, controls.row(permitted.shape[1]))
            loop_state, tokens = loop(shared, (carry, state, token), uniform, forced)
            carry, (state, token, tokens) = loop_state[0], to_numpy((loop_state[1], loop_state[2], tokens))
            out.append(tokens)
            if progress:
                now = int(state[: len(prompts), REGISTERS.index("bars")].sum())
                progress(now - begun)
                begun = now
        streams = np.concatenate(out).T[: len(prompts)]
        ended = [stream[: np.argmax(stream == self._eos) + 1] for stream in streams]
        return [(tokens[n:], cut) for tokens, n, cut in zip(ended, lengths, dense, strict=False)]

    @property
    def _eos(self):
        return int(np.flatnonzero(self.grammar.types == TYPE["EOS"])[0])


class Prompt:
    """What one stream begins with and must keep to.

    Parameters
    ----------
    codec : EventsCodec
    bars : int
        Bars to compose.
    seed : int or sequence of int
    primer : array of int, optional
        Tokens to continue, without EOS; the network hears their last `context` tokens.
    genre : str, optional
    context : int
        Tokens of the primer that are fed to the network, at most.

    Raises
    ------
    InputError
        If the codec does not know the genre.
    """

    def __init__(self, codec, bars, seed, *, primer=None, genre=None, context=256):
        self.seed, self.new_bars = seed, bars
        self.permitted = np.ones(codec.vocab_size, bool)
        self.required = np.full(len(TYPES), -1, np.int32)
        self._walked = None
        bos = codec.token("BOS_None")
        if primer is None:
            self.tokens, self.bars = np.array([bos], np.int32), bars
            self._ask(codec, {"Genre": genre} if genre is not None else {})
        else:
            self.permitted &= codec.grammar.types != TYPE["Meter"]  # the primer's timing goes on, its meter too
            self.tokens = _recent(codec, primer, context)
            self._walked = _walk(codec.grammar, primer)
            self.bars = int(self._walked[REGISTERS.index("bars")]) + bars

    def _ask(self, codec, wanted):
        """Fix controls: exactly the wanted ones stand in front, beside Tempo and Meter."""
        chain = [TYPE[kind] for kind in CONTROLS if kind in wanted or kind in ("Tempo", "Meter")]
        self.required[[TYPE["BOS"], *chain[:-1]]] = chain
        for kind, value in wanted.items():
            self.permitted &= codec.grammar.types != TYPE[kind]
            self.permitted[codec.token(f"{kind}_{value}")] = True

    def state(self, grammar):
        """Registers before the first sampled or forced token, shape (len(REGISTERS),)."""
        return grammar.initial_state(1)[0] if self._walked is None else self._before_prompt(grammar)

    def _before_prompt(self, grammar):
        """Registers such that the forced prompt leads to where the whole primer led."""
        state = grammar.initial_state(1)[0]
        state[REGISTERS.index("track")] = self._walked[REGISTERS.index("track")]
        heard = int(np.sum(grammar.types[self.tokens] == TYPE["Bar"]))
        state[REGISTERS.index("bars")] = self._walked[REGISTERS.index("bars")] - heard
        return state

    def forced(self, done, count):
        """Tokens number `done` to `done + count` after the first, -1 where they are to be drawn."""
        rest = self.tokens[1 + done : 1 + done + count]
        return np.concatenate([rest, np.full(count - len(rest), -1)]).astype(np.int32)


def _recent(codec, primer, context):
    """Header and last whole bars of a primer, at most `context` tokens where the bars allow it."""
    types = codec.grammar.types[primer]
    bars = np.flatnonzero(types == TYPE["Bar"])
    meters = np.flatnonzero(types == TYPE["Meter"])
    starts = bars[len(primer) - bars + bars[0] <= context]
    start = int(starts[0]) if len(starts) else int(bars[-1])
    header = np.array(primer[: bars[0]], np.int32)
    header[-1] = primer[meters[meters < start][-1]]
    return np.concatenate([header, primer[start:]]).astype(np.int32)


def _walk(grammar, tokens):
    state = grammar.initial_state(1)
    for token in tokens[1:]:
        state = grammar.advance(state, np.array([token], np.int32))
    return state[0]


def _repeat(carry, size):
    if isinstance(carry, (list, tuple)):
        return tuple(_repeat(part, size) for part in carry)
    return np.repeat(np.asarray(carry), size, axis=0)
