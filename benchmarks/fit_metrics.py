"""Learn the weights of the noise level and of coherence from real pieces: writes musicgen/metrics/calibration.json.

Of four corpora one half of the pieces, drawn by seed, copies on one side, is learnt from; the other half, and two
corpora of which nothing is learnt, are left to `benchmarks/metrics.py`.

Noise: pieces get random notes (off the grid and on it), wrong pitches, jitter or fragments, of 0 to 50 % of their
notes; weights of at least 0 are fitted by least squares so that the level comes near the share of notes that are
noise, pulled towards 0 a little, lest what is rare gets a large weight. Coherence: two logistic functions
that tell pieces of at least 32 bars from the same pieces with shuffled bars; every corpus counts the same.
"""

import argparse
import json
from functools import partial

import numpy as np
from scipy.optimize import nnls
from sklearn.linear_model import LogisticRegression

from musicgen.baselines import NOISES, shuffled_bars, with_random_notes
from musicgen.datasets import load_corpus, split
from musicgen.files import write_text
from musicgen.metrics.calibration import CALIBRATION
from musicgen.metrics.coherence import COHERENCE
from musicgen.metrics.facts import Facts
from musicgen.metrics.noise import NOISE

LEARNT = ("folk", "bach-chorales", "palestrina", "string-quartets")
SHARES = np.linspace(0, 0.5, 6)
KINDS = {**NOISES, "random notes on the grid": partial(with_random_notes, resolution=4)}
NOISE_PIECES, ORDER_PIECES = 40, 200  # of each corpus at most
MAX_NOTES, MIN_NOTES, MIN_BARS = 3000, 30, 32
PULL = 0.1
PARTS = {"flow_offset": ("phrase_order", "bar_line_smoothness"), "return_offset": ("phrase_return",)}
WEIGHED = [name for name in NOISE if name != "noise_level"]


def main(argv=None):
    """Learn and write; returns the weights."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    args = parser.parse_args(argv)
    halves = {name: half(name, 0, seed=args.seed) for name in LEARNT}
    weights = {"noise": noise_weights(halves), "coherence": coherence_weights(halves)}
    print(write_text(CALIBRATION, json.dumps(weights, indent=2) + "\n"))
    return weights


def half(name, part, *, seed=0):
    """One half of a corpus in random order: 0 is learnt from, 1 left for tests."""
    pieces = split([piece for piece in load_corpus(name) if len(piece)], (0.5, 0.5), seed=seed)[part]
    return [pieces[place] for place in np.random.default_rng(seed).permutation(len(pieces))]


def fit_for_noise(pieces, count):
    """The first pieces that are neither short nor long."""
    return [piece for piece in pieces if MIN_NOTES <= len(piece) <= MAX_NOTES][:count]


def long_enough(pieces, count):
    """The first pieces of at least so many bars."""
    return [piece for piece in pieces if len(piece.timing.bars(piece.duration)) >= MIN_BARS][:count]


def noise_weights(halves):
    """Weights by measure, those that are 0 left out."""
    rows, targets = [], []
    for pieces in halves.values():
        chosen = fit_for_noise(pieces, NOISE_PIECES)
        scale = 1 / np.sqrt(len(chosen))
        for seed, piece in enumerate(chosen):
            for kind, spoil in KINDS.items():
                for share in SHARES:
                    spoiled = spoil(piece, share, seed=seed)
                    facts = Facts(spoiled)
                    rows.append([scale * NOISE[name].of(facts) for name in WEIGHED])
                    targets.append(-scale * np.log(1 - noise_share(kind, share, len(piece), len(spoiled))))
    pulled = np.sqrt(PULL) * np.eye(len(WEIGHED))
    weights, _ = nnls(np.vstack([*rows, pulled]), np.append(targets, np.zeros(len(WEIGHED))))
    return {name: float(f"{weight:.4g}") for name, weight in zip(WEIGHED, weights, strict=True) if weight > 0}


def noise_share(kind, share, before, after):
    """Share of the notes of a spoiled piece that are noise."""
    if kind in ("jitter", "wrong pitches"):
        return share
    return 1 - (before - (share * before if kind == "fragments" else 0)) / after


def coherence_weights(halves):
    """Weights of the measures of order, the offsets, and how few distinct bars real pieces have."""
    real, shuffled, importance, distinct = [], [], [], []
    for pieces in halves.values():
        chosen = long_enough(pieces, ORDER_PIECES)
        distinct += [COHERENCE["distinct_bar_share"].of(Facts(piece)) for piece in chosen]
        real += [Facts(piece) for piece in chosen]
        shuffled += [Facts(shuffled_bars(piece, seed=seed)) for seed, piece in enumerate(chosen)]
        importance += [1 / len(chosen)] * len(chosen)
    found = {}
    for offset, names in PARTS.items():
        rows = [[max(COHERENCE[name].of(facts), -1.0) for name in names] for facts in real + shuffled]
        labels = np.repeat([1, 0], [len(real), len(shuffled)])
        model = LogisticRegression(C=100.0).fit(np.array(rows), labels, sample_weight=[*importance, *importance])
        found |= {**dict(zip(names, model.coef_[0], strict=True)), offset: model.intercept_[0]}
    found["least_distinct_bar_share"] = np.quantile(distinct, 0.01)
    return {name: float(f"{value:.4g}") for name, value in found.items()}


if __name__ == "__main__":
    main()
