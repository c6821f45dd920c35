"""Coherence: whether bars follow one another and come back as in music, rather than in any order.

Three measures are nothing but order: `phrase_order`, `phrase_return` and `bar_line_smoothness` are 0 on average where
the bars of a piece stand in random order, whatever the bars hold. `coherence_level` joins them; its weights were
learnt by telling real pieces from the same pieces with shuffled bars (`benchmarks/fit_metrics.py`).
"""

import numpy as np

from .bars import cosines
from .calibration import calibrated
from .facts import Facts, check_sequence
from .measures import Measure
from .papers import OWN

#: Bars of a segment that is sought again, by range.
RANGES = {"short": 2, "middle": 4, "long": 8}
#: Least similarity of two bars that count as the same.
SAME = 0.8
#: Fewest bars of which order can be told.
MIN_BARS = 4


def coherence_level(sequence):
    """How well the bars of a piece follow one another, as one number.

    Parameters
    ----------
    sequence : NoteSequence

    Returns
    -------
    float
        0 to 1, see `COHERENCE["coherence_level"]`; NaN for less than 4 bars or without pitched notes.

    Raises
    ------
    InputError
        If `sequence` is no NoteSequence.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> from musicgen.baselines import shuffled_bars
    >>> phrase = [60, 62, 64, 65, 67, 65, 64, 62]
    >>> tune = [60, *phrase, 64, 67, 72, 71, 69, *phrase, 60, 55, 60, *phrase, 62, 60, 59, 60]
    >>> piece = NoteSequence([(i, i + 1, pitch, 80, 0) for i, pitch in enumerate(tune)])  # 2 notes a bar
    >>> coherence_level(piece) > coherence_level(shuffled_bars(piece, seed=0))
    True
    """
    check_sequence(sequence, "sequence")
    return float(_coherence_level(Facts(sequence)))


def _groove_consistency(facts):
    hits = facts.bars.rhythm > 0
    return 1 - np.mean(hits[1:] != hits[:-1]) if len(hits) > 1 else np.nan


def _entropy(facts, window):
    """Entropy of the pitch classes in every so many bars in a row, mean over the windows that hold notes."""
    counts = windowed(facts.bars.pitch_classes, window)
    total = counts.sum(axis=1)
    counts = counts[total > 0] / total[total > 0, None]
    logs = np.log2(counts, out=np.zeros_like(counts), where=counts > 0)
    return abs(-(counts * logs).sum(axis=1).mean()) if len(counts) else np.nan


def _tonal_stability(facts):
    """Mean correlation of the chroma of 4 bars with that of the piece."""
    whole = facts.bars.chroma.sum(axis=0)
    parts = windowed(facts.bars.chroma, 4)
    parts = parts[parts.sum(axis=1) > 0]
    if not len(parts) or np.ptp(whole) < 1e-9:
        return np.nan
    parts, whole = parts - parts.mean(axis=1, keepdims=True), whole - whole.mean()
    scale = np.linalg.norm(parts, axis=1) * np.linalg.norm(whole)
    return np.mean(parts @ whole / np.where(scale > 0, scale, 1.0))


def _structureness(facts, length):
    """How like a segment of so many bars is to the one that it is most like, mean over all segments."""
    if len(facts.bars) < 2 * length or not len(facts.pitched):
        return np.nan
    alike = diagonal_means(facts.bars.similarity, length)
    places = np.arange(len(alike))
    alike[np.abs(places[:, None] - places) < length] = 0.0  # a segment is no repetition of what it overlaps
    return alike.max(axis=1).mean()


def _self_similarity(facts):
    pairs = _pairs(facts, 1)
    return pairs.mean() if len(pairs) and len(facts.pitched) else np.nan


def _chroma_continuity(facts):
    """Adjacent-bar similarity of chroma, less that of all pairs of bars."""
    alike = cosines(facts.bars.chroma)
    pairs = alike[np.triu_indices(len(alike), 1)]
    return np.diagonal(alike, 1).mean() - pairs.mean() if len(facts.bars) >= MIN_BARS else np.nan


def _phrase_order(facts):
    return _order(facts)[0]


