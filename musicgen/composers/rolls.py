"""The two networks of the GAN: one writes fragments of lines, the other judges them.

A fragment is, for every step of every line, the pitch that sounds or silence (one-hot) and whether a note begins: a
binary piano roll of onsets and sustained pitches in which each line has one note at a time. The generator turns noise
into bars, bars into beats, and beats into steps, by convolutions over time. Beats of lines may be given to it: it
writes the others so that they fit, and the critic judges the whole.
"""

from math import gcd

import keras
import numpy as np
from keras import ops

from .weighing import count_of

BEAT = 12  # steps that are written together, or a divisor of it
LEVELS = (1, 2, 4, 12)  # parts of a beat that have scores of their own; a step's are the sum of those it lies in,
# finer ones divided by their number, so that long notes are broken up only as the data ask for it
FEATURES = 16  # numbers that stand for a step of a line on the way in and out
STRAIGHT, STOCHASTIC, THRESHOLD = NEURONS = ("straight-through", "stochastic", "threshold")


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


class RollNetwork(keras.Model):
    """What both networks know of the shape of fragments.

    Parameters
    ----------
    bars, bar_steps, lines, keys : int
        Shape of fragments; `keys` pitches, and silence behind them.
    genres : int
    units, blocks : int
        Width of the layers, number of `Block`s for bars and for beats.
    seed : int
    """

    def __init__(self, *, bars, bar_steps, lines, keys, genres, units, blocks, seed, name):
        super().__init__(name=name)
        self.bars, self.lines, self.keys, self.genres, self.units = bars, lines, keys, genres, units
        self.beat = gcd(bar_steps, BEAT)
        self.bar_beats = bar_steps // self.beat
        self.beats, self.steps = bars * self.bar_beats, bars * bar_steps
        self.seed = seed
        normalised = name == "generator"
        self.bar_blocks, self.beat_blocks = (
            [
                Block(units, normalised=normalised, seed=seed + first + 2 * n, name=f"{kind}_{n}")
                for n in range(blocks)
            ]
            for kind, first in (("bar", 10), ("beat", 50))
        )

        self.embed = self._dense(FEATURES, "embed", 7, use_bias=False)

    def _dense(self, width, name, number, scale=1.0, **rest):
        kernel = keras.initializers.VarianceScaling(scale, "fan_avg", "uniform", seed=self.seed + number)
        return keras.layers.Dense(width, kernel_initializer=kernel, name=name, **rest)

    def by_beat(self, roll):
        """Rolls (batch, steps, lines, keys + 2) as (batch, beats, features of all steps of a beat)."""
        features = self.embed(ops.reshape(roll, (-1, roll.shape[-1])))  # flat: gradients are faster so
        return ops.reshape(features, (-1, self.beats, self.beat * self.lines * FEATURES))

    def by_bar(self, signal):
        """(batch, beats, features) as (batch, bars, all features of a bar)."""
        return ops.reshape(signal, (-1, self.bars, self.bar_beats * signal.shape[-1]))

    def named_variables(self):
        """Variables by the names under which they are saved."""
        return {variable.path.partition("/")[2]: variable for variable in self.trainable_variables}


