"""LSTMComposer: a recurrent network over event tokens that continues music from memory."""

import keras
import numpy as np
from keras import ops

from ..codecs import EventsCodec
from ..errors import InputError
from ..timing import Timing
from .backend import compile_function, scan, to_numpy
from .base import Composer, checked_sequences, finished, whole_number
from .learning import arrays_of, codec_for, pieces_to_learn
from .recurrent import LSTMLayer, lstm_gates
from .sampling import Prompt, Sampler, SamplingControls
from .training import best_weights_callbacks, progress_callbacks
from .windows import TokenWindows

EMBEDDING_SPREAD = 0.3
SCORE_CHUNK = 256  # tokens per compiled call of `nll`


class LSTMComposer(Composer):
    """Long short-term memory (Hochreiter and Schmidhuber 1997) over event tokens.

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

    options = {"temperature": 1.0, "top_k": None, "top_p": 0.98, "min_p": 0.0}
    presets = {
        "tiny": {"embedding": 32, "units": 64, "layers": 1, "dropout": 0.0},
        "small": {"embedding": 192, "units": 256, "layers": 1, "dropout": 0.5},
        "base": {"embedding": 128, "units": 512, "layers": 2, "dropout": 0.3},
        "large": {"embedding": 256, "units": 1024, "layers": 3, "dropout": 0.4},
    }

    def __init__(self, preset="small", *, codec=None, embedding=None, units=None, layers=None, dropout=None, seed=0):
        if preset not in self.presets:
            raise InputError(f"preset {preset!r} is unknown", remedy=f"one of {', '.join(self.presets)}")
        given = {"embedding": embedding, "units": units, "layers": layers, "dropout": dropout}
        sizes = {**self.presets[preset], **{name: value for name, value in given.items() if value is not None}}
        if min(sizes["embedding"], sizes["units"], sizes["layers"]) < 1 or not 0 <= sizes["dropout"] < 1:
            raise InputError(f"sizes must be at least 1 and dropout in [0, 1), not {sizes}")
        self.preset, self.codec, self.seed = preset, codec, whole_number("seed", seed, 0)
        self.embedding, self.units, self.layers, self.dropout = sizes.values()
        self.model = None

    def get_config(self):
        """Constructor arguments but the codec."""
        names = ("preset", "embedding", "units", "layers", "dropout", "seed")
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
        progress=True,
        callbacks=(),
    ):
        """Learn from pieces.

        Every epoch sees each piece in a random key. With `validation` the training stops when the held-out loss
        has not fallen for `patience` epochs, and the best weights are kept.

        Parameters
        ----------
        sequences : iterable of NoteSequence, or path-like
            `meta["genre"]` and `meta["key"]` become controls. A path names a folder that `musicgen prepare` wrote:
            it is read as it is needed, so that memory does not grow with the data.
        epochs : int
            Passes over the data at most.
        validation : iterable of NoteSequence, or path-like, optional
            Held-out pieces.
        batch_size : int, optional
            Windows per step. Default: 4 to 32, so that an epoch of little data still has some 16 steps.
        context : int
            Tokens per window.
        learning_rate : float
            Of AdamW (Loshchilov and Hutter 2019), falling to a tenth along a cosine.
        patience : int
            Epochs without improvement before stopping.
        minutes : float, optional
            Stop after the epoch in which this time is up.
        progress : bool
            Show a progress bar on standard error.
        callbacks : sequence of keras.callbacks.Callback
            Further ones.

        Returns
        -------
        keras.callbacks.History
            `history["loss"]` and `history["val_loss"]` in nats per token, one entry per epoch.

        Raises
        ------
        InputError
            If there is nothing to learn from, or `epochs` or `context` is no number that makes sense.
        """
        epochs, context = whole_number("epochs", epochs, 1), whole_number("context", context, 16)
        sequences = pieces_to_learn(sequences)
        held_out = pieces_to_learn(validation, "validation") if validation is not None else None
        codec = codec_for(EventsCodec, sequences, held_out) if self.codec is None else self.codec
        streams = arrays_of(sequences, codec, EventsCodec)
        held_out_streams = held_out and arrays_of(held_out, codec, EventsCodec)
        self.codec = codec
        if self.model is None:
            self._build()
            self._start_from_frequencies(streams)
        if batch_size is None:
            batch_size = int(np.clip(sum(map(len, streams)) // (16 * context), 4, 32))
        windows = {"context": context, "batch_size": batch_size, "seed": self.seed}
        data = TokenWindows(self.codec, streams, **windows)
        check = held_out and TokenWindows(self.codec, held_out_streams, augment=False, **windows)
        schedule = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * len(data), alpha=0.1)
        self.model.compile(
            optimizer=keras.optimizers.AdamW(schedule, weight_decay=0.01, clipnorm=1.0),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="mean_with_sample_weight"),
            jit_compile=True,
        )
        hooks = best_weights_callbacks(patience if check else None, minutes)
        hooks += progress_callbacks(epochs, progress) + list(callbacks)
        history = self.model.fit(
            data, epochs=epochs, validation_data=check, callbacks=hooks, verbose=0, shuffle=False
        )
        self._record_provenance(sequences, history)
        return history

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
        streams = [self.codec.encode(sequence) for sequence in checked_sequences(sequences)]
        length = -(-max(map(len, streams)) // SCORE_CHUNK) * SCORE_CHUNK + 1
        tokens = np.zeros((length, len(streams)), np.int32)
        for column, stream in enumerate(streams):
            tokens[: len(stream), column] = stream
        weights = self._step_weights()
        carry = tuple((np.zeros((len(streams), self.units), np.float32),) * 2 for _ in range(self.layers))
        scores = []
        for start in range(0, length - 1, SCORE_CHUNK):
            inputs = tokens[start : start + SCORE_CHUNK], tokens[start + 1 : start + SCORE_CHUNK + 1]
            carry, nats = self._score(weights, carry, *inputs)
            scores.append(to_numpy(nats))
        scores = np.concatenate(scores).astype(np.float64)
        return [scores[: len(stream) - 1, column] for column, stream in enumerate(streams)]

    # ---- composing

    def _compose(self, count, *, bars, genre, primer, seed, progress, **sampling):
        controls = SamplingControls(**sampling)
        tokens = None if primer is None else self._primer_tokens(primer, genre)
        prompts = [Prompt(self.codec, bars, [seed, i], primer=tokens, genre=genre) for i in range(count)]
        zeros = np.zeros((1, self.units), np.float32)
        carry = tuple((zeros, zeros) for _ in range(self.layers))
        streams, dense = self._sampler.sample(self._step_weights(), carry, prompts, controls, progress=progress)
        settings = {name: value for name, value in sampling.items() if value != SamplingControls.__dict__[name]}
        pieces = []
        for index, (stream, cut) in enumerate(zip(streams, dense, strict=True)):
            meta = {"composer": type(self).__name__, "seed": seed, "number": index, "bars": bars, **settings}
            meta["title"] = f"{genre or 'piece'} {index + 1}"
            if cut:
                meta["warning"] = "some bars were cut short: too many notes, the composer is undertrained"
            pieces.append(self._decoded(stream, tokens, primer, meta))
        return pieces

    def _decoded(self, stream, primer_tokens, primer, meta):
        bos = [self.codec.token("BOS_None")]
        tokens = np.concatenate([bos if primer is None else primer_tokens, stream])
        beside = {}
        if primer is not None:
            tracks = primer.tracks + self.codec.tracks[len(primer.tracks) :]
            beside = {"timing": _continued(primer), "tracks": tracks}
            meta = {**primer.meta, **meta, "primer": primer.meta.get("title", "a given piece")}
        piece = self.codec.decode(tokens, meta=meta, **beside)
        return finished(piece, int(np.sum(tokens == self.codec.token("Bar_None"))))

    def _primer_tokens(self, primer, genre):
        primer = checked_sequences([primer], "primer")[0]
        labelled = primer.replace(meta={"genre": genre}) if genre else primer
        return self.codec.encode(labelled)[:-1]

    # ---- the network

    def _build(self):
        size, seed = self.codec.vocab_size, self.seed
        inputs = keras.Input((None,), dtype="int32", name="tokens")  # (batch, time)
        spread = keras.initializers.RandomNormal(stddev=EMBEDDING_SPREAD, seed=seed)
        signal = keras.layers.Embedding(size, self.embedding, embeddings_initializer=spread, name="embedding")(inputs)
        outputs = [signal]  # every layer speaks to the logits: the embedding learns what follows what at once
        for number in range(1, self.layers + 1):
            signal = keras.layers.Dropout(self.dropout, seed=seed + number)(signal)
            signal = LSTMLayer(self.units, seed=seed + 10 * number, name=f"lstm_{number}")(signal)
            outputs.append(signal)  # (batch, time, units)
        hidden = keras.layers.Dropout(self.dropout, seed=seed)(keras.layers.Concatenate()(outputs))
        glorot = keras.initializers.GlorotUniform(seed=seed + 5)
        logits = keras.layers.Dense(size, kernel_initializer=glorot, name="logits")(hidden)
        self.model = keras.Model(inputs, logits, name="lstm_composer")
        self._sampler = Sampler(recurrent_step, self.codec.grammar)
        self._score = compile_function(_score_chunk)

    def _start_from_frequencies(self, streams):
        """Let the logits begin with the frequencies of the tokens, which saves the first epochs."""
        counts = sum(np.bincount(stream, minlength=self.codec.vocab_size) for stream in streams) + 0.1
        self.model.get_layer("logits").bias.assign(np.log(counts / counts.sum()).astype(np.float32))

    def _variables(self):
        """Variables of the network by explicit name."""
        named = {"embedding": self.model.get_layer("embedding").embeddings}
        for number in range(1, self.layers + 1):
            layer = self.model.get_layer(f"lstm_{number}")
            named |= {
                f"lstm_{number}.kernel": layer.kernel,
                f"lstm_{number}.recurrent_kernel": layer.recurrent_kernel,
                f"lstm_{number}.bias": layer.bias,
            }
        head = self.model.get_layer("logits")
        return named | {"logits.kernel": head.kernel, "logits.bias": head.bias}

    def _weights(self):
        return {name: np.asarray(ops.convert_to_numpy(variable)) for name, variable in self._variables().items()}

    def _set_weights(self, weights):
        for name, variable in self._variables().items():
            variable.assign(weights[name])

    def _step_weights(self):
        named = {name: ops.convert_to_tensor(variable) for name, variable in self._variables().items()}
        layers = tuple(
            tuple(named[f"lstm_{number}.{part}"] for part in ("kernel", "recurrent_kernel", "bias"))
            for number in range(1, self.layers + 1)
        )
        return named["embedding"], layers, (named["logits.kernel"], named["logits.bias"])


def _continued(primer):
    """The primer's timing; the last meter in which it sounds holds on."""
    timing = primer.timing
    end = timing.seconds_to_beats(max(primer.duration, 1e-6))
    meters = [meter for meter in timing.meters if meter.beat < end] or timing.meters[:1]
    return Timing(timing.beats, timing.quarters_per_beat, tuple(meters))


