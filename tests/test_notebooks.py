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


def texts(output):
    """What an output shows as text, but for pictures, sounds and HTML."""
    data = output.get("data", {})
    return [
        "".join(text) for text in (output.get("text", ""), data.get("text/plain", ""), data.get("text/markdown", ""))
    ]


def test_there_is_one_for_each_thing_to_learn():
    wanted = ["comparing", "from_audio_to_notes", "gan", "lstm", "quickstart", "vae"]
    assert [path.stem for path in NOTEBOOKS] == wanted


def test_readme_names_each():
    readme = (NOTEBOOKS[0].parent.parent / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in NOTEBOOKS if f"notebooks/{path.name}" not in readme] == []


@each
def test_what_it_links_to_is_there(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    targets = re.findall(r"\]\(([^)#:]+)\)", text)
    assert [target for target in targets if not (path.parent / target).exists()] == []


@each
def test_it_is_saved_without_times_or_names_of_the_machine(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert not any(cell["metadata"] for cell in content["cells"])


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
    text = "".join(shown for cell in code_cells(path) for output in cell["outputs"] for shown in texts(output))
    assert not re.search(r"/(root|home|work|tmp|Users)/", text)
    assert "Warning" not in text
    assert " at 0x" not in text


@pytest.mark.slow
@pytest.mark.timeout(1300)  # beside other work it takes several times as long as alone
@each
def test_it_runs(path, tmp_path):
    copy = shutil.copy(path, tmp_path)  # what it writes lands beside the copy
    command = [sys.executable, "-m", "pytest", "--nbmake", "--nbmake-timeout=1200", "-p", "no:cacheprovider", copy]
    environment = {**os.environ, "MUSICGEN_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=1250)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "1 passed" in done.stdout
