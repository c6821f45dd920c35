"""The benchmark of the comparison: rows and sentences of all that is finished, sets in separate calls, no notes."""

import importlib
import json
from pathlib import Path

import pytest

from musicgen.baselines import with_random_notes
from musicgen.comparison.contestants import first_bars
from tests.tunes import HONEST, TRAINING

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    """The benchmark with pieces of its own and composers that need no training; sets and units that were made."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    module, made = importlib.import_module("comparison"), []

    def pieces(name, parts, plan, seed, folder, *, progress):
        made.append((name, seed))
        chosen = [first_bars(piece, plan.bars) for piece in HONEST[seed][: plan.pieces]]
        if name == "gan":
            chosen = [with_random_notes(piece, 0.5, seed=seed) for piece in chosen]
        (folder / "composer").mkdir()
        told = {"provenance": {"history": {"loss": [2.0, 1.0]}}}
        (folder / "composer" / "config.json").write_text(json.dumps(told), encoding="utf-8")
        return chosen, {"seconds": 60.0, "seconds_to_learn": 30.0 + seed, "epochs": 2, "warning": ""}

    monkeypatch.setattr("musicgen.comparison.running.model_pieces", pieces)
    monkeypatch.setattr(module.sources, "pieces_of", lambda name, *_, **__: TRAINING)
    module.made = made
    return module


def run(benchmark, folder, *options):
    return benchmark.main(["--quick", "--work", str(folder / "work"), "--json", str(folder / "a.json"), *options])


def test_rows_hold_intervals_tests_and_times_and_sentences_stand_beside(benchmark, tmp_path, capsys):
    content = run(benchmark, tmp_path, "--sets", "folk")
    rows = {row["what"]: row for row in content["rows"]}
    assert rows["folk: noise level, lstm"]["reference"].startswith("95 %: 0.")
    assert rows["folk: noise level, lstm"]["value"] < rows["folk: noise level, gan"]["value"]
    assert rows["folk: noise level, lstm less gan"]["unit"] == "told apart"
    assert rows["folk: noise level, lstm less gan"]["reference"].startswith("corrected p 0.0")
    assert rows["folk: training until within 5 % of its best, vae"] == {
        "what": "folk: training until within 5 % of its best, vae",
        "value": pytest.approx(31 / 60),
        "unit": "min",
        "reference": "0.5 to 0.533 over seeds",
        "goal": None,
        "direction": "min",
    }
    assert rows["folk: pieces to learn from"]["value"] == 28
    assert set(content["said"]) == {"folk: choose", "folk: in each figure", "folk: mind", "folk: not said"}
    assert any("few wrong notes" in line for line in content["said"]["folk: choose"])
    assert "folk: choose\n- all in all" in capsys.readouterr().out
    assert (tmp_path / "work" / "folk" / "report.html").exists()


def test_a_set_is_made_once_and_other_calls_find_it(benchmark, tmp_path):
    first = run(benchmark, tmp_path, "--sets", "folk")
    assert benchmark.made == [(name, seed) for seed in (0, 1, 2) for name in ("lstm", "vae", "gan")]
    both = run(benchmark, tmp_path, "--sets", "bach-chorales")
    assert len(benchmark.made) == 18
    assert [row for row in both["rows"] if row["what"].startswith("folk")] == first["rows"]
    assert next(iter(both["said"])) == "bach-chorales: choose", "in the order of the sets, not of the calls"
    other = run(benchmark, tmp_path, "--sets", "bach-chorales", "--work", str(tmp_path / "new"), "--seeds", "0", "1")
    assert not [row for row in other["rows"] if row["what"].startswith("folk")]


def test_results_md_has_the_sentences_above_the_table(benchmark, tmp_path, monkeypatch):
    report = importlib.import_module("report")
    content = run(benchmark, tmp_path, "--sets", "folk")
    (tmp_path / "results").mkdir()
    (tmp_path / "a.json").rename(tmp_path / "results" / "comparison.json")
    text = report.render(tmp_path)
    assert f"**folk: choose**\n\n- {content['said']['folk: choose'][0]}\n- " in text
    assert text.index("**folk: choose**") < text.index("| folk: noise level, lstm |")


def test_the_clips_need_a_folder(benchmark, tmp_path, monkeypatch):
    monkeypatch.delenv("MUSICGEN_DATA", raising=False)
    with pytest.raises(Exception, match="no recordings.*MUSICGEN_DATA"):
        run(benchmark, tmp_path, "--sets", "clips")
