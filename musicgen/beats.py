"""Beats of a recording, read from an annotation or tracked in the audio, as a `Timing`."""

import itertools
import warnings
from pathlib import Path

import numpy as np

from .errors import InputError, missing_dependency
from .files import one_at_a_time
from .timing import Timing

_HOP = 512  # samples per frame of the tracker, librosa's default
_BASS_HZ = 150.0
#: A fifth of the work of librosa's defaults, and downbeats as good.
_CHROMA = {"hop_length": 2 * _HOP, "bins_per_octave": 24, "tuning": 0.0}
_ATTACK_FRAMES = 4
_SECTION_S, _SHARED_S = 180.0, 10.0  # of long recordings


def read_beats(path, *, meter=(4, 4)):
    """Read an annotation of beats: one per line, its time in seconds and, after white space, its place in the bar.

    Places count from 1, the downbeat. The beats from one downbeat to the next give the meter of that bar, changes
    included, in quarter notes (3 beats are 3/4: the files do not tell 6/8 from 2/4). Beats before the first downbeat
    are a pickup, and the last bar may be incomplete. Empty lines and lines that begin with # are skipped.

    Parameters
    ----------
    path : path-like
    meter : (int, int)
        Numerator and denominator for files that give no places, whose first beat is taken as a downbeat, and for
        those without two downbeats.

    Returns
    -------
    Timing
        With exactly the annotated beats, also those outside the recording.

    Raises
    ------
    InputError
        If the file cannot be read or breaks these rules; the message names the line.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "waltz.beats"
    ...     _ = path.write_text("0.5 3\\n1.0 1\\n1.5 2\\n2.0 3\\n2.5 1\\n")
    ...     timing = read_beats(path)
    >>> timing, timing.meters[0].beat
    (Timing(5 beats, 120.0 bpm, 3/4), 1.0)
    """
    rows = [_parsed(path, number, line) for number, line in _lines(path)]
    if len(rows) < 2:
        raise InputError(f"holds {len(rows)} beats, at least 2 are needed", path=path, remedy="annotate more beats")
    for (_, before, _), (number, time, _) in itertools.pairwise(rows):
        if time <= before:
            raise InputError(f"line {number}: {time} s is not after {before} s", path=path, remedy="sort the beats")
    times = [time for _, time, _ in rows]
    given = [place is not None for _, _, place in rows]
    if not any(given):
        return Timing(times, meters=((0, *meter),))
    if not all(given):
        number = rows[given.index(False)][0]
        raise InputError(f"line {number}: no place in the bar", path=path, remedy="give it on every line or on none")
    _check_places(path, rows)
    return Timing(times, meters=_meters([place for _, _, place in rows], meter))


def read_tempo(path):
    """Read an annotation of tempo: a file that holds one number, in beats per minute.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    float

    Raises
    ------
    InputError
        If the file holds anything else.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "waltz.bpm"
    ...     _ = path.write_text("8.003e+01\\n")
    ...     read_tempo(path)
    80.03
    """
    lines = _lines(path)
    try:
        [(_, text)] = lines
        bpm = float(text)
    except ValueError as error:
        raise InputError("does not hold one number", path=path, remedy="as in '120.5'") from error
    if not 0 < bpm < np.inf:
        raise InputError(f"holds {text.strip()}, no tempo", path=path, remedy="beats per minute, above 0")
    return bpm


