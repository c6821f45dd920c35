"""Figures of two sets by hand and beside scipy and scikit-learn; intervals that hold what they promise."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicgen.errors import InputError
from musicgen.metrics import QUALITY, frechet_distance, longest_verbatim_run, mean_interval
from musicgen.metrics.classifier import PENALTY, SoftmaxRegression
from musicgen.metrics.copying import moves
from musicgen.metrics.distances import FLOOR, divergence, farthest_divergence, set_distances, shared_area, shares
from musicgen.metrics.facts import Facts
from musicgen.metrics.features import DISTRIBUTIONS, histograms
from musicgen.metrics.intervals import interval, resamples
from musicgen.metrics.novelty import COPIED_NOTES, longest_copies, verbatim_runs
from musicgen.metrics.quality import ORDER, Known, of_sets, per_piece
from musicgen.metrics.sets import VOCAB_SIZE, MeasuredSet
from musicgen.notes import NoteSequence, Track

ONCE = np.ones((1, 1))


def line(pitches, *, quarters=1.0, velocity=80, genre=""):
    rows = [(quarters / 2 * i, quarters / 2 * (i + 1), int(p), velocity, 0) for i, p in enumerate(pitches)]
    return NoteSequence(rows, meta={"genre": genre} if genre else {})


def test_distributions_by_hand():
    """120 qpm: C E together and D of a quarter, F of a half, in one track; a bass note in the other; a drum."""
    rows = [
        (0.0, 0.5, 60, 80, 0),
        (0.0, 0.5, 64, 90, 0),
        (0.5, 1.0, 62, 80, 0),
        (1.0, 2.0, 65, 80, 0),
        (2.5, 3.0, 40, 10, 1),
        (0.0, 0.5, 35, 1, 2),
    ]
    facts = Facts(NoteSequence(rows, (Track(), Track(), Track("", 0, True))))
    values = {name: each.of(facts).tolist() for name, each in DISTRIBUTIONS.items()}
    assert sorted(values["pitch"]) == [40, 60, 62, 64, 65]
    assert sorted(values["pitch_class"]) == [0, 2, 4, 4, 5]
    assert values["interval"] == [62 - 64, 65 - 62]
    assert sorted(values["note_quarters"]) == [1, 1, 1, 1, 2]
    assert values["inter_onset_quarters"] == [1, 1]
    assert sorted(values["velocity"]) == [10, 80, 80, 80, 90]
    assert values["density"] == [4, 1]
    assert values["pitch_class_transition"] == [4 * 12 + 2, 2 * 12 + 5]
    one, two = np.searchsorted(DISTRIBUTIONS["note_quarters"].bins, [1, 2])
    size = len(DISTRIBUTIONS["note_quarters"].bins) + 1
    assert values["length_transition"] == [one * size + one, one * size + two]
    counts = histograms(facts)
    assert counts["pitch"][[40, 60, 62, 64, 65]].tolist() == [1] * 5
    assert counts["velocity"].sum() == 5
    assert counts["velocity"][[1, 10, 11]].tolist() == [1, 3, 1]
    assert counts["density"][[1, 4]].tolist() == [1, 1]
    assert counts["interval"][[24 - 2 + 1, 24 + 3 + 1]].tolist() == [1, 1]


def test_shared_area_and_divergence_by_hand():
    first, second = shares([6, 2, 0]), shares([1, 2, 1])
    assert shared_area(first, second) == pytest.approx(0.25 + 0.25)
    p, q = ((1 - FLOOR) * side + FLOOR / 3 for side in (first, second))
    assert divergence(first, second) == pytest.approx(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)))
    assert divergence(first, second) != pytest.approx(divergence(second, first))
    assert np.isnan(shares([0, 0])).all()


def test_no_divergence_is_greater_than_that_of_histograms_that_never_meet():
    apart = divergence([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])  # 0.99 + 0.01 / 3 in one bin of each, 0.01 / 3 in the other
    assert apart == pytest.approx((298 / 300 - 1 / 300) * math.log(298))
    assert farthest_divergence(3) == pytest.approx(apart)
    assert divergence([1.0, 0.0, 0.0], [0.0, 0.5, 0.5]) < apart
    assert QUALITY["pitch_class_divergence"].high == farthest_divergence(12)
    assert QUALITY["density_divergence"].high == farthest_divergence(33)


def test_divergence_is_scipys():
    entropy = pytest.importorskip("scipy.stats", reason="scipy comes with the extra for transcription").entropy
    first, second = shares([[6, 2, 1], [1, 1, 8]]), shares([[1, 2, 1], [5, 3, 2]])
    p, q = ((1 - FLOOR) * side + FLOOR / 3 for side in (first, second))
    assert divergence(first, second) == pytest.approx(entropy(p, q, axis=1))


def test_mean_distances_by_hand():
    pieces, references = np.array([[0.0, 3.0], [4.0, 0.0]]), np.array([[0.0, 0.0], [0.0, 1.0], [0.0, 6.0]])
    found = set_distances(pieces, references, np.ones((1, 2)), np.ones((1, 3)))
    assert found.within == pytest.approx([5.0])
    assert found.between == pytest.approx([(3 + 2 + 3 + 4 + math.sqrt(17) + math.sqrt(52)) / 6])
    twice = set_distances(pieces, references, np.array([[2.0, 1.0]]), np.ones((1, 3)))
    assert twice.between == pytest.approx([(2 * (3 + 2 + 3) + 4 + math.sqrt(17) + math.sqrt(52)) / 9])
    with_unknown = np.vstack([pieces, [np.nan, np.nan]])
    assert set_distances(with_unknown, references, np.ones((1, 3)), np.ones((1, 3))).within == pytest.approx([5.0])
    assert np.isnan(set_distances(pieces[:1], references, ONCE, np.ones((1, 3))).overlap).all()


def test_densities_of_distances_are_scipys():
    stats = pytest.importorskip("scipy.stats", reason="scipy comes with the extra for transcription")
    random = np.random.default_rng(0)
    pieces, references = random.dirichlet(np.ones(12), 60), random.dirichlet(np.full(12, 2.0), 80)
    found = set_distances(pieces, references, np.ones((1, 60)), np.ones((1, 80)))
    between = np.linalg.norm(pieces[:, None] - references, axis=2).ravel()
    within = np.linalg.norm(references[:, None] - references, axis=2)[np.triu_indices(80, 1)]
    grid = np.linspace(0, max(between.max(), within.max()), 2000)
    p, q = (stats.gaussian_kde(values)(grid) for values in (within, between))
    p, q = p / p.sum(), q / q.sum()
    assert found.overlap[0] == pytest.approx(np.minimum(p, q).sum(), abs=5e-3)
    p, q = ((1 - FLOOR) * side + FLOOR / len(grid) for side in (p, q))
    assert found.divergence[0] == pytest.approx(stats.entropy(p, q), rel=0.02)


def test_sets_of_one_kind_overlap():
    random = np.random.default_rng(1)
    one, other = (random.dirichlet(np.ones(12), 80) for _ in range(2))
    unlike = random.dirichlet(np.full(12, 20.0), 80)
    weights = np.ones((1, 80))
    assert set_distances(one, other, weights, weights).overlap[0] > 0.9
    assert set_distances(unlike, other, weights, weights).overlap[0] < 0.8


def test_frechet_distance_by_hand():
    pieces = np.array([[0.0, 0.0], [2.0, 0.0]])  # mean (1, 0), variances 1 and 0
    references = np.array([[4.0, 0.0], [4.0, 6.0], [4.0, 0.0]])  # mean (4, 2), variances 0 and 8
    assert frechet_distance(pieces, references) == pytest.approx([9 + 4 + 1 + 8])
    assert frechet_distance(pieces, pieces[[0, 0, 1]]) == pytest.approx([1 / 9 + (1 - math.sqrt(8 / 9)) ** 2])
    assert frechet_distance(pieces, pieces) == pytest.approx([0.0], abs=1e-9)


def test_frechet_distance_is_that_of_the_matrix_root():
    linalg = pytest.importorskip("scipy.linalg", reason="scipy comes with the extra for transcription")
    random = np.random.default_rng(2)
    pieces, references = random.normal(size=(50, 5)) @ random.normal(size=(5, 5)), random.normal(1, 2, (70, 5))
    first, second = (np.cov(rows, rowvar=False, bias=True) for rows in (pieces, references))
    root = np.trace(linalg.sqrtm(first @ second).real)
    gap = pieces.mean(axis=0) - references.mean(axis=0)
    expected = gap @ gap + np.trace(first) + np.trace(second) - 2 * root
    assert frechet_distance(pieces, references) == pytest.approx([expected])


def test_frechet_distance_of_drawn_pieces():
    random = np.random.default_rng(3)
    pieces, references = random.normal(size=(4, 3)), random.normal(size=(5, 3))
    weights = np.array([[2.0, 0.0, 1.0, 1.0]])
    drawn = frechet_distance(pieces, references, weights, np.ones((1, 5)))
    assert drawn == pytest.approx(frechet_distance(pieces[[0, 0, 2, 3]], references))


def test_the_classifier_is_scikit_learns():
    linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is a package of the tests")
    random = np.random.default_rng(4)
    labels = ["calm", "wild", "slow"] * 30
    rows = random.normal(size=(90, 6)) + np.repeat(np.eye(3, 6)[None], 30, axis=0).reshape(90, 6)
    mine = SoftmaxRegression().fit(rows, labels)
    standard = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    theirs = linear.LogisticRegression(C=1 / (PENALTY * 90), max_iter=2000).fit(standard, labels)
    assert mine.predict(rows) == theirs.predict(standard).tolist()
    assert (np.array(mine.predict(rows)) == labels).mean() > 0.6


def test_verbatim_runs_by_hand():
    reference = moves(line([60, 62, 64, 65, 67, 60]), 12)
    own = moves(line([50, 52, 54, 55, 40, 42]), 12)  # the first four as the reference, a fifth lower than 60
    assert verbatim_runs([own], [reference])[0].tolist() == [4, 3, 2, 1, 2, 1]
    assert verbatim_runs([own], [])[0].tolist() == [0] * 6
    assert verbatim_runs([own[:0]], [reference])[0].tolist() == []


lines = st.lists(st.tuples(st.integers(60, 62), st.sampled_from([0.25, 0.5])), max_size=25).map(
    lambda notes: NoteSequence(
        [(at, at + 0.1, p, 80, 0) for at, (p, _) in zip(np.cumsum([gap for _, gap in notes]), notes, strict=True)]
    )
)


@given(pieces=st.lists(lines, min_size=1, max_size=4), references=st.lists(lines, min_size=1, max_size=4))
@settings(max_examples=80)
def test_all_pieces_at_once_have_the_copies_of_each(pieces, references):
    longest, _ = longest_copies(pieces, references)
    assert longest.tolist() == [longest_verbatim_run(piece, references) for piece in pieces]


def test_novelty_is_what_lies_in_no_copy():
    random = np.random.default_rng(5)
    theme, fresh = random.integers(60, 72, COPIED_NOTES), random.integers(40, 80, 30)
    _, novelty = longest_copies([line([*fresh, *theme + 3]), line(fresh), NoteSequence()], [line(theme)])
    assert novelty[:2].tolist() == [30 / (30 + COPIED_NOTES), 1.0]
    assert math.isnan(novelty[2])


def test_nats_per_note_are_those_of_the_n_gram():
    from musicgen.baselines import NGram

    known = Known(MeasuredSet([line([60, 62, 64, 62] * 8), line([60, 64, 60, 62] * 8)]))
    judged = MeasuredSet([line([65, 67, 69, 67]), line([60, 61]), line([60])])
    values = per_piece(judged, known, [])["nats_per_note"]
    tokens = [[12, 97 + 128 + 2], [12, 97 + 128 + 2], [12, 97 + 128 - 2]]  # 12 steps later, semitones from -128 on
    model = NGram(ORDER, VOCAB_SIZE).fit(known.measured.tokens)
    assert values[0] == pytest.approx(model.nll(np.concatenate(tokens)).sum() / 3)
    assert values[1] > values[0]
    assert math.isnan(values[2])


def test_genre_agreement_counts_pieces_with_a_genre():
    random = np.random.default_rng(6)
    calm = [line(random.integers(60, 64, 20), quarters=2, genre="calm") for _ in range(6)]
    wild = [line(random.integers(40, 90, 60), quarters=0.25, genre="wild") for _ in range(6)]
    known = Known(MeasuredSet([*calm[:4], *wild[:4]]))
    judged = [*calm[4:], wild[4], wild[5].replace(meta={"genre": "calm"}), line([60, 62])]
    assert per_piece(MeasuredSet(judged), known, [])["genre_agreement"].tolist()[:4] == [1, 1, 1, 0]
    assert math.isnan(per_piece(MeasuredSet(judged), known, [])["genre_agreement"][4])
    assert Known(MeasuredSet(calm)).classifier is None


def test_pieces_that_are_the_references_are_like_them():
    random = np.random.default_rng(7)
    pieces = MeasuredSet([line(random.integers(50, 80, 60)) for _ in range(12)])
    found = of_sets(pieces, Known(pieces), draws=50)
    assert found["quality_level"].value == pytest.approx(1.0)
    assert found["frechet_distance"].value == pytest.approx(0.0, abs=1e-6)
    assert found["interval_divergence"].value == pytest.approx(0.0, abs=1e-12)
    others = MeasuredSet([line(random.integers(20, 110, 60), quarters=0.25) for _ in range(12)])
    worse = of_sets(others, Known(pieces), draws=50)
    assert worse["quality_level"].high < found["quality_level"].low
    assert worse["note_quarters_overlap"].value == 0.0


def test_resamples_hold_the_pieces_themselves_first():
    weights = resamples(7, 30, seed=1)
    assert weights[0].tolist() == [1] * 7
    assert np.all(weights.sum(axis=1) == 7)
    assert np.array_equal(weights, resamples(7, 30, seed=1))
    assert not np.array_equal(weights, resamples(7, 30, seed=2))
    with pytest.raises(InputError, match="draws must be a whole number of at least 1, not 0"):
        resamples(3, 0, seed=0)


def test_an_interval_is_moved_by_the_bias_and_stays_in_its_range():
    found = interval([0.9, 0.6, 0.7, 0.8], high=1.0)
    assert found.value == 0.9
    assert (found.low, found.high) == pytest.approx((0.605 + 0.2, 0.795 + 0.2))
    assert interval([0.9, 0.5, 0.7, 0.9], high=1.0).high == 1.0
    assert math.isnan(interval([math.nan, 1.0]).low)


def test_intervals_of_means_hold_the_truth_in_95_of_100_cases():
    random = np.random.default_rng(8)
    held = []
    for seed in range(400):
        found = mean_interval(random.exponential(2.0, 60), seed=seed)
        held.append(found.low <= 2.0 <= found.high)
    assert 0.90 <= np.mean(held) <= 0.98


def test_means_leave_out_what_is_not_defined():
    assert mean_interval([1.0, math.nan, 3.0]).value == 2.0
    assert all(map(math.isnan, mean_interval([math.nan])))


def test_one_value_has_a_mean_and_no_interval():
    value, low, high = mean_interval([math.nan, 3.0])
    assert value == 3.0
    assert math.isnan(low)
    assert math.isnan(high)


def test_intervals_of_means_are_scipys():
    """Of a mean the bias of the draws is next to nothing, so that the percentiles of any bootstrap are the same."""
    stats = pytest.importorskip("scipy.stats", reason="scipy comes with the extra for transcription")
    values = np.random.default_rng(9).exponential(2.0, 50)
    found = mean_interval(values, draws=20000, seed=1)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20000, rng=2).confidence_interval
    assert found[1:] == pytest.approx(tuple(theirs), abs=0.02)
    assert found.high - found.value > found.value - found.low, "as skewed as the values"
