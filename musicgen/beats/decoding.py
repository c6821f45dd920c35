"""The likeliest beats, given how much each frame is like one: a hidden Markov model of tempo and place in the beat.

A state is a beat of some length in frames and a place in it; time runs through the places, and from the end of a beat
to the start of the next one the length may change a little (Krebs, Böck and Widmer, "An efficient state-space model
for joint tempo and meter tracking", ISMIR 2015). Viterbi's algorithm finds the likeliest path.
"""

import functools
from typing import NamedTuple

import numpy as np

_SLOWEST_BPM, _FASTEST_BPM = 55, 215
STEADINESS, TRUST = 100, 0.5
_ONSET_PARTS = 16  # of a beat; its onset is in the first


class _Lengths(NamedTuple):
    """Beat lengths in frames; in how many frames each has its onset; log probabilities of lengths (to, from)."""

    frames: np.ndarray
    onsets: np.ndarray
    changes: np.ndarray


def decode_beats(activation, frames_per_s, *, steadiness=STEADINESS, trust=TRUST):
    """Frames of the beats.

    Parameters
    ----------
    activation : numpy.ndarray of float, shape (frames,)
        From 0 to 1, something like the probability of a beat.
    frames_per_s : float
    steadiness : float
        How unlikely changes of tempo are: one of 1 % is exp(-steadiness / 100) times as likely as none.
    trust : float
        Exponent of the likelihoods: frames tell less than if they were independent.

    Returns
    -------
    numpy.ndarray of int
        None if the activation is 0 throughout.

    Examples
    --------
    >>> activation = np.zeros(400)
    >>> activation[20::50] = 1
    >>> decode_beats(activation, 100).tolist()
    [20, 70, 120, 170, 220, 270, 320, 370]
    """
    if not np.any(activation):
        return np.empty(0, int)
    probability = np.clip(activation, 1e-4, 1 - 1e-4)
    gains = trust * (np.log(probability) - np.log((1 - probability) / (_ONSET_PARTS - 1)))
    lengths = _lengths(frames_per_s, steadiness)
    spans = _traced(_best_ways(gains, lengths), lengths)
    return np.array([_loudest(activation, *span) for span in spans], dtype=int)


@functools.cache
def _lengths(frames_per_s, steadiness):
    shortest, longest = (round(60 * frames_per_s / bpm) for bpm in (_FASTEST_BPM, _SLOWEST_BPM))
    frames = np.arange(shortest, longest + 1)
    changes = -steadiness * np.abs(frames[:, None] / frames - 1)
    changes = changes - np.log(np.exp(changes).sum(axis=0))
    return _Lengths(frames, -(-frames // _ONSET_PARTS), changes.astype(np.float32))


class _Ways(NamedTuple):
    """Scores of the best way to a beat that begins in a frame, and what its own onset adds: (frames, lengths).

    Beats may begin before the first frame: so many rows stand in front; only what they have in it counts."""

    scores: np.ndarray
    onset_gains: np.ndarray


def _best_ways(gains, lengths):
    """A beat that begins in frame f comes after one of some length n that began in f - n: as no beat is shorter than
    the shortest, the scores of so many frames follow at once from those before."""
    before, block, rows = lengths.frames[-1], lengths.frames[0], np.arange(len(lengths.frames))
    end = before + len(gains)
    sums = np.concatenate([np.zeros(before + 1), np.cumsum(gains)])
    ends = np.minimum(np.arange(end)[:, None] + lengths.onsets, end)
    onset_gains = (sums[ends] - sums[:-1, None]).astype(np.float32)
    scores = np.zeros_like(onset_gains)
    changes = np.ascontiguousarray(lengths.changes.T)[:, None]  # (from, 1, to)
    for first in range(before, end, block):
        began = np.arange(first, min(first + block, end))[:, None] - lengths.frames
        ended = scores[began, rows] + onset_gains[began, rows]  # (block, from)
        np.max(np.ascontiguousarray(ended.T)[:, :, None] + changes, axis=0, out=scores[first : first + len(began)])
    return _Ways(scores, onset_gains)


def _last_beat(ways, lengths):
    """(row, index of the length) of the best beat that goes on to the end."""
    totals = ways.scores + ways.onset_gains
    unfinished = np.arange(len(totals))[:, None] + lengths.frames >= len(totals)
    return np.unravel_index(np.where(unfinished, totals, -np.inf).argmax(), totals.shape)


def _loudest(activation, begin, length):
    """The frame of a beat's onset: anywhere in its first part."""
    return begin + int(np.argmax(activation[begin : begin + 1 + (length - 1) // _ONSET_PARTS]))


def _traced(ways, lengths):
    """(frame, length) of every beat in order, found from the last one back."""
    before, rows, beats = lengths.frames[-1], np.arange(len(lengths.frames)), []
    row, index = _last_beat(ways, lengths)
    while row >= before:
        beats.append((int(row - before), int(lengths.frames[index])))
        began = row - lengths.frames
        ended = ways.scores[began, rows] + ways.onset_gains[began, rows]
        index = np.argmax(ended + lengths.changes[index])
        row = began[index]
    return beats[::-1]
