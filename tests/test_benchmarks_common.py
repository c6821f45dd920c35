"""The benchmarks' shared ground: rows, table, file, and RESULTS.md made from the files."""

import doctest
import importlib
import json
import os
import platform
import re
from pathlib import Path

import numpy as np
import pytest

from musicgen.errors import InputError

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture
def common(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("common")


@pytest.fixture
def report(common):
    return importlib.import_module("report")


def row(**changes):
    given = {"what": "speed", "value": 2.5, "unit": "s", "reference": 3.5, "goal": 2.0, "direction": "min"}
    return {**given, **changes}


def result(common, *rows):
    return {
        "command": "python benchmarks/beats.py",
        "commit": "0123456789ab",
        "date": "2025-01-31T12:00:00+00:00",
        "machine": {"cpu": "abacus", "cores": 2, "memory_gib": 8.0, "os": "Linux", "accelerator": None},
        "versions": {"python": "3.11.2"},
        "seeds": [0, 1],
        "rows": list(rows),
    }


def test_examples_in_the_docstrings_hold(common):
    assert doctest.testmod(common).attempted > 0
    assert doctest.testmod(common).failed == 0


def test_a_goal_is_met_in_its_direction(common):
    assert common.goal_met(row()) is False
    assert common.goal_met(row(value=2.0)) is True
    assert common.goal_met(row(direction="max")) is True
    assert common.goal_met(row(value=1.9, direction="max")) is False
    assert common.goal_met(row(goal=None)) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"value": float("nan")}, "value must be a finite number, not nan"),
        ({"value": "fast"}, "value must be a finite number, not 'fast'"),
        ({"value": True}, "value must be a finite number, not True"),
        ({"goal": "2"}, "goal must be a finite number or None, not '2'"),
        ({"direction": "up"}, "direction must be 'min' or 'max', not 'up'"),
        ({"reference": float("inf")}, "reference must be a finite number, text or None"),
        ({"unit": None}, "what and unit must be text"),
        ({"note": ""}, "a row needs exactly what, value, unit, reference, goal, direction"),
    ],
)
def test_a_row_that_breaks_the_format_is_refused(common, changes, reason):
    with pytest.raises(InputError, match=re.escape(reason)):
        common.check_row(row(**changes))


def test_the_table_is_aligned(common):
    rows = [row(), row(what="notes found", value=12345, unit="notes", reference="published: 9", goal=None)]
    assert common.format_table(rows).splitlines() == [
        "what          value  unit      reference  goal",
        "-" * 55,
        "speed           2.5  s               3.5  ≤ 2   not met",
        "notes found  12,345  notes  published: 9",
    ]


def test_finish_prints_and_writes_what_was_added(common, tmp_path, capsys):
    args = common.make_parser("Beats.\n\nMore.").parse_args(
        ["--json", str(tmp_path / "a" / "beats.json"), "--seeds", "3"]
    )
    results = common.Results(args, argv=["benchmarks/beats.py", "--json", str(tmp_path / "a" / "beats.json")])
    results.add("speed", np.float32(2.5), "s", reference=np.int64(3), goal=2.0)
    content = results.finish()
    assert "not met" in capsys.readouterr().out
    assert json.loads(args.json.read_text(encoding="utf-8")) == content
    assert tuple(content) == common.FILE_KEYS
    assert content["rows"] == [row(reference=3)]
    assert content["seeds"] == [3]
    assert content["command"] == "python benchmarks/beats.py --json beats.json"
    assert content["versions"]["numpy"] == np.__version__


def test_nothing_written_names_the_machine_or_its_folders(common, tmp_path):
    args = common.make_parser("Beats.").parse_args(["--json", str(tmp_path / "beats.json")])
    results = common.Results(
        args, argv=[str(BENCHMARKS / "beats.py"), "--data", str(tmp_path), f"--json={args.json}"]
    )
    results.finish()
    text = args.json.read_text(encoding="utf-8")
    assert platform.node() not in text
    assert str(BENCHMARKS.parent) not in text
    assert str(tmp_path) not in text


def test_commands_keep_paths_inside_the_project_relative(common):
    inside, outside = BENCHMARKS / "results" / "beats.json", Path("/mnt/big/gtzan")
    arguments = ["--json", str(inside), str(outside), f"--data={outside}", "../elsewhere/x", "--speed", ".5", "4/4"]
    assert common.command_line(["beats.py", *arguments]) == (
        "python benchmarks/beats.py --json benchmarks/results/beats.json gtzan --data=gtzan x --speed .5 4/4"
    )


