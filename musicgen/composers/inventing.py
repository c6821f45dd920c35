"""What a GANComposer writes: pieces of any length, voices for a melody, other bars for some of a piece, rhythms."""

import numpy as np

from ..codecs.lines import SILENT, codes_of
from ..codecs.melody import HOLD, REST
from ..codecs.spec import KEYS
from ..errors import InputError
from ..metrics.measures import pitched
from ..notes import NOTE_DTYPE, NoteSequence, Track
from ..score.key import PROFILES
from ..transforms import canonical, monophonic
from .attributes import pitch_class_time
from .base import checked_seed, checked_sequences, whole_number
from .controls import checked_key, checked_number
from .diagnosis import warning
from .filling import Canvas, bars_for
from .latent_space import spherical
from .requests import Continuation, begun, told_of, with_findings
from .roll_data import parts_of, shift_to_white, shifted

IN_KEY = 4  # pieces of which the one is taken that fits a key best, where one is asked for
CAUSE = "the generator may be undertrained; train it longer, or ask for another seed"
CLAVES = 75  # General MIDI percussion by which rhythms of melodies are heard


class Request:
    """A request to a GANComposer that was checked.

    Parameters
    ----------
    composer : GANComposer
    genre : str or None
    seed : int
    options : dict
        All of the composer's.
    """

    def __init__(self, composer, *, genre, seed, options):
        self.composer, self.genre, self.seed, self.options = composer, genre, seed, options
        self.cutter, self.network = composer._cutter, composer.network
        self.truncation = checked_number("truncation", options["truncation"], 0, 2, "")
        self.smoothness = checked_number("smoothness", options["smoothness"], 0, 1, "")
        self.candidates = whole_number("candidates", options["candidates"], 1)
        self.tempo = checked_number("tempo", options["tempo"], 10, 400, "beats per minute")
        self.key = checked_key(options["key"])

    def pieces(self, count, bars, primer=None, progress=None):
        """The pieces, each of which its number and the seed alone decide."""
        before = None if primer is None else self._listen(primer)
        each = 1 if self.key is None else IN_KEY
        randoms = [np.random.default_rng([self.seed, n, other]) for n in range(count) for other in range(each)]
        lines = self._continued(before, bars, randoms) if before else self._filled(bars, randoms)
        if progress:  # all pieces are written together
            progress(bars * count)
        if before:
            keys = [before.key] * count
        else:
            lines, keys = self._in_keys(lines.reshape(count, each, *lines.shape[1:]))
        return [self._piece(lines[n], keys[n], bars, n, before) for n in range(count)]

    def _listen(self, primer):
        for name in ("tempo", "key"):
            if self.options[name] is not None:
                raise InputError(
                    f"{name} cannot be asked for beside a primer", remedy=f"the primer brings its {name}"
                )
        return Continuation(self.composer, primer, least=1)

    def genres(self, randoms):
        """Genres for the networks: the one asked for, else as the data have them."""
        if self.genre is not None:
            return self.composer._genre_rows([self.composer.genres.index(self.genre)] * len(randoms))
        counts = np.array(list(self.composer.provenance["labels"].values()), float)
        drawn = [random.choice(len(counts), p=counts / counts.sum()) if counts.sum() else -1 for random in randoms]
        return self.composer._genre_rows(drawn)

    def _filled(self, bars, randoms):
        canvas = Canvas.empty(len(randoms), bars_for(bars, self.network), self.network)
        return self.fill(canvas, randoms)[:, : bars * self.cutter.bar_steps]

    def _continued(self, before, bars, randoms):
        kept = min(self.network.bars // 2 or 1, before.bars)
        heard = before.lines[-kept * self.cutter.bar_steps :]
        canvas = self.canvas_of(heard, bars_for(kept + bars, self.network), before.key, len(randoms))
        first = kept * self.cutter.bar_steps
        lines = self.fill(canvas, randoms)[:, first : first + bars * self.cutter.bar_steps]
        return self.in_key(lines, before.key)

    def canvas_of(self, lines, bars, key, count=1):
        """A canvas of so many bars that begins with lines (steps, lines) of a piece in a key; the rest is empty."""
        codes = codes_of(lines)
        struck = np.where((lines == HOLD) & (codes < SILENT), codes % HOLD, lines)[None]  # pitches, holds too
        moved = shifted(struck.astype(np.uint8), shift_to_white(key), self.composer._pitched)
        pitches, _ = parts_of(moved, self.composer._lowest, self.network.keys)
        canvas = Canvas.empty(count, bars, self.network)
        canvas.pitches[:, : len(lines)] = pitches
        canvas.onsets[:, : len(lines)] = lines < HOLD
        canvas.given[:, : len(lines) // self.cutter.bar_steps] = True
        return canvas

    def fill(self, canvas, randoms):
        """Tokens (n, steps, lines) of a canvas whose empty parts are written now."""
        way = {name: getattr(self, name) for name in ("truncation", "smoothness", "candidates")}
        canvas.fill(self.composer._maker, self.genres(randoms), randoms, **way)
        return self.composer._tokens(canvas.pitches, onsets_of(canvas))

    def fill_one(self, canvas, given):
        """Lines (steps, lines) of the piece in a `Continuation`, from its beginning on, its canvas filled."""
        tokens = self.fill(canvas, [np.random.default_rng(self.seed)])
        return self.in_key(tokens, given.key)[0, given.before : len(given.lines)]

    def in_key(self, tokens, key):
        """Tokens of the white keys in a key of theirs."""
        return shifted(tokens, -shift_to_white(key), self.composer._pitched)

    def _in_keys(self, lines):
        """Of candidates (count, each, steps, lines) one each, in the key asked for or one that the data have."""
        if self.key is not None:
            moved = [self.in_key(some, self.key) for some in lines]
            profile = PROFILES[KEYS.index(self.key)]
            pitched = self.composer._pitched  # drums have no key
            return [some[np.argmax(_fits(some[..., pitched], profile))] for some in moved], [self.key] * len(lines)
        known = self.composer.provenance["keys"] or {"C major": 1}
        shares = np.array(list(known.values())) / sum(known.values())
        drawn = [np.random.default_rng([self.seed, n, 0, 1]).choice(list(known), p=shares) for n in range(len(lines))]
        return [self.in_key(some[:1], str(key))[0] for some, key in zip(lines, drawn, strict=True)], drawn

    def _piece(self, lines, key, bars, number, before):
        request = {"genre": self.genre, "seed": self.seed, "bars": bars, "options": self.options}
        meta = told_of(self.composer, number=number, **request)
        if before is None:
            piece, start = begun(self.composer, lines, bars, bpm=self.tempo, meta=meta), 0.0
        else:
            piece, start = before.piece(lines, bars, meta), before.start
        asked = {"genre": self.genre, "bars": bars, "tempo": self.tempo, "key": self.options["key"] and key}
        return with_findings(piece, start, asked, warning(piece, cause=CAUSE))


class Inventing:
    """Methods of a trained GANComposer beside `compose`."""

    def accompany(self, melody, *, voice=0, genre=None, seed=None, **options):
        """The other voices for a given one.

        Parameters
        ----------
        melody : NoteSequence
            Of any number of bars in the composer's meter, with one note at a time, or as many as the track has lines
            whose place it takes. It stays as it is.
        voice : int
            Track of the training data's that it takes the place of.
        genre, seed
            As in `compose`.
        **options
            truncation, smoothness, candidates, as in `compose`.

        Returns
        -------
        NoteSequence

        Raises
        ------
        InputError
            If the composer writes one line alone, there is no such track, the melody has notes in several tracks or
            in another meter, drums are to take the place of pitches, or an option is unknown or out of range.
        """
        request = self._request(genre, seed, options, without=("tempo", "key"))
        given, own_lines = self._given_lines(melody, voice)
        canvas = request.canvas_of(given.lines, bars_for(given.bars, self.network), given.key)
        canvas.given &= own_lines
        made = request.fill_one(canvas, given)
        made[:, own_lines] = REST
        own = melody.notes.copy()
        own["track"] = voice
        others = self._cutter.piece(made, timing=melody.timing).notes
        meta = {**melody.meta, "composer": type(self).__name__, "seed": str(request.seed)}
        notes = np.concatenate([own, others])
        return canonical(
            NoteSequence(notes, self.codec.tracks, melody.timing, max(notes["end"].max(), melody.duration), meta)
        )

    def refine(self, sequence, bars, *, genre=None, seed=None, **options):
        """A piece some of whose bars are written anew, so that they fit the others.

        Parameters
        ----------
        sequence : NoteSequence
            In the composer's meter.
        bars : sequence of int
            The bars to write, counted from 0. In the others stays what begins there; it ends where bars begin that
            are written anew. Notes that begin in those go, as far as they sound.
        genre, seed, **options
            As in `accompany`.

        Returns
        -------
        NoteSequence

        Raises
        ------
        InputError
            If there is no such bar, or the codec cannot hold the piece.
        """
        request = self._request(genre, seed, options, without=("tempo", "key"))
        given = Continuation(self, sequence, least=1)
        if not np.iterable(bars):
            raise InputError(f"bars must be a list of numbers, not {bars!r}", remedy=f"give [{bars}]")
        asked = sorted({whole_number("bars", bar, 0) for bar in bars})
        if not asked or asked[-1] >= given.bars:
            raise InputError(f"bars must name some of 0 to {given.bars - 1}, not {list(bars)}")
        canvas = request.canvas_of(given.lines, bars_for(given.bars, self.network), given.key)
        canvas.given[:, asked] = False
        new = self._cutter.piece(
            request.fill_one(canvas, given), timing=sequence.timing, tracks=sequence.tracks
        ).notes
        edges = sequence.timing.quarters_to_seconds(sequence.timing.first_bars(given.bars + 1))
        sides = [_in_bars(notes, edges, asked, inside) for notes, inside in ((sequence.notes, False), (new, True))]
        meta = {**sequence.meta, "composer": type(self).__name__, "seed": str(request.seed), "made_bars": str(asked)}
        return canonical(
            sequence.replace(notes=np.concatenate(sides), meta=meta, duration=max(sequence.duration, edges[-1]))
        )

    def interpolate(self, steps=9, *, genre=None, seed=None, **options):
        """Fragments on the way from one noise to another, over the great circle between them.

        Parameters
        ----------
        steps : int
            Both ends included.
        genre, seed, **options
            As in `compose`.

        Returns
        -------
        list of NoteSequence
            Of `fragment_bars` bars each, all in one key.
        """
        steps = whole_number("steps", steps, 2)
        without = ("tempo", "key", "smoothness", "candidates")
        request, network = self._request(genre, seed, options, without=without), self.network
        random = np.random.default_rng(request.seed)
        ends = request.truncation * random.standard_normal((2, network.noise))
        latents = np.stack([spherical(*ends, share) for share in np.linspace(0, 1, steps)]).astype(np.float32)
        uniform = np.repeat(random.random((1, network.steps, network.lines, 2), np.float32), steps, axis=0)
        empty = Canvas.empty(steps, network.bars, network)
        rows = request.genres([random]).repeat(steps, axis=0)
        made = self._maker.make(empty.pitches, empty.onsets, network.no_mask(steps), rows, latents, uniform)
        tokens = request.in_key(self._tokens(*made), request.key)
        asked = {"genre": genre, "seed": request.seed, "bars": network.bars, "options": request.options}
        told = [told_of(self, number=n, **asked) | {"title": f"step {n + 1} of {steps}"} for n in range(steps)]
        pairs = zip(tokens, told, strict=True)
        return [begun(self, lines, network.bars, bpm=request.tempo, meta=meta) for lines, meta in pairs]

    def rhythm(self, bars=4, *, of=None, genre=None, seed=None, **options):
        """A rhythm alone, as a track of percussion.

        Parameters
        ----------
        bars : int
        of : {"melody", "drums"}, optional
            Whether it is the rhythm of the highest melody, told by claves, or that of the drums. Default: the drums
            where the training data had some.
        genre, seed, **options
            As in `compose`.

        Returns
        -------
        NoteSequence
            `meta["pattern"]` shows where notes begin: of each percussion instrument, from the lowest on, the steps of
            the grid, `x` for an onset.

        Raises
        ------
        InputError
            If drums are asked for, and the training data had none.
        """
        drums = [number for number, track in enumerate(getattr(self.codec, "tracks", ())) if track.drum]
        of = of or ("drums" if drums else "melody")
        if of not in ("melody", "drums"):
            raise InputError(f"of must be 'melody' or 'drums', not {of!r}")
        if of == "drums" and not drums:
            raise InputError(
                "this composer writes no drums: its training data had no drum track",
                remedy="train it on recordings transcribed with drums, or on MIDI with a drum track",
            )
        piece = self.compose(bars, genre=genre, seed=seed, **options)
        if of == "drums":
            notes = piece.notes[np.isin(piece.notes["track"], drums)].copy()
        else:
            notes = _top_line(piece)
            notes["pitch"] = CLAVES
        notes["track"] = 0
        rhythm = piece.replace(notes=notes, tracks=(Track("rhythm", 0, True),), duration=piece.duration)
        return rhythm.replace(meta={"pattern": _pattern(rhythm, self.codec.resolution)})

    # ---- what they share

    def _request(self, genre, seed, options, without=()):
        self._need_training()
        self._checked_genre(genre)
        options = self._checked_options(options)
        for name in without:
            if options[name] != self.options[name]:
                raise InputError(f"{name} cannot be asked for here: it would change nothing")
        return Request(self, genre=genre, seed=checked_seed(seed), options=options)

    def _given_lines(self, melody, voice):
        """A melody alone in the place of a track, and which lines that has: bool, (lines,)."""
        tracks = getattr(self.codec, "tracks", None)
        if self._cutter.lines < 2:
            raise InputError(
                "this composer writes one line, there are no other voices",
                remedy="train one on pieces of several voices",
            )
        if whole_number("voice", voice, 0) >= len(tracks):
            names = ", ".join(track.name or "unnamed" for track in tracks)
            raise InputError(f"voice {voice} is none of the composer's {len(tracks)} tracks: {names}")
        melody = checked_sequences([melody], "melody")[0]
        used = np.unique(melody.notes["track"])
        if len(used) > 1:
            raise InputError(
                f"the melody has notes in {len(used)} tracks",
                remedy="choose one: transforms.monophonic(piece, track=0)",
            )
        if melody.tracks[used[0]].drum != tracks[voice].drum:
            kinds = {True: "drums", False: "pitches"}
            raise InputError(
                f"the melody has {kinds[melody.tracks[used[0]].drum]}, track {voice} of the composer "
                f"{kinds[tracks[voice].drum]}",
                remedy="choose another voice",
            )
        alone = melody.notes.copy()
        alone["track"] = voice
        given = Continuation(self, melody.replace(notes=alone, tracks=tracks), least=1)
        return given, np.repeat(np.arange(len(tracks)), self.lines) == voice


def onsets_of(canvas):
    """Where notes begin: at onsets, and wherever the pitch changes: bool, (n, steps, lines)."""
    before = np.concatenate([np.full_like(canvas.pitches[:, :1], -1), canvas.pitches[:, :-1]], axis=1)
    return (canvas.onsets > 0.5) | (canvas.pitches != before)


def _fits(tokens, profile):
    """How well fragments (n, steps, lines) fit the profile of a key."""
    time = pitch_class_time(tokens)
    return time @ profile / np.maximum(np.linalg.norm(time, axis=1), 1e-9)


def _in_bars(notes, edges, bars, inside):
    """Notes that begin in some bars, or in all others, ended where a row of such bars ends."""
    chosen = np.isin(np.arange(len(edges) - 1), bars) == inside
    ends = edges[1:].copy()
    for bar in range(len(chosen) - 2, -1, -1):
        ends[bar] = ends[bar + 1] if chosen[bar] and chosen[bar + 1] else ends[bar]
    bar = np.clip(np.searchsorted(edges, notes["start"] + 1e-6, side="right") - 1, 0, len(chosen) - 1)
    kept, last = notes[chosen[bar]].copy(), bar == len(chosen) - 1
    limit = np.where(last & (not inside), np.inf, ends[bar])  # what rings on after the last bar may do so
    kept["end"] = np.minimum(kept["end"], limit[chosen[bar]])
    return kept


def _top_line(piece):
    """The highest note of every onset of the first pitched track that has some."""
    notes = pitched(piece)
    if not len(notes):
        return np.zeros(0, NOTE_DTYPE)
    return monophonic(piece, track=int(notes["track"].min())).notes.copy()


def _pattern(rhythm, resolution):
    """Onsets as text, one line for each pitch of a rhythm, from the lowest on."""
    steps = np.rint(rhythm.timing.seconds_to_quarters(rhythm.notes["start"]) * resolution).astype(int)
    count = round(float(rhythm.timing.seconds_to_quarters(rhythm.duration)) * resolution)
    rows = []
    for pitch in np.unique(rhythm.notes["pitch"]):
        row = np.full(count, ".")
        row[steps[rhythm.notes["pitch"] == pitch]] = "x"
        rows.append("".join(row))
    return "\n".join(rows)
