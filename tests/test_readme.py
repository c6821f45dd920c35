"""README.md does what it says: its six lines run, its commands, files, tables and links are there."""

import configparser
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from musicgen import LSTMComposer, cli, read_audio
from tests.test_composers import TUNES

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
FIRST_CODE = re.search(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
COMMANDS = re.findall(r"^    musicgen (.+)$", PAGE, flags=re.MULTILINE)


def test_the_first_screen_is_six_lines_of_python():
    assert PAGE[: FIRST_CODE.end()].count("\n") < 20
    assert len([line for line in FIRST_CODE[1].splitlines() if line.strip()]) == 6


@pytest.fixture
def recordings(tmp_path):
    pytest.importorskip("basic_pitch", reason="transcription needs basic-pitch")
    for number in (0, 1):
        TUNES[number].save(tmp_path / "recordings" / f"{number}.wav", sample_rate=22050)
    return tmp_path


def check_music(folder):
    audio, sample_rate = read_audio(folder / "new.wav")
    assert audio.shape[-1] > 4 * sample_rate, "16 bars last longer"
    assert np.abs(audio).max() > 0.5
    assert len(list((folder / "notes").glob("*.mid"))) == 2


@pytest.mark.filterwarnings("ignore")
def test_the_first_screen_turns_recordings_into_music(recordings, monkeypatch):
    monkeypatch.setitem(LSTMComposer.presets, "small", LSTMComposer.presets["tiny"])  # seconds instead of a minute
    monkeypatch.chdir(recordings)
    exec(compile(FIRST_CODE[1], "README.md", "exec"), {"__name__": "readme"})
    check_music(recordings)


@pytest.mark.slow
def test_the_first_screen_runs_as_a_script(recordings):
    (recordings / "first_screen.py").write_text(FIRST_CODE[1], encoding="utf-8")
    subprocess.run([sys.executable, "first_screen.py"], cwd=recordings, check=True, timeout=560)
    check_music(recordings)


def test_every_command_shown_is_understood():
    parser = cli._parser()
    shown = [parser.parse_args(shlex.split(command)) for command in COMMANDS]
    assert len(shown) >= 7


def first_column(heading):
    """Names in the first column of the table with this heading."""
    table = PAGE[PAGE.index(heading) :].split("\n\n")[0]
    return re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE)


def test_every_command_is_in_the_table():
    [commands] = [action.choices for action in cli._parser()._actions if hasattr(action, "add_parser")]
    assert first_column("| command | does |") == list(commands)


def test_every_extra_is_in_the_table():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    assert first_column("| extra | for |") == list(setup["options.extras_require"])


def test_its_make_targets_exist():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    shown = re.findall(r"\bmake (?:\w+=\S+ )*([a-z][a-z-]*)(?=\s|`)", PAGE)
    assert {"demo", "test"} <= set(shown) <= set(targets)


def test_its_pins_are_those_that_are_tested():
    pins = set((ROOT / "constraints.txt").read_text(encoding="utf-8").split())
    shown = set(re.findall(r"[\w-]+==[\d.]+", PAGE))
    assert len(shown) == 2
    assert shown <= pins


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md"])
def test_links_lead_somewhere(name):
    page = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", page):
        assert (ROOT / target).exists(), f"{name} links to {target}"


def test_the_changelog_has_the_version():
    from musicgen import __version__

    assert __version__ in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
