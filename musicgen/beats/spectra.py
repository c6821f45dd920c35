"""Short-time spectra in mel bands and in pitch classes, as librosa computes them, without loading it.

librosa takes seconds to load, in every worker, and twice the time. The tests hold these functions to its results.
"""

import functools

import numpy as np

_BANDS = 128
_LINEAR_HZ, _LINEAR_MELS = 1000.0, 15.0  # below, a mel is 200 / 3 Hz (Slaney's auditory toolbox)
_LOG_STEP = np.log(6.4) / 27
_FLOOR_DB = 80.0  # below the loudest
_BLOCK = 256  # frames that are transformed at once: they fit the processor's cache
_GROUP = 16  # bands that are summed at once, over the few frequencies that they hear
_CENTRE_OCTAVE, _OCTAVE_WIDTH = 5.0, 2.0  # pitch classes are heard best around the fifth octave


def mel_levels(audio, sample_rate, *, window, hop):
    """Mel spectrogram in dB relative to its peak, at least -80: float32, (bands, frames).

    As `librosa.power_to_db(librosa.feature.melspectrogram(...), ref=np.max, amin=1e-20)`.

    Parameters
    ----------
    audio : float32, shape (samples,)
    sample_rate : int
        In Hz.
    window, hop : int
        In samples.
    """
    filters = _mel_filters(sample_rate, window)
    levels = np.empty((_BANDS, 1 + len(audio) // hop), np.float32)
    for first, spectrum in _spectra(audio, window, hop):
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        for begin, low, high, weights in filters:
            levels[begin : begin + _GROUP, first : first + len(power)] = weights @ power[:, low:high].T
    levels = 10 * np.log10(np.maximum(levels, 1e-20))
    return np.maximum(levels - levels.max(), -_FLOOR_DB)


def chroma(audio, sample_rate, *, window, hop):
    """Magnitudes in twelve pitch classes, C first: float32, (12, frames).

    As `librosa.filters.chroma(..., tuning=0) @ abs(librosa.stft(...))`; parameters as in `mel_levels`.
    """
    filters = _chroma_filters(sample_rate, window)
    parts = [filters @ np.abs(spectrum).T for _, spectrum in _spectra(audio, window, hop)]
    return np.concatenate(parts, axis=1)


def _spectra(audio, window, hop):
    """(first frame, complex64 of shape (frames, frequencies)) of blocks of centred, Hann-windowed frames."""
    from scipy.fft import rfft

    padded = np.pad(audio, window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    bell = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)
    for first in range(0, len(frames), _BLOCK):
        yield first, rfft(frames[first : first + _BLOCK] * bell)


@functools.cache
def _mel_filters(sample_rate, window):
    """(first band, first frequency, frequency after the last, weights) of groups of triangles of equal area."""
    mels = np.linspace(0, _hz_to_mel(sample_rate / 2), _BANDS + 2)
    corners = _mel_to_hz(mels)
    hz = np.fft.rfftfreq(window, 1 / sample_rate)
    rising, falling = ((hz - edge[:, None]) for edge in (corners[:-2], corners[2:]))
    left, right = np.diff(corners)[:-1, None], np.diff(corners)[1:, None]
    weights = np.maximum(0, np.minimum(rising / left, -falling / right))
    weights *= 2 / (corners[2:] - corners[:-2])[:, None]
    groups = []
    for begin in range(0, _BANDS, _GROUP):
        group = weights[begin : begin + _GROUP]
        heard = np.flatnonzero(group.any(axis=0))
        low, high = heard[0], heard[-1] + 1
        groups.append((begin, low, high, group[:, low:high].astype(np.float32)))
    return groups


def _hz_to_mel(hz):
    return hz * _LINEAR_MELS / _LINEAR_HZ if hz < _LINEAR_HZ else _LINEAR_MELS + np.log(hz / _LINEAR_HZ) / _LOG_STEP


def _mel_to_hz(mels):
    linear = mels * _LINEAR_HZ / _LINEAR_MELS
    return np.where(mels < _LINEAR_MELS, linear, _LINEAR_HZ * np.exp(_LOG_STEP * (mels - _LINEAR_MELS)))


@functools.cache
def _chroma_filters(sample_rate, window):
    """Weights of shape (12, frequencies): bells around a pitch class in every octave."""
    hz = np.arange(1, window) * sample_rate / window
    semitones = 12 * np.log2(hz / (440 / 16))  # above the lowest A, 27.5 Hz
    semitones = np.concatenate([[semitones[0] - 18], semitones])  # frequency 0 is given a place below the others
    widths = np.append(np.maximum(np.diff(semitones), 1), 1)
    distances = np.remainder(semitones - np.arange(12)[:, None] + 6, 12) - 6
    weights = np.exp(-0.5 * np.square(2 * distances / widths))
    weights /= np.linalg.norm(weights, axis=0)
    weights *= np.exp(-0.5 * np.square((semitones / 12 - _CENTRE_OCTAVE) / _OCTAVE_WIDTH))
    return np.roll(weights, -3, axis=0)[:, : window // 2 + 1].astype(np.float32)