def _phrase_return(facts):
    along, beside = _order(facts)
    return along - beside


def _order(facts):
    """Paths and blocks of the contrast of bars, see `Bars.paths_and_blocks`; NaN for few bars."""
    if len(facts.bars) < MIN_BARS or not len(facts.pitched):
        return np.nan, np.nan
    return facts.bars.paths_and_blocks


def _bar_line_smoothness(facts):
    """One less the mean leap across bar lines over the mean leap from any bar to any other."""
    leaps = np.minimum(facts.bars.leaps, 12.0)
    if len(facts.bars) < MIN_BARS or not np.isfinite(leaps).any():
        return np.nan
    others = leaps[:, ~np.eye(len(facts.bars), dtype=bool)]
    across, anywhere = np.diagonal(leaps, 1, axis1=1, axis2=2), others[np.isfinite(others)]
    across = across[np.isfinite(across)]
    return 1 - across.mean() / anywhere.mean() if len(across) and anywhere.mean() > 0 else 0.0


def _came_before(facts):
    """Which bars are like an earlier one: bool, (bars,)."""
    return (np.tril(facts.bars.similarity, -1) >= SAME).any(axis=1)


def _repeated_phrase_share(facts):
    """Share of the bars that lie in a repetition of two bars at least."""
    if len(facts.bars) < MIN_BARS or not len(facts.pitched):
        return np.nan
    same = np.tril(facts.bars.similarity >= SAME, -2)
    pairs = (same[:-1, :-1] & same[1:, 1:]).any(axis=1)
    return np.mean(np.append(pairs, False) | np.append(False, pairs))


def _phrase_balance(facts):
    share = _repeated_phrase_share(facts)
    return 4 * share * (1 - share)


def _distinct_bar_share(facts):
    return 1 - np.mean(_came_before(facts)) if len(facts.pitched) else np.nan


def _coherence_level(facts):
    weights = calibrated("coherence")
    order, returned = weights["phrase_order"] * _phrase_order(facts), weights["phrase_return"] * _phrase_return(facts)
    smoothness = weights["bar_line_smoothness"] * np.maximum(_bar_line_smoothness(facts), -1.0)
    flow = _logistic(weights["flow_offset"] + order + smoothness)
    share = (flow + _logistic(weights["return_offset"] + returned)) / 2
    return share * np.minimum(1.0, _distinct_bar_share(facts) / weights["least_distinct_bar_share"])


def _logistic(value):
    return 1 / (1 + np.exp(-value))


def _pairs(facts, least):
    """Similarity of all pairs of bars at least so far apart."""
    return facts.bars.similarity[np.triu_indices(len(facts.bars), least)]


def windowed(rows, length):
    """Sums of so many rows in a row: (rows - length + 1, columns), one sum where there are fewer rows.

    Examples
    --------
    >>> windowed(np.array([[1.0], [2.0], [4.0]]), 2).tolist()
    [[3.0], [6.0]]
    """
    total = np.cumsum(np.vstack([np.zeros((1, rows.shape[1])), rows]), axis=0)
    length = min(length, len(rows))
    return total[length:] - total[:-length]


def diagonal_means(matrix, length):
    """Means along the diagonals: entry (i, j) is the mean of (i, j), (i + 1, j + 1), ..., so many.

    Examples
    --------
    >>> diagonal_means(np.array([[1.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 4.0, 5.0]]), 2).tolist()
    [[2.0, 0.0], [2.0, 4.0]]
    """
    size = len(matrix) - length + 1
    return sum(matrix[k : k + size, k : k + size] for k in range(length)) / length


_ENTROPY = "Wu and Yang 2020 (pitch-class histogram entropy)"

