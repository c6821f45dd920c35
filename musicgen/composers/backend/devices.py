"""Training on several devices: each holds all weights and learns from its share of every batch's rows.

The result is that of one device. JAX divides the work of one program itself (`keras.distribution.DataParallel`).
Keras does not divide batches on TensorFlow, so that the step is written here: every replica of a
`tf.distribute.MirroredStrategy` adds up the losses and gradients of its rows, over what the whole batch counts.
"""

import contextlib
import os

import keras
import numpy as np

from ...errors import InputError

SEED_STEP = 7919  # between the random numbers of two replicas


def choose_devices(devices=None):
    """The devices to train on.

    Parameters
    ----------
    devices : None, "all" or int
        None: the one that the backend takes. A number: so many GPUs, or processors where there is no GPU.

    Returns
    -------
    OneDevice
        Or one of its kind: `count`, `scope`, `train` and `test`.

    Raises
    ------
    InputError
        If there are fewer, or it is something else.
    """
    if devices is None:
        return OneDevice()
    tensorflow = keras.backend.backend() == "tensorflow"
    machines = tensorflow and "TF_CONFIG" in os.environ
    names = _tensorflow_names() if tensorflow else keras.distribution.list_devices()
    if devices != "all":
        names = names[: _checked_count(devices, names)]
    if len(names) == 1 and not machines:
        return OneDevice()
    return TensorFlowDevices(names, machines=machines) if tensorflow else JaxDevices(names)


def _tensorflow_names():
    import tensorflow as tf

    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return [device.name for device in found]


def _checked_count(devices, names):
    if isinstance(devices, bool) or not isinstance(devices, int | np.integer) or devices < 1:
        raise InputError(f"devices must be a whole number of at least 1 or 'all', not {devices!r}")
    if devices > len(names):
        reason = f"devices={devices} asks for more devices than there are ({len(names)}: {', '.join(names)})"
        raise InputError(reason, remedy="devices='all' takes those that there are")
    return devices


class OneDevice:
    """The device that the backend takes by itself, and what all kinds of devices can do."""

    count = 1
    several = False  # whether models are to be made in `scope`

    def scope(self):
        """In it the model and its optimizer are made, trained and tested."""
        return contextlib.nullcontext()

    def check(self, policy):
        """Refuse a policy of `precision` that these devices cannot train with."""

    def train(self, model, batch):
        """One step of a compiled model on a batch of (inputs, targets, weights): losses by name.

        "loss" is the mean loss of what counts.
        """
        return model.train_on_batch(*batch, return_dict=True)

    def test(self, model, batch):
        """The mean loss without a step."""
        return model.test_on_batch(*batch, return_dict=True)["loss"]


class JaxDevices(OneDevice):
    """Devices of JAX, those of all machines if Keras' distribution was initialised for several processes.

    Parameters
    ----------
    names : list of str
        As `keras.distribution.list_devices` tells them.
    """

    several = True

    def __init__(self, names):
        self.count = len(names)
        self._distribution = keras.distribution.DataParallel(devices=names, auto_shard_dataset=False)

    def scope(self):
        return self._distribution.scope()

    def train(self, model, batch):
        return super().train(model, _rows_of_this_process(batch))

    def test(self, model, batch):
        return super().test(model, _rows_of_this_process(batch))


def _rows_of_this_process(batch):
    import jax

    rows = len(batch[0]) // jax.process_count()
    first = jax.process_index() * rows
    return tuple(part[first : first + rows] for part in batch)


