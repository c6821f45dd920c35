"""Measures of coherence by hand, beside plain loops, and on pieces whose bars were shuffled."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from strategies import sequences

from musicgen.baselines import shuffled_bars
from musicgen.errors import InputError
from musicgen.metrics import COHERENCE, coherence_level
from musicgen.metrics.facts import Facts
from musicgen.notes import NoteSequence, Track
from musicgen.timing import Timing

BARS = {"A": [60, 60, 60, 60], "B": [62, 62, 62, 62], "C": [64, 64, 64, 64], "D": [65, 65, 65, 65]}


def measured(name, piece):
    return COHERENCE[name].of(Facts(piece))


def written(letters, bars=BARS):
    """A piece of 4/4 bars, each of four quarter notes, by letters."""
    pitches = [pitch for letter in letters for pitch in bars[letter]]
    return NoteSequence([(i / 2, (i + 1) / 2, pitch, 80, 0) for i, pitch in enumerate(pitches)])


def struck(*bars):
    """A piece of 4/4 bars with sixteenths at given places, pitches by bar."""
    rows = [(2 * k + s / 8, 2 * k + s / 8 + 0.1, p, 80, 0) for k, bar in enumerate(bars) for s, p in bar]
    return NoteSequence(rows, duration=2.0 * len(bars))


def test_groove_consistency_by_hand():
    piece = struck([(0, 60), (4, 60), (8, 60), (12, 62)], [(0, 60), (8, 64)], [(0, 60), (8, 60)])
    assert measured("groove_consistency", piece) == pytest.approx(1 - (2 / 16 + 0) / 2)


def test_pitch_class_entropy_by_hand():
    piece = struck([(0, 60), (4, 72)], [(0, 60), (4, 62), (8, 64), (12, 65)], [])
    assert measured("pitch_class_entropy_1_bar", piece) == pytest.approx((0 + 2) / 2), "an empty bar says nothing"
    together = 3 / 6 * math.log2(2) + 3 * 1 / 6 * math.log2(6)
    assert measured("pitch_class_entropy_4_bars", piece) == pytest.approx(together)


def test_tonal_stability_by_hand():
    piece = written("AAABD")
    whole, first, second = (np.zeros(12) for _ in range(3))
    whole[[0, 2, 5]], first[[0, 2]], second[[0, 2, 5]] = [12, 4, 4], [12, 4], [8, 4, 4]
    expected = np.mean([np.corrcoef(part, whole)[0, 1] for part in (first, second)])
    assert measured("tonal_stability", piece) == pytest.approx(expected)


def test_chroma_continuity_by_hand():
    bars = {"A": [60] * 4, "B": [60, 60, 60, 62], "C": [62] * 4, "D": [64] * 4}
    ab, bc = 3 / math.sqrt(10), 1 / math.sqrt(10)  # the cosines of other pairs are 0
    expected = (ab + bc + 0) / 3 - (ab + bc) / 6
    assert measured("chroma_continuity", written("ABCD", bars)) == pytest.approx(expected)


def test_repetition_by_hand():
    piece = written("ABCABD")
    assert measured("self_similarity", piece) == pytest.approx(2 / 15)
    assert measured("distinct_bar_share", piece) == pytest.approx(4 / 6)
    assert measured("repeated_phrase_share", piece) == pytest.approx(2 / 6)
    assert measured("phrase_balance", piece) == pytest.approx(4 * 1 / 3 * 2 / 3)
    assert measured("structureness_short", piece) == pytest.approx((1 + 0.5 + 0 + 1 + 0.5) / 5)
    assert math.isnan(measured("structureness_middle", piece))
    assert measured("structureness_middle", written("ABCDABCA")) == pytest.approx(np.mean([0.75, 0, 0, 0, 0.75]))


def test_bar_line_smoothness_by_hand():
    bars = {"A": [60, 60, 60, 62], "B": [63, 60, 60, 60], "C": [60, 60, 60, 67], "D": [65, 60, 60, 60]}
    across = (1 + 0 + 2) / 3
    anywhere = ((1 + 2 + 3) + (0 + 0 + 5) + (7 + 4 + 2) + (0 + 3 + 0)) / 12
    assert measured("bar_line_smoothness", written("ABCD", bars)) == pytest.approx(1 - across / anywhere)


def test_leaps_are_taken_within_tracks():
    bars = {"A": [60, 60, 60, 62], "B": [63, 60, 60, 60], "C": [60, 60, 60, 67], "D": [65, 60, 60, 60]}
    upper = written("ABCD", bars)
    rows = [(start, end, pitch - 36, 80, 1) for start, end, pitch, *_ in upper.notes.tolist()]
    both = upper.replace(notes=[*upper.notes.tolist(), *rows], tracks=(Track(), Track()))
    assert measured("bar_line_smoothness", both) == pytest.approx(measured("bar_line_smoothness", upper))


def plain_order(letters):
    """Correlation along the diagonals, and beside them, of the centred likeness of letters."""
    bars = range(len(letters))
    alike = {(i, j): float(i != j and letters[i] == letters[j]) for i, j in itertools.product(bars, repeat=2)}
    usual = [sum(alike[i, j] for j in bars) / (len(letters) - 1) for i in bars]
    contrast = {(i, j): alike[i, j] - usual[i] - usual[j] + np.mean(usual) for i, j in alike}
    pairs = [(i, j) for i, j in itertools.combinations(bars, 2) if j - i >= 2]
    mean, spread = (f([contrast[pair] for pair in pairs]) for f in (np.mean, np.var))
    product = lambda a, b: (contrast[a] - mean) * (contrast[b] - mean)  # noqa: E731
    along = [product((i, j), (i + 1, j + 1)) for i, j in pairs if j + 1 in bars]
    beside = [product((i, j), (i, j + 1)) for i, j in pairs if j + 1 in bars]
    beside += [product((i, j), (i + 1, j)) for i, j in pairs if j - i > 2 and j + 1 in bars]
    return [np.clip(np.mean(products) / spread, -1, 1) for products in (along, beside)]


@pytest.mark.parametrize("letters", ["ABCABD", "ABCDABCD", "AABBACDD", "ABABCDCD", "ABCDCBAD", "AABBCCAABB"])
def test_phrase_order_agrees_with_plain_loops(letters):
    along, beside = plain_order(letters)
    assert measured("phrase_order", written(letters)) == pytest.approx(along)
    assert measured("phrase_return", written(letters)) == pytest.approx(along - beside)


def test_blocks_of_like_bars_are_no_return():
    blocks = written("AAAAABBBBBCCCCCDDDDD")
    assert measured("phrase_order", blocks) > 0.4
    assert measured("phrase_return", blocks) < measured("phrase_return", written("ABCDABCDABDCABCDABCD"))
    assert abs(measured("phrase_return", blocks)) < 0.2


def test_phrase_order_is_of_bars_that_return_in_their_order():
    assert measured("phrase_order", written("ABCDABCDABCD")) > 0.9
    assert measured("phrase_order", written("ABCDCABDBDAC")) < 0.2
    assert measured("phrase_order", written("AAAAAAAA")) == 0.0


def phrases(seed):
    """A tune of eight phrases of four bars, some of which return."""
    random = np.random.default_rng(seed)
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12, 14, 16])
    bars = {}
    for phrase in "abc":
        steps = np.clip(np.cumsum(random.integers(-1, 2, 16)) + random.integers(2, 7), 0, 9)
        bars |= {f"{phrase}{k}": (60 + scale[steps[4 * k : 4 * k + 4]]).tolist() for k in range(4)}
    return written([f"{phrase}{k}" for phrase in "aabacbca" for k in range(4)], bars)


def test_shuffled_bars_have_no_order_on_average():
    for name in ("phrase_order", "phrase_return", "bar_line_smoothness"):
        values = [measured(name, shuffled_bars(phrases(seed), seed=seed)) for seed in range(60)]
        assert abs(np.mean(values)) < 3 * np.std(values) / math.sqrt(60) + 0.02, name


def test_coherence_tells_pieces_from_their_shuffled_bars():
    told = [
        coherence_level(phrases(seed)) > coherence_level(shuffled_bars(phrases(seed), seed=seed))
        for seed in range(20)
    ]
    assert np.mean(told) >= 0.95


def test_endless_repetition_is_not_coherent():
    assert coherence_level(written("ABCD" * 16)) < coherence_level(phrases(0))
    assert coherence_level(written("A" * 64)) < 0.2
    assert measured("phrase_balance", written("A" * 64)) < 0.2


def test_what_has_no_order_is_not_a_number():
    assert math.isnan(coherence_level(NoteSequence(duration=60.0)))
    assert math.isnan(coherence_level(written("ABC")))
    drums = NoteSequence([(i, i + 0.5, 36, 80, 0) for i in range(40)], (Track("", 0, True),))
    assert math.isnan(coherence_level(drums))
    assert measured("groove_consistency", drums) == 1.0
    with pytest.raises(InputError, match="sequence must be a NoteSequence, not str"):
        coherence_level("a piece")


def test_meters_and_pickups_change_bars_not_the_measures():
    piece = written("ABCDABCD")
    later = Timing.regular(120, start=1.0)
    moved = NoteSequence([(s + 1.0, e + 1.0, *rest) for s, e, *rest in piece.notes.tolist()], timing=later)
    assert len(Facts(moved).bars) == len(Facts(piece).bars) + 1, "the silent pickup is a bar"
    assert measured("structureness_short", moved) > 0.8


@given(piece=sequences())
@settings(max_examples=40)
def test_every_measure_of_coherence_stays_in_its_range(piece):
    facts = Facts(piece)
    for name, measure in COHERENCE.items():
        value = measure.of(facts)
        assert math.isnan(value) or measure.low - 1e-9 <= value <= measure.high + 1e-9, name
