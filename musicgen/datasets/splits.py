"""Seeded splits that keep together what belongs together."""

import hashlib
import math

import numpy as np

from ..errors import InputError
from ..notes import NoteSequence

_GRID = 24  # steps per quarter note at which two onsets are the same


def split(sequences, fractions=(0.8, 0.1, 0.1), *, seed=0, group=None):
    """Divide pieces at random into parts, such as train, validation and test.

    Parameters
    ----------
    sequences : iterable, or PreparedPieces
        Pieces, or whatever stands for them (paths, clips).
    fractions : sequence of float
        Share of the groups in each part; they sum to 1.
    seed : int
        The same seed gives the same parts.
    group : callable, optional
        Of one piece, its group: pieces of one group stay in one part. Default: `duplicate_key` of a NoteSequence or
        prepared piece, so that a piece and its copies, transposed ones included, are never on both sides; else each
        is its own.

    Returns
    -------
    tuple of list, or of PreparedPieces
        One per fraction, pieces in their order. Sizes are exact to one group.

    Raises
    ------
    InputError
        If the fractions are not positive or do not sum to 1, or a part would be empty.

    Examples
    --------
    >>> train, test = split(range(10), (0.8, 0.2), seed=1)
    >>> len(train), len(test), sorted(train + test) == list(range(10))
    (8, 2, True)
    """
    sequences = sequences if _is_prepared(sequences) else list(sequences)
    if any(fraction <= 0 for fraction in fractions) or not math.isclose(sum(fractions), 1, abs_tol=1e-9):
        raise InputError(f"fractions must be above 0 and sum to 1, not {tuple(fractions)}")
    keys = [group(item) for item in sequences] if group else _own_groups(sequences)
    unique = list(dict.fromkeys(keys))
    edges = np.round(np.cumsum(fractions) * len(unique)).astype(int)
    if np.any(np.diff(edges, prepend=0) == 0):
        raise InputError(
            f"{len(unique)} groups are too few for fractions {tuple(fractions)}", remedy="give more pieces"
        )
    ranks = np.random.default_rng(seed).permutation(len(unique))
    part = dict(zip(unique, np.searchsorted(edges, ranks, side="right").tolist(), strict=True))
    parts = tuple([] for _ in fractions)
    for place, key in enumerate(keys):
        parts[part[key]].append(place)
    if _is_prepared(sequences):
        return tuple(map(sequences.subset, parts))
    return tuple([sequences[place] for place in places] for places in parts)


def hold_out(sequences, share, *, seed=0):
    """Pieces to learn from, and pieces to judge the learning by.

    Parameters
    ----------
    sequences : list of NoteSequence, or PreparedPieces
    share : float
        Of the pieces to hold out, from 0 to less than 1; at least one piece is held out and one is not, a piece and
        its copies counting as one.
    seed : int
        The same seed gives the same parts.

    Returns
    -------
    tuple
        Two parts as `split` gives them; the second one is None where nothing is or can be held out.

    Examples
    --------
    >>> pieces = [NoteSequence([(0.0, 0.5, 60, 80, 0), (0.5, 1.0, 60 + k, 80, 0)]) for k in range(10)]
    >>> [len(part) for part in hold_out(pieces, 0.2)], hold_out(pieces[:1], 0.2)[1]
    ([8, 2], None)
    """
    groups = len(set(_own_groups(sequences)))
    if share == 0 or groups < 2:
        return sequences, None
    share = min(max(share, 1 / groups), 1 - 1 / groups)
    return split(sequences, (1 - share, share), seed=seed)


def duplicate_key(sequence):
    """What a piece shares with its copies in any key and at any even tempo.

    The onsets in quarter notes from the first one on, to 1/24, and the intervals between the notes in their order;
    drums by their own names. Lengths, velocities and tracks do not count.

    Parameters
    ----------
    sequence : NoteSequence

    Returns
    -------
    str
        16 hexadecimal digits.

    Examples
    --------
    >>> from musicgen import transpose
    >>> piece = NoteSequence([(0.0, 0.5, 60, 80, 0), (0.5, 1.0, 64, 80, 0)])
    >>> duplicate_key(piece) == duplicate_key(transpose(piece, 3))
    True
    """
    drums = np.array([track.drum for track in sequence.tracks], bool)[sequence.notes["track"]]
    quarters = sequence.timing.seconds_to_quarters(sequence.notes["start"])
    steps = np.round((quarters - quarters.min(initial=np.inf)) * _GRID).astype(np.int64)
    pitches = sequence.notes["pitch"].astype(np.int64)
    pitches[~drums] -= pitches[~drums].min(initial=128)
    rows = np.unique(np.column_stack([steps, drums, pitches]), axis=0)
    return hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest()[:16]


def duplicates(sequences):
    """Groups of two or more pieces that are copies of each other, see `duplicate_key`.

    Returns
    -------
    list of list of int
        Places in `sequences`.
    """
    groups = {}
    for place, sequence in enumerate(sequences):
        groups.setdefault(duplicate_key(sequence), []).append(place)
    return [places for places in groups.values() if len(places) > 1]


def _is_prepared(items):
    return hasattr(items, "duplicate_keys")


def _own_groups(items):
    if _is_prepared(items):
        return items.duplicate_keys
    return [duplicate_key(item) if isinstance(item, NoteSequence) else place for place, item in enumerate(items)]
