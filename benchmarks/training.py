"""Training: tokens per second of the LSTM beside PyTorch, on both backends of Keras, and what the presets cost.

A step is forward and backward pass, clipping and AdamW on a batch of 32 windows of 256 random tokens, by the same
`train_on_batch` that `LSTMComposer.fit` calls. "Plain" is like with like: an embedding, the network's own LSTM layers
(2 of 512 units) and scores of the next token from the last one, without dropout, beside a PyTorch model of the same
(`nn.LSTM`, eager, with its fused AdamW and its plain one, whichever is faster). "Full" is the network of the preset
"base" with all that PyTorch's lacks: memory of pitches, shortcuts to the scores, head over intervals, dropout.

For each preset a process of its own, on the faster backend, tells the parameters, the time for 1,000 tokens with
`fit`'s own batches (up to 32 windows of 128 tokens) and the most memory that it held. On a machine with an NVIDIA GPU
that Keras uses, its utilisation during the steps is told too.

Backends run in processes of their own, one after the other, each with as many threads as there are cores; every
figure is the best of some repetitions, as other work may share the machine.
"""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
from common import Results, best_seconds, make_parser

BACKENDS = ("tensorflow", "jax")
LAYERS, UNITS, EMBEDDING, TRACKS = 2, 512, 128, 4
BATCH, CONTEXT = 32, 256
PRESET_CONTEXT = 128  # that of `fit`
LEARNING_RATE, WEIGHT_DECAY = 4e-3, 0.01
REPEATS, QUICK_REPEATS = 10, 2
THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
RIVAL_GOAL = 0.9  # times PyTorch's rate, the faster backend


def main(argv=None):
    """Measure and write; returns the content of the result file."""
    parser = make_parser(__doc__, seeds=[0])
    parser.add_argument("--only", metavar="NAME", help="measure one and print JSON: what a process does")
    parser.add_argument("--torch", type=Path, metavar="DIR", help="folder with the package torch, if not installed")
    args = parser.parse_args(argv)
    repeats = QUICK_REPEATS if args.quick else REPEATS
    if args.only:
        print(json.dumps(measured(args.only, repeats)))
        return None
    results = Results(args)
    torch = in_process("torch", args)
    results.add("PyTorch nn.LSTM", max(torch.values()), "tokens/s", direction="max")
    found = {name: in_process(name, args) for name in BACKENDS}
    best = max(found, key=lambda name: found[name]["plain"])
    for name, rates in found.items():
        add_backend(results, name, rates, max(torch.values()), RIVAL_GOAL if name == best else None)
    for preset in ("tiny", "small", "base", "large"):
        add_preset(results, preset, in_process(preset, args, backend=best), best)
    return results.finish()


def measured(name, repeats):
    """What the process of this name measures."""
    if name == "torch":
        return torch_rates(repeats)
    return backend_rates(repeats) if name in BACKENDS else preset_costs(name, repeats)


def add_backend(results, name, rates, torch, goal):
    """The rows of one backend."""
    for what in ("plain", "full"):
        results.add(f"{name}: {what}", rates[what], "tokens/s", reference=torch, direction="max")
        share = rates[what] / torch
        wanted = goal if what == "plain" else None
        results.add(f"{name}: {what}, times PyTorch", share, "×", goal=wanted, direction="max")
    if rates["utilisation"] is not None:
        results.add(f"{name}: utilisation of the GPU", rates["utilisation"], "%", direction="max")


def add_preset(results, preset, costs, backend):
    """The rows of one preset."""
    results.add(f"preset {preset}: parameters", costs["parameters"], "")
    results.add(f"preset {preset}: training on 1,000 tokens, {backend}", costs["seconds"], "s")
    results.add(f"preset {preset}: most memory, {backend}", costs["memory_gib"], "GiB")


def in_process(name, args, *, backend=None):
    """What one process measured."""
    command = [sys.executable, __file__, "--only", name, *(["--quick"] if args.quick else [])]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if name == "torch" and args.torch:
        environment["PYTHONPATH"] = str(args.torch)
    if name != "torch":
        environment["KERAS_BACKEND"] = backend or name
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def random_batch(context, outputs):
    """Tokens, next tokens and weights, as `TokenWindows` gives them."""
    tokens = np.random.default_rng(0).integers(0, outputs, (BATCH, context + 1)).astype(np.int32)
    return tokens[:, :-1], tokens[:, 1:], np.ones((BATCH, context), np.float32)


