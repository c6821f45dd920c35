"""Which of several candidates is written: weights that bring a generator's counts to those of the data.

A generator that learnt from a critic still writes some lengths, leaps or chords too often. How much likelier than the
generator the data make a fragment is a log-linear function of all that can be counted in it (Sugiyama et al., "Direct
importance estimation with model selection and its application to covariate shift adaptation", NIPS 2007). Of several
candidates one is drawn by these weights (importance resampling; for generative models Grover et al., "Bias correction
of learned generative models using likelihood-free importance weighting", NeurIPS 2019). As there are few candidates,
and good ones may not be among them, the function is found for those that are drawn: their counts become those of the
training data, nearly: a ridge holds the function back where that would rest on a few fragments.
"""

import math

import numpy as np

from ..codecs.lines import HELD, SILENT, codes_of, notes_of
from ..metrics.harmony import CIRCLES

LONG, COARSE = 48, 12  # steps up to which lengths and distances are told apart one by one, and by how many beyond
MOST_NOTES, MOST_CLASSES = 64, 8  # of a bar, and of a line in a bar
RIDGE = 0.3  # weight of the squared coefficients
STEPS, NEAR = 50, 1e-5  # of Newton's method at most, and the slope at which it ends


def counts_of(tokens, bar_steps):
    """All that is counted in fragments.

    Pitches, pitch classes by time, lengths, distances of onsets and intervals in a line, places of onsets in the bar,
    bars by their notes, by the pitch classes of a line and of all together, steps by the lines that sound, intervals
    of lines that sound together, and how far lines are apart in tonal space (see `metrics.harmony.tonal_distance`).

    Parameters
    ----------
    tokens : numpy.ndarray of uint8, shape (n, steps, lines)
    bar_steps : int

    Returns
    -------
    numpy.ndarray of float32, shape (n, `count_of`)
    """
    count, steps, lines = tokens.shape
    row, start, length, pitch = notes_of(tokens)
    fragment, follows = row // lines, np.diff(row) == 0
    codes = codes_of(tokens).astype(np.int32)
    sounding = np.where(codes < SILENT, codes % HELD, -1)
    sounds = sounding >= 0
    of_steps = np.repeat(np.arange(count), steps)
    bars = np.bincount(fragment * (steps // bar_steps) + start // bar_steps, minlength=count * steps // bar_steps)
    of_bars = np.repeat(np.arange(count), steps // bar_steps)
    bits = _classes_in_bars(sounding, bar_steps)
    classes, all_classes = np.bitwise_count(bits), np.bitwise_count(np.bitwise_or.reduce(bits, axis=1))
    spans = _spans(steps)
    found = [
        _counted(fragment, pitch, count, 128),
        _counted(
            np.broadcast_to(np.arange(count)[:, None, None], sounds.shape)[sounds], sounding[sounds] % 12, count, 12
        ),
        _counted(fragment, _span(length), count, spans),
        _counted(fragment[1:][follows], _span(np.diff(start)[follows]), count, spans),
        _counted(fragment[1:][follows], np.clip(np.diff(pitch)[follows], -13, 13) + 13, count, 27),
        _counted(fragment, start % bar_steps, count, bar_steps),
        _counted(of_bars, np.minimum(bars, MOST_NOTES - 1), count, MOST_NOTES),
        _counted(np.repeat(of_bars, lines), np.minimum(classes, MOST_CLASSES).ravel(), count, MOST_CLASSES + 1),
        _counted(of_bars, all_classes, count, 13),
        _counted(of_steps, sounds.sum(axis=2).ravel(), count, lines + 1),
        _together(sounding),
        _tonal_distance(sounding, bar_steps),
    ]
    return np.concatenate(found, axis=1).astype(np.float32)


def count_of(steps, bar_steps, lines):
    """How many numbers `counts_of` gives."""
    return 128 + 12 + 2 * _spans(steps) + 27 + bar_steps + MOST_NOTES + MOST_CLASSES + 1 + 13 + lines + 1 + 12 + 1


def coefficients(made, real, *, ridge=RIDGE):
    """Of every count how much it adds to the logarithm of a fragment's weight.

    What is sought is the minimum of a convex function, the mean over draws of the logarithm of the candidates' mean
    weight, less that of real fragments' weights. There, but for the ridge, the counts of what is drawn are those of
    real fragments.

    Parameters
    ----------
    made : numpy.ndarray of float, shape (draws, candidates, features)
        Counts of generated fragments, of so many of which one is drawn.
    real : numpy.ndarray of float, shape (n, features)
        Counts of real ones.
    ridge : float
        The more, the nearer the weights are to equal; of counts in units of their standard deviation.

    Returns
    -------
    numpy.ndarray of float32, shape (features,)
        0 for what is always the same.
    """
    scale = np.concatenate([made.reshape(-1, made.shape[-1]), real]).std(axis=0, dtype=float)
    used = scale > 1e-6
    made, goal = made[..., used] / scale[used], (real[:, used] / scale[used]).mean(axis=0)
    found = np.zeros(int(used.sum()))
    loss = _loss(found, made, goal, ridge)
    for _ in range(STEPS):
        shares = _shares(made @ found)[..., None]
        mean = (shares * made).sum(axis=1, keepdims=True)
        slope = mean.mean(axis=0)[0] - goal + ridge * found
        if np.abs(slope).max() < NEAR:
            break
        apart = (np.sqrt(shares) * (made - mean)).reshape(-1, len(found))
        move = np.linalg.solve(apart.T @ apart / len(made) + ridge * np.eye(len(found)), slope)
        for share in 0.5 ** np.arange(12):
            moved = found - share * move
            reached = _loss(moved, made, goal, ridge)
            if reached < loss:
                break
        else:
            break
        found, loss = moved, reached
    whole = np.zeros(len(scale), np.float32)
    whole[used] = found / scale[used]
    return whole


def drawn(logits, uniform):
    """Of the candidates of each row one, drawn by their weights.

    Parameters
    ----------
    logits : numpy.ndarray of float, shape (n, candidates)
        Logarithms of the weights.
    uniform : numpy.ndarray of float, of the same shape
        Random numbers in (0, 1].

    Returns
    -------
    numpy.ndarray of int, shape (n,)
    """
    return np.argmax(logits - np.log(-np.log(np.clip(uniform, 1e-12, 1 - 1e-12))), axis=1)


def _counted(rows, values, count, size):
    return np.bincount(rows * size + values, minlength=count * size).reshape(count, size)


def _spans(steps):
    return LONG + -(-max(steps - LONG, 0) // COARSE) + 1


def _span(steps):
    """Number of the class of a length in steps."""
    return np.where(steps <= LONG, steps, LONG - (-(steps - LONG) // COARSE))


def _classes_in_bars(sounding, bar_steps):
    """Which pitch classes a line sounds in a bar, as bits of a number: (n * bars, lines)."""
    bars = sounding.reshape(-1, bar_steps, sounding.shape[2])
    bits = np.where(bars >= 0, 1 << (bars % 12), 0)
    return np.bitwise_or.reduce(bits, axis=1)


def _together(sounding):
    """Steps at which two lines sound each interval, octaves left out: (n, 12)."""
    count, found = len(sounding), 0
    rows = np.repeat(np.arange(count), sounding.shape[1]).reshape(sounding.shape[:2])
    for upper in range(sounding.shape[2]):
        for lower in range(upper + 1, sounding.shape[2]):
            both = (sounding[..., upper] >= 0) & (sounding[..., lower] >= 0)
            interval = (sounding[..., upper] - sounding[..., lower]) % 12
            found = found + _counted(rows[both], interval[both], count, 12)
    return found if np.ndim(found) else np.zeros((count, 12))


def _tonal_distance(sounding, bar_steps):
    """Distance in tonal space of two lines, mean over pairs and stretches in which both sound: (n, 1)."""
    count, _, lines = sounding.shape
    stretch = math.gcd(bar_steps, 12)
    classes = np.where(sounding >= 0, sounding % 12, 12).reshape(-1, stretch, lines)
    chroma = np.stack([(classes == one).sum(axis=1) for one in range(12)], axis=-1).astype(np.float32)
    total = chroma.sum(axis=-1)
    points = chroma / np.maximum(total, 1)[..., None] @ CIRCLES.astype(np.float32)
    upper, lower = np.triu_indices(lines, 1)
    products = points @ points.swapaxes(1, 2)
    squares = np.diagonal(products, axis1=1, axis2=2)
    apart = np.sqrt(np.maximum(squares[:, upper] + squares[:, lower] - 2 * products[:, upper, lower], 0))
    both = (total[:, upper] > 0) & (total[:, lower] > 0)
    sums = [np.where(both, some, 0).reshape(count, -1).sum(axis=1) for some in (apart, both)]
    return (sums[0] / np.maximum(sums[1], 1))[:, None]


def _shares(logits):
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def _loss(found, made, goal, ridge):
    logits = made @ found
    highest = logits.max(axis=1)
    means = highest + np.log(np.exp(logits - highest[:, None]).mean(axis=1))
    return means.mean() - goal @ found + 0.5 * ridge * found @ found
