"""Controls in the training data: what composers can be asked for."""

from collections import Counter

import numpy as np

from ..codecs.grammar import TYPE
from ..codecs.spec import key_name
from ..datasets.prepared import PreparedPieces


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
