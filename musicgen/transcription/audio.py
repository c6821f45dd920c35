"""Sound files to waveforms, whatever their format, rate, bit depth and channels."""

import contextlib
import math
import os
import re
from pathlib import Path

import numpy as np

from ..errors import InputError, missing_dependency

#: A recording whose loudest sample is below this (-80 dB of full scale) is silent.
SILENCE = 1e-4

_BLOCK_S = 60  # of what is decoded at once
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
    _check_rate(sample_rate)
    with _opened(path, allow_truncated) as source:
        audio = np.concatenate(list(source.blocks()), axis=1)
        own_rate = source.sample_rate
    if mono:
        audio = _mixed(audio)
    return resample(audio, own_rate, sample_rate or own_rate), int(sample_rate or own_rate)


def read_blocks(path, *, sample_rate=None, allow_truncated=False):
    """Read a sound file piece by piece, so that memory does not grow with its length.

    Parameters
    ----------
    path, sample_rate, allow_truncated
        See `read_audio`.

    Yields
    ------
    numpy.ndarray of float32, shape (samples,)
        The mean of the channels, about a minute at a time; together exactly the samples that `read_audio` gives
        (of MP3 within 1e-6: its decoder begins anew with each block).

    Raises
    ------
    InputError
        As `read_audio`, when the fault is met.

    Examples
    --------
    >>> import soundfile, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "long.wav"
    ...     soundfile.write(path, np.zeros(8000 * 100), 8000)
    ...     [len(block) for block in read_blocks(path)]
    [480000, 320000]
    """
    _check_rate(sample_rate)
    with _opened(path, allow_truncated) as source:
        own_rate, wanted = source.sample_rate, sample_rate or source.sample_rate
        blocks = (_mixed(block) for block in source.blocks(_BLOCK_S))
        yield from blocks if own_rate == wanted else _resampled(blocks, own_rate, wanted)


def audio_seconds(path):
    """Length that a sound file's header promises, in seconds; an estimate for some formats.

    Raises
    ------
    InputError
        As `read_audio`, as far as the header tells.
    """
    with _opened(path, True) as source:
        return source.seconds


def _check_rate(sample_rate):
    if sample_rate is not None and not (sample_rate > 0 and sample_rate == int(sample_rate)):
        raise InputError(f"sample_rate must be a whole number of Hz above 0, not {sample_rate}")


def _mixed(audio):
    return np.mean(audio, axis=0) if len(audio) > 1 else audio[0]


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


@contextlib.contextmanager
def _opened(path, allow_truncated):
    """The file as a `_Soundfile` or `_FFmpeg`: channels, sample_rate, seconds, blocks."""
    path = Path(path)
    _check_file(path)
    try:
        import soundfile
    except ImportError as error:
        raise missing_dependency("soundfile", "reading audio", extra="transcription") from error
    try:
        with _decoder_silenced():
            file = soundfile.SoundFile(os.fsencode(path) if os.name == "posix" else path)  # names that are not UTF-8
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: asked for the rate of headerless files
        with _opened_by_ffmpeg(path, error) as source:
            yield source
        return
    with file:
        if file.format == "RAW":  # libsndfile's guess, from the suffix alone, for a file without a known header
            raise InputError("is not audio: it has no known header", path=path, remedy=_CONVERT)
        yield _Soundfile(path, file, allow_truncated)


class _Soundfile:
    """A file that libsndfile decodes."""

    def __init__(self, path, file, allow_truncated):
        self._path, self._file, self._allow_truncated = path, file, allow_truncated
        self.channels, self.sample_rate, self.seconds = file.channels, file.samplerate, file.frames / file.samplerate

    def blocks(self, seconds=None):
        """Samples of shape (channels, samples), checked; by default all at once."""
        import soundfile

        held, length = 0, -1 if seconds is None else int(seconds * self.sample_rate)
        while True:
            try:
                with _decoder_silenced():
                    block = self._file.read(length, dtype="float32", always_2d=True).T
            except soundfile.SoundFileError as error:
                raise InputError(
                    f"cannot be decoded: {error}", path=self._path, remedy="get a complete copy"
                ) from error
            held += block.shape[1]
            if not self._allow_truncated and (length < 0 or block.shape[1] < length):
                _check_complete(self._path, self._file, held)
            if block.shape[1] == 0:
                break
            yield _checked_samples(self._path, block)
        _check_any(self._path, held)


