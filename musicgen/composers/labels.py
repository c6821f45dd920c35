"""Labels of the training data: what composers can be asked for."""

from collections import Counter

import numpy as np

from ..codecs.grammar import TYPE
from ..codecs.spec import key_name
from ..datasets.prepared import PreparedPieces
from ..errors import InputError
from ..score import estimate_key


def labelled(sequence):
    """The piece with `meta["key"]`: its own where it is a key, else the estimated one.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> labelled(NoteSequence([(k, k + 1, p, 80, 0) for k, p in enumerate([60, 62, 64, 65, 67, 60])])).meta["key"]
    'C major'
    """
    if key_name(sequence.meta.get("key")):
        return sequence
    try:
        return sequence.replace(meta={"key": key_name(estimate_key(sequence))})
    except InputError:  # percussion alone has no key
        return sequence


def seen_controls(codec, sequences):
    """How often each key and meter occurs in the training data, by the kinds of the codec's tokens.

    Parameters
    ----------
    codec : EventsCodec
    sequences : list of NoteSequence, or PreparedPieces

    Returns
    -------
    dict of str to dict of str to int
        Pieces by "Key" and "Meter".
    """
    counts = {"Key": Counter(), "Meter": Counter()}
    for piece in sequences:
        found = _token_labels(codec, piece) if isinstance(sequences, PreparedPieces) else _piece_labels(piece)
        for kind, labels in found.items():
            counts[kind].update(labels)
    return {kind: dict(sorted(labels.items())) for kind, labels in counts.items()}


def _piece_labels(piece):
    key = key_name(piece.meta.get("key"))
    meters = {f"{meter.numerator}/{meter.denominator}" for meter in piece.timing.meters}
    return {"Key": [key] if key else [], "Meter": meters}


def _token_labels(codec, tokens):
    types = codec.grammar.types[tokens]
    found = {}
    for kind in ("Key", "Meter"):
        names = codec.names(np.unique(np.asarray(tokens)[types == TYPE[kind]]))
        found[kind] = [name.partition("_")[2] for name in names]
    return found
