"""Piano rolls of several tracks, with onsets, so that a repeated note is not a long one."""

import numpy as np

from ..transforms import canonical, quantise
from .base import Codec, check_limits, check_pitches, check_track_count, checked_tracks, commonest_tracks
from .grid import checked_roll, covered, piece_of, steps_of

ONSET, SUSTAIN = 0, 1


class PianorollCodec(Codec):
    """NoteSequence ⇄ bool array (n_steps, tracks, keys, 2).

    ``roll[..., 0]`` is true in the first step of a note, ``roll[..., 1]`` in all its steps. Velocity is left out.
    Overlapping notes of one pitch and track are held in their canonical form, see `transforms.canonical`. The timing,
    with meters and pickup, is kept beside the array: `decode(encode(piece), timing=piece.timing)` is the same piece
    on one that lies on the grid and ends with a step.

    Parameters
    ----------
    resolution : int
        Grid steps per quarter note, 1 to 96.
    tracks : int or sequence of Track
        Number of tracks, or the tracks that decoded pieces get.
    lowest : int
        MIDI pitch of key 0.
    keys : int
        Number of keys.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> codec = PianorollCodec(resolution=2, lowest=60, keys=12)
    >>> piece = NoteSequence([(0.0, 0.5, 60, 80, 0), (0.5, 1.0, 60, 80, 0)])
    >>> codec.encode(piece)[:, 0, 0].astype(int).tolist()
    [[1, 1], [0, 1], [1, 1], [0, 1]]
    >>> codec.decode(codec.encode(piece)) == piece
    True
    """

    name = "pianoroll"
    dtype = np.dtype(bool)
    learns = True

    def __init__(self, *, resolution=4, tracks=1, lowest=0, keys=128):
        check_limits(resolution=(resolution, 1, 96), lowest=(lowest, 0, 127))
        check_limits(keys=(keys, 1, 128 - lowest))
        self.resolution, self.lowest, self.keys = resolution, lowest, keys
        self.tracks = checked_tracks(tracks)

    @classmethod
    def for_data(cls, sequences, **options):
        """A codec with the tracks of some sequences, each with the name and instrument that it has most often."""
        return cls(**{"tracks": commonest_tracks(sequences)[0], **options})

    @property
    def shape(self):
        """Shape of one step: (tracks, keys, 2)."""
        return (len(self.tracks), self.keys, 2)

    def get_config(self):
        """Constructor arguments, as JSON can hold them."""
        return {
            "resolution": self.resolution,
            "tracks": [list(track) for track in self.tracks],
            "lowest": self.lowest,
            "keys": self.keys,
        }

    def encode(self, sequence):
        """The roll of a piece.

        Parameters
        ----------
        sequence : NoteSequence

        Returns
        -------
        numpy.ndarray of bool, shape (n_steps, tracks, keys, 2)

        Raises
        ------
        InputError
            If a note lies outside the keys, or the piece has more tracks than the codec.
        """
        check_track_count(sequence, len(self.tracks))
        check_pitches(sequence, self.lowest, self.keys)
        piece = canonical(quantise(sequence, self.resolution))
        starts, ends, count = steps_of(piece, self.resolution)
        track, key = piece.notes["track"], piece.notes["pitch"] - self.lowest
        roll = np.zeros((count, *self.shape), bool)
        roll[starts, track, key, ONSET] = True
        steps, note = covered(starts, ends)
        roll[steps, track[note], key[note], SUSTAIN] = True
        return roll

    def decode(self, roll, *, timing=None, tracks=None, meta=None):
        """The piece that a roll describes; every roll describes one.

        A note sounds while either of its two values is true. It begins at an onset, or where it sounds and did not
        before.

        Parameters
        ----------
        roll : array-like of 0 and 1, shape (n_steps, tracks, keys, 2)
        timing : Timing, optional
            Where the steps lie, as kept beside the array. Default: 120 quarter notes per minute from 0 s.
        tracks : sequence of Track, optional
            Default: the codec's.
        meta : mapping, optional

        Returns
        -------
        NoteSequence
            It ends with the last step.

        Raises
        ------
        InputError
            If the roll has another shape or other values.
        """
        roll = checked_roll(roll, self.shape, "a roll")
        lanes = np.moveaxis(roll, 0, 2)  # (tracks, keys, n_steps, 2)
        silence = np.zeros((*self.shape[:2], 1), bool)
        sounds = np.concatenate([silence, lanes.any(axis=-1), silence], axis=2)
        onset = np.concatenate([lanes[..., ONSET], silence], axis=2)
        before, now = sounds[..., :-1], sounds[..., 1:]
        track, key, starts = np.nonzero(now & (onset | ~before))
        _, _, ends = np.nonzero(before & (onset | ~now))
        beside = {"resolution": self.resolution, "timing": timing, "meta": meta}
        tracks = self.tracks if tracks is None else tracks
        return piece_of(starts, ends, self.lowest + key, track=track, count=len(roll), tracks=tracks, **beside)
