"""`clean`: the transforms that take transcription noise away, in one chain with defaults that were measured."""

import numpy as np

from .basic import canonical
from .lengths import cut_overlaps, merge_fragments, trim_tails
from .noise import drop_echoes, drop_faint, drop_ghosts, drop_short, limit_polyphony
from .tracks import checked_share, parted


def clean(
    sequence,
    *,
    above_share=0.55,
    below_share=0.9,
    faint_share=0.5,
    echo_share=0.9,
    fragment_share=0.0,
    min_note_ms=0.0,
    overlap_ms=150.0,
    tail_ms=60.0,
    voices=None,
):
    """Clean a transcription: a chain of transforms, in the order of the options.

    The piece is brought into its `canonical` form first; drum tracks are left alone. 0 (of `voices`: None) leaves a
    step out. The defaults were chosen on rendered pieces, others than those of which benchmarks/RESULTS.md tells what
    cleaning does. They leave out `fragment_share` and `min_note_ms`: by what a transcription holds, a split note is
    hardly told from a repeated one, nor a short wrong note from a short right one.

    Parameters
    ----------
    sequence : NoteSequence
    above_share, below_share : float, default 0.55 and 0.9
        See `drop_ghosts`.
    faint_share : float, default 0.5
        See `drop_faint`.
    echo_share : float, default 0.9
        See `drop_echoes`.
    fragment_share : float, default 0
        See `merge_fragments`.
    min_note_ms : float, default 0
        See `drop_short`.
    overlap_ms : float, default 150
        See `cut_overlaps`.
    tail_ms : float, default 60
        See `trim_tails`. Because of this step, a piece should be cleaned once.
    voices : int, optional
        See `limit_polyphony`. It comes last, so that no note is dropped for the tail of another.

    Returns
    -------
    NoteSequence
        Canonical, drum tracks excepted.

    Raises
    ------
    InputError
        If an option is out of its range.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> noisy = NoteSequence([(0, 1, 60, 90, 0), (0, 1, 72, 40, 0), (1, 1.25, 60, 60, 0)])
    >>> clean(noisy).notes.tolist()
    [(0.0, 0.94, 60, 90, 0)]
    """
    for name, share in (("faint", faint_share), ("echo", echo_share), ("fragment", fragment_share)):
        checked_share(f"{name}_share", share)
    notes, drums = parted(sequence)
    piece = canonical(sequence.replace(notes=notes, duration=sequence.duration))
    piece = drop_ghosts(piece, above_share=above_share, below_share=below_share)
    piece = drop_faint(piece, share=faint_share)
    piece = drop_echoes(piece, share=echo_share)
    piece = merge_fragments(piece, share=fragment_share)
    piece = drop_short(piece, min_note_ms)
    piece = cut_overlaps(piece, overlap_ms=overlap_ms)
    piece = trim_tails(piece, tail_ms=tail_ms)
    piece = piece if voices is None else limit_polyphony(piece, voices)
    return sequence.replace(notes=np.concatenate([piece.notes, drums]), duration=sequence.duration)
