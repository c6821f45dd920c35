"""An evaluation as an aligned table of text."""

import math

#: Endings of figures that only the JSON holds: details of those that are shown.
DETAILS = ("_distance_within", "_distance_between", "_distance_divergence")
HEAD = ("", "pieces", "95 % interval", "references", "95 % interval", "unit")


def format_figures(evaluation):
    """The levels of the families, every family's figures as aligned lines, and how to read them."""
    count, known = len(evaluation.titles), len(next(iter(evaluation.reference_values.values())))
    rows = [HEAD, *(_row(family, figure) for family, figure in evaluation.levels.items())]
    levels = {figure.name for figure in evaluation.levels.values()}
    for family in evaluation.levels:
        rows += [(), (family.upper(), "", "", "", "", "")]
        rows += [
            _row(figure.name.replace("_", " "), figure)
            for figure in evaluation.figures
            if figure.family == family and figure.name not in levels and not figure.name.endswith(DETAILS)
        ]
    title = f"{_counted(count, 'piece')} beside {_counted(known, 'reference')}"
    return "\n".join([title, "", *_aligned(rows), "", *_notes(evaluation.figures, count, known)])


def _counted(count, what):
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _notes(figures, count, known):
    """How to read the figures, as far as there is reason to tell."""
    yield "Read every figure beside that of the references, one half of which is judged as the pieces are."
    yield "quality: 1 is like the references; noise: 0 is clean; coherence: 1 is an order of bars as music has it."
    if count < known // 2:
        yield "Few pieces have less variety than many: their quality is lower, their Fréchet distance greater."
    if 1 in (count, known):
        yield "A single piece has no interval: give two at least."
    if not all(math.isfinite(side.value) for figure in figures for side in (figure.pieces, figure.references)):
        yield "-: not defined, such as genre agreement without genres, or order where there are few bars."
    yield "What each figure is: musicgen.metrics.QUALITY, NOISE and COHERENCE."


def _row(name, figure):
    cells = [cell for side in (figure.pieces, figure.references) for cell in (_number(side.value), _ends(side))]
    return (name, *cells, figure.unit)


def _ends(side):
    return f"{_number(side.low)} to {_number(side.high)}" if math.isfinite(side.low) else ""


def _number(value):
    """Three significant digits; a dash for what is not defined.

    Examples
    --------
    >>> [_number(value) for value in (0.12345, 12.345, 1234.5, 0.0, float("nan"))]
    ['0.123', '12.3', '1234', '0', '-']
    """
    if not math.isfinite(value):
        return "-"
    if abs(value) < 1e-9:
        return "0"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _aligned(rows):
    widths = [max(len(row[column]) for row in rows if row) for column in range(len(HEAD))]
    for row in rows:
        cells = [
            cell.ljust(w) if place in (0, 5) else cell.rjust(w)
            for place, (cell, w) in enumerate(zip(row, widths, strict=False))
        ]
        yield "  ".join(cells).rstrip()
