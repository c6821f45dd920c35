"""Recurrent layers for `keras.ops`: whole sequences for training, single steps for composing."""

import keras
from keras import ops

from .backend import scan


class LSTMLayer(keras.layers.Layer):
    """Long short-term memory (Hochreiter and Schmidhuber 1997) over whole sequences.

    The same weights and results as `keras.layers.LSTM`; all input projections are one matrix product, which makes
    training on TensorFlow more than twice as fast.

    Parameters
    ----------
    units : int
    seed : int
        Of the initial weights: Glorot uniform, orthogonal, forget gates open (Jozefowicz et al. 2015).
    """

    def __init__(self, units, *, seed, **options):
        super().__init__(**options)
        self.units, self.seed = units, seed

    def build(self, shape):
        """Make the weights for inputs of shape (batch, time, features)."""
        glorot = keras.initializers.GlorotUniform(seed=self.seed)
        orthogonal = keras.initializers.Orthogonal(seed=self.seed + 1)
        width = 4 * self.units
        self.kernel = self.add_weight(shape=(shape[-1], width), initializer=glorot, name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, width), initializer=orthogonal, name="recurrent_kernel"
        )
        self.bias = self.add_weight(shape=(width,), initializer=_open_forget_gates, name="bias")

    def call(self, inputs, keep=None):
        """Hidden states of shape (batch, time, units) for inputs of shape (batch, time, features).

        Where `keep`, float32 of shape (batch, time), is 0, the layer forgets all before that step.
        """
        keep = ops.ones(ops.shape(inputs)[:2]) if keep is None else keep
        keep = ops.expand_dims(ops.cast(ops.transpose(keep), inputs.dtype), -1)  # (time, batch, 1)
        projected = ops.transpose(ops.matmul(inputs, self.kernel) + self.bias, (1, 0, 2))  # (time, batch, 4 * units)
        recurrent_kernel = ops.convert_to_tensor(self.recurrent_kernel)
        zeros = ops.zeros((ops.shape(inputs)[0], self.units), dtype=projected.dtype)

        def step(carry, inputs):
            hidden, cell = carry
            gates, kept = inputs
            hidden, cell = lstm_gates(gates + ops.matmul(hidden * kept, recurrent_kernel), cell * kept)
            return (hidden, cell), hidden

        _, hidden = scan(step, (zeros, zeros), (projected, keep))
        return ops.transpose(hidden, (1, 0, 2))

    def compute_output_shape(self, shape):
        """(batch, time, units)."""
        return (*shape[:-1], self.units)


def lstm_gates(gates, cell):
    """New hidden and cell state, each (batch, units), from the four gates' inputs, (batch, 4 * units)."""
    write, keep, candidate, show = ops.split(gates, 4, axis=-1)
    cell = ops.sigmoid(keep) * cell + ops.sigmoid(write) * ops.tanh(candidate)
    return ops.sigmoid(show) * ops.tanh(cell), cell


def _open_forget_gates(shape, dtype=None):
    gates = ops.zeros((4, shape[0] // 4), dtype=dtype)
    return ops.reshape(gates + ops.cast([[0.0], [1.0], [0.0], [0.0]], dtype), shape)
