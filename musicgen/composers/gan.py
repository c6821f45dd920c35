"""GANComposer: melodies and rhythms from two networks in a contest."""

import json
import warnings
from collections import Counter

import numpy as np

from ..codecs import MelodyCodec, PianorollCodec
from ..codecs.lines import notes_of
from ..codecs.melody import HOLD
from ..errors import InputError
from .backend import to_numpy
from .base import whole_number
from .contest import Contest, pitch_classes
from .filling import Maker
from .fragment_composer import FragmentComposer, checked_genres, checked_lines
from .fragment_data import checked_meter, median_tempi
from .guard import Guard
from .inventing import Inventing, Request
from .learning import digest_of
from .neural import Schedule
from .roll_data import RollBatches, keys_of, shift_to_white, shifted, tokens_of
from .rolls import NEURONS, STOCHASTIC, STRAIGHT, Critic, Generator
from .training import Training, tensorboard_callbacks
from .weighing import coefficients, counts_of

BATCH, FEWEST = 32, 8  # fragments of a step, and fewest that the networks can learn from
RARE = 0.01  # share of the notes above the range of a line that shares its track with others, and below
SHORT = 0.02  # share of notes that are shorter than any that is drawn
DRAWS, REAL = 1024, 4096  # of candidates, and real fragments, at most from which their weights are found