def estimate_beats(audio, sample_rate):
    """Track the beats of a recording (librosa's dynamic programming after Ellis, "Beat tracking by dynamic
    programming", 2007).

    Bars are guessed to be 4/4; their first beat is the one of each four where the harmony changes and the bass is
    strong, which is right for about three in four recordings if their beats are.

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
    librosa = _loaded_librosa()
    found = _tracked_frames(audio, sample_rate) if len(audio) >= sample_rate else []
    if len(found) < 2:
        return np.empty(0), np.empty(0)
    times = librosa.frames_to_time(found, sr=sample_rate, hop_length=_HOP)
    return times, _accents(audio, sample_rate, found)


def _loaded_librosa():
    """librosa with the parts used here, loaded by one process at a time.

    The first time they compile functions for numba's cache as they are loaded. Two processes that do so at once can
    leave files that do not belong together (seen with numba 0.68), and every later process would crash.
    """
    try:
        with one_at_a_time("librosa"):
            import librosa
            import librosa.beat
            import librosa.feature
            import librosa.onset
            import librosa.util
    except ImportError as error:
        raise missing_dependency("librosa", "tracking beats") from error
    return librosa


def _lines(path):
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path, remedy="check name and rights") from error
    except UnicodeDecodeError as error:
        raise InputError("is not text", path=path, remedy="give a file of times in seconds") from error
    lines = enumerate(text.splitlines(), start=1)
    return [(number, line) for number, line in lines if line.strip() and not line.lstrip().startswith("#")]


def _parsed(path, number, line):
    """(line number, time, place or None) of one line."""
    fields = line.split()
    try:
        time, *places = (float(field) for field in fields[:2])
    except ValueError as error:
        raise InputError(
            f"line {number}: {line.strip()!r} is not a time and a place", path=path, remedy="as in '0.512 1'"
        ) from error
    if not np.isfinite(time):
        raise InputError(f"line {number}: the time {time} is not finite", path=path, remedy="correct it")
    if not places:
        return number, time, None
    if not (places[0] >= 1 and places[0] == int(places[0])):
        raise InputError(f"line {number}: place {fields[1]} is not 1, 2, 3, ...", path=path, remedy="correct it")
    return number, time, int(places[0])


def _check_places(path, rows):
    for (_, _, before), (number, _, place) in itertools.pairwise(rows):
        if place not in (1, before + 1):
            raise InputError(
                f"line {number}: place {place} after {before}", path=path, remedy=f"1 or {before + 1} can follow"
            )


def _meters(places, default):
    """((beat, numerator, denominator), ...) where the meter begins or changes."""
    downbeats = [index for index, place in enumerate(places) if place == 1]
    if len(downbeats) < 2:
        numerator = max(default[0], *places)
        first = downbeats[0] if downbeats else numerator + 1 - places[0]
        return ((first, numerator, default[1]),)
    meters = []
    for downbeat, following in itertools.pairwise(downbeats):
        if not meters or meters[-1][1] != following - downbeat:
            meters.append((downbeat, following - downbeat, 4))
    last = len(places) - downbeats[-1]
    if last > meters[-1][1]:
        meters.append((downbeats[-1], last, 4))
    return tuple(meters)


def _tracked_frames(audio, sample_rate):
    import librosa

    onsets = librosa.onset.onset_strength(y=audio, sr=sample_rate, hop_length=_HOP, aggregate=np.median)
    return librosa.beat.beat_track(onset_envelope=onsets, sr=sample_rate, hop_length=_HOP)[1]


def _accents(audio, sample_rate, beats):
    """How much each beat (frame index) is like a downbeat: change of harmony, and loudness of the bass."""
    import librosa

    with warnings.catch_warnings():  # of recordings so short that the lowest octaves' windows exceed them
        warnings.filterwarnings("ignore", message="n_fft=.* is too large", category=UserWarning)
        chroma = librosa.feature.chroma_cqt(y=audio, sr=sample_rate, **_CHROMA)
    places = beats // (_CHROMA["hop_length"] // _HOP)
    chroma = librosa.util.normalize(librosa.util.sync(chroma, places, pad=False), norm=2, axis=0)
    change = 1 - np.sum(chroma[:, 1:] * chroma[:, :-1], axis=0)
    bass = librosa.feature.melspectrogram(y=audio, sr=sample_rate, hop_length=_HOP, n_mels=6, fmax=_BASS_HZ)
    bass = librosa.power_to_db(bass)
    loudness = np.array([bass[:, beat : beat + _ATTACK_FRAMES].mean() for beat in beats])
    return _standardised(np.pad(change, (1, len(beats) - 1 - len(change)))) + _standardised(loudness)


def _standardised(values):
    return (values - values.mean()) / max(values.std(), 1e-9)


def _strongest_phase(strengths):
    return int(np.argmax([np.mean(strengths[phase::4]) if phase < len(strengths) else 0.0 for phase in range(4)]))
