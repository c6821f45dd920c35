"""Notes to arrays and back. No Keras here."""

from .events import EventsCodec

__all__ = ["CODECS", "EventsCodec", "codec_from_config"]

#: Codecs by the name that `--codec` and saved composers use.
CODECS = {EventsCodec.name: EventsCodec}


def codec_from_config(config):
    """The codec that a saved composer's codec.json describes."""
    from ..errors import CheckpointError

    options = dict(config)
    name = options.pop("codec", None)
    if name not in CODECS:
        raise CheckpointError(f"unknown codec {name!r}", remedy=f"known: {', '.join(CODECS)}")
    return CODECS[name].from_config(options)
