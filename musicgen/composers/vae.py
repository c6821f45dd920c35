"""VAEComposer: a variational autoencoder over bars that blends fragments of music."""

import json
import warnings

import numpy as np

from ..codecs import MelodyCodec, PianorollCodec
from ..errors import InputError
from .attributes import ATTRIBUTES
from .base import whole_number
from .drawing import SamplingControls
from .fragment_composer import FragmentComposer, checked_genres, checked_lines
from .fragment_data import checked_meter, median_tempi
from .fragments import REPEATED, TIED, FragmentBatches
from .latent import LatentNetwork, divergences
from .latent_space import ACTIVE, LatentSpace, steepest
from .learning import digest_of
from .mixing import Mixing
from .neural import Schedule
from .walks import Walk
from .writing import Writer

BATCH = 4096  # steps of time in a batch at most, of fragments side by side; fewer fragments where an epoch would else
STEPS = 128  # have fewer steps of training than this
LOOKED_AT = 20_000  # fragments from which the latent space is told
BETA, BETA_OF_SEVERAL = 0.08, 0.02  # weight of the latent's information, for one line and for several
LITTLE = 1.0  # bits per fragment below which the latent counts as ignored
COMPARED, USEFUL = 256, 0.2  # fragments told from others' latents, and share of their bits that their own must save


