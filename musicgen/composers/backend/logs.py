"""Logs for TensorBoard beside those that Keras writes; TensorFlow writes them, whichever backend trains."""

from functools import cache
from pathlib import Path


def write_numbers(log_dir, numbers, step):
    """Numbers by name, one chart each."""
    import tensorflow as tf

    with _writer(str(Path(log_dir) / "looks")).as_default():
        for name, value in numbers.items():
            tf.summary.scalar(name, value, step=step)


def write_image(log_dir, name, png, step):
    """A picture, given as the bytes of a PNG file."""
    import tensorflow as tf

    with _writer(str(Path(log_dir) / "looks")).as_default():
        tf.summary.image(name, tf.image.decode_png(png, channels=3)[None], step=step)


@cache
def _writer(folder):
    import tensorflow as tf

    return tf.summary.create_file_writer(folder, flush_millis=1000)
