"""What a stream of tokens begins with: controls that are asked for, or the end of a primer."""

import numpy as np

from ..codecs.grammar import CONTROLS, REGISTERS, TYPE, TYPES

UNLIMITED = 2**24  # bars: months of music


class Prompt:
    """What one stream begins with and must keep to.

    Parameters
    ----------
    codec : EventsCodec
    bars : int or None
        Bars to compose; None for no end.
    seed : int or sequence of int
    primer : array of int, optional
        Tokens to continue, without EOS; the network hears their last `context` tokens.
    controls : mapping of str to object, optional
        Control tokens without a primer: kind, such as "Genre", to value.
    floor : int
        First free step in the bar in which the primer ends.
    context : int
        Tokens of the primer that are fed to the network, at most.
    walked : array of int, optional
        `walk` of the primer, which takes its time for a long one.

    Raises
    ------
    InputError
        If the codec does not know one of the controls.
    """

    def __init__(self, codec, bars, seed, *, primer=None, controls=None, floor=0, context=256, walked=None):
        bars = UNLIMITED if bars is None else bars
        self.seed, self.new_bars, self.primer_bars, self.floor = seed, bars, 0, floor
        self.permitted = np.ones(codec.vocab_size, bool)
        self.required = np.full(len(TYPES), -1, np.int32)
        self._walked = None
        bos = codec.token("BOS_None")
        if primer is None:
            self.tokens, self.bars = np.array([bos], np.int32), bars
            self._ask(codec, controls or {})
        else:
            self.permitted &= codec.grammar.types != TYPE["Meter"]  # the primer's timing goes on, its meter too
            self.tokens = _recent(codec, primer, context)
            self._walked = walk(codec.grammar, primer) if walked is None else walked
            self.primer_bars = int(self._walked[REGISTERS.index("bars")])
            self.bars = self.primer_bars + bars

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


def walk(grammar, tokens):
    """The grammar's registers after tokens of one stream: int32, shape (len(REGISTERS),)."""
    state = grammar.initial_state(1)
    for token in tokens[1:]:
        state = grammar.advance(state, np.array([token], np.int32))
    return state[0]
