"""The recurrent network of every token composer: it reads tokens, remembers pitches, and speaks in intervals.

Beside the token itself each step is given what sounded last: the pitches of the open group (those written at the
same place in time), of the two groups before it, and the last pitch of the current track (`PitchMemory`). A head over
intervals looks at the surroundings of every pitch in that memory through the same filters and adds to the pitch's
score what the recurrent layers make of them: what is learned in one key or register holds in all, and small data, of
which there is never enough, goes further. Tying the pitches follows Johnson ("Generating polyphonic music using tied
parallel networks", 2017). Where a token tells the key, the network is given what sounded as degrees of its scale, and
speaks in degrees too: what key it is in is not left to be worked out from the notes. A network with an echo also
hears what followed when the passage of just now sounded before (`echoes`), and learns how far to trust it.
"""

import keras
import numpy as np
from keras import ops

from .echoes import LEVELS, EchoMemory
from .pitch_memory import GROUPS, ROWS, PitchMemory, column
from .recurrent import LSTMLayer, lstm_gates

EMBEDDING_SPREAD = 0.3


class RecurrentNetwork(keras.Model):
    """Embedding and memory, recurrent layers, scores of the next token.

    Every layer speaks to the scores, so that the embedding learns what follows what at once.

    Parameters
    ----------
    table : PitchTable
        What the codec's tokens mean.
    embedding, units, layers : int
        Width of the token embedding and of each recurrent layer, and number of these.
    dropout : float
        Share of activations dropped between layers while training.
    input_dropout : float
        The same for what the first layer is given.
    weight_dropout : float
        Share of the recurrent weights dropped while training.
    locked : bool
        Whether dropout drops the same features at every step of a window (Gal and Ghahramani 2016).
    heard : int
        Semitones around the last pitch in which the network is given the pitches before; 0 leaves them out.
    reach : int
        Largest interval, in semitones, that the head over intervals sees.
    filters : int
        Patterns of intervals that it knows; 0 leaves the head out.
    echo : int
        Tokens that it looks back for the passage of just now; 0 leaves the echo out.
    rising : bool
        Whether pitches of a group only rise, as in `frames`: lower ones get no probability then.
    seed : int
        Of the initial weights and of dropout.
    """

    def __init__(
        self,
        table,
        *,
        embedding,
        units,
        layers,
        dropout,
        input_dropout=0.0,
        weight_dropout=0.0,
        locked=False,
        heard=12,
        reach=24,
        filters=48,
        echo=0,
        rising=False,
        seed=0,
    ):
        super().__init__(name="recurrent_network")
        self.memory, self.units, self.heard, self.filters, self.rising = (
            PitchMemory(table),
            units,
            heard,
            filters,
            rising,
        )
        self.outputs, self.pitches = table.outputs, self.memory.pitches
        self.echoes = EchoMemory(table.start, echo) if echo else None
        self._behind = table.outputs - self.memory.first - self.memory.pitches  # tokens after the pitches
        spread = keras.initializers.RandomNormal(stddev=EMBEDDING_SPREAD, seed=seed)
        self.embedding = keras.layers.Embedding(
            len(table.pitches), embedding, embeddings_initializer=spread, name="embedding"
        )
        shape = {"units": units, "weight_dropout": weight_dropout}
        self.lstms = [LSTMLayer(**shape, seed=seed + 10 * n, name=f"lstm_{n}") for n in range(1, layers + 1)]
        rates = [input_dropout, *[dropout] * layers]
        noise = (None, 1, None) if locked else None
        self.dropouts = [keras.layers.Dropout(r, noise_shape=noise, seed=seed + n) for n, r in enumerate(rates)]
        glorot = keras.initializers.GlorotUniform(seed=seed + 5)
        self.head = keras.layers.Dense(table.outputs, kernel_initializer=glorot, name="logits")
        if filters:
            spread = keras.initializers.HeNormal(seed=seed + 6)
            shape = {"filters": filters, "kernel_size": 2 * reach + 1, "padding": "same", "activation": "relu"}
            self.patterns = keras.layers.Conv1D(**shape, kernel_initializer=spread, name="patterns")
            self.interest = keras.layers.Dense(filters, kernel_initializer="zeros", name="interest")
        if self.memory.keyed:
            self.degree = keras.layers.Dense(12, kernel_initializer="zeros", name="degree")
        if echo:
            self.trust = keras.layers.Dense(len(LEVELS), kernel_initializer="zeros", name="trust")
        self(np.full((1, 2), table.start, np.int32))

    def call(self, inputs, training=False):
        """Scores of the next token: float32, (batch, time, outputs).

        Parameters
        ----------
        inputs : int32, shape (batch, time) or (batch, time, 3)
            Tokens; or tokens and their echoes, as `with_echoes` tells them, where these come from farther back than
            the first of the tokens.
        training : bool
        """
        tokens, echoes = (inputs[..., 0], inputs[..., 1:]) if len(inputs.shape) == 3 else (inputs, None)
        rows, keys = self.memory.over(tokens)
        keep = ops.cast(tokens != self.memory.start, "float32")  # a piece begins with nothing remembered
        signal = _given(self.embedding(tokens), rows, self.heard)
        if self.memory.keyed:
            signal = ops.concatenate([signal, ops.cast(self.memory.degrees(rows, keys), signal.dtype)], axis=-1)
        outputs = []
        for dropout, lstm in zip(self.dropouts, [None, *self.lstms], strict=True):
            signal = dropout(signal if lstm is None else lstm(signal, keep, training=training), training=training)
            outputs.append(signal)  # (batch, time, features)
        hidden = ops.concatenate(outputs, axis=-1)
        logits = ops.cast(self.head(hidden), "float32")
        if self.filters:
            shape = ops.shape(rows)
            seen = ops.reshape(ops.transpose(rows, (0, 1, 3, 2)), (shape[0] * shape[1], shape[3], ROWS))
            patterns = ops.reshape(self.patterns(seen), (*shape[:2], shape[3], self.filters))
            logits = self._with_intervals(logits, patterns, self.interest(hidden))
        if self.memory.keyed:
            logits = self._with_degrees(logits, self.degree(hidden), keys)
        if self.echoes:
            echoes = self.echoes.over(tokens) if echoes is None else echoes
            logits = self._with_echo(logits, echoes, self.trust(ops.concatenate(outputs[1:], axis=-1)))
        return self._masked(logits, rows)

    def named_variables(self):
        """Variables by the names under which they are saved."""
        named = {"embedding": self.embedding.embeddings}
        for layer in self.lstms:
            parts = ("kernel", "recurrent_kernel", "bias")
            named |= {f"{layer.name}.{part}": getattr(layer, part) for part in parts}
        others = (*((self.patterns, self.interest) if self.filters else ()), *([self.trust] if self.echoes else ()))
        others += (self.degree,) if self.memory.keyed else ()
        for layer in (self.head, *others):
            named |= {f"{layer.name}.{part}": getattr(layer, part) for part in ("kernel", "bias")}
        return named

    # ---- one step at a time, for composing and for exact likelihoods

    def step_weights(self, named=None):
        """First argument of `step`: the weights as tensors, those that meet one-hot rows as tables to look up.

        Parameters
        ----------
        named : dict, optional
            Weights by the names of `named_variables`. Default: those of the network as it is now.
        """
        named = {name: ops.convert_to_tensor(value) for name, value in (named or self.named_variables()).items()}
        # What the first layer is given goes to several layers at once: their kernels stand side by side.
        given = [named.pop("lstm_1.kernel")]
        width = given[0].shape[0]
        for name in self._told_at_once:
            given.append(named[name][:width])
            named[name] = named[name][width:]
        kernel = ops.concatenate(given, axis=1)
        embedding = named.pop("embedding")
        places = np.cumsum(
            [embedding.shape[1], GROUPS * self.pitches, GROUPS * (2 * self.heard + 1) * bool(self.heard)]
        )
        embedded, pitched, around, degrees = ops.split(kernel, places.tolist())
        pitched = ops.reshape(pitched, (GROUPS, self.pitches, -1))
        return named | {
            "embedded": ops.matmul(embedding, embedded),
            "pitched": ops.pad(ops.transpose(pitched, (1, 0, 2)), [(1, 0), (0, 0), (0, 0)]),  # row 0: no pitch
            "around": around,
            "degrees": degrees,
        }

    @property
    def _told_at_once(self):
        """Kernels beside the first layer's that are given what it is given."""
        names = {"logits": True, "interest": self.filters, "degree": self.memory.keyed}
        return [f"{name}.kernel" for name, is_there in names.items() if is_there]

    def initial_carry(self, batch):
        """State before the first token: all with leading axis `batch`.

        Returns
        -------
        memory : that of `PitchMemory`
        sums : float32, shape (batch, 5, features)
            What the pitches of the open group add as this group and as each of the two before; what those of the
            two groups before add; what those of the group before add once it is the one before that.
        states : tuple of (hidden, cell)
        echo : that of `EchoMemory`, empty without one
        """
        zeros = ops.zeros((batch, self.units), dtype="float32")
        features = sum(self._widths)
        sums = ops.zeros((batch, GROUPS + 2, features), dtype="float32")
        echo = self.echoes.initial(batch) if self.echoes else ()
        return self.memory.initial(batch), sums, tuple((zeros, zeros) for _ in self.lstms), echo

    def step(self, weights, tokens, carry):
        """One step for a batch of streams; a pure function.

        Parameters
        ----------
        weights : dict
            From `step_weights`.
        tokens : int32, shape (batch,)
        carry : nested arrays
            From `initial_carry` or the step before.

        Returns
        -------
        logits : float32, shape (batch, outputs)
        carry : as given
        """
        memory, sums, states, echo = carry
        memory, sums = self.memory.advance(memory, tokens), self._summed(weights, sums, tokens)
        rows = self.memory.rows(memory)
        given = ops.take(weights["embedded"], tokens, axis=0) + sums[:, 0] + sums[:, 3]
        if self.heard:
            given = given + ops.matmul(_around_last(rows, self.heard), weights["around"])
        if self.memory.keyed:
            given = given + ops.matmul(self.memory.degrees(rows, memory[3]), weights["degrees"])
        gates, logits, interest, degree = ops.split(given, np.cumsum(self._widths)[:-1].tolist(), axis=-1)
        keep = column(ops.cast(tokens != self.memory.start, "float32"), 1)
        after = []
        for layer, (hidden, cell) in zip(self.lstms, states, strict=True):
            if after:
                gates = ops.matmul(after[-1][0], weights[f"{layer.name}.kernel"])
            gates = gates + ops.matmul(hidden * keep, weights[f"{layer.name}.recurrent_kernel"])
            after.append(lstm_gates(gates + weights[f"{layer.name}.bias"], cell * keep))
        hidden = ops.concatenate([hidden for hidden, _ in after], axis=-1)
        logits = logits + ops.matmul(hidden, weights["logits.kernel"]) + weights["logits.bias"]
        if self.filters:
            patterns = ops.conv(ops.transpose(rows, (0, 2, 1)), weights["patterns.kernel"], padding="same")
            patterns = ops.relu(patterns + weights["patterns.bias"])  # (batch, pitches, filters)
            interest = interest + ops.matmul(hidden, weights["interest.kernel"]) + weights["interest.bias"]
            logits = self._with_intervals(logits, patterns, interest)
        if self.memory.keyed:
            degree = degree + ops.matmul(hidden, weights["degree.kernel"]) + weights["degree.bias"]
            logits = self._with_degrees(logits, degree, memory[3])
        if self.echoes:
            echo = self.echoes.advance(echo, tokens)
            trust = ops.matmul(hidden, weights["trust.kernel"]) + weights["trust.bias"]
            logits = self._with_echo(logits, self.echoes.echo(echo), trust)
        return self._masked(logits, rows), (memory, sums, tuple(after), echo)

    @property
    def _widths(self):
        """Of what is computed at once from what the first layer is given: gates, logits, interest, degrees."""
        return [4 * self.units, self.outputs, self.filters, 12 * self.memory.keyed]

    def _summed(self, weights, sums, tokens):
        """`sums` of the carry after one more token."""
        opened = sums[:, :3] + ops.take(weights["pitched"], self.memory.pitch(tokens) + 1, axis=0)
        zeros = ops.zeros_like(opened)
        closed = ops.concatenate([zeros, sums[:, 1:2] + sums[:, 4:], sums[:, 2:3]], axis=1)
        closes = column(self.memory.closes(tokens), 2)
        sums = ops.where(closes, closed, ops.concatenate([opened, sums[:, 3:]], axis=1))
        return ops.where(column(tokens == self.memory.start, 2), 0.0, sums)

    def _with_intervals(self, logits, patterns, interest):
        """Logits (..., outputs) and, added to those of pitches, interest (..., filters) in patterns around them."""
        said = ops.matmul(patterns, ops.expand_dims(interest, -1))[..., 0]  # (..., pitches)
        return logits + self._over_tokens(ops.cast(said, logits.dtype))

    def _with_degrees(self, logits, said, keys):
        """Logits (..., outputs) and, added to those of pitches, what is said of their degrees (..., 12)."""
        return logits + self._over_tokens(ops.cast(self.memory.of_degrees(said, keys), logits.dtype))

    def _with_echo(self, logits, echoes, trust):
        """Logits (..., outputs) and, added to that of the echo, the trust (..., levels) in its level."""
        chosen = ops.one_hot(echoes[..., 1] - 1, len(LEVELS), dtype="float32")  # all 0 at level 0
        trust = ops.sum(ops.cast(trust, "float32") * chosen, axis=-1, keepdims=True)
        return logits + trust * ops.one_hot(echoes[..., 0], self.outputs, dtype="float32")

    def _masked(self, logits, rows):
        """Logits without the pitches that are not above the open group, where pitches rise."""
        if not self.rising:
            return logits
        heights = ops.arange(1, self.memory.pitches + 1, dtype="float32")
        top = ops.max(rows[..., 0, :] * heights, axis=-1, keepdims=True)
        return ops.where(self._over_tokens(ops.cast(heights <= top, "float32")) > 0, -1e9, logits)

    def _over_tokens(self, values):
        """Values (..., pitches) at the places of the pitch tokens, 0 at all others."""
        return ops.pad(values, [(0, 0)] * (len(values.shape) - 1) + [(self.memory.first, self._behind)])


def _given(embedded, rows, heard):
    """Input of the first layer: embedding, groups by pitch, groups around the last pitch; leading axes are kept."""
    groups = ops.reshape(rows[..., :-1, :], (*ops.shape(rows)[:-2], GROUPS * rows.shape[-1]))
    return ops.concatenate([embedded, groups, *([_around_last(rows, heard)] if heard else [])], axis=-1)


def _around_last(rows, heard):
    """The groups around the last pitch of the track: (..., GROUPS * (2 * heard + 1)); rows: (..., ROWS, pitches)."""
    groups, last = rows[..., :-1, :], rows[..., -1, :]
    lead, width = ops.shape(rows)[:-2], 2 * heard + 1
    padded = ops.pad(groups, [(0, 0)] * (len(groups.shape) - 1) + [(heard, heard)])
    places = ops.cast(ops.argmax(last, axis=-1), "int32")[..., None, None] + ops.arange(width, dtype="int32")
    around = ops.take_along_axis(padded, ops.broadcast_to(places, (*lead, GROUPS, width)), axis=-1)
    return ops.reshape(around, (*lead, GROUPS * width))
