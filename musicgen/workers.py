"""Map a function over files in local processes or on a Dask cluster, where one bad file or one dying process leaves
the others alone.
"""

import contextlib
import multiprocessing
import os
import sys
import threading
import traceback
from collections import deque
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, ProcessPoolExecutor, wait
from functools import partial
from typing import Any, NamedTuple

from tqdm import tqdm

from .errors import InputError, MusicgenError, missing_dependency

_RETRIES = 2  # of an item whose worker cannot even say what went wrong
_CONNECT_S, _WORKERS_S = 20, 60  # how long to wait for a scheduler, and for its first worker
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Outcome(NamedTuple):
    """What became of one item: `result`, or the `error` (then `result` is None)."""

    item: Any
    result: Any = None
    error: MusicgenError | None = None


def map_files(function, items, *, workers=None, scheduler=None, progress=False, unit="file"):
    """Apply a function to every item, several at a time.

    An error of the function is the outcome of its item; the others go on. So is the death of a worker process
    (out of memory, a crash in native code): the items then under way are tried once more, one at a time, to find
    the one at fault.

    Parameters
    ----------
    function : callable
        Of one item. With processes, a function of a module, its results picklable.
    items : iterable
        Picklable.
    workers : int, optional
        Local processes, each with one thread for numerical libraries. 0 or 1 runs in this process. Default: one per
        usable processor, no more than items. Processes are spawned: a script that calls this needs the usual
        ``if __name__ == "__main__":``.
    scheduler : str or distributed.Client, optional
        A Dask cluster that does the work instead: the address of its scheduler, as in "tcp://host:8786". Scheduler
        and workers need the same musicgen and `function` importable, workers the files under the same paths. What
        a worker was doing when it died is done again by another.
    progress : bool
        Whether to show a bar on stderr.
    unit : str
        What the bar counts.

    Yields
    ------
    Outcome
        As they complete, not in the order of `items`.

    Raises
    ------
    InputError
        If `workers` is negative or given beside `scheduler`, no cluster answers, or no process can start: most likely
        the script calls this while it is imported.
    MissingDependencyError
        If `scheduler` is given and distributed is not installed.

    Examples
    --------
    >>> [outcome.result for outcome in map_files(abs, [-1, -2], workers=0)]
    [1, 2]
    """
    items = list(items)
    if workers is not None and (workers < 0 or scheduler is not None):
        reason = "and scheduler exclude each other" if workers >= 0 else f"must be at least 0, not {workers}"
        raise InputError(f"workers {reason}")
    workers = min(usable_processors() if workers is None else workers, len(items))
    if scheduler is not None:
        outcomes = _on_cluster(function, items, scheduler)
    else:
        outcomes = _inline(function, items) if workers <= 1 else _pooled(function, items, workers)
    with contextlib.closing(outcomes), _bar(len(items), unit, progress) as bar:
        for outcome in outcomes:
            bar.update()
            yield outcome


def usable_processors():
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _bar(total, unit, progress):
    return tqdm(total=total, unit=unit, file=sys.stderr, disable=not progress)


def _inline(function, items):
    for item in items:
        yield _outcome(function, item)


def _pooled(function, items, workers):
    """Keep items under way, one for each worker and one that it goes on with at once; when the pool breaks, they are
    the suspects."""
    waiting, most = deque(items), 2 * workers
    while waiting:
        suspects = []
        with _pool(workers) as (pool, started):
            running, submit = {}, partial(pool.submit, _outcome, function)
            while _fill(submit, running, waiting, 0 if suspects else most):
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    item = running.pop(future)
                    if isinstance(future.exception(), BrokenExecutor):
                        suspects.append(item)
                    else:
                        yield future.result()
            if suspects and not started.is_set():
                raise InputError(
                    "no worker process could start",
                    remedy="in a script, call musicgen under `if __name__ == '__main__':`, or give workers=0",
                )
        yield from (_alone(function, item) for item in suspects)


def _fill(submit, running, waiting, most):
    """Submit items until so many are under way; the number under way."""
    while waiting and len(running) < most:
        try:
            with _one_thread():
                future = submit(waiting[0])
        except BrokenExecutor:
            break
        running[future] = waiting.popleft()
    return len(running)


def _alone(function, item):
    """The outcome of an item in a process of its own."""
    with _pool(1) as (pool, _):
        try:
            with _one_thread():
                future = pool.submit(_outcome, function, item)
            return future.result()
        except BrokenExecutor:
            return Outcome(item, error=MusicgenError("the worker process died (out of memory, or a crash)"))


@contextlib.contextmanager
def _pool(workers):
    """A pool, and an event that is set once a worker has imported the script and begins to work."""
    context = multiprocessing.get_context("spawn")
    started = context.Event()
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare_worker, initargs=(started,))
    try:
        yield pool, started
    finally:
        pool.shutdown(cancel_futures=True)


def _on_cluster(function, items, scheduler):
    """Outcomes of a Dask cluster, each once."""
    try:
        import distributed
    except ImportError as error:
        raise missing_dependency("distributed", "work on a Dask cluster") from error
    with _client(distributed, scheduler) as client:
        futures = {client.submit(_outcome, function, item, pure=False, retries=_RETRIES): item for item in items}
        options = {"loop": client.loop, "with_results": True, "raise_errors": False}
        for future, result in distributed.as_completed(list(futures), **options):
            item = futures.pop(future)
            if future.status == "finished":
                yield result._replace(item=item)
            else:
                yield Outcome(item, error=MusicgenError(f"the cluster gave it up: {_last_words(future)}"))


@contextlib.contextmanager
def _client(distributed, scheduler):
    if isinstance(scheduler, distributed.Client):
        yield scheduler
        return
    try:
        client = distributed.Client(scheduler, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"no Dask scheduler answers at {scheduler}", remedy="start one with: dask scheduler"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_WORKERS_S)
        except TimeoutError as error:
            raise InputError(
                f"the Dask scheduler at {scheduler} has no worker", remedy=f"start some with: dask worker {scheduler}"
            ) from error
        yield client


def _last_words(future):
    error = future.exception()
    return f"{type(error).__name__}: {error}"


@contextlib.contextmanager
def _one_thread():
    """Processes that start in it have one thread for numerical libraries, those of the caller's script included.

    Told only later, by a worker's initializer, libraries that the script imports would not hear of it.
    """
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def _prepare_worker(started):
    started.set()
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent():
    """A killed parent cannot stop its workers; without this they would wait for ever."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _outcome(function, item):
    """Run in the worker; errors of other kinds become picklable ones, with their trace as a note."""
    try:
        return Outcome(item, result=function(item))
    except MusicgenError as error:
        return Outcome(item, error=error)
    except Exception as error:  # whatever a decoder or a model throws at one file must not stop the others
        wrapped = MusicgenError(f"unexpected {type(error).__name__}: {error}")
        wrapped.add_note(traceback.format_exc())
        return Outcome(item, error=wrapped)
