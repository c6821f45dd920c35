"""Basic Pitch's packaged network under onnxruntime: waveform to probabilities per frame and pitch.

The package `basic_pitch` is only looked up, never imported: importing it loads TensorFlow.
"""

import functools
import importlib.metadata
import importlib.util
from pathlib import Path

import numpy as np

from ..errors import InputError, missing_dependency

#: Rate that the network expects.
SAMPLE_RATE = 22050
#: Samples from one frame of the network to the next.
HOP = 256

_PURPOSE = "transcribing audio"
_WINDOW = 2 * SAMPLE_RATE - HOP  # samples in one window of the network
_WINDOW_FRAMES = 172  # frames that it gives back
_OVERLAP_FRAMES = 30  # of which these are shared with the windows before and after
_STEP = _WINDOW - _OVERLAP_FRAMES * HOP
_KEPT_FRAMES_PER_S = SAMPLE_RATE // HOP
_INPUT = "serving_default_input_2:0"
_OUTPUTS = ["StatefulPartitionedCall:1", "StatefulPartitionedCall:2"]  # frames, onsets


def transcriber_version():
    """Name and version of the transcriber, as in "basic-pitch 0.4.0"."""
    _model_path()
    return f"basic-pitch {importlib.metadata.version('basic-pitch')}"


def posteriors(audio, *, threads=1):
    """Probabilities of sounding pitches and of onsets.

    Parameters
    ----------
    audio : array of float32, shape (samples,)
        At 22,050 Hz.
    threads : int
        Threads of the network; it is made once per process and number of threads.

    Returns
    -------
    frames, onsets : array of float32, shape (n_frames, 88)
        n_frames is 86 per second of audio, rounded down: as in Basic Pitch, that leaves out the last 0.7 %.
    """
    session = _session(threads)
    parts = [session.run(_OUTPUTS, {_INPUT: window}) for window in _windows(audio)]
    n_frames = len(audio) * _KEPT_FRAMES_PER_S // SAMPLE_RATE
    edge = _OVERLAP_FRAMES // 2
    frames, onsets = (np.concatenate([part[i][0, edge:-edge] for part in parts])[:n_frames] for i in (0, 1))
    return frames, onsets


def frame_times(n_frames):
    """Times of the network's frames in seconds, float64, shape (n_frames,).

    Frames are `HOP` samples apart inside a window; Basic Pitch corrects the drift between windows by an
    empirical 1.8 ms each, and so does this.
    """
    index = np.arange(n_frames)
    drift = HOP / SAMPLE_RATE * (_WINDOW_FRAMES - _WINDOW / HOP) + 0.0018
    return index * HOP / SAMPLE_RATE - drift * (index // _WINDOW_FRAMES)


def _windows(audio):
    """Overlapping windows of shape (1, samples, 1), the first beginning half an overlap before the audio."""
    padded = np.concatenate([np.zeros(_OVERLAP_FRAMES // 2 * HOP, np.float32), audio.astype(np.float32)])
    for start in range(0, len(padded), _STEP):
        window = padded[start : start + _WINDOW]
        yield np.pad(window, (0, _WINDOW - len(window)))[None, :, None]


@functools.cache
def _session(threads):
    try:
        import onnxruntime
    except ImportError as error:
        raise missing_dependency("onnxruntime", _PURPOSE) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(str(_model_path()), options, providers=["CPUExecutionProvider"])


def _model_path():
    spec = importlib.util.find_spec("basic_pitch")
    if spec is None or spec.origin is None:
        raise missing_dependency("basic_pitch", _PURPOSE)
    path = Path(spec.origin).parent / "saved_models" / "icassp_2022" / "nmp.onnx"
    if not path.is_file():
        raise InputError("missing from the installed basic-pitch", path=path, remedy="reinstall it: version 0.4.0")
    return path
