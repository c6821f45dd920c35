"""Composers: models that learn from NoteSequences and write new ones."""

import importlib

_CLASSES = {"LSTMComposer": "lstm", "VAEComposer": "vae", "GANComposer": "gan"}

#: Command-line names of the composers.
FAMILIES = {"lstm": "LSTMComposer", "vae": "VAEComposer", "gan": "GANComposer"}

__all__ = ["FAMILIES", "GANComposer", "LSTMComposer", "VAEComposer", "composer_class", "load_composer"]


def __getattr__(name):
    if name not in _CLASSES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    importlib.import_module(".backend", __name__)  # first: it imports Keras quietly
    return getattr(importlib.import_module(f".{_CLASSES[name]}", __name__), name)


def composer_class(family):
    """The class of a family's command-line name, such as "lstm"."""
    return __getattr__(FAMILIES[family])


def load_composer(path):
    """Read a saved composer of whatever kind.

    Parameters
    ----------
    path : path-like
        Folder that `save` wrote.

    Returns
    -------
    Composer

    Raises
    ------
    CheckpointError
        If the folder is incomplete, damaged, of another version, or of an unknown kind.
    """
    from ..errors import CheckpointError
    from .checkpoint import read_config

    name = read_config(path).get("class")
    if name not in _CLASSES:
        raise CheckpointError(
            f"holds an unknown composer, {name!r}", path=path, remedy=f"known: {', '.join(_CLASSES)}"
        )
    return __getattr__(name).load(path)
