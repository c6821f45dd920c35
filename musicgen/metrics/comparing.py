"""Generated pieces beside reference pieces: means of every measure, and how far their distributions overlap."""

import numpy as np

from ..errors import InputError
from .facts import Facts
from .features import DISTRIBUTIONS
from .measures import check_resolution, check_sequences, describe


def overlap_area(a, b, *, bins):
    """Area that two normalised histograms share.

    The sum over bins of the lesser of both shares: 1 for equal histograms, 0 for histograms that never meet.
    (Yang and Lerch, On the evaluation of generative models in music, Neural Computing and Applications 32, 2020,
    take the overlap of smoothed densities of distances between pieces; this one takes the values themselves.)

    Parameters
    ----------
    a, b : array-like of float, shape (n,)
        Values; the lengths may differ.
    bins : array-like of float, shape (n_bins - 1,)
        Inner bin edges, increasing. The outermost bins are open: what lies below the first edge is one bin, what
        lies at or above the last edge another.

    Returns
    -------
    float
        0 to 1; NaN if `a` or `b` is empty.

    Raises
    ------
    InputError
        If values are not finite or edges do not increase.

    Examples
    --------
    >>> overlap_area([0, 0, 0, 1], [0, 1], bins=[0.5])
    0.75
    """
    bins = np.asarray(bins, dtype=np.float64)
    if bins.ndim != 1 or not len(bins) or np.any(np.diff(bins) <= 0):
        raise InputError("bins must be a list of increasing edges", remedy="sort them, drop repeated edges")
    first, second = _shares(a, bins, "a"), _shares(b, bins, "b")
    return float(np.minimum(first, second).sum())


def compare_with(sequences, references, *, resolution=12):
    """Compare pieces, such as generated ones, with reference pieces.

    Parameters
    ----------
    sequences, references : iterable of NoteSequence
        At least one piece each.
    resolution : int
        Grid steps per quarter note, by which onsets count as simultaneous; also that of `describe`.

    Returns
    -------
    dict
        "pieces" and "references": mean of every measure of `describe` over the pieces for which it is defined
        (NaN where it is for none). "overlap": `overlap_area` (share, 0 to 1) of the values of all notes together:
        "pitch_class"; "note_quarters", note lengths; "interval", semitones between the highest notes of
        successive onsets of a track; "inter_onset_quarters", distances between successive onsets of a track.
        Drum tracks are left out of the overlaps.

    Raises
    ------
    InputError
        If either side is empty or holds anything but NoteSequences.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> scale = NoteSequence([(0.5 * i, 0.5 * i + 0.5, p, 80, 0) for i, p in enumerate([60, 62, 64, 65])])
    >>> chord = NoteSequence([(0.0, 0.5, p, 80, 0) for p in [60, 64, 67]])
    >>> comparison = compare_with([chord], [scale])
    >>> comparison["pieces"]["polyphony"], comparison["references"]["polyphony"]
    (3.0, 1.0)
    >>> round(comparison["overlap"]["pitch_class"], 3)
    0.5
    """
    check_resolution(resolution)
    sides = {
        "pieces": check_sequences(sequences, "sequences"),
        "references": check_sequences(references, "references"),
    }
    for name, side in sides.items():
        if not side:
            raise InputError(f"no {name} to compare", remedy="give at least one NoteSequence on either side")
    # A quarter step at most: on a fine grid the default tolerance would reach every onset.
    tolerance = min(0.02, 0.25 / resolution)
    means = {name: _means(side, resolution, tolerance) for name, side in sides.items()}
    values = [_distributions(side, resolution) for side in sides.values()]
    pairs = zip(_COMPARED, *values, strict=True)
    overlap = {name: overlap_area(a, b, bins=DISTRIBUTIONS[name].bins) for name, a, b in pairs}
    return {**means, "overlap": overlap}


_COMPARED = ("pitch_class", "note_quarters", "interval", "inter_onset_quarters")


def _shares(values, bins, name):
    values = np.asarray(values, dtype=np.float64).ravel()
    if not np.all(np.isfinite(values)):
        raise InputError(f"{name} must hold finite numbers only", remedy="drop NaN and infinite values")
    counts = np.bincount(np.searchsorted(bins, values, side="right"), minlength=len(bins) + 1)
    return counts / len(values) if len(values) else np.full(len(counts), np.nan)


def _means(sequences, resolution, tolerance):
    rows = [describe(sequence, resolution=resolution, tolerance=tolerance) for sequence in sequences]
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    defined = {name: column[np.isfinite(column)] for name, column in columns.items()}
    return {name: float(column.mean()) if len(column) else float("nan") for name, column in defined.items()}


def _distributions(sequences, resolution):
    """The values of all pieces together, one array per compared distribution."""
    facts = [Facts(sequence, resolution) for sequence in sequences]
    return [np.concatenate([DISTRIBUTIONS[name].of(each) for each in facts]) for name in _COMPARED]
