"""Sampling: how fast the LSTM composes, one stream and 64, on both backends of Keras.

The network is the preset "base", two layers of 512 units, with the grammar's masks, top_p and the penalty on loops,
as `compose` uses it; its weights are random, as time does not depend on them. The rivals are sampled in the same run:
a PyTorch LSTM of the same layers and vocabulary in eager mode with top_p (leaner than ours: one embedding as input,
no memory of pitches, no head over intervals, no grammar), as it comes and in the fastest of eight ways that were
found, and `keras.Model.predict` called for every token. What 64 streams cost at least is measured as the bare matrix
products of the network's step, in the same compiled loop.

Backends run in processes of their own, one after the other, each with the same number of threads; every figure is the
best of some repetitions, as other work may share the machine.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from common import Results, best_seconds, make_parser

BACKENDS = ("tensorflow", "jax")
LAYERS, UNITS, EMBEDDING, TRACKS = 2, 512, 128, 4
TOKENS, QUICK_TOKENS = 512, 128
RIVAL_GOALS = (5, 2)  # times PyTorch's rate, the faster backend and the other
PREDICT_GOAL, PRODUCTS_GOAL, START_GOAL_MS = 100, 0.6, 50


def main(argv=None):
    """Measure and write; returns the content of the result file."""
    parser = make_parser(__doc__, seeds=[0])
    parser.add_argument(
        "--only", choices=[*BACKENDS, "torch"], help="measure one and print JSON: what a process does"
    )
    parser.add_argument("--torch", type=Path, metavar="DIR", help="folder with the package torch, if not installed")
    args = parser.parse_args(argv)
    if args.only:
        tokens = QUICK_TOKENS if args.quick else TOKENS
        print(json.dumps(torch_rate(tokens) if args.only == "torch" else backend_rates(tokens)))
        return None
    results = Results(args)
    found = {name: in_process(name, args) for name in (*BACKENDS, "torch")}
    torch = found.pop("torch")
    results.add("PyTorch eager, nn.LSTM as it comes: one stream", torch["plain"], "tokens/s", direction="max")
    results.add("PyTorch eager, fastest of eight ways: one stream", torch["fastest"], "tokens/s", direction="max")
    ranked = sorted(BACKENDS, key=lambda name: -found[name]["one"])
    for name, goal in zip(ranked, RIVAL_GOALS, strict=True):
        add_backend(results, name, found[name], torch, goal)
    return results.finish()


def add_backend(results, name, rates, torch, goal):
    """The rows of one backend."""
    plain, fastest = rates["one"] / torch["plain"], rates["one"] / torch["fastest"]
    results.add(f"{name}: one stream", rates["one"], "tokens/s", reference=torch["plain"], direction="max")
    results.add(f"{name}: one stream, times PyTorch as it comes", plain, "×", goal=goal, direction="max")
    results.add(f"{name}: one stream, times PyTorch at its fastest", fastest, "×", direction="max")
    ratio = rates["one"] / rates["predict"]
    results.add(f"{name}: predict per token", rates["predict"], "tokens/s", direction="max")
    results.add(f"{name}: one stream, times predict", ratio, "×", goal=PREDICT_GOAL, direction="max")
    results.add(f"{name}: 64 streams", rates["many"], "tokens/s", reference=rates["products"], direction="max")
    share = rates["many"] / rates["products"]
    results.add(f"{name}: 64 streams, of the bare products", share, "×", goal=PRODUCTS_GOAL, direction="max")
    results.add(f"{name}: second call begins after", rates["start_ms"], "ms", goal=START_GOAL_MS)


def in_process(name, args):
    """What one process measured."""
    command = [sys.executable, __file__, "--only", name, *(["--quick"] if args.quick else [])]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if name == "torch" and args.torch:
        environment["PYTHONPATH"] = str(args.torch)
    if name != "torch":
        environment["KERAS_BACKEND"] = name
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


# ---- ours


def backend_rates(tokens):
    """Tokens per second of one stream, of 64, of predict and of the bare products; ms until a second call begins."""
    from musicgen import EventsCodec, LSTMComposer

    composer = LSTMComposer(preset="base", codec=EventsCodec(tracks=TRACKS), seed=0)
    composer._build()
    return {
        "one": stream_rate(composer, 1, tokens),
        "many": stream_rate(composer, 64, tokens // 4),
        "products": products_rate(composer, 64, tokens // 4),
        "predict": predict_rate(composer, 20),
        "start_ms": start_ms(composer),
    }


def _chunks(composer, count):
    """The sampler's chunks for pieces without end."""
    from musicgen.composers.drawing import SamplingControls
    from musicgen.composers.guidance import Guidance
    from musicgen.composers.prompts import Prompt

    prompts = [Prompt(composer.codec, None, [0, number]) for number in range(count)]
    guidance = Guidance(repetition_penalty=composer.options["repetition_penalty"])
    return composer._sampler.chunks(*composer._start(), prompts, SamplingControls(top_p=0.98), guidance)


