"""Copied and repeated passages: the longest run of notes taken from other pieces, the longest loop within one."""

from typing import NamedTuple

import numpy as np

from .measures import (
    check_resolution,
    check_sequence,
    check_sequences,
    onset_steps,
    pitched,
    true_runs,
)


def longest_verbatim_run(sequence, references, *, resolution=12):
    """Length of the longest run of successive notes that also occurs, note for note, in a reference.

    Notes are put on the grid and sorted by onset and pitch; two runs are the same when each note stands at the
    same interval (semitones) and the same distance (grid steps) from the one before. A transposed copy therefore
    counts, and a copy at another tempo too, as steps are taken from each piece's `timing`. All pitched tracks are
    read as one line, unisons as one note; note lengths, velocities and drum tracks do not count.

    Parameters
    ----------
    sequence : NoteSequence
    references : iterable of NoteSequence
        The pieces that may have been copied, such as the training data.
    resolution : int
        Grid steps per quarter note.

    Returns
    -------
    int
        Notes in the run, at most those of the piece. 1 if only single notes agree, 0 if the piece or every
        reference is without pitched notes.

    Raises
    ------
    InputError
        If an argument is no NoteSequence, or `resolution` no whole number of at least 1.

    Notes
    -----
    Exact and without hashing: runs of doubled length get ranks from pairs of ranks, and only those that occur in
    the piece are followed in the references, in O(n log n) for n notes in all.

    Examples
    --------
    >>> from musicgen import NoteSequence, Timing
    >>> theme = NoteSequence([(0.5 * i, 0.5 * i + 0.4, p, 80, 0) for i, p in enumerate([60, 62, 64, 60, 67])])
    >>> slow = [(1.0 * i, 1.0 * i + 0.4, p, 80, 0) for i, p in enumerate([50, 65, 67, 69, 65])]
    >>> longest_verbatim_run(NoteSequence(slow, timing=Timing.regular(60)), [theme])
    4
    """
    check_sequence(sequence, "sequence")
    check_resolution(resolution)
    own = moves(sequence, resolution)
    others = [moves(reference, resolution) for reference in check_sequences(references, "references")]
    others = [moves for moves in others if len(moves)]
    if not (len(own) and others):
        return 0
    # The first note of a piece has no move; -1 there keeps runs from reaching over the end of a reference.
    corpus = np.concatenate(others)
    corpus[np.cumsum([0, *map(len, others[:-1])])] = -1
    return 1 + _longest_common_run(own[1:], corpus)


class Loop(NamedTuple):
    """A segment repeated without a break: from `start` on, `repetitions` times `period`.

    `start` and `period` are in quarter notes, `repetitions` counts the first statement too: 1 is no repetition.
    """

    start: float
    period: float
    repetitions: int

    @property
    def quarters(self):
        """Length of all repetitions together, in quarter notes."""
        return self.period * self.repetitions


def longest_loop(sequence, *, resolution=12):
    """The loop that covers most of the piece: a segment of at most one bar, repeated exactly.

    Two statements are the same when the same pitches begin in the same tracks (drums included) at the same grid
    steps; note lengths and velocities do not count, and the last statement may lack its closing rest. A segment
    begins with an onset, so silence is no loop.

    Parameters
    ----------
    sequence : NoteSequence
    resolution : int
        Grid steps per quarter note.

    Returns
    -------
    Loop
        The one that covers most quarter notes, of these the one with the shortest period, of these the first.
        `Loop(0.0, 0.0, 1)` if nothing is repeated.

    Raises
    ------
    InputError
        If `sequence` is no NoteSequence, or `resolution` no whole number of at least 1.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> ostinato = [(0.5 * i, 0.5 * i + 0.4, 60 + 4 * (i % 2), 80, 0) for i in range(7)]
    >>> longest_loop(NoteSequence(ostinato))
    Loop(start=0.0, period=2.0, repetitions=3)
    """
    loops = _loops(sequence, resolution)
    return max(loops, key=lambda loop: (loop.quarters, -loop.period), default=Loop(0.0, 0.0, 1))


def loop_count(sequence, *, resolution=12):
    """Largest number of times that a segment of at most one bar is stated without a break (1: no repetition).

    A model that is stuck repeats one note or bar until its end. See `longest_loop` for what counts as the same;
    there the time covered decides, here the number of statements.

    Parameters
    ----------
    sequence : NoteSequence
    resolution : int
        Grid steps per quarter note.

    Returns
    -------
    int
        At least 1; 0 for a piece without notes.

    Raises
    ------
    InputError
        If `sequence` is no NoteSequence, or `resolution` no whole number of at least 1.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> loop_count(NoteSequence([(0.5 * i, 0.5 * i + 0.4, 60, 80, 0) for i in range(5)]))
    5
    """
    counts = [loop.repetitions for loop in _loops(sequence, resolution)]
    return max(counts, default=min(1, len(sequence)))


