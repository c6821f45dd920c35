"""Locks between processes, and what they are for."""

import os
import subprocess
import sys

import pytest

from musicgen.files import one_at_a_time

WALK = """
import sys, time
from musicgen.files import one_at_a_time
with one_at_a_time(sys.argv[2]), open(sys.argv[1], "a", buffering=1) as log:
    log.write("in\\n")
    time.sleep(0.2)
    log.write("out\\n")
"""


def test_processes_enter_one_after_the_other(tmp_path):
    log, name = tmp_path / "log", f"test-{os.getpid()}"
    command = [sys.executable, "-c", WALK, str(log), name]
    walkers = [subprocess.Popen(command) for _ in range(4)]
    assert [walker.wait(60) for walker in walkers] == [0] * 4
    assert log.read_text().split() == ["in", "out"] * 4


BEATS = """
import numpy as np
from musicgen import estimate_beats
t = np.arange(6 * 22050) / 22050
print(len(estimate_beats((np.sin(2 * np.pi * 440 * t) * (t % 0.5 < 0.1)).astype("f4"), 22050).beats))
"""


@pytest.mark.slow
def test_processes_that_first_track_beats_at_once_leave_a_cache_that_works(tmp_path):
    pytest.importorskip("librosa", reason="beats are tracked by librosa")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", BEATS]
    first = [subprocess.Popen(command, env=environment) for _ in range(3)]
    assert [process.wait(400) for process in first] == [0] * 3
    subprocess.run(command, env=environment, check=True, timeout=200)


def test_without_a_place_for_locks_nothing_is_waited_for(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "file" / "in"))
    (tmp_path / "file").touch()
    entered = []
    with one_at_a_time("test"):
        entered.append(True)
    assert entered
