"""What the GAN's networks learn from: fragments on the white keys, parts of which are given at random."""

import numpy as np

from ..codecs.lines import HELD, SILENT, codes_of
from ..codecs.melody import HOLD, REST
from ..codecs.spec import KEYS, key_name
from ..datasets.prepared import PreparedPieces

WHOLE = 0.5  # share of the fragments of which nothing is given
BY_LINE, BY_BAR = 0.3, 0.8  # shares of the others in which some lines, and in which some bars are


def shift_to_white(key):
    """Semitones, -6 to 5, by which a key such as "A minor" moves to C major or A minor; 0 for None."""
    if key not in KEYS:
        return 0
    number = KEYS.index(key)
    return -((number % 12 + (3 if number >= 12 else 0) + 5) % 12 - 5)


def keys_of(pieces):
    """Key of every piece, None where none is known."""
    if isinstance(pieces, PreparedPieces):
        found = pieces.piece_facts()
        return [key_name(facts["meta"].get("key")) or key_name(facts["key"]) for facts in found]
    return [key_name(piece.meta.get("key")) for piece in pieces]


def shifted(tokens, semitones, pitched):
    """Fragments whose pitched lines are moved by semitones.

    Parameters
    ----------
    tokens : numpy.ndarray of uint8, shape (n, steps, lines)
    semitones : int or array of int, shape (n,)
        Pitches that leave 0 to 127 move by octaves.
    pitched : numpy.ndarray of bool, shape (lines,)
        Drums stay as they are.

    Returns
    -------
    numpy.ndarray of uint8, shape (n, steps, lines)
    """
    semitones = np.asarray(semitones).reshape(-1, 1, 1) * pitched
    pitches = tokens.astype(int) + semitones
    pitches = np.where(pitches < 0, pitches + 12, np.where(pitches > 127, pitches - 12, pitches))
    return np.where(tokens < HOLD, pitches, tokens).astype(np.uint8)


def parts_of(tokens, lowest, keys):
    """What sounds, as the networks take it.

    Parameters
    ----------
    tokens : numpy.ndarray of uint8, shape (n, steps, lines)
    lowest : int or array of int, shape (lines,)
        MIDI pitch of key 0 of every line.
    keys : int
        How many there are. Pitches outside move by octaves.

    Returns
    -------
    pitches : numpy.ndarray of int32, of the same shape
        Keys; `keys` is silence.
    onsets : numpy.ndarray of float32, of the same shape
    """
    codes = codes_of(tokens).astype(np.int32)
    key = codes % HELD - lowest
    key = np.where(key < 0, key % 12, np.where(key >= keys, keys - 1 - (keys - 1 - key) % 12, key))
    return np.where(codes < SILENT, np.clip(key, 0, keys - 1), keys).astype(np.int32), (codes < HELD).astype(
        np.float32
    )


def tokens_of(pitches, onsets, lowest, keys):
    """The opposite of `parts_of`; onsets are bool."""
    tokens = np.where(onsets, lowest + pitches, HOLD)
    return np.where(pitches == keys, REST, tokens).astype(np.uint8)


class RollBatches:
    """Batches of (pitches, onsets, genres, mask, latents, uniform) for a `Contest`.

    All batches are full: what is left over waits for another epoch.

    Parameters
    ----------
    tokens : numpy.ndarray of uint8, shape (n, steps, lines)
        On the white keys.
    labels : numpy.ndarray of int, shape (n,)
        Genres as indices; -1 is none.
    generator : Generator
    lowest
        Of `parts_of`.
    batch_size, seed : int
    """

    def __init__(self, tokens, labels, *, generator, lowest, batch_size, seed):
        self.tokens, self.batch_size, self._network, self._lowest, self._seed = (
            tokens,
            batch_size,
            generator,
            lowest,
            seed,
        )
        self.genres = np.concatenate([np.eye(generator.genres), np.zeros((1, generator.genres))])[labels]
        self.begin(0)

    def __len__(self):
        return len(self.tokens) // self.batch_size

    def begin(self, epoch):
        """The order of an epoch; the same epoch gives the same batches."""
        self._epoch = epoch
        self._order = np.random.default_rng([self._seed, 6, epoch]).permutation(len(self.tokens))

    def __getitem__(self, index):
        rows = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        random, network = np.random.default_rng([self._seed, 7, self._epoch, index]), self._network
        tokens = self.tokens[rows]
        return (
            *parts_of(tokens, self._lowest, network.keys),
            self.genres[rows].astype(np.float32),
            self._mask(random),
            random.standard_normal((len(rows), network.noise), np.float32),
            random.random((*tokens.shape, 2), np.float32),
        )

    def _mask(self, random):
        """Of every other fragment some lines or bars, or both: float32, (batch, beats, lines)."""
        network, size = self._network, self.batch_size
        by_line, by_bar = random.random((2, size)) < np.array([[BY_LINE], [BY_BAR]])
        kept = random.integers(1, max(network.bars, 2), size)  # bars from the beginning
        scattered = random.random((size, network.bars)) < 0.5
        bars = np.where(random.random((size, 1)) < 0.5, np.arange(network.bars) < kept[:, None], scattered)
        lines = random.random((size, network.lines)) < random.random((size, 1))
        some = (bars & by_bar[:, None])[:, :, None] | (lines & by_line[:, None])[:, None, :]
        extreme = some.all(axis=(1, 2)) | ~some.any(axis=(1, 2))  # of these the first bars are given
        some[extreme] = (np.arange(network.bars) < kept[:, None])[extreme][:, :, None]
        some &= (random.random(size) >= WHOLE)[:, None, None] & ~some.all(axis=(1, 2), keepdims=True)
        return np.repeat(some, network.bar_beats, axis=1).astype(np.float32)