class TensorFlowDevices(OneDevice):
    """Devices of TensorFlow. The model is compiled with one loss, a `keras.losses.Loss`, and no other metrics.

    Parameters
    ----------
    names : list of str
        Of the logical devices.
    machines : bool
        Whether to join the machines of `TF_CONFIG`, in place of `names`.
    """

    several = True

    def __init__(self, names, *, machines=False):
        import tensorflow as tf

        mirrored, joined = tf.distribute.MirroredStrategy, tf.distribute.MultiWorkerMirroredStrategy
        self._strategy = joined() if machines else mirrored(names)
        self.count = self._strategy.num_replicas_in_sync
        self._model, self._train, self._test = None, None, None

    def scope(self):
        return self._strategy.scope()

    def check(self, policy):
        if policy == "mixed_float16":
            reason = "precision='mixed' on several devices needs GPUs with bfloat16 under TensorFlow"
            raise InputError(reason, remedy="train in float32, on one device, or with KERAS_BACKEND=jax")

    def train(self, model, batch):
        self._compile(model)
        return {"loss": float(self._train(self._shares(batch), np.float32(batch[2].sum())))}

    def test(self, model, batch):
        self._compile(model)
        return float(self._test(self._shares(batch), np.float32(batch[2].sum())))

    def _shares(self, batch):
        """The batch with its rows shared out among the replicas."""
        import tensorflow as tf

        def share(part):
            rows = len(part) // self.count

            def of_replica(context):
                first = context.replica_id_in_sync_group * rows
                return tf.convert_to_tensor(part[first : first + rows])

            return self._strategy.experimental_distribute_values_from_function(of_replica)

        return tuple(map(share, batch))

    def _compile(self, model):
        import tensorflow as tf

        if model is not self._model:
            self._model = model
            self._train = tf.function(self._train_step, autograph=False)
            self._test = tf.function(self._test_step, autograph=False)

    def _train_step(self, shares, total):
        loss, gradients, states = self._strategy.run(self._gradients(), args=(*shares, total))
        gradients = self._strategy.reduce("SUM", gradients, axis=None)
        self._strategy.run(self._apply, args=(gradients,))
        for variable, values in zip(self._model.non_trainable_variables, states, strict=True):
            variable.assign(self._strategy.experimental_local_results(values)[0])
        return self._strategy.reduce("SUM", loss, axis=None)

    def _test_step(self, shares, total):
        losses = self._strategy.run(self._losses(), args=(*shares, total))
        return self._strategy.reduce("SUM", losses, axis=None)

    def _apply(self, gradients):
        """One step of the optimizer, which adds up what the replicas give it: all of it comes from the first one."""
        import tensorflow as tf

        first = tf.distribute.get_replica_context().replica_id_in_sync_group == 0

        def share(gradient):
            if isinstance(gradient, tf.IndexedSlices):  # rows of an embedding; the optimizer clips them as they are
                return tf.IndexedSlices(share(gradient.values), gradient.indices, gradient.dense_shape)
            return tf.where(first, gradient, tf.zeros_like(gradient))

        self._model.optimizer.apply([share(gradient) for gradient in gradients], self._model.trainable_variables)

    def _losses(self):
        """What one replica does with its rows to test."""
        import tensorflow as tf

        compiled = tf.function(self._loss, jit_compile=True, autograph=False)

        def run(inputs, targets, weights, total):
            values, states, _ = self._values()
            return compiled(values, states, (inputs, targets, weights, total), training=False)[0]

        return run

    def _gradients(self):
        """What one replica does with its rows to learn: loss, gradients, and what no gradient changes."""
        import tensorflow as tf

        def differentiate(values, states, batch):
            with tf.GradientTape() as tape:
                tape.watch(values)
                loss, states = self._loss(values, states, batch, training=True)
            return loss, tape.gradient(loss, values), states

        compiled = tf.function(differentiate, jit_compile=True, autograph=False)

        def run(inputs, targets, weights, total):
            values, states, moves = self._values()
            moved = [state + move for state, move in zip(states, moves, strict=True)]
            loss, gradients, moved = compiled(values, moved, (inputs, targets, weights, total))
            return loss, gradients, [state - move for state, move in zip(moved, moves, strict=True)]

        return run

    def _values(self):
        """Weights and states on this replica, and how far to move each state so that dropout differs here."""
        import tensorflow as tf

        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        values = [tf.convert_to_tensor(variable.value) for variable in self._model.trainable_variables]
        states = [tf.convert_to_tensor(variable.value) for variable in self._model.non_trainable_variables]
        random = [state.dtype == tf.uint32 and state.shape == (2,) for state in states]  # seed and counter
        moves = [
            tf.cast([replica * SEED_STEP, 0], state.dtype) if is_random else tf.zeros_like(state)
            for state, is_random in zip(states, random, strict=True)
        ]
        return values, states, moves

    def _loss(self, values, states, batch, *, training):
        """Losses of these rows over what all rows of the batch count, and the states after them."""
        import tensorflow as tf

        inputs, targets, weights, total = batch
        scores, states, added = self._model.stateless_call(
            values, states, inputs, training=training, return_losses=True
        )
        losses = self._model.loss.call(targets, tf.cast(scores, tf.float32))
        loss = tf.math.divide_no_nan(tf.reduce_sum(losses * weights), total)
        share = tf.math.divide_no_nan(tf.reduce_sum(weights), total)  # what the model adds is a mean over rows
        return loss + share * tf.add_n(added) if added else loss, states
