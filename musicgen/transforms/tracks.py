"""What the cleaning transforms share: notes of one pitched track at a time, options within their range."""

import numpy as np

from ..errors import InputError

#: Seconds by which the notes of one chord begin apart at most.
TOGETHER_S = 0.05


def each_track(sequence, function):
    """Apply a function of notes to each pitched track until it changes their number no more; drums stay.

    Parameters
    ----------
    sequence : NoteSequence
    function : callable
        Takes the notes of one track in order of their start, gives others in any order.

    Returns
    -------
    NoteSequence
    """
    notes, drums = parted(sequence)
    parts = [_settled(function, notes[notes["track"] == track]) for track in np.unique(notes["track"])]
    return sequence.replace(notes=np.concatenate([drums, *parts]), duration=sequence.duration)


def parted(sequence):
    """Notes of the pitched tracks, and notes of the drum tracks."""
    drums = np.array([track.drum for track in sequence.tracks], dtype=bool)[sequence.notes["track"]]
    return sequence.notes[~drums], sequence.notes[drums]


def _settled(function, notes):
    while True:
        result = function(notes)
        if len(result) in (0, len(notes)):
            return result
        notes = result[np.argsort(result["start"], kind="stable")]


def checked_share(name, value):
    """The value as a float; refused outside of 0 to 1."""
    if not 0 <= value <= 1:
        raise InputError(f"{name} must lie between 0 and 1, not {value}", remedy="0 leaves the step out")
    return float(value)


def checked_seconds(name, milliseconds):
    """Milliseconds in seconds; refused below 0 and if not finite."""
    if not 0 <= milliseconds < np.inf:
        raise InputError(f"{name} must be at least 0 ms and finite, not {milliseconds}")
    return milliseconds / 1000
