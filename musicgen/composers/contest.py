"""The two networks of the GAN: one writes fragments of lines, the other judges them.

A fragment is, for every step of every line, the pitch that sounds or silence (one-hot) and whether a note begins: a
binary piano roll of onsets and sustained pitches in which each line has one note at a time. The generator turns noise
into bars, bars into beats, and beats into steps, by convolutions over time; its outputs are made binary by neurons
that pass the gradient of their probabilities on (straight-through, Bengio et al. 2013; for rolls Dong and Yang 2018).

The critic reads beat by beat and compares real with generated fragments in pairs: a relativistic loss with penalties
on its gradient at both (Huang et al., "The GAN is dead; long live the GAN! A modern GAN baseline", NeurIPS 2024).
Other than Wasserstein's loss with a penalty between them (Gulrajani et al. 2017) it is known to converge locally, and
needs one step of the critic for each of the generator.
"""

from math import gcd

import keras
import numpy as np
from keras import ops

from .backend.gradients import compile_descent, gradient_of

BEAT = 12  # steps that are written together, or a divisor of it
LEVELS = (1, 2, 4, 12)  # parts of a beat that have scores of their own; a step's are the sum of those it lies in
NEURONS = ("straight-through", "stochastic", "threshold")
AVERAGE = 0.998  # share of the moving average of the generator's weights that is kept at each step


class Block(keras.layers.Layer):
    """Two convolutions over time beside a shortcut.

    Parameters
    ----------
    units : int
    normalised : bool
        Whether features are brought to one scale before each convolution, as in the generator.
    """

    def __init__(self, units, *, normalised, seed, name):
        super().__init__(name=name)
        glorot = [
            keras.initializers.GlorotUniform(seed=seed),
            keras.initializers.RandomNormal(stddev=0.02, seed=seed + 1),
        ]
        self.convolutions = [
            keras.layers.Conv1D(units, 3, padding="same", kernel_initializer=start, name=f"convolution_{number}")
            for number, start in enumerate(glorot, 1)
        ]
        self.norms = [keras.layers.LayerNormalization(name=f"norm_{n}") for n in (1, 2)] if normalised else None

    def call(self, signal):
        after = signal
        for number, convolution in enumerate(self.convolutions):
            after = self.norms[number](after) if self.norms else after
            after = convolution(ops.leaky_relu(after, 0.2))
        return signal + after


