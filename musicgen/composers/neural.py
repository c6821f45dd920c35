"""What composers with one Keras network share: making it, training it on devices, its weights by name."""

import contextlib

import keras
import numpy as np

from ..errors import InputError
from .backend import to_numpy
from .backend.devices import choose_devices
from .backend.precision import choose_policy, layers_of
from .base import Composer, whole_number
from .resume import TrainingState
from .training import Training, tensorboard_callbacks


class NetworkComposer(Composer):
    """A composer whose `network` learns to predict tokens.

    Subclasses define `_make_network`, which makes the network and what works on it.
    """

    network = None

    def _make_network(self):
        raise NotImplementedError

    def _build(self, policy="float32"):
        with layers_of(policy):
            self._make_network()

    def _build_again(self, policy="float32"):
        weights = self._weights()
        self._build(policy)
        self._set_weights(weights)

    @contextlib.contextmanager
    def _network_on(self, devices, policy, begin):
        """The network as it is trained, made at first where there is none; afterwards as it composes.

        Parameters
        ----------
        devices : OneDevice or the like
        policy : str
        begin : callable
            Called without arguments when the network has just been made.
        """
        apart = devices.several or policy != "float32"
        try:
            with devices.scope():
                if self.network is None:
                    self._build(policy)
                    begin()
                elif apart:
                    self._build_again(policy)
                yield
        finally:
            if apart and self.network is not None:
                self._build_again()

    def _train(self, data, held_out, schedule, *, digest, begin=lambda: None):
        """Train the network; returns the Keras History.

        Parameters
        ----------
        data, held_out : TokenWindows or the like
            `held_out` may be None.
        schedule : Schedule
        digest : str
            Tells training data and their batches from others.
        begin : callable
            As in `_network_on`.
        """
        with self._network_on(schedule.devices, schedule.policy, begin):
            self.network.compile(
                optimizer=keras.optimizers.AdamW(schedule.learning_rate, weight_decay=0.01, clipnorm=1.0),
                loss=keras.losses.SparseCategoricalCrossentropy(
                    from_logits=True, reduction="mean_with_sample_weight"
                ),
                jit_compile=True,
            )
            training = Training(
                self.network,
                data,
                held_out=held_out,
                epochs=schedule.epochs,
                learning_rate=schedule.learning_rate,
                patience=schedule.patience,
                minutes=schedule.minutes,
                checkpoint=schedule.state(self.get_config() | {"data": digest}),
                devices=schedule.devices,
                progress=schedule.progress,
                callbacks=[*tensorboard_callbacks(schedule.log_dir), *schedule.callbacks],
            )
            return training.run()

    def _weights(self):
        return to_numpy({name: variable.value for name, variable in self.network.named_variables().items()})

    def _set_weights(self, weights):
        for name, variable in self.network.named_variables().items():
            variable.assign(weights[name])


class Schedule:
    """How long, how fast and where to train: the checked arguments of `fit` that all composers have.

    Parameters
    ----------
    learning_rate : float
    epochs : int
    patience : int or None
    minutes : float or None
    checkpoint : path-like or None
    checkpoint_every : int
    resume : bool
    log_dir : path-like or None
    devices : "all", int or None
    precision : {"float32", "mixed"}
    progress : bool
    callbacks : sequence of keras.callbacks.Callback

    Raises
    ------
    InputError
        If a number makes no sense, there are fewer devices, or `precision` is unknown.
    """

    def __init__(
        self,
        *,
        learning_rate,
        epochs,
        patience,
        minutes,
        checkpoint,
        checkpoint_every,
        resume,
        log_dir,
        devices,
        precision,
        progress,
        callbacks,
    ):
        self.epochs = whole_number("epochs", epochs, 1)
        self.patience = None if patience is None else whole_number("patience", patience, 1)
        for name, value in {"learning_rate": learning_rate, "minutes": minutes}.items():
            number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            if value is not None and not (number and np.isfinite(value) and value > 0):
                raise InputError(f"{name} must be above 0, not {value!r}")
        self.learning_rate, self.minutes = learning_rate, minutes
        self.checkpoint, self.resume = checkpoint, resume
        self.checkpoint_every = whole_number("checkpoint_every", checkpoint_every, 1)
        if resume and checkpoint is None:
            raise InputError("resume needs a checkpoint", remedy="give the folder of the training that is to go on")
        self.log_dir, self.progress, self.callbacks = log_dir, progress, callbacks
        self.devices, self.policy = choose_devices(devices), choose_policy(precision)
        self.devices.check(self.policy)

    def state(self, settings):
        """The `TrainingState` of a training with these settings; None if none is to be kept."""
        if self.checkpoint is None:
            return None
        facts = {"epochs": self.epochs, "learning_rate": self.learning_rate, "precision": self.policy}
        return TrainingState(self.checkpoint, settings | facts, every=self.checkpoint_every, resume=self.resume)

    def batch_size(self, given, suited):
        """The one given, or the one suited to the data, shared evenly by the devices.

        Raises
        ------
        InputError
            If the devices cannot share the one given.
        """
        count = self.devices.count
        if given is None:
            return -(-suited // count) * count
        if whole_number("batch_size", given, 1) % count:
            reason = f"batch_size={given} is no multiple of the number of devices, {count}"
            raise InputError(reason, remedy=f"take {-(-given // count) * count}")
        return int(given)
