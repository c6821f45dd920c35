"""Training windows: stretches of whole bars cut out of token streams, with the piece's controls in front."""

import itertools

import keras
import numpy as np

from ..codecs.grammar import OPTIONAL_CONTROLS, TYPE

TRANSPOSITIONS = np.arange(-6, 6)  # semitones; every key once
CONTROL_DROPOUT = 0.25  # so that a composer can be asked with or without each optional control


class TokenWindows(keras.utils.PyDataset):
    """Batches of (tokens, next tokens, weights) for a network that predicts the next token.

    Every epoch cuts the pieces anew, transposes each by a random interval and leaves out some optional controls.

    Parameters
    ----------
    codec : EventsCodec
    streams : list of int array
        Encoded pieces.
    context : int
        Tokens per window.
    batch_size : int
    seed : int
    augment : bool
        False for validation: no transposition, fixed cuts, all controls.
    """

    def __init__(self, codec, streams, *, context, batch_size, seed, augment=True):
        super().__init__()
        self.codec, self.streams, self.context = codec, streams, context
        self.batch_size, self.augment = batch_size, augment
        self._random = np.random.default_rng([seed, 1])
        self.on_epoch_begin()
        self._batches = -(-len(self._windows) // batch_size)

    def __len__(self):
        return self._batches  # of the first epoch: later cuts may give a window more or less

    def on_epoch_begin(self):
        """Cut new windows, in a new order."""
        if not self.augment and hasattr(self, "_windows"):
            return
        windows = [window for stream in self.streams for window in self._cut(self._varied(stream))]
        order = self._random.permutation(len(windows)) if self.augment else np.arange(len(windows))
        self._windows = [windows[index] for index in order]

    def __getitem__(self, index):
        rows = np.arange(index * self.batch_size, (index + 1) * self.batch_size)
        rows = rows % len(self._windows) if self.augment else rows[rows < len(self._windows)]
        windows = [self._windows[row] for row in rows]
        tokens = np.zeros((self.batch_size, self.context + 1), np.int32)
        weights = np.zeros((self.batch_size, self.context), np.float32)
        for row, (window, scored_from) in enumerate(windows):
            tokens[row, : len(window)] = window
            weights[row, scored_from - 1 : len(window) - 1] = 1.0
        return tokens[:, :-1], tokens[:, 1:], weights

    def _varied(self, stream):
        if not self.augment:
            return stream
        moved = self.codec.transpose(stream, int(self._random.choice(TRANSPOSITIONS)))
        stream = stream if moved is None else moved
        types = self.codec.grammar.types[stream]
        dropped = [TYPE[kind] for kind in OPTIONAL_CONTROLS if self._random.random() < CONTROL_DROPOUT]
        return stream[~np.isin(types, dropped)]

    def _cut(self, stream):
        """Windows of at most context + 1 tokens and the index of the first token in them that counts."""
        types = self.codec.grammar.types[stream]
        bars = np.flatnonzero(types == TYPE["Bar"])
        meters = np.flatnonzero(types == TYPE["Meter"])
        header = stream[: bars[0]].copy()
        room = self.context + 1 - len(header)
        start = int(self._random.choice(bars[: max(1, int(np.searchsorted(bars, bars[0] + room)))]))
        cuts = [bars[0], start] if self.augment and start > bars[0] else [bars[0]]
        while cuts[-1] < len(stream):
            within = bars[(bars > cuts[-1]) & (bars <= cuts[-1] + room)]
            last = cuts[-1] + room >= len(stream)
            cuts.append(len(stream) if last else int(within[-1]) if len(within) else cuts[-1] + room)
        for begin, end in itertools.pairwise(cuts):
            header[-1] = stream[meters[meters < max(begin, bars[0])][-1]]
            first = 1 if begin == bars[0] else len(header)
            yield np.concatenate([header, stream[begin : min(end, begin + room)]]), first
