"""Exact likelihood of the polyphonic benchmark's rolls under the network that LSTMComposer uses.

The rolls are those of Boulanger-Lewandowski, Bengio and Vincent (ICML 2012) or others of their format. A step is
written as its sounding keys in ascending order and an end (the `frames` codec), lower keys are masked, and the figure
is the mean over all steps of all test pieces, the first included, of the negative log-likelihood in nats. One recipe
serves every data set: it was chosen on the validation parts alone, and of a training the weights that are best there
are scored once on the test part.

The network learns each piece in all keys, drawn anew for every pass, and is told of pitches as such, not of
intervals, so that a piece in another key is new data to it. What it expects in one key it should expect in all; where
it does not, the mean over all keys is the better judge. The figure is that of this mean: for every token the mean of
the probabilities that the network gives it in the twelve transpositions of the piece, which is a distribution over
the next token like any of them. That of the piece as it is stands beside it.

    python benchmarks/polyphonic.py --mat FILE [FILE ...] [--minutes M]
"""

import sys
import time
from pathlib import Path

import keras
import numpy as np
from common import Results, make_parser

from musicgen.codecs import FramesCodec
from musicgen.composers.echoes import echoes_of, with_echoes
from musicgen.composers.likelihood import Scorer
from musicgen.composers.network import RecurrentNetwork
from musicgen.composers.training import WeightAverage
from musicgen.datasets.polyphonic import read_rolls
from musicgen.errors import InputError

CODEC = FramesCodec()
START, END = CODEC.pitch_table().start, CODEC.keys
NETWORK = {"embedding": 64, "units": 256, "layers": 2, "filters": 0, "heard": 0, "echo": 2048}
DROPOUT = {"dropout": 0.4, "input_dropout": 0.2, "weight_dropout": 0.1}
STEPS, BATCH, CONTEXT = 8000, 16, 256
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 0.05
EPOCH, CHECK = 25, 500  # steps between averages of the weights, and between looks at the validation part
AVERAGE = 0.9  # share of the old average that is kept
KEYS = range(-6, 6)  # semitones of the twelve transpositions
GOALS = {"JSB_Chorales": 4.30, "Nottingham": 1.90}
PUBLISHED = {
    "JSB_Chorales": "4.34 Walder 2016, 12 keys, rhythm given; 5.56 RNN-NADE; 8.10 TCN, 8.45 LSTM of sigmoids",
    "Nottingham": "1.66 Walder 2016, 12 keys, rhythm given; 2.31 RNN-NADE; 3.07 TCN, 3.29 LSTM of sigmoids",
}
UNIT = "nats/step"


def main(argv=None):
    parser = make_parser(__doc__)
    parser.add_argument("--mat", type=Path, nargs="+", metavar="FILE", help="default: both files of the data folder")
    parser.add_argument("--minutes", type=float, metavar="M", help="train for so long per file at most")
    args = parser.parse_args(argv)
    if args.minutes is not None and not args.minutes > 0:
        parser.error(f"--minutes must be above 0, not {args.minutes:g}")
    if args.mat is None and args.data is None:
        parser.error("give --mat FILE, or --data or MUSICGEN_DATA with the folder that holds bl12/")
    results = Results(args)
    for path in args.mat or [Path(args.data) / "bl12" / f"{name}.mat" for name in GOALS]:
        for seed in args.seeds:
            measure(results, path, seed=seed, minutes=args.minutes, steps=2 * EPOCH if args.quick else STEPS)
    return results.finish()


def measure(results, path, *, seed, minutes, steps):
    """Train on one file and add its rows."""
    rolls, name = read_rolls(path), path.stem
    if not (rolls.train and rolls.validation and rolls.test):
        raise InputError("one of its parts holds no roll", path=path, remedy="give a file with all three parts")
    several = f", seed {seed}" if len(results.seeds) > 1 else ""
    begin = time.perf_counter()
    network, trained = train(rolls, seed=seed, minutes=minutes, steps=steps, label=name)
    seconds = time.perf_counter() - begin
    scorer, test = Scorer(network), streams_of(rolls.test)
    total, without_ends = per_step(test, in_all_keys(scorer, test, trained.best))
    goal, published = GOALS.get(name), PUBLISHED.get(name)
    results.add(f"{name}: test{several}", total, UNIT, reference=published, goal=goal)
    results.add(f"{name}: test, without the end-of-step terms{several}", without_ends, UNIT, reference=published)
    as_it_is = per_step(test, scorer.nll(test, trained.best))[0]
    results.add(f"{name}: test, each piece as it is{several}", as_it_is, UNIT)
    held_out = streams_of(rolls.validation)
    validation = per_step(held_out, in_all_keys(scorer, held_out, trained.best))[0]
    results.add(f"{name}: validation{several}", validation, UNIT)
    results.add(f"{name}: validation, each piece as it is{several}", trained.least, UNIT)
    results.add(f"{name}: steps of the best weights{several}", trained.best_step, f"of {trained.step}")
    results.add(f"{name}: training{several}", seconds / 60, "min")


def streams_of(rolls):
    """Token streams of rolls, each behind the start token."""
    return [np.concatenate([[START], CODEC.encode(roll)]).astype(np.int32) for roll in rolls]