def stream_rate(composer, count, tokens):
    """Tokens per second of `count` streams together, host work included."""
    from musicgen.composers.sampling import CHUNK

    chunks = _chunks(composer, count)
    next(chunks)
    rounds = max(1, tokens // CHUNK)

    def run():
        for _ in range(rounds):
            next(chunks)

    return count * rounds * CHUNK / best_seconds(run)[0]


def start_ms(composer):
    """Milliseconds from a second call until its first chunk, less the time that a chunk takes."""
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        chunks = _chunks(composer, 1)
        next(chunks)
        first = time.perf_counter()
        next(chunks)
        times.append(1000 * ((first - begin) - (time.perf_counter() - first)))
    return max(0.0, float(np.median(times)))


def products_rate(composer, count, tokens):
    """Tokens per second of nothing but the matrix products of a step (the filters' convolution included)."""
    from keras import ops

    from musicgen.composers.backend import compile_function, scan, to_numpy

    weights = composer.network.step_weights()
    names = ("around", "lstm_1.recurrent_kernel", "lstm_2.kernel", "lstm_2.recurrent_kernel")
    names += ("logits.kernel", "interest.kernel")
    sizes = {name: weights[name].shape[0] for name in names}
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(count, max(sizes.values()))).astype(np.float32)
    rows = rng.normal(size=(count, 128, weights["patterns.kernel"].shape[1])).astype(np.float32)

    def step(carry, index):
        wide, rows = carry
        said = [ops.matmul(wide[:, : sizes[name]], weights[name])[:, :1] for name in names]
        patterns = ops.conv(rows, weights["patterns.kernel"], padding="same")
        # What goes on depends on all of it, or the compiler would leave it out.
        change = 1e-9 * (sum(said) + ops.sum(patterns, axis=(1, 2))[:, None])
        return (wide + change, rows + change[:, :, None]), ops.sum(change)

    loop = compile_function(lambda carry, steps: scan(step, carry, steps))
    steps = np.zeros(tokens, np.int32)
    to_numpy(loop((wide, rows), steps)[1])
    return count * tokens / best_seconds(lambda: to_numpy(loop((wide, rows), steps)[1]))[0]


def predict_rate(composer, tokens):
    """Tokens per second of a stateful Keras model of the same layers, asked by `predict` token by token."""
    import keras

    vocab = composer.codec.vocab_size
    given = keras.Input(batch_shape=(1, 1), dtype="int32")
    signal = keras.layers.Embedding(vocab, EMBEDDING)(given)
    for _ in range(LAYERS):
        signal = keras.layers.LSTM(UNITS, stateful=True, return_sequences=True)(signal)
    model = keras.Model(given, keras.layers.Dense(vocab)(signal))
    rng, token = np.random.default_rng(0), np.zeros((1, 1), np.int32)
    model.predict(token, verbose=0)

    def run():
        nonlocal token
        for _ in range(tokens):
            logits = model.predict(token, verbose=0)[0, 0].astype(np.float64)
            token = np.array([[_drawn(logits, 0.98, rng)]], np.int32)

    return tokens / best_seconds(run)[0]


def _drawn(logits, top_p, rng):
    weights = np.exp(logits - logits.max())
    order = np.argsort(-weights)
    weights = weights[order] / weights.sum()
    weights[np.cumsum(weights) - weights >= top_p] = 0.0
    return order[rng.choice(len(weights), p=weights / weights.sum())]


# ---- the rival


def torch_rate(tokens):
    """Tokens per second of an eager PyTorch LSTM of the same layers, sampled with top_p.

    `LSTM` and `LSTMCell`, with and without oneDNN, with one thread and PyTorch's own choice. As it comes is `LSTM`
    with oneDNN, which is PyTorch's default, with whichever number of threads is faster.
    """
    import itertools

    import torch

    torch.manual_seed(0)
    threads = sorted({1, torch.get_num_threads()})
    rates = {}
    for way in itertools.product((_torch_layers, _torch_cells), (True, False), threads):
        layers, onednn, count = way
        torch.set_num_threads(count)
        with torch.backends.mkldnn.flags(enabled=onednn):
            rates[way] = _torch_variant(layers(torch), tokens // 8)
    plain = max(rates[_torch_layers, True, count] for count in threads)
    return {"plain": plain, "fastest": max(rates.values())}


def _torch_variant(layers, tokens):
    import torch

    from musicgen import EventsCodec

    vocab = EventsCodec(tracks=TRACKS).vocab_size
    embedding, head = torch.nn.Embedding(vocab, EMBEDDING), torch.nn.Linear(UNITS, vocab)

    @torch.inference_mode()
    def run():
        token, state = torch.zeros(1, dtype=torch.long), None
        for _ in range(tokens):
            out, state = layers(embedding(token), state)
            weights, order = torch.softmax(head(out)[0], 0).sort(descending=True)
            weights[weights.cumsum(0) - weights >= 0.98] = 0.0
            token = order[torch.multinomial(weights, 1)]

    run()
    return tokens / best_seconds(run)[0]


def _torch_layers(torch):
    lstm = torch.nn.LSTM(EMBEDDING, UNITS, LAYERS)

    def step(signal, state):
        out, state = lstm(signal[None], state)
        return out[0], state

    return step


def _torch_cells(torch):
    cells = [torch.nn.LSTMCell(EMBEDDING if n == 0 else UNITS, UNITS) for n in range(LAYERS)]

    def step(signal, states):
        after = []
        for cell, state in zip(cells, states or [None] * LAYERS, strict=True):
            after.append(cell(signal, state))
            signal = after[-1][0]
        return signal, after

    return step


if __name__ == "__main__":
    main()
