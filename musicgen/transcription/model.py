"""Basic Pitch's packaged network under onnxruntime: waveform to probabilities per frame and pitch.

The package `basic_pitch` is only looked up, never imported: importing it loads TensorFlow.
"""

import functools
import importlib.metadata
import importlib.util
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import InputError, missing_dependency
from .decoding import N_PITCHES

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
_MOST_ROOM_S = 6 * 3600  # that is set aside because a header promises so much
_INPUT = "serving_default_input_2:0"
_OUTPUTS = ["StatefulPartitionedCall:1", "StatefulPartitionedCall:2"]  # frames, onsets


def transcriber_version():
    """Name and version of the transcriber, as in "basic-pitch 0.4.0"."""
    _model_path()
    return f"basic-pitch {importlib.metadata.version('basic-pitch')}"


class Posteriors(NamedTuple):
    """What the network heard: `frames` and `onsets`, float32 of shape (n_frames, 88), probabilities of sounding
    pitches and of onsets; and of the audio its `samples` (how many) and its `peak` (largest absolute value)."""

    frames: np.ndarray
    onsets: np.ndarray
    samples: int
    peak: float


def posteriors(blocks, *, seconds=0.0, threads=1):
    """Run the network over audio that comes in blocks; none is kept.

    Parameters
    ----------
    blocks : iterable of float32 arrays, shape (samples,)
        Consecutive parts of the audio at 22,050 Hz.
    seconds : float
        About how long it is, to set memory aside.
    threads : int
        Threads of the network; it is made once per process and number of threads.

    Returns
    -------
    Posteriors
        n_frames is 86 per second of audio, rounded down: as in Basic Pitch, that leaves out the last 0.7 %.
    """
    session, audio = _session(threads), _Measured(blocks)
    rolls, edge = _Rolls(_room(min(seconds, _MOST_ROOM_S))), _OVERLAP_FRAMES // 2
    for window in _windows(audio):
        rolls.add(*(part[0, edge:-edge] for part in session.run(_OUTPUTS, {_INPUT: window})))
    n_frames = audio.samples * _KEPT_FRAMES_PER_S // SAMPLE_RATE
    return Posteriors(*rolls.first(n_frames), audio.samples, audio.peak)


def _room(seconds):
    """Frames that the windows of so much audio give, the overlaps not counted."""
    return (int(seconds * SAMPLE_RATE) // _STEP + 2) * (_WINDOW_FRAMES - _OVERLAP_FRAMES)


class _Measured:
    """Blocks of audio on their way; afterwards, how many `samples` there were and the `peak`."""

    def __init__(self, blocks):
        self._blocks, self.samples, self.peak = blocks, 0, 0.0

    def __iter__(self):
        for block in self._blocks:
            self.samples += len(block)
            self.peak = max(self.peak, float(np.max(np.abs(block), initial=0.0)))
            yield block.astype(np.float32, copy=False)


class _Rolls:
    """Frames and onsets that grow in place; memory set aside but never written to costs nothing."""

    def __init__(self, room):
        self._arrays, self._length = [np.empty((room, N_PITCHES), np.float32) for _ in range(2)], 0

    def add(self, *parts):
        end = self._length + len(parts[0])
        if end > len(self._arrays[0]):  # only where a header gave too short a length
            more = np.empty((end // 2, N_PITCHES), np.float32)
            self._arrays = [np.concatenate([array, more]) for array in self._arrays]
        for array, part in zip(self._arrays, parts, strict=True):
            array[self._length : end] = part
        self._length = end

    def first(self, count):
        return [array[: min(count, self._length)] for array in self._arrays]


def frame_times(n_frames):
    """Times of the network's frames in seconds, float64, shape (n_frames,).

    Frames are `HOP` samples apart inside a window; Basic Pitch corrects the drift between windows by an
    empirical 1.8 ms each, and so does this.
    """
    index = np.arange(n_frames)
    drift = HOP / SAMPLE_RATE * (_WINDOW_FRAMES - _WINDOW / HOP) + 0.0018
    return index * HOP / SAMPLE_RATE - drift * (index // _WINDOW_FRAMES)


def _windows(blocks):
    """Overlapping windows of shape (1, samples, 1), the first beginning half an overlap before the audio."""
    rest = np.zeros(_OVERLAP_FRAMES // 2 * HOP, np.float32)
    for block in blocks:
        rest = np.concatenate([rest, block])
        starts = range(0, len(rest) - _WINDOW + 1, _STEP)
        for start in starts:
            yield rest[start : start + _WINDOW][None, :, None]
        rest = rest[len(starts) * _STEP :]
    for start in range(0, len(rest), _STEP):
        window = rest[start : start + _WINDOW]
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
