"""Candidates are drawn so that what is counted in generated fragments comes to what it is in the data."""

import numpy as np
import pytest

from musicgen.codecs.melody import HOLD, REST
from musicgen.composers.weighing import LONG, MOST_CLASSES, MOST_NOTES, coefficients, count_of, counts_of, drawn
from musicgen.metrics.harmony import CIRCLES

BAR, STEPS, LINES = 8, 16, 2


def parts(tokens):
    """Counts of fragments by name."""
    sizes = {"pitch": 128, "class": 12, "length": LONG + 1, "distance": LONG + 1, "interval": 27, "place": BAR}
    sizes |= {
        "notes": MOST_NOTES,
        "classes": MOST_CLASSES + 1,
        "chord": 13,
        "sounding": tokens.shape[2] + 1,
        "together": 12,
        "apart": 1,
    }
    counts = counts_of(tokens, BAR)
    assert counts.shape == (len(tokens), count_of(tokens.shape[1], BAR, tokens.shape[2]))
    return dict(zip(sizes, np.split(counts, np.cumsum(list(sizes.values()))[:-1], axis=1), strict=True))


def found(row):
    """What is counted: place to number."""
    return {int(place): float(row[place]) for place in np.flatnonzero(row)}


def test_counts_by_hand():
    tokens = np.full((2, STEPS, LINES), REST, np.uint8)
    tokens[1, :5, 0] = [60, HOLD, 64, 64, HOLD]  # three notes
    tokens[1, 3:9, 1] = [48, HOLD, HOLD, HOLD, HOLD, HOLD]  # one, over the bar line
    told = {name: found(part[1]) for name, part in parts(tokens).items()}
    assert told["pitch"] == {60: 1, 64: 2, 48: 1}
    assert told["class"] == {0: 8, 4: 3}
    assert told["length"] == {1: 1, 2: 2, 6: 1}
    assert told["distance"] == {1: 1, 2: 1}
    assert told["interval"] == {13: 1, 17: 1}
    assert told["place"] == {0: 1, 2: 1, 3: 2}
    assert told["notes"] == {4: 1, 0: 1}
    assert told["classes"] == {2: 1, 1: 2, 0: 1}
    assert told["chord"] == {1: 1, 2: 1}
    assert told["sounding"] == {0: 7, 1: 7, 2: 2}
    assert told["together"] == {4: 2}
    upper = [[0, 4], [4, 4]]  # pitch classes: C below, in two stretches of 4 steps C and E, then E alone
    points = [np.eye(12)[classes].mean(axis=0) @ CIRCLES for classes in ([0], *upper)]
    expected = np.mean([np.linalg.norm(points[0] - point) for point in points[1:]])
    assert told.pop("apart") == {0: pytest.approx(expected, abs=1e-5)}
    silent = {name: found(part[0]) for name, part in parts(tokens).items()}
    assert silent == {name: {} for name in silent} | {
        "notes": {0: 2},
        "classes": {0: 4},
        "chord": {0: 2},
        "sounding": {0: STEPS},
    }


def test_one_line_has_nothing_together():
    tokens = np.full((3, 4 * LONG, 1), HOLD, np.uint8)
    tokens[:, 0] = 60
    counts = counts_of(tokens, BAR)
    assert counts.shape == (3, count_of(4 * LONG, BAR, 1))
    assert not counts[:, -13:].any()
    assert counts[0, 140 : 140 + LONG + 13].nonzero()[0].tolist() == [LONG + 12], "long notes share a class"


def test_counts_of_what_is_drawn_are_those_of_the_data():
    random = np.random.default_rng(0)
    made, real = random.normal(0, 1, (4000, 6, 3)), random.normal([0.6, -0.3, 0], [1, 1, 1], (4000, 3))
    made, real = (np.concatenate([side, np.ones((*side.shape[:-1], 1))], axis=-1) for side in (made, real))
    found = coefficients(made, real, ridge=1e-6)
    taken = made[np.arange(4000), drawn(made @ found, random.random((4000, 6)))]
    np.testing.assert_allclose(taken.mean(axis=0), real.mean(axis=0), atol=0.05)
    assert found[3] == 0, "what never differs tells nothing"
    assert np.abs(coefficients(made, real, ridge=1)).max() < np.abs(found).max()
    assert not coefficients(made, made.reshape(-1, 4)).any()


def test_candidates_are_drawn_by_their_weights():
    logits = np.log(np.tile([0.1, 0.6, 0.3], (20000, 1)))
    shares = np.bincount(drawn(logits, np.random.default_rng(0).random(logits.shape))) / len(logits)
    assert shares == pytest.approx([0.1, 0.6, 0.3], abs=0.02)