def test_the_machine_is_described(common):
    machine = common.machine()
    assert machine["cores"] >= 1
    assert machine["cpu"]
    assert machine["os"]
    assert machine["memory_gib"] is None or machine["memory_gib"] > 0


def test_the_commit_is_the_repositorys_or_unknown(common, monkeypatch, tmp_path):
    assert re.fullmatch(r"[0-9a-f]{12}(\+changes)?|unknown", common.commit())
    monkeypatch.setattr(common, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", os.fspath(tmp_path.parent))
    assert common.commit() == "unknown"


def test_best_seconds_returns_the_shortest_and_the_value(common, monkeypatch):
    ticks = iter([0.0, 5.0, 10.0, 12.0, 20.0, 23.0])
    monkeypatch.setattr(common.time, "perf_counter", lambda: next(ticks))
    assert common.best_seconds(lambda: "done") == (2.0, "done")


def written(folder, common, **contents):
    (folder / "results").mkdir()
    (folder / "readings").mkdir()
    for name, content in contents.items():
        (folder / "results" / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_the_report_holds_tables_readings_and_verdicts(common, report, tmp_path):
    met, open_goal = row(what="a|b", value=1.0), row(goal=None)
    folder = written(tmp_path, common, metrics=result(common, open_goal), beats=result(common, row(), met))
    (folder / "readings" / "beats.md").write_text(f"Before.\n\n{report.MARK}\n\nAfter.\n", encoding="utf-8")
    text = report.render(folder)
    assert text.index("## Beats") < text.index("## Metrics"), "the order of the pipeline, not of the alphabet"
    assert "| [Beats](#beats) | 1 of 2 | 2025-01-31 |\n| [Metrics](#metrics) | none set | 2025-01-31 |" in text
    assert "| speed | 2.5 | s | 3.5 | ≤ 2 | **not met** |\n| a\\|b | 1 | s | 3.5 | ≤ 2 | met |" in text
    assert text.index("Before.") < text.index("| speed |") < text.index("After.")
    assert "abacus, 2 cores, 8.0 GiB, Linux; python 3.11.2." in text


def test_results_of_sets_stand_behind_their_benchmark(common, report, tmp_path):
    names = ("learning", "learning.folk", "learning.clips", "metrics")
    folder = written(tmp_path, common, **{name: result(common, row()) for name in names})
    (folder / "readings" / "learning.folk.md").write_text("Songs.", encoding="utf-8")
    text = report.render(folder)
    heads = ["## Learning\n", "## Learning of clips\n", "## Learning of folk\n\nSongs.", "## Metrics\n"]
    assert sorted(heads, key=text.index) == heads
    assert "[Learning of folk](#learning-of-folk)" in text
    (folder / "readings" / "learning.bach.md").write_text("None.", encoding="utf-8")
    with pytest.raises(InputError, match=r"run benchmarks/learning\.py --json results/learning\.bach\.json"):
        report.render(folder)


def test_the_report_run_twice_gives_the_same_file(common, report, tmp_path, capsys):
    folder = written(tmp_path, common, first_way=result(common, row()))
    assert report.main(["--folder", str(folder), "--check"]) == 1
    assert report.main(["--folder", str(folder)]) == 0
    first = (folder / "RESULTS.md").read_bytes()
    assert report.main(["--folder", str(folder)]) == 0
    assert (folder / "RESULTS.md").read_bytes() == first
    assert report.main(["--folder", str(folder), "--check"]) == 0
    (folder / "results" / "first_way.json").write_text(json.dumps(result(common, row(value=9.0))), encoding="utf-8")
    assert report.main(["--folder", str(folder), "--check"]) == 1
    assert "out of date" in capsys.readouterr().out


def test_a_damaged_result_is_refused_by_name(common, report, tmp_path):
    folder = written(tmp_path, common, beats=result(common, row(value="1")))
    with pytest.raises(InputError, match=r"beats\.json: row 'speed': value must be a finite number, not '1'"):
        report.render(folder)
    (folder / "results" / "beats.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"beats\.json: is not JSON"):
        report.render(folder)
    (folder / "results" / "beats.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"beats\.json: needs exactly command, commit"):
        report.render(folder)


def test_a_reading_without_results_is_refused(common, report, tmp_path):
    folder = written(tmp_path, common)
    (folder / "readings" / "beats.md").write_text("Fast.", encoding="utf-8")
    with pytest.raises(InputError, match="reading of beats, which has no results"):
        report.render(folder)


def test_results_md_is_up_to_date(report):
    text = report.render(BENCHMARKS)
    assert (BENCHMARKS / "RESULTS.md").read_text(encoding="utf-8") == text, "run python benchmarks/report.py"
