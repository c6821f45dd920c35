"""Sound files to waveforms, whatever their format, rate, bit depth and channels."""

import math
import os
import re
from pathlib import Path

import numpy as np

from ..errors import InputError, missing_dependency

#: A recording whose loudest sample is below this (-80 dB of full scale) is silent.
SILENCE = 1e-4

_CONVERT = "convert it to WAV, or install ffmpeg for more formats"
#: libsndfile's log of a chunk that promises more bytes than the file holds.
_SHORT_CHUNK = re.compile(r"(?:data|Data Size|SSND)\s*: (\d+) \(should be (\d+)\)")
#: Sizes that writers to a pipe leave in the header, because they do not know better.
_UNKNOWN_SIZES = {0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFF000, 0xFFFFF000}


def read_audio(path, *, sample_rate=None, mono=True, allow_truncated=False):
    """Read a sound file.

    Parameters
    ----------
    path : path-like
        WAV, AU, FLAC, Ogg, MP3, AIFF or whatever else libsndfile decodes; other formats where ffmpeg is installed
        (16 bits, as librosa's fallback reads them).
    sample_rate : int, optional
        Rate to resample to, in Hz (soxr, high quality, as librosa does). Default: the file's own.
    mono : bool
        Whether to take the mean of the channels.
    allow_truncated : bool
        Whether to use what is there of a file that holds less audio than its header promises. MP3 headers give
        estimates, so that a cut MP3 is never recognised.

    Returns
    -------
    audio : numpy.ndarray of float32, shape (samples,) or, unless `mono`, (channels, samples)
        Full scale is [-1, 1].
    sample_rate : int
        In Hz.

    Raises
    ------
    InputError
        If the file is missing, empty, truncated, not audio, without samples, or holds samples that are not finite.

    Examples
    --------
    >>> import soundfile, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "stereo.wav"
    ...     soundfile.write(path, np.full((44100, 2), [0.25, 0.75]), 44100)
    ...     audio, sample_rate = read_audio(path, sample_rate=22050)
    >>> audio.shape, sample_rate, round(float(audio[11025]), 3)
    ((22050,), 22050, 0.5)
    """
    if sample_rate is not None and not (sample_rate > 0 and sample_rate == int(sample_rate)):
        raise InputError(f"sample_rate must be a whole number of Hz above 0, not {sample_rate}")
    path = Path(path)
    _check_file(path)
    audio, own_rate = _decode(path, allow_truncated)
    if audio.shape[-1] == 0:
        raise InputError("holds no samples", path=path, remedy="check how it was recorded")
    if not np.all(np.isfinite(audio)):
        raise InputError("holds samples that are not finite (NaN or infinity)", path=path, remedy="export it again")
    if mono:
        audio = np.mean(audio, axis=0) if len(audio) > 1 else audio[0]
    return resample(audio, own_rate, sample_rate or own_rate), int(sample_rate or own_rate)


def is_silent(audio):
    """Whether no sample reaches `SILENCE`."""
    return bool(np.max(np.abs(audio), initial=0.0) < SILENCE)


def _check_file(path):
    if path.is_dir():
        raise InputError("is a folder, not a sound file", path=path, remedy="name the files in it")
    if not path.exists():
        raise InputError("does not exist", path=path, remedy="check the name")
    try:
        with open(path, "rb") as handle:
            head = handle.read(4)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path, remedy="check its rights") from error
    if not head:
        raise InputError("is empty (0 bytes)", path=path, remedy="get a complete copy")


def _decode(path, allow_truncated):
    """Samples as float32 of shape (channels, samples), and their rate."""
    try:
        import soundfile
    except ImportError as error:
        raise missing_dependency("soundfile", "reading audio") from error
    try:
        file = soundfile.SoundFile(os.fsencode(path) if os.name == "posix" else path)  # names that are not UTF-8
    except (
        soundfile.SoundFileError,
        TypeError,
    ) as error:  # TypeError: soundfile asks for the rate of headerless files
        return _decode_by_ffmpeg(path, error)
    with file:
        if file.format == "RAW":  # libsndfile's guess, from the suffix alone, for a file without a known header
            raise InputError("is not audio: it has no known header", path=path, remedy=_CONVERT)
        try:
            audio = file.read(dtype="float32", always_2d=True).T
        except soundfile.SoundFileError as error:
            raise InputError(f"cannot be decoded: {error}", path=path, remedy="get a complete copy") from error
        if not allow_truncated:
            _check_complete(path, file, audio.shape[-1])
        return audio, file.samplerate


def _check_complete(path, file, held):
    short = _SHORT_CHUNK.search(file.extra_info)
    promised, there = (int(size) for size in short.groups()) if short else (0, 0)
    if promised > there and promised not in _UNKNOWN_SIZES:
        part = there / promised
    elif file.format != "MP3" and held < file.frames:
        part = held / file.frames
    else:
        return
    raise InputError(
        f"is truncated: it holds {part:.1%} of the audio that its header promises",
        path=path,
        remedy="get a complete copy, or read it with allow_truncated=True",
    )


def _decode_by_ffmpeg(path, reason):
    try:
        from audioread import DecodeError
        from audioread.ffdec import FFmpegAudioFile
    except ImportError as error:
        raise missing_dependency("librosa", "reading this audio format") from error
    try:
        with FFmpegAudioFile(os.fspath(path)) as file:
            samples = np.frombuffer(b"".join(file), "<i2").reshape(-1, file.channels)
            return (samples.T / np.float32(32768)).astype(np.float32), file.samplerate
    except (DecodeError, OSError) as error:
        raise InputError(
            f"is not audio that can be decoded ({_cause(reason)})", path=path, remedy=_CONVERT
        ) from error


def _cause(error):
    return str(error).rsplit(": ", 1)[-1].rstrip(".")


def resample(audio, own_rate, sample_rate):
    """`audio` of shape (..., samples) at another rate in Hz, with as many samples as librosa gives."""
    if own_rate == sample_rate:
        return np.ascontiguousarray(audio)
    try:
        import soxr
    except ImportError as error:
        raise missing_dependency("soxr", "resampling audio") from error
    length = math.ceil(audio.shape[-1] * (float(sample_rate) / own_rate))
    resampled = np.ascontiguousarray(soxr.resample(audio.T, own_rate, sample_rate, quality="HQ").T[..., :length])
    missing = length - resampled.shape[-1]
    return np.pad(resampled, [(0, 0)] * (audio.ndim - 1) + [(0, missing)])