class GANComposer(Inventing, FragmentComposer):
    """Generative adversarial network (Goodfellow et al. 2014) over fragments, after MuseGAN (Dong et al. 2018).

    Parameters
    ----------
    preset : {"tiny", "small", "base", "large"}
        Named size; the arguments below, where given, take the place of its values.
    codec : MelodyCodec or PianorollCodec, optional
        Default: a melody where most of the training pieces are one, else a piano roll, of 12 steps per quarter note.
    fragment_bars : int
        Bars that are written at once.
    meter : str, optional
        Such as "3/4". Default: the one with most bars in the training data.
    noise, units, blocks : int, optional
        Widths of the noise and of the layers, and layers of either network; see `rolls.RollNetwork`.
    neurons : {"straight-through", "stochastic", "threshold"}, optional
        How outputs become binary, see `rolls.binary`. Default: "stochastic" where a track has several lines, as in
        recordings, else "straight-through".
    penalty : float, optional
        Weight of the critic's squared gradients, see `contest.Contest`.
    lines : sequence of int, optional
        Notes at once in each track. Default: as the training data have them, 8 in all at most.
    pitch_range : (int, int) or sequence of them, optional
        Lowest and highest MIDI pitch that is written, before it is moved into its key: of all lines, or of each.
        Default: the training data's for each line, but for rare notes of lines that share a track.
    genres : sequence of str
        Labels that it knows. Default: those of the training data.
    seed : int
        Of initial weights, noise and order of the training data.

    Examples
    --------
    >>> from musicgen import GANComposer, NoteSequence
    >>> scale = NoteSequence([(i / 2, i / 2 + 0.5, 60 + i % 8, 80, 0) for i in range(80)])
    >>> composer = GANComposer(preset="tiny", seed=0)
    >>> history = composer.fit([scale], epochs=1, progress=False)
    >>> len(composer.interpolate(3, seed=0))
    3
    """

    options = {"truncation": 1.0, "smoothness": 0.5, "candidates": 8, "tempo": None, "key": None}
    presets = {
        "tiny": {"noise": 16, "units": 48, "blocks": 1},
        "small": {"noise": 64, "units": 128, "blocks": 2},
        "base": {"noise": 96, "units": 256, "blocks": 2},
        "large": {"noise": 128, "units": 512, "blocks": 3},
    }
    resolution = 12

    def __init__(
        self,
        preset="small",
        *,
        codec=None,
        fragment_bars=4,
        meter=None,
        noise=None,
        units=None,
        blocks=None,
        neurons=None,
        penalty=1.0,
        lines=None,
        pitch_range=None,
        genres=(),
        seed=0,
    ):
        if preset not in self.presets:
            raise InputError(f"preset {preset!r} is unknown", remedy=f"one of {', '.join(self.presets)}")
        given = {"noise": noise, "units": units, "blocks": blocks}
        sizes = self.presets[preset] | {name: value for name, value in given.items() if value is not None}
        for name, value in sizes.items():
            setattr(self, name, whole_number(name, value, 1))
        if codec is not None and not isinstance(codec, MelodyCodec | PianorollCodec):
            raise InputError(f"codec must be a MelodyCodec or a PianorollCodec, not {type(codec).__name__}")
        if neurons not in (None, *NEURONS):
            raise InputError(f"neurons {neurons!r} are unknown", remedy=f"one of {', '.join(NEURONS)}")
        if not penalty > 0:
            raise InputError(f"penalty must be above 0, not {penalty!r}")
        self.preset, self.codec, self.seed = preset, codec, whole_number("seed", seed, 0)
        self.fragment_bars, self.neurons, self.penalty = (
            whole_number("fragment_bars", fragment_bars, 1),
            neurons,
            penalty,
        )
        self.meter, self.genres = None if meter is None else checked_meter(meter), checked_genres(genres)
        self.lines = checked_lines(lines)
        self.pitch_range = None if pitch_range is None else _checked_range(pitch_range)

    def get_config(self):
        """Constructor arguments but the codec."""
        names = ("preset", "fragment_bars", "meter", *self.presets[self.preset], "neurons", "penalty", "lines")
        return {name: getattr(self, name) for name in (*names, "pitch_range", "genres", "seed")}

    # ---- training

    def fit(
        self,
        sequences,
        *,
        epochs=100,
        validation=None,
        batch_size=None,
        learning_rate=1e-3,
        minutes=None,
        look_every=200,
        listeners=(),
        checkpoint=None,
        checkpoint_every=200,
        resume=False,
        log_dir=None,
        progress=True,
        callbacks=(),
    ):
        """Learn from pieces.

        Pieces are moved to the white keys first, and compositions into the keys that the pieces were in. Every
        `look_every` steps a guard compares fragments that the generator invents with training fragments; the
        generator that came nearest is kept. If the networks diverge, or the generator writes one thing only, the
        training ends with a warning that says so; `provenance["looks"]` has all that was found.

        Parameters
        ----------
        sequences : iterable of NoteSequence, or path-like
            `meta["genre"]` becomes a label. What the codec cannot hold is left out: `refused` then lists (source,
            reason), and a warning counts them. A path names a folder that `musicgen prepare` wrote.
        epochs : int
            Passes over the data at most.
        validation : iterable of NoteSequence, or path-like, optional
            Held-out pieces: `provenance["held_out_overlap"]` tells how near they come themselves.
        batch_size : int, optional
            Fragments per step. Default: 32, or fewer where there are not so many.
        learning_rate : float
            Of both networks at the beginning.
        minutes : float, optional
            Stop when this time is up.
        look_every : int
        listeners : sequence of callable
            Called at every look with step, what was found (dict of str to float) and pieces that were invented, list
            of NoteSequence; such as `plots.SampleStrips`.
        checkpoint, checkpoint_every, resume, log_dir, progress, callbacks
            As in `LSTMComposer.fit`.

        Returns
        -------
        keras.callbacks.History
            One entry per epoch: `history["loss"]`, the critic's; `history["generator"]`, the generator's;
            `history["lead"]`, by which the critic prefers real fragments.

        Raises
        ------
        InputError
            If there are too few fragments for a step; a number makes no sense; `checkpoint` holds an unfinished
            training and `resume` is not set.
        MissingDependencyError
            If `log_dir` is given and TensorBoard is not installed.
        CheckpointError
            If the state in `checkpoint` is damaged, or of other data or settings.
        """
        schedule = Schedule(
            learning_rate=learning_rate,
            epochs=epochs,
            patience=None,
            minutes=minutes,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            resume=resume,
            log_dir=log_dir,
            devices=None,
            precision="float32",
            progress=progress,
            callbacks=callbacks,
        )
        whole_number("look_every", look_every, 1)
        with self.unchanged_if_refused():
            cut, check = self._cut(sequences, validation)
            tokens, held_out = (None if part is None else self._on_white_keys(part) for part in (cut, check))
            size = self._checked_batch(schedule.batch_size(batch_size, min(BATCH, len(tokens))), len(tokens))
        if self.pitch_range is None:
            self.pitch_range = _ranges(tokens, (np.repeat(self.lines, self.lines) > 1) & self._pitched)
        facts = {"tempo": median_tempi(cut.pieces, self.genres), "keys": _keys(cut.pieces)}
        facts |= {"fragments": len(tokens), "labels": _labels(cut.labels, self.genres)}
        history, guard = self._contend(tokens, cut.labels, schedule, size, look_every, listeners)
        self._record_provenance(cut.pieces, history)
        self.provenance |= facts | {"looks": guard.looks}
        if held_out is not None:
            self.provenance["held_out_overlap"] = guard.overlap_of(held_out)
        if guard.problem:
            self.provenance["warning"] = guard.problem
            warnings.warn(f"{guard.problem}; the best generator before is kept", stacklevel=2)
        return history

    def _on_white_keys(self, cut):
        """Tokens of `CutPieces`, moved by the keys of their pieces."""
        shifts = np.array([shift_to_white(key) for key in keys_of(cut.pieces)])
        return shifted(cut.tokens, shifts[cut.owners], self._pitched)

    @property
    def _pitched(self):
        """Which lines are no drums: bool, (lines,)."""
        tracks = getattr(self.codec, "tracks", None)
        return np.repeat([not track.drum for track in tracks], self.lines) if tracks else np.ones(1, bool)

    def _checked_batch(self, size, count):
        if count < max(size, FEWEST):
            raise InputError(
                f"sequences holds {count} fragments of {self.fragment_bars} bars, fewer than the {max(size, FEWEST)} "
                "that one step needs",
                remedy="give more or longer pieces, or a smaller batch_size" if size > FEWEST else "give more pieces",
            )
        return size

    def _contend(self, tokens, labels, schedule, size, look_every, listeners):
        """Let the networks learn; returns the Keras History and the guard."""
        if self.network is None:
            self._build()
        self.network.shortest.assign([np.quantile(notes_of(tokens)[2], SHORT, method="closest_observation")])
        contest = Contest(self.network, self._make_critic(), penalty=self.penalty, neurons=self.neurons)
        contest.prepare(schedule.learning_rate)
        shape = {"generator": self.network, "lowest": self._lowest, "batch_size": size, "seed": self.seed}
        guard = Guard(
            contest,
            lambda count: self._invented([[self.seed, 9, row] for row in range(count)], labels),
            tokens,
            bar_steps=self._cutter.bar_steps,
            every=look_every,
            seed=self.seed,
            listeners=[*self._logs(schedule.log_dir), *map(self._telling, listeners)],
        )
        told = json.dumps({"batch_size": size, "look_every": look_every})
        history = Training(
            contest,
            RollBatches(tokens, labels, **shape),
            epochs=schedule.epochs,
            learning_rate=schedule.learning_rate,
            minutes=schedule.minutes,
            checkpoint=schedule.state(self.get_config() | {"data": digest_of([tokens]) + told}),
            progress=schedule.progress,
            callbacks=[*tensorboard_callbacks(schedule.log_dir), *schedule.callbacks],
            guard=guard,
        ).run()
        guard.finish()
        self._set_weights(guard.best)
        self._weigh_against(tokens, labels)
        return history, guard

    def _weigh_against(self, tokens, labels):
        """Find the weights by which one of several candidates is drawn, see `weighing`."""
        some = np.random.default_rng([self.seed, 12]).permutation(len(tokens))[:REAL]
        draws, candidates = min(DRAWS, len(tokens)), self.options["candidates"]
        made = self._invented([[self.seed, 13, row] for row in range(draws * candidates)], labels)
        made, real = (counts_of(side, self._cutter.bar_steps) for side in (made, tokens[some]))
        self.network.weighing.assign(coefficients(made.reshape(draws, candidates, -1), real))

    def _weigh(self, pitches, onsets):
        """Logarithms of the weights of fragments, float (n,)."""
        counts = counts_of(self._tokens(pitches, onsets), self._cutter.bar_steps)
        return counts @ to_numpy(self.network.weighing.value)

    def _invented(self, seeds, labels):
        """Fragments on the white keys, of genres as the data have them."""
        drawn = np.random.default_rng([self.seed, 10]).choice(labels, len(seeds))
        return self._tokens(*self._maker.invent(self._genre_rows(drawn), seeds))

    def _tokens(self, pitches, onsets):
        return tokens_of(pitches, onsets, self._lowest, self.network.keys)

    def _genre_rows(self, labels):
        """Labels (n,), -1 for none, as the networks take them: float32, (n, genres)."""
        table = np.concatenate([np.eye(len(self.genres)), np.zeros((1, len(self.genres)))])
        return table[np.asarray(labels)].astype(np.float32)

    def _logs(self, log_dir):
        if log_dir is None:
            return []
        from .backend.logs import write_numbers

        return [lambda step, found, tokens: write_numbers(log_dir, found, step)]

    def _telling(self, listener):
        """A listener that is told pieces in place of tokens."""
        return lambda step, found, tokens: listener(
            step, found, [self._cutter.piece(lines, bpm=120.0) for lines in tokens[:16]]
        )

    # ---- the network

    def _make_network(self):
        self._cutter = self._make_cutter()
        self.network = Generator(noise=self.noise, **self._shape(), seed=self.seed)
        ranges = np.broadcast_to(self.pitch_range, (self._cutter.lines, 2))
        self.neurons = self.neurons or (STOCHASTIC if max(self.lines) > 1 else STRAIGHT)
        self._maker = Maker(self.network, self.neurons, np.diff(ranges)[:, 0] + 1, self._weigh)

    def _make_critic(self):
        classes = pitch_classes(self._lowest, self.network.keys)
        return Critic(classes=classes, **self._shape(), seed=self.seed + 1000)

    @property
    def _lowest(self):
        """Pitch of every line's first key: (lines,)."""
        return np.broadcast_to(self.pitch_range, (self._cutter.lines, 2))[:, 0].astype(int)

    def _shape(self):
        return {
            "bars": self.fragment_bars,
            "bar_steps": self._cutter.bar_steps,
            "lines": self._cutter.lines,
            "keys": int(np.max(np.diff(np.atleast_2d(self.pitch_range)))) + 1,
            "genres": len(self.genres),
            "units": self.units,
            "blocks": self.blocks,
        }

    # ---- composing

    def _compose(self, count, *, bars, genre, primer, seed, progress, **options):
        request = Request(self, genre=genre, seed=seed, options=options)
        return request.pieces(count, bars, primer, progress)


