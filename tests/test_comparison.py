"""`compare`: planted cases are ranked and advised on rightly, statistics by hand, runs that go on, votes, errors."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from musicgen import InputError, NoteSequence, Track, compare
from musicgen.baselines import random_notes, shuffled_bars, with_random_notes
from musicgen.cli import main
from musicgen.comparison import CRITERIA, Plan, advise, judge, read_votes
from musicgen.comparison.advice import copiers
from musicgen.comparison.contestants import first_bars, real_pieces
from musicgen.comparison.significance import holm, interval_over_seeds, mean_of_seeds, permutation_test
from musicgen.comparison.tables import format_judgement
from musicgen.metrics import Reference

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


# ---- settings and pieces


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"minutes": 0}, "minutes must be a number above 0, not 0"),
        ({"pieces": 1}, "pieces must be whole numbers of at least 2, not 1"),
        ({"bars": 3}, "bars must be whole numbers of at least 4"),
        ({"seeds": ()}, "seeds must be one or more"),
        ({"seeds": (1, 1)}, "none of them twice"),
        ({"models": ("lstm", "rnn")}, "models holds 'rnn'.*name some of lstm, vae, gan"),
        ({"preset": "huge"}, "preset 'huge' is unknown"),
    ],
)
def test_settings_out_of_range_are_refused(settings, reason):
    with pytest.raises(InputError, match=reason):
        Plan(**settings)


def test_real_pieces_begin_as_they_do_and_count_once():
    plan = Plan(pieces=4, bars=8, seeds=(5, 6))
    groups = [real_pieces(TRAINING[:7], plan, seed) for seed in plan.seeds]
    assert [len(group) for group in groups] == [3, 3], "seven pieces, two seeds"
    titles = [piece.meta["title"] for group in groups for piece in group]
    assert len(set(titles)) == 6
    assert {len(piece.timing.bars(piece.duration)) for group in groups for piece in group} == {8}
    assert first_bars(TRAINING[0], 30) is TRAINING[0]
    with pytest.raises(InputError, match="fewer than the 2 seeds"):
        real_pieces(TRAINING[:1], plan, 5)


# ---- votes


def votes(*rows):
    keys = ("piece", "real", "liking")
    return {"format": "musicgen-votes", "version": 1, "votes": [dict(zip(keys, row, strict=True)) for row in rows]}


def test_votes_are_read_by_contestant(tmp_path):
    file = tmp_path / "votes.json"
    rows = [("lstm-0/01.mid", True, 4), ("lstm-2/02.mid", False, 2), ("real-1/01.mid", True, None)]
    file.write_text(json.dumps(votes(*rows)), encoding="utf-8")
    found = read_votes(file, Plan())
    assert list(found) == ["real", "lstm"]
    assert found["lstm"]["votes"] == 2
    assert found["lstm"]["taken_for_real"]["value"] == 0.5
    assert found["lstm"]["liking"]["value"] == 3.0
    assert found["real"]["liking"] == {"value": None, "low": None, "high": None}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("no JSON", "no readable JSON"),
        ("{}", "holds no votes of version 1"),
        (json.dumps(votes(("gan-7/01.mid", True, 3))), "vote 0 is none of this comparison"),
        (json.dumps(votes(("gan-0/01.mid", True, 6))), "vote 0 is none of this comparison"),
        (json.dumps({**votes(), "comparison": "of others"}), "on another comparison"),
        (json.dumps({**votes(), "votes": 3}), "has no list of votes"),
        (json.dumps({**votes(), "votes": [3]}), "vote 0 is none"),
    ],
)
def test_what_holds_no_votes_is_refused(tmp_path, content, reason):
    (tmp_path / "votes.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=reason):
        read_votes(tmp_path / "votes.json", Plan(), "of ours")


# ---- runs


SMALL = {"minutes": 0.05, "pieces": 3, "bars": 4, "seeds": (0, 1), "preset": "tiny", "progress": False}


@pytest.fixture
def quick(monkeypatch):
    """Composers that need no training; the units that were made."""
    made = []

    def pieces(name, parts, plan, seed, folder, *, progress):
        made.append((name, seed))
        changes = {"lstm": lambda p: p, "vae": lambda p: with_random_notes(p, 0.3, seed=seed), "gan": lambda p: p}
        chosen = [changes[name](first_bars(piece, plan.bars)) for piece in HONEST[seed][: plan.pieces]]
        if name == "gan":
            chosen[0] = NoteSequence(duration=2.0)
        return chosen, {"seconds": 3.0, "seconds_to_learn": 2.0, "warning": "it diverged" if name == "gan" else ""}

    monkeypatch.setattr("musicgen.comparison.running.model_pieces", pieces)
    return made


def test_a_comparison_goes_on_where_it_was_and_ends_the_same(tmp_path, quick):
    found = compare(TRAINING, tmp_path / "out", **SMALL)
    first = (tmp_path / "out" / "comparison.json").read_bytes()
    assert quick == [(name, seed) for name in ("lstm", "vae", "gan") for seed in (0, 1)]
    (tmp_path / "out" / "units" / "vae-1" / "unit.json").unlink()
    (tmp_path / "out" / "units" / "markov-0" / "unit.json").unlink()
    compare(TRAINING, tmp_path / "out", **SMALL)
    assert quick[6:] == [("vae", 1)]
    assert (tmp_path / "out" / "comparison.json").read_bytes() == first
    assert found.judgement.ranking("noise")[-1] == "vae"
    with pytest.raises(InputError, match="other minutes and seeds"):
        compare(TRAINING, tmp_path / "out", **SMALL | {"minutes": 1.0, "seeds": (0, 2)})
    with pytest.raises(InputError, match="other data"):
        compare(TRAINING[1:], tmp_path / "out", **SMALL)


def test_the_result_tells_settings_and_what_went_wrong(tmp_path, quick):
    compare(TRAINING, tmp_path / "out", **SMALL)
    content = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert content["format_version"] == 1
    assert content["split"] == {"to learn from": 28, "to choose the best state by": 4, "held out": 8}
    assert content["contestants"]["gan"]["pieces"] == 4
    assert content["contestants"]["real"]["pieces"] == 6
    assert "2 of 6 pieces of gan had no notes and are left out." in content["advice"]["cautions"]
    assert "training of gan: it diverged." in content["advice"]["cautions"]
    assert any("fewer than 3 seeds tell little" in line for line in content["advice"]["cautions"])
    assert len(content["files"]["gan-0"]) == 2
    assert all((tmp_path / "out" / "units" / file).exists() for files in content["files"].values() for file in files)
    text = (tmp_path / "out" / "table.txt").read_text(encoding="utf-8")
    assert text.startswith("pieces given: 28 to learn from")
    assert "lowest noise: " in text


def test_the_command_compares(tmp_path, quick, capsys):
    for piece in TRAINING:
        piece.save(tmp_path / "data" / f"{piece.meta['title']}.mid")
    (tmp_path / "votes.json").write_text(json.dumps(votes(("lstm-0/01.mid", True, 4))), encoding="utf-8")
    options = ["--minutes", "0.05", "--pieces", "3", "--bars", "4", "--seeds", "0", "1", "--preset", "tiny"]
    command = ["compare", str(tmp_path / "data"), "--out", str(tmp_path / "out"), *options, "--models", "lstm", "vae"]
    assert main([*command, "--votes", str(tmp_path / "votes.json")]) == 0
    output = capsys.readouterr()
    assert "lstm: 1 votes, taken for real 1" in output.out
    assert "lstm, seed 1: 0.05 minutes of training, 3 pieces of 4 bars" in output.err
    written = [str(tmp_path / "out" / name) for name in ("comparison.json", "table.txt", "report.html")]
    assert output.out.splitlines()[-3:] == written
    (tmp_path / "data" / "broken.mid").write_bytes(b"no MIDI")
    assert main(command) == 1
    assert "broken.mid" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line", ["compare", "compare a", "compare a --out b --bars 3", "compare a --out b --models x"]
)
def test_wrong_usage_is_status_2(line, capsys):
    with pytest.raises(SystemExit) as stop:
        main(line.split())
    assert stop.value.code == 2
    assert "error" in capsys.readouterr().err


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="holds no comparison"):
        compare(TRAINING, tmp_path, **SMALL)


# ---- slow: real trainings, killed

SCRIPT = """
import sys
from musicgen import compare
from tests.test_comparison import TRAINING
compare(TRAINING, sys.argv[1], minutes=0.15, pieces=2, bars=4, seeds=(0,), preset="tiny")
"""


@pytest.mark.slow
def test_a_comparison_that_is_killed_ends_with_all_units(tmp_path):
    out, finished, kills = tmp_path / "out", False, 0
    while not finished:
        process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(out)], start_new_session=True)
        done = len(list(out.glob("units/*/unit.json")))
        while process.poll() is None:
            begun = any(out.glob("units/*/training/training.json"))
            if kills < 2 and begun and len(list(out.glob("units/*/unit.json"))) > done + kills:
                os.killpg(process.pid, signal.SIGKILL)
                kills += 1
            time.sleep(0.02)
        finished = process.wait() == 0
    assert kills == 2
    assert len(list(out.glob("units/*/unit.json"))) == 7
    assert not list(out.glob("units/*/training")), "the states of finished trainings are taken away"
    content = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    assert set(content["contestants"]) == {"lstm", "vae", "gan", "real", "markov", "shuffled", "random"}
    for trainings in content["trainings"].values():
        assert all(facts["seconds"] >= 9 and 0 < facts["seconds_to_learn"] <= facts["seconds"] for facts in trainings)
