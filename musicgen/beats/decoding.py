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


class _States(NamedTuple):
    """Beat lengths in frames; the states of their first and last places; the states in which a beat begins; log
    probabilities of lengths (to, from)."""

    lengths: np.ndarray
    first: np.ndarray
    last: np.ndarray
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
    states = _states(frames_per_s, steadiness)
    probability = np.clip(activation, 1e-4, 1 - 1e-4)
    gains = trust * (np.log(probability) - np.log((1 - probability) / (_ONSET_PARTS - 1)))
    origins, final = _best_paths(gains.astype(np.float32), states)
    return np.array([_loudest(activation, *span) for span in _traced(origins, final, states)], dtype=int)


@functools.cache
def _states(frames_per_s, steadiness):
    shortest, longest = (round(60 * frames_per_s / bpm) for bpm in (_FASTEST_BPM, _SLOWEST_BPM))
    lengths = np.arange(shortest, longest + 1)
    last = np.cumsum(lengths) - 1
    places = np.concatenate([np.arange(length) / length for length in lengths])
    changes = -steadiness * np.abs(lengths[:, None] / lengths - 1)
    changes = changes - np.log(np.exp(changes).sum(axis=0))
    onsets = np.flatnonzero(places < 1 / _ONSET_PARTS)
    return _States(lengths, last - lengths + 1, last, onsets, changes.astype(np.float32))


def _best_paths(gains, states):
    """From which length each beat that begins in a frame comes best, (frames, lengths), and the best last state."""
    scores = np.zeros(states.last[-1] + 1, np.float32)
    moved, rows = np.empty_like(scores), np.arange(len(states.lengths))
    origins = np.empty((len(gains), len(rows)), np.int16)
    for frame, gain in enumerate(gains):
        ways = states.changes + scores[states.last]
        origins[frame] = best = ways.argmax(axis=1)
        moved[1:] = scores[:-1]
        moved[states.first] = ways[rows, best]
        moved[states.onsets] += gain
        scores, moved = moved, scores
    return origins, int(scores.argmax())


def _loudest(activation, begin, length):
    """The frame of a beat's onset: anywhere in its first part."""
    return begin + int(np.argmax(activation[begin : begin + 1 + (length - 1) // _ONSET_PARTS]))


def _traced(origins, state, states):
    """(frame, length) of every beat in order, back from the last state."""
    beats, frame = [], len(origins) - 1
    index = int(np.searchsorted(states.last, state))
    frame -= state - states.first[index]  # where the last beat began
    while frame >= 0:
        beats.append((frame, int(states.lengths[index])))
        index = origins[frame, index]
        frame -= states.lengths[index]
    return beats[::-1]
