"""Transcribe a collection on a Dask cluster, whose workers see recordings and results under the same paths.

python examples/10_transcribe_on_a_dask_cluster.py recordings --out notes --scheduler tcp://head:8786

Without --scheduler two workers are started on this machine, to see how it goes. What was done stays done: the same
command goes on where it was stopped.
"""

import argparse
import contextlib
import sys

from musicgen import InputError, transcribe_folder


@contextlib.contextmanager
def two_workers():
    """Address of a small cluster on this machine."""
    from dask.distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


def main(recordings, out, scheduler):
    with contextlib.nullcontext(scheduler) if scheduler else two_workers() as address:
        report = transcribe_folder(recordings, out, scheduler=address, fallback_bpm=120)
    print(report)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", help="folder of sound files")
    parser.add_argument("--out", default="notes", help="default notes")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask scheduler")
    options = parser.parse_args()
    try:
        main(options.recordings, options.out, options.scheduler)
    except InputError as error:
        sys.exit(str(error))