class Generator(RollNetwork):
    """Noise, and what is given, to scores of fragments.

    Parameters
    ----------
    noise : int
        Width of the noise.
    **shape
        Of `RollNetwork`.

    Attributes
    ----------
    weighing : keras.Variable
        `weighing.coefficients` of what it generates, 0 before they are known.
    shortest : keras.Variable, shape (1,)
        Steps from a drawn onset to the next at least, as in the data it learnt from.
    """

    def __init__(self, *, noise, seed=0, **shape):
        super().__init__(**shape, seed=seed, name="generator")
        self.noise = noise
        self.levels = [level for level in LEVELS if self.beat % level == 0]
        self.first = self._dense(self.bars * self.units, "first", 1)
        self.heard, self.heard_bars = self._dense(self.units, "heard", 4), self._dense(self.units, "heard_bars", 5)
        self.widen = self._dense(self.bar_beats * self.units, "widen", 2)
        self.last = keras.layers.LayerNormalization(name="last")
        self.scores = [
            self._dense(self.lines * level * FEATURES, f"scores_{level}", 100 + level) for level in self.levels
        ]
        self.pitches = self._dense(self.keys + 1, "pitches", 6)
        on_grid = [np.arange(self.beat) % (self.beat // level) == 0 for level in self.levels]
        fineness = np.array(self.levels)[np.argmax(on_grid, axis=0)]  # of the coarsest level that holds a step
        rarely = keras.initializers.Constant(np.tile(-2.0 - fineness / 4, self.lines))
        self.onsets = self._dense(self.lines * self.beat, "onsets", 3, scale=0.1, bias_initializer=rarely)
        size = count_of(self.steps, self.steps // self.bars, self.lines)
        self.weighing = self.add_weight(shape=(size,), initializer="zeros", trainable=False, name="weighing")
        self.shortest = self.add_weight(shape=(1,), initializer="ones", trainable=False, name="shortest")
        nothing = np.zeros((1, self.steps, self.lines, self.keys + 2), np.float32)
        self(np.zeros((1, noise), np.float32), np.zeros((1, self.genres), np.float32), nothing, self.no_mask(1))

    def named_variables(self):
        return super().named_variables() | {"weighing": self.weighing, "shortest": self.shortest}

    def no_mask(self, batch):
        """The mask of fragments of which nothing is given: float32, (batch, beats, lines)."""
        return np.zeros((batch, self.beats, self.lines), np.float32)

    def call(self, latents, genres, given, mask):
        """Scores of pitches (batch, steps, lines, keys + 1) and of onsets (batch, steps, lines).

        Parameters
        ----------
        latents : float32, shape (batch, noise)
        genres : float32, shape (batch, genres)
        given : float32, shape (batch, steps, lines, keys + 2)
            Fragments as rolls; 0 where nothing is given.
        mask : float32, shape (batch, beats, lines)
            1 where they are given.
        """
        batch = ops.shape(latents)[0]
        heard = self.heard(ops.concatenate([self.by_beat(given), mask], axis=-1))
        signal = ops.reshape(self.first(ops.concatenate([latents, genres], axis=-1)), (batch, self.bars, self.units))
        signal = signal + self.heard_bars(self.by_bar(ops.leaky_relu(heard, 0.2)))
        for block in self.bar_blocks:
            signal = block(signal)
        signal = ops.reshape(self.widen(signal), (batch, self.beats, self.units)) + heard
        for block in self.beat_blocks:
            signal = block(signal)
        signal = self.last(signal)
        told = 0.0
        for level, layer in zip(self.levels, self.scores, strict=True):
            part = ops.reshape(layer(signal), (batch, self.beats * level, self.lines, FEATURES))
            told = told + ops.repeat(part, self.beat // level, axis=1) / level
        pitches = self.pitches(ops.reshape(told, (-1, FEATURES)))
        pitches = ops.reshape(pitches, (batch, self.steps, self.lines, self.keys + 1))
        onsets = ops.reshape(self.onsets(signal), (batch, self.beats, self.lines, self.beat))
        return pitches, ops.reshape(ops.transpose(onsets, (0, 1, 3, 2)), (batch, self.steps, self.lines))


class Critic(RollNetwork):
    """Fragments to scores of how real they are, as wholes and around every beat.

    A critic of surroundings has many more examples than one of wholes, and learns fewer of them by heart (Isola et
    al., "Image-to-image translation with conditional adversarial networks", CVPR 2017).

    Beside each fragment it sees how much the fragments of the batch differ, beat by beat (Karras et al. 2018), so
    that a generator that always writes the same is found out, and which pitch classes sound together.

    Parameters
    ----------
    classes : numpy.ndarray of float32, shape (lines, keys + 2, 12)
        Pitch class of every key of every line; 0 for silence and onsets.
    **shape
        Of `RollNetwork`.
    """

    def __init__(self, *, classes, seed=0, **shape):
        super().__init__(**shape, seed=seed, name="critic")
        self.classes = classes
        self.first, self.narrow = self._dense(self.units, "first", 1), self._dense(self.units, "narrow", 2)
        self.last, self.score = self._dense(self.units, "last", 3), self._dense(1, "score", 4)
        self.local = self._dense(1, "local", 6)
        self.genre = self._dense(self.units, "genre", 5) if self.genres else None
        roll = np.zeros((1, self.steps, self.lines, self.keys + 2), np.float32)
        self(roll, np.zeros((1, self.genres), np.float32))

    def call(self, roll, genres):
        """Scores of rolls (batch, steps, lines, keys + 2): of the whole (batch, 1), of every beat (batch, beats)."""
        beats = self.by_beat(roll)
        values = self.lines * (self.keys + 2)
        played = ops.mean(ops.reshape(roll, (-1, self.beats, self.beat, values)), axis=2)
        chroma = ops.matmul(played, ops.reshape(self.classes, (values, 12)))
        signal = self.first(ops.concatenate([beats, chroma], axis=-1))
        for block in self.beat_blocks:
            signal = block(signal)
        nearby = self.local(ops.leaky_relu(signal, 0.2))[..., 0]
        signal = self.narrow(self.by_bar(signal))
        for block in self.bar_blocks:
            signal = block(signal)
        signal = ops.leaky_relu(ops.reshape(signal, (-1, self.bars * self.units)), 0.2)
        spread = ops.mean(ops.sqrt(ops.var(signal, axis=0) + 1e-6)) * ops.ones_like(signal[:, :1])
        found = ops.leaky_relu(self.last(ops.concatenate([signal, spread], axis=-1)), 0.2)
        score = self.score(found)
        if self.genre:
            score = score + ops.sum(self.genre(genres) * found, axis=-1, keepdims=True)
        return score, nearby


def rolls_of(pitches, onsets, keys):
    """Rolls of what sounds.

    Parameters
    ----------
    pitches : int32, shape (batch, steps, lines)
        Keys; `keys` is silence.
    onsets : float32, of the same shape
    keys : int

    Returns
    -------
    float32, shape (batch, steps, lines, keys + 2)
        Pitches, silence, onset.
    """
    return ops.concatenate([ops.one_hot(pitches, keys + 1, dtype="float32"), onsets[..., None]], axis=-1)


def binary(pitches, onsets, uniform, neurons):
    """Rolls of scores, binary on the way out, with the gradient of the probabilities on the way back.

    The gradient passes straight through the neurons (Bengio, Léonard and Courville 2013; for rolls Dong and Yang
    2018).

    Parameters
    ----------
    pitches, onsets : float32
        From `Generator`.
    uniform : float32, shape (batch, steps, lines, 2)
        Random numbers by which "stochastic" neurons draw pitches and onsets.
    neurons : {"straight-through", "stochastic", "threshold"}
        Whether the likeliest is taken or drawn; the last leaves probabilities as they are, to be thresholded after
        training. What is drawn is held until the next onset, see `completed`: else notes fall to pieces.

    Returns
    -------
    float32, shape (batch, steps, lines, keys + 2)
    """
    shares, begins = ops.softmax(pitches, axis=-1), ops.sigmoid(onsets)
    soft = ops.concatenate([shares, begins[..., None]], axis=-1)
    if neurons == THRESHOLD:
        return soft
    keys, struck = chosen(pitches, onsets, uniform, neurons)
    return soft + ops.stop_gradient(rolls_of(keys, ops.cast(struck, "float32"), pitches.shape[-1] - 1) - soft)


def chosen(pitches, onsets, uniform, neurons):
    """Keys (int32) and whether a note begins (bool), the likeliest or drawn ones: (batch, steps, lines) each.

    See `binary`.
    """
    if neurons != STOCHASTIC:
        return ops.cast(ops.argmax(pitches, axis=-1), "int32"), onsets > 0.0
    count = pitches.shape[-1]
    weights = ops.exp(pitches - ops.max(pitches, axis=-1, keepdims=True))
    sums = ops.matmul(weights, np.triu(np.ones((count, count), np.float32)))
    drawn = ops.sum(ops.cast(sums < uniform[..., :1] * sums[..., -1:], "int32"), axis=-1)
    return ops.minimum(drawn, count - 1), ops.sigmoid(onsets) > uniform[..., 1]


def completed(made, given, mask, *, hold=False):
    """What is made where nothing is given; a note begins wherever the pitch changes, and never in silence.

    Parameters
    ----------
    made, given : float32, shape (batch, steps, lines, keys + 2)
    mask : float32, shape (batch, beats, lines)
    hold : bool
        Whether pitches and silence are taken at onsets alone, and held until the next; see `held`.

    Returns
    -------
    float32, as `made`
    """
    steps = ops.repeat(mask, made.shape[1] // mask.shape[1], axis=1)[..., None]
    whole = steps * given + (1.0 - steps) * made
    shares, begins = whole[..., :-1], whole[..., -1]
    if hold:
        turns = steps + (1.0 - steps) * made[..., -1:]
        shares = held(shares, ops.concatenate([ops.ones_like(turns[:, :1]), turns[:, 1:]], axis=1))
    before = ops.pad(shares[:, :-1], [(0, 0), (1, 0), (0, 0), (0, 0)])
    goes_on = ops.sum(before * shares, axis=-1)
    begins = (1.0 - shares[..., -1]) * (1.0 - goes_on * (1.0 - begins))
    return ops.concatenate([shares, begins[..., None]], axis=-1)


def held(values, turns):
    """Values that stay until the next turn: a linear recurrence over the second axis, through which gradients go.

    Parameters
    ----------
    values : float32, shape (batch, steps, lines, n)
    turns : float32, shape (batch, steps, lines, 1)
        1 where a value is taken, 0 where that of the step before stays, or the share that is taken.

    Returns
    -------
    float32, as `values`
    """
    _, steps, *shape = values.shape
    size = next(size for size in range(int(steps**0.5), 0, -1) if steps % size == 0)
    inside, stays, last, stay = [], [], 0.0, 1.0
    for value, turn in zip(_parts(values, size), _parts(turns, size), strict=True):  # all stretches side by side
        last, stay = last + turn * (value - last), stay * (1.0 - turn)
        inside.append(last)
        stays.append(stay)
    before, carried = [], ops.zeros_like(last[:, :1])
    ends, through = (ops.split(side, steps // size, axis=1) for side in (last, stay))
    for end, share in zip(ends, through, strict=True):
        before.append(carried)
        carried = end + share * carried
    whole = ops.concatenate(inside, axis=2) + ops.concatenate(stays, axis=2) * ops.concatenate(before, axis=1)
    return ops.reshape(whole, (-1, steps, *shape))


def _parts(array, size):
    """The first steps of all stretches of so many, the second ones, and so on: (batch, stretches, 1, ...) each."""
    return ops.split(ops.reshape(array, (-1, array.shape[1] // size, size, *array.shape[2:])), size, axis=2)
