"""A map of a latent space in a notebook: pointing at a piece shows its piano roll.

The HTML is complete in itself and runs no script: what is shown when is told by style alone, so that it also works
where notebooks are only looked at. Every point can be reached with the keyboard.
"""

import hashlib
from html import escape

import numpy as np

from ..plots import COLOURS, genre_colours, latent_map
from .pieces import summary

_MAP, _PANEL, _GAP, _HEIGHT = 420, 380, 30, 380  # parts of the drawing, in its own units
_EDGE, _TOP = 14, 24
_MOST_NOTES = 400  # of a piece that its roll shows
_STYLE = (
    "#{name} .roll{{visibility:hidden}}"
    "#{name} .piece:hover .roll,#{name} .piece:focus .roll{{visibility:visible}}"
    "#{name} .piece:focus{{outline:none}}"
    "#{name} .piece:hover circle,#{name} .piece:focus circle{{stroke:currentColor;stroke-width:2}}"
)


class LatentMapView:
    """A `LatentMap` that shows itself in a notebook.

    Parameters
    ----------
    found : LatentMap
    """

    def __init__(self, found):
        self.map = found

    def __repr__(self):
        return f"LatentMapView({len(self.map.sequences)} pieces)"

    def _repr_html_(self):
        found = self.map
        colours = genre_colours(found.genres)
        name = "map-" + hashlib.sha256(found.points.tobytes()).hexdigest()[:12]
        places = _places(found.points)
        pieces = [
            _piece(piece, place, colours[genre])
            for piece, place, genre in zip(found.sequences, places, found.genres, strict=True)
        ]
        shares = " and ".join(f"{100 * share:.0f} %" for share in found.explained)
        told = f"{len(found.sequences)} pieces in latent space; its two main directions hold {shares} of the variance"
        if found.refused:
            told += f"; {len(found.refused)} could not be encoded"
        size = f'width="{_MAP}" height="{_HEIGHT - 1}"'
        drawing = (
            f'<svg viewBox="0 0 {_MAP + _GAP + _PANEL} {_HEIGHT}" xmlns="http://www.w3.org/2000/svg" role="group" '
            f'aria-label="{escape(told, quote=True)}" font-size="12" style="display:block;width:100%;height:auto">'
            f'<rect x=".5" y=".5" {size} fill="none" stroke="currentColor" opacity=".3"/>{"".join(pieces)}</svg>'
        )
        style = f"<style>{_STYLE.format(name=name)}</style>"
        caption = f"{escape(told)}. Point at a piece to see its notes.{_legend(colours)}"
        caption = f'<figcaption style="margin:.3em 0">{caption}</figcaption>'
        return f'<figure id="{name}" style="margin:0;max-width:1000px">{style}{caption}{drawing}</figure>'


def show_latent_map(composer, sequences):
    """A map of pieces in a composer's latent space, for a notebook.

    Parameters
    ----------
    composer : VAEComposer
        Trained.
    sequences : iterable of NoteSequence
        See `plots.latent_map`.

    Returns
    -------
    LatentMapView
    """
    return LatentMapView(latent_map(composer, sequences))


def _places(points):
    """Points in the map's own units, y downwards."""
    low, high = points.min(axis=0), points.max(axis=0)
    shares = (points - low) / np.maximum(high - low, 1e-12)
    return np.stack(
        [_EDGE + shares[:, 0] * (_MAP - 2 * _EDGE), _HEIGHT - _EDGE - shares[:, 1] * (_HEIGHT - 2 * _EDGE)], axis=1
    )


def _piece(piece, place, colour):
    title = piece.meta.get("title") or "Untitled"
    told = escape(f"{title}: {summary(piece)}", quote=True)
    point = f'<circle cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="5" fill="{colour}" fill-opacity=".8"/>'
    return f'<g class="piece" tabindex="0" role="img" aria-label="{told}">{point}{_roll(piece, title)}</g>'


def _roll(piece, title):
    """The piece's notes in the panel beside the map."""
    notes = piece.notes[:_MOST_NOTES]
    parts = [_text(_TOP - 8, title[:40], 1.0), _text(_HEIGHT - 8, summary(piece)[:70], 0.7)]
    if len(notes):
        low, high = int(notes["pitch"].min()) - 1, int(notes["pitch"].max()) + 1
        seconds, height = float(notes["end"].max()), (_HEIGHT - 2 * _TOP) / max(high - low + 1, 13)
        lines = {}
        for start, end, pitch, _, track in notes.tolist():
            left, width = _MAP + _GAP + _PANEL * start / seconds, max(_PANEL * (end - start) / seconds - 0.5, 0.5)
            lines.setdefault(track, []).append(f"M{left:.1f} {_TOP + (high - pitch + 0.5) * height:.1f}h{width:.1f}")
        for track, strokes in lines.items():
            style = f'stroke="{COLOURS[track % len(COLOURS)]}" stroke-width="{max(height - 0.5, 0.5):.1f}"'
            parts.append(f'<path d="{"".join(strokes)}" {style}/>')
    return f'<g class="roll">{"".join(parts)}</g>'


def _text(y, text, opacity):
    return f'<text x="{_MAP + _GAP}" y="{y}" fill="currentColor" opacity="{opacity}">{escape(text)}</text>'


def _legend(colours):
    if set(colours) == {""}:
        return ""
    spots = [
        f'<span style="white-space:nowrap;margin-right:1em"><span style="color:{colour}">●</span> '
        f"{escape(genre) or 'no genre'}</span>"
        for genre, colour in colours.items()
    ]
    return f'<div style="margin:.3em 0">{"".join(spots)}</div>'
