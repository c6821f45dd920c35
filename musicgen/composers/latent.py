"""The network of the VAE: fragments of music ⇄ points of a latent space (Kingma and Welling 2014).

A bidirectional LSTM reads the fragment beat by beat, and what it knows at every segment goes into mean and variance
of the latent. The decoder, an LSTM over steps, writes the lines of each step one after the other. Where it is
hierarchical, a conductor turns the latent into one vector per segment before (Roberts et al., "A hierarchical latent
vector model for learning long-term structure in music", ICML 2018): a segment is a beat of short fragments, a bar of
long ones, and the decoder begins each bar of these with nothing remembered but that. Several voices have more in a
beat than a recurrent state would hold: there encoder and decoder also see each segment's steps directly.
"""

import keras
import numpy as np
from keras import ops

from ..codecs.lines import HELD, SILENT
from ..codecs.melody import HOLD, REST
from .recurrent import LSTMLayer

LONG = 4  # bars; longer fragments have bars as segments
LOG_VARIANCES = (-14.0, 2.0)  # of the latents, least and most
OUTPUTS = REST + 1
CODES = SILENT + 1
NOTHING = CODES  # code of the step before the first
FOUND = 64  # features that the encoder keeps of every segment, at least
TOLD = 32  # features of each line at every step that come from the latent directly


