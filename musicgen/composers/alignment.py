"""Pieces as a VAEComposer hears them together: as fragments, of one length and in one key."""

import numpy as np

from ..errors import InputError
from ..metrics.measures import pitched
from ..notes import NoteSequence
from ..score.key import estimate_key
from .base import checked_sequences
from .controls import checked_key
from .fragments import moved
from .roll_data import shift_to_white

ALONE = "the piece"  # what messages call one without a title


class Heard:
    """Pieces as fragments, aligned: the shorter ones repeated, and moved into the key of the first.

    Parameters
    ----------
    composer : VAEComposer
    sequences : list of NoteSequence
        As `pieces_to_hear` gives them.
    align_keys : bool

    Attributes
    ----------
    tokens, ties : list of numpy.ndarray
        Of each piece as `Fragments.cut` gives them, all with as many fragments.
    latents : numpy.ndarray of float32, shape (pieces, fragments, latent_dim)
    counts, before, distances : list of int
        Fragments of each, steps of the first bar that lie before it, and semitones from the first one's key.
    told : str
        What was aligned, and what left out.
    """

    def __init__(self, composer, sequences, align_keys):
        self.sequences = sequences
        found = cuts_of(composer, sequences)
        self.counts, self.before = [len(cut.tokens) for cut in found], [cut.before for cut in found]
        self._left = [cut.left for cut in found]
        self.distances = [_distance(sequences[0], piece) if align_keys else 0 for piece in sequences]
        longest = max(self.counts)
        order = [np.arange(longest) % count for count in self.counts]
        self.ties = [cut.ties[rows] for cut, rows in zip(found, order, strict=True)]
        tokens = [moved(cut.tokens, -by) for cut, by in zip(found, self.distances, strict=True)]
        encoded = np.split(composer._writer.encode(np.concatenate(tokens))[0], np.cumsum(self.counts)[:-1])
        self.tokens = [part[rows] for part, rows in zip(tokens, order, strict=True)]
        self.latents = np.stack([part[rows] for part, rows in zip(encoded, order, strict=True)])
        self.told = self._told(longest, composer.fragment_bars)

    def _told(self, longest, bars):
        told = []
        facts_of = zip(_names(self.sequences), self.sequences, self.counts, self.distances, self._left, strict=True)
        for name, piece, count, by, left in facts_of:
            facts = [f"{count * bars} bars" + (f" repeated to {longest * bars}" if count < longest else "")]
            facts += [f"{left} more left out, which fill no fragment of {bars}"] if left else []
            facts += [f"{piece.timing.bpm:.4g} beats per minute", f"{_key(piece)}"]
            facts += [f"moved by {-by:+d} semitones"] if by else []
            told.append(f"{name}: {', '.join(facts)}")
        return "; ".join(told)


def pieces_to_hear(sequences):
    """A list of pieces in which something with a pitch sounds.

    Raises
    ------
    InputError
        If there are none, or one is something else, has no notes, or percussion alone; it names the piece.
    """
    given = (
        sequences if isinstance(sequences, NoteSequence) or not hasattr(sequences, "__iter__") else list(sequences)
    )
    if isinstance(given, list):
        if not given:
            raise InputError("sequences holds no piece", remedy="give at least one")
        for name, piece in zip(_names(given), given, strict=True):
            if isinstance(piece, NoteSequence) and not len(pitched(piece)):
                what = "no pitched notes, percussion alone" if len(piece) else "no notes"
                raise InputError(f"{name} has {what}", remedy="give a piece with a melody, or leave it out")
    return checked_sequences(given)


def cuts_of(composer, sequences, **exactly):
    """A `Cut` of each piece, see `Fragments.of_piece`; what is refused is named."""
    found = []
    for name, piece in zip(_names(sequences), sequences, strict=True):
        try:
            found.append(composer._cutter.of_piece(piece, **exactly))
        except InputError as error:
            if name == ALONE:
                raise
            raise InputError(f"{name}: {error.reason}", path=error.path, remedy=error.remedy) from error
    return found


def _names(sequences):
    """What messages call the pieces."""
    alone = len(sequences) == 1
    titles = [getattr(piece, "meta", {}).get("title") for piece in sequences]
    return [title or (ALONE if alone else f"piece {number}") for number, title in enumerate(titles, 1)]


def _key(piece):
    return checked_key(piece.meta.get("key") or estimate_key(piece))


def _distance(first, other):
    """Semitones, -6 to 5, from the key of one piece to that of another; minor counts as its relative major."""
    here, there = (shift_to_white(_key(piece)) for piece in (first, other))
    return (here - there + 6) % 12 - 6
