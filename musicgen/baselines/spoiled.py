"""Pieces with noise of a known amount: random notes, wrong pitches, notes off their place or torn to fragments.

By them the noise level of `metrics` is calibrated and tested. A share is one of the piece's pitched notes; drum
tracks are left alone.
"""

import numpy as np

from ..errors import InputError
from ..metrics.measures import check_sequence, pitched
from ..notes import NOTE_DTYPE

#: Standard deviations of `with_jitter`, in quarter notes and MIDI velocity.
JITTER_QUARTERS, JITTER_VELOCITY = 0.125, 20.0
#: Shortest and longest fragment of `with_fragments`, in quarter notes.
FRAGMENT_QUARTERS = (0.05, 0.2)

_SHORTEST_S = 1e-3


def with_random_notes(sequence, share, *, seed, resolution=None):
    """The piece with notes that mean nothing.

    Parameters
    ----------
    sequence : NoteSequence
    share : float
        Notes to add for each note that is there, 0 to 1.
    seed : int
        The same seed gives the same notes.
    resolution : int, optional
        Grid steps per quarter note on which they begin and end. Default: none, they begin anywhere.

    Returns
    -------
    NoteSequence
        Onsets are spread evenly over the piece, pitches over its range; lengths are exponentially distributed around
        the mean; velocity and track are those of any note of the piece.

    Raises
    ------
    InputError
        If `sequence` is no NoteSequence or `share` is out of range.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> theme = NoteSequence([(0.5 * i, 0.5 * i + 0.5, 60 + i, 80, 0) for i in range(4)])
    >>> len(with_random_notes(theme, 0.5, seed=0))
    6
    """
    notes, random, to_quarters = _checked(sequence, share), np.random.default_rng(seed), sequence.timing
    count = round(share * len(notes))
    if not count:
        return sequence
    start, end = (to_quarters.seconds_to_quarters(notes[name]) for name in ("start", "end"))
    first, last = to_quarters.seconds_to_quarters([0.0, sequence.duration])
    begin = random.uniform(first, last, count)
    length = random.exponential(np.mean(end - start), count)
    if resolution is not None:
        begin, length = np.floor(begin * resolution) / resolution, np.ceil(length * resolution) / resolution
    added = np.empty(count, NOTE_DTYPE)
    added["start"] = np.clip(to_quarters.quarters_to_seconds(begin), 0.0, sequence.duration - 2 * _SHORTEST_S)
    added["end"] = np.minimum(to_quarters.quarters_to_seconds(begin + length), sequence.duration)
    added["end"] = np.maximum(added["end"], added["start"] + _SHORTEST_S)
    added["pitch"] = random.integers(notes["pitch"].min(), notes["pitch"].max(), count, endpoint=True)
    like = random.choice(notes, count)
    added["velocity"], added["track"] = like["velocity"], like["track"]
    return _spoiled(sequence, np.concatenate([sequence.notes, added]), "with_random_notes", share, seed)


def with_wrong_pitches(sequence, share, *, seed):
    """The piece with some notes at random pitches.

    Parameters
    ----------
    sequence : NoteSequence
    share : float
        Of the notes that are changed, 0 to 1.
    seed : int
        The same seed gives the same notes.

    Returns
    -------
    NoteSequence
        Their pitches are spread evenly over the range of the piece; all else stays.

    Raises
    ------
    InputError
        If `sequence` is no NoteSequence or `share` is out of range.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> theme = NoteSequence([(0.5 * i, 0.5 * i + 0.5, 60 + i, 80, 0) for i in range(4)])
    >>> with_wrong_pitches(theme, 0.5, seed=0).notes["pitch"].tolist()
    [60, 61, 61, 61]
    """
    pitched_notes, random = _checked(sequence, share), np.random.default_rng(seed)
    notes = np.array(sequence.notes)
    chosen = _drawn(sequence, pitched_notes, share, random)
    if len(chosen):
        low, high = pitched_notes["pitch"].min(), pitched_notes["pitch"].max()
        notes["pitch"][chosen] = random.integers(low, high, len(chosen), endpoint=True)
    return _spoiled(sequence, notes, "with_wrong_pitches", share, seed)


