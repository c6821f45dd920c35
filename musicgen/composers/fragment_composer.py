"""What composers of fragments share: from pieces to the fragments that they learn from."""

import warnings

import numpy as np

from ..datasets.prepared import PreparedPieces
from ..errors import InputError
from .fragment_data import codec_for_fragments, commonest_meter, genre_of, without_empty_bars
from .fragments import Fragments, lines_for
from .learning import encoded
from .neural import NetworkComposer


class FragmentComposer(NetworkComposer):
    """A composer that learns fragments of `fragment_bars` bars in one `meter`, as `lines` of tokens.

    Subclasses are made with these, `genres` and `codec`, each None or empty where the training data shall tell.
    """

    #: Grid steps per quarter note of a codec that the composer makes itself.
    resolution = 4

    def _arrays(self, pieces, held_out=None, argument="sequences"):
        """Pieces that the codec holds, and their arrays; the codec is chosen where there is none."""
        if self.codec is None:
            self.codec = codec_for_fragments(pieces, held_out, self.resolution)
        pieces, arrays, refused = encoded(pieces, self.codec, type(self.codec), argument)
        self.refused += tuple(refused)
        return pieces, arrays

    def _fragments_of(self, pieces, arrays, argument="sequences"):
        """All fragments of the pieces.

        Returns
        -------
        tokens : numpy.ndarray of uint8, shape (n, steps, lines)
        ties : numpy.ndarray of uint8, shape (n, lines)
        labels : numpy.ndarray of int64, shape (n,)
            Genres as indices, -1 for none.
        owners : numpy.ndarray of int64, shape (n,)
            Number of the piece that each was cut from.
        """
        timings = list(pieces.timings()) if isinstance(pieces, PreparedPieces) else [p.timing for p in pieces]
        genres = [genre_of(pieces, index) for index in range(len(pieces))]
        if argument == "sequences":
            self.genres = self.genres or tuple(sorted(set(genres) - {""}))
            self.lines = self.lines or lines_for(self.codec, arrays)
            self.meter = self.meter or commonest_meter(timings, [len(array) for array in arrays], self.codec)
        self._cutter = self._make_cutter()
        found, ties, left_out = [], [], 0
        for array, timing in zip(arrays, timings, strict=True):
            tokens, tied, over = self._cutter.cut(array, timing)
            filled = without_empty_bars(tokens, self._cutter.bar_steps)
            found.append(tokens[filled])
            ties.append(tied[filled])
            left_out += over
        if left_out:
            warnings.warn(
                f"{left_out:,} notes of {argument} were left out: more sound at once than this composer writes "
                f"({' + '.join(map(str, self.lines))})",
                stacklevel=3,
            )
        owners = np.repeat(np.arange(len(found)), [len(some) for some in found])
        if not len(owners):
            raise InputError(
                f"{argument} holds no {self.fragment_bars} bars in a row in {self.meter} without an empty bar",
                remedy="give longer pieces, or choose other fragment_bars or another meter",
            )
        labels = np.array([self.genres.index(genre) if genre in self.genres else -1 for genre in genres])
        return np.concatenate(found), np.concatenate(ties), labels[owners], owners

    def _make_cutter(self):
        numerator, denominator = map(int, self.meter.split("/"))
        return Fragments(self.codec, bars=self.fragment_bars, meter=(numerator, denominator), lines=self.lines)
