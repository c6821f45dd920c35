"""The training loop of every composer: epochs, held-out checks, schedule, time limit, and stopping anywhere.

What a training is after a number of steps, down to the random numbers of dropout, is in a few arrays and numbers.
They are written now and then (`resume`), so that a training which was killed ends as one that was not.
"""

import importlib.util
import math
import sys
import time

import keras
import numpy as np

from ..errors import missing_dependency
from .backend import to_numpy
from .backend.devices import OneDevice

FLOOR = 0.1  # share of the learning rate that is left at the end of the cosine
ENDLESS = 100_000  # epochs from which on the time is what ends a training


class Training:
    """A training of a compiled Keras model.

    Parameters
    ----------
    model : keras.Model
        Compiled; its optimizer's learning rate becomes the schedule's.
    data : TokenWindows or the like
        `begin(epoch)`, `len()` and batches by index: tuples of inputs, targets and sample weights.
    held_out : the same, optional
        Scored after every epoch.
    epochs : int
    learning_rate : float
        At the beginning; it falls along a cosine over the epochs or the minutes, whichever end first.
    patience : int, optional
        With `held_out`: stop after so many epochs without improvement. The best weights are kept.
    minutes : float, optional
        Stop when this time is up.
    checkpoint : TrainingState, optional
        Where to keep the state of the training.
    devices : OneDevice or the like, optional
        Where to train: the model was made, and `run` is called, in its scope.
    progress : bool
        Show a progress bar on standard error.
    callbacks : sequence of keras.callbacks.Callback
        Called at the begin and end of the training, of epochs and of batches.
    guard : Guard, optional
        Told of every step; it may end the training, and its state is kept too.
    """

    def __init__(
        self,
        model,
        data,
        *,
        held_out=None,
        epochs,
        learning_rate,
        patience=None,
        minutes=None,
        checkpoint=None,
        devices=None,
        progress=True,
        callbacks=(),
        guard=None,
    ):
        self.model, self.data, self.held_out, self.epochs = model, data, held_out, epochs
        self.learning_rate, self.patience, self.minutes = learning_rate, patience, minutes
        self.checkpoint, self.devices, self.guard = checkpoint, devices or OneDevice(), guard
        self.history = keras.callbacks.History()
        hooks = [*callbacks, *([ProgressBar(epochs)] if progress else []), self.history]
        self.callbacks = keras.callbacks.CallbackList(hooks, model=model, epochs=epochs)
        self.optimizers = getattr(model, "optimizers", None) or [model.optimizer]
        if len(self.optimizers) == 1:
            model.optimizer.build(model.trainable_variables)
        self.epoch = self.step = 0
        self.totals, self.seconds = {}, 0.0  # losses of this epoch's steps; time spent before this run
        self.logs, self.best, self.best_loss, self.waited = [], None, math.inf, 0
        self.times = []  # seconds of training at the end of each epoch

    def run(self):
        """Train to the end.

        Returns
        -------
        keras.callbacks.History
        """
        self._begin = time.monotonic()
        self.model.stop_training = False
        self._restore()
        self.callbacks.on_train_begin()
        for epoch, logs in enumerate(self.logs):  # of a training that goes on
            self.callbacks.on_epoch_end(epoch, logs)
        while self.epoch < self.epochs and not self.model.stop_training:
            self._run_epoch()
        if self.best is not None:
            self._assign(self.model.trainable_variables, self.best)
        self.callbacks.on_train_end()
        return self.history

    def _run_epoch(self):
        self.callbacks.on_epoch_begin(self.epoch)
        self.data.begin(self.epoch)
        size = len(self.data)
        while self.step < size and not self._time_is_up():
            done = (self.epoch + self.step / size) / self.epochs
            for optimizer in self.optimizers:
                optimizer.learning_rate = self.learning_rate * self._decay(done)
            self.callbacks.on_train_batch_begin(self.step)
            told = self.devices.train(self.model, self.data[self.step])
            self.callbacks.on_train_batch_end(self.step, told)
            self.totals = {name: self.totals.get(name, 0.0) + float(value) for name, value in told.items()}
            self.step += 1
            if self.guard and not self.guard.after(self.epoch * size + self.step, told):
                self.model.stop_training = True
                break
            if self.checkpoint and self.checkpoint.is_due(self.step):
                self._save()
        self._end_epoch()

    def _end_epoch(self):
        logs = {name: total / max(self.step, 1) for name, total in self.totals.items()} or {"loss": 0.0}
        if self.held_out is not None:
            logs["val_loss"] = self._held_out_loss()
            self._judge(logs["val_loss"])
        self.callbacks.on_epoch_end(self.epoch, logs)
        self.logs.append({name: float(value) for name, value in logs.items()})
        self.times.append(self._elapsed())
        self.epoch, self.step, self.totals = self.epoch + 1, 0, {}
        self.model.stop_training |= self._time_is_up() or (self.patience is not None and self.waited >= self.patience)
        if self.checkpoint and self.checkpoint.is_due(0):
            self._save()

    def _held_out_loss(self):
        """Mean over all counted tokens, however they are spread over batches."""
        total = weight = 0.0
        for index in range(len(self.held_out)):
            batch = self.held_out[index]
            counted = batch[2].sum()
            total, weight = total + self.devices.test(self.model, batch) * counted, weight + counted
        return float(total / weight)

    def _judge(self, loss):
        self.waited += 1
        if loss < self.best_loss:
            self.best_loss, self.waited = loss, 0
            self.best = to_numpy([variable.value for variable in self.model.trainable_variables])

    def _elapsed(self):
        return self.seconds + time.monotonic() - self._begin

    def _time_is_up(self):
        return self.minutes is not None and self._elapsed() >= 60 * self.minutes

    def _decay(self, done):
        if self.minutes is not None:
            done = max(done, self._elapsed() / 60 / self.minutes)
        return FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * min(done, 1))) / 2

    # ---- stopping and going on

    def _variables(self):
        """All that changes while training: weights, random state of dropout, optimizer."""
        return [*self.model.variables, *(one for optimizer in self.optimizers for one in optimizer.variables)]

    def _save(self):
        names = ("epoch", "step", "totals", "best_loss", "waited", "logs", "times")
        numbers = {name: getattr(self, name) for name in names}
        numbers |= {"seconds": self._elapsed(), "stopped": bool(self.model.stop_training)}
        arrays = {f"variable_{i:04d}": v for i, v in enumerate(to_numpy([v.value for v in self._variables()]))}
        arrays |= {f"best_{i:04d}": value for i, value in enumerate(self.best or ())}
        if self.guard:
            numbers["guard"], kept = self.guard.state()
            arrays |= {f"guard_{name}": value for name, value in kept.items()}
        self.checkpoint.write(numbers, arrays)

    def _restore(self):
        numbers, arrays = self.checkpoint.read() if self.checkpoint else (None, None)
        if numbers is None:
            return
        self._assign(self._variables(), _numbered(arrays, "variable"))
        self.best = _numbered(arrays, "best") or None
        self.model.stop_training = numbers.pop("stopped")
        if self.guard:
            kept = {name.removeprefix("guard_"): value for name, value in arrays.items() if name.startswith("guard_")}
            self.guard.restore(numbers.pop("guard"), kept)
        for name, value in numbers.items():
            setattr(self, name, value)

    def _assign(self, variables, values):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(np.asarray(value))


