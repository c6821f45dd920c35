"""Locks between processes, and what they are for."""

import os
import subprocess
import sys

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
