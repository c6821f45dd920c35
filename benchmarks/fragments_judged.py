"""How well a trained VAEComposer keeps fragments, moves between them and invents them: parts of `reconstruction.py`.

All of it works on arrays of tokens (fragments, steps, lines) that the composer itself cut from pieces.
"""

import time
from itertools import combinations

import numpy as np
from scipy.stats import spearmanr

from musicgen.baselines import NGram
from musicgen.codecs.melody import HOLD
from musicgen.composers.attributes import ATTRIBUTES
from musicgen.composers.drawing import SamplingControls
from musicgen.composers.fragments import TRANSPOSITIONS, moved
from musicgen.composers.latent import divergences
from musicgen.composers.latent_space import spherical
from musicgen.composers.mixing import DRAWING
from musicgen.composers.walks import in_key
from musicgen.metrics import compare_with, describe

SAMPLED = SamplingControls(temperature=1.0)
AS_ASKED = SamplingControls(**DRAWING)  # how the composer's methods draw
RESOLUTION = 4  # steps per quarter note
STEPS = 9  # of an interpolation
LOOKED_UP = 300  # fragments for which the nearest training fragment is sought
COUNTED = 20_000  # fragments that the n-gram model counts
FEATURES = (
    "notes_per_quarter",
    "polyphony",
    "pitches",
    "pitch_class_entropy",
    "median_note_quarters",
    "in_key_share",
)


def fragments_of(composer, pieces, most=None):
    """Tokens of the fragments of pieces, those without empty bars, in random order, at most so many; and genres."""
    cut = composer._fragments_of(*composer._arrays(list(pieces), argument="validation"), "validation")
    order = np.random.default_rng(0).permutation(len(cut.tokens))[:most]
    return cut.tokens[order], cut.labels[order]


