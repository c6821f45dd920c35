"""Notes to audio, behind one call: `render` gives samples, `write_audio` a file.

Three ways, the first one found is taken:

============== ============================================ =====================================
backend        needs                                        sound
============== ============================================ =====================================
fluidsynth     pyfluidsynth and FluidSynth's shared library SoundFont, reverb and chorus
tinysoundfont  tinysoundfont (a wheel, nothing else)        SoundFont, dry
additive       nothing more                                 sine tones, no drums; warns
============== ============================================ =====================================

Every track has a channel of its own, so no track ends or restrikes another's notes, however many there are. Where
notes of one pitch overlap in one track, the earlier ends where the later starts, as on a piano. The loudest sample
of every result lies at -1 dBFS: nothing clips, and pieces are equally loud whichever way they were rendered.
"""

import ctypes
import math
import operator
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np

from .errors import InputError, MissingDependencyError, missing_dependency
from .files import atomic_path
from .notes import AUDIO_SUFFIXES
from .soundfonts import default_soundfont, read_soundfont

BACKENDS = ("fluidsynth", "tinysoundfont", "additive")

#: Peak of every rendered piece that is not silent: -1 dBFS.
PEAK = 10 ** (-1 / 20)

_RATES = (8000, 96000)  # Hz, what FluidSynth can do
_CHANNELS = 256  # tracks played in one pass
_VOICES = 4096
_QUIET = 1e-4  # a tail ends 80 dB below the peak
_MAX_TAIL_S = 20
_BLOCK = 1 << 14  # frames written at once: libsndfile's Vorbis writer overflows its stack on long ones
_FLUIDSYNTH_LIBRARY = "apt-get install libfluidsynth3 (Debian, Ubuntu), brew install fluid-synth (macOS)"
_SUBTYPES = {".wav": ("WAV", "PCM_16"), ".flac": ("FLAC", "PCM_16"), ".ogg": ("OGG", "VORBIS")}


def render(sequence, *, sample_rate=44100, soundfont=None, backend=None):
    """Play a piece into an array.

    The same piece gives the same samples, bit by bit, with the same backend and version of it.

    Parameters
    ----------
    sequence : NoteSequence
        The piece; drum tracks are played by the SoundFont's drum kits, the others by their `program`.
    sample_rate : int
        Hz, 8,000 to 96,000.
    soundfont : path-like, optional
        A SoundFont 2 or 3 file (`.sf2`, `.sf3`). Default: TimGM6mb, a General MIDI set of 6 MB.
    backend : {"fluidsynth", "tinysoundfont", "additive"}, optional
        Default: the first of these that works here, see `available_backends`.

    Returns
    -------
    audio : numpy.ndarray of float32, shape (2, samples)
        Left and right in [-1, 1], the peak at -1 dBFS (0.891); zeros if no note sounds. At least as long as
        `sequence.duration`, longer where the last notes ring on (20 s at most).

    Raises
    ------
    InputError
        If an argument is out of range or the SoundFont is missing or damaged.
    MissingDependencyError
        If the chosen backend, or any that plays the chosen SoundFont, is not installed.

    Warns
    -----
    UserWarning
        If only sine tones are left, or the SoundFont lacks an instrument that the piece names.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> audio = render(NoteSequence([(0.0, 0.5, 60, 80, 0)], duration=1.0), backend="additive")
    >>> audio.shape, audio.dtype, round(float(abs(audio).max()), 3)
    ((2, 44100), dtype('float32'), 0.891)
    """
    sample_rate = _checked_rate(sample_rate)
    backend = _chosen_backend(backend, soundfont)
    font = None if backend == "additive" else read_soundfont(soundfont or default_soundfont())
    frames = math.ceil(sequence.duration * sample_rate - 1e-6)
    if not len(sequence):
        return np.zeros((2, frames), np.float32)
    audio = _additive(sequence, sample_rate) if font is None else _played(sequence, sample_rate, font, backend)
    return _finished(audio, frames)