class LatentNetwork(keras.Model):
    """Encoder, latent space and decoder.

    Parameters
    ----------
    bars, bar_steps, lines : int
        Shape of fragments.
    embedding, encoder_units, decoder_units, chain_units, latent_dim : int
        Widths: of the embedding of what sounds, of each direction of the encoder, of the decoder, of what writes one
        line of a step, and of the latent.
    hierarchical : bool
    dropout : float
        Share of the steps whose predecessor is hidden from the decoder while training.
    free_bits : float
        Information per fragment that costs nothing.
    beta : float
        Weight of the rest after `warmup` training steps; it grows from 0 evenly (Higgins et al. 2017; Bowman et al.
        2016).
    warmup, seed : int
    """

    def __init__(
        self,
        *,
        bars,
        bar_steps,
        lines,
        embedding,
        encoder_units,
        decoder_units,
        chain_units,
        latent_dim,
        hierarchical=True,
        dropout=0.0,
        free_bits=0.0,
        beta=1.0,
        warmup=1000,
        seed=0,
    ):
        super().__init__(name="latent_network")
        self.bars, self.bar_steps, self.steps, self.lines = bars, bar_steps, bars * bar_steps, lines
        self.latent_dim, self.units, self.chain_units = latent_dim, decoder_units, chain_units
        self.hierarchical, self.beta, self.warmup = hierarchical, beta, warmup
        self.free_nats = free_bits * float(np.log(2))
        self.beat_steps = next(steps for steps in (4, 6, 3, 5, 2, 7, 1) if bar_steps % steps == 0)
        self.by_bar = bars > LONG
        self.bars_begin_anew = hierarchical and self.by_bar
        self.segment_steps = bar_steps if self.by_bar else self.beat_steps
        self.segments = self.steps // self.segment_steps
        self.direct = hierarchical and lines > 1  # whether segments are read and told step by step beside the LSTMs
        self._make_layers(embedding, encoder_units, dropout, seed)
        # In few bits it could not count on.
        self.trained = self.add_weight(
            shape=(), initializer="zeros", trainable=False, autocast=False, name="trained_steps"
        )
        self(np.zeros((1, self.steps, lines), np.int32))

    def _make_layers(self, embedding, encoder_units, dropout, seed):
        glorot = lambda number: keras.initializers.GlorotUniform(seed=seed + number)  # noqa: E731
        dense = lambda width, number, name, **rest: keras.layers.Dense(  # noqa: E731
            width, kernel_initializer=glorot(number), name=name, **rest
        )
        spread = keras.initializers.RandomNormal(stddev=0.3, seed=seed)
        shape = {"embeddings_initializer": spread}
        self.heard = keras.layers.Embedding(self.lines * CODES, embedding, name="heard", **shape)
        self.before = keras.layers.Embedding(self.lines * (CODES + 1), embedding, name="before", **shape)
        self.place = self.add_weight(
            shape=(self.segment_steps, 16),
            initializer=keras.initializers.RandomNormal(stddev=0.3, seed=seed + 7),
            name="place",
        )
        self.forward = LSTMLayer(encoder_units, seed=seed + 10, name="encoder_forward")
        self.backward = LSTMLayer(encoder_units, seed=seed + 20, name="encoder_backward")
        kept = max(FOUND, 2 * self.latent_dim // self.segments)
        self.found = dense(kept, 3, "found", activation="tanh")
        self.mean = dense(self.latent_dim, 1, "mean")
        self.log_variance = dense(self.latent_dim, 2, "log_variance")
        if self.hierarchical:
            self.spread = dense(self.segments * kept, 4, "spread", activation="tanh")
            self.conductor = LSTMLayer(max(self.units // 2, 32), seed=seed + 30, name="conductor")
            if self.direct:
                self.told = dense(self.segment_steps * self.lines * TOLD, 50, "told", activation="tanh")
        else:
            self.spread = dense(self.units // 2, 4, "spread", activation="tanh")
        self.decoder = LSTMLayer(self.units, seed=seed + 40, name="decoder")
        self.chain = dense(self.lines * self.chain_units, 5, "chain")
        self.written = (
            keras.layers.Embedding(
                self.lines * CODES, self.lines * self.chain_units, embeddings_initializer="zeros", name="written"
            )
            if self.lines > 1
            else None
        )
        self.logits = self.add_weight(
            shape=(self.lines, self.chain_units, OUTPUTS), initializer=glorot(6), name="logits"
        )
        self.logits_bias = self.add_weight(shape=(self.lines, OUTPUTS), initializer="zeros", name="logits_bias")
        self.hide = keras.layers.Dropout(dropout, noise_shape=(None, None, 1), seed=seed + 8)
        self.noise = keras.random.SeedGenerator(seed + 9)

    # ---- fragment to latent

    def encode(self, codes):
        """Mean and log variance of the latents of fragments: float32, (batch, latent_dim) each.

        Parameters
        ----------
        codes : int32, shape (batch, steps, lines)
            See `codecs.lines.codes_of`.
        """
        signal = self._embedded(self.heard, codes, CODES)
        shape = ops.shape(signal)
        signal = ops.reshape(signal, (shape[0], self.steps // self.beat_steps, self.beat_steps * shape[2]))
        ahead = self.forward(signal)
        back = ops.flip(self.backward(ops.flip(signal, axis=1)), axis=1)
        if self.by_bar:  # what each direction knows when it has read the bar
            beats = self.bar_steps // self.beat_steps
            ahead, back = ahead[:, beats - 1 :: beats], back[:, ::beats]
        known = [ahead, back]
        if self.direct:
            known.append(ops.reshape(signal, (shape[0], self.segments, self.segment_steps * shape[2])))
        found = self.found(ops.concatenate(known, axis=-1))
        if not self.hierarchical:
            found = ops.concatenate([found[:, -1:], found[:, :1]], axis=1)
        found = ops.reshape(found, (shape[0], found.shape[1] * found.shape[2]))
        mean, log_variance = (ops.cast(layer(found), "float32") for layer in (self.mean, self.log_variance))
        return mean, ops.clip(log_variance, *LOG_VARIANCES)

    def _embedded(self, table, codes, size):
        """Embeddings of the lines of each step, side by side: (batch, steps, features)."""
        found = table(codes + size * ops.arange(self.lines, dtype="int32"))
        return ops.reshape(found, (*ops.shape(found)[:2], self.lines * found.shape[-1]))

    # ---- latent to fragment

    def contexts(self, latents):
        """What the decoder is given at every step: float32, (batch, steps, features), for (batch, latent_dim)."""
        said = self.spread(latents)
        batch = ops.shape(latents)[0]
        if self.hierarchical:
            said = ops.reshape(said, (batch, self.segments, said.shape[1] // self.segments))
            heard = ops.concatenate([said, self.conductor(said)], axis=-1)
            heard = ops.repeat(heard, self.segment_steps, axis=1)
            if self.direct:
                told = ops.reshape(self.told(said), (batch, self.steps, self.lines * TOLD))
                heard = ops.concatenate([heard, told], axis=-1)
            said = heard
        else:
            said = ops.repeat(said[:, None], self.steps, axis=1)
        place = ops.tile(ops.convert_to_tensor(self.place), (self.steps // self.segment_steps, 1))
        return ops.concatenate([said, ops.broadcast_to(place[None], (batch, *place.shape))], axis=-1)

    def decode(self, latents, codes, training=False):
        """Scores of every token, given what is written before it.

        Parameters
        ----------
        latents : float32, shape (batch, latent_dim)
        codes : int32, shape (batch, steps, lines)
            Of the fragments.

        Returns
        -------
        float32, shape (batch, steps, lines, 130)
        """
        first = ops.full_like(codes[:, :1], NOTHING)
        before = ops.concatenate([first, codes[:, :-1]], axis=1)
        given = self.hide(self._embedded(self.before, before, CODES + 1), training=training)
        context = self.contexts(latents)
        hidden = self._decoded(ops.concatenate([given, context], axis=-1))
        said = self._chained(self.chain(ops.concatenate([hidden, context], axis=-1)))
        if self.lines > 1:
            written = self._chained(self.written(codes + CODES * ops.arange(self.lines, dtype="int32")))
            earlier = ops.cast(np.tri(self.lines, k=-1, dtype=np.float32).T[:, :, None], written.dtype)
            said = said + ops.sum(written * earlier, axis=2)  # line by line that is written, lines that it tells
        return self._scores(said)

    def _decoded(self, told):
        """Hidden states (batch, steps, units) of the decoder; bars that begin anew are read all at once."""
        if not self.bars_begin_anew:
            return self.decoder(told)
        batch, features = ops.shape(told)[0], told.shape[-1]
        hidden = self.decoder(ops.reshape(told, (batch * self.bars, self.bar_steps, features)))
        return ops.reshape(hidden, (batch, self.steps, self.units))

    def keep(self):
        """Where the decoder goes on from the step before: float32, (steps,), 0 where it begins anew."""
        keep = np.ones(self.steps, np.float32)
        keep[:: self.bar_steps if self.bars_begin_anew else self.steps] = 0.0
        return keep

    def _chained(self, values):
        return ops.reshape(values, (*ops.shape(values)[:-1], self.lines, self.chain_units))

    def _scores(self, said):
        """Scores (..., lines, 130) of what is said of each line, (..., lines, chain_units)."""
        scores = ops.einsum("...vq,vqk->...vk", ops.relu(said), self.logits)
        return ops.cast(scores + self.logits_bias, "float32")

    def step(self, codes, context, state, keep, choose):
        """One step of a batch of fragments, its lines chosen one after the other.

        Parameters
        ----------
        codes : int32, shape (batch, lines)
            Of the step before.
        context : float32, shape (batch, features)
        state : tuple of float32, shape (batch, units)
            Hidden and cell state of the decoder.
        keep : float32
            0 where it begins anew.
        choose : callable
            `(line, scores (batch, 130)) -> (tokens, codes)`, both int32 of shape (batch,).

        Returns
        -------
        tokens, codes : int32, shape (batch, lines)
        state : as given
        """
        given = self.before(codes + (CODES + 1) * ops.arange(self.lines, dtype="int32"))
        given = ops.reshape(given, (ops.shape(given)[0], self.lines * given.shape[-1]))
        state = self.decoder.step(ops.concatenate([given, context], axis=-1), tuple(keep * part for part in state))
        said = self._chained(self.chain(ops.concatenate([state[0], context], axis=-1)))
        tokens, written = [], []
        for line in range(self.lines):
            scores = self._scores(said)[:, line]
            token, code = choose(line, scores)
            tokens.append(token)
            written.append(code)
            if line + 1 < self.lines:
                later = np.arange(self.lines)[:, None] > line
                said = said + ops.where(later, self._chained(self.written(code + CODES * line)), 0.0)
        return ops.stack(tokens, axis=1), ops.stack(written, axis=1), state

    # ---- training

    def call(self, codes, training=False):
        """Scores of the tokens of fragments, (batch, steps, lines, 130), from a latent drawn for each.

        The divergence of the latents from the prior, weighted, is added to the loss, which is a mean over tokens.
        """
        mean, log_variance = self.encode(codes)
        latents = mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean), seed=self.noise)
        nats = ops.sum(divergences(mean, log_variance), axis=-1)
        self.add_loss(self._weight(training) * ops.mean(ops.relu(nats - self.free_nats)) / (self.steps * self.lines))
        return self.decode(latents, codes, training)

    def _weight(self, training):
        if not training:
            return self.beta
        self.trained.assign(self.trained + 1.0)
        return self.beta * ops.minimum(self.trained / max(self.warmup, 1), 1.0)

    def named_variables(self):
        """Variables by the names under which they are saved."""
        named = {"place": self.place, "logits": self.logits, "logits.bias": self.logits_bias}
        for layer in (self.heard, self.before, *([self.written] if self.written else [])):
            named[layer.name] = layer.embeddings
        recurrent = (self.forward, self.backward, self.decoder, *([self.conductor] if self.hierarchical else []))
        for layer in recurrent:
            named |= {f"{layer.name}.{part}": getattr(layer, part) for part in ("kernel", "recurrent_kernel", "bias")}
        told = [self.told] if self.direct else []
        for layer in (self.found, self.mean, self.log_variance, self.spread, self.chain, *told):
            named |= {f"{layer.name}.{part}": getattr(layer, part) for part in ("kernel", "bias")}
        return named


def divergences(mean, log_variance):
    """Kullback-Leibler divergence of each latent from the standard normal distribution, in nats."""
    return 0.5 * (ops.square(mean) + ops.exp(log_variance) - 1.0 - log_variance)


def code_of(token, before):
    """Codes of tokens, given the codes of the step before in the same line (`NOTHING` for none): int32."""
    sounding = ops.where(before < SILENT, before % HELD, -1)
    held = ops.where(sounding >= 0, HELD + sounding, SILENT)
    return ops.where(token < HOLD, token, ops.where(token == HOLD, held, SILENT))
