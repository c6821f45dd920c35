"""Filling what is empty in a row of bars: windows of a fragment's length, one behind the other, compiled."""

import numpy as np
from keras import ops

from .backend import compile_method, to_numpy
from .rolls import binary, completed, rolls_of
from .writing import groups

NEVER = -1e4  # added to the scores of pitches that a line may not use


class Maker:
    """A generator as a function of arrays.

    Parameters
    ----------
    generator : Generator
    neurons : str
        See `rolls.binary`; pieces are always binary.
    spans : array-like of int, shape (lines,)
        Of the generator's keys, how many each line may use.
    """

    def __init__(self, generator, neurons, spans):
        self.generator = generator
        beyond = np.arange(generator.keys + 1) >= np.reshape(spans, (-1, 1))
        beyond[:, generator.keys] = False  # silence
        self._beyond = np.where(beyond, NEVER, 0.0).astype(np.float32)
        self.neurons = "stochastic" if neurons == "stochastic" else "straight-through"
        self._run = compile_method(self._make, list(generator.trainable_variables))

    def make(self, pitches, onsets, mask, genres, latents, uniform):
        """Fragments of which some beats of lines are given.

        Parameters
        ----------
        pitches : int32, shape (n, steps, lines)
        onsets : float32, of the same shape
        mask : float32, shape (n, beats, lines)
            1 where they are given.
        genres : float32, shape (n, genres)
        latents : float32, shape (n, noise)
        uniform : float32, shape (n, steps, lines, 2)

        Returns
        -------
        pitches : int32, as given
        onsets : bool, of the same shape
        """
        parts = zip(*map(groups, (pitches, onsets, mask, genres, latents, uniform)), strict=True)
        made = [to_numpy(self._run(*part)) for part in parts]
        return tuple(np.concatenate(side)[: len(pitches)] for side in zip(*made, strict=True))

    def _make(self, pitches, onsets, mask, genres, latents, uniform):
        network = self.generator
        given = ops.repeat(mask, network.beat, axis=1)[..., None] * rolls_of(pitches, onsets, network.keys)
        pitches, begins = network(latents, genres, given, mask)
        made = binary(pitches + self._beyond, begins, uniform, self.neurons)
        whole = completed(made, given, mask)
        return ops.cast(ops.argmax(whole[..., :-1], axis=-1), "int32"), whole[..., -1] > 0.5

    def invent(self, genres, seeds, truncation=1.0):
        """Fragments of which nothing is given, each decided by its seed; see `make`."""
        network, count = self.generator, len(seeds)
        latents, uniform = noise_of(network, [np.random.default_rng(seed) for seed in seeds], truncation)
        silence = np.full((count, network.steps, network.lines), network.keys, np.int32)
        nothing = np.zeros(silence.shape, np.float32), network.no_mask(count)
        return self.make(silence, *nothing, genres, latents, uniform)


def noise_of(network, randoms, truncation=1.0):
    """Latents (n, noise) and uniform numbers (n, steps, lines, 2) from a random generator each: float32."""
    latents = np.stack([truncation * random.standard_normal(network.noise, np.float32) for random in randoms])
    uniform = np.stack([random.random((network.steps, network.lines, 2), np.float32) for random in randoms])
    return latents, uniform


class Canvas:
    """Bars of several pieces, some of them given, the others empty.

    Parameters
    ----------
    pitches : numpy.ndarray of int32, shape (n, bars * bar_steps, lines)
    onsets : numpy.ndarray of float32, of the same shape
    given : numpy.ndarray of bool, shape (n, bars, lines)
    """

    def __init__(self, pitches, onsets, given):
        self.pitches, self.onsets, self.given = pitches, onsets, given

    @classmethod
    def empty(cls, count, bars, network):
        """With nothing given."""
        shape = (count, bars * network.steps // network.bars, network.lines)
        silence = np.full(shape, network.keys, np.int32)
        return cls(silence, np.zeros(shape, np.float32), np.zeros((count, bars, network.lines), bool))

    @property
    def bars(self):
        """How many there are."""
        return self.given.shape[1]

    def fill(self, maker, genres, randoms, *, truncation=1.0, smoothness=0.0):
        """Write what is empty, from the first bar to the last.

        A window is as long as a fragment, and begins in the middle of the one before: what that wrote is given to it.

        Parameters
        ----------
        maker : Maker
        genres : float32, shape (n, genres)
        randoms : list of n numpy.random.Generator
            A piece does not depend on those beside it.
        truncation : float
            By which the noise is multiplied.
        smoothness : float
            How near the noise of a window is to that of the one before, 0 to 1.
        """
        network = maker.generator
        bar_steps, last = network.steps // network.bars, None
        for first in range(0, max(self.bars - network.bars, 0) + 1, max(network.bars // 2, 1)):
            bars = slice(first, first + network.bars)
            steps = slice(first * bar_steps, (first + network.bars) * bar_steps)
            latents, uniform = noise_of(network, randoms, truncation)
            if last is not None:
                latents = smoothness * last + np.sqrt(1 - smoothness**2, dtype=np.float32) * latents
            last, empty = latents, ~self.given[:, bars]
            if not empty.any():
                continue
            mask = np.repeat(self.given[:, bars], network.bar_beats, axis=1).astype(np.float32)
            made = maker.make(self.pitches[:, steps], self.onsets[:, steps], mask, genres, latents, uniform)
            written = np.repeat(empty, bar_steps, axis=1)
            self.pitches[:, steps] = np.where(written, made[0], self.pitches[:, steps])
            self.onsets[:, steps] = np.where(written, made[1], self.onsets[:, steps])
            self.given[:, bars] = True


def bars_for(bars, network):
    """Bars of a canvas that holds so many: windows fill it to its end."""
    hop = max(network.bars // 2, 1)
    return network.bars + max(-(-(bars - network.bars) // hop), 0) * hop
