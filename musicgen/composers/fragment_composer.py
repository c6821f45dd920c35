"""What composers of fragments share: from pieces to the fragments that they learn from."""

import contextlib
import warnings
from typing import NamedTuple

import numpy as np

from ..datasets.prepared import PreparedPieces
from ..errors import InputError
from .base import whole_number
from .fragment_data import codec_for_fragments, commonest_meter, genre_of, without_empty_bars
from .fragments import Fragments, lines_for
from .learning import encoded, pieces_to_learn, warn_of
from .neural import NetworkComposer


class CutPieces(NamedTuple):
    """Pieces and all fragments that were cut from them.

    Parameters
    ----------
    pieces : list of NoteSequence, or PreparedPieces
    tokens : numpy.ndarray of uint8, shape (n, steps, lines)
    ties : numpy.ndarray of uint8, shape (n, lines)
        See `Fragments.cut`.
    labels : numpy.ndarray of int64, shape (n,)
        Genres as indices, -1 for none.
    owners : numpy.ndarray of int64, shape (n,)
        Number of the piece that each was cut from.
    """

    pieces: object
    tokens: np.ndarray
    ties: np.ndarray
    labels: np.ndarray
    owners: np.ndarray


class FragmentComposer(NetworkComposer):
    """A composer that learns fragments of `fragment_bars` bars in one `meter`, as `lines` of tokens.

    Subclasses are made with these, `genres` and `codec`, each None or empty where the training data shall tell.
    """

    #: Grid steps per quarter note of a codec that the composer makes itself.
    resolution = 4

    @contextlib.contextmanager
    def unchanged_if_refused(self):
        """In it data may be refused: what they told of codec, meter, genres and lines is then forgotten."""
        told = {name: getattr(self, name) for name in ("codec", "meter", "genres", "lines")}
        try:
            yield
        except InputError:
            vars(self).update(told)
            raise

    def _cut(self, sequences, validation=None):
        """`CutPieces` of what `fit` is given to learn from and to be checked by; warns of what cannot be used."""
        pieces = pieces_to_learn(sequences)
        held_out = pieces_to_learn(validation, "validation") if validation is not None else None
        self.refused = ()
        learnt = self._fragments_of(*self._arrays(pieces, held_out))
        check = None
        if held_out is not None:
            check = self._fragments_of(*self._arrays(held_out, argument="validation"), "validation")
        warn_of(self.refused, stacklevel=4)
        return learnt, check

    def _arrays(self, pieces, held_out=None, argument="sequences"):
        """Pieces that the codec holds, and their arrays; the codec is chosen where there is none."""
        if self.codec is None:
            self.codec = codec_for_fragments(pieces, held_out, self.resolution)
        pieces, arrays, refused = encoded(pieces, self.codec, type(self.codec), argument)
        self.refused += tuple(refused)
        return pieces, arrays

    def _fragments_of(self, pieces, arrays, argument="sequences"):
        """`CutPieces` of pieces and their arrays; the first ones tell genres, lines and meter."""
        timings = list(pieces.timings()) if isinstance(pieces, PreparedPieces) else [p.timing for p in pieces]
        genres = [genre_of(pieces, index) for index in range(len(pieces))]
        if argument == "sequences":
            self.genres = self.genres or tuple(sorted(set(genres) - {""}))
            self.lines = self.lines or lines_for(self.codec, arrays)
            tracks = len(getattr(self.codec, "tracks", None) or (None,))
            if len(self.lines) != tracks:
                raise InputError(f"lines tells of {len(self.lines)} tracks, the codec has {tracks}")
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
        return CutPieces(pieces, np.concatenate(found), np.concatenate(ties), labels[owners], owners)

    def _make_cutter(self):
        numerator, denominator = map(int, self.meter.split("/"))
        return Fragments(self.codec, bars=self.fragment_bars, meter=(numerator, denominator), lines=self.lines)


def checked_lines(lines):
    """Lines of each track as a tuple, None as it is."""
    if lines is None:
        return None
    if not np.iterable(lines) or isinstance(lines, str):
        raise InputError(f"lines must name a number for each track, such as (1, 2), not {lines!r}")
    return tuple(whole_number("lines", count, 1) for count in lines)


def checked_genres(genres):
    """Labels as a tuple of str."""
    if isinstance(genres, str):
        raise InputError(f"genres must be several labels, not {genres!r}", remedy=f"give [{genres!r}]")
    return tuple(map(str, genres))
