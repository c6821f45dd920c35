"""LSTMComposer: a recurrent network over event tokens that continues music from memory."""

import json

import numpy as np

from ..codecs import EventsCodec
from ..errors import InputError
from .backend import to_numpy
from .base import checked_seed, checked_sequences, whole_number
from .controls import CONTROLS, checked_number
from .labels import seen_controls
from .learning import codec_for, digest_of, encoded, pieces_to_learn, warn_of
from .likelihood import Scorer
from .network import RecurrentNetwork
from .neural import NetworkComposer, Schedule
from .plans import Plan
from .sampling import Sampler
from .streaming import NoteStream
from .windows import TokenWindows


class LSTMComposer(NetworkComposer):
    """Long short-term memory (Hochreiter and Schmidhuber 1997) over event tokens.

    Beside bars, genre, primer and seed, `compose`, `compose_many` and `stream` take what the piece shall be (None,
    the default, leaves it to the composer) and how tokens are drawn:

    - `key`: such as "A minor" or "F# major". A primer is continued in its own, unless another is asked for; without
      either, every piece gets one of the training data's keys, as often as these have it.
    - `tempo`: beats per minute; a beat is a quarter note, in 6/8, 9/8 and 12/8 a dotted one, in x/2 a half note.
    - `meter`: one of the training data's, such as "3/4"; it holds to the end.
    - `density`: notes per quarter note, 0.1 to 16.
    - `polyphony`: notes that sound at once, at most, 1 to 16.
    - `pitch_range`: lowest and highest MIDI pitch, such as (48, 72); percussion is not bound by it.
    - `instrument`: General MIDI name, family ("piano") or program of all pitched tracks, or a list, one for each.
    - `temperature`: 0 takes the likeliest token, below 1 is more cautious, above it bolder; 1.
    - `top_k`, `top_p`, `min_p`: tokens that are kept: the likeliest, as many as hold this probability, those at least
      this fraction as likely as the best; None, 0.98, 0.
    - `repetition_penalty`: nats that a note loses for every statement of a loop of a bar or less beyond four; 3.

    In the piece's `meta`, `asked_...` and `achieved_...` tell what was asked and what it is, `warning` what went
    wrong.

    Parameters
    ----------
    preset : {"tiny", "small", "base", "large"}
        Named size; the arguments below, where given, take the place of its values.
    codec : EventsCodec, optional
        Default: one made from the training data by `fit`.
    embedding, units, layers : int, optional
        Width of the token embedding, of each recurrent layer, and number of recurrent layers.
    dropout : float, optional
        Share of activations dropped between layers while training.
    filters : int, optional
        Patterns of intervals that the network knows, see `RecurrentNetwork`.
    echo : int, optional
        Tokens that it looks back for what followed when the passage of just now sounded before, see `EchoMemory`; 0
        leaves that out.
    seed : int
        Of initial weights, dropout, transposition and order of the training data.

    Examples
    --------
    >>> from musicgen import LSTMComposer, NoteSequence
    >>> scale = [(i / 2, i / 2 + 0.5, 60 + i % 8, 80, 0) for i in range(64)]
    >>> composer = LSTMComposer(preset="tiny", seed=0)
    >>> history = composer.fit([NoteSequence(scale)], epochs=1, progress=False)
    >>> piece = composer.compose(bars=2, seed=7)
    >>> piece.duration > 0
    True
    """

    options = {
        "temperature": 1.0,
        "top_k": None,
        "top_p": 0.98,
        "min_p": 0.0,
        "repetition_penalty": 3.0,
        **dict.fromkeys(CONTROLS),
    }
    presets = {
        "tiny": {"embedding": 32, "units": 64, "layers": 1, "dropout": 0.0, "filters": 16, "echo": 1024},
        "small": {"embedding": 192, "units": 256, "layers": 1, "dropout": 0.5, "filters": 32, "echo": 1024},
        "base": {"embedding": 128, "units": 512, "layers": 2, "dropout": 0.3, "filters": 48, "echo": 1024},
        "large": {"embedding": 256, "units": 1024, "layers": 3, "dropout": 0.4, "filters": 64, "echo": 1024},
    }

    def __init__(
        self,
        preset="small",
        *,
        codec=None,
        embedding=None,
        units=None,
        layers=None,
        dropout=None,
        filters=None,
        echo=None,
        seed=0,
    ):
        if preset not in self.presets:
            raise InputError(f"preset {preset!r} is unknown", remedy=f"one of {', '.join(self.presets)}")
        if codec is not None and not isinstance(codec, EventsCodec):
            raise InputError(f"codec must be an EventsCodec, not {type(codec).__name__}")
        given = {"embedding": embedding, "units": units, "layers": layers, "dropout": dropout}
        given |= {"filters": filters, "echo": echo}
        sizes = {**self.presets[preset], **{name: value for name, value in given.items() if value is not None}}
        self.preset, self.codec, self.seed = preset, codec, whole_number("seed", seed, 0)
        self.embedding, self.units, self.layers = (
            whole_number(name, sizes[name], 1) for name in ("embedding", "units", "layers")
        )
        self.filters, self.echo = (whole_number(name, sizes[name], 0) for name in ("filters", "echo"))
        self.dropout = checked_number("dropout", sizes["dropout"], 0, 0.99, "of the activations")

    def get_config(self):
        """Constructor arguments but the codec."""
        names = ("preset", "embedding", "units", "layers", "dropout", "filters", "echo", "seed")
        return {name: getattr(self, name) for name in names}

    # ---- training

    def fit(
        self,
        sequences,
        *,
        epochs=20,
        validation=None,
        batch_size=None,
        context=128,
        learning_rate=4e-3,
        patience=4,
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

        Every epoch sees each piece in a random key. With `validation` the training stops when the held-out loss
        has not fallen for `patience` epochs, and the best weights are kept.

        Parameters
        ----------
        sequences : iterable of NoteSequence, or path-like
            `meta["genre"]` and `meta["key"]` become controls. What the codec cannot hold is left out:
            `refused` then lists (source, reason), and a warning counts them. A path names a folder that `musicgen
            prepare` wrote: it is read as it is needed, so that memory does not grow with the data.
        epochs : int
            Passes over the data at most.
        validation : iterable of NoteSequence, or path-like, optional
            Held-out pieces.
        batch_size : int, optional
            Windows per step. Default: 4 to 32, so that an epoch of little data still has some 16 steps, or a few
            more, so that all `devices` have the same number.
        context : int
            Tokens per window.
        learning_rate : float
            Of AdamW (Loshchilov and Hutter 2019), falling to a tenth along a cosine over `epochs` or `minutes`.
        patience : int
            Epochs without improvement before stopping.
        minutes : float, optional
            Stop when this time is up.
        checkpoint : path-like, optional
            Folder in which to keep the state of the training, so that it can go on after it was killed. It may be
            deleted when the training is done.
        checkpoint_every : int
            Steps between two writings of it; the end of every epoch is written too.
        resume : bool
            Go on from the state in `checkpoint`, if there is one. The losses are those of an undisturbed training.
        log_dir : path-like, optional
            Folder for TensorBoard's logs.
        devices : "all" or int, optional
            Train on all devices, or on so many: GPUs, or processors where there is no GPU. Each takes the same
            share of every batch. Default: one.
        precision : {"float32", "mixed"}
            "mixed" computes in bfloat16, or in float16 with scaled losses on GPUs without it, which takes less
            memory and, on a GPU, less time. Weights, losses and compositions are float32 in both.
        progress : bool
            Show a progress bar on standard error.
        callbacks : sequence of keras.callbacks.Callback
            Called at the begin and end of the training, of epochs and of steps.

        Returns
        -------
        keras.callbacks.History
            `history["loss"]` and `history["val_loss"]` in nats per token, one entry per epoch.

        Raises
        ------
        InputError
            If there is nothing to learn from, or nothing that the codec can hold; a number makes no sense, or
            `precision` is unknown; `checkpoint` holds an unfinished training and `resume` is not set; there are fewer
            `devices`, or they cannot share `batch_size` evenly.
        MissingDependencyError
            If `log_dir` is given and TensorBoard is not installed.
        CheckpointError
            If the state in `checkpoint` is damaged, or of other data or settings.
        """
        context = whole_number("context", context, 16)
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
        sequences, streams, held_out_streams = self._encoded(sequences, validation)
        suited = int(np.clip(sum(map(len, streams)) // (16 * context), 4, 32))
        windows = {
            "context": context,
            "batch_size": schedule.batch_size(batch_size, suited),
            "seed": self.seed,
            "echo": self.echo,
        }
        data = TokenWindows(self.codec, streams, **windows)
        check = held_out_streams and TokenWindows(self.codec, held_out_streams, augment=False, **windows)
        digest = digest_of(streams) + json.dumps(windows)
        begin = lambda: self._start_from_frequencies(streams)  # noqa: E731
        history = self._train(data, check or None, schedule, digest=digest, begin=begin)
        self._record_provenance(sequences, history)
        return history

    def _encoded(self, sequences, validation):
        """Pieces to learn from, their tokens, and those of held-out ones; what the codec cannot hold is left out."""
        pieces = pieces_to_learn(sequences)
        held_out = pieces_to_learn(validation, "validation") if validation is not None else None
        codec = codec_for(EventsCodec, pieces, held_out) if self.codec is None else self.codec
        pieces, streams, refused = encoded(pieces, codec, EventsCodec)
        held_out_streams = None
        if held_out:
            _, held_out_streams, also = encoded(held_out, codec, EventsCodec, "validation")
            refused += also
        self.codec, self.refused = codec, tuple(refused)
        warn_of(refused)
        return pieces, streams, held_out_streams

    def nll(self, sequences):
        """Negative log-likelihood of pieces, exact: the state runs through each piece from its beginning.

        Parameters
        ----------
        sequences : iterable of NoteSequence

        Returns
        -------
        list of numpy.ndarray of float64
            Nats for every token of each piece but BOS. The grammar's masks are not used.
        """
        self._need_training()
        return self._scorer.nll([self.codec.encode(sequence) for sequence in checked_sequences(sequences)])

    # ---- composing

    def stream(self, bars=None, *, genre=None, primer=None, seed=None, **options):
        """Compose one piece note by note, for as long as notes are asked for.

        Parameters
        ----------
        bars : int, optional
            Bars to compose. Default: no end.
        genre, primer, seed, **options
            As in `compose`. With the same ones `compose` writes the same notes; of a primer only what follows is
            handed out.

        Returns
        -------
        NoteStream
            Iterator over `StreamedNote` (start and end in seconds, pitch, velocity, track), which tells its
            `tracks`, `seed` and `real_time_factor`.

        Raises
        ------
        InputError
            As `compose`.
        """
        bars, options = self._checked_request(bars, genre, primer, options)
        seed = checked_seed(seed)
        plan = Plan(self, bars=bars, genre=genre, primer=primer, seed=seed, options=options)
        return NoteStream(plan, self._sampler.chunks(*self._start(), [plan.prompt(0)], plan.drawing, plan.guidance))

    def _compose(self, count, *, bars, genre, primer, seed, progress, **options):
        plan = Plan(self, bars=bars, genre=genre, primer=primer, seed=seed, options=options)
        prompts = [plan.prompt(number) for number in range(count)]
        streams, dense = self._sampler.sample(
            *self._start(), prompts, plan.drawing, guidance=plan.guidance, progress=progress
        )
        return [plan.piece(*one[:2], dense=one[2]) for one in zip(streams, range(count), dense, strict=True)]

    def _start(self):
        """Weights, and the network's state before the first token of one stream."""
        return self.network.step_weights(), to_numpy(self.network.initial_carry(1))

    def _record_provenance(self, sequences, history):
        super()._record_provenance(sequences, history)
        self.provenance["controls"] = seen_controls(self.codec, sequences)

    # ---- the network

    def _make_network(self):
        sizes = {name: getattr(self, name) for name in ("embedding", "units", "layers", "dropout", "filters", "echo")}
        sizes |= {"input_dropout": self.dropout, "seed": self.seed}
        self.network = RecurrentNetwork(self.codec.pitch_table(), **sizes)
        self._sampler = Sampler(self.network.step, self.codec)
        self._scorer = Scorer(self.network)

    def _start_from_frequencies(self, streams):
        """Let the logits begin with the frequencies of the tokens, which saves the first epochs."""
        counts = sum(np.bincount(stream, minlength=self.codec.vocab_size) for stream in streams) + 0.1
        self.network.head.bias.assign(np.log(counts / counts.sum()).astype(np.float32))
