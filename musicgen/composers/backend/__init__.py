"""The only place that knows TensorFlow from JAX: compiling a function of arrays, scanning over time; `devices`.

Everything else in this room is written in `keras.ops`. Which backend runs is Keras' own choice
(`KERAS_BACKEND=jax` in the environment, or keras.json), TensorFlow by default.
"""

import os
import sys
import tempfile

import numpy as np


def _import_keras():
    """Import Keras without TensorFlow's start-up messages, which bypass Python and bury the progress bars."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with tempfile.TemporaryFile() as sink:
            os.dup2(sink.fileno(), 2)
            import keras
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    return keras


keras = _import_keras()


def backend_name():
    """Name of the Keras backend in use."""
    return keras.backend.backend()


def compile_function(function):
    """A compiled form of a pure function of arrays (nested tuples and dicts of arrays too).

    It is traced and compiled once for every combination of argument shapes. Results are arrays of the backend;
    `to_numpy` brings them back.
    """
    if backend_name() == "tensorflow":
        import tensorflow as tf

        tf.get_logger().addFilter(_is_no_retracing)  # compiling once for each shape is what is meant here
        return tf.function(function, jit_compile=True, autograph=False)
    if backend_name() == "jax":
        import jax

        return jax.jit(function)
    return function


def _is_no_retracing(record):
    return "triggered tf.function retracing" not in record.getMessage()


def compile_method(method, variables):
    """A compiled form of a function that uses variables: they may change afterwards.

    Parameters
    ----------
    method : callable
        Of arrays, without side effects.
    variables : sequence of keras.Variable
        Those that it uses.
    """

    def pure(values, *arguments):
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return method(*arguments)

    compiled = compile_function(pure)

    def run(*arguments):
        return compiled([variable.value for variable in variables], *arguments)

    return run


def scan(step, carry, inputs, *, reverse=False):
    """Carry a state through a sequence, one compiled step after the other.

    `keras.ops.scan` on TensorFlow wants outputs of the carry's shape; this one does not.

    Parameters
    ----------
    step : callable
        `(carry, inputs at one time) -> (carry, outputs at that time)`, the outputs being nested arrays.
    carry : nested arrays
    inputs : nested arrays, each of shape (time, ...)
    reverse : bool
        Whether to go from the last time to the first.

    Returns
    -------
    carry : nested arrays
    outputs : nested arrays, each of shape (time, ...)
    """
    if backend_name() == "tensorflow":
        return _scan_tensorflow(step, carry, inputs, reverse)
    return keras.ops.scan(step, carry, inputs, reverse=reverse)


def _scan_tensorflow(step, carry, inputs, reverse):
    import tensorflow as tf

    carry = tf.nest.map_structure(tf.convert_to_tensor, carry)
    inputs = tf.nest.map_structure(tf.convert_to_tensor, inputs)
    first_input = tf.nest.flatten(inputs)[0]
    time = first_input.shape[0] or tf.shape(first_input)[0]

    def place(index):
        return time - 1 - index if reverse else index

    def at(index):
        return tf.nest.map_structure(lambda values: values[place(index)], inputs)

    carry, first = step(carry, at(0))
    outputs = [
        tf.TensorArray(one.dtype, size=time, element_shape=one.shape).write(place(0), one)
        for one in tf.nest.flatten(first)
    ]

    def body(index, carry, outputs):
        carry, now = step(carry, at(index))
        now = [array.write(place(index), one) for array, one in zip(outputs, tf.nest.flatten(now), strict=True)]
        return index + 1, carry, now

    start = (1, carry, outputs)
    # XLA can differentiate the loop only if it knows how often it runs at most.
    _, carry, outputs = tf.while_loop(lambda index, *_: index < time, body, start, maximum_iterations=time - 1)
    return carry, tf.nest.pack_sequence_as(first, [array.stack() for array in outputs])


def to_numpy(values):
    """The same nested structure with NumPy arrays in it."""

    def convert(value):
        if backend_name() == "tensorflow":  # a scalar variable that several devices hold is no array to NumPy
            import tensorflow as tf

            value = tf.convert_to_tensor(value)
        return np.asarray(keras.ops.convert_to_numpy(value))

    return keras.tree.map_structure(convert, values)
