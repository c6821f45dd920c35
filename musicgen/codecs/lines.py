"""Any piece on a grid as lines of melody: per step and line the onset of a pitch, a hold, or a rest.

A melody is one line. A piano roll gives each of its tracks as many lines as it has notes at once. Arrays of lines are
of shape (steps, lines), with the tokens of `MelodyCodec`.
"""

import numpy as np

from ..notes import Track
from ..transforms import canonical
from .grid import piece_of
from .melody import HOLD, REST, MelodyCodec
from .pianoroll import ONSET

#: Codes that tell of every step what sounds: `pitch` where a note begins, `HELD + pitch` where it goes on, `SILENT`.
HELD, SILENT = 128, 256
#: Lowest and highest pitch among which the lines of a track share their registers: C2 to C6.
REGISTERS = 36, 84


def lines_of(codec, array, counts=None):
    """The lines of an encoded piece.

    Every line of a track has a register, the first the highest, and takes the notes that lie near it; a note whose
    line is taken goes to the next free one. Where no line is free, the lowest of the notes that begin are left out.

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
    bottom, top = REGISTERS
    centres = np.linspace(top, bottom, 2 * count + 1)[1::2] - lowest
    held = [-1] * count
    for step in range(len(roll)):
        for line, key in enumerate(held):
            if key >= 0 and sounds[step, key] and not onsets[step, key]:
                lines[step, line] = HOLD
            else:
                held[line] = -1
        begun = np.flatnonzero(onsets[step])[::-1]
        if not len(begun):
            continue
        free = np.array([line for line, key in enumerate(held) if key < 0], int)
        left_out += max(len(begun) - len(free), 0)
        begun = begun[: len(free)]
        for key, line in zip(begun, free[_nearest(begun, centres[free])], strict=True):
            held[line], lines[step, line] = key, lowest + key
    return lines, left_out


def _nearest(keys, centres):
    """Of every key the place of a centre of its own, so that the squares of distances are least in all.

    Both descend, at most as many keys as centres: then the places rise.
    """
    least, costs = np.zeros(len(centres) + 1), []
    for apart in np.square(keys[:, None] - centres):
        costs.append(least[:-1] + apart)  # of this key in each place, those before it in places before
        least = np.concatenate([[np.inf], np.minimum.accumulate(costs[-1])])
    places, end = [], len(centres)
    for cost in reversed(costs):
        end = int(np.argmin(cost[:end]))
        places.append(end)
    return places[::-1]


def notes_of(tokens):
    """All notes of lines.

    Parameters
    ----------
    tokens : numpy.ndarray of uint8, shape (n, steps, lines)

    Returns
    -------
    row, start, length, pitch : numpy.ndarray of int64, shape (n_notes,)
        Number of the line, all lines of all n counted; first step; steps; MIDI pitch; by row and start. A hold of
        nothing is silence.
    """
    rows = np.moveaxis(tokens, 2, 1).reshape(-1, tokens.shape[1])
    ended = np.concatenate([rows != HOLD, np.ones((len(rows), 1), bool)], axis=1)
    stops = np.flatnonzero(ended)
    row, start = np.nonzero(rows < HOLD)
    place = row * ended.shape[1] + start
    return row, start, stops[np.searchsorted(stops, place, side="right")] - place, rows[row, start].astype(np.int64)


def piece_of_lines(codec, lines, counts, *, timing=None, tracks=None, meta=None):
    """The NoteSequence that lines (steps, lines) describe; see `Codec.decode`, and `lines_of` for `counts`.

    Pitches that the codec cannot hold are left out. Where two lines of a track sound one pitch, the earlier note ends
    when the later begins.
    """
    line, start, length, pitch = notes_of(np.asarray(lines)[None])
    track = np.repeat(np.arange(len(counts)), counts)[line]
    lowest, keys = getattr(codec, "lowest", 0), getattr(codec, "keys", 128)
    held = (pitch >= lowest) & (pitch < lowest + keys)
    tracks = tracks or getattr(codec, "tracks", None) or (Track(),)
    beside = {"resolution": codec.resolution, "timing": timing, "tracks": tracks, "meta": meta}
    found = (array[held] for array in (start, start + length, pitch))
    piece = piece_of(*found, track=track[held], count=len(lines), **beside)
    return piece if max(counts) == 1 else canonical(piece)


def codes_of(lines):
    """What sounds at each step of lines (..., steps, lines): uint16 codes of the same shape, see `HELD`."""
    lines = np.asarray(lines)
    steps = np.arange(lines.shape[-2])[:, None]
    begun = np.maximum.accumulate(np.where(lines != HOLD, steps, 0), axis=-2)
    sounding = np.take_along_axis(lines, begun, axis=-2).astype(np.uint16)  # of holds the token that they hold
    silent = sounding >= HOLD
    return np.where(silent, SILENT, np.where(lines == HOLD, HELD + sounding, sounding)).astype(np.uint16)
