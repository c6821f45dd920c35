"""One recording to one `NoteSequence`."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..beats import estimate_beats, estimate_beats_in_sections, read_beats
from ..errors import InputError
from ..files import text_of
from ..notes import NOTE_DTYPE, NoteSequence, Track
from ..timing import Timing
from ..transforms import clean as cleaned
from .audio import SILENCE, audio_seconds, read_audio, read_blocks, resample
from .decoding import LOWEST_PITCH, N_PITCHES, decode_notes
from .drums import hear_drums
from .model import HOP, SAMPLE_RATE, frame_times, posteriors, transcriber_version

#: Recordings longer than this are read twice, in blocks, and their beats are tracked in sections.
LONG_S = 600.0

_HIGHEST_PITCH = LOWEST_PITCH + N_PITCHES - 1
_PITCHED, _DRUMS = Track("Basic Pitch"), Track("Drums", drum=True)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is heard as a note: the options of `transcribe`, checked."""

    onset_threshold: float = 0.5
    frame_threshold: float = 0.3
    min_note_ms: float = 127.7
    min_pitch: int = LOWEST_PITCH
    max_pitch: int = _HIGHEST_PITCH
    melodia_trick: bool = True
    clean: bool = False
    drums: bool = False

    def __post_init__(self):
        for name in ("onset_threshold", "frame_threshold"):
            if not 0 < getattr(self, name) <= 1:
                raise InputError(f"{name} must lie in (0, 1], not {getattr(self, name)}")
        if not 0 <= self.min_note_ms < np.inf:
            raise InputError(f"min_note_ms must be at least 0 ms, not {self.min_note_ms}")
        if not isinstance(self.drums, bool):
            raise InputError(f"drums must be True or False, not {self.drums!r}")
        if not LOWEST_PITCH <= self.min_pitch <= self.max_pitch <= _HIGHEST_PITCH:
            raise InputError(
                f"min_pitch {self.min_pitch} and max_pitch {self.max_pitch} are no range",
                remedy=f"{LOWEST_PITCH} ≤ min_pitch ≤ max_pitch ≤ {_HIGHEST_PITCH}, the keys of a piano",
            )
        if not isinstance(self.clean, bool):
            raise InputError(
                f"clean must be True or False, not {self.clean!r}",
                remedy="for options of cleaning, transcribe without it and call transforms.clean",
            )


