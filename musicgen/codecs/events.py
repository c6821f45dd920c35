"""Event tokens in beat time: Bar, Position, Track, Pitch, Velocity, Duration, with controls in front.

A piece reads::

    BOS [Genre] [Key] [Density] Tempo Meter  Bar Position Track Pitch Velocity Duration Pitch ...  Bar ...  EOS

Position, Track and Meter are written when they change. Within a bar positions rise, at a position tracks rise, in
a track pitches rise. A note longer than the longest Duration carries several of them, added up. The tempo map and
the instruments are kept beside the tokens: `decode` takes them, or an even tempo from the Tempo token and the
codec's own tracks. A pickup is a first bar whose notes begin late.
"""

from collections import Counter

import numpy as np

from ..errors import InputError
from ..notes import NOTE_DTYPE, NoteSequence, Track
from ..timing import Meter, Timing, natural_quarters_per_beat
from .base import DEFAULT_VELOCITY, TokenCodec, check_limits, check_track_count, checked_tracks
from .grammar import CONTROLS, OPTIONAL_CONTROLS, TYPE, TYPES, Grammar, last_value
from .spec import DENSITY_EDGES, TEMPI, bar_quarters, key_name, token_spec


class EventsCodec(TokenCodec):
    """NoteSequence ⇄ event tokens.

    Parameters
    ----------
    resolution : int
        Grid steps per quarter note, 1 to 96. 4 holds sixteenths, 12 triplets too.
    velocities : int
        Levels of velocity; 0 leaves velocity out (decoded notes get 80).
    tracks : int or sequence of Track
        Number of tracks, or the tracks that decoded pieces get.
    genres : sequence of str
        Labels that the Genre token knows.
    max_duration : int
        Longest Duration token in quarter notes.
    max_bar : int
        Longest bar in quarter notes.

    Examples
    --------
    >>> codec = EventsCodec(resolution=4)
    >>> piece = NoteSequence([(0.0, 0.5, 60, 84, 0), (0.5, 2.0, 64, 84, 0)])
    >>> codec.names(codec.encode(piece))[4:]
    ['Bar_None', 'Position_0', 'Track_0', 'Pitch_60', 'Velocity_84', 'Duration_4',
     'Position_4', 'Pitch_64', 'Velocity_84', 'Duration_12', 'EOS_None']
    >>> codec.decode(codec.encode(piece)) == piece
    True
    """

    name = "events"

    def __init__(self, *, resolution=4, velocities=16, tracks=1, genres=(), max_duration=8, max_bar=8):
        check_limits(resolution=(resolution, 1, 96), velocities=(velocities, 0, 127))
        check_limits(max_duration=(max_duration, 1, 64), max_bar=(max_bar, 1, 64))
        self.resolution, self.velocities, self.max_duration, self.max_bar = (
            resolution,
            velocities,
            max_duration,
            max_bar,
        )
        self.tracks = checked_tracks(tracks)
        self.genres = tuple(str(genre) for genre in genres)
        spec = token_spec(
            resolution=resolution,
            velocities=velocities,
            tracks=len(self.tracks),
            genres=self.genres,
            max_duration=max_duration,
            max_bar=max_bar,
        )
        self.spec = spec
        self.vocabulary = tuple(f"{kind}_{value}" for kind in TYPES for value in spec[kind])
        self._ids = {name: index for index, name in enumerate(self.vocabulary)}
        sizes = [len(spec[kind]) for kind in TYPES]
        self._first = dict(zip(TYPES, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
        types = np.repeat(np.arange(len(TYPES), dtype=np.int32), sizes)
        values = np.concatenate([self._numbers(kind) for kind in TYPES]).astype(np.int32)
        longest = self._first["Duration"] + len(spec["Duration"]) - 1
        self.grammar = Grammar(types, values, longest, velocities=velocities > 0)

    @classmethod
    def for_data(cls, sequences, **options):
        """A codec that knows the genres and tracks of some sequences, which are gone through once.

        Each track number gets the name and instrument that it has most often.
        """
        names, genres = [Counter()], set()
        for sequence in sequences:
            names += [Counter() for _ in sequence.tracks[len(names) :]]
            for index, track in enumerate(sequence.tracks):
                names[index][track] += 1
            genres.add(sequence.meta.get("genre") or None)
        tracks = [max(seen or [Track()], key=lambda track: (seen[track], track)) for seen in names]
        return cls(**{"tracks": tracks, "genres": sorted(genres - {None}), **options})

    def get_config(self):
        """Constructor arguments, as JSON can hold them."""
        return {
            "resolution": self.resolution,
            "velocities": self.velocities,
            "tracks": [list(track) for track in self.tracks],
            "genres": list(self.genres),
            "max_duration": self.max_duration,
            "max_bar": self.max_bar,
        }

    def token(self, name):
        """Id of a token name.

        Raises
        ------
        InputError
            If the vocabulary does not hold it.
        """
        if name not in self._ids:
            kind = name.split("_")[0]
            known = [str(value) for value in self.spec.get(kind, ())]
            allowed = f"{kind} is one of {', '.join(known)}" if known else f"this codec has no {kind} tokens"
            raise InputError(f"unknown token {name!r}: {allowed}")
        return self._ids[name]

    # ---- notes to tokens

    def encode(self, sequence, *, controls=CONTROLS):
        """Tokens of a piece.

        Notes are put on the grid of bars and steps; of notes that fall on one step, track and pitch the longest
        stays. On a piece that lies on the grid `decode(encode(piece), timing=piece.timing)` is the same piece.

        Parameters
        ----------
        sequence : NoteSequence
            `meta["genre"]` and `meta["key"]` become controls where the codec knows them.
        controls : sequence of str
            Which optional controls to write; Tempo and Meter are always there.

        Returns
        -------
        numpy.ndarray of int32, shape (n_tokens,)

        Raises
        ------
        InputError
            If the piece has more tracks than the codec, or a meter that its grid cannot hold.
        """
        check_track_count(sequence, len(self.tracks))
        bars = sequence.timing.bars(max(sequence.duration, 1e-6))
        meters = [sequence.timing.meter_at(bar) for bar in bars]
        grid = self._on_grid(sequence, bars)
        bar_tokens = self._bar_tokens(meters, self._header(sequence, meters[0], controls))
        return np.concatenate([*self._interleave(grid, bar_tokens), [self.token("EOS_None")]]).astype(np.int32)

    def _on_grid(self, sequence, bars):
        """Rows (bar, position, track, pitch, velocity level, duration), int64, in token order."""
        notes, timing, resolution = sequence.notes, sequence.timing, self.resolution
        start = timing.seconds_to_quarters(notes["start"])
        end = timing.seconds_to_quarters(notes["end"])
        bar = np.searchsorted(bars, start + 1e-9, side="right") - 1
        position = np.rint((start - bars[bar]) * resolution).astype(np.int64)
        last = np.rint((end - bars[bar]) * resolution).astype(np.int64)
        duration = np.maximum(1, last - position)
        following = np.append(bars[1:], np.inf)[bar]
        over = position >= np.maximum(1, np.rint((following - bars[bar]) * resolution))
        bar, position = np.where(over, bar + 1, bar), np.where(over, 0, position)
        level = np.minimum(notes["velocity"].astype(np.int64) * self.velocities // 128, max(self.velocities - 1, 0))
        rows = np.column_stack([bar, position, notes["track"], notes["pitch"], level, duration]).astype(np.int64)
        rows = rows[np.lexsort((-rows[:, 4], -rows[:, 5], rows[:, 3], rows[:, 2], rows[:, 1], rows[:, 0]))]
        same = np.zeros(len(rows), bool)
        same[1:] = np.all(rows[1:, :4] == rows[:-1, :4], axis=1)
        return rows[~same]

    def _header(self, sequence, meter, controls):
        wanted = {
            "Genre": sequence.meta.get("genre"),
            "Key": key_name(sequence.meta.get("key")),
            "Density": self.density_level(sequence),
        }
        names = [f"{kind}_{wanted[kind]}" for kind in OPTIONAL_CONTROLS if kind in controls]
        tokens = [self._ids[name] for name in names if name in self._ids]
        tempo = TEMPI[int(np.argmin(np.abs(np.log2(np.array(TEMPI) / sequence.timing.qpm))))]
        return [self.token("BOS_None"), *tokens, self.token(f"Tempo_{tempo}"), self._meter_token(meter)]

    def _meter_token(self, meter):
        name = f"Meter_{meter.numerator}/{meter.denominator}"
        if name not in self._ids:
            raise InputError(
                f"meter {meter.numerator}/{meter.denominator} does not fit this codec",
                remedy=f"bars of at most {self.max_bar} quarters in whole steps of 1/{self.resolution} quarter",
            )
        return self._ids[name]

    @staticmethod
    def density_level(sequence):
        """Index of the Density token: notes per quarter note, in the classes of `DENSITY_EDGES`."""
        first, last = sequence.timing.seconds_to_quarters([0.0, max(sequence.duration, 1e-6)])
        return int(np.searchsorted(DENSITY_EDGES, len(sequence) / (last - first), side="right"))

    def _bar_tokens(self, meters, header):
        """For every bar, the tokens that stand before its notes."""
        bar = self.token("Bar_None")
        tokens, current = [], None
        for meter in meters:
            now = self._meter_token(meter)
            tokens.append([bar] if current in (None, now) else [now, bar])
            current = now
        tokens[0] = header + tokens[0]
        return tokens

    def _interleave(self, grid, bar_tokens):
        """Pieces of the token stream: each bar's opening, then its notes."""
        stream, bar_of_token = self._note_tokens(grid)
        count = max(len(bar_tokens), int(grid[-1, 0]) + 1 if len(grid) else 0)
        bar_tokens = bar_tokens + [[self.token("Bar_None")]] * (count - len(bar_tokens))
        cuts = np.searchsorted(bar_of_token, np.arange(count + 1))
        for index, opening in enumerate(bar_tokens):
            yield opening
            yield stream[cuts[index] : cuts[index + 1]]

    def _note_tokens(self, grid):
        """All note tokens in order, and the bar of each."""
        bar, position, track, pitch, level, duration = grid.T
        moved = np.ones(len(grid), bool)
        moved[1:] = np.any(grid[1:, :2] != grid[:-1, :2], axis=1)
        switched = np.ones(len(grid), bool)
        switched[1:] = track[1:] != track[:-1]
        longest = len(self.spec["Duration"])
        repeats = (duration - 1) // longest
        first = self._first
        table = np.column_stack(
            [
                np.where(moved, first["Position"] + position, -1),
                np.where(switched, first["Track"] + track, -1),
                first["Pitch"] + pitch,
                first["Velocity"] + level if self.velocities else np.full(len(grid), -1),
                np.where(repeats > 0, self.grammar.longest, -1),
                first["Duration"] + duration - repeats * longest - 1,
            ]
        )
        counts = np.ones_like(table)
        counts[:, 4] = np.maximum(repeats, 1)
        tokens = np.repeat(table.ravel(), counts.ravel())
        bars = np.repeat(np.repeat(bar, table.shape[1]), counts.ravel())
        return tokens[tokens >= 0], bars[tokens >= 0]

    # ---- tokens to notes

    def decode(self, tokens, *, timing=None, tracks=None, meta=None):
        """The piece that tokens describe.

        Parameters
        ----------
        tokens : array-like of int, shape (n_tokens,)
            From BOS on; EOS and padding after it may be missing, a half-written note may not.
        timing : Timing, optional
            Where the bars lie, as kept beside the tokens. Default: an even beat from the Tempo and Meter tokens.
        tracks : sequence of Track, optional
            Default: the codec's.
        meta : mapping, optional
            Further `meta` entries.

        Returns
        -------
        NoteSequence
            Its duration is the end of the last bar, or of the last note if that is later.

        Raises
        ------
        InputError
            If the tokens break the grammar; the message names the place.
        """
        tokens = self._checked(tokens)
        types, values = self.grammar.types[tokens], self.grammar.values[tokens]
        bar = np.cumsum(types == TYPE["Bar"]) - 1
        pitches = np.flatnonzero(types == TYPE["Pitch"])
        note_of_token = np.cumsum(types == TYPE["Pitch"]) - 1
        durations = types == TYPE["Duration"]
        steps = np.bincount(note_of_token[durations], values[durations], minlength=len(pitches))
        timing = timing or self._even_timing(tokens, types, bar)
        n_bars = int(bar[-1]) + 1
        starts = timing.first_bars(n_bars + 1)
        start = starts[bar[pitches]] + last_value(types, values, "Position")[pitches] / self.resolution
        notes = np.empty(len(pitches), NOTE_DTYPE)
        notes["start"] = np.maximum(timing.quarters_to_seconds(start), 0.0)
        notes["end"] = timing.quarters_to_seconds(start + steps / self.resolution)
        notes["pitch"] = values[pitches]
        notes["velocity"] = values[pitches + 1] if self.velocities else DEFAULT_VELOCITY
        notes["track"] = last_value(types, values, "Track")[pitches]
        duration = max(float(timing.quarters_to_seconds(starts[n_bars])), float(notes["end"].max(initial=0.0)))
        tracks = self.tracks if tracks is None else tracks
        return NoteSequence(notes, tracks, timing, duration, {**self._control_meta(tokens, types), **(meta or {})})

    def _even_timing(self, tokens, types, bar):
        tempo = int(self.grammar.values[tokens[types == TYPE["Tempo"]][0]])
        marks = np.flatnonzero(types == TYPE["Meter"])
        labels = [self.spec["Meter"][tokens[mark] - self._first["Meter"]].split("/") for mark in marks]
        meters = [(int(n), int(d)) for n, d in labels]
        unit = {natural_quarters_per_beat(n, d) for n, d in meters}
        unit = unit.pop() if len(unit) == 1 else 1.0
        beats, position = [], 0.0
        begins = [int(bar[mark]) + 1 for mark in marks]
        for index, begin in enumerate(begins):
            if index:
                n, d = meters[index - 1]
                position += (begin - begins[index - 1]) * 4 * n / d / unit
            beats.append(Meter(position, *meters[index]))
        return Timing([0.0, 60.0 * unit / tempo], unit, tuple(beats))

    def _control_meta(self, tokens, types):
        found = {}
        for kind in ("Genre", "Key"):
            hits = tokens[types == TYPE[kind]]
            if len(hits):
                found[kind.lower()] = self.spec[kind][hits[0] - self._first[kind]]
        return found

    def _checked(self, tokens):
        """Tokens without EOS and padding, after checking that they follow the grammar."""
        tokens = self._checked_ids(tokens, at_least=4)
        ends = np.flatnonzero(self.grammar.types[tokens] == TYPE["EOS"])
        tokens = tokens[: ends[0]] if len(ends) else tokens
        at = self.grammar.first_error(tokens)
        if at == len(tokens):
            raise InputError(f"tokens end inside a note or before the first bar, at {self.vocabulary[tokens[-1]]}")
        if at is not None:
            before = f" after {self.vocabulary[tokens[at - 1]]}" if at else ", where BOS_None must stand"
            raise InputError(f"token {at}, {self.vocabulary[tokens[at]]}, is not allowed{before} here")
        return tokens

    def allowed_next(self, tokens):
        """Which tokens may follow a prefix.

        Parameters
        ----------
        tokens : array-like of int, shape (n_tokens,)
            From BOS on.

        Returns
        -------
        numpy.ndarray of bool, shape (vocab_size,)
        """
        state = self.grammar.initial_state(1)
        for token in np.asarray(tokens)[1:]:
            state = self.grammar.advance(state, np.array([token]))
        return self.grammar.allowed(state)[0]

    # ---- for training

    def transpose(self, tokens, semitones):
        """Tokens with pitches (not of drum tracks) and key moved; None if a pitch would leave 0 to 127."""
        types, values = self.grammar.types[tokens], self.grammar.values[tokens]
        drums = np.array([track.drum for track in self.tracks] + [False])
        moves = (types == TYPE["Pitch"]) & ~drums[last_value(types, values, "Track")]
        target = values[moves] + semitones
        if len(target) and not 0 <= target.min() <= target.max() <= 127:
            return None
        result = tokens + np.where(moves, semitones, 0).astype(tokens.dtype)
        keys = types == TYPE["Key"]
        result[keys] = self._first["Key"] + values[keys] // 12 * 12 + (values[keys] + semitones) % 12
        return result

    def _numbers(self, kind):
        labels = self.spec[kind]
        if kind == "Meter":
            return np.array([round(bar_quarters(label) * self.resolution) for label in labels], np.int64)
        if labels and isinstance(labels[0], str):
            return np.arange(len(labels))
        return np.array(labels, np.int64)
