"""How the GAN's two networks learn from each other.

The critic compares real with generated fragments in pairs: a relativistic loss with penalties on its gradient at both
(Huang et al., "The GAN is dead; long live the GAN! A modern GAN baseline", NeurIPS 2024). Other than Wasserstein's
loss with a penalty between them (Gulrajani et al. 2017) it is known to converge locally, and needs one step of the
critic for each of the generator. The penalties are taken every few steps only, and weigh as much more (Karras et al.
2020).
"""

import contextlib

import keras
import numpy as np
from keras import ops

from .backend import to_numpy
from .backend.gradients import compile_descent, gradient_of
from .rolls import STOCHASTIC, binary, completed, rolls_of

HORIZON, EVERY = (
    500,
    20,
)  # steps over which the generator's weights are averaged at most, and from one sum to the next
ALIKE = 3.0  # weight of how much more alike than the data's the generated fragments of a batch are
LAZY = 4  # steps from one with penalties to the next


class Contest(keras.Model):
    """Both networks and how they learn from each other.

    Parameters
    ----------
    generator : Generator
    critic : Critic
    penalty : float
        Weight of the squared gradient of the critic at real and at generated fragments.
    neurons : str
        See `rolls.binary`.
    """

    def __init__(self, generator, critic, *, penalty, neurons):
        super().__init__(name="contest")
        self.generator, self.critic, self.penalty, self.neurons = generator, critic, penalty, neurons
        self.taken = self.add_weight(shape=(), initializer="zeros", dtype="int32", trainable=False, name="taken")
        self.averages = [
            self.add_weight(shape=variable.shape, initializer="zeros", trainable=False, name=f"average_{number}")
            for number, variable in enumerate(generator.trainable_variables)
        ]

    def prepare(self, learning_rate):
        """Make the optimizers and compile the steps."""
        shape = {"learning_rate": learning_rate, "beta_1": 0.0, "beta_2": 0.99}
        self.optimizers = [keras.optimizers.Adam(**shape, name=f"of_{side}") for side in ("generator", "critic")]
        sides = [self.generator.trainable_variables, self.critic.trainable_variables]
        for optimizer, variables in zip(self.optimizers, sides, strict=True):
            optimizer.build(variables)
        self._generate = compile_descent(self._generator_loss, sides[0], self.optimizers[0], sides[1])
        self._judge, self._judge_strictly = (
            compile_descent(loss, sides[1], self.optimizers[1], sides[0])
            for loss in (self._critic_loss, self._critic_loss_with_penalty)
        )

    def train_on_batch(self, *batch, return_dict=True):
        """A step of the critic, then one of the generator.

        Parameters
        ----------
        *batch
            Of `RollBatches`: pitches, onsets, genres, mask, latents, uniform.

        Returns
        -------
        dict of str to float
            "loss", that of the critic without the penalties; "generator", its loss; "lead" of real fragments in the
            critic's scores.
        """
        taken = int(to_numpy(self.taken.value))
        judge = self._judge if taken % LAZY else self._judge_strictly
        _, told = judge(*batch)
        loss, _ = self._generate(*batch)
        self.taken.assign(taken + 1)
        if taken % EVERY == 0:
            self._sum_up(taken)
        return {name: float(value) for name, value in told.items()} | {"generator": float(loss)}

    def _sum_up(self, taken):
        """Move the average of the generator's weights towards them: at first at once, later over the horizon."""
        share = 1.0 / (1.0 + min(taken / 4, HORIZON) / EVERY)
        for average, variable in zip(self.averages, self.generator.trainable_variables, strict=True):
            average.assign(average + share * (variable - average))

    @contextlib.contextmanager
    def average(self):
        """In it the generator has the moving average of its weights."""
        variables = self.generator.trainable_variables
        now = [ops.copy(variable.value) for variable in variables]
        for variable, average in zip(variables, self.averages, strict=True):
            variable.assign(average.value)
        try:
            yield
        finally:
            for variable, value in zip(variables, now, strict=True):
                variable.assign(value)

    def _rolls(self, pitches, onsets, genres, mask, latents, uniform):
        keys = self.generator.keys
        real = rolls_of(pitches, onsets, keys)
        steps = ops.repeat(mask, self.generator.beat, axis=1)[..., None]
        made = binary(*self.generator(latents, genres, steps * real, mask), uniform, self.neurons)
        return real, completed(made, real, mask, hold=self.neurons == STOCHASTIC)

    def _critic_loss(self, *batch, strict=False):
        genres = batch[2]
        real, made = self._rolls(*batch)
        made = ops.stop_gradient(made)
        scores = [sum(self.critic(roll, genres)) for roll in (real, made)]
        contest = ops.mean(ops.softplus(scores[1] - scores[0]))
        told = {"loss": contest, "lead": ops.mean(scores[0]) - ops.mean(scores[1])}
        if not strict:
            return contest, told
        slopes = [gradient_of(lambda roll: self._steepness(roll, genres), roll) for roll in (real, made)]
        squares = sum(ops.mean(ops.sum(ops.square(slope), axis=(1, 2, 3))) for slope in slopes)
        return contest + 0.5 * LAZY * self.penalty * squares, told

    def _steepness(self, roll, genres):
        """What is penalised where it is steep: the slopes of beats, which hardly overlap, as their mean."""
        whole, nearby = self.critic(roll, genres)
        return whole[:, 0] + ops.sum(nearby, axis=1) / self.critic.beats**0.5

    def _critic_loss_with_penalty(self, *batch):
        return self._critic_loss(*batch, strict=True)

    def _generator_loss(self, *batch):
        genres = batch[2]
        real, made = self._rolls(*batch)
        contest = ops.mean(ops.softplus(sum(self.critic(real, genres)) - sum(self.critic(made, genres))))
        return contest + ALIKE * ops.relu(
            likeness(made, self.generator.beats) - likeness(real, self.generator.beats)
        ), {}


def likeness(roll, beats):
    """Chance that a beat of a line sounds the same pitch, or silence, in a fragment and the next of a batch: scalar.

    A generator whose fragments are more alike than the data's is driven apart (after Mao et al., "Mode seeking
    generative adversarial networks for diverse image synthesis", CVPR 2019). Whole beats are compared, not steps:
    they do not differ more where notes are broken up.

    Parameters
    ----------
    roll : float32, shape (batch, steps, lines, keys + 2)
    beats : int
        Of a fragment.
    """
    _, steps, lines, values = roll.shape
    by_beat = ops.reshape(roll[..., :-1], (-1, beats, steps // beats, lines, values - 1))
    played = ops.mean(by_beat, axis=2)
    return ops.mean(ops.sum(played * ops.roll(played, 1, axis=0), axis=-1))


def pitch_classes(lowest, keys):
    """Pitch classes of a roll's values, lines beginning at pitches, for `Critic`: float32, (lines, keys + 2, 12)."""
    classes = (np.reshape(lowest, (-1, 1)) + np.arange(keys)) % 12
    table = np.zeros((len(classes), keys + 2, 12), np.float32)
    table[:, :keys] = np.eye(12)[classes]
    return table