def transcribe(path, *, beats=None, fallback_bpm=None, genre=None, threads=1, **settings):
    """Notes of a recording, heard by Basic Pitch.

    The notes are those of ``basic_pitch.inference.predict`` with the same network and thresholds, without pitch
    bends. As there, what begins in the last 0.7 % of the recording is not heard. Recordings longer than 10 minutes
    are never held in memory as a whole; beats are tracked in them by `estimate_beats_in_sections`.

    Parameters
    ----------
    path : path-like
        Any sound file that `read_audio` reads.
    beats : path-like, Timing or array-like of float, optional
        An annotation (see `read_beats`), a finished map, or beat times in seconds (then in 4/4 from the first).
        Default: tracked in the audio by `estimate_beats`.
    fallback_bpm : float, optional
        Even tempo for recordings in which no beat can be tracked, in 4/4 from 0 s. Default: such a recording is
        refused. Where it is used, ``meta["beats"]`` says so.
    genre : str, optional
        Kept in `meta`.
    threads : int
        Threads of the network.
    **settings
        onset_threshold : float, default 0.5
            Least probability of an onset: raise it to hear fewer notes.
        frame_threshold : float, default 0.3
            Least probability of a sounding frame: raise it for shorter notes.
        min_note_ms : float, default 127.7
            Notes up to this many milliseconds are left out.
        min_pitch, max_pitch : int, default 21 and 108
            Lowest and highest MIDI pitch to hear, both included.
        melodia_trick : bool, default True
            Whether notes without a clear onset are heard.
        clean : bool, default False
            Whether ghosts, faint notes, echoes and tails are taken away by `transforms.clean` with its defaults.
        drums : bool, default False
            Whether kick, snare and hi-hat are heard too, on a drum track, see `drums.hear_drums`.

    Returns
    -------
    NoteSequence
        One piano track; velocities are 127 times the mean probability. Where drums are asked for and heard, a drum
        track follows. Its timing covers the whole recording, whose length is its duration. `meta`: title, source
        (file name), genre, transcriber, settings, and beats, which is "annotated", "given", "tracked" or
        "none found: ...".

    Raises
    ------
    InputError
        If the file cannot be used (see `read_audio`), is silent, holds no notes or no beat.
    MissingDependencyError
        If basic-pitch, onnxruntime or librosa is not installed.

    Examples
    --------
    >>> import soundfile, tempfile
    >>> seconds = np.arange(3 * 22050) / 22050
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.wav"
    ...     soundfile.write(path, 0.5 * np.sin(2 * np.pi * 440 * seconds) * (seconds % 1.5 < 1), 22050)
    ...     piece = transcribe(path, beats=[0.0, 0.5, 1.0])
    >>> sorted(set(piece.notes["pitch"].tolist())), piece.duration, piece.meta["beats"]
    ([69], 3.0, 'given')
    """
    settings = checked_settings(settings)
    path = Path(path)
    given = _given_timing(beats)
    try:
        piece = _transcribed(_heard(path), given, fallback_bpm, threads, settings)
    except InputError as error:
        if error.path is not None:
            raise
        raise InputError(error.reason, path=path, remedy=error.remedy) from error
    meta = {"title": text_of(path.stem), "source": text_of(path.name)}
    return piece.replace(meta=meta | ({"genre": genre} if genre is not None else {}))


def transcribe_audio(audio, sample_rate, *, beats=None, fallback_bpm=None, threads=1, **settings):
    """Notes of a waveform; options and result as in `transcribe`.

    Parameters
    ----------
    audio : array-like of float, shape (samples,)
    sample_rate : int
        In Hz; other rates than 22,050 Hz are resampled.

    Returns
    -------
    NoteSequence

    Raises
    ------
    InputError
        As `transcribe`.
    """
    settings = checked_settings(settings)
    audio = np.asarray(audio, dtype=np.float32)
    if audio.ndim != 1 or not np.all(np.isfinite(audio)):
        raise InputError(
            f"audio must be finite samples of shape (samples,), not {audio.shape}", remedy="mix its channels"
        )
    audio = resample(audio, sample_rate, SAMPLE_RATE)
    return _transcribed(_Audio(audio), _given_timing(beats), fallback_bpm, threads, settings)


def checked_settings(options):
    """`Settings` from keyword arguments; unknown ones are refused."""
    unknown = sorted(set(options) - set(Settings.__dataclass_fields__))
    if unknown:
        raise InputError(
            f"unknown option {', '.join(unknown)}", remedy=f"one of {', '.join(Settings.__dataclass_fields__)}"
        )
    return Settings(**options)


@dataclass(frozen=True)
class _Given:
    """A timing that need not be tracked, how it came about, and its file if it has one."""

    timing: Timing
    origin: str
    path: Path | None = None


def _given_timing(beats):
    if beats is None:
        return None
    if isinstance(beats, Timing):
        return _Given(beats, "given")
    if isinstance(beats, str | os.PathLike):
        return _Given(read_beats(beats), "annotated", Path(beats))
    return _Given(Timing(beats), "given")


class _Audio:
    """A waveform at 22,050 Hz in memory: its `blocks`, `seconds`, and beats."""

    def __init__(self, audio):
        self._audio, self.seconds = audio, len(audio) / SAMPLE_RATE
        _check_loud(np.max(np.abs(audio), initial=0.0))  # before the network runs

    def blocks(self):
        return [self._audio]

    def estimate_beats(self):
        return estimate_beats(self._audio, SAMPLE_RATE)