def write_audio(sequence, path, **options):
    """Render a piece into a stereo audio file.

    Parameters
    ----------
    sequence : NoteSequence
        The piece.
    path : path-like
        `.wav` or `.flac` (16-bit PCM) or `.ogg` (Vorbis). Written whole or not at all; folders are made.
    **options
        `sample_rate`, `soundfont`, `backend`: see `render`.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    InputError
        If the suffix is none of these, or as `render` does.
    MissingDependencyError
        If soundfile is not installed, or as `render` does.

    Examples
    --------
    >>> import tempfile
    >>> from musicgen import NoteSequence
    >>> piece = NoteSequence([(0.0, 0.5, 60, 80, 0)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_audio(piece, Path(folder) / "note.wav", backend="additive").name
    'note.wav'
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in AUDIO_SUFFIXES:
        raise InputError(f"unknown suffix {suffix!r}", path=path, remedy=f"use one of {', '.join(AUDIO_SUFFIXES)}")
    soundfile = import_soundfile()
    audio = render(sequence, **options)
    container, subtype = _SUBTYPES[suffix]
    form = {"samplerate": options.get("sample_rate", 44100), "channels": 2, "format": container, "subtype": subtype}
    try:
        with atomic_path(path) as temporary, soundfile.SoundFile(temporary, "w", **form) as file:
            for first in range(0, audio.shape[1], _BLOCK):
                file.write(audio[:, first : first + _BLOCK].T)
    except soundfile.LibsndfileError as error:
        raise InputError(
            f"cannot be written: {error.error_string}", path=path, remedy="check place, rights and space"
        ) from error
    return path


def available_backends():
    """The backends that work here, best first; "additive" always does.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> available_backends()[-1]
    'additive'
    """
    return tuple(name for name in BACKENDS if name == "additive" or _loads(name))


def _checked_rate(sample_rate):
    low, high = _RATES
    try:
        rate = operator.index(sample_rate)
    except TypeError:
        rate = 0
    if not low <= rate <= high:
        raise InputError(f"sample_rate must be a whole number of Hz from {low} to {high}, not {sample_rate!r}")
    return rate


def _chosen_backend(backend, soundfont):
    if backend is not None and backend not in BACKENDS:
        raise InputError(f"unknown backend {backend!r}", remedy=f"use one of {', '.join(BACKENDS)}")
    if backend == "additive" and soundfont is not None:
        raise InputError("backend 'additive' plays no soundfont", remedy="leave one of the two out")
    if backend is not None:
        _LOADERS[backend]()
        return backend
    first = available_backends()[0]
    if first == "additive" and soundfont is not None:
        raise missing_dependency("tinysoundfont", "playing a SoundFont")
    if first == "additive":
        warnings.warn(_poor_sound(), stacklevel=3)
    return first


def _poor_sound():
    return (
        "rendering sine tones without drums: neither FluidSynth nor TinySoundFont is here. For real instruments: "
        f"pip install --no-deps tinysoundfont==0.3.7, or FluidSynth's library by {_FLUIDSYNTH_LIBRARY}"
    )


def _loads(backend):
    try:
        _LOADERS[backend]()
    except MissingDependencyError:
        return False
    return True


def _import_fluidsynth():
    try:
        import fluidsynth
    except ModuleNotFoundError as error:
        raise missing_dependency("fluidsynth", "rendering with FluidSynth") from error
    except (ImportError, OSError, AttributeError) as error:  # the library is absent, or too strange to bind
        raise MissingDependencyError(
            f"rendering with FluidSynth needs its shared library, which was not found. Install it with: "
            f"{_FLUIDSYNTH_LIBRARY}; or leave backend out"
        ) from error
    return fluidsynth


def _import_tinysoundfont():
    try:
        import tinysoundfont
    except ImportError as error:
        raise missing_dependency("tinysoundfont", "rendering with TinySoundFont") from error
    return tinysoundfont


def import_soundfile():
    """The soundfile module; MissingDependencyError where it or its libsndfile is absent."""
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: without the libsndfile that its wheel brings
        raise missing_dependency("soundfile", "writing audio files") from error
    return soundfile


_LOADERS = {"fluidsynth": _import_fluidsynth, "tinysoundfont": _import_tinysoundfont, "additive": lambda: None}


def _finished(audio, frames):
    """Trim the inaudible end, keep at least `frames`, bring the peak to -1 dBFS; (2, samples)."""
    loudness = np.abs(audio).max(axis=0)
    peak = float(loudness.max(initial=0.0))
    if peak == 0.0:
        return np.zeros((2, frames), np.float32)
    last = int(np.flatnonzero(loudness > peak * _QUIET)[-1]) + 1
    result = np.zeros((2, max(frames, last)), np.float32)
    result[:, :last] = audio[:, :last] * np.float32(PEAK / peak)
    return np.clip(result, -1.0, 1.0, out=result)


def _additive(sequence, sample_rate):
    """Sum of decaying sine tones; (2, samples)."""
    import pretty_midi

    audio = np.zeros((2, math.ceil((sequence.duration + 2) * sample_rate)), np.float32)
    for index in np.unique(sequence.notes["track"]):
        if sequence.tracks[index].drum:
            continue
        instrument = pretty_midi.Instrument(0)
        for start, end, pitch, velocity, _ in sequence.notes[sequence.notes["track"] == index].tolist():
            instrument.notes.append(pretty_midi.Note(velocity, pitch, start, end))
        tone = instrument.synthesize(sample_rate)
        audio[:, : len(tone)] += tone
    return audio


def _played(sequence, sample_rate, font, backend):
    """Sum of passes of up to 256 tracks each, by a SoundFont synthesiser; (2, samples)."""
    used = np.unique(sequence.notes["track"])
    passes = [
        _one_pass(sequence, used[first : first + _CHANNELS], sample_rate, font, _SYNTHESISERS[backend])
        for first in range(0, len(used), _CHANNELS)
    ]
    audio = np.zeros((2, max(part.shape[1] for part in passes)), np.float32)
    for part in passes:
        audio[:, : part.shape[1]] += part
    return audio


def _one_pass(sequence, used, sample_rate, font, synthesiser):
    notes = sequence.notes[np.isin(sequence.notes["track"], used)]
    presets = [font.preset(sequence.tracks[index]) for index in used]
    events = _events(notes, np.searchsorted(used, notes["track"]), sample_rate)
    synth = synthesiser(font, presets, sample_rate)
    try:
        return _performed(synth, events, sample_rate)
    finally:
        synth.close()


def _events(notes, channels, sample_rate):
    """Rows (frame, channel, pitch, velocity) in order; velocity 0 ends a note, ends come before starts.

    The rule of `transforms.canonical`, kept in frames: distinct times may round to one frame.
    """
    order = np.lexsort((notes["velocity"], notes["end"], notes["start"], notes["pitch"], channels))
    notes, channels = notes[order], channels[order].astype(np.int64)
    starts = np.rint(notes["start"] * sample_rate).astype(np.int64)
    ends = np.maximum(np.rint(notes["end"] * sample_rate).astype(np.int64), starts + 1)
    same = (channels[1:] == channels[:-1]) & (notes["pitch"][1:] == notes["pitch"][:-1])
    ends[:-1][same] = np.minimum(ends[:-1], starts[1:])[same]
    kept = ends > starts  # of two notes that are one on the keyboard, the longer
    starts, ends, channels, notes = starts[kept], ends[kept], channels[kept], notes[kept]
    ons = np.column_stack([starts, channels, notes["pitch"], notes["velocity"]])
    offs = np.column_stack([ends, channels, notes["pitch"], np.zeros(len(ends), np.int64)])
    events = np.concatenate([offs, ons])
    return events[np.argsort(events[:, 0], kind="stable")]


def _performed(synth, events, sample_rate):
    """Play events and what rings on after them; (2, samples)."""
    audio = np.zeros((int(events[-1, 0]), 2), np.float32)
    marks = [*np.unique(events[:, 0], return_index=True)[1].tolist(), len(events)]
    now = 0
    for first, stop in pairwise(marks):
        frame = int(events[first, 0])
        if frame > now:
            synth.fill(audio[now:frame])
        now = frame
        for _, channel, pitch, velocity in events[first:stop].tolist():
            synth.strike(channel, pitch, velocity)
    return np.concatenate([audio, *_tail(synth, sample_rate, np.abs(audio).max(initial=0.0))]).T


def _tail(synth, sample_rate, peak):
    pieces = []
    for _ in range(4 * _MAX_TAIL_S):
        piece = np.zeros((sample_rate // 4, 2), np.float32)
        synth.fill(piece)
        pieces.append(piece)
        loudest = np.abs(piece).max()
        peak = max(peak, loudest)
        if loudest <= peak * _QUIET:
            return pieces
    pieces[-1] *= np.linspace(1, 0, len(pieces[-1]), dtype=np.float32)[:, None]
    return pieces


class _TinySoundFont:
    def __init__(self, font, presets, sample_rate):
        tinysoundfont = _import_tinysoundfont()
        self._synth = tinysoundfont.Synth(samplerate=sample_rate)
        try:
            number = self._synth.sfload(font.data, max_voices=_VOICES)
        except RuntimeError as error:
            raise font.refused("TinySoundFont") from error
        for channel, (bank, program) in enumerate(presets):
            self._synth.program_select(channel, number, bank, program)

    def strike(self, channel, pitch, velocity):
        if velocity:
            self._synth.noteon(channel, pitch, velocity)
        else:
            self._synth.noteoff(channel, pitch)

    def fill(self, frames):
        """Write the next samples into `frames`, contiguous float32 of shape (n, 2)."""
        self._synth.generate_simple(len(frames), memoryview(frames).cast("B"))

    def close(self):
        self._synth = None


class _FluidSynth:
    def __init__(self, font, presets, sample_rate):
        fluidsynth = _import_fluidsynth()
        # Its own get_samples gives dithered 16-bit samples, clipped before they can be scaled: take floats instead.
        self._write = ctypes.CDLL(fluidsynth.lib).fluid_synth_write_float
        self._synth = fluidsynth.Synth(samplerate=sample_rate, **{"synth.polyphony": _VOICES})
        number = self._synth.sfload(str(font.path))
        if number < 0:
            self.close()
            raise font.refused("FluidSynth")
        for channel, (bank, program) in enumerate(presets):
            self._synth.program_select(channel, number, bank, program)

    def strike(self, channel, pitch, velocity):
        if velocity:
            self._synth.noteon(channel, pitch, velocity)
        else:
            self._synth.noteoff(channel, pitch)

    def fill(self, frames):
        """Write the next samples into `frames`, contiguous float32 of shape (n, 2)."""
        out = ctypes.c_void_p(frames.ctypes.data)
        self._write(ctypes.c_void_p(self._synth.synth), len(frames), out, 0, 2, out, 1, 2)

    def close(self):
        self._synth.delete()


_SYNTHESISERS = {"fluidsynth": _FluidSynth, "tinysoundfont": _TinySoundFont}
