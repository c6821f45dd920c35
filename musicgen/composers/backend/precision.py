"""Numbers that a network computes with while it is trained; its weights are float32 in any case."""

import contextlib

import keras

from ...errors import InputError

PRECISIONS = ("float32", "mixed")
FIRST_WITH_BFLOAT16 = 8  # compute capability of NVIDIA's GPUs


def choose_policy(precision):
    """Name of Keras' policy for a precision on this machine.

    Parameters
    ----------
    precision : {"float32", "mixed"}

    Returns
    -------
    str
        For "mixed" that of bfloat16, or of float16, where losses have to be scaled, if a GPU lacks bfloat16.

    Raises
    ------
    InputError
        If it is something else.
    """
    if precision not in PRECISIONS:
        raise InputError(f"precision must be {' or '.join(map(repr, PRECISIONS))}, not {precision!r}")
    if precision == "float32":
        return "float32"
    lacking = any(capability < FIRST_WITH_BFLOAT16 for capability in _capabilities())
    return "mixed_float16" if lacking else "mixed_bfloat16"


def _capabilities():
    """Major compute capabilities of NVIDIA's GPUs here."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
        return [found["compute_capability"][0] for found in details if "compute_capability" in found]
    import jax

    found = [str(getattr(device, "compute_capability", "")) for device in jax.local_devices()]
    return [int(text.split(".")[0]) for text in found if text.split(".")[0].isdigit()]


@contextlib.contextmanager
def layers_of(policy):
    """Layers that are made in it compute as this policy says."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
