"""`judge` and `advise`: planted cases are ranked and advised on rightly; statistics by hand."""

import itertools

import numpy as np
import pytest

from musicgen import InputError
from musicgen.baselines import random_notes, shuffled_bars, with_random_notes
from musicgen.comparison import CRITERIA, advise, judge
from musicgen.comparison.advice import copiers
from musicgen.comparison.judging import Likeness
from musicgen.comparison.significance import holm, interval_over_seeds, mean_of_seeds, permutation_test
from musicgen.comparison.tables import format_judgement
from musicgen.metrics import Reference
from tests.tunes import HONEST, REAL, TRAINING, tune


def changed(function):
    return [[function(piece, number) for number, piece in enumerate(group)] for group in HONEST]


@pytest.fixture(scope="module")
def reference():
    return Reference(TRAINING, draws=20)


@pytest.fixture(scope="module")
def planted(reference):
    """An honest model, one sabotaged with noise, one that copies, one that shuffles, and the rivals."""
    sets = {
        "honest": HONEST,
        "noisy": changed(lambda piece, seed: with_random_notes(piece, 0.3, seed=seed)),
        "copying": [TRAINING[12 * seed : 12 * seed + 12] for seed in range(3)],
        "shuffling": changed(lambda piece, seed: shuffled_bars(piece, seed=seed)),
        "real": REAL,
        "shuffled": [[shuffled_bars(piece, seed=k) for k, piece in enumerate(group)] for group in REAL],
        "random": [[random_notes(piece, seed=k) for k, piece in enumerate(group)] for group in REAL],
    }
    return judge(sets, reference)


# ---- planted cases


def test_the_ranking_is_right_on_planted_cases(planted):
    assert planted.models == ("honest", "noisy", "copying", "shuffling")
    assert planted.ranking("noise")[-1] == "noisy"
    assert planted.ranking("coherence")[-1] == "shuffling"
    assert planted.ranking("novelty")[-1] == "copying"
    assert planted.ranking("likeness")[-1] == "noisy"
    for criterion, worst in (("noise", "noisy"), ("coherence", "shuffling"), ("novelty", "copying")):
        assert planted.apart(criterion, "honest", worst), criterion
        assert worst not in planted.leaders(criterion)
        assert "honest" in planted.leaders(criterion)


def test_who_copies_is_not_recommended(planted):
    assert copiers(planted) == ["copying"]
    advice = advise(planted, bars=16)
    assert any(line.startswith("copying copies: ") for line in advice.cautions)
    assert not any("choose copying" in line or "copying would do" in line for line in advice.choices)


def test_the_recommendation_follows_from_the_numbers(planted):
    advice = advise(planted, bars=16)
    assert advice.choices[0].startswith("all in all honest")
    [wrong_notes] = [line for line in advice.choices if line.startswith("for pieces with few wrong notes")]
    assert "noisy" in wrong_notes.split("told apart from")[1]
    [together] = [line for line in advice.choices if "hold together over 16 bars" in line]
    assert together.endswith("choose any of honest and noisy: they are not told apart by coherence level.")
    assert (
        "shuffling is not shown to be better than bars in random order or random notes by coherence level."
        in advice.cautions
    )
    assert any("not taste" in line for line in advice.limits)
    text = advice.text()
    for head in ("lowest noise: ", "most coherent over 16 bars: ", "Choose\n", "Mind\n", "Not said\n"):
        assert head in text


def test_models_that_do_the_same_are_not_told_apart(reference):
    other = [[tune(9000 + 50 * seed + number) for number in range(12)] for seed in range(3)]
    found = judge({"one": HONEST, "other": other, "real": REAL}, reference)
    for criterion in CRITERIA:
        assert sorted(found.leaders(criterion)) == ["one", "other"], criterion
    advice = advise(found, bars=16)
    assert advice.choices[0].startswith("all in all no model before the others")
    assert all("choose any" in line for line in advice.choices[1:])
    assert "lowest noise: no one alone; " in advice.ranking[0]


def test_who_is_no_better_than_a_trivial_rival_is_not_recommended_for_it(reference):
    mixed = changed(lambda piece, seed: shuffled_bars(piece, seed=seed))
    again = changed(lambda piece, seed: shuffled_bars(piece, seed=seed + 99))
    rivals = {
        "shuffled": [[shuffled_bars(piece, seed=k) for k, piece in enumerate(group)] for group in REAL],
        "random": [[random_notes(piece, seed=k) for k, piece in enumerate(group)] for group in REAL],
    }
    choices = advise(judge({"one": mixed, "two": again, **rivals}, reference), bars=16).choices
    none = "choose none: by coherence level none is shown to be better than bars in random order and random notes."
    assert choices[2] == f"for pieces that hold together over 16 bars {none}"
    assert "choose any of one and two" in choices[1]
    choices = advise(judge({"one": HONEST, "two": again, **rivals}, reference), bars=16).choices
    assert "choose one because it alone is shown to be better than bars in random order" in choices[2]
    worst = {"one": rivals["random"], "two": rivals["random"][::-1], **rivals}
    choices = advise(judge(worst, reference), bars=16).choices
    assert choices[0].startswith("all in all none of the models")


