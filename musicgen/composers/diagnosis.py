"""Why a composition is stuck, silent or overfull: one sentence for `meta["warning"]`."""

import numpy as np

from ..metrics import longest_loop
from ..metrics.measures import true_runs
from .guidance import STATEMENTS

LOOP_SHARE = 0.25  # of a piece that a loop may take before it is called stuck
SILENT_BARS = 4  # in a row
LITTLE_DATA = 5_000  # notes
BOLD = 1.3  # temperature above which it is what makes bars too dense
LITTLE_LEARNT = 0.75  # of the first epoch's loss


def warning(piece, *, dense=False, sampling=None, provenance=None, cause=None):
    """What is wrong with a composed piece, and the likely cause; None if nothing is.

    Parameters
    ----------
    piece : NoteSequence
    dense : bool
        Whether bars were cut short because of too many notes.
    sampling : SamplingControls
    provenance : dict
        Of the composer.
    cause : str, optional
        The likely cause, where it is not sought in sampling and provenance.

    Returns
    -------
    str or None
    """
    if dense:
        bold = sampling is not None and sampling.temperature > BOLD
        why = "the temperature is too high; lower it" if bold else "the composer is undertrained"
        return f"some bars were cut short because of too many notes: {why}"
    cause = cause or _cause(sampling, provenance)
    loop = longest_loop(piece, resolution=4)
    quarters = float(np.diff(piece.timing.seconds_to_quarters([0.0, piece.duration]))[0])
    if loop.repetitions > STATEMENTS and loop.quarters > LOOP_SHARE * quarters:
        return f"a passage of {loop.period:g} quarter notes is stated {loop.repetitions} times in a row: {cause}"
    silent = _silent_bars(piece)
    if silent >= SILENT_BARS:
        return f"{silent} bars in a row are silent: {cause}"
    return None


def _cause(sampling, provenance):
    losses = provenance.get("history", {}).get("loss", [])
    if sampling.temperature < 0.7 or (sampling.top_k or 99) <= 3 or sampling.top_p < 0.5:
        return "the temperature (or top_k, top_p) is too low; raise it"
    if len(losses) < 3 or losses[-1] > LITTLE_LEARNT * losses[0]:
        return "the composer is undertrained; train it for more epochs"
    if provenance.get("notes", LITTLE_DATA) < LITTLE_DATA:
        return "too little data; train the composer on more pieces"
    return "such passages may be in the training data; raise repetition_penalty"


def _silent_bars(piece):
    """Longest run of bars in which no note begins or sounds."""
    bars = np.append(piece.timing.bars(piece.duration), np.inf)
    start, end = piece.timing.seconds_to_quarters([piece.notes["start"], piece.notes["end"]])
    first = np.searchsorted(bars, start + 1e-6, side="right") - 1
    last = np.maximum(np.searchsorted(bars, end - 1e-6, side="right") - 1, first)
    edges = np.bincount(first, minlength=len(bars) + 1) - np.bincount(last + 1, minlength=len(bars) + 1)
    return int(true_runs(np.cumsum(edges)[: len(bars) - 1] == 0)[1].max(initial=0))
