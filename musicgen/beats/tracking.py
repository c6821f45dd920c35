"""Beats of a recording, tracked in its audio.

1. The onset envelope: how much the log-mel spectrogram rises, as the median over all bands, so that what begins in
   many bands at once counts, and with some more of the bass (McFee and Ellis, "Better beat tracking through robust
   onset aggregation", ICASSP 2014). Divided by its largest values around, it stands for the probability of a beat.
2. The beats: the likeliest path through tempo and place in the beat, see `decoding`.
3. The downbeats: of each four beats the one where harmony changes, the bass is loud and the treble is not.
"""

import numpy as np

from ..errors import InputError, missing_dependency
from ..timing import Timing
from .decoding import decode_beats
from .spectra import chroma, mel_levels

_SAMPLE_RATE = 22050  # Hz; other rates are resampled
_HOP, _WINDOW = 256, 2048  # samples
_FRAMES_PER_S = _SAMPLE_RATE / _HOP
_RISE_FRAMES = 2
_BASS, _TREBLE = slice(0, 7), slice(90, 128)  # mel bands below about 170 Hz, and above about 5 kHz
_BASS_WEIGHT = 0.25
_PEAK_S, _AROUND_S = 0.5, 3.0
#: Windows begin to rise before what begins in their middle: by so much were clicks found too early.
_EARLY_S = 0.022
_CHROMA_HOP, _CHROMA_WINDOW = 1024, 4096
_ATTACK_FRAMES = 8
_TREBLE_WEIGHT = 0.5  # a snare is no downbeat
_SECTION_S, _SHARED_S = 180.0, 10.0  # of long recordings


def estimate_beats(audio, sample_rate):
    """Track the beats of a recording, at 55 to 215 per minute; the tempo may change.

    Bars are guessed to be 4/4; their first beat is the one of each four where the harmony changes and the bass is
    strong, which is right for about seven in ten recordings if their beats are.

    Parameters
    ----------
    audio : array-like of float, shape (samples,)
    sample_rate : int
        In Hz.

    Returns
    -------
    Timing
        With exactly the tracked beats.

    Raises
    ------
    InputError
        If fewer than 2 beats are found, as in recordings under 1 s.

    Examples
    --------
    >>> clicks = np.zeros(22050 * 6)
    >>> clicks[::11025] = 1
    >>> 115 < estimate_beats(clicks, 22050).bpm < 125
    True
    """
    audio = np.asarray(audio, dtype=np.float32)
    if audio.ndim != 1:
        raise InputError(
            f"audio must have shape (samples,), not {audio.shape}", remedy="take the mean of its channels"
        )
    return _guessed_bars(*_tracked(audio, sample_rate))


def estimate_beats_in_sections(blocks, sample_rate):
    """Track the beats of a long recording section by section, each at a tempo of its own, as `estimate_beats` does.

    Sections last 3 minutes; memory does not grow with the recording. Where no beat is found for some time, as in
    pauses, beats go on evenly.

    Parameters
    ----------
    blocks : iterable of float arrays, shape (samples,)
        Consecutive parts of the audio.
    sample_rate : int
        In Hz.

    Returns
    -------
    Timing

    Raises
    ------
    InputError
        If fewer than 2 beats are found.

    Examples
    --------
    >>> clicks = np.zeros(22050 * 6)
    >>> clicks[::11025] = 1
    >>> estimate_beats_in_sections(np.split(clicks, 3), 22050) == estimate_beats(clicks, 22050)
    True
    """
    times, accents = [np.empty(0)], [np.empty(0)]
    for begin, seam, audio in _sections(blocks, sample_rate):
        found, strengths = _tracked(audio, sample_rate)
        found = found + begin
        last = times[-1][-1] if len(times[-1]) else -np.inf
        gap = np.median(np.diff(found)) / 2 if len(found) > 1 else 0.0
        chosen = (found < seam) & (found > last + gap)
        if np.any(chosen):
            times.append(found[chosen])
            accents.append(strengths[chosen])
    return _guessed_bars(*_filled(np.concatenate(times), np.concatenate(accents)))


def _sections(blocks, sample_rate):
    """(begin in s, end of what counts in s, audio): sections that share `_SHARED_S` of audio with the next."""
    rest, begin = np.empty(0, np.float32), 0.0
    length, shared = round(_SECTION_S * sample_rate), round(_SHARED_S * sample_rate)
    for block in blocks:
        rest = np.concatenate([rest, np.asarray(block, dtype=np.float32)])
        while len(rest) >= length + 2 * shared:
            yield begin, begin + (length + shared) / sample_rate, rest[: length + 2 * shared]
            rest, begin = rest[length:], begin + length / sample_rate
    yield begin, np.inf, rest