# ---- ours


def backend_rates(repeats):
    """Tokens per second of the plain and of the full network, and how busy a GPU was."""
    from musicgen import EventsCodec, LSTMComposer

    codec = EventsCodec(tracks=TRACKS)
    composer = LSTMComposer(preset="base", codec=codec, seed=0)
    composer._build()
    batch = random_batch(CONTEXT, codec.vocab_size)
    rates = {"plain": rate(plain_network(codec.vocab_size), batch, repeats)}
    watch = start_watching()
    rates["full"] = rate(composer.network, batch, repeats)
    return {**rates, "utilisation": stop_watching(watch)}


def plain_network(outputs):
    """Embedding, the network's LSTM layers and scores, as a Keras model."""
    import keras

    from musicgen.composers.recurrent import LSTMLayer

    given = keras.Input((CONTEXT,), batch_size=BATCH, dtype="int32")
    signal = keras.layers.Embedding(outputs, EMBEDDING)(given)
    for number in range(LAYERS):
        signal = LSTMLayer(UNITS, seed=number)(signal)
    return keras.Model(given, keras.layers.Dense(outputs)(signal))


def rate(network, batch, repeats):
    """Tokens per second of training steps."""
    return batch[0].size / seconds_per_step(network, batch, repeats)


def seconds_per_step(network, batch, repeats):
    """Seconds of one training step as `fit` does it, without the first ones, which compile."""
    import keras

    network.compile(
        optimizer=keras.optimizers.AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY, clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="mean_with_sample_weight"),
        jit_compile=True,
    )
    for _ in range(2):
        network.train_on_batch(*batch)
    return best_seconds(lambda: network.train_on_batch(*batch), repeats=repeats)[0]


def preset_costs(preset, repeats):
    """Parameters, seconds for 1,000 tokens, and most memory of this process in GiB."""
    from musicgen import EventsCodec, LSTMComposer

    composer = LSTMComposer(preset=preset, codec=EventsCodec(tracks=TRACKS), seed=0)
    composer._build()
    batch = random_batch(PRESET_CONTEXT, composer.codec.vocab_size)
    seconds = 1000 * seconds_per_step(composer.network, batch, repeats) / batch[0].size
    unit = 1 if sys.platform == "darwin" else 1024
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
    return {"parameters": composer.network.count_params(), "seconds": seconds, "memory_gib": memory}


def start_watching():
    """A process that writes a GPU's utilisation every tenth of a second; None without a GPU."""
    command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms", "100"]
    try:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except OSError:
        return None


def stop_watching(process):
    """Median of what it wrote, in percent, idle times such as the compiler's left out; None without a GPU."""
    if process is None:
        return None
    process.terminate()
    busy = [int(line) for line in process.communicate()[0].split() if line.isdigit() and int(line)]
    return float(np.median(busy)) if busy else None


# ---- the rival


def torch_rates(repeats):
    """Tokens per second of the PyTorch model, by optimizer."""
    import torch

    from musicgen import EventsCodec

    torch.manual_seed(0)
    torch.set_num_threads(THREADS)
    outputs = EventsCodec(tracks=TRACKS).vocab_size
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokens, targets, _ = (
        torch.from_numpy(part.astype(np.int64)).to(device) for part in random_batch(CONTEXT, outputs)
    )
    return {
        name: torch_rate(outputs, tokens, targets, fused, repeats)
        for name, fused in (("fused", True), ("plain", False))
    }


def torch_rate(outputs, tokens, targets, fused, repeats):
    """Tokens per second of training steps."""
    import torch

    parts = (torch.nn.Embedding(outputs, EMBEDDING), torch.nn.LSTM(EMBEDDING, UNITS, LAYERS, batch_first=True))
    embedding, lstm, head = (part.to(tokens.device) for part in (*parts, torch.nn.Linear(UNITS, outputs)))
    weights = [*embedding.parameters(), *lstm.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(weights, LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=fused)

    def step():
        optimizer.zero_grad()
        logits = head(lstm(embedding(tokens))[0])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        return loss.item()

    for _ in range(2):
        step()
    return tokens.numel() / best_seconds(step, repeats=repeats)[0]


if __name__ == "__main__":
    main()
