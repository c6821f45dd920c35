"""What composers learn from: pieces, or a folder of pieces that `musicgen prepare` encoded."""

import hashlib
import json
import os

import numpy as np

from ..datasets.labels import labelled
from ..datasets.prepared import PreparedPieces, is_prepared
from ..errors import InputError
from .base import checked_sequences


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


def arrays_of(pieces, codec, family):
    """Encoded pieces: a list, or the prepared pieces themselves.

    Raises
    ------
    InputError
        If they were prepared with another codec.
    """
    if not isinstance(pieces, PreparedPieces):
        return [codec.encode(piece) for piece in pieces]
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
    return pieces


def digest_of(streams):
    """A short text that differs where encoded pieces differ, in content or order."""
    if isinstance(streams, PreparedPieces):
        return json.dumps(streams.facts(), sort_keys=True)
    digest = hashlib.sha256()
    for stream in streams:
        digest.update(np.int64(len(stream)).tobytes() + np.ascontiguousarray(stream).tobytes())
    return digest.hexdigest()
