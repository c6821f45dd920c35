"""One line of melody: per step the onset of a pitch, a hold, or a rest."""

import numpy as np

from ..errors import InputError
from ..notes import Track
from ..transforms import quantise
from .base import TokenCodec, check_limits
from .grid import covered, piece_of, steps_of

HOLD, REST = 128, 129


class MelodyCodec(TokenCodec):
    """Monophonic NoteSequence ⇄ one token per step: 0 to 127 begin a note, 128 holds it, 129 is silence.

    A repeated note is a new onset. Velocity is left out. The timing, with meters and pickup, is kept beside the
    tokens: `decode(encode(piece), timing=piece.timing)` is the same piece on one that lies on the grid and ends with
    a step.

    Parameters
    ----------
    resolution : int
        Grid steps per quarter note, 1 to 96.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> codec = MelodyCodec(resolution=2)
    >>> piece = NoteSequence([(0.0, 0.5, 60, 80, 0), (0.5, 0.75, 60, 80, 0)], duration=1.0)
    >>> codec.encode(piece).tolist()
    [60, 128, 60, 129]
    >>> codec.decode(codec.encode(piece)) == piece
    True
    """

    name = "melody"
    vocabulary = (*(f"Pitch_{pitch}" for pitch in range(128)), "Hold_None", "Rest_None")

    def __init__(self, *, resolution=4):
        check_limits(resolution=(resolution, 1, 96))
        self.resolution = resolution

    def get_config(self):
        """Constructor arguments, as JSON can hold them."""
        return {"resolution": self.resolution}

    def encode(self, sequence):
        """Tokens of a melody.

        Parameters
        ----------
        sequence : NoteSequence
            With notes in one track that do not overlap on the grid.

        Returns
        -------
        numpy.ndarray of int32, shape (n_steps,)

        Raises
        ------
        InputError
            If notes overlap or lie in several tracks.
        """
        used = np.unique(sequence.notes["track"]).tolist()
        if len(used) > 1:
            raise InputError(
                f"a melody is one track, this piece has notes in {len(used)}: {', '.join(map(str, used[:8]))}",
                remedy=f"choose one: transforms.monophonic(piece, track={used[0]})",
            )
        piece = quantise(sequence, self.resolution)
        starts, ends, count = steps_of(piece, self.resolution)
        overlapping = np.flatnonzero(starts[1:] < ends[:-1])
        if len(overlapping):
            raise InputError(
                f"a melody has one note at a time, here {len(overlapping) + 1} overlap on the grid of "
                f"{self.resolution} steps per quarter, first at {piece.notes['start'][overlapping[0] + 1]:.3f} s",
                remedy=f"keep the highest: transforms.monophonic(transforms.quantise(piece, {self.resolution}))",
            )
        tokens = np.full(count, REST, np.int32)
        tokens[covered(starts, ends)[0]] = HOLD
        tokens[starts] = piece.notes["pitch"]
        return tokens

    def decode(self, tokens, *, timing=None, tracks=None, meta=None):
        """The melody that tokens describe.

        Parameters
        ----------
        tokens : array-like of int, shape (n_steps,)
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
            If a hold has no note before it, or a token is unknown.
        """
        tokens = self._checked_ids(tokens)
        before = np.concatenate([[REST], tokens[:-1]])
        wrong = np.flatnonzero((tokens == HOLD) & (before == REST))
        if len(wrong):
            self._refuse_token(tokens, int(wrong[0]))
        starts = np.flatnonzero(tokens < HOLD)
        stops = np.append(np.flatnonzero(tokens != HOLD), len(tokens))
        ends = stops[np.searchsorted(stops, starts, side="right")]
        tracks = (Track(),) if tracks is None else tracks
        beside = {"resolution": self.resolution, "timing": timing, "tracks": tracks, "meta": meta}
        return piece_of(starts, ends, tokens[starts], count=len(tokens), **beside)

    def allowed_next(self, tokens):
        """Which tokens may follow a prefix: all but a hold where nothing sounds.

        Returns
        -------
        numpy.ndarray of bool, shape (130,)
        """
        tokens = self._checked_ids(tokens)
        allowed = np.ones(self.vocab_size, bool)
        allowed[HOLD] = len(tokens) > 0 and tokens[-1] != REST
        return allowed
