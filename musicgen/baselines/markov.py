"""`MarkovChain`: pieces drawn token by token from counts of what followed what, under the grammar of event tokens."""

import numpy as np

from ..codecs import EventsCodec
from ..codecs.grammar import TYPE
from ..errors import InputError
from ..transforms import canonical, crop
from .ngram import MAX_ORDER, NGram

_BARS_REGISTER = 6  # of the grammar's state: bars that have begun


class MarkovChain:
    """A composer without a network: an `NGram` over event tokens.

    Parameters
    ----------
    order : int
        1 to 5, see `NGram`.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> tune = NoteSequence([(0.5 * i, 0.5 * i + 0.5, 60 + i % 5, 80, 0) for i in range(32)])
    >>> piece = MarkovChain().fit([tune]).compose(2, seed=0)
    >>> piece.duration, piece == MarkovChain().fit([tune]).compose(2, seed=0)
    (4.0, True)
    """

    def __init__(self, order=MAX_ORDER):
        self.order, self.codec, self._model = order, None, None

    def fit(self, sequences):
        """Count what follows what in pieces.

        Parameters
        ----------
        sequences : iterable of NoteSequence
            Those that the codec cannot hold are left out.

        Returns
        -------
        MarkovChain
            Itself.

        Raises
        ------
        InputError
            If the codec can hold none of them.
        """
        sequences = list(sequences)
        self.codec = EventsCodec.for_data(sequences)
        streams = list(self._streams(sequences))
        if not streams:
            raise InputError("sequences holds no piece that event tokens can hold", remedy="give other pieces")
        self._model = NGram(self.order, self.codec.vocab_size).fit(streams)
        types = self.codec.grammar.types
        self._meters = types == TYPE["Meter"]
        self._bar, self._end = (int(np.flatnonzero(types == TYPE[name])[0]) for name in ("Bar", "EOS"))
        return self

    def compose(self, bars, *, seed):
        """Draw a piece.

        Parameters
        ----------
        bars : int
            At least 1.
        seed : int
            The same seed gives the same notes.

        Returns
        -------
        NoteSequence
            What sounds beyond its last bar is cut there.

        Raises
        ------
        InputError
            If `bars` is no such number, or `fit` was not called.
        """
        if not (isinstance(bars, (int, np.integer)) and bars >= 1):
            raise InputError(f"bars must be a whole number of at least 1, not {bars!r}")
        if self._model is None:
            raise InputError("the chain holds no counts yet", remedy="call fit first")
        meta = {"model": "MarkovChain", "order": self.order, "seed": seed}
        piece = self.codec.decode(self._drawn(bars, np.random.default_rng(seed)), meta=meta)
        end = float(piece.timing.quarters_to_seconds(piece.timing.first_bars(bars + 1)[bars]))
        return canonical(crop(piece, 0.0, min(end, piece.duration)))

    def _streams(self, sequences):
        for sequence in sequences:
            try:
                yield self.codec.encode(sequence)
            except InputError:
                continue

    def _drawn(self, bars, random):
        """Tokens from BOS to the end of the last bar."""
        grammar, tokens = self.codec.grammar, [self.codec.token("BOS_None")]
        state, count = grammar.initial_state(1), np.array([bars])
        while tokens[-1] != self._end:
            mass = self._mass(tokens, state[0, _BARS_REGISTER] >= bars) * grammar.allowed(state, count)[0]
            sums = np.cumsum(mass)
            tokens.append(int(np.searchsorted(sums, random.random() * sums[-1], side="right")))
            state = grammar.advance(state, np.array(tokens[-1:]))
        return np.array(tokens)

    def _mass(self, tokens, last):
        """Probabilities in which a bar ends as often as ever, though only the end of the piece may end the last."""
        mass = self._model.probabilities(np.array(tokens[-self.order :]))
        ends = mass[self._bar] + mass[self._end] + (mass[self._meters].sum() if last else 0.0)
        mass[self._end if last else self._bar] = ends
        return mass
