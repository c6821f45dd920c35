"""Pictures of a latent space: a way between two pieces, and where pieces lie."""

import textwrap
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .figures import new_figure
from .pieces import COLOURS, INK, draw_notes, pitch_name

_NO_GENRE = "#888888"
_ROOM = 2  # semitones above and below the notes


def plot_interpolation(sequences, *, distances=None, ends=None):
    """Steps of an interpolation: a strip of piano rolls, beneath it the distance from the first piece.

    Parameters
    ----------
    sequences : sequence of NoteSequence
        At least two, as `VAEComposer.interpolate` gives them. Colour names the track.
    distances : sequence of float, optional
        Of each from the first piece, 0 to 1. Default: `meta["distance"]` of the pieces; without any of them, only
        the strip is drawn.
    ends : (str, str), optional
        Names of the two pieces between which the way goes; what is drawn of them is how they came back.

    Returns
    -------
    matplotlib.figure.Figure
        Give it to `save_figure`.

    Raises
    ------
    InputError
        If there are fewer than two pieces, or `distances` are not one per piece.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> steps = [NoteSequence([(0.0, 1.0, pitch, 80, 0)]) for pitch in (60, 62, 64)]
    >>> figure = plot_interpolation(steps, distances=[0.0, 0.5, 1.0])
    >>> [ax.get_title() for ax in figure.axes]
    ['A', '1/2', 'B', '']
    """
    pieces = list(sequences)
    if len(pieces) < 2:
        raise InputError(f"an interpolation has at least 2 steps, here {len(pieces)}")
    if distances is None and all("distance" in piece.meta for piece in pieces):
        distances = [float(piece.meta["distance"]) for piece in pieces]
    if distances is not None and np.shape(distances) != (len(pieces),):
        raise InputError(f"distances must hold {len(pieces)} numbers, one per piece, not {np.shape(distances)}")
    figure = new_figure(float(np.clip(1.55 * len(pieces), 6.0, 24.0)), 2.6 if distances is None else 4.0)
    rows = 1 if distances is None else 2
    grid = figure.add_gridspec(rows, len(pieces), height_ratios=[3, 2][:rows])
    low, high = pitch_limits(pieces)
    for number, piece in enumerate(pieces):
        ax = figure.add_subplot(grid[0, number])
        draw_roll(ax, piece, low, high)
        name = _step_name(number, len(pieces))
        if ends is not None and name in "AB":
            end = ends[name == "B"]
            name = f"{name}: {end if len(end) <= 18 else end[:17] + '…'},\nas it came back"
        ax.set_title(name, color=INK, fontsize=9)
        if not number:
            ticks = [pitch for pitch in range(low, high + 1) if pitch % 12 == 0] or [low]
            ax.set_yticks(ticks, [pitch_name(pitch) for pitch in ticks])
    if distances is not None:
        _draw_distances(figure.add_subplot(grid[1, :]), distances)
    return figure


@dataclass(frozen=True, eq=False)
class LatentMap:
    """Where pieces lie in the latent space of a composer, in its two main directions.

    Parameters
    ----------
    points : numpy.ndarray of float64, shape (n, 2)
        Principal components (Pearson 1901) of the pieces' latents, those of a piece's fragments averaged.
    explained : tuple of float
        Share of the latents' variance along each of the two.
    sequences : tuple of NoteSequence
        The pieces.
    refused : tuple of (str, str)
        Title and reason of pieces that the composer cannot encode.
    """

    points: np.ndarray
    explained: tuple
    sequences: tuple
    refused: tuple = ()

    @property
    def genres(self):
        """Genre of every piece, "" for none."""
        return [piece.meta.get("genre", "") for piece in self.sequences]


def latent_map(composer, sequences):
    """Find where pieces lie in a composer's latent space.

    Parameters
    ----------
    composer : VAEComposer
        Trained.
    sequences : iterable of NoteSequence
        At least 3 that it can encode; the others are listed in `refused`.

    Returns
    -------
    LatentMap

    Raises
    ------
    InputError
        If fewer than 3 pieces can be encoded.
    """
    latents, kept, refused = [], [], []
    for number, piece in enumerate(sequences, 1):
        try:
            latents.append(composer.encode(composer.fragments(piece)).mean(axis=0))
            kept.append(piece)
        except InputError as error:
            refused.append((piece.meta.get("title") or f"piece {number}", str(error)))
    if len(kept) < 3:
        why = f"; {refused[0][0]}: {refused[0][1]}" if refused else ""
        raise InputError(f"a map needs at least 3 pieces that the composer can encode, not {len(kept)}{why}")
    offsets = np.array(latents, np.float64)
    offsets -= offsets.mean(axis=0)
    left, lengths, _ = np.linalg.svd(offsets, full_matrices=False)
    explained = lengths**2 / max(np.sum(lengths**2), 1e-12)
    return LatentMap(left[:, :2] * lengths[:2], tuple(explained[:2].tolist()), tuple(kept), tuple(refused))


