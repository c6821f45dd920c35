"""Posteriors of Basic Pitch to notes: the same notes as its own decoder, in near-linear time.

The decoder takes two arrays of shape (n_frames, 88), pitch 21 first: `onsets`, the probability that a note begins,
and `frames`, the probability that one sounds. It works in two passes (Bittner et al., "A lightweight
instrument-agnostic model for polyphonic note transcription and multipitch estimation", ICASSP 2022):

1. every onset peak starts a note, which lasts until the frames stay below the threshold for `PATIENCE` frames;
2. what is left, loudest cell first, is grown into notes in both directions (the melodia pass).

A note claims its cells and those one semitone beside it. Whether a cell is still free and above the threshold is one
byte per cell, so that a search for the end of a note is a search for a run of bytes; the cells of the second pass are
sorted once, since a cell's probability never changes until it is claimed. All else is computed in blocks of frames,
so that recordings of hours need little more memory than their probabilities.
"""

import numpy as np

#: Pitch of the first column, and the number of columns: the keys of a piano.
LOWEST_PITCH, N_PITCHES = 21, 88
#: A note ends when this many frames in a row are below the threshold.
PATIENCE = 11

_BLOCK = 8192  # frames that are worked on at once
_TAKEN = b"\x01"  # below the threshold, or claimed by a note
_FREE = b"\x00"
_GAP = _TAKEN * PATIENCE


def decode_notes(frames, onsets, *, onset_threshold=0.5, frame_threshold=0.3, min_frames=11, melodia_trick=True):
    """Notes in two arrays of probabilities.

    Parameters
    ----------
    frames, onsets : array-like of float, shape (n_frames, 88)
        Probability that a pitch sounds, and that a note begins.
    onset_threshold, frame_threshold : float
        Least probability of an onset, and of a sounding frame.
    min_frames : int
        A note lasts longer than this.
    melodia_trick : bool
        Whether notes without an onset are looked for in a second pass.

    Returns
    -------
    list of (int, int, int, float)
        First frame, end frame (exclusive), MIDI pitch, mean probability of its frames; in the order of discovery.

    Notes
    -----
    Where no frame is ever louder than the two before it, Basic Pitch divides by 0 and loses all onsets; here they
    are kept.

    Examples
    --------
    >>> frames, onsets = np.zeros((40, 88)), np.zeros((40, 88))
    >>> frames[5:25, 39], onsets[5, 39] = 0.75, 0.9
    >>> decode_notes(frames, onsets)
    [(5, 25, 60, 0.75)]
    """
    frames, onsets = np.asarray(frames), np.asarray(onsets)
    cells = _Cells(frames, frame_threshold)
    peaks = _onset_peaks(onsets, frames, onset_threshold)
    spans = list(_from_onsets(cells, peaks, min_frames))
    if melodia_trick:
        spans += _from_loudest(cells, frames, frame_threshold, min_frames)
    return [(start, end, key + LOWEST_PITCH, float(frames[start:end, key].mean())) for start, end, key in spans]


class _Cells:
    """Which cells are taken: one bytearray per key, so that runs are found by byte search."""

    def __init__(self, frames, threshold):
        self.n_frames = len(frames)
        self.keys = [bytearray(len(frames)) for _ in range(frames.shape[1])]
        for begin, end in _blocks(len(frames)):
            below = frames[begin:end].astype(np.float64) < threshold
            for column, row in zip(self.keys, below.T, strict=True):
                column[begin:end] = row.tobytes()

    def claim(self, key, start, end, *, beside=True):
        """Take the cells of a key, and of the two beside it."""
        run = _TAKEN * (end - start)
        for column in self.keys[max(0, key - 1) : key + 2] if beside else [self.keys[key]]:
            column[start:end] = run

    def end_after(self, key, start):
        """The end of the note that sounds at `start`, and the end of the region searched for it."""
        column, last = self.keys[key], self.n_frames - 1
        gap = column.find(_GAP, start + 1, last)
        if gap >= 0:
            return gap, gap + PATIENCE
        return max(column.rfind(_FREE, start + 1, last), start) + 1, max(last, start + 1)

    def start_before(self, key, middle):
        """The start of the note that sounds at `middle`, and the start of the region searched for it."""
        column = self.keys[key]
        gap = column.rfind(_GAP, 1, middle)
        if gap >= 0:
            return gap + PATIENCE, gap
        first = column.find(_FREE, 1, middle)
        return (first if first >= 0 else middle), min(1, middle)


def _from_onsets(cells, peaks, min_frames):
    for start, key in peaks:
        end, _ = cells.end_after(key, start)
        if end - start > min_frames:
            cells.claim(key, start, end)
            yield start, end, key


def _from_loudest(cells, frames, threshold, min_frames):
    for middle, key in _loudest_first(cells, frames, threshold):
        if cells.keys[key][middle]:
            continue
        cells.claim(key, middle, middle + 1, beside=False)
        # As in Basic Pitch, the last frame found above the threshold is not part of the note in this pass.
        end, searched_to = cells.end_after(key, middle)
        cells.claim(key, middle + 1, searched_to)
        start, searched_from = cells.start_before(key, middle)
        cells.claim(key, searched_from, middle)
        if end - 1 - start > min_frames:
            yield start, end - 1, key


def _loudest_first(cells, frames, threshold):
    """(frame, key) of the free cells above the threshold, by falling probability; ties in order of time, then key."""
    found = [_free_cells(cells, frames, threshold, *block) for block in _blocks(len(frames))]
    if not found:
        return
    times, keys, values = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(-values, kind="stable")
    for begin, end in _blocks(len(order)):
        chosen = order[begin:end]
        yield from zip(times[chosen].tolist(), keys[chosen].tolist(), strict=True)


def _free_cells(cells, frames, threshold, begin, end):
    free = np.array([np.frombuffer(column, np.uint8, end - begin, begin) for column in cells.keys]).T == 0
    values = frames[begin:end]
    times, keys = np.nonzero(free & (values.astype(np.float64) > threshold))
    return (times + begin).astype(np.int32), keys.astype(np.uint8), values[times, keys]


def _onset_peaks(onsets, frames, threshold):
    """(frame, key) of onsets above both neighbours in time; latest first, then highest first."""
    largest = max((_rise(frames, *block).max(initial=0.0) for block in _blocks(len(frames))), default=0.0)
    scale = onsets.max(initial=0.0)
    for begin, end in reversed(list(_blocks(len(frames)))):
        first, last = max(0, begin - 1), min(len(frames), end + 1)
        values = onsets[first:last].astype(np.float64)
        if largest > 0:
            values = np.maximum(values, scale * _rise(frames, first, last) / largest)
        middle = values[1:-1]
        is_peak = (middle > values[:-2]) & (middle > values[2:]) & (middle >= threshold)
        times, keys = np.nonzero(is_peak)
        yield from zip((times[::-1] + first + 1).tolist(), keys[::-1].tolist(), strict=True)


def _rise(frames, begin, end):
    """How much louder each frame from `begin` to `end` is than the louder of the two before it; at least 0.

    Scaled to the loudest onset, it stands for onsets that the network missed."""
    first = max(begin, 2)
    rise = np.zeros((end - begin, frames.shape[1]))
    values = frames[first - 2 : end].astype(np.float64)
    rise[first - begin :] = np.minimum(values[2:] - values[1:-1], values[2:] - values[:-2]).clip(min=0)
    return rise


def _blocks(count):
    return ((begin, min(begin + _BLOCK, count)) for begin in range(0, count, _BLOCK))
