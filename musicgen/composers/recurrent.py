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
    weight_dropout : float
        Share of the recurrent weights dropped in each training step (Merity, Keskar and Socher 2018).
    """

    def __init__(self, units, *, seed, weight_dropout=0.0, **options):
        super().__init__(**options)
        self.units, self.seed = units, seed
        self.weight_dropout = keras.layers.Dropout(weight_dropout, seed=seed + 2)

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

    def call(self, inputs, keep=None, training=False):
        """Hidden states of shape (batch, time, units) for inputs of shape (batch, time, features).

        Where `keep`, float32 of shape (batch, time), is 0, the layer forgets all before that step.
        """
        keep = ops.ones(ops.shape(inputs)[:2]) if keep is None else keep
        keep = ops.expand_dims(ops.cast(ops.transpose(keep), "float32"), -1)  # (time, batch, 1)
        inputs = ops.transpose(inputs, (1, 0, 2))
        projected = ops.matmul(inputs, self.kernel) + self.bias  # (time, batch, 4 * units)
        recurrent_kernel = self.weight_dropout(ops.convert_to_tensor(self.recurrent_kernel), training=training)
        hidden = _run(projected, keep, ops.cast(recurrent_kernel, projected.dtype))
        return ops.transpose(hidden, (1, 0, 2))

    def step(self, inputs, state):
        """Hidden and cell state, (batch, units) each, after one more input (batch, features)."""
        hidden, cell = state
        gates = ops.matmul(inputs, self.kernel) + ops.matmul(hidden, self.recurrent_kernel) + self.bias
        return lstm_gates(gates, cell)

    def compute_output_shape(self, shape):
        """(batch, time, units)."""
        return (*shape[:-1], self.units)


@ops.custom_gradient
def _run(projected, keep, recurrent_kernel):
    """Hidden states (time, batch, units) from projected inputs (time, batch, 4 * units) and keep (time, batch, 1).

    With a gradient of its own: that of the recurrent kernel is one matrix product over all steps at the end, where
    automatic differentiation makes one product and one sum of whole kernels in every step.
    """
    dtype, units = projected.dtype, recurrent_kernel.shape[0]
    zeros = ops.zeros((ops.shape(projected)[1], units), dtype="float32")

    def step(carry, inputs):
        hidden, cell = carry
        gates, kept = inputs
        said = ops.matmul(ops.cast(hidden * kept, dtype), recurrent_kernel)
        gates = _opened(ops.cast(gates + said, "float32"))
        hidden, cell = _after(gates, cell * kept)
        return (hidden, cell), (hidden, cell, ops.concatenate(gates, axis=-1))

    _, (hidden, cell, gates) = scan(step, (zeros, zeros), (projected, keep))

    def gradient(*upstreams, upstream=None):
        upstream = upstreams[0] if upstream is None else upstream
        before = [ops.concatenate([zeros[None], states[:-1]]) * keep for states in (hidden, cell)]
        back = _backwards(ops.cast(upstream, "float32"), gates, cell, before[1], keep, recurrent_kernel)
        flat = [ops.reshape(ops.cast(values, dtype), (-1, values.shape[-1])) for values in (before[0], back)]
        kernel = ops.matmul(ops.transpose(flat[0]), flat[1])
        return ops.cast(back, dtype), ops.zeros_like(keep), kernel

    return ops.cast(hidden, dtype), gradient


def _backwards(upstream, gates, cell, cell_before, keep, recurrent_kernel):
    """Gradient of the gates' inputs, (time, batch, 4 * units), from that of the hidden states."""
    transposed = ops.transpose(recurrent_kernel)
    zeros = ops.zeros_like(upstream[0])

    def step(carry, inputs):
        on_hidden, on_cell = carry
        upstream, gates, cell, cell_before, kept = inputs
        write, keep, candidate, show = ops.split(gates, 4, axis=-1)
        on_hidden, cell = on_hidden + upstream, ops.tanh(cell)
        on_cell = on_cell + on_hidden * show * (1 - cell * cell)
        parts = (
            on_cell * candidate * write * (1 - write),
            on_cell * cell_before * keep * (1 - keep),
            on_cell * write * (1 - candidate * candidate),
            on_hidden * cell * show * (1 - show),
        )
        on_gates = ops.concatenate(parts, axis=-1)
        said = ops.matmul(ops.cast(on_gates, transposed.dtype), transposed)
        return (ops.cast(said, "float32") * kept, on_cell * keep * kept), on_gates

    return scan(step, (zeros, zeros), (upstream, gates, cell, cell_before, keep), reverse=True)[1]


def lstm_gates(gates, cell):
    """New hidden and cell state, each (batch, units), from the four gates' inputs, (batch, 4 * units)."""
    return _after(_opened(gates), cell)


def _opened(gates):
    """The four gates, each (batch, units), from their inputs."""
    write, keep, candidate, show = ops.split(gates, 4, axis=-1)
    return ops.sigmoid(write), ops.sigmoid(keep), ops.tanh(candidate), ops.sigmoid(show)


def _after(gates, cell):
    """New hidden and cell state from the four gates and the cell state before."""
    write, keep, candidate, show = gates
    cell = keep * cell + write * candidate
    return show * ops.tanh(cell), cell


def _open_forget_gates(shape, dtype=None):
    gates = ops.zeros((4, shape[0] // 4), dtype=dtype)
    return ops.reshape(gates + ops.cast([[0.0], [1.0], [0.0], [0.0]], dtype), shape)