class _LongFile:
    """A sound file that is read anew whenever its `blocks` are asked for."""

    def __init__(self, path, seconds):
        self._path, self.seconds = path, seconds

    def blocks(self):
        return read_blocks(self._path, sample_rate=SAMPLE_RATE)

    def estimate_beats(self):
        return estimate_beats_in_sections(self.blocks(), SAMPLE_RATE)


def _heard(path):
    seconds = audio_seconds(path)
    return _LongFile(path, seconds) if seconds > LONG_S else _Audio(read_audio(path, sample_rate=SAMPLE_RATE)[0])


def _check_loud(peak):
    if peak < SILENCE:
        raise InputError("is silent", remedy="check how it was recorded")


def _transcribed(audio, given, fallback_bpm, threads, settings):
    notes, duration = _notes(audio, threads, settings)
    notes, tracks = _with_drums(notes, audio) if settings.drums else (notes, (_PITCHED,))
    if not len(notes):
        raise InputError("no notes found", remedy="lower onset_threshold, frame_threshold or min_note_ms")
    if given is None:
        given = _tracked_timing(audio, fallback_bpm)
    _check_fit(given, duration)
    piece = NoteSequence(
        notes,
        tracks=tracks,
        timing=given.timing.covering(0.0, duration),
        duration=duration,
        meta={"beats": given.origin, "transcriber": transcriber_version(), **_described(settings)},
    )
    return cleaned(piece) if settings.clean else piece


def _check_fit(given, duration):
    """An annotation may begin late and end early, but not run on beyond the next bar."""
    first, last = given.timing.beats[[0, -1]]
    bar = 4 * 60 / given.timing.bpm
    if given.path is not None and not (first < duration and last < duration + bar):
        raise InputError(
            f"does not fit its recording: beats from {first:.1f} s to {last:.1f} s, but {duration:.1f} s of audio",
            path=given.path,
            remedy="check that it belongs to this recording",
        )


def _notes(audio, threads, settings):
    """Notes, and the length of the audio in seconds."""
    heard = posteriors(audio.blocks(), seconds=audio.seconds, threads=threads)
    _check_loud(heard.peak)
    for roll in (heard.frames, heard.onsets):
        roll[:, : settings.min_pitch - LOWEST_PITCH] = 0
        roll[:, settings.max_pitch - LOWEST_PITCH + 1 :] = 0
    found = decode_notes(
        heard.frames,
        heard.onsets,
        onset_threshold=settings.onset_threshold,
        frame_threshold=settings.frame_threshold,
        min_frames=int(np.round(settings.min_note_ms / 1000 * SAMPLE_RATE / HOP)),
        melodia_trick=settings.melodia_trick,
    )
    return _note_array(found, frame_times(len(heard.frames))), heard.samples / SAMPLE_RATE


def _with_drums(notes, audio):
    """Notes with the strokes of drums among them, and their tracks."""
    strokes = hear_drums(audio.blocks())
    if not len(strokes):
        return notes, (_PITCHED,)
    strokes["track"] = 1
    return np.concatenate([notes, strokes]), (_PITCHED, _DRUMS)


def _note_array(found, times):
    if not found:
        return np.empty(0, NOTE_DTYPE)
    start, end, pitch, probability = (np.array(column) for column in zip(*found, strict=True))
    notes = np.empty(len(found), NOTE_DTYPE)
    notes["start"], notes["end"], notes["pitch"], notes["track"] = times[start], times[end], pitch, 0
    notes["velocity"] = np.maximum(1, np.round(127 * probability.astype(np.float32)))
    return notes


def _tracked_timing(audio, fallback_bpm):
    try:
        return _Given(audio.estimate_beats(), "tracked")
    except InputError as error:
        if fallback_bpm is None:
            remedy = "give its beats, or an even tempo: fallback_bpm (--fallback-bpm)"
            raise InputError(error.reason, remedy=remedy) from error
    return _Given(Timing.regular(fallback_bpm), f"none found: an even {fallback_bpm:g} bpm was asked for")


def _described(settings):
    return {name: str(value) for name, value in asdict(settings).items()}
