"""The notebooks: saved with outputs small enough to be shown where code is hosted, and still running."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent / "notebooks").glob("*.ipynb"))
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)


def code_cells(path):
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


def test_there_is_a_quickstart():
    assert "quickstart.ipynb" in [path.name for path in NOTEBOOKS]


@each
def test_it_is_saved_as_run_from_top_to_bottom_without_errors(path):
    cells = code_cells(path)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert any("<audio controls" in "".join(o.get("data", {}).get("text/html", "")) for o in outputs)


@each
def test_it_is_small_and_names_no_place_on_a_machine(path):
    assert path.stat().st_size < 1_000_000
    text = "".join("".join(output.get("text", "")) for cell in code_cells(path) for output in cell["outputs"])
    assert not re.search(r"/(root|home|work|tmp|Users)/", text)
    assert "Warning" not in text


@pytest.mark.slow
@each
def test_it_runs(path, tmp_path):
    copy = shutil.copy(path, tmp_path)  # what it writes lands beside the copy
    command = [sys.executable, "-m", "pytest", "--nbmake", "--nbmake-timeout=500", "-p", "no:cacheprovider", copy]
    environment = {**os.environ, "MUSICGEN_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=560)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "1 passed" in done.stdout