def recurrent_step(weights, tokens, carry):
    """One step of the network for a batch of streams.

    Parameters
    ----------
    weights : (embedding, ((kernel, recurrent_kernel, bias), ...), (kernel, bias))
    tokens : int32, shape (batch,)
    carry : ((hidden, cell), ...)
        One pair per layer, each float32 of shape (batch, units).

    Returns
    -------
    logits : float32, shape (batch, vocab_size)
    carry : as given
    """
    embedding, layers, (head, head_bias) = weights
    signal = ops.take(embedding, tokens, axis=0)  # (batch, embedding)
    outputs, after = [signal], []
    for (kernel, recurrent_kernel, bias), (hidden, cell) in zip(layers, carry, strict=True):
        gates = ops.matmul(signal, kernel) + ops.matmul(hidden, recurrent_kernel) + bias  # (batch, 4 * units)
        signal, cell = lstm_gates(gates, cell)
        outputs.append(signal)
        after.append((signal, cell))
    return ops.matmul(ops.concatenate(outputs, axis=-1), head) + head_bias, tuple(after)


def _score_chunk(weights, carry, tokens, targets):
    """Nats of `targets` (time, batch) after `tokens`, and the recurrent state behind them."""

    def body(carry, inputs):
        token, target = inputs
        logits, carry = recurrent_step(weights, token, carry)
        chosen = ops.take_along_axis(logits, ops.expand_dims(target, 1), axis=1)[:, 0]
        return carry, ops.logsumexp(logits, axis=-1) - chosen

    return scan(body, carry, (tokens, targets))
