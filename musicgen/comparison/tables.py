"""A judgement as an aligned table of text."""

from .advice import number

_COLUMNS = ("noise", "coherence", "likeness", "novelty", "quality_level", "longest_copy")
_HEADS = {"quality_level": "overlap of the set", "longest_copy": "longest copy"}


def format_judgement(judgement, times=None):
    """One line per contestant, models first: mean and 95 % interval of every figure.

    Parameters
    ----------
    judgement : Judgement
    times : mapping of str to list of float, optional
        Seconds of training until each model was at its best.

    Returns
    -------
    str
    """
    times = times or {}
    heads = [_HEADS.get(column, column) for column in _COLUMNS]
    rows = [["", "pieces", *heads, *(["min to best"] if times else [])]]
    for name, entry in judgement.entries.items():
        cells = [_cell(entry.figures[column]) for column in _COLUMNS]
        rows.append([name, str(entry.pieces), *cells, *([_time(times.get(name))] if times else [])])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(_padded(row, widths)).rstrip() for row in rows)


def _cell(found):
    return f"{number(found.value)} ({number(found.low)} to {number(found.high)})"


def _time(seconds):
    return f"{sum(seconds) / len(seconds) / 60:.2g}" if seconds else "-"


def _padded(row, widths):
    return [
        cell.rjust(width) if place else cell.ljust(width)
        for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
