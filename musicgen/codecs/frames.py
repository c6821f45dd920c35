"""Chords as a stream: per step the sounding keys in ascending order and an end token.

The piano rolls of Boulanger-Lewandowski, Bengio and Vincent ("Modeling temporal dependencies in high-dimensional
sequences", 2012) have 88 keys from MIDI pitch 21 on. The probability of such a roll is that of its stream: exact,
without any assumption of independent keys.
"""

import numpy as np

from ..errors import InputError
from ..notes import NoteSequence, Track
from ..transforms import quantise
from .base import TokenCodec, check_limits, check_pitches
from .grid import checked_roll, covered, piece_of, steps_of


class FramesCodec(TokenCodec):
    """Piano roll or NoteSequence ⇄ keys that sound in each step, and an end of each step.

    Rolls are held exactly. Of a piece, pitches and times are held: velocity and track are left out, and where a
    note follows on one of the same pitch the two run together.

    Parameters
    ----------
    lowest : int
        MIDI pitch of key 0.
    keys : int
        Number of keys; token `keys` ends a step.
    resolution : int
        Grid steps per quarter note of pieces, 1 to 96.

    Examples
    --------
    >>> codec = FramesCodec(lowest=60, keys=12)
    >>> roll = np.zeros((3, 12), bool)
    >>> roll[0, [0, 4]] = roll[2, 7] = True
    >>> codec.encode(roll).tolist()
    [0, 4, 12, 12, 7, 12]
    >>> bool((codec.roll(codec.encode(roll)) == roll).all())
    True
    """

    name = "frames"

    def __init__(self, *, lowest=21, keys=88, resolution=4):
        check_limits(lowest=(lowest, 0, 127), resolution=(resolution, 1, 96))
        check_limits(keys=(keys, 1, 128 - lowest))
        self.lowest, self.keys, self.resolution = lowest, keys, resolution
        self.vocabulary = (*(f"Pitch_{lowest + key}" for key in range(keys)), "End_None")

    def get_config(self):
        """Constructor arguments, as JSON can hold them."""
        return {"lowest": self.lowest, "keys": self.keys, "resolution": self.resolution}

    def encode(self, sequence):
        """Tokens of a piece or of a roll.

        Parameters
        ----------
        sequence : NoteSequence, or array-like of 0 and 1, shape (n_steps, keys)

        Returns
        -------
        numpy.ndarray of int32, shape (n_tokens,)
            One token per sounding key and one per step.

        Raises
        ------
        InputError
            If a note lies outside the keys, or the roll has another shape or other values.
        """
        roll = self._sounding(sequence) if isinstance(sequence, NoteSequence) else sequence
        steps, keys = np.nonzero(checked_roll(roll, (self.keys,), "a roll"))
        tokens = np.full(len(keys) + len(roll), self.keys, np.int32)
        tokens[np.arange(len(keys)) + steps] = keys
        return tokens

    def roll(self, tokens):
        """The roll that tokens describe: bool, shape (n_steps, keys).

        Raises
        ------
        InputError
            If keys of a step do not rise, or the last step has no end.
        """
        tokens = self._checked_ids(tokens)
        ends = tokens == self.keys
        falling = np.flatnonzero(~ends[1:] & ~ends[:-1] & (tokens[1:] <= tokens[:-1]))
        if len(falling):
            self._refuse_token(tokens, int(falling[0]) + 1)
        if len(tokens) and not ends[-1]:
            reason = f"tokens end inside a step, at {self.vocabulary[tokens[-1]]}"
            raise InputError(reason, remedy="end the last step with End_None")
        steps = np.cumsum(ends) - ends
        roll = np.zeros((int(ends.sum()), self.keys), bool)
        roll[steps[~ends], tokens[~ends]] = True
        return roll

    def decode(self, tokens, *, timing=None, tracks=None, meta=None):
        """The piece that tokens describe; a key that sounds in consecutive steps is one note.

        Parameters
        ----------
        tokens : array-like of int, shape (n_tokens,)
        timing : Timing, optional
            Where the steps lie, as kept beside the tokens. Default: 120 quarter notes per minute from 0 s.
        tracks : sequence of Track, optional
            The first one gets the notes. Default: a piano.
        meta : mapping, optional

        Returns
        -------
        NoteSequence
            It ends with the last step.

        Raises
        ------
        InputError
            As `roll`.
        """
        roll = self.roll(tokens)
        silence = np.zeros((self.keys, 1), np.int8)
        change = np.diff(np.concatenate([silence, roll.T.astype(np.int8), silence], axis=1), axis=1)
        keys, starts = np.nonzero(change == 1)
        _, ends = np.nonzero(change == -1)
        tracks = (Track(),) if tracks is None else tracks
        beside = {"resolution": self.resolution, "timing": timing, "tracks": tracks, "meta": meta}
        return piece_of(starts, ends, self.lowest + keys, count=len(roll), **beside)

    def allowed_next(self, tokens):
        """Which tokens may follow a prefix: keys above the last one of this step, and the end of the step.

        Returns
        -------
        numpy.ndarray of bool, shape (keys + 1,)
        """
        tokens = self._checked_ids(tokens)
        open_step = len(tokens) > 0 and tokens[-1] < self.keys
        return np.arange(self.vocab_size) > (tokens[-1] if open_step else -1)

    def _sounding(self, sequence):
        check_pitches(sequence, self.lowest, self.keys)
        piece = quantise(sequence, self.resolution)
        starts, ends, count = steps_of(piece, self.resolution)
        steps, note = covered(starts, ends)
        roll = np.zeros((count, self.keys), bool)
        roll[steps, piece.notes["pitch"][note] - self.lowest] = True
        return roll
