"""How tracks sound together: chroma by beat and the distance of two tracks in tonal space."""

from itertools import combinations

import numpy as np

#: What rounding to MIDI ticks may move a time, in quarter notes (2.5 ms at 120 qpm) and likewise in grid steps.
SLACK = 5e-3

#: Radii of the circles of fifths, minor thirds and major thirds (Harte et al. 2006).
RADII = (1.0, 1.0, 0.5)


def spans(edges, start, end):
    """Pieces of intervals cut at edges.

    Parameters
    ----------
    edges : numpy.ndarray of float, shape (n_edges,)
        Increasing.
    start, end : numpy.ndarray of float, shape (n,)
        The intervals lie between the first and the last edge.

    Returns
    -------
    row, cell : numpy.ndarray of int64, shape (n_pieces,)
        Which interval, and which cell between two edges, each piece lies in.
    length : numpy.ndarray of float64, shape (n_pieces,)

    Examples
    --------
    >>> row, cell, length = spans(np.array([0.0, 1.0, 2.0]), np.array([0.5]), np.array([1.25]))
    >>> row.tolist(), cell.tolist(), length.tolist()
    ([0, 0], [0, 1], [0.5, 0.25])
    """
    first = np.clip(np.searchsorted(edges, start, side="right") - 1, 0, len(edges) - 2)
    last = np.clip(np.searchsorted(edges, end, side="left") - 1, first, len(edges) - 2)
    row = np.repeat(np.arange(len(start)), last - first + 1)
    cell = np.arange(len(row)) - np.repeat(np.cumsum(last - first + 1) - (last - first + 1), last - first + 1)
    cell += first[row]
    return row, cell, np.maximum(np.minimum(end[row], edges[cell + 1]) - np.maximum(start[row], edges[cell]), 0.0)


def tonal_distance(tracks, timing, duration):
    """Mean distance of tracks in tonal space, over all pairs of tracks and the beats in which both sound.

    The chroma of a track in a beat, the time that each pitch class sounds, is a point in the space of Harte, Sandler
    and Gasser ("Detecting harmonic change in musical audio", 2006); the distance is Euclidean, as in Dong et al.
    (MuseGAN, AAAI 2018): 0 for the same pitch classes, larger the less they are related.

    Parameters
    ----------
    tracks : list of structured array
        Notes of each.
    timing : Timing
    duration : float
        Seconds.

    Returns
    -------
    float
        0 to 3; NaN if no two tracks sound in one beat.
    """
    beats = np.arange(np.floor(timing.seconds_to_beats(0.0)), np.ceil(timing.seconds_to_beats(duration)) + 1)
    points = [_points(notes, timing, beats) for notes in tracks if len(notes)]
    distances = [np.linalg.norm(a - b, axis=1) for a, b in combinations(points, 2)]
    found = np.concatenate([np.empty(0), *distances])
    found = found[np.isfinite(found)]
    return float(found.mean()) if len(found) else np.nan


def _points(notes, timing, beats):
    """A track's points in tonal space, one row per beat; NaN where it is silent."""
    row, beat, length = spans(beats, timing.seconds_to_beats(notes["start"]), timing.seconds_to_beats(notes["end"]))
    chroma = np.zeros((len(beats) - 1, 12))
    np.add.at(chroma, (beat, notes["pitch"][row] % 12), length)
    total = chroma.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.where(total > 1e-9, chroma / total, np.nan) @ CIRCLES


def _circles():
    """Places of the pitch classes on the three circles: (12, 6)."""
    angles = np.arange(12)[:, None] * np.pi * np.array([7 / 6, 3 / 2, 2 / 3])
    return np.concatenate([RADII * np.sin(angles), RADII * np.cos(angles)], axis=1)


CIRCLES = _circles()
