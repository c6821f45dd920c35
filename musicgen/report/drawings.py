"""Drawings of the page as SVG: they take the width they get and the colours of the page."""

from html import escape

import numpy as np

from ..metrics.facts import Facts

#: Classes of the style sheet that give contestants, tracks and curves their colours, in turn.
HUES = 8

_ROLL_WIDTH, _ROLL_HEIGHT = 600, 180
_STRIP_WIDTH, _ROW, _LEFT, _RIGHT = 420, 22, 80, 14
_CURVE_WIDTH, _CURVE_HEIGHT, _EDGE = 420, 170, 50
_MOST_BARS = 32


def roll(piece, label):
    """A piece as a piano roll, bars as fine lines, colour by track."""
    notes, seconds = piece.notes, max(piece.duration, 1e-6)
    low, high = int(notes["pitch"].min(initial=60)) - 1, int(notes["pitch"].max(initial=72)) + 1
    height = _ROLL_HEIGHT / max(high - low + 1, 13)
    bars = piece.timing.quarters_to_seconds(piece.timing.bars(piece.duration))
    lines = "".join(f"M{_ROLL_WIDTH * bar / seconds:.1f} 0v{_ROLL_HEIGHT}" for bar in bars if bar > 0)
    parts, strokes = [f'<path class="grid" d="{lines}"/>'], {}
    for start, end, pitch, _, track in notes.tolist():
        left, width = _ROLL_WIDTH * start / seconds, max(_ROLL_WIDTH * (end - start) / seconds - 0.6, 0.6)
        strokes.setdefault(track, []).append(f"M{left:.1f} {(high - pitch + 0.5) * height:.1f}h{width:.1f}")
    for track, found in strokes.items():
        style = f'class="hue-{track % HUES}" stroke-width="{max(height - 0.5, 2.5):.1f}"'
        parts.append(f'<path {style} d="{"".join(found)}"/>')
    return _svg(_ROLL_WIDTH, _ROLL_HEIGHT, label, parts)


def strips(label, values, *, low=0.0, high=1.0):
    """Values of every piece as dots, one row per contestant, the mean as a bar.

    Parameters
    ----------
    label : str
        What the values are, for those who do not see the drawing.
    values : mapping of str to sequence of float
    low, high : float
        Ends of the axis.
    """
    width, parts, told = _STRIP_WIDTH - _LEFT - _RIGHT, [], []
    for row, (name, found) in enumerate(values.items()):
        found = np.array([value for value in found if value is not None], float)
        middle = _ROW * row + _ROW / 2
        parts.append(f'<text x="{_LEFT - 10}" y="{middle + 4:.0f}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<path class="grid" d="M{_LEFT} {middle:.0f}h{width}"/>')
        places = _LEFT + width * (np.clip(found, low, high) - low) / (high - low)
        parts += [f'<circle class="hue-{row % HUES}" cx="{x:.1f}" cy="{middle:.0f}" r="4"/>' for x in places]
        if len(found):
            parts.append(f'<path class="mean" d="M{places.mean():.1f} {middle - 9:.0f}v18"/>')
            told.append(f"{name} {found.mean():.2f}")
    bottom = _ROW * len(values) + 16
    ends = ((low, _LEFT, "start"), ((low + high) / 2, _LEFT + width / 2, "middle"), (high, _LEFT + width, "end"))
    parts += [f'<text x="{x:.0f}" y="{bottom}" text-anchor="{side}">{value:g}</text>' for value, x, side in ends]
    return _svg(_STRIP_WIDTH, bottom + 6, f"{label}, means: {', '.join(told)}", parts)


def curves(label, lines, *, unit="epochs"):
    """Values by epoch, or by whatever the axis counts.

    Parameters
    ----------
    label : str
    lines : list of (str, sequence of float)
        Class of the line, values by epoch.
    unit : str
        What the axis counts.
    """
    values = np.concatenate([np.asarray(line, float) for _, line in lines if len(line)] or [[0.0]])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    span, longest = max(high - low, 1e-9), max((len(line) for _, line in lines), default=1)
    width, height = _CURVE_WIDTH - _EDGE - 8, _CURVE_HEIGHT - 30
    parts = [f'<path class="grid" d="M{_EDGE} 6v{height}h{width}"/>']
    for kind, line in lines:
        points = [
            (_EDGE + width * place / max(longest - 1, 1), 6 + height * (high - value) / span)
            for place, value in _thinned(line)
        ]
        if len(points) == 1:
            parts.append(f'<circle class="{kind}" cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="3"/>')
        else:
            parts.append(f'<polyline class="{kind}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>')
    texts = ((high, 14), (low, 6 + height))
    parts += [f'<text x="{_EDGE - 5}" y="{y:.0f}" text-anchor="end">{value:.3g}</text>' for value, y in texts]
    foot = _CURVE_HEIGHT - 8
    if longest > 1:
        parts.append(f'<text x="{_EDGE}" y="{foot}">1</text>')
    said = f"{longest} {unit if longest > 1 else unit.removesuffix('s')}"
    parts.append(f'<text x="{_CURVE_WIDTH - 8}" y="{foot}" text-anchor="end">{said}</text>')
    return _svg(_CURVE_WIDTH, _CURVE_HEIGHT, label, parts)


def similarity(piece, label):
    """How alike any two bars of a piece are: the stronger the colour, the more."""
    alike = Facts(piece).bars.similarity[:_MOST_BARS, :_MOST_BARS]
    cells = [
        f'<rect x="{column}" y="{row}" width="1" height="1" opacity="{alike[row, column]:.2f}"/>'
        for row, column in zip(*np.nonzero(alike > 0.05), strict=True)
    ]
    return _svg(len(alike), len(alike), label, cells, kind="cells")


def _thinned(line, most=300):
    """Places and values of a line, at most so many."""
    places = np.unique(np.linspace(0, max(len(line) - 1, 0), min(len(line), most)).astype(int))
    return [(int(place), float(line[place])) for place in places if np.isfinite(line[place])]


def _svg(width, height, label, parts, kind="drawing"):
    name = escape(label, quote=True)
    return f'<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" aria-label="{name}">{"".join(parts)}</svg>'
