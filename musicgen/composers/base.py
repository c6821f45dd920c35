"""The composer contract: what LSTM, VAE and GAN have in common."""

import difflib
import platform
from collections import Counter

import numpy as np

from .. import __version__
from ..datasets.prepared import PreparedPieces
from ..errors import CheckpointError, InputError
from ..notes import NoteSequence
from ..transforms import canonical
from .checkpoint import read_codec_config, read_config, read_weights, save_checkpoint


class Composer:
    """A model and its codec.

    Subclasses set `options` (their own keyword options of `compose`, with defaults) and `presets`, and define
    `get_config`, `fit`, `_build`, `_weights`, `_set_weights` and `_compose`.
    """

    #: Options of `compose` beyond bars, genre, primer and seed, with their defaults.
    options = {}
    #: Named sizes, preset to constructor arguments.
    presets = {}

    codec = None
    provenance = None
    #: Labels that `compose` knows; those of the codec where the class has none of its own.
    genres = None
    #: (source, reason) of the pieces that the last `fit` could not use.
    refused = ()

    def __repr__(self):
        if self.provenance is None:
            return f"{type(self).__name__}(preset={self.preset!r}), untrained"
        told = f"learnt from {self.provenance['pieces']:,} pieces in {self.provenance['epochs']} epochs"
        genres = ", ".join(self.provenance["genres"])
        return f"{type(self).__name__}(preset={self.preset!r}), {told}" + (f"; genres: {genres}" if genres else "")

    def compose(self, bars=16, *, genre=None, primer=None, seed=None, **options):
        """Compose one piece.

        Parameters
        ----------
        bars : int
            Bars to compose, at least 1.
        genre : str, optional
            A label of the training data.
        primer : NoteSequence, optional
            Notes to continue; the piece begins with them, `bars` new bars follow.
        seed : int, optional
            The same seed on the same machine and backend gives the same notes. Default: a fresh one, kept in `meta`.
        **options
            The composer's own, see `options`.

        Returns
        -------
        NoteSequence
            `meta` tells composer, seed and settings.

        Raises
        ------
        InputError
            If the composer is untrained, or an argument is unknown or out of range.
        """
        return self.compose_many(1, bars=bars, genre=genre, primer=primer, seed=seed, **options)[0]

    def compose_many(self, count, *, bars=16, genre=None, primer=None, seed=None, progress=None, **options):
        """Compose several pieces in one batched run.

        Parameters
        ----------
        count : int
            Pieces to compose. Piece number i does not depend on `count`.
        progress : callable, optional
            Called with the number of bars done since the last call.
        bars, genre, primer, seed, **options
            As in `compose`.

        Returns
        -------
        list of NoteSequence
        """
        self._need_training()
        count, bars = whole_number("count", count, 1), whole_number("bars", bars, 1)
        bars, options = self._checked_request(bars, genre, primer, options)
        seed = checked_seed(seed)
        return self._compose(count, bars=bars, genre=genre, primer=primer, seed=seed, progress=progress, **options)

    def save(self, path):
        """Write the composer as a folder (config.json, codec.json, model.safetensors), whole or not at all.

        Returns
        -------
        pathlib.Path
        """
        self._need_training()
        config = {
            "class": type(self).__name__,
            "musicgen": __version__,
            "hyperparameters": self.get_config(),
            "provenance": self.provenance,
        }
        return save_checkpoint(path, config=config, codec=self.codec, weights=self._weights())

    @classmethod
    def load(cls, path):
        """Read a composer that `save` wrote. No code of the folder is run.

        Raises
        ------
        CheckpointError
            If the folder is incomplete, damaged, of another version, or holds another kind of composer.
        """
        from ..codecs import codec_from_config

        config = read_config(path)
        if config.get("class") != cls.__name__:
            raise CheckpointError(
                f"holds a {config.get('class')}, not a {cls.__name__}", path=path, remedy="use load_composer"
            )
        try:
            composer = cls(**config["hyperparameters"])
            composer.codec = codec_from_config(read_codec_config(path))
            composer._build()
        except CheckpointError:
            raise
        except (InputError, KeyError, TypeError, ValueError) as error:
            reason = f"its configuration cannot be used: {error}"
            raise CheckpointError(reason, path=path, remedy="save the composer again") from error
        expected = {name: tuple(value.shape) for name, value in composer._weights().items()}
        composer._set_weights(read_weights(path, expected))
        composer.provenance = config.get("provenance")
        return composer

    def _need_training(self):
        if self.provenance is None:
            raise InputError(
                f"this {type(self).__name__} has not been trained", remedy="call fit(sequences), or load a saved one"
            )

    def _checked_request(self, bars, genre, primer, options):
        """Bars (None: no end) and all options with their defaults, after checking them, genre and primer."""
        self._need_training()
        bars = None if bars is None else whole_number("bars", bars, 1)
        if primer is not None and not isinstance(primer, NoteSequence):
            raise InputError(f"primer must be a NoteSequence, not {type(primer).__name__}", remedy="use read_midi")
        options = self._checked_options(options)
        self._checked_genre(genre)
        return bars, options

    def _checked_options(self, options):
        for name in options:
            if name not in self.options:
                near = difflib.get_close_matches(name, self.options, 1)
                hint = f"did you mean {near[0]}? " if near else ""
                known = ", ".join(["bars", "genre", "primer", "seed", *self.options])
                raise InputError(f"{type(self).__name__} has no option {name!r}", remedy=f"{hint}it has {known}")
        return {**self.options, **options}

    def _checked_genre(self, genre):
        """Refuse a genre that the training data did not have."""
        genres = self.codec.genres if self.genres is None else self.genres
        if genre is not None and genre not in genres:
            known = ", ".join(genres) or "none: its training data had no genre labels"
            raise InputError(f"genre {genre!r} is not known to this composer", remedy=f"known: {known}")

    def _record_provenance(self, sequences, history):
        """What the composer was trained on and how that went, for config.json."""
        import keras

        losses = history.history
        self.provenance = {
            **(sequences.facts() if isinstance(sequences, PreparedPieces) else _facts(sequences)),
            "epochs": len(losses.get("loss", [])),
            "history": {name: [round(float(value), 5) for value in values] for name, values in losses.items()},
            "versions": {
                "python": platform.python_version(),
                "keras": keras.version(),
                "backend": keras.backend.backend(),
            },
        }


