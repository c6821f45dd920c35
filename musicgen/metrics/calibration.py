"""Weights that were learnt from real pieces: `calibration.json`, written by `benchmarks/fit_metrics.py`."""

import functools
import json
from pathlib import Path

CALIBRATION = Path(__file__).with_name("calibration.json")


@functools.cache
def calibrated(name):
    """The weights of one score.

    Parameters
    ----------
    name : str
        "coherence" or "noise".

    Returns
    -------
    dict of str to float
    """
    return json.loads(CALIBRATION.read_text(encoding="utf-8"))[name]