def _checked_range(pitch_range):
    """The range of all lines as (low, high), or those of each as a tuple of them."""
    ranges = np.asarray(pitch_range)
    fits = ranges.ndim in (1, 2) and ranges.shape[-1] == 2 and ranges.dtype.kind in "iu"
    if not fits or (np.diff(ranges) < 0).any() or ranges.min() < 0 or ranges.max() > 127:
        raise InputError(
            f"pitch_range must rise within 0 to 127, in each line where there are several, not {pitch_range!r}"
        )
    return tuple(tuple(pair) if isinstance(pair, list) else pair for pair in ranges.tolist())


def _ranges(tokens, shared):
    """Lowest and highest pitch of every line of fragments; those without notes take the range of all.

    A pitched line that shares its track with others (`shared`) has notes far from its register where nearer lines are
    taken. They are so rare that no more keys are kept for them.
    """
    whole = tokens[tokens < HOLD]
    lines = [some[some < HOLD] if (some < HOLD).any() else whole for some in np.moveaxis(tokens, -1, 0)]
    rare = np.where(shared, RARE, 0.0)
    ends = [
        np.quantile(pitches, (share, 1 - share), method="closest_observation")
        for pitches, share in zip(lines, rare, strict=True)
    ]
    return tuple((int(low), int(high)) for low, high in ends)


def _keys(pieces):
    """How many pieces are in each key; those without one are left out."""
    return dict(Counter(key for key in keys_of(pieces) if key))


def _labels(labels, genres):
    """How many fragments each genre has."""
    return {genre: int(np.sum(labels == number)) for number, genre in enumerate(genres)}
