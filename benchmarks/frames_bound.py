"""A bound on the likelihood of piano-roll frames under the VAE's network: part of `reconstruction.py`."""

import keras
import numpy as np

from musicgen.codecs.melody import REST
from musicgen.composers.backend import to_numpy
from musicgen.composers.fragments import FragmentBatches
from musicgen.composers.latent import LatentNetwork
from musicgen.composers.training import Training
from musicgen.composers.writing import Writer
from musicgen.datasets.polyphonic import LOWEST_PITCH

BARS, BAR_STEPS = 4, 4  # a fragment is 16 steps of the roll
SIZES = {"embedding": 48, "encoder_units": 192, "decoder_units": 256, "chain_units": 192, "latent_dim": 64}
SAMPLES = 128  # latents per fragment
BATCH = 64
WARMUP, LEARNING_RATE, EPOCHS = 2000, 2e-3, 200


def frames_bound(rolls, *, minutes, seed=0, samples=SAMPLES, path=None):
    """Nats per step of test rolls, at most: the importance-weighted bound (Burda et al. 2016).

    A step is written as its pitches in ascending order, one per line, rests behind; every step of every piece is
    counted. Each 16 steps have a latent of their own, and know nothing of those before. The network learns with the
    whole bound (beta 1) from fragments that begin anywhere, in random keys; its weights are those that the validation
    part likes best.

    Parameters
    ----------
    rolls : Rolls
    minutes : float
    seed : int
    samples : int
        Latents drawn per fragment.
    path : Path, optional
        File of the trained weights: read if it is there, else written.

    Returns
    -------
    bound, elbo : float
        With all samples, and with one.
    """
    lines = max(int(roll.sum(axis=1).max()) for part in rolls for roll in part)
    network = LatentNetwork(
        bars=BARS, bar_steps=BAR_STEPS, lines=lines, dropout=0.2, beta=1.0, warmup=WARMUP, seed=seed, **SIZES
    )
    if path and path.exists():
        with np.load(path) as kept:
            for name, variable in network.named_variables().items():
                variable.assign(kept[name])
    else:
        train(network, rolls, lines, minutes, seed)
        if path:
            np.savez(path, **to_numpy({name: v.value for name, v in network.named_variables().items()}))
    return bounds(Writer(network), [fragments(roll, lines) for roll in rolls.test], samples, seed)


def train(network, rolls, lines, minutes, seed):
    """Train a network on the rolls' training part; the weights best on the validation part stay."""
    network.compile(
        optimizer=keras.optimizers.AdamW(LEARNING_RATE, weight_decay=0.05, clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="mean_with_sample_weight"),
        jit_compile=True,
    )
    training = np.concatenate([fragments(roll, lines, every=1)[0] for roll in rolls.train])
    check = np.concatenate([fragments(roll, lines)[0] for roll in rolls.validation])
    batches = {"batch_size": BATCH, "seed": seed}
    Training(
        network,
        FragmentBatches(training, **batches),
        held_out=FragmentBatches(check, augment=False, **batches),
        epochs=EPOCHS,
        learning_rate=LEARNING_RATE,
        minutes=minutes,
        progress=False,
    ).run()


def fragments(roll, lines, every=BARS * BAR_STEPS):
    """Tokens (n, 16, lines) of the fragments of a roll, and which of their steps are its own: bool (n, 16)."""
    length = BARS * BAR_STEPS
    tokens = np.full((len(roll) + length, lines), REST, np.uint8)
    for step, frame in enumerate(roll):
        keys = np.flatnonzero(frame)
        tokens[step, : len(keys)] = LOWEST_PITCH + keys
    last = len(roll) if every == length else max(len(roll) - length, 0) + 1
    steps = np.arange(0, last, every)[:, None] + np.arange(length)
    return tokens[steps], steps < len(roll)


def bounds(writer, pieces, samples, seed):
    """The importance-weighted bound and the plain one, in nats per step."""
    tokens, own = (np.concatenate(part) for part in zip(*pieces, strict=True))
    mean, log_variance = (values.astype(np.float64) for values in writer.encode(tokens))
    random, weights = np.random.default_rng(seed), []
    for _ in range(samples):
        noise = random.standard_normal(mean.shape)
        latents = mean + np.exp(log_variance / 2) * noise
        prior = -0.5 * np.sum(latents**2, axis=1)
        posterior = -0.5 * np.sum(noise**2 + log_variance, axis=1)
        nats = np.where(own[..., None], writer.nll(tokens, latents), 0.0).sum(axis=(1, 2))
        weights.append(prior - posterior - nats)
    weights = np.array(weights)  # (samples, fragments), logs
    bound = np.logaddexp.reduce(weights, axis=0) - np.log(samples)
    return float(-bound.sum() / own.sum()), float(-weights.mean(axis=0).sum() / own.sum())
