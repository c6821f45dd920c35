"""Fragments: a few whole bars of one meter, as lines of tokens on a grid, cut out of pieces and joined again."""

from typing import NamedTuple

import numpy as np

from ..codecs import MelodyCodec
from ..codecs.grid import bar_steps
from ..codecs.lines import HELD, SILENT, codes_of, lines_of, most_at_once, piece_of_lines
from ..codecs.melody import HOLD, REST
from ..errors import InputError
from ..timing import Timing

MOST_LINES = 8  # of all tracks together
TRANSPOSITIONS = np.arange(-6, 6)  # semitones; every key once
NEW, REPEATED, TIED = range(3)  # how a fragment's first note follows what sounded before


class Cut(NamedTuple):
    """A piece as fragments, one behind the other.

    Parameters
    ----------
    tokens, ties : numpy.ndarray
        As `Fragments.cut` gives them.
    before : int
        Steps of the first bar that lie before the piece.
    left : int
        Bars that fill no fragment.
    """

    tokens: np.ndarray
    ties: np.ndarray
    before: int
    left: int


class Fragments:
    """How pieces are cut into fragments and made of them.

    Parameters
    ----------
    codec : MelodyCodec or PianorollCodec
    bars : int
        Bars of a fragment.
    meter : (int, int)
        Numerator and denominator of each of them.
    lines : sequence of int
        Lines of each track, see `codecs.lines`.

    Raises
    ------
    InputError
        If a bar of this meter does not fill whole steps of the codec's grid.
    """

    def __init__(self, codec, *, bars, meter, lines):
        self.codec, self.bars, self.meter, self.counts = codec, bars, tuple(meter), tuple(lines)
        steps = 4 * codec.resolution * self.meter[0] / self.meter[1]
        if steps != int(steps):
            raise InputError(
                f"a bar of {self.name} is {steps:g} steps of the codec's grid, no whole number",
                remedy=f"give the codec a resolution of {codec.resolution * 2}, or choose another meter",
            )
        self.bar_steps = int(steps)
        self.steps = bars * self.bar_steps

    @property
    def name(self):
        """The meter as musicians write it."""
        return f"{self.meter[0]}/{self.meter[1]}"

    @property
    def lines(self):
        """Lines of all tracks together."""
        return sum(self.counts)

    # ---- pieces to fragments

    def cut(self, array, timing, *, every=1):
        """All fragments of an encoded piece.

        Parameters
        ----------
        array : numpy.ndarray
            What the codec encoded.
        timing : Timing
            Of the piece.
        every : int
            Bars from the beginning of one fragment to that of the next.

        Returns
        -------
        tokens : numpy.ndarray of uint8, shape (n, steps, lines)
            A note that sounds into a fragment begins with it.
        ties : numpy.ndarray of uint8, shape (n, lines)
            Whether one did so: `TIED`, `REPEATED` where its pitch sounded before and begins anew, else `NEW`.
        left_out : int
            Notes of the piece for which no line was free.
        """
        lines, left_out = lines_of(self.codec, array, self.counts)
        starts, meters = bar_steps(timing, self.codec.resolution, len(lines))
        right = (
            np.array([meter == self.meter for meter in meters], bool) & (starts == np.rint(starts)) & (starts >= 0)
        )
        enough = np.convolve(right, np.ones(self.bars), "valid") > self.bars - 0.5 if len(right) >= self.bars else []
        first = starts[np.flatnonzero(enough)[::every]].astype(int)
        return *self.parts(lines, first), left_out

    def parts(self, lines, first):
        """Tokens and ties of the fragments of lines (steps, lines) that begin at these steps; see `cut`."""
        first = np.asarray(first, int)
        rest = np.full((self.steps, lines.shape[1]), REST, lines.dtype)
        lines = np.concatenate([lines, rest])
        codes = codes_of(lines)
        tokens = lines[first[:, None] + np.arange(self.steps)]
        now, before = codes[first], codes[first - 1]
        tied = (now >= HELD) & (now < SILENT)
        tokens[:, 0] = np.where(tied, now - HELD, tokens[:, 0])
        same = (first > 0)[:, None] & (before < SILENT) & (before % HELD == tokens[:, 0])
        return tokens, np.where(tied, TIED, np.where(same, REPEATED, NEW)).astype(np.uint8)

    def on_bars(self, sequence, *, least=None):
        """Lines of a piece from the beginning of its first bar on to the end of its last.

        Parameters
        ----------
        sequence : NoteSequence
        least : int, optional
            Bars that it must have. Default: those of a fragment.

        Returns
        -------
        lines : numpy.ndarray of uint8, shape (bars * bar_steps, lines)
        before : int
            Steps of the first bar that lie before the piece.

        Raises
        ------
        InputError
            If the piece has no notes, is shorter than a fragment, or has bars in another meter or off the grid; or
            the codec cannot hold it.
        """
        if not len(sequence):
            raise InputError("the piece has no notes", remedy="give one with a melody")
        lines, left_out = lines_of(self.codec, self.codec.encode(sequence), self.counts)
        if left_out:
            raise InputError(
                f"{left_out} notes have no place beside the others: this composer knows {self._voices()} at once",
                remedy="leave some out with transforms.limit_polyphony",
            )
        starts, meters = bar_steps(sequence.timing, self.codec.resolution, len(lines))
        self._check_bars(starts, meters, self.bars if least is None else least)
        if (starts != np.rint(starts)).any() or (np.diff(starts) != self.bar_steps).any():
            raise InputError(
                "bars of the piece are cut short, or do not lie on the codec's grid",
                remedy="crop it to its whole bars, or put its first downbeat on the grid",
            )
        before = int(max(-starts[0], 0))
        whole = np.full((len(starts) * self.bar_steps, lines.shape[1]), REST, lines.dtype)
        whole[before : before + len(lines)] = lines[: len(whole) - before]
        return whole, before

    def of_piece(self, sequence, *, exactly=None):
        """A piece as fragments, one behind the other; bars that do not fill the last one are left out.

        Parameters
        ----------
        sequence : NoteSequence
        exactly : int, optional
            Refuse pieces of another number of fragments, or with bars left over.

        Returns
        -------
        Cut

        Raises
        ------
        InputError
            As `on_bars`, or if a bar is empty.
        """
        lines, before = self.on_bars(sequence)
        bars = len(lines) // self.bar_steps
        if exactly is not None and bars != self.bars * exactly:
            raise InputError(
                f"the piece has {_bars(bars)}, not {self.bars * exactly}",
                remedy="cut it with composer.fragments(piece), and give what that returns",
            )
        first = np.arange(0, len(lines) - self.steps + 1, self.steps)
        self._check_filled(lines[: first[-1] + self.steps])
        return Cut(*self.parts(lines, first), before, bars - self.bars * len(first))

    def _check_bars(self, starts, meters, least):
        others = sorted({f"{n}/{d}" for n, d in meters} - {self.name})
        if others:
            raise InputError(
                f"the piece has bars in {' and '.join(others)}, this composer knows {self.name}",
                remedy=f"crop it to its bars in {self.name}, or train a composer with meter='{others[0]}'",
            )
        if len(starts) < least:
            raise InputError(
                f"the piece has {_bars(len(starts))}, the fragments of this composer have {self.bars}",
                remedy=f"give at least {least} bars",
            )

    def _check_filled(self, lines):
        empty = np.flatnonzero((codes_of(lines) == SILENT).all(axis=1).reshape(-1, self.bar_steps).all(axis=1))
        if len(empty):
            raise InputError(
                f"bar {empty[0] + 1} of the piece is empty", remedy="crop the piece to bars in which something sounds"
            )

    def _voices(self):
        return " + ".join(map(str, self.counts)) + " notes" if len(self.counts) > 1 else f"{self.counts[0]} notes"

    # ---- fragments to pieces

    def joined(self, tokens, tied=None):
        """Lines (n * steps, lines) of fragments, one behind the other.

        Where `tied`, bool of shape (n, lines), is set, a note that a fragment begins with goes on from the fragment
        before, if the same pitch sounds at its end.
        """
        tokens = np.array(tokens)
        if tied is not None and len(tokens) > 1:
            last = codes_of(tokens)[:-1, -1]
            goes_on = np.asarray(tied, bool)[1:] & (last < SILENT) & (last % HELD == tokens[1:, 0])
            tokens[1:, 0] = np.where(goes_on, HOLD, tokens[1:, 0])
        return tokens.reshape(-1, tokens.shape[-1])

    def piece(self, lines, *, bpm=None, timing=None, tracks=None, meta=None):
        """The NoteSequence of lines (steps, lines), at an even tempo (beats per minute) or with a timing."""
        timing = timing or Timing.regular(bpm or 120.0, self.meter)
        return piece_of_lines(self.codec, lines, self.counts, timing=timing, tracks=tracks, meta=meta)


