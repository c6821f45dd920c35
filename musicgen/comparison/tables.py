"""A judgement as an aligned table of text."""

import numpy as np

from .advice import number

#: Columns of the table: figure to its heading and the digits after the point.
COLUMNS = {
    "noise": ("noise", 3),
    "coherence": ("coherence", 3),
    "likeness": ("likeness", 3),
    "novelty": ("novelty", 3),
    "genre_agreement": ("genre agreement", 3),
    "longest_copy": ("longest copy", 1),
}
#: Columns that stand only where some contestant has a value.
_OPTIONAL = ("genre_agreement",)


def format_judgement(judgement, times=None):
    """One line per contestant, models first: mean and 95 % interval of every figure.

    Parameters
    ----------
    judgement : Judgement
    times : mapping of str to list of float, optional
        Seconds of training until each model had learnt.

    Returns
    -------
    str
    """
    times = times or {}
    columns = known_columns({name: entry.figures for name, entry in judgement.entries.items()})
    heads = [COLUMNS[column][0] for column in columns]
    rows = [["", "pieces", *heads, *(["min to learn"] if times else [])]]
    for name, entry in judgement.entries.items():
        cells = [_cell(entry.figures[column], COLUMNS[column][1]) for column in columns]
        rows.append([name, str(entry.pieces), *cells, *([_time(times.get(name))] if times else [])])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(_padded(row, widths)).rstrip() for row in rows)


def known_columns(figures):
    """Names of the columns that are worth a place.

    Parameters
    ----------
    figures : mapping of str to mapping of str to Interval
        Of each contestant, by name.

    Returns
    -------
    list of str
    """
    return [
        column
        for column in COLUMNS
        if column not in _OPTIONAL or any(np.isfinite(each[column].value) for each in figures.values())
    ]


def _cell(found, digits):
    if not np.isfinite(found.low):
        return number(found.value, digits)
    return f"{number(found.value, digits)} ({number(found.low, digits)} to {number(found.high, digits)})"


def _time(seconds):
    return f"{sum(seconds) / len(seconds) / 60:.3g}" if seconds else "-"


def _padded(row, widths):
    return [
        cell.rjust(width) if place else cell.ljust(width)
        for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
