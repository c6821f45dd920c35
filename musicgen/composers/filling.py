"""Filling what is empty in a row of bars: windows of a fragment's length, one behind the other, compiled."""

import numpy as np
from keras import ops

from .backend import compile_method, to_numpy
from .rolls import STOCHASTIC, STRAIGHT, chosen, rolls_of
from .weighing import drawn
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
    weigh : callable
        Of fragments as `make` gives them: logarithms of the weights by which one of several is drawn, float (n,).
    """

    def __init__(self, generator, neurons, spans, weigh):
        self.generator, self.weigh = generator, weigh
        beyond = np.arange(generator.keys + 1) >= np.reshape(spans, (-1, 1))
        beyond[:, generator.keys] = False  # silence
        self._beyond = np.where(beyond, NEVER, 0.0).astype(np.float32)
        self.neurons = STOCHASTIC if neurons == STOCHASTIC else STRAIGHT
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
        keys, struck = (np.concatenate(side)[: len(pitches)] for side in zip(*made, strict=True))
        kept = np.repeat(mask, self.generator.beat, axis=1) > 0.5
        return self._completed(np.where(kept, pitches, keys), np.where(kept, onsets > 0.5, struck), kept)

    def _completed(self, pitches, onsets, kept):
        """As `rolls.completed` does: pitches and onsets (n, steps, lines), some of which are kept.

        Drawn onsets that follow another too soon are left out.
        """
        if self.neurons == STOCHASTIC:
            turns = _turns(onsets, kept, int(to_numpy(self.generator.shortest.value)[0]))
            pitches = np.take_along_axis(pitches, turns, axis=1)
            onsets &= turns == np.arange(pitches.shape[1])[:, None]
        onsets[:, 0] = True
        onsets[:, 1:] |= pitches[:, 1:] != pitches[:, :-1]
        return pitches, onsets & (pitches != self.generator.keys)

    def _make(self, pitches, onsets, mask, genres, latents, uniform):
        network = self.generator
        given = ops.repeat(mask, network.beat, axis=1)[..., None] * rolls_of(pitches, onsets, network.keys)
        scores, begins = network(latents, genres, given, mask)
        return chosen(scores + self._beyond, begins, uniform, self.neurons)

    def invent(self, genres, seeds, truncation=1.0, candidates=1):
        """Fragments of which nothing is given, each decided by its seed; see `make` and `write`."""
        network, count = self.generator, len(seeds)
        silence = np.full((count, network.steps, network.lines), network.keys, np.int32)
        nothing = np.zeros(silence.shape, np.float32), network.no_mask(count)
        randoms = [np.random.default_rng(seed) for seed in seeds]
        return self.write(silence, *nothing, genres, randoms, truncation=truncation, candidates=candidates)[:2]

    def write(
        self, pitches, onsets, mask, genres, randoms, *, truncation=1.0, candidates=1, near=None, smoothness=0.0
    ):
        """Fragments of which some beats are given, of several candidates for each the one that is drawn by weight.

        Parameters
        ----------
        pitches, onsets, mask, genres
            As in `make`.
        randoms : list of n numpy.random.Generator
            A fragment does not depend on those beside it.
        truncation : float
            By which the noise is multiplied.
        candidates : int
            Written for each fragment; see `weighing`.
        near : float32, shape (n, noise), optional
            Latents near which those of the fragments lie, by `smoothness`, 0 to 1.

        Returns
        -------
        pitches, onsets
            As from `make`.
        latents : float32, shape (n, noise)
        """
        latents, uniform, luck = self._noise(randoms, truncation, candidates)
        if near is not None:
            near = np.repeat(near, candidates, axis=0)
            latents = smoothness * near + np.sqrt(1 - smoothness**2, dtype=np.float32) * latents
        given = (np.repeat(array, candidates, axis=0) for array in (pitches, onsets, mask, genres))
        made = self.make(*given, latents, uniform)
        rows = np.arange(len(randoms)) * candidates
        if candidates > 1:
            rows += drawn(self.weigh(*made).reshape(-1, candidates), luck)
        return made[0][rows], made[1][rows], latents[rows]

    def _noise(self, randoms, truncation, candidates):
        """Latents (n * candidates, noise), uniform numbers for neurons, and others to draw by (n, candidates)."""
        network, drawing = self.generator, self.neurons == STOCHASTIC
        shape = (candidates, network.steps, network.lines, 2)
        latents = [random.standard_normal((candidates, network.noise), np.float32) for random in randoms]
        uniform = [random.random(shape, np.float32) if drawing else np.zeros(shape, np.float32) for random in randoms]
        luck = [random.random(candidates) for random in randoms]
        return np.float32(truncation) * np.concatenate(latents), np.concatenate(uniform), np.stack(luck)


def _turns(onsets, kept, shortest):
    """Step from which on each pitch is held, where none but kept onsets come sooner than `shortest` after others.

    Parameters
    ----------
    onsets, kept : numpy.ndarray of bool, shape (n, steps, lines)
    shortest : int

    Returns
    -------
    numpy.ndarray of int, of the same shape
    """
    turns, begun = np.zeros(onsets.shape, int), np.zeros_like(onsets[:, 0], int)
    for step in range(1, onsets.shape[1]):
        begins = onsets[:, step] & (kept[:, step] | (step - begun >= shortest))
        begun = np.where(begins, step, begun)
        turns[:, step] = np.where(begins | kept[:, step], step, turns[:, step - 1])
    return turns


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

    def fill(self, maker, genres, randoms, *, smoothness=0.0, **way):
        """Write what is empty, from the first bar to the last.

        A window is as long as a fragment, and begins in the middle of the one before: what that wrote is given to it.

        Parameters
        ----------
        maker : Maker
        genres : float32, shape (n, genres)
        randoms : list of n numpy.random.Generator
            A piece does not depend on those beside it.
        smoothness : float
            How near the noise of a window is to that of the one before, 0 to 1.
        **way
            truncation and candidates, as in `Maker.write`.
        """
        network = maker.generator
        bar_steps, last = network.steps // network.bars, None
        for first in range(0, max(self.bars - network.bars, 0) + 1, max(network.bars // 2, 1)):
            bars = slice(first, first + network.bars)
            steps = slice(first * bar_steps, (first + network.bars) * bar_steps)
            empty = ~self.given[:, bars]
            if not empty.any():
                continue
            mask = np.repeat(self.given[:, bars], network.bar_beats, axis=1).astype(np.float32)
            before = self.pitches[:, steps], self.onsets[:, steps], mask, genres, randoms
            *made, last = maker.write(*before, near=last, smoothness=smoothness, **way)
            written = np.repeat(empty, bar_steps, axis=1)
            self.pitches[:, steps] = np.where(written, made[0], self.pitches[:, steps])
            self.onsets[:, steps] = np.where(written, made[1], self.onsets[:, steps])
            self.given[:, bars] = True


def bars_for(bars, network):
    """Bars of a canvas that holds so many: windows fill it to its end."""
    hop = max(network.bars // 2, 1)
    return network.bars + max(-(-(bars - network.bars) // hop), 0) * hop
