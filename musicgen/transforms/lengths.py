"""How long notes are: split ones joined, tails cut at the next onset or trimmed.

Each track is judged by itself, and drum tracks are left alone.
"""

import numpy as np

from ..errors import InputError
from .noise import by_pitch, follower_limits, followers
from .tracks import TOGETHER_S, checked_seconds, checked_share, each_track


def merge_fragments(sequence, *, gap_ms=50.0, share=0.9, max_ms=400.0):
    """Join notes of one pitch that follow each other without a new attack.

    The joint note begins with the first and ends with the last of them, and has the greatest velocity.

    Parameters
    ----------
    sequence : NoteSequence
    gap_ms : float
        Most milliseconds from the end of the one to the start of the other.
    share : float
        Most velocity of the later one, as a share of the earlier's; 0 to 1. What is louder is a new attack. 0 joins
        none.
    max_ms : float
        Most length of the later one in milliseconds.

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
    >>> split = NoteSequence([(0, 1, 60, 80, 0), (1.02, 1.3, 60, 70, 0), (1.3, 1.6, 60, 90, 0)])
    >>> merge_fragments(split).notes.tolist()
    [(0.0, 1.3, 60, 80, 0), (1.3, 1.6, 60, 90, 0)]
    """
    limits = follower_limits(gap_ms, share, max_ms)
    return each_track(sequence, lambda notes: _joined(notes, limits))


def cut_overlaps(sequence, *, overlap_ms=150.0):
    """End notes that ring a little into the next ones where these begin.

    A note is cut at the first onset of its track that comes more than 50 ms after its own (what comes earlier is its
    chord), if it rings on for no more than `overlap_ms` and no longer than it lasted before. So a note that is held
    while others come and go keeps its length.

    Parameters
    ----------
    sequence : NoteSequence
    overlap_ms : float
        At least 0, which cuts none.

    Returns
    -------
    NoteSequence
        Doing it again changes nothing.

    Raises
    ------
    InputError
        If `overlap_ms` is out of range.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> line = NoteSequence([(0, 1.1, 60, 80, 0), (1, 2, 62, 80, 0), (1.5, 2, 64, 80, 0)])
    >>> cut_overlaps(line).notes["end"].tolist()
    [1.0, 2.0, 2.0]
    """
    longest = checked_seconds("overlap_ms", overlap_ms)
    return each_track(sequence, lambda notes: _cut(notes, longest))


def trim_tails(sequence, *, tail_ms=60.0, share=0.15):
    """End every note earlier: transcribers hear the release and the room as part of it.

    Parameters
    ----------
    sequence : NoteSequence
    tail_ms : float
        Milliseconds to take away. At least 0.
    share : float
        Of a note's length, the most to take away; 0 to 1, though not 1: short notes ring for a shorter time.

    Returns
    -------
    NoteSequence
        Doing it again trims again.

    Raises
    ------
    InputError
        If an argument is out of range.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> trim_tails(NoteSequence([(0, 1, 60, 80, 0), (1, 1.2, 62, 80, 0)])).notes["end"].round(3).tolist()
    [0.94, 1.17]
    """
    tail, share = checked_seconds("tail_ms", tail_ms), checked_share("share", share)
    if share == 1:
        raise InputError("share must be below 1", remedy="nothing would be left of short notes")
    return each_track(sequence, lambda notes: _trimmed(notes, tail, share))


def _joined(notes, limits):
    notes = by_pitch(notes)
    first = np.flatnonzero(~followers(notes, *limits))
    joint = notes[first]
    for name in ("end", "velocity"):
        joint[name] = np.maximum.reduceat(notes[name], first)
    return joint


def _cut(notes, longest):
    result = notes.copy()
    following = np.searchsorted(notes["start"], notes["start"] + TOGETHER_S, side="right")
    onset = np.append(notes["start"], np.inf)[following]
    tail = notes["end"] - onset
    result["end"] = np.where((tail > 0) & (tail <= np.minimum(longest, onset - notes["start"])), onset, notes["end"])
    return result


def _trimmed(notes, tail, share):
    result = notes.copy()
    result["end"] -= np.minimum(tail, (notes["end"] - notes["start"]) * share)
    return result
