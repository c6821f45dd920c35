"""Percussion in a recording: kick, snare and hi-hat, which Basic Pitch does not hear.

1. The energy of every frame is taken in bands of frequency, on a scale of decibels relative to the recording's louder
   frames. Beside it stands its percussive part: what rises above the median of the frames around (the harmonic part
   of Fitzgerald, "Harmonic/percussive separation using median filtering", DAFx 2010).
2. A small network looks at both, from `_CONTEXT[0]` to `_CONTEXT[-1]` frames around each frame, and gives the
   probability that each class is struck there. It learned from rendered and synthesised patterns
   (`benchmarks/fit_drums.py` made `drums.safetensors`), never from recordings.
3. Peaks of the probability are strokes. They count only where enough of them are beyond doubt: music without drums
   gives a doubtful one now and then.

Everything but the loudness that all is relative to is local, so that a recording may come in blocks of any size.
"""

import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import missing_dependency
from ..notes import NOTE_DTYPE

#: Rate that the network expects, and samples from one of its frames to the next.
SAMPLE_RATE, HOP = 22050, 256
WEIGHTS = Path(__file__).with_name("drums.safetensors")


class Drum(NamedTuple):
    """A class of percussion: its key in General MIDI, and the frequencies that tell its loudness."""

    name: str
    pitch: int
    lowest_hz: float
    highest_hz: float


#: In the order of the network's outputs. The hi-hat stands for cymbals too.
DRUMS = (
    Drum("kick", 36, 0, 150),
    Drum("snare", 38, 150, 5000),
    Drum("hi-hat", 42, 5000, 11000),
)

_WINDOW = 1024  # samples
_BANDS, _LOWEST_HZ, _HIGHEST_HZ, _LEAST_WIDTH_HZ = 20, 35.0, 10500.0, 60.0
_DEPTH = 1e4  # energies this far below the loud frames (40 dB) count as silence
_AUDIBLE, _LOUD_PERCENTILE = 1e-6, 90  # silence before and after a recording makes it no quieter
_CONTEXT = (-6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 11, 15)  # frames
_MEDIAN = 25  # frames
_BLOCK = 8192  # frames that are worked on at once
_APART_S = 0.05  # least time between strokes of one class
_LENGTH_S = 0.1  # of a stroke's note
_SURE, _SURE_PER_S, _AROUND_S = 0.9, 0.3, 15.0  # strokes beyond doubt, and how many there must be how far around
_LOUDEST_VELOCITY = 112


def hear_drums(blocks):
    """Strokes of kick, snare and hi-hat.

    Parameters
    ----------
    blocks : iterable of float32 arrays, shape (samples,)
        Consecutive parts of the audio at 22,050 Hz.

    Returns
    -------
    numpy.ndarray
        Notes (`notes.NOTE_DTYPE`) in track 0, sorted by start, with the keys 36, 38 and 42 of General MIDI, each
        0.1 s long unless the next stroke of its class or the end of the audio comes sooner. Empty where nothing is
        heard that is beyond doubt. Velocities follow the loudness of each class, the loudest strokes at 112.

    Raises
    ------
    MissingDependencyError
        If scipy is not installed.

    Examples
    --------
    >>> len(hear_drums([np.zeros(22050, np.float32)]))
    0
    """
    energies, seconds = band_energies(blocks)
    probabilities = stroke_probabilities(energies)
    thresholds = _weights()["thresholds"]
    strokes = [_strokes(column, least) for column, least in zip(probabilities.T, thresholds, strict=True)]
    strokes = _beyond_doubt(strokes, probabilities)
    parts = [_notes(found, drum, energies, seconds) for found, drum in zip(strokes, DRUMS, strict=True)]
    notes = np.concatenate(parts)
    return notes[np.argsort(notes["start"], kind="stable")]


