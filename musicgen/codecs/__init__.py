"""Notes to arrays and back. No Keras here."""

from ..errors import CheckpointError, InputError
from .events import EventsCodec
from .frames import FramesCodec
from .melody import MelodyCodec
from .miditok_adapter import MidiTokCodec
from .pianoroll import PianorollCodec

__all__ = [
    "CODECS",
    "EventsCodec",
    "FramesCodec",
    "MelodyCodec",
    "MidiTokCodec",
    "PianorollCodec",
    "codec_class",
    "codec_from_config",
]

#: Codecs by the name that `--codec` and saved composers use.
CODECS = {codec.name: codec for codec in (EventsCodec, FramesCodec, MelodyCodec, PianorollCodec, MidiTokCodec)}


def codec_class(name):
    """The class of a codec by its name.

    Raises
    ------
    InputError
        If there is none of this name.

    Examples
    --------
    >>> codec_class("melody").__name__
    'MelodyCodec'
    """
    if name not in CODECS:
        raise InputError(f"there is no codec {name!r}", remedy=f"one of {', '.join(CODECS)}")
    return CODECS[name]


def codec_from_config(config):
    """The codec that a codec.json describes.

    Raises
    ------
    CheckpointError
        If it names no known codec, or settings that the codec does not have.
    """
    options = dict(config)
    name = options.pop("codec", None)
    if name not in CODECS:
        raise CheckpointError(f"unknown codec {name!r}", remedy=f"known: {', '.join(CODECS)}")
    try:
        return CODECS[name].from_config(options)
    except TypeError as error:
        raise CheckpointError(f"settings of codec {name!r} cannot be used: {error}") from error
