"""What all codecs share: their settings as JSON, token names, checks of arguments."""

import json
from collections import Counter
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from ..notes import Track
from .spec import KEYS

DEFAULT_VELOCITY = 80  # of decoded notes, where a codec leaves velocity out
_GROUP_ENDS = ("Bar", "Position", "End", "BOS")  # token kinds behind which another place in time begins


class Codec:
    """Notes to arrays and back.

    Subclasses set `name` and define `encode(sequence)`, `decode(array, *, timing, tracks, meta)`, `get_config` and
    either a `vocabulary` (see `TokenCodec`) or the `shape` of one step.
    """

    #: What `--codec` and saved composers call it.
    name = None
    #: dtype of what `encode` returns, and of how prepared data is stored.
    dtype = np.dtype(np.int32)

    #: Whether `for_data` looks at the sequences.
    learns = False

    def get_config(self):
        """Constructor arguments, as JSON can hold them."""
        raise NotImplementedError

    @classmethod
    def from_config(cls, config):
        """The codec that `get_config` described."""
        return cls(**config)

    @classmethod
    def for_data(cls, sequences, **options):
        """A codec for some sequences; only some codecs learn anything from them."""
        return cls(**options)

    def to_json(self):
        """`get_config` as text, with the codec's name."""
        return json.dumps({"codec": self.name, **self.get_config()}, indent=2) + "\n"

    def __eq__(self, other):
        return type(self) is type(other) and self.get_config() == other.get_config()

    __hash__ = None

    def __repr__(self):
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


class PitchTable(NamedTuple):
    """What tokens say of pitch, in the order of their ids, for networks that think in intervals."""

    #: Of a pitch token its pitch, counted from the codec's lowest; -1 of every other token. Pitch tokens are
    #: consecutive and rise.
    pitches: tuple
    #: Whether a token ends the group of pitches that are written at one place in time.
    closes: tuple
    #: Of a token that chooses a track its number, else -1.
    tracks: tuple
    #: Token that stands before a piece; it may come after all tokens that can be predicted.
    start: int
    #: Number of tokens that can be predicted.
    outputs: int
    #: MIDI pitch of the first pitch token.
    lowest: int = 0
    #: Of a token that tells the key its index into `spec.KEYS`, else -1; empty where no token tells it.
    keys: tuple = ()


class TokenCodec(Codec):
    """A codec whose arrays are lists of tokens: `vocabulary` holds the token names, such as `Pitch_60`, by id."""

    #: One token is one number.
    shape = ()

    @property
    def vocab_size(self):
        """Number of tokens."""
        return len(self.vocabulary)

    def names(self, tokens):
        """Token names, such as `Pitch_60`, of token ids."""
        return [self.vocabulary[token] for token in np.asarray(tokens).ravel()]

    def pitch_table(self):
        """The `PitchTable` of the vocabulary, as the names of the tokens tell it."""
        kinds, _, values = zip(*(name.partition("_") for name in self.vocabulary), strict=True)
        pitches = [int(value) if kind == "Pitch" else -1 for kind, value in zip(kinds, values, strict=True)]
        lowest = min(pitch for pitch in pitches if pitch >= 0)
        tracks = [int(value) if kind == "Track" else -1 for kind, value in zip(kinds, values, strict=True)]
        keys = [KEYS.index(value) if kind == "Key" else -1 for kind, value in zip(kinds, values, strict=True)]
        known = "BOS" in kinds
        return PitchTable(
            pitches=tuple(max(pitch - lowest, -1) for pitch in pitches) + (() if known else (-1,)),
            closes=tuple(kind in _GROUP_ENDS for kind in kinds) + (() if known else (True,)),
            tracks=tuple(tracks) + (() if known else (-1,)),
            start=kinds.index("BOS") if known else len(kinds),
            outputs=len(kinds),
            lowest=lowest,
            keys=(tuple(keys) + (() if known else (-1,))) if max(keys) >= 0 else (),
        )

    def allowed_next(self, tokens):
        """Which tokens may follow a prefix: bool, shape (vocab_size,)."""
        raise NotImplementedError

    def _checked_ids(self, tokens, *, at_least=0):
        """Tokens as an array, refused if they are no list of ids."""
        tokens = np.asarray(tokens)
        if tokens.size == 0 and at_least == 0:
            return np.zeros(0, np.int64)
        if tokens.ndim != 1 or len(tokens) < at_least or not np.issubdtype(tokens.dtype, np.integer):
            some = f"at least {at_least} " if at_least else ""
            raise InputError(f"tokens must be a list of {some}whole numbers, not {tokens.dtype} of {tokens.shape}")
        if tokens.min() < 0 or tokens.max() >= self.vocab_size:
            raise InputError(f"tokens must lie in 0 to {self.vocab_size - 1}, not {tokens.min()} to {tokens.max()}")
        return tokens

    def _refuse_token(self, tokens, index):
        before = f" after {self.vocabulary[tokens[index - 1]]}" if index else " at the beginning"
        raise InputError(f"token {index}, {self.vocabulary[tokens[index]]}, is not allowed{before}")


def check_limits(**limits):
    """Refuse arguments, given as name=(value, lowest, highest), that are no whole numbers within their limits.

    Raises
    ------
    InputError
    """
    for argument, (value, low, high) in limits.items():
        if not (isinstance(value, int) and not isinstance(value, bool) and low <= value <= high):
            raise InputError(f"{argument} must be a whole number from {low} to {high}, not {value!r}")


def commonest_tracks(sequences):
    """Of each track number the name and instrument that it has most often, and all genres; gone through once."""
    names, genres = [Counter()], set()
    for sequence in sequences:
        names += [Counter() for _ in sequence.tracks[len(names) :]]
        for index, track in enumerate(sequence.tracks):
            names[index][track] += 1
        genres.add(sequence.meta.get("genre") or None)
    tracks = [max(seen or [Track()], key=lambda track: (seen[track], track)) for seen in names]
    return tracks, sorted(genres - {None})


def checked_tracks(tracks):
    """Tracks from their number or a list of them.

    Raises
    ------
    InputError
        If they are not 1 to 256.
    """
    count = tracks if isinstance(tracks, int) else len(tracks)
    if not 1 <= count <= 256:
        raise InputError(f"tracks must be 1 to 256, not {count}")
    return (Track(),) * count if isinstance(tracks, int) else tuple(Track(*track) for track in tracks)


def check_track_count(sequence, count):
    """Refuse a piece that uses more tracks than a codec has.

    Raises
    ------
    InputError
    """
    used = int(sequence.notes["track"].max(initial=0)) + 1
    if used > count:
        raise InputError(
            f"the piece uses {used} tracks, this codec has {count}", remedy=f"make the codec with tracks={used}"
        )


def check_pitches(sequence, lowest, keys):
    """Refuse a piece with notes outside `keys` pitches from `lowest` on.

    Raises
    ------
    InputError
    """
    pitches = sequence.notes["pitch"]
    outside = pitches[(pitches < lowest) | (pitches >= lowest + keys)]
    if len(outside):
        raise InputError(
            f"{len(outside)} of {len(pitches)} notes, the first of pitch {outside[0]}, lie outside this codec's "
            f"pitches {lowest} to {lowest + keys - 1}",
            remedy="give the codec other lowest and keys, or move the piece with transforms.transpose",
        )
