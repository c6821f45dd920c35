"""Any tokenizer of MidiTok (Fradet et al., "MidiTok: A Python package for MIDI file tokenization", 2021)."""

import json
import tempfile
from pathlib import Path

import numpy as np

from ..errors import InputError, missing_dependency
from ..midi import from_symusic, to_symusic
from .base import TokenCodec

_FIRST_TOKENS = {
    "use_programs": True,
    "one_token_stream_for_programs": True,
    "use_tempos": True,
    "use_time_signatures": True,
}


class MidiTokCodec(TokenCodec):
    """NoteSequence ⇄ tokens of a MidiTok tokenizer, trained (byte-pair encoding) or not.

    What the tokenizer keeps of a piece is its own affair; nothing is added to it.

    Parameters
    ----------
    tokenizer : miditok.MusicTokenizer, str or dict
        A tokenizer that writes all tracks into one stream, the name of one, such as "REMI" (with programs, tempi and
        meters), or what its `to_dict` gave.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> codec = MidiTokCodec("REMI")
    >>> codec.names(codec.encode(NoteSequence([(0.0, 0.5, 60, 80, 0)])))[-4:]
    ['Program_0', 'Pitch_60', 'Velocity_79', 'Duration_1.0.8']
    """

    name = "miditok"

    def __init__(self, tokenizer="REMI"):
        self.tokenizer = _tokenizer(tokenizer)
        if not self.tokenizer.one_token_stream:
            raise InputError(
                f"this {type(self.tokenizer).__name__} writes one token stream per track",
                remedy="make it with TokenizerConfig(use_programs=True, one_token_stream_for_programs=True)",
            )
        if self.tokenizer.is_multi_voc:
            raise InputError(
                f"{type(self.tokenizer).__name__} writes several tokens at a time",
                remedy="use REMI, TSD, MIDILike, Structured or another one with a single vocabulary",
            )

    @property
    def vocab_size(self):
        """Number of tokens, those learnt by byte-pair encoding included."""
        return len(self.tokenizer)

    def get_config(self):
        """The tokenizer as JSON can hold it."""
        return {"tokenizer": json.loads(json.dumps(self.tokenizer.to_dict()))}

    def names(self, tokens):
        """MidiTok's names of the tokens that these ids stand for; a learnt id stands for several."""
        sequence = self._sequence(tokens)
        self.tokenizer.complete_sequence(sequence)
        return list(sequence.tokens)

    def encode(self, sequence):
        """Tokens of a piece.

        Parameters
        ----------
        sequence : NoteSequence

        Returns
        -------
        numpy.ndarray of int32, shape (n_tokens,)

        Raises
        ------
        InputError
            If MIDI cannot hold the piece.
        """
        return np.array(self.tokenizer.encode(to_symusic(sequence)).ids, np.int32)

    def decode(self, tokens, *, timing=None, tracks=None, meta=None):
        """The piece that tokens describe.

        Parameters
        ----------
        tokens : array-like of int, shape (n_tokens,)
        timing : Timing, optional
            Where its quarter notes lie, as kept beside the tokens. Default: the tempo that the tokens tell.
        tracks : sequence of Track, optional
            As many as the tokens have programs. Default: named by MidiTok.
        meta : mapping, optional

        Returns
        -------
        NoteSequence

        Raises
        ------
        InputError
            If the tokens are none of this tokenizer, or hold no notes.
        """
        score = self.tokenizer.decode(self._sequence(tokens))
        if timing is not None:  # at one tempo, where quarter notes are as even as ticks
            score.tempos, score.time_signatures = [], []
        piece = from_symusic(score)
        if timing is not None:
            piece = _moved(piece, timing)
        if tracks is not None and len(tracks) != len(piece.tracks):
            raise InputError(f"the tokens hold {len(piece.tracks)} tracks, {len(tracks)} are given")
        return piece.replace(tracks=piece.tracks if tracks is None else tracks, meta=meta or {})

    def allowed_next(self, tokens):
        """Which tokens may follow a prefix, as far as MidiTok's graph of token types tells; all, if it was trained.

        Returns
        -------
        numpy.ndarray of bool, shape (vocab_size,)
        """
        tokens, graph = self._checked_ids(tokens), self.tokenizer.tokens_types_graph
        if self.tokenizer.is_trained or not len(tokens):
            return np.ones(self.vocab_size, bool)
        last = self.tokenizer.token_id_type(int(tokens[-1]))
        following = {kind.removesuffix("_None") for kind in graph.get(last, ())}
        return np.array([self.tokenizer.token_id_type(token) in following for token in range(self.vocab_size)])

    def _sequence(self, tokens):
        from miditok import TokSequence

        ids = self._checked_ids(tokens).tolist()
        sequence = TokSequence(ids=ids, are_ids_encoded=self.tokenizer.is_trained)
        if self.tokenizer.is_trained:
            self.tokenizer.decode_token_ids(sequence)
        return sequence


def _tokenizer(given):
    """A MidiTok tokenizer from an object, a name, or a dict."""
    try:
        import miditok
    except ImportError as error:
        raise missing_dependency("miditok", "the miditok codec") from error
    if isinstance(given, miditok.MusicTokenizer):
        return given
    if isinstance(given, str):
        return _tokenizer_class(miditok, given)(miditok.TokenizerConfig(**_FIRST_TOKENS))
    if not isinstance(given, dict):
        raise InputError(f"tokenizer must be one of MidiTok's, a name or a dict, not {type(given).__name__}")
    with tempfile.TemporaryDirectory() as folder:  # MidiTok reads its settings from files alone
        path = Path(folder) / "tokenizer.json"
        path.write_text(json.dumps(given), encoding="utf-8")
        return _tokenizer_class(miditok, given.get("tokenization"))(params=path)


def _tokenizer_class(miditok, name):
    found = getattr(miditok, name, None) if isinstance(name, str) else None
    if not (isinstance(found, type) and issubclass(found, miditok.MusicTokenizer)):
        raise InputError(f"MidiTok has no tokenizer {name!r}", remedy="REMI, TSD, MIDILike, Structured, ...")
    return found


def _moved(piece, timing):
    """The piece with the same places in quarter notes from its beginning on, under another timing."""
    old, notes = piece.timing, piece.notes.copy()
    shift = float(timing.seconds_to_quarters(0.0)) - float(old.seconds_to_quarters(0.0))
    for edge in ("start", "end"):
        notes[edge] = timing.quarters_to_seconds(old.seconds_to_quarters(notes[edge]) + shift)
    notes["start"] = np.maximum(notes["start"], 0.0)
    end = float(timing.quarters_to_seconds(old.seconds_to_quarters(piece.duration) + shift))
    return piece.replace(notes=notes, timing=timing, duration=max(end, float(notes["end"].max())))