def written(composer, latents, controls, *, together=1):
    """Tokens drawn from latents; so many after each other are drawn with the same random numbers."""
    return composer._writer.write(latents, [[0, row // together] for row in range(len(latents))], controls)


# ---- reconstruction


def reconstruction(composer, tokens):
    """Measures of fragments written again from their latents, by name.

    `drawn` latents come from the posterior, as in MusicVAE; `mean` ones are what the composer's methods use. Tokens
    are drawn at temperature 1. "onsets" counts the steps with an onset only, "teacher" the likeliest token given the
    true ones before it, "f1" onsets of the right pitch at the right step of the right line.
    """
    mean, log_variance = composer._writer.encode(tokens)
    noise = np.random.default_rng(0).standard_normal(mean.shape, np.float32)
    drawn = mean + np.exp(log_variance / 2) * noise
    found = {"bits": float(np.asarray(divergences(mean, log_variance)).sum(axis=1).mean() / np.log(2))}
    for name, latents in (("drawn", drawn), ("mean", mean)):
        again = written(composer, latents, SAMPLED)
        found[name] = agreement(again, tokens)
    found["teacher"] = float(composer._writer.hits(tokens, drawn).mean())
    return found


def agreement(again, tokens):
    """Shares of steps, and of steps with an onset, that are as they were, and F1 of onsets."""
    same, onsets = again == tokens, tokens < HOLD
    hits, found = np.sum(same & onsets), np.sum(again < HOLD)
    return {
        "steps": float(same.mean()),
        "onsets": float(hits / onsets.sum()),
        "f1": float(2 * hits / (onsets.sum() + found)),
    }


def looked_up(tokens, training):
    """The nearest training fragments, in all keys, in place of fragments: what memory alone would give."""
    training = np.unique(training, axis=0)
    flat, nearest = training.reshape(len(training), -1), []
    for fragment in tokens:
        best = (-1, None)
        for semitones in TRANSPOSITIONS:
            there = moved(fragment[None], semitones)[0]
            alike = (flat == there.ravel()).sum(axis=1)
            row = int(np.argmax(alike))
            best = max(best, (int(alike[row]), (row, -semitones)))
        row, back = best[1]
        nearest.append(moved(training[row][None], back)[0])
    return np.stack(nearest)


# ---- ways between fragments


def interpolation(composer, first, last, training):
    """Measures of ways between pairs of fragments, by name.

    "spearman": mean over pairs of the rank correlation of step and Hamming distance to the first fragment; pairs of
    equal fragments are left out. "cost": mean nats per token of the midpoints by an n-gram model of the training
    fragments in all keys, over that of the ends as they are; "naive": the same where each step of the middle is taken
    from either end by the toss of a coin.
    """
    different = (first != last).any(axis=(1, 2))
    first, last = first[different], last[different]
    ends = composer._writer.encode(first)[0], composer._writer.encode(last)[0]
    ways = np.stack([spherical(*ends, share) for share in np.linspace(0, 1, STEPS)], axis=1)
    steps = written(composer, ways.reshape(-1, ways.shape[-1]), AS_ASKED, together=STEPS)
    steps = steps.reshape(len(first), STEPS, *first.shape[1:])
    distances = (steps != first[:, None]).mean(axis=(2, 3))
    ranks = [spearmanr(np.arange(STEPS), row).statistic for row in distances if np.ptp(row)]
    coins = np.random.default_rng(0).random(first.shape[:2])[..., None] < 0.5
    model = language_model(training)
    cost = cost_of(model, np.concatenate([first, last]))
    return {
        "pairs": len(first),
        "spearman": float(np.sum(ranks) / len(first)),
        "distances": distances.mean(axis=0).tolist(),
        "cost": cost_of(model, steps[:, STEPS // 2]) / cost,
        "naive": cost_of(model, np.where(coins, first, last)) / cost,
    }


def in_one_key(first, last):
    """The last fragments, each moved into the key of the first one of its pair."""
    return np.stack([in_key(np.stack(pair))[0][1] for pair in zip(first, last, strict=True)])


def language_model(training):
    """A 5-gram model of training fragments, each in a random key."""
    random = np.random.default_rng(0)
    some = training[random.permutation(len(training))[:COUNTED]]
    some = moved(some, random.choice(TRANSPOSITIONS, len(some)))
    return NGram(5, HOLD + 2).fit([line for fragment in some for line in fragment.T])


def cost_of(model, tokens):
    """Mean nats per token of fragments."""
    return float(np.mean([model.nll(line).mean() for fragment in tokens for line in fragment.T]))


def attribute_effects(composer, tokens):
    """What one addition of each attribute's vector does: (added, measured), mean change over standard deviations."""
    latents, beat = composer._writer.encode(tokens)[0], composer.network.beat_steps
    before = written(composer, latents, AS_ASKED)
    effects = np.zeros((len(ATTRIBUTES), len(ATTRIBUTES)))
    for row, name in enumerate(ATTRIBUTES):
        after = written(composer, latents + composer.attribute_vector(name), AS_ASKED)
        for column, measure in enumerate(ATTRIBUTES.values()):
            spread = measure(tokens, beat).std() or np.inf  # nothing to measure by where all are alike
            effects[row, column] = np.mean(measure(after, beat) - measure(before, beat)) / spread
    return effects


# ---- invention


def prior_overlap(composer, tokens, training, *, count, shown):
    """Overlapping areas with training fragments of fragments invented, of some from the standard normal distribution,
    and of as many held-out fragments; by feature."""
    normal = np.random.default_rng(0).standard_normal((count, composer.latent_dim))
    sides = {
        "invented": written(composer, composer._space.point(normal), AS_ASKED),
        "standard normal": written(composer, normal, AS_ASKED),
        "held out": tokens[:count],
    }
    references = pieces_of(composer, training[:shown])
    sides = {name: pieces_of(composer, some) for name, some in sides.items()}
    return {
        name: compare_with(pieces, references, resolution=RESOLUTION)["overlap"] for name, pieces in sides.items()
    }


def pieces_of(composer, tokens):
    """Fragments as NoteSequences."""
    return [composer._cutter.piece(lines, bpm=120.0) for lines in tokens]


def bars_per_second(composer, *, pieces=64, bars=4, repeats=5):
    """Rate of `decode`, conversion to NoteSequences included, for pieces of so many bars, after the first call."""
    count = pieces * bars // composer.fragment_bars
    latents = np.random.default_rng(0).standard_normal((count, composer.latent_dim))
    composer.decode(latents, seed=0)
    seconds = []
    for number in range(repeats):
        begin = time.perf_counter()
        composer.decode(latents, seed=number)
        seconds.append(time.perf_counter() - begin)
    return pieces * bars / min(seconds)


# ---- genres


def nearest_centroid_share(composer, training, test):
    """Share of held-out fragments whose nearest genre centroid is their own genre's, and that of the largest genre.

    Parameters
    ----------
    training, test : (tokens, labels)
    """
    latents = [composer._writer.encode(tokens)[0] for tokens, _ in (training, test)]
    centroids = np.stack([latents[0][training[1] == genre].mean(axis=0) for genre in np.unique(training[1])])
    distances = np.linalg.norm(latents[1][:, None] - centroids, axis=2)
    told = np.unique(training[1])[np.argmin(distances, axis=1)]
    return float(np.mean(told == test[1])), float(np.bincount(test[1]).max() / len(test[1]))


def blends_between(composer, tokens, labels, *, each=16):
    """Of blends of two genres, the share of features whose mean lies between the parents' means, and of the pairs.

    From every two genres as many fragments are blended one with one, half and half; what is compared are means over
    the fragments written again from their latents.

    Returns
    -------
    share : float
    pairs : int
    """
    groups = {genre: tokens[labels == genre][:each] for genre in np.unique(labels) if np.sum(labels == genre) >= each}
    means = {genre: composer._writer.encode(some)[0] for genre, some in groups.items()}
    parents = {genre: features(composer, points) for genre, points in means.items()}
    inside = []
    for a, b in combinations(groups, 2):
        blend = features(composer, spherical(means[a], means[b], 0.5))
        low, high = np.minimum(parents[a], parents[b]), np.maximum(parents[a], parents[b])
        inside.append((blend >= low) & (blend <= high))
    return float(np.mean(inside)), len(inside)


def features(composer, latents):
    """Means of `FEATURES` over the fragments of latents."""
    rows = [
        describe(piece, resolution=RESOLUTION) for piece in pieces_of(composer, written(composer, latents, AS_ASKED))
    ]
    return np.array([np.nanmean([row[name] for row in rows]) for name in FEATURES])