def with_jitter(sequence, share, *, seed):
    """The piece with some notes off their place and velocity.

    Parameters
    ----------
    sequence : NoteSequence
    share : float
        Of the notes that are moved, 0 to 1.
    seed : int
        The same seed gives the same notes.

    Returns
    -------
    NoteSequence
        Moved by normally distributed amounts: their starts (the ends with them) by `JITTER_QUARTERS`, their
        velocities by `JITTER_VELOCITY`.

    Raises
    ------
    InputError
        If `sequence` is no NoteSequence or `share` is out of range.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> theme = NoteSequence([(0.5 * i, 0.5 * i + 0.5, 60 + i, 80, 0) for i in range(4)])
    >>> int((with_jitter(theme, 0.5, seed=0).notes["velocity"] != 80).sum())
    2
    """
    pitched_notes, random, timing = _checked(sequence, share), np.random.default_rng(seed), sequence.timing
    notes = np.array(sequence.notes)
    chosen = _drawn(sequence, pitched_notes, share, random)
    start, end = (timing.seconds_to_quarters(notes[name][chosen]) for name in ("start", "end"))
    shift = random.normal(0.0, JITTER_QUARTERS, len(chosen))
    velocity = notes["velocity"][chosen] + np.rint(random.normal(0.0, JITTER_VELOCITY, len(chosen)))
    notes["start"][chosen] = np.maximum(timing.quarters_to_seconds(start + shift), 0.0)
    notes["end"][chosen] = timing.quarters_to_seconds(end + shift)
    notes["end"][chosen] = np.maximum(notes["end"][chosen], notes["start"][chosen] + _SHORTEST_S)
    notes["velocity"][chosen] = np.clip(velocity, 1, 127)
    return _spoiled(sequence, notes, "with_jitter", share, seed)


def with_fragments(sequence, share, *, seed):
    """The piece with some notes torn to fragments.

    Parameters
    ----------
    sequence : NoteSequence
    share : float
        Of the notes that are torn, 0 to 1.
    seed : int
        The same seed gives the same notes.

    Returns
    -------
    NoteSequence
        Of a torn note one fragment follows the other without a gap, each of a length evenly drawn from
        `FRAGMENT_QUARTERS`, the last one cut by the note's end.

    Raises
    ------
    InputError
        If `sequence` is no NoteSequence or `share` is out of range.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> theme = NoteSequence([(0.5 * i, 0.5 * i + 0.5, 60 + i, 80, 0) for i in range(4)])
    >>> torn = with_fragments(theme, 0.25, seed=0)
    >>> len(torn) > 4, torn.duration
    (True, 2.0)
    """
    pitched_notes, random = _checked(sequence, share), np.random.default_rng(seed)
    chosen = _drawn(sequence, pitched_notes, share, random)
    whole = np.delete(sequence.notes, chosen)
    torn = [_torn(note, sequence.timing, random) for note in sequence.notes[chosen]]
    return _spoiled(sequence, np.concatenate([whole, *torn]), "with_fragments", share, seed)


#: Every kind of noise by name: functions of a piece, a share and a seed.
NOISES = {
    "random notes": with_random_notes,
    "jitter": with_jitter,
    "fragments": with_fragments,
    "wrong pitches": with_wrong_pitches,
}


def _checked(sequence, share):
    check_sequence(sequence, "sequence")
    if not 0 <= share <= 1:
        raise InputError(f"share must lie between 0 and 1, not {share}")
    return pitched(sequence)


def _drawn(sequence, pitched_notes, share, random):
    """Places of as many pitched notes as the share tells, in order."""
    drums = np.array([track.drum for track in sequence.tracks], bool)
    places = np.flatnonzero(~drums[sequence.notes["track"]])
    return np.sort(random.choice(places, round(share * len(pitched_notes)), replace=False))


def _torn(note, timing, random):
    start, end = timing.seconds_to_quarters([note["start"], note["end"]])
    cuts = start + np.cumsum(random.uniform(*FRAGMENT_QUARTERS, int((end - start) / FRAGMENT_QUARTERS[0]) + 1))
    times = timing.quarters_to_seconds(np.concatenate([[start], cuts[cuts < end - 1e-3], [end]]))
    fragments = np.repeat(note, len(times) - 1)
    fragments["start"], fragments["end"] = times[:-1], times[1:]
    fragments["start"][0], fragments["end"][-1] = note["start"], note["end"]
    return fragments


def _spoiled(sequence, notes, model, share, seed):
    duration = max(sequence.duration, notes["end"].max(initial=0.0))
    meta = {"model": model, "share": share, "seed": seed}
    return sequence.replace(notes=notes, duration=duration, meta=meta)
