"""Long pieces from short fragments: a smooth walk through latent space, in one key and at one tempo."""

import numpy as np

from ..codecs.melody import REST
from ..errors import InputError
from ..notes import NoteSequence
from ..score.key import KEYS, PROFILES, estimate_key
from ..timing import Timing
from .attributes import pitch_class_time
from .base import checked_sequences, finished
from .controls import achieved, checked_key, checked_number
from .diagnosis import warning
from .fragments import moved
from .primers import continued_timing

SHIFTS = np.array(sorted(range(-6, 6), key=abs))  # semitones that a fragment may be moved by, the least first


class Walk:
    """One request to a VAEComposer.

    Each fragment's latent is near the one before: a stationary process of first order, whose points are distributed
    as the genre's, or as all data. Fragments are moved into the key of the first, or the one asked for.

    Parameters
    ----------
    composer : VAEComposer
    bars : int
    genre : str or None
    primer : NoteSequence or None
    seed : int
    options : dict
        All of the composer's.
    """

    def __init__(self, composer, *, bars, genre, primer, seed, options):
        self.composer, self.bars, self.genre, self.seed = composer, bars, genre, seed
        self.cutter, self.options = composer._cutter, options
        self.drawing = composer._drawing(options)
        self.smoothness = checked_number("smoothness", options["smoothness"], 0, 1, "")
        self.tempo = checked_number("tempo", options["tempo"], 10, 400, "beats per minute")
        self.key = checked_key(options["key"])
        self.label = -1 if genre is None else composer.genres.index(genre)
        self.primer = None if primer is None else checked_sequences([primer], "primer")[0]
        if self.primer is not None:
            if self.tempo is not None:
                raise InputError("tempo cannot be asked for beside a primer", remedy="the primer brings its tempo")
            self._listen()

    def _listen(self):
        """Hear the primer's last bars."""
        lines, self.before = self.cutter.on_bars(self.primer)
        self.primer_bars = len(lines) // self.cutter.bar_steps
        tokens, _ = self.cutter.parts(lines, [len(lines) - self.cutter.steps])
        self.heard = self.composer._writer.encode(tokens)[0]
        self.timing = continued_timing(self.primer)
        if self.key is None:
            self.key = estimate_key(self.primer)

    def pieces(self, count, progress=None):
        """The pieces, each of which its number and the seed alone decide."""
        each = -(-self.bars // self.cutter.bars)
        latents = np.concatenate([self._way(number, each) for number in range(count)])
        seeds = [[self.seed, number, place] for number in range(count) for place in range(each)]
        tokens = self.composer._writer.write(latents, seeds, self.drawing)
        made = []
        for number, part in enumerate(tokens.reshape(count, each, *tokens.shape[1:])):
            made.append(self._piece(part, number))
            if progress:
                progress(self.bars)
        return made

    def _way(self, number, count):
        """Latents of the fragments of one piece: (count, latent_dim)."""
        random, space = np.random.default_rng([self.seed, number]), self.composer._space
        normal = random.standard_normal((count, self.composer.latent_dim))
        if self.primer is None:
            start = normal[0]
        else:
            start = space.normal(self.heard, self.label)[0]
            normal = np.concatenate([normal[:1], normal])
        way = [start]
        for step in normal[1:]:
            way.append(self.smoothness * way[-1] + np.sqrt(1 - self.smoothness**2) * step)
        return space.point(np.array(way[-count:]), self.label)

    def _piece(self, tokens, number):
        tokens, key = in_key(tokens, self.key)
        share = self.composer.provenance["latent"]["ties"]
        tied = np.random.default_rng([self.seed, number, 1, 1]).random(tokens[:, 0].shape) < share
        lines = self.cutter.joined(tokens, tied)[: self.bars * self.cutter.bar_steps]
        meta = {"composer": type(self.composer).__name__, "seed": self.seed, "number": number, "bars": self.bars}
        defaults = self.composer.options
        meta |= {name: value for name, value in self.options.items() if value != defaults[name]}
        meta |= {"title": f"{self.genre or 'piece'} {number + 1}"} | ({"genre": self.genre} if self.genre else {})
        piece, start = self._begun(lines, meta) if self.primer is None else self._continued(lines, meta)
        wrong = warning(piece, dense=False, sampling=self.drawing, provenance=self.composer.provenance)
        asked = {"genre": self.genre, "bars": self.bars, "tempo": self.tempo, "key": self.options["key"] and key}
        found = {f"asked_{name}": str(value) for name, value in asked.items() if value}
        found |= {f"achieved_{name}": value for name, value in achieved(piece, start).items()}
        return piece.replace(meta=found | ({"warning": wrong} if wrong else {}))

    def _begun(self, lines, meta):
        tempi = self.composer.provenance["tempo"]
        bpm = self.tempo or tempi.get(self.genre or "", tempi[""])
        piece = self.cutter.piece(lines, timing=Timing.regular(bpm, self.cutter.meter), meta=meta)
        return finished(piece, self.bars), 0.0

    def _continued(self, lines, meta):
        """The primer with new bars behind its last one, and where they begin, in s."""
        given, offset = self.primer, self.primer_bars * self.cutter.bar_steps - self.before
        silence = np.full((offset, lines.shape[1]), REST, lines.dtype)
        tracks = given.tracks
        known = getattr(self.composer.codec, "tracks", tracks[:1])
        tracks = tracks + tuple(known[len(tracks) :])
        added = self.cutter.piece(np.concatenate([silence, lines]), timing=self.timing, tracks=tracks)
        meta = {**given.meta, **meta, "primer": given.meta.get("title", "a given piece")}
        notes = np.concatenate([given.notes, added.notes])
        piece = NoteSequence(notes, tracks, self.timing, max(added.duration, given.duration), meta)
        start = float(self.timing.quarters_to_seconds(self.timing.first_bars(self.primer_bars + 1)[-1]))
        return finished(piece, self.primer_bars + self.bars), start


def in_key(tokens, key=None):
    """Fragments, each moved as little as need be to fit a key best.

    Parameters
    ----------
    tokens : uint8, shape (n, steps, lines)
    key : str, optional
        One of `score.key.KEYS`, or such as "A minor". Default: the key that fits the first fragment best.

    Returns
    -------
    tokens : as given
    key : str
    """
    time = pitch_class_time(tokens)  # (n, 12)
    if key is None:
        heard = time[0] if time[0].any() else time.sum(axis=0)
        key = KEYS[int(np.argmax(PROFILES @ heard))]
    profile = PROFILES[key_number(key)]
    fits = np.stack([np.roll(time, shift, axis=1) @ profile for shift in SHIFTS])  # (shifts, n)
    return moved(tokens, SHIFTS[np.argmax(fits, axis=0)]), key


def key_number(key):
    """Place of a key in `score.key.KEYS`."""
    return [checked_key(known) for known in KEYS].index(checked_key(key))