def lines_for(codec, arrays):
    """Lines that each track of encoded pieces needs, at most `MOST_LINES` in all."""
    if isinstance(codec, MelodyCodec):
        return (1,)
    counts = np.max([most_at_once(array) for array in arrays], axis=0)
    counts = np.maximum(counts, 1)
    while counts.sum() > max(MOST_LINES, len(counts)):
        counts[np.argmax(counts)] -= 1
    return tuple(counts.tolist())


class FragmentBatches:
    """Batches of (codes, tokens, weights) for a network that reads fragments and writes them again.

    Every epoch has another order and moves each fragment to a random key. All batches are full: what is left over
    waits for another epoch.

    Parameters
    ----------
    tokens : numpy.ndarray of uint8, shape (n, steps, lines)
    batch_size, seed : int
    augment : bool
        False for validation: one order, no transposition.
    """

    def __init__(self, tokens, *, batch_size, seed, augment=True):
        self.tokens, self.batch_size, self.augment, self._seed = tokens, batch_size, augment, seed
        pitches = np.where(tokens < HOLD, tokens, 60).astype(int)
        self._room = -pitches.min(axis=(1, 2), initial=60), 127 - pitches.max(axis=(1, 2), initial=60)
        self.begin(0)

    def __len__(self):
        return len(self.tokens) // self.batch_size

    def begin(self, epoch):
        """The order and keys of an epoch; the same epoch gives the same batches."""
        random = np.random.default_rng([self._seed, 2, epoch if self.augment else 0])
        self._order = random.permutation(len(self.tokens))
        self._moves = random.choice(TRANSPOSITIONS, len(self.tokens))

    def __getitem__(self, index):
        rows = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        tokens = self.tokens[rows]
        if self.augment:
            moves = self._moves[rows]
            low, high = (room[rows] for room in self._room)
            moves = np.where((moves >= low) & (moves <= high), moves, 0)
            tokens = np.where(tokens < HOLD, tokens + moves[:, None, None], tokens)
        weights = np.ones(tokens.shape, np.float32)
        return codes_of(tokens).astype(np.int32), tokens.astype(np.int32), weights


def _bars(count):
    return "1 bar" if count == 1 else f"{count} bars"


def moved(tokens, semitones):
    """Tokens in another key: pitches moved by semitones (n,) or one number, by octaves where they leave 0 to 127."""
    semitones = np.asarray(semitones).reshape(-1, *[1] * (tokens.ndim - 1))
    pitches = tokens.astype(int) + semitones
    pitches = np.where(pitches < 0, pitches + 12, np.where(pitches > 127, pitches - 12, pitches))
    return np.where(tokens < HOLD, pitches, tokens).astype(np.uint8)