def _numbered(arrays, prefix):
    return [arrays[name] for name in sorted(arrays) if name.startswith(f"{prefix}_")]


class WeightAverage(keras.callbacks.Callback):
    """Moving average of a network's weights over epochs (Polyak and Juditsky 1992): steadier than the last ones.

    Parameters
    ----------
    network : RecurrentNetwork
    kept : float
        Share of the old average that is kept at the end of each epoch. As long as there are few, all count equally.
    """

    def __init__(self, network, kept):
        super().__init__()
        self.network, self.kept = network, kept
        self._epochs, self._average = 0, None

    def on_epoch_end(self, epoch, logs=None):
        now = to_numpy({name: variable.value for name, variable in self.network.named_variables().items()})
        self._epochs += 1
        kept = min(self.kept, 1 - 1 / self._epochs)
        before = self._average or now
        self._average = {name: kept * before[name] + (1 - kept) * now[name] for name in now}

    def weights(self):
        """The average as NumPy arrays by name, as `RecurrentNetwork.step` takes them."""
        return dict(self._average)


class ProgressBar(keras.callbacks.Callback):
    """One bar over all epochs, on standard error, with the losses in nats per token."""

    def __init__(self, epochs):
        super().__init__()
        self.epochs = epochs

    def on_train_begin(self, logs=None):
        from tqdm import tqdm

        total = self.epochs if self.epochs < ENDLESS else None
        self._bar = tqdm(total=total, desc="training", unit="epoch", file=sys.stderr, dynamic_ncols=True)

    def on_epoch_end(self, epoch, logs=None):
        shown = {"loss": "loss", "val_loss": "held-out loss"}
        self._bar.set_postfix({label: f"{logs[name]:.3f}" for name, label in shown.items() if name in (logs or {})})
        self._bar.update()

    def on_train_end(self, logs=None):
        self._bar.close()


def tensorboard_callbacks(log_dir):
    """A callback that writes TensorBoard's logs to a folder; none without one.

    Raises
    ------
    MissingDependencyError
        If TensorBoard is not installed.
    """
    if log_dir is None:
        return []
    if importlib.util.find_spec("tensorboard") is None:
        raise missing_dependency("tensorboard", "writing logs of a training")
    return [keras.callbacks.TensorBoard(log_dir)]
