"""Any piece on a grid as lines of melody: per step and line the onset of a pitch, a hold, or a rest.

A melody is one line. A piano roll gives each of its tracks as many lines as it has notes at once. Arrays of lines are
of shape (steps, lines), with the tokens of `MelodyCodec`.
"""

import numpy as np

from .melody import HOLD, REST, MelodyCodec
from .pianoroll import ONSET

#: Codes that tell of every step what sounds: `pitch` where a note begins, `HELD + pitch` where it goes on, `SILENT`.
HELD, SILENT = 128, 256


def lines_of(codec, array, counts=None):
    """The lines of an encoded piece.

    Of notes that begin together the highest takes the first free line; where no line is free a note is left out.

    Parameters
    ----------
    codec : MelodyCodec or PianorollCodec
    array : numpy.ndarray
        What it encoded.
    counts : sequence of int, optional
        Lines of each track. Default: as many as needed.

    Returns
    -------
    lines : numpy.ndarray of uint8, shape (steps, sum of counts)
    left_out : int
        Number of notes for which no line was free.
    """
    if isinstance(codec, MelodyCodec):
        return np.asarray(array).astype(np.uint8)[:, None], 0
    counts = most_at_once(array) if counts is None else counts
    parts = [_lines_of_track(array[:, track], count, codec.lowest) for track, count in enumerate(counts)]
    return np.concatenate([lines for lines, _ in parts], axis=1), sum(left_out for _, left_out in parts)


def most_at_once(roll):
    """Most notes at once in each track of a roll (steps, tracks, keys, 2): list of int."""
    return np.asarray(roll).any(axis=-1).sum(axis=-1).max(axis=0, initial=0).tolist()


def _lines_of_track(roll, count, lowest):
    """Lines of one track's roll, (steps, keys, 2), and how many notes did not fit."""
    sounds = roll.any(axis=-1)
    onsets = sounds & (roll[..., ONSET] | ~np.concatenate([np.zeros_like(sounds[:1]), sounds[:-1]]))
    lines, left_out = np.full((len(roll), count), REST, np.uint8), 0
    held = [-1] * count
    for step in range(len(roll)):
        for line, key in enumerate(held):
            if key >= 0 and sounds[step, key] and not onsets[step, key]:
                lines[step, line] = HOLD
            else:
                held[line] = -1
        begun = np.flatnonzero(onsets[step])[::-1].tolist()
        free = [line for line, key in enumerate(held) if key < 0]
        for line, key in zip(free, begun, strict=False):
            held[line], lines[step, line] = key, lowest + key
        left_out += max(len(begun) - len(free), 0)
    return lines, left_out


def array_of(codec, lines, counts=None):
    """What `codec.decode` takes for lines of shape (steps, lines); `counts` as in `lines_of`."""
    if isinstance(codec, MelodyCodec):
        return _held_by_notes(lines)[:, 0].astype(codec.dtype)
    codes = codes_of(lines).astype(int)
    roll = np.zeros((len(lines), *codec.shape), bool)
    step, line = np.nonzero(codes < SILENT)
    track = np.repeat(np.arange(len(counts)), counts)[line]
    code = codes[step, line]
    key = code % HELD - codec.lowest
    inside = (key >= 0) & (key < codec.keys)
    for value, part in ((0, code < HELD), (1, code >= 0)):
        chosen = inside & part
        roll[step[chosen], track[chosen], key[chosen], value] = True
    return roll


def codes_of(lines):
    """What sounds at each step of lines (..., steps, lines): uint16 codes of the same shape, see `HELD`."""
    lines = np.asarray(lines)
    steps = np.arange(lines.shape[-2])[:, None]
    begun = np.maximum.accumulate(np.where(lines != HOLD, steps, 0), axis=-2)
    sounding = np.take_along_axis(lines, begun, axis=-2).astype(np.uint16)  # of holds the token that they hold
    silent = sounding >= HOLD
    return np.where(silent, SILENT, np.where(lines == HOLD, HELD + sounding, sounding)).astype(np.uint16)


def _held_by_notes(lines):
    """Lines without holds of nothing."""
    return np.where((lines == HOLD) & (codes_of(lines) == SILENT), REST, lines)
