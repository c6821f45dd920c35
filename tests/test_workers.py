"""map_files: errors and dying workers stay with their item."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from musicgen.errors import InputError, MusicgenError
from musicgen.workers import map_files

FATAL, FAULTY, UNEXPECTED = -1, -2, -3


def work(item):
    if item == FATAL:
        time.sleep(0.3)
        os._exit(9)
    if item == FAULTY:
        raise InputError("cannot be used", path="x", remedy="none")
    if item == UNEXPECTED:
        raise UnpicklableError("odd", 3)
    return item * 10


def threads(_):
    return os.environ["OMP_NUM_THREADS"], os.getpid()


class UnpicklableError(Exception):
    def __init__(self, first, second):
        super().__init__(first)


def by_item(outcomes):
    return {outcome.item: outcome for outcome in outcomes}


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_results_and_errors_stay_with_their_items(workers):
    found = by_item(map_files(work, [1, FAULTY, 2, UNEXPECTED, 3], workers=workers))
    assert {item: outcome.result for item, outcome in found.items() if item > 0} == {1: 10, 2: 20, 3: 30}
    assert isinstance(found[FAULTY].error, InputError)
    assert found[FAULTY].error.reason == "cannot be used"
    assert str(found[UNEXPECTED].error) == "unexpected UnpicklableError: odd"
    assert "test_workers.py" in found[UNEXPECTED].error.__notes__[0]


def test_a_dying_worker_takes_only_its_own_item_along():
    items = [1, 2, FATAL, 3, 4, 5, 6]
    found = by_item(map_files(work, items, workers=2))
    assert set(found) == set(items)
    assert {item for item, outcome in found.items() if outcome.error} == {FATAL}
    assert type(found[FATAL].error) is MusicgenError
    assert "worker process died" in str(found[FATAL].error)


def test_workers_are_other_processes_with_one_thread_each(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    found = [outcome.result for outcome in map_files(threads, range(4), workers=2)]
    assert {count for count, _ in found} == {"1"}
    assert os.getpid() not in {process for _, process in found}
    assert os.environ["OMP_NUM_THREADS"] == "7"


EARLY = """
import os
from musicgen.workers import map_files

found = os.environ.get("OMP_NUM_THREADS")  # what a library that is imported here would read

def told(_):
    return found

if __name__ == "__main__":
    print([outcome.result for outcome in map_files(told, [1, 2], workers=2)], found)
"""


def test_libraries_that_the_script_imports_have_one_thread_in_workers_too(tmp_path):
    script = tmp_path / "early.py"
    script.write_text(EARLY)
    environment = {**os.environ, "OMP_NUM_THREADS": "5"}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=100, env=environment)
    assert done.stdout == "['1', '1'] 5\n", done.stderr


def test_outcomes_come_one_by_one_and_the_rest_is_dropped_when_no_longer_wanted():
    seen = []
    outcomes = map_files(lambda item: seen.append(item) or item, [1, 2, 3], workers=0)
    assert next(outcomes).result is not None
    outcomes.close()
    assert seen == [1]


def test_progress_goes_to_stderr(capsys):
    assert len(list(map_files(abs, [1, 2], workers=0, progress=True, unit="clip"))) == 2
    captured = capsys.readouterr()
    assert "2/2" in captured.err
    assert captured.out == ""


def test_nothing_to_do_and_wrong_workers():
    assert list(map_files(abs, [])) == []
    with pytest.raises(InputError, match="workers"):
        list(map_files(abs, [1], workers=-1))


def sign_in(folder):
    Path(folder, str(os.getpid())).touch()
    time.sleep(60)


def is_running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def waited_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


@pytest.mark.skipif(os.name != "posix", reason="kills by POSIX signals")
def test_workers_end_with_a_killed_parent(tmp_path):
    script = tmp_path / "run.py"
    script.write_text(
        "from musicgen.workers import map_files\nfrom test_workers import sign_in\n"
        f"if __name__ == '__main__':\n    list(map_files(sign_in, [{str(tmp_path / 'pids')!r}] * 2, workers=2))\n"
    )
    pids = tmp_path / "pids"
    pids.mkdir()
    tests = str(Path(__file__).parent)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([tests, str(Path(tests).parent)])}
    parent = subprocess.Popen([sys.executable, str(script)], env=environment)
    assert waited_for(lambda: len(list(pids.iterdir())) == 2)
    workers = [int(file.name) for file in pids.iterdir()]
    parent.kill()
    parent.wait()
    assert waited_for(lambda: not any(map(is_running, workers)))


@pytest.mark.parametrize("lock", ["contextlib.nullcontext()", "files.one_at_a_time('tests-of-workers')"])
def test_a_script_without_a_main_guard_is_told_so_and_ends(tmp_path, lock):
    script = tmp_path / "script.py"
    script.write_text(
        "import contextlib\nfrom musicgen import files\nfrom musicgen.workers import map_files\n"
        f"with {lock}:\n    list(map_files(abs, range(8), workers=2))\n"
    )
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=100)
    assert run.returncode == 1
    assert "InputError: no worker process could start (in a script, call musicgen under `if __name__" in run.stderr
