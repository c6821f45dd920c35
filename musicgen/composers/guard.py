"""What watches a contest: how near its fragments come to the data, whether it diverges or writes one thing only."""

import numpy as np

from ..codecs.lines import HELD, SILENT, codes_of, notes_of
from .backend import to_numpy

LOOKED_AT = 256  # fragments that are invented at a look
COMPARED = 4000  # training fragments that they are compared with
COLLAPSED = 0.3  # of the data's diversity; less is the same over and over
GRACE, PATIENCE = 800, 3  # steps before a collapse counts, looks at one until the training stops


class Guard:
    """Looks at a training now and then, and keeps the generator that came nearest to the data.

    Parameters
    ----------
    contest : Contest
    invent : callable
        Gives so many fragments of the generator as it is, uint8 of shape (n, steps, lines).
    tokens : numpy.ndarray of uint8, shape (n, steps, lines)
        Training fragments.
    bar_steps, every, seed : int
        Steps of a bar; training steps from one look to the next.
    listeners : sequence of callable
        Called at every look with the step, what was found, and the fragments.
    """

    def __init__(self, contest, invent, tokens, *, bar_steps, every, seed, listeners=()):
        self.contest, self.invent, self.every, self.bar_steps = contest, invent, every, bar_steps
        self.listeners, random = listeners, np.random.default_rng([seed, 8])
        self.data = tokens[random.permutation(len(tokens))[:COMPARED]]
        self._histograms = histograms(self.data, bar_steps)
        self._diversity = diversity(self.data[:LOOKED_AT])
        self.looks, self.best, self.best_overlap, self.collapsed, self.problem = [], None, -1.0, 0, None
        self._sums, self._count, self._steps = {}, 0, 0

    def after(self, step, told):
        """Take note of the losses after a step; returns whether the training goes on."""
        if not np.isfinite(list(told.values())).all():
            self.problem = f"the training diverged at step {step}: {told}"
            return False
        self._sums = {name: self._sums.get(name, 0.0) + value for name, value in told.items()}
        self._count, self._steps = self._count + 1, step
        if step % self.every == 0:
            self.look(step)
        return self.problem is None

    def look(self, step):
        """Compare what the averaged generator invents with the data."""
        with self.contest.average():
            tokens = self.invent(LOOKED_AT)
            weights = to_numpy({n: v.value for n, v in self.contest.generator.named_variables().items()})
        shared = overlaps(histograms(tokens, self.bar_steps), self._histograms)
        found = {"step": step, "overlap": float(np.mean(list(shared.values())))}
        found |= {f"overlap_{name}": value for name, value in shared.items()}
        found["diversity"] = diversity(tokens) / max(self._diversity, 1e-9)
        found["nearest"] = nearest(tokens[:32], self.data)
        found |= {name: value / max(self._count, 1) for name, value in self._sums.items()}
        self._sums, self._count = {}, 0
        self.looks.append({name: round(value, 5) for name, value in found.items()})
        if found["overlap"] * min(found["diversity"], 1.0) > self.best_overlap:
            self.best, self.best_overlap = weights, found["overlap"] * min(found["diversity"], 1.0)
        self.collapsed = self.collapsed + 1 if step > GRACE and found["diversity"] < COLLAPSED else 0
        if self.collapsed >= PATIENCE:
            share = f"{100 * found['diversity']:.0f} %"
            self.problem = (
                f"the generator writes the same over and over: its fragments differ {share} as much as the data's"
            )
        for listener in self.listeners:
            listener(step, self.looks[-1], tokens)

    def finish(self):
        """Look once more at a generator that has learnt on since the last look."""
        if self.problem is None and (self._count or not self.looks):
            self.look(self._steps)

    def overlap_of(self, tokens):
        """Mean overlapping area of other fragments' histograms with the data's."""
        return float(np.mean(list(overlaps(histograms(tokens, self.bar_steps), self._histograms).values())))

    # ---- stopping and going on

    def state(self):
        """Numbers, and arrays by name, from which the guard goes on."""
        numbers = {
            n: getattr(self, n)
            for n in ("looks", "best_overlap", "collapsed", "problem", "_sums", "_count", "_steps")
        }
        return numbers, dict(self.best or {})

    def restore(self, numbers, arrays):
        """Go on where `state` was taken."""
        for name, value in numbers.items():
            setattr(self, name, value)
        self.best = arrays or None


def histograms(tokens, bar_steps):
    """What fragments are made of: name to shares that sum to 1.

    Pitches, pitch classes by time, note lengths, distances of onsets and intervals in a line, places of onsets in the
    bar, notes per bar, and intervals of lines that sound together.
    """
    row, start, length, pitch = notes_of(tokens)
    follows = np.diff(row) == 0
    count, steps, lines = tokens.shape
    bars = np.bincount(
        (row // lines) * (steps // bar_steps) + start // bar_steps, minlength=count * steps // bar_steps
    )
    codes = codes_of(tokens).astype(int)
    sounding = np.where(codes < SILENT, codes % HELD, -1)
    pairs = [np.zeros(0, int)]
    for upper in range(lines):
        for lower in range(upper + 1, lines):
            both = (sounding[..., upper] >= 0) & (sounding[..., lower] >= 0)
            pairs.append((sounding[..., upper] - sounding[..., lower])[both] % 12)
    values = {
        "pitch": (pitch, 128),
        "pitch_class": (sounding[sounding >= 0] % 12, 12),
        "length": (np.minimum(length, steps), steps + 1),
        "inter_onset": (np.diff(start)[follows], steps + 1),
        "interval": (np.clip(np.diff(pitch)[follows], -13, 13) + 13, 27),
        "position": (start % bar_steps, bar_steps),
        "density": (np.minimum(bars, 63), 64),
        "together": (np.concatenate(pairs), 12),
    }
    found = {name: np.bincount(some, minlength=size) for name, (some, size) in values.items()}
    return {name: counts / max(counts.sum(), 1) for name, counts in found.items()}


def overlaps(first, second):
    """Overlapping area of histograms of the same names: 0 to 1; those that are empty on one side are left out."""
    return {
        name: float(np.minimum(shares, second[name]).sum())
        for name, shares in first.items()
        if second[name].any() and (shares.any() or name != "together")
    }


def diversity(tokens):
    """Mean share of the steps and lines in which fragments differ, over pairs of them: 0 to 1."""
    codes = codes_of(tokens)
    return float(
        np.mean([np.mean(codes[move:] != codes[:-move]) for move in (1, 3, 7) if move < len(codes)] or [0.0])
    )


def nearest(tokens, data):
    """Mean share of the steps and lines in which fragments differ from the data's fragment that is most like them."""
    codes, known = codes_of(tokens), codes_of(data)
    return float(np.mean([np.mean(known != one, axis=(1, 2)).min() for one in codes]))
