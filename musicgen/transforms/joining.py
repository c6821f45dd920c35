"""Several pieces to one."""

from collections import Counter

import numpy as np

from ..errors import InputError
from ..notes import NoteSequence
from ..timing import Meter, Timing
from .basic import fit_timing

_NEAR = 1e-6  # seconds


def concatenate(sequences, *, meta=None):
    """Pieces one after the other, each from the first bar line after the end of the one before.

    Every piece keeps its tempo and meters. Tracks of the same name and instrument become one, in their order.

    Parameters
    ----------
    sequences : iterable of NoteSequence
        At least one, all with beats of the same length in quarter notes.
    meta : mapping of str to str, optional
        Of the result. Default: that of the first piece.

    Returns
    -------
    NoteSequence

    Raises
    ------
    InputError
        If there are no pieces, or their beats are of different lengths in quarter notes, as in 4/4 and 6/8.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> joined = concatenate([NoteSequence([(0, 1, 60, 80, 0)]), NoteSequence([(0, 1, 62, 80, 0)])])
    >>> joined.notes[["start", "pitch"]].tolist()
    [(0.0, 60), (2.0, 62)]
    """
    pieces = list(sequences)
    if not pieces:
        raise InputError("there are no pieces to join", remedy="give at least one")
    units = sorted({piece.timing.quarters_per_beat for piece in pieces})
    if len(units) > 1:
        reason = f"the pieces count beats of {' and '.join(f'{unit:g}' for unit in units)} quarter notes"
        raise InputError(reason, remedy="join pieces with the same kind of beat")
    tracks, places = _merged_tracks([piece.tracks for piece in pieces])
    beats, meters, notes, offset, duration = [], [], [], 0.0, 0.0
    for piece, place in zip(pieces, places, strict=True):
        end = _end_of_last_bar(piece)
        timing = fit_timing(piece.timing, 0.0, end)
        inside = timing.beats[timing.beats < end - _NEAR]
        meters += [Meter(len(beats) + beat, *meter) for beat, *meter in timing.meters]
        beats += (offset + inside).tolist()
        moved = np.array(piece.notes)
        moved["start"] += offset
        moved["end"] += offset
        moved["track"] = place[moved["track"]]
        notes.append(moved)
        duration = offset + piece.duration
        offset += end
    timing = Timing([*beats, offset], units[0], _changes(meters, units[0]))
    return NoteSequence(np.concatenate(notes), tracks, timing, duration, pieces[0].meta if meta is None else meta)


def _end_of_last_bar(piece):
    """Seconds at which the bar ends that holds the end of a piece."""
    count = len(piece.timing.bars(piece.duration))
    return float(piece.timing.quarters_to_seconds(piece.timing.first_bars(count + 1)[-1]))


def _changes(meters, quarters_per_beat):
    """Meters without those that go on as before: the same ones, at a bar line of theirs."""
    kept = meters[:1]
    for meter in meters[1:]:
        bars = (meter.beat - kept[-1].beat) * quarters_per_beat / meter.quarters
        if meter[1:] != kept[-1][1:] or abs(bars - round(bars)) > _NEAR:
            kept.append(meter)
    return tuple(kept)


def _merged_tracks(tracks_of_pieces):
    """All tracks, and for every piece the places of its own among them; copies within a piece stay apart."""
    merged, places = [], []
    for tracks in tracks_of_pieces:
        seen, mine = Counter(), []
        for track in tracks:
            alike = [place for place, known in enumerate(merged) if known == track]
            if seen[track] == len(alike):
                alike.append(len(merged))
                merged.append(track)
            mine.append(alike[seen[track]])
            seen[track] += 1
        places.append(np.array(mine, np.int64))
    return tuple(merged), places
