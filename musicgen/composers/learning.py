"""What composers learn from: pieces, or a folder of pieces that `musicgen prepare` encoded."""

import hashlib
import json
import os
import re
import warnings

import numpy as np

from ..datasets.labels import labelled
from ..datasets.prepared import PreparedPieces, is_prepared
from ..errors import InputError
from .base import checked_sequences

REASONS = 3  # that a warning tells at most


def pieces_to_learn(given, argument="sequences"):
    """Pieces as a list of NoteSequences with notes in them and keys as labels, or as `PreparedPieces`.

    Parameters
    ----------
    given : iterable of NoteSequence, PreparedPieces, or path-like
        A path names a folder that `musicgen prepare` wrote.
    argument : str
        What error messages call it.

    Raises
    ------
    InputError
        If there are none, or one is something else.
    """
    if isinstance(given, (str, os.PathLike)):
        if not is_prepared(given):
            raise InputError(
                "is no folder of prepared pieces",
                path=given,
                remedy="give load_folder of a folder of MIDI files, or encode it first with: musicgen prepare",
            )
        given = PreparedPieces(given)
    if not isinstance(given, PreparedPieces):
        return [labelled(piece) for piece in checked_sequences(given, argument)]
    if not len(given):
        raise InputError(f"{argument} holds no prepared piece", remedy="prepare more pieces")
    return given


def codec_for(family, *parts):
    """The codec of prepared pieces among `parts`, else one of class `family` made for all the pieces."""
    prepared = [part.codec for part in parts if isinstance(part, PreparedPieces)]
    if prepared:
        return prepared[0]
    return family.for_data([piece for part in parts for piece in part or ()])


def encoded(pieces, codec, family, argument="sequences"):
    """Pieces and their arrays; what the codec cannot hold is set aside, its neighbours are kept.

    Parameters
    ----------
    pieces : list of NoteSequence, or PreparedPieces
    codec : Codec
    family : type
        Class of codecs that the composer learns from.
    argument : str
        What error messages call the pieces.

    Returns
    -------
    pieces : list of NoteSequence, or PreparedPieces
        Those that the codec holds.
    arrays : list of array, or PreparedPieces
        One per piece; the prepared pieces themselves.
    refused : list of (str, str)
        Source and reason of the others.

    Raises
    ------
    InputError
        If the codec holds none, or they were prepared with another codec.
    """
    if isinstance(pieces, PreparedPieces):
        _check_prepared_by(pieces, codec, family)
        return pieces, pieces, []
    kept, arrays, refused = [], [], []
    for number, piece in enumerate(pieces):
        try:
            arrays.append(codec.encode(piece))
        except InputError as error:
            name = piece.meta.get("source") or piece.meta.get("title") or f"{argument}[{number}]"
            refused.append((name, str(error)))
        else:
            kept.append(piece)
    if not kept:
        raise InputError(f"the codec can hold none of {argument}: {_reasons(refused)}")
    return kept, arrays, refused


def warn_of(refused, stacklevel=3):
    """Warn of pieces that could not be used, a list of (source, reason): how many, and how often for which reason."""
    if refused:
        count = "1 piece" if len(refused) == 1 else f"{len(refused):,} pieces"
        warnings.warn(f"{count} could not be used, see `.refused`: {_reasons(refused)}", stacklevel=stacklevel)


def _reasons(refused):
    """The commonest kinds of reasons with counts; reasons that differ in numbers alone are one kind."""
    kinds = {}
    for _, reason in refused:
        kinds.setdefault(re.sub(r"\d[\d.,]*", "#", reason), []).append(reason)
    kinds = sorted(kinds.values(), key=len, reverse=True)
    shown = [f"{kind[0]}{' or the like' if len(set(kind)) > 1 else ''}: {len(kind):,}" for kind in kinds]
    rest = sum(map(len, kinds[REASONS:]))
    return "; ".join(shown[:REASONS] + ([f"for other reasons: {rest:,}"] if rest else []))


def _check_prepared_by(pieces, codec, family):
    if not isinstance(pieces.codec, family):
        raise InputError(
            f"was prepared with the codec {pieces.codec.name!r}, this composer learns from {family.name!r}",
            path=pieces.path,
            remedy=f"prepare the data with: --codec {family.name}",
        )
    if pieces.codec != codec:
        raise InputError(
            "was prepared with a codec of other settings than the composer's",
            path=pieces.path,
            remedy="prepare all data together, or hold out a part of it with subset",
        )


def digest_of(streams):
    """A short text that differs where encoded pieces differ, in content or order."""
    if isinstance(streams, PreparedPieces):
        return json.dumps(streams.facts(), sort_keys=True)
    digest = hashlib.sha256()
    for stream in streams:
        digest.update(np.int64(len(stream)).tobytes() + np.ascontiguousarray(stream).tobytes())
    return digest.hexdigest()
