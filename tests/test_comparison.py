"""`compare`: settings, who takes part, votes, runs that go on and end the same, real trainings that are killed."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from musicgen import InputError, NoteSequence, compare
from musicgen.baselines import with_random_notes
from musicgen.cli import main
from musicgen.comparison import Plan, read_votes
from musicgen.comparison.contestants import first_bars, genres_of, real_pieces, rival_pieces, seconds_to_learn
from tests.tunes import HONEST, TRAINING

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


def test_long_real_pieces_come_before_short_ones():
    short = [first_bars(piece, 6) for piece in TRAINING[:6]]
    plan = Plan(pieces=4, bars=8, seeds=(5, 6))
    chosen = [piece for seed in plan.seeds for piece in real_pieces([*short, *TRAINING[6:12]], plan, seed)]
    assert sum(len(piece.timing.bars(piece.duration)) == 6 for piece in chosen) == 2


def test_genres_are_asked_for_as_the_data_have_them():
    labels = ["jazz"] * 6 + ["rock"] * 3 + [""] * 3
    training = [piece.replace(meta={"genre": label}) for piece, label in zip(TRAINING, labels, strict=False)]
    asked = genres_of(training, Plan(pieces=4), 0)
    assert sorted(asked) == ["", "jazz", "jazz", "rock"]
    assert asked == genres_of(training, Plan(pieces=4), 0)
    assert genres_of(training[:6], Plan(pieces=4), 0) == [""] * 4, "one genre alone is none"


def test_rivals_are_made_of_the_held_out_pieces_alone():
    plan, parts = Plan(pieces=5, bars=8, seeds=(0, 1)), (TRAINING[:20], TRAINING[20:22], TRAINING[22:28])
    real, shuffled, noise = (rival_pieces(name, parts, plan, 1) for name in ("real", "shuffled", "random"))
    assert (len(real), len(shuffled), len(noise)) == (3, 3, 5), "as many random pieces as the models write"
    assert [len(piece) for piece in shuffled] == [len(piece) for piece in real]
    assert [len(piece) for piece in noise] == [len(real[place]) for place in (0, 1, 2, 0, 1)]
    assert len({piece.notes.tobytes() for piece in noise}) == 5
    assert len(rival_pieces("markov", parts, plan, 1)) == 5


def test_a_training_has_learnt_when_it_is_near_its_best():
    assert seconds_to_learn([0.2, 0.77, 0.8, 0.5], [1.0, 2.0, 3.0, 4.0]) == 2.0
    assert seconds_to_learn([-3.0], [9.0]) == 9.0


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
    assert read_votes([file, file], Plan())["lstm"]["votes"] == 4, "two listeners"


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
    assert quick == [(name, seed) for seed in (0, 1) for name in ("lstm", "vae", "gan")]
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


def test_a_model_that_cannot_learn_is_named(tmp_path):
    with pytest.raises(InputError, match="gan cannot learn from these pieces.*leave it out of models"):
        compare([first_bars(piece, 3) for piece in TRAINING[:12]], tmp_path / "out", **SMALL | {"models": ("gan",)})


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="holds no comparison"):
        compare(TRAINING, tmp_path, **SMALL)
    with pytest.raises(InputError, match="the name of the data as well"):
        compare("folk", "folk", **SMALL)


# ---- slow: real trainings, killed

SCRIPT = """
import sys
from musicgen import compare
from tests.tunes import TRAINING
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