class Generator(keras.Model):
    """Noise to scores of fragments.

    Parameters
    ----------
    bars, bar_steps, lines, keys : int
        Shape of fragments; `keys` pitches, and silence behind them.
    genres : int
    noise, units, blocks : int
        Width of the noise and of the layers, number of `Block`s for bars and for beats.
    seed : int
    """

    def __init__(self, *, bars, bar_steps, lines, keys, genres, noise, units, blocks, seed=0):
        super().__init__(name="generator")
        self.bars, self.lines, self.keys, self.noise, self.units = bars, lines, keys, noise, units
        self.beat = gcd(bar_steps, BEAT)
        self.beats = bar_steps // self.beat  # of a bar
        self.levels = [level for level in LEVELS if self.beat % level == 0]
        self.genres = genres
        dense = lambda width, name, number: keras.layers.Dense(  # noqa: E731
            width, kernel_initializer=keras.initializers.GlorotUniform(seed=seed + number), name=name
        )
        self.first = dense(bars * units, "first", 1)
        self.bar_blocks = [
            Block(units, normalised=True, seed=seed + 10 + 2 * n, name=f"bar_{n}") for n in range(blocks)
        ]
        self.widen = dense(self.beats * units, "widen", 2)
        self.beat_blocks = [
            Block(units, normalised=True, seed=seed + 50 + 2 * n, name=f"beat_{n}") for n in range(blocks)
        ]
        self.last = keras.layers.LayerNormalization(name="last")
        self.scores = [dense(lines * level * (keys + 1), f"scores_{level}", 100 + level) for level in self.levels]
        self.onsets = dense(lines * self.beat, "onsets", 3)
        self(np.zeros((1, noise), np.float32), np.zeros((1, genres), np.float32))

    def call(self, latents, genres):
        """Scores of pitches (batch, steps, lines, keys + 1) and of onsets (batch, steps, lines)."""
        batch = ops.shape(latents)[0]
        signal = ops.reshape(self.first(ops.concatenate([latents, genres], axis=-1)), (batch, self.bars, self.units))
        for block in self.bar_blocks:
            signal = block(signal)
        signal = ops.reshape(self.widen(signal), (batch, self.bars * self.beats, self.units))
        for block in self.beat_blocks:
            signal = block(signal)
        signal = self.last(signal)
        pitches, steps = 0.0, self.bars * self.beats * self.beat
        for level, layer in zip(self.levels, self.scores, strict=True):
            part = ops.reshape(layer(signal), (batch, self.bars * self.beats * level, self.lines, self.keys + 1))
            pitches = pitches + ops.repeat(part, self.beat // level, axis=1)
        onsets = ops.reshape(self.onsets(signal), (batch, self.bars * self.beats, self.lines, self.beat))
        onsets = ops.reshape(ops.transpose(onsets, (0, 1, 3, 2)), (batch, steps, self.lines))
        return pitches, onsets


class Critic(keras.Model):
    """Fragments to scores of how real they are.

    Parameters
    ----------
    As of `Generator`.
    """

    def __init__(self, *, bars, bar_steps, lines, keys, genres, units, blocks, seed=0):
        super().__init__(name="critic")
        self.beat, self.bars, self.units = gcd(bar_steps, BEAT), bars, units
        self.beats = bar_steps // self.beat
        dense = lambda width, name, number: keras.layers.Dense(  # noqa: E731
            width, kernel_initializer=keras.initializers.GlorotUniform(seed=seed + number), name=name
        )
        self.first = dense(units, "first", 1)
        self.beat_blocks = [
            Block(units, normalised=False, seed=seed + 10 + 2 * n, name=f"beat_{n}") for n in range(blocks)
        ]
        self.narrow = dense(units, "narrow", 2)
        self.bar_blocks = [
            Block(units, normalised=False, seed=seed + 50 + 2 * n, name=f"bar_{n}") for n in range(blocks)
        ]
        self.last = dense(units, "last", 3)
        self.score = dense(1, "score", 4)
        self.genre = dense(units, "genre", 5) if genres else None
        roll = np.zeros((1, bars * bar_steps, lines, keys + 2), np.float32)
        self(roll, np.zeros((1, genres), np.float32))

    def call(self, roll, genres):
        """Scores (batch,) of rolls (batch, steps, lines, keys + 2)."""
        lines, features = roll.shape[2:]
        signal = ops.reshape(roll, (-1, self.bars * self.beats, self.beat * lines * features))
        signal = self.first(signal)
        for block in self.beat_blocks:
            signal = block(signal)
        signal = self.narrow(ops.reshape(signal, (-1, self.bars, self.beats * self.units)))
        for block in self.bar_blocks:
            signal = block(signal)
        signal = ops.leaky_relu(ops.reshape(signal, (-1, self.bars * self.units)), 0.2)
        found = ops.leaky_relu(self.last(signal), 0.2)
        score = self.score(found)[:, 0]
        return score + ops.sum(self.genre(genres) * found, axis=-1) if self.genre else score


def binary(pitches, onsets, uniform, neurons):
    """Rolls of scores, binary on the way out, with the gradient of the probabilities on the way back.

    A note begins where the pitch changes, and where an onset is written on a pitch that goes on.

    Parameters
    ----------
    pitches, onsets : float32
        From `Generator`.
    uniform : float32, shape (batch, steps, lines)
        Random numbers of onsets that "stochastic" neurons draw.
    neurons : {"straight-through", "stochastic", "threshold"}
        The last leaves probabilities as they are, to be thresholded after training.

    Returns
    -------
    float32, shape (batch, steps, lines, keys + 2)
        Pitches, silence, onset.
    """
    shares, begins = ops.softmax(pitches, axis=-1), ops.sigmoid(onsets)
    if neurons != "threshold":
        hard = ops.one_hot(ops.argmax(pitches, axis=-1), pitches.shape[-1], dtype="float32")
        shares = shares + ops.stop_gradient(hard - shares)
        limit = uniform if neurons == "stochastic" else 0.5
        begins = begins + ops.stop_gradient(ops.cast(begins > limit, "float32") - begins)
    before = ops.pad(shares[:, :-1], [(0, 0), (1, 0), (0, 0), (0, 0)])
    goes_on = ops.sum(before * shares, axis=-1)
    begins = (1.0 - shares[..., -1]) * (1.0 - goes_on * (1.0 - begins))
    return ops.concatenate([shares, begins[..., None]], axis=-1)


class Contest(keras.Model):
    """Both networks and how they learn from each other.

    Parameters
    ----------
    generator : Generator
    critic : Critic
    penalty : float
        Weight of the squared gradient of the critic at real and at generated fragments.
    neurons : str
        See `binary`.
    """

    def __init__(self, generator, critic, *, penalty, neurons):
        super().__init__(name="contest")
        self.generator, self.critic, self.penalty, self.neurons = generator, critic, penalty, neurons

    def prepare(self, learning_rate):
        """Make the optimizers and compile the steps."""
        shape = {"learning_rate": learning_rate, "beta_1": 0.0, "beta_2": 0.99}
        self.optimizers = [
            keras.optimizers.Adam(**shape, use_ema=True, ema_momentum=AVERAGE, name="of_generator"),
            keras.optimizers.Adam(**shape, name="of_critic"),
        ]
        sides = [self.generator.trainable_variables, self.critic.trainable_variables]
        for optimizer, variables in zip(self.optimizers, sides, strict=True):
            optimizer.build(variables)
        self._generate = compile_descent(self._generator_loss, sides[0], self.optimizers[0], sides[1])
        self._criticise = compile_descent(self._critic_loss, sides[1], self.optimizers[1], sides[0])

    def train_on_batch(self, pitches, onsets, genres, latents, uniform, return_dict=True):
        """A step of the critic, then one of the generator; losses and scores by name."""
        _, judged = self._criticise(pitches, onsets, genres, latents, uniform)
        loss, _ = self._generate(pitches, onsets, genres, latents, uniform)
        told = {name: float(value) for name, value in judged.items()} | {"generator": float(loss)}
        return {"loss": told["critic"], **told}

    def finish(self):
        """Leave the generator with the moving average of its weights."""
        self.optimizers[0].finalize_variable_values(self.generator.trainable_variables)

    def _rolls(self, pitches, onsets, genres, latents, uniform):
        real = ops.one_hot(pitches, self.generator.keys + 1, dtype="float32")
        real = ops.concatenate([real, ops.cast(onsets, "float32")[..., None]], axis=-1)
        return real, binary(*self.generator(latents, genres), uniform, self.neurons)

    def _critic_loss(self, pitches, onsets, genres, latents, uniform):
        real, made = self._rolls(pitches, onsets, genres, latents, uniform)
        made = ops.stop_gradient(made)
        scores = [self.critic(roll, genres) for roll in (real, made)]
        slopes = [gradient_of(lambda roll: self.critic(roll, genres), roll) for roll in (real, made)]
        squares = [ops.mean(ops.sum(ops.square(slope), axis=(1, 2, 3))) for slope in slopes]
        contest = ops.mean(ops.softplus(scores[1] - scores[0]))
        value = contest + 0.5 * self.penalty * (squares[0] + squares[1])
        lead = ops.mean(scores[0]) - ops.mean(scores[1])
        return value, {"critic": contest, "penalty": squares[0] + squares[1], "lead": lead}

    def _generator_loss(self, pitches, onsets, genres, latents, uniform):
        real, made = self._rolls(pitches, onsets, genres, latents, uniform)
        value = ops.mean(ops.softplus(self.critic(real, genres) - self.critic(made, genres)))
        return value, {}