def plot_latent_map(found, *, ax=None):
    """Pieces as points of a map, their genres as colours.

    Parameters
    ----------
    found : LatentMap
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: one in a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    """
    if ax is None:
        ax = new_figure(7.0, 5.5).add_subplot()
    for genre, colour in genre_colours(found.genres).items():
        mine = [place for place, other in enumerate(found.genres) if other == genre]
        ax.scatter(*found.points[mine].T, s=28, color=colour, alpha=0.8, linewidth=0, label=genre or "no genre")
    for name, axis, share in zip("xy", (ax.xaxis, ax.yaxis), found.explained, strict=True):
        number = "first" if name == "x" else "second"
        axis.set_label_text(f"{number} main direction ({100 * share:.0f} % of the variance)", color=INK)
    if found.refused:
        told = f"{len(found.sequences)} pieces; {len(found.refused)} could not be encoded: {found.refused[0][1]}"
        ax.set_title("\n".join(textwrap.wrap(told, 90)), color=INK, fontsize=9, loc="left")
    ax.tick_params(colors=INK, labelsize=8)
    ax.spines[["top", "right"]].set_visible(False)
    if set(found.genres) != {""}:
        ax.legend(frameon=False, labelcolor=INK, fontsize=9, loc="upper left", bbox_to_anchor=(1.005, 1))
    return ax


def genre_colours(genres):
    """Colour of every genre, by name; grey for pieces without one."""
    names = sorted(set(genres) - {""})
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(names)}
    return colours | ({"": _NO_GENRE} if "" in genres else {})


def pitch_limits(pieces):
    """Lowest and highest pitch of pictures of pieces side by side."""
    pitches = np.concatenate([piece.notes["pitch"] for piece in pieces]).astype(int)
    if not len(pitches):
        return 60, 72
    return max(int(pitches.min()) - _ROOM, 0), min(int(pitches.max()) + _ROOM, 127)


def draw_roll(ax, piece, low, high):
    """A small piano roll without labels."""
    for track in np.unique(piece.notes["track"]).tolist():
        notes = piece.notes[piece.notes["track"] == track]
        draw_notes(ax, notes, notes["pitch"].astype(float), COLOURS[track % len(COLOURS)], 0.4)
    bars = piece.timing.quarters_to_seconds(piece.timing.bars(piece.duration))
    ax.vlines(bars, 0, 1, transform=ax.get_xaxis_transform(), color=INK, alpha=0.2, linewidth=0.5, zorder=0.6)
    for pitch in range(low, high + 1):
        if pitch % 12 == 0:
            ax.axhline(pitch - 0.5, color=INK, alpha=0.2, linewidth=0.5, zorder=0.5)
    ax.set_xlim(0, max(piece.duration, 1e-3))
    ax.set_ylim(low - 0.5, high + 0.5)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.tick_params(length=0, labelsize=8, colors=INK)
    for spine in ax.spines.values():
        spine.set_color(INK)
        spine.set_alpha(0.3)


def _step_name(number, count):
    if number in (0, count - 1):
        return "AB"[bool(number)]
    divisor = int(np.gcd(number, count - 1))
    return f"{number // divisor}/{(count - 1) // divisor}"


def _draw_distances(ax, distances):
    ax.plot(np.arange(len(distances)), distances, "o-", color=COLOURS[0], markersize=4)
    ax.set_xlim(-0.5, len(distances) - 0.5)
    ax.set_ylim(0, max(1.05 * max(distances), 0.05))
    ax.set_xticks(range(len(distances)), [_step_name(number, len(distances)) for number in range(len(distances))])
    ax.set_ylabel("distance from A in its key\n(share of grid steps)", color=INK, fontsize=8)
    ax.grid(axis="y", color=INK, alpha=0.12, linewidth=0.6)
    ax.tick_params(colors=INK, labelsize=8)
    ax.spines[["top", "right"]].set_visible(False)
