"""Notes that are no music: ghosts, faint ones, echoes, short ones, too many at once. Each kind has a transform.

A share is one of velocity, into which transcribers put how sure they are. Each track is judged by itself, and drum
tracks are left alone.
"""

import numpy as np

from ..errors import InputError
from .basic import whole
from .tracks import TOGETHER_S, checked_seconds, checked_share, each_track, parted

#: Semitones from a note up to its harmonics 2 to 5, and down to the tones of which it is the harmonic 2 and 3.
HARMONICS, SUBHARMONICS = (12, 19, 24, 28), (-12, -19)

_COVER = 0.5  # of a ghost sounds together with its note
_WINDOW_S = 2.0  # before and after a note: its neighbourhood


def drop_ghosts(sequence, *, above_share=0.55, below_share=0.9):
    """Drop notes that are heard only because a louder note an octave or so away sounds.

    A ghost above lies 12, 19, 24 or 28 semitones over its note: a harmonic of it. A ghost below lies 12 or 19
    semitones under it: a fundamental that is missing. The note begins before the ghost or together with it (within
    50 ms) and sounds during half of it at least.

    Parameters
    ----------
    sequence : NoteSequence
    above_share, below_share : float
        Most velocity of a ghost above and below, as a share of its note's; 0 to 1. 0 drops none.

    Returns
    -------
    NoteSequence
        Doing it again changes nothing.

    Raises
    ------
    InputError
        If a share is out of range.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> octave = NoteSequence([(0, 1, 60, 90, 0), (0, 0.9, 72, 40, 0)])
    >>> drop_ghosts(octave).notes["pitch"].tolist()
    [60]
    >>> drop_ghosts(octave, above_share=0.4).notes["pitch"].tolist()
    [60, 72]
    """
    shares = {interval: checked_share("above_share", above_share) for interval in HARMONICS}
    shares |= {interval: checked_share("below_share", below_share) for interval in SUBHARMONICS}
    return each_track(sequence, lambda notes: notes[~_are_ghosts(notes, shares)])


def drop_faint(sequence, *, share=0.5, min_velocity=1):
    """Drop notes that are much fainter than the loudest around them.

    Parameters
    ----------
    sequence : NoteSequence
    share : float
        Least velocity, as a share of the loudest note's of the track that begins within 2 s; 0 to 1.
    min_velocity : int
        Least velocity, 1 to 127.

    Returns
    -------
    NoteSequence
        Doing it again changes nothing.

    Raises
    ------
    InputError
        If an argument is out of range.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> drop_faint(NoteSequence([(0, 1, 60, 90, 0), (1, 2, 62, 40, 0), (9, 10, 62, 40, 0)])).notes["start"].tolist()
    [0.0, 9.0]
    """
    share = checked_share("share", share)
    min_velocity = whole("min_velocity", min_velocity)
    if not 1 <= min_velocity <= 127:
        raise InputError(f"min_velocity must lie between 1 and 127, not {min_velocity}")
    return each_track(
        sequence, lambda notes: notes[notes["velocity"] >= np.maximum(share * _loudest_around(notes), min_velocity)]
    )


def drop_echoes(sequence, *, gap_ms=200.0, share=0.9, max_ms=500.0):
    """Drop short notes that follow a louder note of their pitch at once: its decay, heard as another note.

    Parameters
    ----------
    sequence : NoteSequence
    gap_ms : float
        Most milliseconds from the end of the one to the start of the other.
    share : float
        Most velocity of an echo, as a share of the earlier note's; 0 to 1. 0 drops none.
    max_ms : float
        Most length of an echo in milliseconds.

    Returns
    -------
    NoteSequence
        Doing it again changes nothing.

    Raises
    ------
    InputError
        If an argument is out of range.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> drop_echoes(NoteSequence([(0, 1, 60, 90, 0), (1.1, 1.4, 60, 60, 0), (2, 2.3, 60, 60, 0)])).notes.tolist()
    [(0.0, 1.0, 60, 90, 0), (2.0, 2.3, 60, 60, 0)]
    """
    limits = follower_limits(gap_ms, share, max_ms)
    return each_track(sequence, lambda notes: by_pitch(notes)[~followers(by_pitch(notes), *limits)])


def drop_short(sequence, min_note_ms):
    """Drop notes shorter than `min_note_ms` milliseconds.

    Parameters
    ----------
    sequence : NoteSequence
    min_note_ms : float
        At least 0, which drops none.

    Returns
    -------
    NoteSequence
        Doing it again changes nothing.

    Raises
    ------
    InputError
        If `min_note_ms` is out of range.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> drop_short(NoteSequence([(0, 1, 60, 80, 0), (1, 1.05, 62, 80, 0)]), 100).notes["pitch"].tolist()
    [60]
    """
    shortest = checked_seconds("min_note_ms", min_note_ms)
    return each_track(sequence, lambda notes: notes[notes["end"] - notes["start"] >= shortest])