def band_energies(blocks):
    """Energy per frame and band, float32 of shape (frames, bands), and the length of the audio in seconds.

    Frame i is centred at sample 256 i; before and after the audio there is silence.
    """
    matrix, window = _band_matrix(), np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
    rest, parts, samples = np.zeros(_WINDOW // 2, np.float32), [], 0
    for block in blocks:
        samples += len(block)
        rest = np.concatenate([rest, block])
        part = _energies(rest, window, matrix)
        parts.append(part)
        rest = rest[len(part) * HOP :]
    parts.append(_energies(np.pad(rest, (0, _WINDOW // 2)), window, matrix))
    return np.concatenate(parts), samples / SAMPLE_RATE


def stroke_probabilities(energies):
    """Probability that each class is struck in each frame, float32 of shape (frames, classes)."""
    weights = _weights()
    hear = functools.partial(_network, weights=weights)
    return np.concatenate([hear(part) for part in features(energies)])


def features(energies):
    """What the network sees, in blocks of frames: float32 of shape (frames, 2 x context x bands)."""
    scale = np.float32(_DEPTH / _loudness(energies.sum(axis=1)))
    margin = max(_CONTEXT[-1], -_CONTEXT[0]) + _MEDIAN // 2
    for begin in range(0, len(energies), _BLOCK):
        end = min(begin + _BLOCK, len(energies))
        index = np.clip(np.arange(begin - margin, end + margin), 0, len(energies) - 1)
        levels = np.log10(1 + scale * energies[index])
        median = _scipy().ndimage.median_filter(levels, size=(_MEDIAN, 1), mode="nearest")
        both = np.concatenate([levels, np.maximum(0, levels - median)], axis=1)
        yield np.concatenate([both[margin + k : margin + k + end - begin] for k in _CONTEXT], axis=1)


def _loudness(energies):
    """Of the louder among the audible frames; 1 where there is none."""
    audible = energies[energies > _AUDIBLE * energies.max(initial=0.0)]
    return np.percentile(audible, _LOUD_PERCENTILE) if len(audible) else 1.0


def _energies(audio, window, matrix):
    """Of the whole frames in `audio`, in blocks; (frames, bands)."""
    if len(audio) < _WINDOW:
        return np.empty((0, _BANDS), np.float32)
    frames, rfft = np.lib.stride_tricks.sliding_window_view(audio, _WINDOW)[::HOP], _scipy().fft.rfft
    parts = (frames[begin : begin + _BLOCK] for begin in range(0, len(frames), _BLOCK))
    return np.concatenate([np.abs(rfft(part * window)) ** 2 @ matrix for part in parts])


def _band_matrix():
    """Triangles, evenly spaced in log frequency; (frequencies, bands), every column with sum 1."""
    edges = np.geomspace(_LOWEST_HZ, _HIGHEST_HZ, _BANDS + 2)
    half = np.maximum(edges[2:] - edges[:-2], _LEAST_WIDTH_HZ) / 2
    frequencies = np.fft.rfftfreq(_WINDOW, 1 / SAMPLE_RATE)
    triangles = np.maximum(0, 1 - np.abs(frequencies[:, None] - edges[1:-1]) / half)
    return (triangles / triangles.sum(axis=0)).astype(np.float32)


def _scipy():
    try:
        import scipy.fft
        import scipy.ndimage
        import scipy.signal
        import scipy.special
    except ImportError as error:
        raise missing_dependency("scipy", "hearing drums") from error
    return scipy


@functools.cache
def _weights():
    from safetensors.numpy import load_file

    return load_file(WEIGHTS)


def _network(seen, weights):
    hidden = np.maximum(0, seen @ weights["hidden.kernel"] + weights["hidden.bias"])
    return _scipy().special.expit(hidden @ weights["output.kernel"] + weights["output.bias"])


def _strokes(probability, threshold):
    """Frames of the peaks, `_APART_S` or more from each other."""
    padded = np.pad(probability, 1)  # a stroke may be the first or last frame
    return _scipy().signal.find_peaks(padded, height=threshold, distance=round(_APART_S * SAMPLE_RATE / HOP))[0] - 1


def _beyond_doubt(strokes, probabilities):
    """Strokes that have enough sure ones, of any class, around them."""
    sure = [found[probabilities[found, index] >= _SURE] for index, found in enumerate(strokes)]
    sure, around = np.sort(np.concatenate(sure)), round(_AROUND_S * SAMPLE_RATE / HOP)
    last = len(probabilities) - 1
    kept = []
    for found in strokes:
        # Near the ends the span is moved inside, so that a short recording is judged as a whole.
        begin = np.clip(found - around, 0, max(0, last - 2 * around))
        end = np.minimum(begin + 2 * around, last)
        counts = np.searchsorted(sure, end, side="right") - np.searchsorted(sure, begin)
        kept.append(found[counts >= _SURE_PER_S * (end - begin + 1) * HOP / SAMPLE_RATE])
    return kept


def _notes(frames, drum, energies, seconds):
    frames = frames[frames * HOP < seconds * SAMPLE_RATE - 1]
    notes = np.zeros(len(frames), NOTE_DTYPE)
    notes["start"], notes["pitch"] = frames * HOP / SAMPLE_RATE, drum.pitch
    following = np.append(notes["start"][1:], seconds)
    notes["end"] = np.minimum(notes["start"] + _LENGTH_S, following[: len(notes)])
    notes["velocity"] = _velocities(frames, drum, energies)
    return notes


def _velocities(frames, drum, energies):
    """By the rise of energy in the drum's bands; 20 dB less are a third of the velocity, as synthesisers have it."""
    if not len(frames):
        return np.empty(0, np.uint8)
    centres = np.geomspace(_LOWEST_HZ, _HIGHEST_HZ, _BANDS + 2)[1:-1]
    level = energies[:, (centres >= drum.lowest_hz) & (centres < drum.highest_hz)].sum(axis=1)
    last = len(level) - 1
    after = np.max([level[np.minimum(frames + k, last)] for k in range(4)], axis=0)
    before = np.min([level[np.maximum(frames - k, 0)] for k in range(2, 5)], axis=0)
    rise = np.maximum(after - before, 1e-3 * after) + 1e-12
    relative = rise / np.percentile(rise, 95)
    return np.clip(np.round(_LOUDEST_VELOCITY * relative**0.25), 1, 127)
