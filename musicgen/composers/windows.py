"""Training windows: stretches of whole bars cut out of token streams, with the piece's controls in front."""

import itertools

import numpy as np

from ..codecs.grammar import OPTIONAL_CONTROLS, TYPE
from .echoes import echoes_of, with_echoes

TRANSPOSITIONS = np.arange(-6, 6)  # semitones; every key once
BLOCK = 8192  # windows that are in memory and shuffled together; pieces come in a random order too
CONTROL_DROPOUT = 0.25  # so that a composer can be asked with or without each optional control


class TokenWindows:
    """Batches of (tokens, next tokens, weights) for a network that predicts the next token.

    Every epoch cuts the pieces anew, transposes each by a random interval and leaves out some optional controls. A
    few thousand windows are in memory at a time, whatever the amount of data.

    Parameters
    ----------
    codec : EventsCodec
    streams : sequence of int array
        Encoded pieces, such as a list or `datasets.PreparedPieces`.
    context : int
        Tokens per window.
    batch_size : int
    seed : int
    augment : bool
        False for validation: no transposition, fixed cuts, all controls.
    echo : int
        Tokens to look back for echoes in the whole piece, with which the tokens are then given (`with_echoes`); 0 for
        none.
    """

    def __init__(self, codec, streams, *, context, batch_size, seed, augment=True, echo=0):
        self.codec, self.streams, self.context = codec, streams, context
        self.batch_size, self.augment, self.echo = batch_size, augment, 0
        self._seed, self._epoch = seed, 0
        self._restart()
        self._batches = -(-sum(len(block) for block in self._blocks(once=True)) // batch_size)
        self.echo = echo  # from here on: windows are counted without
        self._restart()

    def __len__(self):
        return self._batches  # of the first epoch: later cuts may give a window more or less

    def begin(self, epoch):
        """Cut the windows of an epoch anew, in an order of its own; the same epoch gives the same windows."""
        if self.augment:
            self._epoch = epoch
            self._restart()

    def _restart(self):
        """Back to the first window of the epoch."""
        self._random = np.random.default_rng([self._seed, 1, self._epoch])
        self._block, self._begin, self._following = [], 0, self._blocks(once=not self.augment)

    def _blocks(self, *, once):
        """Shuffled lists of windows; where `once` is not set it begins again when the pieces are used up."""
        while True:
            block = []
            order = self._random.permutation(len(self.streams)) if self.augment else range(len(self.streams))
            for index in order:
                block += self._cut(self._varied(self.streams[index]))
                if len(block) >= BLOCK:
                    yield self._shuffled(block)
                    block = []
            if block:
                yield self._shuffled(block)
            if once:
                return

    def _shuffled(self, block):
        return [block[index] for index in self._random.permutation(len(block))] if self.augment else block

    def _window(self, row):
        """Window number `row` of the epoch, None behind the last one; cheap if rows are asked for in order."""
        if row < self._begin:
            self._restart()
        while row >= self._begin + len(self._block):
            block = next(self._following, None)
            if block is None:
                return None
            self._begin += len(self._block)
            self._block = block
        return self._block[row - self._begin]

    def __getitem__(self, index):
        rows = range(index * self.batch_size, (index + 1) * self.batch_size)
        windows = [window for window in map(self._window, rows) if window is not None]
        told = np.zeros((self.batch_size, self.context + 1, 3), np.int32)
        weights = np.zeros((self.batch_size, self.context), np.float32)
        for row, (window, scored_from) in enumerate(windows):
            told[row, : len(window)] = window
            weights[row, scored_from - 1 : len(window) - 1] = 1.0
        tokens = told[..., 0]
        return told[:, :-1] if self.echo else tokens[:, :-1], tokens[:, 1:], weights

    def _varied(self, stream):
        stream = np.asarray(stream, np.int32)
        if not self.augment:
            return stream
        moved = self.codec.transpose(stream, int(self._random.choice(TRANSPOSITIONS)))
        stream = stream if moved is None else moved
        types = self.codec.grammar.types[stream]
        dropped = [TYPE[kind] for kind in OPTIONAL_CONTROLS if self._random.random() < CONTROL_DROPOUT]
        return stream[~np.isin(types, dropped)]

    def _cut(self, stream):
        """Windows of at most context + 1 tokens with echoes, and the index of the first token in them that counts."""
        types = self.codec.grammar.types[stream]
        bars = np.flatnonzero(types == TYPE["Bar"])
        meters = np.flatnonzero(types == TYPE["Meter"])
        room = self.context + 1 - int(bars[0])
        start = int(self._random.choice(bars[: max(1, int(np.searchsorted(bars, bars[0] + room)))]))
        cuts = [bars[0], start] if self.augment and start > bars[0] else [bars[0]]
        while cuts[-1] < len(stream):
            within = bars[(bars > cuts[-1]) & (bars <= cuts[-1] + room)]
            last = cuts[-1] + room >= len(stream)
            cuts.append(len(stream) if last else int(within[-1]) if len(within) else cuts[-1] + room)
        echoes = echoes_of(stream, self.echo) if self.echo else np.zeros((len(stream), 2), np.int32)
        stream = with_echoes(stream, echoes)
        header = stream[: bars[0]] * [1, 0, 0]  # controls have none
        for begin, end in itertools.pairwise(cuts):
            header[-1] = [stream[meters[meters < max(begin, bars[0])][-1], 0], *stream[begin - 1, 1:]]
            first = 1 if begin == bars[0] else len(header)
            yield np.concatenate([header, stream[begin : min(end, begin + room)]]), first
