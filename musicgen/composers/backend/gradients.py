"""Gradients: of a function's input, and steps of gradient descent on any loss."""

import keras

from . import backend_name


def gradient_of(function, inputs):
    """Gradient of the sum of a function's values with respect to its input; it can be differentiated again.

    Parameters
    ----------
    function : callable
        Of one array.
    inputs : float array

    Returns
    -------
    array, as `inputs`
    """
    if backend_name() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(inputs)
            total = tf.reduce_sum(function(inputs))
        return tape.gradient(total, inputs)
    import jax

    return jax.grad(lambda values: function(values).sum())(inputs)


def compile_descent(loss, variables, optimizer, others):
    """A compiled step of gradient descent on some of the variables that a loss uses.

    Parameters
    ----------
    loss : callable
        Of arrays: (value, dict of arrays to be told), without side effects.
    variables : sequence of keras.Variable
        Those that learn.
    optimizer : keras.optimizers.Optimizer
        Built for them.
    others : sequence of keras.Variable
        All others that the loss uses.

    Returns
    -------
    callable
        Of the same arrays: takes a step and returns value and dict.
    """
    compiled = _for_tensorflow if backend_name() == "tensorflow" else _for_jax
    return compiled(loss, list(variables), optimizer, list(others))


def _for_tensorflow(loss, variables, optimizer, others):
    import tensorflow as tf

    @tf.function(jit_compile=True, autograph=False)
    def step(*arrays):
        with tf.GradientTape() as tape:
            value, told = loss(*arrays)
        optimizer.apply(tape.gradient(value, [variable.value for variable in variables]), variables)
        return value, told

    return step


def _for_jax(loss, variables, optimizer, others):
    import jax

    @jax.jit
    def pure(values, fixed, states, *arrays):
        def of(values):
            mapping = [*zip(variables, values, strict=True), *zip(others, fixed, strict=True)]
            with keras.StatelessScope(state_mapping=mapping):
                return loss(*arrays)

        (value, told), gradients = jax.value_and_grad(of, has_aux=True)(values)
        values, states = optimizer.stateless_apply(states, gradients, values)
        return value, told, values, states

    def step(*arrays):
        now = ([variable.value for variable in group] for group in (variables, others, optimizer.variables))
        value, told, values, states = pure(*now, *arrays)
        for variable, new in zip([*variables, *optimizer.variables], [*values, *states], strict=True):
            variable.assign(new)
        return value, told

    return step
