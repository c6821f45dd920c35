"""Tunes with form, of which comparisons are made in tests."""

import numpy as np

from musicgen import NoteSequence, Track

SCALE = np.array([0, 2, 4, 5, 7, 9, 11])
CHORDS = [(0, 3, 4, 0), (0, 5, 3, 4), (5, 3, 0, 4), (3, 4, 5, 0)]


def tune(seed):
    """16 bars of a melody over a bass: phrases of 4 bars in the form a a' b a'."""
    random = np.random.default_rng(seed)
    phrases = {name: phrase(random) for name in "ab"}
    ending = [*phrases["a"][:3], phrase(random)[3]]
    bars = [bar for form in (phrases["a"], ending, phrases["b"], ending) for bar in form]
    key, rows = int(random.integers(-5, 6)), []
    for number, (chord, steps) in enumerate(bars):
        rows += [(2.0 * number, 2.0 * number + 2, 36 + key + int(SCALE[chord]), 70, 1)]
        rows += [
            (2.0 * number + at / 4, 2.0 * number + (at + length) / 4, 60 + key + pitch(step), 80, 0)
            for at, length, step in steps
        ]
    return NoteSequence(rows, (Track("tune"), Track("bass", 32)), meta={"title": f"tune {seed}"})


def pitch(step):
    return int(12 * (step // 7) + SCALE[step % 7])


def phrase(random):
    """Four bars: chord and (eighth, eighths, step of the scale), in a random walk."""
    bars, step = [], int(random.integers(0, 8))
    for chord in CHORDS[random.integers(len(CHORDS))]:
        lengths = [(2, 2, 2, 2), (4, 2, 2), (3, 1, 4), (2, 1, 1, 4)][random.integers(4)]
        starts = np.cumsum([0, *lengths[:-1]])
        steps = []
        for at, length in zip(starts, lengths, strict=True):
            step = int(np.clip(step + random.integers(-2, 3), -2, 11))
            steps.append((int(at), length, step))
        bars.append((chord, steps))
    return bars


TRAINING = [tune(seed) for seed in range(40)]
REAL = [[tune(1000 + 50 * seed + number) for number in range(12)] for seed in range(3)]
HONEST = [[tune(5000 + 50 * seed + number) for number in range(12)] for seed in range(3)]
