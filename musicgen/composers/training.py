"""Keras callbacks that every composer's training uses: early stopping, a time limit, one progress bar."""

import sys
import time

import keras

from .backend import to_numpy


class TimeLimit(keras.callbacks.Callback):
    """Stop after the epoch in which a number of minutes is up."""

    def __init__(self, minutes):
        super().__init__()
        self.minutes = minutes

    def on_train_begin(self, logs=None):
        self._end = time.monotonic() + 60 * self.minutes

    def on_epoch_end(self, epoch, logs=None):
        if time.monotonic() >= self._end:
            self.model.stop_training = True


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

        self._bar = tqdm(total=self.epochs, desc="training", unit="epoch", file=sys.stderr, dynamic_ncols=True)

    def on_epoch_end(self, epoch, logs=None):
        shown = {"loss": "loss", "val_loss": "held-out loss"}
        self._bar.set_postfix({label: f"{logs[name]:.3f}" for name, label in shown.items() if name in (logs or {})})
        self._bar.update()

    def on_train_end(self, logs=None):
        self._bar.close()


def best_weights_callbacks(patience, minutes):
    """Callbacks that stop in time: early stopping with the best weights (patience), a time limit (minutes)."""
    callbacks = []
    if patience is not None:
        callbacks.append(
            keras.callbacks.EarlyStopping(monitor="val_loss", patience=patience, restore_best_weights=True)
        )
    if minutes is not None:
        callbacks.append(TimeLimit(minutes))
    return callbacks


def progress_callbacks(epochs, progress):
    """The progress bar, if asked for."""
    return [ProgressBar(epochs)] if progress else []
