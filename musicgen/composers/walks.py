"""Long pieces from short fragments: a smooth walk through latent space, in one key and at one tempo."""

import numpy as np

from ..codecs.melody import HOLD
from ..errors import InputError
from ..score.key import KEYS, PROFILES, estimate_key
from .attributes import pitch_class_time
from .controls import checked_key, checked_number
from .diagnosis import warning
from .fragments import moved
from .requests import Continuation, begun, told_of, with_findings

CANDIDATES = 4  # fragments that are written for every place, of which one is taken
STEP_COST = 0.02  # of a semitone between two fragments, in shares of time in key
SHIFTS = np.array(sorted(range(-6, 6), key=abs))  # semitones that a fragment may be moved by, the least first


class Walk:
    """One request to a VAEComposer.

    Each fragment's latent is near the one before: a stationary process of first order, whose points are distributed
    as the genre's, or as all data. Fragments are moved into the key of the first, or the one asked for, and by
    octaves into its register; of several for each place the one is taken that then fits best.

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
        self.register = self.before = None
        if primer is not None:
            if self.tempo is not None:
                raise InputError("tempo cannot be asked for beside a primer", remedy="the primer brings its tempo")
            self._listen(primer)

    def _listen(self, primer):
        """Hear the primer's last bars."""
        self.before = Continuation(self.composer, primer, least=self.cutter.bars)
        tokens, _ = self.cutter.parts(self.before.lines, [len(self.before.lines) - self.cutter.steps])
        self.heard = self.composer._writer.encode(tokens)[0]
        self.register = middle_pitch(tokens)[0]
        if self.key is None:
            self.key = estimate_key(self.before.primer)

    def pieces(self, count, progress=None):
        """The pieces, each of which its number and the seed alone decide."""
        each, ways = -(-self.bars // self.cutter.bars), [self._begin_way(number) for number in range(count)]
        for place in range(each):
            points = [way.candidates(self.smoothness) for way in ways]
            latents = self.composer._space.point(np.concatenate(points), self.label)
            seeds = [[self.seed, n, place, candidate] for n in range(count) for candidate in range(CANDIDATES)]
            tokens = self.composer._writer.write(latents, seeds, self.drawing)
            for way, some in zip(ways, tokens.reshape(count, CANDIDATES, *tokens.shape[1:]), strict=True):
                way.take(some)
            if progress:
                progress(max(min(self.cutter.bars, self.bars - place * self.cutter.bars), 0) * count)
        return [self._piece(np.stack(way.taken), way.key, number) for number, way in enumerate(ways)]

    def _begin_way(self, number):
        random = np.random.default_rng([self.seed, number])
        heard = None if self.before is None else self.composer._space.normal(self.heard, self.label)[0]
        return _Way(random, self.composer.latent_dim, heard, self.key, self.register)

    def _piece(self, tokens, key, number):
        share = self.composer.provenance["latent"]["ties"]
        tied = np.random.default_rng([self.seed, number, 1, 1]).random(tokens[:, 0].shape) < share
        lines = self.cutter.joined(tokens, tied)[: self.bars * self.cutter.bar_steps]
        request = {"genre": self.genre, "seed": self.seed, "bars": self.bars, "options": self.options}
        meta = told_of(self.composer, number=number, **request)
        if self.before is None:
            piece, start = begun(self.composer, lines, self.bars, bpm=self.tempo, meta=meta), 0.0
        else:
            piece, start = self.before.piece(lines, self.bars, meta), self.before.start
        wrong = warning(piece, dense=False, sampling=self.drawing, provenance=self.composer.provenance)
        asked = {"genre": self.genre, "bars": self.bars, "tempo": self.tempo, "key": self.options["key"] and key}
        return with_findings(piece, start, asked, wrong)


class _Way:
    """The way of one piece: at every place some points near the last one, of which one is gone to.

    Points are those of a standard normal distribution, which `LatentSpace.point` brings to where the data lie.
    """

    def __init__(self, random, latent_dim, heard, key, register):
        self.random, self.latent_dim, self.last = random, latent_dim, heard
        self.key, self.register, self.taken = key, register, []

    def candidates(self, smoothness):
        """Points (CANDIDATES, latent_dim) for the next place."""
        self.points = self.random.standard_normal((CANDIDATES, self.latent_dim))
        if self.last is not None:
            self.points = smoothness * self.last + np.sqrt(1 - smoothness**2) * self.points
        return self.points

    def take(self, tokens):
        """Go to the candidate that is best in key and nearest in pitch to what sounded last."""
        if self.key is None:
            keys = [in_key(some[None])[1] for some in tokens]
            best = int(np.argmax([in_scale(some[None], key)[0] for some, key in zip(tokens, keys, strict=True)]))
            self.key = keys[best]
        moved_there = in_register(in_key(tokens, self.key)[0], self.register)
        merits = in_scale(moved_there, self.key)
        if self.taken:
            merits = merits - STEP_COST * _steps_between(self.taken[-1], moved_there)
        best = int(np.argmax(merits))
        if self.register is None:
            self.register = middle_pitch(moved_there)[best]
        self.last = self.points[best]
        self.taken.append(moved_there[best])


def _steps_between(before, after):
    """Semitones from the last pitches of a fragment to the first ones of others, mean over lines: (n,)."""
    first, last = after < HOLD, before < HOLD  # (n, steps, lines), (steps, lines)
    both = first.any(axis=1) & last.any(axis=0)  # (n, lines)
    opening = np.take_along_axis(after, np.argmax(first, axis=1)[:, None], axis=1)[:, 0].astype(int)
    closing = np.take_along_axis(before, len(before) - 1 - np.argmax(last[::-1], axis=0)[None], axis=0)[0].astype(int)
    return np.where(both, np.abs(opening - closing), 0).sum(axis=1) / np.maximum(both.sum(axis=1), 1)


def in_scale(tokens, key):
    """Share of the sounding time of fragments in the scale of a key; harmonic minor counts too: float64, (n,)."""
    number = key_number(key)
    degrees = [0, 2, 4, 5, 7, 9, 11] if number < 12 else [0, 2, 3, 5, 7, 8, 10, 11]
    time = pitch_class_time(tokens)
    return time[:, (number + np.array(degrees)) % 12].sum(axis=1) / np.maximum(time.sum(axis=1), 1)


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


def in_register(tokens, register=None):
    """Fragments, each moved by whole octaves to where the others are.

    Parameters
    ----------
    tokens : uint8, shape (n, steps, lines)
    register : float, optional
        A pitch; default: the middle of the first fragment.

    Returns
    -------
    tokens : as given
    """
    middles = middle_pitch(tokens)
    register = middles[0] if register is None else register
    return moved(tokens, 12 * np.rint((register - middles) / 12).astype(int))


def middle_pitch(tokens):
    """Mean of the pitches that begin in each fragment: float64, (n,); 60 where none does."""
    begins = tokens < HOLD
    count = begins.sum(axis=(1, 2))
    return np.where(count, np.where(begins, tokens, 0).sum(axis=(1, 2)) / np.maximum(count, 1), 60.0)


def key_number(key):
    """Place of a key in `score.key.KEYS`."""
    return [checked_key(known) for known in KEYS].index(checked_key(key))