class VAEComposer(Mixing, FragmentComposer):
    """Variational autoencoder (Kingma and Welling 2014) over fragments of a few bars, after MusicVAE (Roberts 2018).

    Parameters
    ----------
    preset : {"tiny", "small", "base", "large"}
        Named size; the arguments below, where given, take the place of its values.
    codec : MelodyCodec or PianorollCodec, optional
        Default: a melody where most of the training pieces are one, else a piano roll.
    fragment_bars : int
        Bars of a fragment, such as 2, 4 or 16.
    meter : str, optional
        Of the fragments, such as "3/4". Default: the one with most bars in the training data.
    hierarchical : bool
        Whether a conductor stands between latent and decoder, see `LatentNetwork`.
    embedding, encoder_units, decoder_units, chain_units, latent_dim : int, optional
        Widths, see `LatentNetwork`. Default of `latent_dim`: the preset's for every line.
    dropout : float, optional
        Share of the steps whose predecessor is hidden from the decoder while training: the more, the more is said by
        the latent.
    beta : float, optional
        Weight of the latent's information in the loss. Default: 0.08 for one line; 0.02 for several, which would
        else be drowned in noise.
    free_bits : float, optional
        Information per fragment that costs nothing.
    lines : sequence of int, optional
        Notes at once in each track. Default: as the training data have them, 8 in all at most.
    genres : sequence of str
        Labels that it knows. Default: those of the training data.
    seed : int
        Of initial weights, noise, transposition and order of the training data.

    Examples
    --------
    >>> from musicgen import NoteSequence, VAEComposer
    >>> scale = NoteSequence([(i / 2, i / 2 + 0.5, 60 + i % 8, 80, 0) for i in range(64)])
    >>> composer = VAEComposer(preset="tiny", fragment_bars=2, seed=0)
    >>> history = composer.fit([scale], epochs=1, progress=False)
    >>> composer.encode(composer.fragments(scale)).shape
    (8, 16)
    """

    options = {
        "temperature": 1.0,
        "top_k": None,
        "top_p": 0.98,
        "min_p": 0.0,
        "smoothness": 0.7,
        "tempo": None,
        "key": None,
    }
    presets = {
        "tiny": {"embedding": 16, "encoder_units": 32, "decoder_units": 64, "chain_units": 64, "latent_dim": 16},
        "small": {"embedding": 48, "encoder_units": 192, "decoder_units": 256, "chain_units": 192, "latent_dim": 128},
        "base": {"embedding": 64, "encoder_units": 256, "decoder_units": 384, "chain_units": 256, "latent_dim": 256},
        "large": {"embedding": 96, "encoder_units": 512, "decoder_units": 768, "chain_units": 384, "latent_dim": 512},
    }
    _learning = {"dropout": 0.2, "beta": None, "free_bits": 0.0}

    def __init__(
        self,
        preset="small",
        *,
        codec=None,
        fragment_bars=4,
        meter=None,
        hierarchical=True,
        embedding=None,
        encoder_units=None,
        decoder_units=None,
        chain_units=None,
        latent_dim=None,
        dropout=None,
        beta=None,
        free_bits=None,
        lines=None,
        genres=(),
        seed=0,
    ):
        if preset not in self.presets:
            raise InputError(f"preset {preset!r} is unknown", remedy=f"one of {', '.join(self.presets)}")
        given = {
            "embedding": embedding,
            "encoder_units": encoder_units,
            "decoder_units": decoder_units,
            "chain_units": chain_units,
            "latent_dim": latent_dim,
            "dropout": dropout,
            "beta": beta,
            "free_bits": free_bits,
        }
        sizes = self.presets[preset] | self._learning | {"latent_dim": None}
        sizes |= {name: value for name, value in given.items() if value is not None}
        for name in self.presets[preset]:
            if sizes[name] is not None:
                whole_number(name, sizes[name], 1)
        if not (0 <= sizes["dropout"] < 1 and (sizes["beta"] or 0) >= 0 and sizes["free_bits"] >= 0):
            raise InputError(f"dropout must lie in [0, 1), beta and free_bits be at least 0, not {sizes}")
        if codec is not None and not isinstance(codec, MelodyCodec | PianorollCodec):
            raise InputError(f"codec must be a MelodyCodec or a PianorollCodec, not {type(codec).__name__}")
        self.preset, self.codec, self.seed = preset, codec, whole_number("seed", seed, 0)
        self.fragment_bars, self.hierarchical = whole_number("fragment_bars", fragment_bars, 1), bool(hierarchical)
        self.meter, self.genres = None if meter is None else checked_meter(meter), checked_genres(genres)
        self.lines = checked_lines(lines)
        for name, value in sizes.items():
            setattr(self, name, value)

    def get_config(self):
        """Constructor arguments but the codec."""
        names = ("preset", "fragment_bars", "meter", "hierarchical", *self.presets[self.preset], *self._learning)
        return {name: getattr(self, name) for name in (*names, "lines", "genres", "seed")}

    # ---- training

    def fit(
        self,
        sequences,
        *,
        epochs=30,
        validation=None,
        batch_size=None,
        learning_rate=2e-3,
        patience=6,
        minutes=None,
        checkpoint=None,
        checkpoint_every=200,
        resume=False,
        log_dir=None,
        devices=None,
        precision="float32",
        progress=True,
        callbacks=(),
    ):
        """Learn from pieces.

        Every epoch sees each fragment in a random key. With `validation` the training stops when the held-out loss
        has not fallen for `patience` epochs, and the best weights are kept. Afterwards `provenance["latent"]` tells
        how many bits the latent of a fragment holds (`kl_bits`), and how many the fragment is still worth to who
        knows it (`bits_left`) or is given another's (`bits_of_another`); if it is ignored, a warning says so.

        Parameters
        ----------
        sequences : iterable of NoteSequence, or path-like
            `meta["genre"]` becomes a label. What the codec cannot hold is left out: `refused` then lists (source,
            reason), and a warning counts them. A path names a folder that `musicgen prepare` wrote.
        epochs : int
            Passes over the data at most.
        validation : iterable of NoteSequence, or path-like, optional
            Held-out pieces.
        batch_size : int, optional
            Fragments per step. Default: 8 to 128 of two bars, fewer longer ones, so that an epoch of
            little data still has some 128 steps.
        learning_rate, patience, minutes, checkpoint, checkpoint_every, resume
            As in `LSTMComposer.fit`.
        log_dir, devices, precision, progress, callbacks
            As in `LSTMComposer.fit`.

        Returns
        -------
        keras.callbacks.History
            `history["loss"]` and `history["val_loss"]` in nats per token (a step of a line), the weighted
            information of the latent included, one entry per epoch.

        Raises
        ------
        InputError
            If no piece holds a fragment; a number makes no sense, or `precision` is unknown; `checkpoint` holds an
            unfinished training and `resume` is not set; there are fewer `devices`.
        MissingDependencyError
            If `log_dir` is given and TensorBoard is not installed.
        CheckpointError
            If the state in `checkpoint` is damaged, or of other data or settings.
        """
        schedule = Schedule(
            learning_rate=learning_rate,
            epochs=epochs,
            patience=patience,
            minutes=minutes,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            resume=resume,
            log_dir=log_dir,
            devices=devices,
            precision=precision,
            progress=progress,
            callbacks=callbacks,
        )
        with self.unchanged_if_refused():
            cut, check = self._cut(sequences, validation)
        tokens, check = cut.tokens, None if check is None else check.tokens
        most = max(8, BATCH // tokens.shape[1])
        size = schedule.batch_size(batch_size, int(np.clip(len(tokens) // STEPS, 8, most)))
        size = min(size, len(tokens) // schedule.devices.count * schedule.devices.count)
        if not size:
            raise InputError(
                f"sequences holds {len(tokens)} fragments, fewer than the {schedule.devices.count} devices",
                remedy="train on one device, or give more pieces",
            )
        batches = {"batch_size": size, "seed": self.seed}
        data = FragmentBatches(tokens, **batches)
        if check is not None and len(check) < size:
            check = np.resize(check, (size, *check.shape[1:]))
        check = None if check is None else FragmentBatches(check, augment=False, **batches)
        history = self._train(data, check, schedule, digest=digest_of([tokens]) + json.dumps(batches))
        self._record_provenance(cut.pieces, history)
        self._look_at(cut)
        return history

    def _look_at(self, cut):
        """Learn where the data lie in latent space, and tell whether the latent is used."""
        tokens, ties, labels = cut.tokens, cut.ties, cut.labels
        rows = np.random.default_rng([self.seed, 3]).permutation(len(tokens))[:LOOKED_AT]
        means, log_variances = self._writer.encode(tokens[rows])
        spreads = [values.std() for values in self._attributes(tokens[rows])]
        directions = steepest(means, self._attributes_of_latents, spreads, seed=[self.seed, 4])
        self._space = LatentSpace.of_data(means, np.exp(log_variances), labels[rows], len(self.genres), directions)
        nats = np.asarray(divergences(means, log_variances)).sum(axis=1).mean()
        active = int(np.sum(means.var(axis=0) > ACTIVE))
        tied, repeated = np.sum(ties == TIED), np.sum(ties == REPEATED)
        said, unsaid = self._bits(tokens[rows[:COMPARED]], means[:COMPARED])
        bits = float(nats / np.log(2))
        self.provenance["latent"] = {
            "fragments": len(tokens),
            "kl_bits": round(bits, 2),
            "active_units": active,
            "bits_left": round(said, 2),
            "bits_of_another": round(unsaid, 2),
            "ties": round(float(tied / max(tied + repeated, 1)), 4),
        }
        self.provenance["tempo"] = median_tempi(cut.pieces, self.genres)
        if bits < LITTLE or not active or said > (1 - USEFUL) * unsaid:
            message = (
                f"the latent is ignored: it holds {bits:.2f} bits per fragment in {active} active units, and leaves "
                f"{said:.0f} of {unsaid:.0f} bits untold; lower beta, raise free_bits or dropout, or train longer"
            )
            self.provenance["latent"]["warning"] = message
            warnings.warn(message, stacklevel=3)

    def _bits(self, tokens, means):
        """What fragments are still worth to who knows their latents, and to who is given another's: bits of each."""
        nats = (self._writer.nll(tokens, latents).sum(axis=(1, 2)) for latents in (means, np.roll(means, 1, axis=0)))
        return tuple(float(np.mean(each) / np.log(2)) for each in nats)

    def _attributes(self, tokens):
        """Attributes of fragments: (n_attributes, n)."""
        return np.stack([function(tokens, self.network.beat_steps) for function in ATTRIBUTES.values()])

    def _attributes_of_latents(self, latents):
        seeds = [[self.seed, 5, row] for row in range(len(latents))]
        return self._attributes(self._writer.write(latents, seeds, self._drawing(self.options)))

    # ---- the network

    def _make_network(self):
        self._cutter = self._make_cutter()
        self.latent_dim = self.latent_dim or self.presets[self.preset]["latent_dim"] * self._cutter.lines
        self.beta = (BETA if self._cutter.lines == 1 else BETA_OF_SEVERAL) if self.beta is None else self.beta
        sizes = {name: getattr(self, name) for name in (*self.presets[self.preset], *self._learning)}
        shape = {"bars": self.fragment_bars, "bar_steps": self._cutter.bar_steps, "lines": self._cutter.lines}
        self.network = LatentNetwork(**shape, **sizes, hierarchical=self.hierarchical, seed=self.seed)
        self._writer = Writer(self.network)
        self._space = LatentSpace.empty(len(self.genres), len(ATTRIBUTES), self.latent_dim)

    def _weights(self):
        return super()._weights() | self._space.weights()

    def _set_weights(self, weights):
        super()._set_weights(weights)
        self._space = LatentSpace(*(np.asarray(weights[name]) for name in self._space.weights()))

    # ---- composing

    def _compose(self, count, *, bars, genre, primer, seed, progress, **options):
        walk = Walk(self, bars=bars, genre=genre, primer=primer, seed=seed, options=options)
        return walk.pieces(count, progress)

    def _drawing(self, options):
        names = ("temperature", "top_k", "top_p", "min_p")
        return SamplingControls(**{name: options[name] for name in names})