def per_step(streams, nats):
    """Mean nats per step of all streams: in all, and without those of the end tokens."""
    targets, nats = np.concatenate([stream[1:] for stream in streams]), np.concatenate(nats)
    steps = np.sum(targets == END)
    return nats.sum() / steps, nats[targets != END].sum() / steps


def in_all_keys(scorer, streams, weights):
    """Nats of every token by the mean of its probabilities in all transpositions of its piece."""
    logs = [np.full((len(KEYS), len(stream) - 1), -np.inf) for stream in streams]
    for row, semitones in enumerate(KEYS):
        moved, inside = zip(*(transposed(stream, semitones) for stream in streams), strict=True)
        for index, nats in enumerate(scorer.nll(moved, weights)):
            logs[index][row] = np.where(inside[index][1:], -nats, -np.inf)
    return [np.log(len(KEYS)) - np.logaddexp.reduce(one, axis=0) for one in logs]


def transposed(stream, semitones):
    """A stream in another key, keys out of range moved by octaves, and which of its tokens were in range."""
    key = stream < CODEC.keys
    moved = np.where(key, stream + semitones, stream)
    inside = ~key | ((moved >= 0) & (moved < CODEC.keys))
    return np.where(inside, moved, np.where(moved < 0, moved + 12, moved - 12)).astype(np.int32), inside


class PackedStreams(keras.utils.PyDataset):
    """Training pieces in random order and keys, one behind the other, cut into rows of equal length.

    Echoes are sought in the whole piece, whatever row its end comes to lie in.
    """

    def __init__(self, streams, *, seed):
        super().__init__()
        self.streams, self.random, self.rest = streams, np.random.default_rng(seed), np.zeros((0, 3), np.int32)
        self.echoes = [echoes_of(stream, NETWORK["echo"]) for stream in streams]

    def __len__(self):
        return EPOCH

    def __getitem__(self, index):
        size = BATCH * CONTEXT
        while len(self.rest) <= size:
            order = self.random.permutation(len(self.streams))
            self.rest = np.concatenate([self.rest, *(self._moved(number) for number in order)])
        rows, self.rest = self.rest[: size + 1], self.rest[size:]
        targets = rows[1:, 0].reshape(BATCH, CONTEXT)
        counted = (targets != START).astype(np.float32)
        return rows[:-1].reshape(BATCH, CONTEXT, 3), np.where(targets == START, END, targets), counted

    def _moved(self, number):
        """A piece in a random key with its echoes: tokens, tokens of the echoes, their levels."""
        tokens = transposed(self.streams[number], int(self.random.choice(KEYS)))[0]
        return with_echoes(tokens, self.echoes[number])


class Schedule(keras.callbacks.Callback):
    """A cosine over the steps or over the minutes, whichever end first; both may end the training."""

    def __init__(self, steps, minutes):
        super().__init__()
        self.steps, self.minutes, self.begin = steps, minutes, time.monotonic()

    def on_epoch_begin(self, epoch, logs=None):
        done = epoch * EPOCH / self.steps
        if self.minutes is not None:
            done = max(done, (time.monotonic() - self.begin) / 60 / self.minutes)
        self.model.stop_training = done >= 1
        self.model.optimizer.learning_rate = LEARNING_RATE * (0.01 + 0.99 * (1 + np.cos(np.pi * min(done, 1))) / 2)

    def on_epoch_end(self, epoch, logs=None):
        if self.minutes is not None and time.monotonic() - self.begin >= 60 * self.minutes:
            self.model.stop_training = True


class BestOnValidation(keras.callbacks.Callback):
    """Keeps the averaged weights that score best on the validation part."""

    def __init__(self, network, streams, average, label):
        super().__init__()
        self.scorer, self.streams, self.average, self.label = Scorer(network), streams, average, label
        self.least, self.best, self.best_step, self.step = np.inf, None, 0, 0
        self.begin = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.step = (epoch + 1) * EPOCH
        if self.step % CHECK == 0:
            self._check(logs["loss"])

    def on_train_end(self, logs=None):
        if self.step % CHECK:
            self._check(logs["loss"])

    def _check(self, loss):
        weights = self.average.weights()
        nats = per_step(self.streams, self.scorer.nll(self.streams, weights))[0]
        if nats < self.least:
            self.least, self.best, self.best_step = nats, weights, self.step
        passed = time.perf_counter() - self.begin
        line = f"step {self.step}, {passed:.0f} s, loss {loss:.4f} nats/token, validation {nats:.4f} {UNIT}"
        print(f"{self.label}: {line}", file=sys.stderr, flush=True)


def train(rolls, *, seed, minutes, steps, label):
    """The trained network and the callback that holds its best weights."""
    network = RecurrentNetwork(CODEC.pitch_table(), **NETWORK, **DROPOUT, rising=True, seed=seed)
    network.compile(
        optimizer=keras.optimizers.AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY, clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="mean_with_sample_weight"),
        jit_compile=True,
    )
    average = WeightAverage(network, AVERAGE)
    trained = BestOnValidation(network, streams_of(rolls.validation), average, label)
    data = PackedStreams(streams_of(rolls.train), seed=seed)
    hooks = [Schedule(steps, minutes), average, trained]
    network.fit(data, epochs=-(-steps // EPOCH), callbacks=hooks, verbose=0, shuffle=False)
    return network, trained


if __name__ == "__main__":
    main()