def moves(sequence, resolution):
    """One code per note, the interval and the steps from the note before; the first note's is meaningless."""
    notes = pitched(sequence)
    steps = onset_steps(sequence.timing, notes["start"], resolution)
    line = np.unique(steps * 128 + notes["pitch"])
    gaps, intervals = np.diff(line // 128, prepend=0), np.diff(line % 128, prepend=0)
    gaps[:1], intervals[:1] = 0, 0
    return gaps * 256 + intervals + 128


def _longest_common_run(own, corpus):
    """Length of the longest common substring of two arrays of codes (corpus: -1 matches nothing)."""
    ranks = []  # ranks[k]: rank of the run of 2**k codes that begins at each place, -1 where `own` has none such
    pair = _ranked(own, corpus)
    while pair is not None:
        ranks.append(pair)
        pair = _joined(pair, pair, 2 ** (len(ranks) - 1))
    if not ranks:
        return 0
    length, best = 2 ** (len(ranks) - 1), ranks[-1]
    for power in range(len(ranks) - 2, -1, -1):
        longer = _joined(best, ranks[power], length)
        if longer is not None:
            length, best = length + 2**power, longer
    return length


def _joined(left, right, offset):
    """Ranks of the runs that `left` begins and `right`, `offset` places later, ends; None if no run is common."""
    codes = []
    for a, b in zip(left, right, strict=True):
        if len(b) <= offset:
            return None
        a, b = a[: len(b) - offset], b[offset:]
        codes.append(np.where((a < 0) | (b < 0), -1, a * (len(right[0]) + 1) + b))
    return _ranked(*codes)


def _ranked(own, corpus):
    """Both arrays of codes as ranks among the codes of `own`, -1 for the others; None if none is common."""
    known = np.unique(own[own >= 0])
    if not len(known):
        return None
    found = np.searchsorted(known, corpus)
    found[found == len(known)] = 0
    found[known[found] != corpus] = -1
    shared = np.zeros(len(known) + 1, bool)
    shared[found] = True
    shared[-1] = False
    if not shared.any():
        return None
    ranks = np.searchsorted(known, own)
    return np.where((own >= 0) & shared[ranks], ranks, -1), found


def _loops(sequence, resolution):
    """The longest loop of every period up to one bar."""
    check_sequence(sequence, "sequence")
    check_resolution(resolution)
    if not len(sequence):
        return []
    bar_steps = int(max(meter.quarters for meter in sequence.timing.meters) * resolution + 1e-9)
    first, codes = _step_codes(sequence, resolution, bar_steps)
    onsets = np.flatnonzero(codes)
    loops = []
    for period in range(1, bar_steps + 1):
        begin, same = _longest_repetition(codes, onsets, period)
        if same >= period:
            loops.append(Loop((first + begin) / resolution, period / resolution, same // period + 1))
    return loops


def _longest_repetition(codes, onsets, period):
    """The onset from which on most codes return after `period` steps without a break, and how many do."""
    begins, lengths = true_runs(codes[period:] == codes[:-period])
    if not len(begins):
        return 0, 0
    onset = np.append(onsets, len(codes))[np.searchsorted(onsets, begins)]
    same = lengths - (onset - begins)
    best = np.argmax(same)
    return int(onset[best]), int(same[best])


def _step_codes(sequence, resolution, bar_steps):
    """First step that holds an onset, and per step from there a number for the set of (track, pitch) that begins.

    0 is no onset. A bar of silence is added, so that the last statement of a loop counts without its closing rest.
    """
    steps = onset_steps(sequence.timing, sequence.notes["start"], resolution)
    begun = np.unique(steps * 2**24 + sequence.notes["track"].astype(np.int64) * 2**8 + sequence.notes["pitch"])
    places, first = np.unique(begun >> 24, return_index=True)
    sets = [group.tobytes() for group in np.split(begun & (2**24 - 1), first[1:])]
    numbers = {content: number for number, content in enumerate(dict.fromkeys(sets), start=1)}
    codes = np.zeros(int(places[-1] - places[0]) + 1 + bar_steps, np.int64)
    codes[places - places[0]] = [numbers[content] for content in sets]
    return int(places[0]), codes