def _facts(sequences):
    return {
        "pieces": len(sequences),
        "notes": int(sum(len(s) for s in sequences)),
        "hours": round(sum(s.duration for s in sequences) / 3600, 4),
        "genres": dict(Counter(s.meta["genre"] for s in sequences if s.meta.get("genre"))),
    }


def checked_sequences(sequences, argument="sequences"):
    """A list of NoteSequences with notes in them.

    Raises
    ------
    InputError
        If there are none, or one is something else.
    """
    if isinstance(sequences, NoteSequence) or not (
        hasattr(sequences, "__iter__") or hasattr(sequences, "__getitem__")
    ):
        raise InputError(
            f"{argument} must be pieces, not one {type(sequences).__name__}", remedy="give a list, such as [piece]"
        )
    sequences = list(sequences)
    for index, sequence in enumerate(sequences):
        if not isinstance(sequence, NoteSequence):
            raise InputError(f"{argument}[{index}] must be a NoteSequence, not {type(sequence).__name__}")
    sequences = [sequence for sequence in sequences if len(sequence)]
    if not sequences:
        if argument == "primer":
            raise InputError("the primer has no notes", remedy="give a piece with notes, or no primer")
        raise InputError(
            f"{argument} holds no piece with notes", remedy="transcribe recordings or load a corpus first"
        )
    return sequences


def finished(piece, bars):
    """A composed piece in canonical form, ended with its last bar: what sounds longer is cut there."""
    end = float(piece.timing.quarters_to_seconds(piece.timing.first_bars(bars + 1)[bars]))
    notes = canonical(piece).notes.copy()
    notes["end"] = np.minimum(notes["end"], end)
    return piece.replace(notes=notes, duration=end)


def whole_number(name, value, least):
    """A whole number (NumPy's too) as int, at least `least`.

    Raises
    ------
    InputError
        If it is none, or less.
    """
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise InputError(f"{name} must be a whole number of at least {least}, not {value!r}")
    return int(value)


def checked_seed(seed):
    """A seed, a whole number of at least 0; None becomes a fresh one."""
    return fresh_seed() if seed is None else whole_number("seed", seed, 0)


def fresh_seed():
    """A new seed from the operating system, small enough to type."""
    import secrets

    return secrets.randbelow(2**31)
