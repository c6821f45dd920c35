"""What requests to composers of fragments share: what a piece tells of itself, and the primer that it continues."""

import numpy as np

from ..codecs.melody import REST
from ..datasets.labels import labelled
from ..notes import NoteSequence
from ..timing import Timing
from .base import checked_sequences, finished
from .controls import achieved
from .primers import continued_timing, meta_beside_primer


def told_of(composer, *, genre, seed, number, bars, options):
    """`meta` of a composed piece: composer, seed, and what was asked otherwise than by default."""
    meta = {"composer": type(composer).__name__, "seed": seed, "number": number, "bars": bars}
    meta |= {name: value for name, value in options.items() if value != composer.options[name]}
    return meta | {"title": f"{genre or 'piece'} {number + 1}"} | ({"genre": genre} if genre else {})


def with_findings(piece, start, asked, wrong):
    """The piece, whose `meta` also tells what was asked, what it is from `start` (s) on, and what is wrong."""
    found = {f"asked_{name}": str(value) for name, value in asked.items() if value}
    found |= {f"achieved_{name}": value for name, value in achieved(piece, start).items()}
    return piece.replace(meta=found | ({"warning": wrong} if wrong else {}))


def begun(composer, lines, bars, *, bpm, meta):
    """A piece of its own made of lines (steps, lines), at the tempo given or that of its genre's data."""
    tempi, cutter = composer.provenance["tempo"], composer._cutter
    bpm = bpm or tempi.get(meta.get("genre", ""), tempi[""])
    return finished(cutter.piece(lines, timing=Timing.regular(bpm, cutter.meter), meta=meta), bars)


class Continuation:
    """A primer as a composer of fragments hears it, and the way back.

    Parameters
    ----------
    composer : FragmentComposer
    primer : NoteSequence
    least : int
        Bars that it must have.

    Raises
    ------
    InputError
        As `Fragments.on_bars`.
    """

    def __init__(self, composer, primer, *, least):
        self.cutter, self.codec = composer._cutter, composer.codec
        self.primer = checked_sequences([primer], "primer")[0]
        self.lines, self.before = self.cutter.on_bars(self.primer, least=least)
        self.bars = len(self.lines) // self.cutter.bar_steps
        self.timing = continued_timing(self.primer)
        self.key = labelled(self.primer.replace(meta={"key": ""})).meta.get("key")  # None of percussion alone
        self.start = float(self.timing.quarters_to_seconds(self.timing.first_bars(self.bars + 1)[-1]))

    def piece(self, lines, bars, meta):
        """The primer with so many new bars, lines (steps, lines), behind its last one."""
        given = self.primer
        silence = np.full((self.bars * self.cutter.bar_steps - self.before, lines.shape[1]), REST, lines.dtype)
        tracks = given.tracks
        tracks += tuple(getattr(self.codec, "tracks", tracks[:1])[len(tracks) :])
        added = self.cutter.piece(np.concatenate([silence, lines]), timing=self.timing, tracks=tracks)
        meta = meta_beside_primer(given, meta)
        notes = np.concatenate([given.notes, added.notes])
        piece = NoteSequence(notes, tracks, self.timing, max(added.duration, given.duration), meta)
        return finished(piece, self.bars + bars)