@contextlib.contextmanager
def _decoder_silenced():
    """Nothing of what libsndfile's MP3 decoder has to say of a damaged file on standard error, past Python.

    What is wrong with the file, the error tells.
    """
    try:
        stderr = os.dup(2)
    except OSError:  # a process without standard error
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


class _FFmpeg:
    """A file that ffmpeg decodes to 16 bits."""

    def __init__(self, path, file):
        self._path, self._file = path, file
        self.channels, self.sample_rate, self.seconds = file.channels, file.samplerate, file.duration

    def blocks(self, seconds=_BLOCK_S):
        """Samples of shape (channels, samples)."""
        held, wanted, buffer = 0, int(seconds * self.sample_rate) * self.channels * 2, b""
        for data in self._file:
            buffer += data
            if len(buffer) >= wanted:
                held += wanted
                yield self._samples(buffer[:wanted])
                buffer = buffer[wanted:]
        if buffer:
            yield self._samples(buffer)
        _check_any(self._path, held + len(buffer))

    def _samples(self, data):
        samples = np.frombuffer(data, "<i2").reshape(-1, self.channels)
        return (samples.T / np.float32(32768)).astype(np.float32)


@contextlib.contextmanager
def _opened_by_ffmpeg(path, reason):
    try:
        from audioread import DecodeError
        from audioread.ffdec import FFmpegAudioFile
    except ImportError as error:
        raise missing_dependency("librosa", "reading this audio format") from error
    try:
        with FFmpegAudioFile(os.fspath(path)) as file:
            yield _FFmpeg(path, file)
    except (DecodeError, OSError) as error:
        raise InputError(
            f"is not audio that can be decoded ({_cause(reason)})", path=path, remedy=_CONVERT
        ) from error


def _checked_samples(path, block):
    if not np.all(np.isfinite(block)):
        raise InputError("holds samples that are not finite (NaN or infinity)", path=path, remedy="export it again")
    return block


def _check_any(path, held):
    if held == 0:
        raise InputError("holds no samples", path=path, remedy="check how it was recorded")


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
        remedy="get a complete copy, or export what is there of it to a new file "
        "(in Python, read_audio(path, allow_truncated=True) reads it as it is)",
    )


def _cause(error):
    text = str(error).rsplit(": ", 1)[-1].rstrip(".")
    # What libsndfile's MP3 reader says of files that are there and are no MP3.
    return "no sound format is recognised" if "does not exist or is not a regular file" in text else text


def _resampled(blocks, own_rate, sample_rate):
    """As `resample`, block by block: soxr's stream gives the same samples."""
    stream, held, given = _soxr().ResampleStream(own_rate, sample_rate, 1, dtype="float32", quality="HQ"), 0, 0
    for block in blocks:
        held += len(block)
        part = stream.resample_chunk(np.ascontiguousarray(block))
        given += len(part)
        yield part
    length = _resampled_length(held, own_rate, sample_rate)
    rest = stream.resample_chunk(np.empty(0, np.float32), last=True)[: length - given]
    yield np.pad(rest, (0, length - given - len(rest)))


def _resampled_length(length, own_rate, sample_rate):
    return math.ceil(length * (float(sample_rate) / own_rate))


def _soxr():
    try:
        import soxr
    except ImportError as error:
        raise missing_dependency("soxr", "resampling audio") from error
    return soxr


def resample(audio, own_rate, sample_rate):
    """`audio` of shape (..., samples) at another rate in Hz, with as many samples as librosa gives."""
    if own_rate == sample_rate:
        return np.ascontiguousarray(audio)
    soxr = _soxr()
    length = _resampled_length(audio.shape[-1], own_rate, sample_rate)
    resampled = np.ascontiguousarray(soxr.resample(audio.T, own_rate, sample_rate, quality="HQ").T[..., :length])
    missing = length - resampled.shape[-1]
    return np.pad(resampled, [(0, 0)] * (audio.ndim - 1) + [(0, missing)])
