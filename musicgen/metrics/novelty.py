"""How much of many pieces is copied from references: of every note the longest run that begins there, all at once.

What counts as the same is told by `copying.longest_verbatim_run`, which finds the longest run of one piece; here all
pieces are sorted among all references once.
"""

import itertools

import numpy as np

from .copying import moves

#: A run of so many notes counts as copied: four bars of a tune, four chords of a chorale.
COPIED_NOTES = 16


def verbatim_runs(lines, references):
    """Of every note, the length of the longest run from it on that also occurs in a reference.

    Parameters
    ----------
    lines, references : list of numpy.ndarray of int64
        One array of codes per piece, as `copying.moves` gives them.

    Returns
    -------
    list of numpy.ndarray of int64
        One array per piece, shape (n,): notes in the run, at least 1 where there is a reference with notes; empty
        for pieces without notes.

    Notes
    -----
    The suffixes of all pieces are sorted by ranks of runs of doubled length (Manber and Myers, Suffix arrays, 1993);
    the longest run of a suffix is shared with the nearest suffix of a reference before or behind it, and its length
    follows from the ranks again. O(n log² n) for n notes in all.
    """
    known = [line for line in references if len(line)]
    if not known:
        return [np.zeros(len(line), np.int64) for line in lines]
    text = _text([*known, *lines])
    levels = _ranks(text)
    bounds = np.cumsum([sum(map(len, known)), *map(len, lines)])
    runs = 1 + _longest(levels, bounds[0])
    return [_without_head(runs[first:last]) for first, last in itertools.pairwise(bounds)]


def longest_copies(sequences, references, *, resolution=12):
    """Of every piece the longest verbatim run, and the share of its notes that is new.

    Parameters
    ----------
    sequences, references : list of NoteSequence
    resolution : int
        Grid steps per quarter note.

    Returns
    -------
    longest : numpy.ndarray of float64, shape (n,)
        As `longest_verbatim_run` of each piece.
    novelty : numpy.ndarray of float64, shape (n,)
        Share of the notes that lie in no verbatim run of at least `COPIED_NOTES` notes; NaN without notes.

    Examples
    --------
    >>> from musicgen import NoteSequence, transpose
    >>> theme = NoteSequence([(0.5 * i, 0.5 * i + 0.5, p, 80, 0) for i, p in enumerate([60, 62, 64, 60, 67] * 4)])
    >>> longest_copies([transpose(theme, 2)], [theme])
    (array([20.]), array([0.]))
    """
    return copies(
        [moves(piece, resolution) for piece in sequences], [moves(piece, resolution) for piece in references]
    )


def copies(lines, references):
    """As `longest_copies`, of lines as `copying.moves` gives them."""
    runs = verbatim_runs(lines, references)
    longest = np.array([run.max(initial=0) for run in runs], np.float64)
    return longest, np.array([1 - _covered(run).mean() if len(run) else np.nan for run in runs])


def _text(lines):
    """All codes one after the other; the first of each line is a number that occurs once."""
    text = np.concatenate(lines)
    heads = np.cumsum([0, *map(len, lines[:-1])])[[len(line) > 0 for line in lines]]
    text[heads] = -1 - np.arange(len(heads))
    return text


def _ranks(text):
    """Ranks of the runs of 1, 2, 4, ... codes that begin at each place, until no two are the same."""
    levels = [np.unique(text, return_inverse=True)[1]]
    while levels[-1].max() < len(text) - 1:
        ranks, length = levels[-1], 2 ** (len(levels) - 1)
        following = np.zeros(len(text), np.int64)
        following[:-length] = ranks[length:] + 1
        levels.append(np.unique(ranks * (len(text) + 1) + following, return_inverse=True)[1])
    return levels


def _longest(levels, known):
    """Codes that the suffix at each place beyond `known` shares with one that begins before it; 0 elsewhere."""
    order = np.argsort(levels[-1])
    place, count = np.empty(len(order), np.int64), len(order)
    place[order] = np.arange(count)
    is_known = order < known
    before = np.maximum.accumulate(np.where(is_known, np.arange(count), -1))
    behind = np.minimum.accumulate(np.where(is_known, np.arange(count), count)[::-1])[::-1]
    own = np.arange(known, count)
    shared = np.zeros(count, np.int64)
    for nearest in (before[place[own]], behind[place[own]]):
        found = (nearest >= 0) & (nearest < count)
        other = order[np.where(found, nearest, 0)]
        shared[own] = np.maximum(shared[own], np.where(found, _shared(levels, own, other), 0))
    return shared


def _shared(levels, first, second):
    """Length of what the suffixes at two places have in common."""
    size, total = len(levels[0]), np.zeros(len(first), np.int64)
    for power in range(len(levels) - 1, -1, -1):
        a, b = first + total, second + total
        inside = (a < size) & (b < size)
        same = inside & (levels[power][np.where(inside, a, 0)] == levels[power][np.where(inside, b, 0)])
        total += np.where(same, 2**power, 0)
    return total


def _without_head(runs):
    """Runs by note, from runs by code: the code of a note is the way to it, so that a run begins one note before."""
    return np.append(runs[1:], 1) if len(runs) else runs


def _covered(runs):
    """Which notes lie in a run that counts as copied."""
    long = np.flatnonzero(runs >= COPIED_NOTES)
    ends = np.minimum(long + runs[long], len(runs))
    return np.cumsum(np.bincount(long, minlength=len(runs) + 1) - np.bincount(ends, minlength=len(runs) + 1))[:-1] > 0