def _filled(times, accents):
    """Beats, with even ones where none was found for more than two and a half usual beats."""
    if len(times) < 2:
        return times, accents
    gaps = np.diff(times)
    usual = np.median(gaps)
    counts = np.append(np.where(gaps > 2.5 * usual, np.maximum(1, np.round(gaps / usual)), 1), 1).astype(int)
    parts = [
        np.linspace(time, following, count, endpoint=False)
        for time, following, count in zip(times, np.append(times[1:], 0.0), counts, strict=True)
    ]
    return np.concatenate(parts), np.repeat(accents, counts)


def _guessed_bars(times, accents):
    if len(times) < 2:
        raise InputError("no beat found", remedy="give the beats, or a tempo to fall back on")
    return Timing(times, meters=((_strongest_phase(accents), 4, 4),))


def _tracked(audio, sample_rate):
    """Times of the beats in s, and how much each is like a downbeat."""
    _check_scipy()
    if len(audio) < sample_rate:
        return np.empty(0), np.empty(0)
    audio = _resampled(audio, sample_rate)
    levels = _levels(audio)
    beats = decode_beats(_activation(levels), _FRAMES_PER_S)
    times = beats / _FRAMES_PER_S + _EARLY_S
    inside = times < len(audio) / _SAMPLE_RATE
    return times[inside], _accents(audio, levels, times[inside])


def _check_scipy():
    try:
        import scipy.fft  # noqa: F401 - used by what is called next
    except ImportError as error:
        raise missing_dependency("scipy", "tracking beats", extra="transcription") from error


def _resampled(audio, sample_rate):
    if sample_rate == _SAMPLE_RATE:
        return audio
    try:
        import soxr
    except ImportError as error:
        raise missing_dependency("soxr", "tracking beats at other rates than 22,050 Hz") from error
    return soxr.resample(audio, sample_rate, _SAMPLE_RATE, quality="HQ")


def _levels(audio):
    """Log-mel spectrogram in dB relative to its peak, (bands, frames)."""
    return mel_levels(audio, _SAMPLE_RATE, window=_WINDOW, hop=_HOP)


def _activation(levels, bass_weight=_BASS_WEIGHT):
    """Something like the probability of a beat in each frame; zeros where nothing ever begins."""
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    rises = np.maximum(0, levels[:, _RISE_FRAMES:] - levels[:, :-_RISE_FRAMES])
    every, bass = np.median(rises, axis=0), np.mean(rises[_BASS], axis=0)
    strengths = every / max(every.std(), 1e-9) + bass_weight * bass / max(bass.std(), 1e-9)
    strengths = np.pad(strengths, (_RISE_FRAMES, 0))
    peaks = maximum_filter1d(strengths, int(_PEAK_S * _FRAMES_PER_S))
    return np.clip(strengths / (uniform_filter1d(peaks, int(_AROUND_S * _FRAMES_PER_S)) + 1e-9), 0, 1)


def _accents(audio, levels, times):
    """How much each beat is like a downbeat."""
    if len(times) < 2:
        return np.zeros(len(times))
    frames = np.round(times * _FRAMES_PER_S).astype(int)
    bass, treble = (_loudness(levels[bands], frames) for bands in (_BASS, _TREBLE))
    change = _standardised(_harmonic_change(audio, times))
    return change + _standardised(bass) - _TREBLE_WEIGHT * _standardised(treble)


def _loudness(levels, frames):
    return np.array([levels[:, frame : frame + _ATTACK_FRAMES].mean() for frame in frames])


def _harmonic_change(audio, times):
    """1 minus the likeness of the pitch classes in each beat and the one before; the first beat has the mean."""
    classes = chroma(audio, _SAMPLE_RATE, window=_CHROMA_WINDOW, hop=_CHROMA_HOP)
    classes = np.log1p(1000 * classes / max(classes.max(), 1e-9))
    places = np.minimum(np.round(times * _SAMPLE_RATE / _CHROMA_HOP).astype(int), classes.shape[1] - 1)
    sums = np.add.reduceat(classes, places, axis=1)
    sums /= np.maximum(np.linalg.norm(sums, axis=0), 1e-9)
    change = 1 - np.sum(sums[:, 1:] * sums[:, :-1], axis=0)
    return np.concatenate([[change.mean()], change])


def _standardised(values):
    return (values - values.mean()) / max(values.std(), 1e-9)


def _strongest_phase(strengths):
    return int(np.argmax([np.mean(strengths[phase::4]) if phase < len(strengths) else 0.0 for phase in range(4)]))
