"""Event tokens in beat time: Bar, Position, Track, Pitch, Velocity, Duration, with controls in front.

A piece reads::

    BOS [Genre] [Key] [Density] Tempo Meter  Bar Position Track Pitch Velocity Duration Pitch ...  Bar ...  EOS

Position, Track and Meter are written when they change. Within a bar positions rise, at a position tracks rise, in
a track pitches rise. A note longer than the longest Duration carries several of them, added up. The tempo map and
the instruments are kept beside the tokens: `decode` takes them, or an even tempo from the Tempo token and the
codec's own tracks. A pickup is a first bar whose notes begin late.
"""

import bisect
import itertools
import math

import numpy as np

from ..errors import InputError
from ..notes import NOTE_DTYPE, NoteSequence
from ..timing import Timing, natural_quarters_per_beat
from .base import DEFAULT_VELOCITY, TokenCodec, check_limits, check_track_count, checked_tracks, commonest_tracks
from .grammar import CONTROLS, OPTIONAL_CONTROLS, TYPE, TYPES, Grammar, last_before, last_value
from .spec import DENSITY_EDGES, METERS, TEMPI, bar_quarters, key_name, token_spec

_LOG_TEMPI = np.log2(TEMPI)


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
    learns = True

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
        self._meters = [tuple(map(int, label.split("/"))) for label in spec["Meter"]]
        longest = self._first["Duration"] + len(spec["Duration"]) - 1
        self.grammar = Grammar(types, values, longest, velocities=velocities > 0)

    @classmethod
    def for_data(cls, sequences, **options):
        """A codec that knows the genres and tracks of some sequences, which are gone through once.

        Each track number gets the name and instrument that it has most often.
        """
        tracks, genres = commonest_tracks(sequences)
        return cls(**{"tracks": tracks, "genres": genres, **options})

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
        timing = sequence.timing
        bars = timing.bars(max(sequence.duration, 1e-6))
        meters = np.array([self._meter_token(meter) for meter in timing.meters])[timing.meter_indices(bars)]
        notes, bar_of_token = self._note_tokens(self._on_grid(sequence, bars))
        openings, bar_of_opening = self._openings(meters, int(bar_of_token.max(initial=-1)) + 1)
        header = self._header(sequence, meters[0], controls)
        tokens = np.empty(len(header) + len(notes) + len(openings) + 1, np.int32)
        tokens[: len(header)], tokens[-1] = header, self._first["EOS"]
        before = np.bincount(bar_of_opening).cumsum()  # openings up to each bar
        tokens[len(header) + np.arange(len(notes)) + before[bar_of_token]] = notes
        tokens[len(header) + np.arange(len(openings)) + bar_of_token.searchsorted(bar_of_opening)] = openings
        return tokens

    def _on_grid(self, sequence, bars):
        """Columns bar, position, track, pitch, velocity level, duration, each int64, in token order."""
        notes, timing, resolution = sequence.notes, sequence.timing, self.resolution
        start, end = timing.seconds_to_quarters([notes["start"], notes["end"]])
        bar = bars.searchsorted(start + 1e-9, side="right") - 1
        begin = bars[bar]
        position = np.rint((start - begin) * resolution).astype(np.int64)
        duration = np.maximum(1, np.rint((end - begin) * resolution).astype(np.int64) - position)
        length = np.append(np.maximum(1, np.rint(np.diff(bars) * resolution)), np.inf)[bar]
        over = (position >= length).nonzero()[0]  # rounded up to the next bar line
        bar[over], position[over] = bar[over] + 1, 0
        level = notes["velocity"].astype(np.int64) * self.velocities // 128
        track, pitch = notes["track"].astype(np.int64), notes["pitch"].astype(np.int64)
        place = ((bar * (self.max_bar * resolution + 1) + position) * len(self.tracks) + track) * 128 + pitch
        order = np.lexsort((-level, -duration, place))
        place = place[order]
        order = order[np.diff(place, prepend=-1) > 0]  # one note per place
        return tuple(column[order] for column in (bar, position, track, pitch, level, duration))

    def _header(self, sequence, meter, controls):
        wanted = {
            "Genre": sequence.meta.get("genre"),
            "Key": key_name(sequence.meta.get("key")),
            "Density": self.density_level(sequence),
        }
        names = [f"{kind}_{wanted[kind]}" for kind in OPTIONAL_CONTROLS if kind in controls]
        tokens = [self._ids[name] for name in names if name in self._ids]
        tempo = int(np.abs(_LOG_TEMPI - math.log2(sequence.timing.qpm)).argmin())
        return [self._first["BOS"], *tokens, self._first["Tempo"] + tempo, int(meter)]

    def _meter_token(self, meter):
        label = f"{meter.numerator}/{meter.denominator}"
        name = f"Meter_{label}"
        if name not in self._ids:
            quarters = bar_quarters(label)
            longer = f"; max_bar={math.ceil(quarters)} holds longer ones" * (
                label in METERS and quarters > self.max_bar
            )
            raise InputError(
                f"meter {label} does not fit this codec",
                remedy=f"it holds bars of at most {self.max_bar} quarters in whole steps of 1/{self.resolution} "
                f"quarter{longer}",
            )
        return self._ids[name]

    @staticmethod
    def density_level(sequence):
        """Index of the Density token: notes per quarter note, in the classes of `DENSITY_EDGES`."""
        first, last = sequence.timing.seconds_to_quarters([0.0, max(sequence.duration, 1e-6)]).tolist()
        return bisect.bisect_right(DENSITY_EDGES, len(sequence) / (last - first))

    def _openings(self, meters, count):
        """Tokens that stand before the notes of the bars, at least `count`, and the bar of each: Bar, and the Meter
        in front where it changes."""
        meters = np.concatenate([meters, np.full(max(0, count - len(meters)), meters[-1])])
        table = np.column_stack([meters, np.full(len(meters), self._first["Bar"])])
        written = np.ones(table.shape, bool)
        written[:, 0] = np.diff(meters, prepend=meters[0]) != 0
        return table[written], written.nonzero()[0]

    def _note_tokens(self, grid):
        """All note tokens in order, and the bar of each."""
        bar, position, track, pitch, level, duration = grid
        longest, first = len(self.spec["Duration"]), self._first
        repeats = (duration - 1) // longest
        table = np.empty((len(bar), 5 + int(repeats.max(initial=0))), np.int64)
        written = np.ones(table.shape, bool)
        written[1:, 0] = (np.diff(position) != 0) | (np.diff(bar) != 0)
        written[1:, 1] = np.diff(track) != 0
        written[:, 3] = self.velocities > 0
        for column, values in enumerate((position, track, pitch, level)):
            table[:, column] = first[("Position", "Track", "Pitch", "Velocity")[column]] + values
        table[:, 4:-1] = self.grammar.longest
        written[:, 4:-1] = np.arange(table.shape[1] - 5) < repeats[:, None]
        table[:, -1] = first["Duration"] - 1 + duration - repeats * longest
        return table[written], bar[written.nonzero()[0]]

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
        tokens, places = self._checked(tokens)
        types, values, _, bars, positions, _, pitches = places
        timing = timing or self._even_timing(tokens, places)
        starts = timing.first_bars(len(bars) + 1)
        bar = last_before(bars, pitches)
        place = positions.take(last_before(positions, pitches))
        onset = starts.take(bar) + values.take(place) / self.resolution
        steps = self._durations(tokens, places)
        notes = np.empty(len(pitches), NOTE_DTYPE)
        edges = np.concatenate([onset, onset + steps / self.resolution, starts[-1:]])
        seconds = timing.quarters_to_seconds(edges)
        notes["start"], notes["end"] = np.maximum(seconds[: len(notes)], 0.0), seconds[len(notes) : -1]
        notes["pitch"] = values.take(pitches)
        notes["velocity"] = values.take(pitches + 1) if self.velocities else DEFAULT_VELOCITY
        notes["track"] = values.take(places.tracks.take(last_before(places.tracks, pitches)))
        duration = max(seconds[-1].item(), notes["end"].max(initial=0.0).item())
        tracks = self.tracks if tracks is None else tracks
        return NoteSequence(notes, tracks, timing, duration, {**self._control_meta(tokens, types), **(meta or {})})

    def _durations(self, tokens, places):
        """Steps of every note."""
        types, values, pitches = places.types, places.values, places.pitches
        if not (tokens == self.grammar.longest).any():
            return values.take(pitches + (2 if self.velocities else 1))
        return np.add.reduceat(np.where(types == TYPE["Duration"], values, 0), pitches)

    def _even_timing(self, tokens, places):
        header = places.types[: len(CONTROLS)].tolist()
        tempo = places.values[header.index(TYPE["Tempo"])].item()
        meters = [self._meters[token - self._first["Meter"]] for token in tokens[places.meters].tolist()]
        unit = {natural_quarters_per_beat(n, d) for n, d in meters}
        unit = unit.pop() if len(unit) == 1 else 1.0
        begins = [0.0]
        if len(meters) > 1:
            counts = np.diff(places.bars.searchsorted(places.meters)).tolist()  # bars of each meter but the last
            lengths = [count * 4 * n / d / unit for count, (n, d) in zip(counts, meters[:-1], strict=True)]
            begins = itertools.accumulate(lengths, initial=0.0)
        return Timing(
            [0.0, 60.0 * unit / tempo], unit, [(at, *meter) for at, meter in zip(begins, meters, strict=True)]
        )

    def _control_meta(self, tokens, types):
        found, header = {}, tokens[: len(CONTROLS)].tolist()
        for token, kind in zip(header, types[: len(header)].tolist(), strict=True):
            if kind in (TYPE["Genre"], TYPE["Key"]):
                found[TYPES[kind].lower()] = self.spec[TYPES[kind]][token - self._first[TYPES[kind]]]
        return found

    def _checked(self, tokens):
        """Tokens without EOS and padding and their `Places`, after checking that they follow the grammar."""
        tokens = self._checked_ids(tokens, at_least=4)
        ends = (tokens == self._first["EOS"]).nonzero()[0]
        tokens = tokens[: ends[0]] if len(ends) else tokens
        places = self.grammar.places(tokens)
        at = self.grammar.first_error(tokens, places)
        if at == len(tokens):
            raise InputError(f"tokens end inside a note or before the first bar, at {self.vocabulary[tokens[-1]]}")
        if at is not None:
            before = f" after {self.vocabulary[tokens[at - 1]]}" if at else ", where BOS_None must stand"
            raise InputError(f"token {at}, {self.vocabulary[tokens[at]]}, is not allowed{before} here")
        return tokens, places

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
