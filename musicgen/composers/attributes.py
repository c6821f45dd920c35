"""What can be told of a fragment in one number, and moved in latent space: attributes of lines of tokens.

The first two and the last follow Roberts et al. ("A hierarchical latent vector model for learning long-term structure
in music", ICML 2018), who move melodies along such attributes.
"""

import numpy as np

from ..codecs.lines import SILENT, codes_of
from ..codecs.melody import HOLD

_C_MAJOR = np.isin(np.arange(12), [0, 2, 4, 5, 7, 9, 11])


def diatonic_share(tokens, beat_steps):
    """Share of notes whose pitch class lies in C major, 0 to 1."""
    return _mean(_C_MAJOR[tokens % 12], tokens < HOLD)


def note_density(tokens, beat_steps):
    """Notes per step and line, 0 to 1."""
    return (tokens < HOLD).mean(axis=(1, 2))


def interval_size(tokens, beat_steps):
    """Mean distance of consecutive notes of a line, in semitones."""
    begins = tokens < HOLD
    steps = np.arange(tokens.shape[1])[None, :, None]
    latest = np.maximum.accumulate(np.where(begins, steps, -1), axis=1)
    before = np.concatenate([np.full_like(latest[:, :1], -1), latest[:, :-1]], axis=1)
    pitches = np.where(begins, tokens, 0).astype(int)
    distances = np.abs(pitches - np.take_along_axis(pitches, np.maximum(before, 0), axis=1))
    return _mean(distances, begins & (before >= 0))


def syncopation(tokens, beat_steps):
    """Share of notes that begin between beats and sound through the next one, 0 to 1."""
    begins, steps = tokens < HOLD, tokens.shape[1]
    between = (np.arange(steps) % beat_steps != 0)[None, :, None]
    following = np.minimum((np.arange(steps) // beat_steps + 1) * beat_steps, steps)
    held = np.concatenate([tokens == HOLD, np.zeros_like(begins[:, :1])], axis=1).astype(int)
    sums = np.concatenate([np.zeros_like(held[:, :1]), np.cumsum(held, axis=1)], axis=1)
    reach = np.minimum(following + 1, steps + 1)
    through = sums[:, reach] - sums[:, np.arange(steps) + 1] == (reach - np.arange(steps) - 1)[None, :, None]
    return _mean(between & through, begins)


#: Name to function of (tokens (n, steps, lines), beat_steps) that gives float64 of shape (n,).
ATTRIBUTES = {function.__name__: function for function in (diatonic_share, note_density, interval_size, syncopation)}


def pitch_class_time(tokens):
    """Steps that each pitch class sounds in each fragment: float64, shape (n, 12)."""
    codes = codes_of(tokens)
    classes = np.where(codes < SILENT, codes % 128 % 12, 12)
    return np.stack([(classes == one).sum(axis=(1, 2)) for one in range(12)], axis=1).astype(float)


def _mean(values, counted):
    """Mean over what counts in each fragment; 0 where nothing does."""
    return np.where(counted, values, 0).sum(axis=(1, 2)) / np.maximum(counted.sum(axis=(1, 2)), 1)