#: Every measure of coherence by name.
COHERENCE = {
    "coherence_level": Measure(
        "",
        0,
        1,
        "Mean of two shares that logistic functions give the piece's own order of bars against a random one: by how "
        "it flows, from `bar_line_smoothness` and `phrase_order`, and by what returns, from `phrase_return`. Less "
        "where the same bars return without end: in proportion, where `distinct_bar_share` is below that of nearly "
        "all (99 %) real pieces.",
        OWN,
        _coherence_level,
    ),
    "phrase_order": Measure(
        "",
        -1,
        1,
        "Correlation of how like two bars are with how like the two bars after them are, over all pairs at least two "
        "bars apart: 0 on average for bars in random order, and for bars that are all alike. Likeness is the cosine "
        "of the onsets by pitch class and sixteenth, less what each of both bars has with all others on average.",
        f"{OWN}, on a self-similarity matrix (Foote 1999)",
        _phrase_order,
    ),
    "phrase_return": Measure(
        "",
        -2,
        2,
        "`phrase_order` less the same correlation of two bars with one of them and the next of the other: how far "
        "passages return in the order in which they came, beyond neighbouring bars being alike. 0 on average for "
        "bars in random order, and about 0 for music without memory, such as a Markov chain's.",
        f"{OWN}, after paths and blocks of self-similarity matrices in Müller 2015",
        _phrase_return,
    ),
    "bar_line_smoothness": Measure(
        "",
        -np.inf,
        1,
        "1 less the ratio of the mean leap across bar lines, within a track, to the mean leap from the end of any "
        "bar to the beginning of any other; leaps of more than an octave count as one. 0 on average for bars in "
        "random order.",
        OWN,
        _bar_line_smoothness,
    ),
    "chroma_continuity": Measure(
        "",
        -1,
        1,
        "Mean cosine of the chroma of adjacent bars, less that of all pairs of bars.",
        OWN,
        _chroma_continuity,
    ),
    "groove_consistency": Measure(
        "share",
        0,
        1,
        "Share of the sixteenths at which adjacent bars agree whether a note begins, mean over bars.",
        "Wu and Yang 2020 (grooving pattern similarity), there of all pairs of bars; of adjacent ones as in "
        "Dong et al. 2020 (groove consistency)",
        _groove_consistency,
    ),
    "pitch_class_entropy_1_bar": Measure(
        "bits",
        0,
        np.log2(12),
        "Entropy of the pitch classes of the notes that begin in a bar, mean over bars.",
        _ENTROPY,
        lambda facts: _entropy(facts, 1),
    ),
    "pitch_class_entropy_4_bars": Measure(
        "bits",
        0,
        np.log2(12),
        "The same in any four bars in a row.",
        _ENTROPY,
        lambda facts: _entropy(facts, 4),
    ),
    "tonal_stability": Measure(
        "",
        -1,
        1,
        "Correlation of the chroma, the time that each pitch class sounds, of four bars with that of the piece, mean "
        "over any four bars in a row.",
        f"{OWN}, after the profiles of keys in Krumhansl 1990",
        _tonal_stability,
    ),
    **{
        f"structureness_{name}": Measure(
            "",
            0,
            1,
            f"How like segments of {length} bars are to the one elsewhere in the piece that each is most like, mean "
            "over all.",
            "after Wu and Yang 2020 (structureness indicator), there the best fitness in a scape plot of the sound",
            lambda facts, length=length: _structureness(facts, length),
        )
        for name, length in RANGES.items()
    },
    "self_similarity": Measure(
        "",
        0,
        1,
        "Cosine of the onsets by pitch class and sixteenth of two bars, mean over all pairs.",
        f"{OWN}, on a self-similarity matrix (Foote 1999)",
        _self_similarity,
    ),
    "distinct_bar_share": Measure(
        "share",
        0,
        1,
        f"Share of the bars that are like no earlier one (likeness below {SAME}).",
        OWN,
        _distinct_bar_share,
    ),
    "repeated_phrase_share": Measure(
        "share",
        0,
        1,
        f"Share of the bars that lie in a repetition of two or more bars (likeness {SAME} or more).",
        OWN,
        _repeated_phrase_share,
    ),
    "phrase_balance": Measure(
        "",
        0,
        1,
        "Phrase repetition that is neither none nor endless: 4 r (1 - r) of `repeated_phrase_share` r, 0 where "
        "nothing or everything is a repetition, 1 where half of the bars are.",
        OWN,
        _phrase_balance,
    ),
}