def test_the_fastest_is_told_with_its_range(planted):
    times = {"honest": [60.0, 90.0], "noisy": [30.0, 30.0], "copying": [6.0, 6.0], "shuffling": [120.0, 120.0]}
    advice = advise(planted, bars=16, times=times, minutes=2)
    assert advice.ranking[-1].startswith("fastest to train: copying. Minutes, of 2, until within 5 % of its best")
    assert "honest 1.25 (1 to 1.5)" in advice.ranking[-1]
    assert (
        advice.choices[-1]
        == "for a short training choose noisy because it had learnt before the others, after 0.5 min."
    )
    assert "longer training, or another machine" in advice.limits[1]
    even = advise(planted, bars=16, times={name: [60.0, 70.0] for name in times})
    assert even.ranking[-1].startswith("fastest to train: no one alone; the times of honest, noisy, copying and")
    assert even.choices[-1].startswith("for a short training choose any of honest, noisy and shuffling")


def test_a_model_alone_is_only_set_beside_the_rivals(reference):
    found = judge({"only": REAL, "random": [[random_notes(p, seed=1) for p in group] for group in REAL]}, reference)
    advice = advise(found, bars=16)
    assert advice.choices == ["only, because it is the only model."]
    assert advice.ranking[0].startswith("lowest noise: only, the only model.")
    assert not advice.cautions


def test_the_table_has_every_contestant(planted):
    lines = format_judgement(planted, {"honest": [60.0]}).splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(planted.entries)
    assert lines[1].endswith(" 1")
    assert lines[2].endswith(" -")
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize(
    ("sets", "reason"),
    [
        ({"one": []}, "one has no piece"),
        ({"one": HONEST, "two": HONEST[:2]}, "different numbers of seeds"),
        ({"real": HONEST}, r"models names \[\]"),
    ],
)
def test_sets_that_cannot_be_judged_are_refused(sets, reason, reference):
    with pytest.raises(InputError, match=reason):
        judge(sets, reference)


def test_a_seed_without_pieces_is_passed_over(reference):
    found = judge({"one": [HONEST[0], []], "two": HONEST[:2]}, reference)
    assert found.entries["one"].pieces == 12
    assert np.isfinite(found.entries["one"].by_seed["likeness"][0])
    assert np.isnan(found.entries["one"].by_seed["likeness"][1])
    assert found.entries["one"].figures["likeness"].value == found.entries["one"].by_seed["likeness"][0]


def test_likeness_is_that_of_all_pieces_of_a_seed(reference):
    likeness = Likeness(reference)
    rows = likeness.rows(HONEST[0])
    alone = likeness(rows, np.eye(len(rows)))
    together = likeness(rows, np.ones((1, len(rows))))[0]
    assert together > alone.max(), "different pieces fill the distributions together"
    assert likeness(np.concatenate([rows, rows]), np.ones((1, 24)))[0] == pytest.approx(together)


# ---- statistics


def test_the_permutation_test_by_hand():
    difference, p, agree = permutation_test([[1.0, 2.0, 3.0]], [[4.0, 5.0, 9.0]])
    assert difference == -4.0
    ways = [sum(way) for way in itertools.combinations([1, 2, 3, 4, 5, 9], 3)]
    assert p == pytest.approx(np.mean([abs(2 * way - 24) >= 12 for way in ways]), abs=0.02)
    assert agree


def test_pieces_change_sides_within_a_seed_only():
    first, second = [[0.0] * 8, [10.0] * 8], [[1.0] * 8, [11.0] * 8]
    assert permutation_test(first, second)[1] < 0.001, "seeds differ far more than sides"
    difference, _, agree = permutation_test([[0.0], [3.0]], [[1.0], [1.0]])
    assert (difference, agree) == (0.5, False)
    assert permutation_test([[np.nan]], [[1.0]])[1:] == (1.0, False)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_chance_alone_is_seldom_significant():
    random = np.random.default_rng(0)
    found = [permutation_test(*random.normal(size=(2, 3, 8)), seed=k)[1] < 0.05 for k in range(100)]
    assert sum(found) <= 11


def test_intervals_hold_seeds_and_pieces():
    assert mean_of_seeds([[1.0], [2.0, 4.0], [np.nan]]) == 2.0
    even, apart = ([[level] * 20 for level in levels] for levels in ([0.5] * 3, [0.1, 0.5, 0.9]))
    assert interval_over_seeds(even) == (0.5, 0.5, 0.5)
    found = interval_over_seeds(apart, low=0, high=1)
    assert found.value == pytest.approx(0.5)
    assert found.low < 0.3 < 0.7 < found.high
    assert np.isnan(interval_over_seeds([[np.nan]]).value)