def limit_polyphony(sequence, voices):
    """Drop notes until no more than `voices` sound at once, drums not counted.

    Wherever a note begins as one too many, the faintest of those that sound is dropped as a whole; of equally faint
    ones the shortest, then the latest and highest.

    Parameters
    ----------
    sequence : NoteSequence
    voices : int
        At least 1.

    Returns
    -------
    NoteSequence
        Doing it again changes nothing.

    Raises
    ------
    InputError
        If `voices` is no whole number of at least 1.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> chord = NoteSequence([(0, 2, 60, 80, 0), (0, 2, 64, 50, 0), (1, 2, 67, 80, 0)])
    >>> limit_polyphony(chord, 2).notes["pitch"].tolist()
    [60, 67]
    """
    voices = whole("voices", voices)
    if voices < 1:
        raise InputError(f"voices must be at least 1, not {voices}")
    notes, drums = parted(sequence)
    kept = notes[_within_polyphony(notes, voices)]
    return sequence.replace(notes=np.concatenate([kept, drums]), duration=sequence.duration)


def _are_ghosts(notes, shares):
    """Which notes are ghosts, by shares per interval; bool, shape (n,)."""
    intervals, shares = (np.array(list(values))[:, None] for values in (shares.keys(), shares.values()))
    source, found = _last_of_pitch(notes, notes["pitch"] - intervals, notes["start"] + TOGETHER_S)
    common = np.minimum(notes["end"], source["end"]) - np.maximum(notes["start"], source["start"])
    covered = common >= _COVER * (notes["end"] - notes["start"])
    return (found & covered & (notes["velocity"] <= shares * source["velocity"])).any(axis=0)


def _last_of_pitch(notes, pitches, times):
    """Of each pitch the note that began last by a time, and whether there is one; (intervals, n) like `pitches`."""
    moments = np.unique(np.concatenate([notes["start"], times]))
    sorted_notes = by_pitch(notes)
    places = sorted_notes["pitch"].astype(int) * len(moments) + np.searchsorted(moments, sorted_notes["start"])
    wanted = pitches * len(moments) + np.searchsorted(moments, times)
    last = np.searchsorted(places, wanted, side="right") - 1
    source = sorted_notes[last]
    return source, (last >= 0) & (source["pitch"] == pitches)


def _loudest_around(notes):
    """Greatest velocity among the notes that begin near each note, itself included; float64, shape (n,)."""
    first = np.searchsorted(notes["start"], notes["start"] - _WINDOW_S, side="left")
    stop = np.searchsorted(notes["start"], notes["start"] + _WINDOW_S, side="right")
    padded = np.append(notes["velocity"], 0).astype(np.float64)  # reduceat takes no end beyond the last value
    return np.maximum.reduceat(padded, np.column_stack([first, stop]).ravel())[::2]


def by_pitch(notes):
    """The notes in order of pitch, then start."""
    return notes[np.lexsort((notes["start"], notes["pitch"]))]


def followers(notes, gap, share, longest):
    """Which notes follow the one before closely, are fainter and short: notes by pitch, limits in s; bool, (n,)."""
    earlier, later = notes[:-1], notes[1:]
    follow = (later["pitch"] == earlier["pitch"]) & (later["start"] - earlier["end"] <= gap)
    follow &= (later["velocity"] <= share * earlier["velocity"]) & (later["end"] - later["start"] <= longest)
    return np.concatenate([[False], follow])[: len(notes)]


def follower_limits(gap_ms, share, max_ms):
    """The limits of `followers` from options, checked."""
    return checked_seconds("gap_ms", gap_ms), checked_share("share", share), checked_seconds("max_ms", max_ms)


def _within_polyphony(notes, voices):
    """Which notes to keep; bool, shape (n,)."""
    start, end, pitch, velocity = (notes[name].tolist() for name in ("start", "end", "pitch", "velocity"))
    keep, sounding = np.ones(len(notes), bool), []
    for index in np.lexsort((notes["pitch"], notes["start"])).tolist():
        sounding = [other for other in sounding if end[other] > start[index]] + [index]
        if len(sounding) > voices:
            weakest = min(sounding, key=lambda i: (velocity[i], end[i] - start[i], -start[i], -pitch[i]))
            sounding.remove(weakest)
            keep[weakest] = False
    return keep
