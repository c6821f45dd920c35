"""Pictures of pieces and of training, as matplotlib Axes.

Figures are made without pyplot: nothing global is touched and nothing needs a screen. `save_figure` writes them as
`.png`, `.svg` or `.pdf`; in a notebook, a piece shows its picture by itself.
"""

from pathlib import Path

import numpy as np

from ..errors import InputError
from ..files import atomic_path
from .figures import new_figure

PICTURE_SUFFIXES = (".png", ".svg", ".pdf")

#: Paul Tol's "bright" scheme, six colours distinct for colour-blind readers too, then others of his schemes that
#: can be seen on light and on dark ground (Introduction to Colour Schemes, SRON/EPS/TN/09-002). From 13 tracks on
#: they repeat.
COLOURS = (
    "#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377",
    "#EE7733", "#009988", "#CC6677", "#999933", "#AA4499", "#DDCC77",
)  # fmt: skip

#: Colour of everything but the notes.
INK = "#333333"
_NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
#: Notes are drawn at this zorder and above, everything else below.
NOTE_LAYER = 2

_BLACK_KEYS = (1, 3, 6, 8, 10)
_LOUDEST, _SOFTEST = 1.0, 0.4  # opacity of velocity 127 and 1
_MOST_BEATS, _MOST_BARS, _MOST_LABELS = 120, 160, 24  # in one picture; more would be grey mist
_RASTER_FROM = 3000  # notes of a track; as vectors, more would make .svg and .pdf files heavy
_LEAST_RANGE = 12  # semitones


def plot_piece(sequence, *, ax=None, start=None, end=None):
    """Piano roll: seconds across, pitch upwards, bars and beats marked.

    Colour names the track, opacity the velocity (stronger is louder). Bar lines are strong and numbered on top (bar 1
    begins at the first downbeat, a pickup is bar 0), beats are faint. Drum tracks have lanes of their own below
    the pitches, one for each drum that is played. Pitches are named with C4 = 60.

    Parameters
    ----------
    sequence : NoteSequence
        The piece; `meta["title"]` becomes the title.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: one in a new figure.
    start, end : float, optional
        The region shown, in seconds. Default: the whole piece.

    Returns
    -------
    matplotlib.axes.Axes
        Give it, or its `figure`, to `save_figure`.

    Raises
    ------
    InputError
        If `start` and `end` are no region.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> ax = plot_piece(NoteSequence([(0.0, 1.0, 60, 80, 0)], meta={"title": "One note"}))
    >>> ax.get_title(loc="left"), ax.get_xlabel()
    ('One note', 'time (s)')
    """
    start, end = _region(sequence, start, end)
    notes = sequence.notes[(sequence.notes["start"] < end) & (sequence.notes["end"] > start)]
    drums = np.array([track.drum for track in sequence.tracks], bool)[notes["track"]]
    rows = _Rows(notes["pitch"][~drums], np.unique(notes["pitch"][drums]))
    if ax is None:
        ax = _new_axes(12.0, float(np.clip(1.4 + 0.11 * (rows.span + 1.6 * len(rows.drums)), 2.8, 7.5)))
    rows.draw(ax)
    _draw_bars(ax, sequence.timing, start, end)
    stroke = float(np.clip(30 / (end - start), 0.25, 0.9))
    _draw_tracks(ax, sequence, notes, rows.heights(notes["pitch"], drums), stroke)
    ax.set_xlim(start, end)
    ax.set_xlabel("time (s)", color=INK)
    ax.set_title(sequence.meta.get("title", ""), loc="left", color=INK, fontweight="bold", parse_math=False)
    return ax


def plot_history(history, *, ax=None):
    """Training and validation loss by epoch.

    Parameters
    ----------
    history : mapping of str to sequence of float, or keras.callbacks.History
        Every series whose name ends in "loss" is drawn, its `"val_"` partner dashed in the same colour; the best
        epoch of a validation series is marked.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: one in a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InputError
        If no series is a loss, or one is empty.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> ax = plot_history({"loss": [2.0, 1.0, 0.5], "val_loss": [2.1, 1.4, 1.6]})
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['training loss', 'validation loss (best 1.4, epoch 2)']
    """
    losses = _losses(getattr(history, "history", history))
    if ax is None:
        ax = _new_axes(8.0, 4.5)
    names = list(dict.fromkeys(name.removeprefix("val_") for name in losses))
    for name, values in losses.items():
        _draw_loss(ax, name, values, COLOURS[names.index(name.removeprefix("val_")) % len(COLOURS)])
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_xlabel("epoch", color=INK)
    ax.set_ylabel("loss", color=INK)
    ax.grid(axis="y", color=INK, alpha=0.12, linewidth=0.6)
    ax.legend(frameon=False, labelcolor=INK)
    return ax


def save_figure(picture, path, *, dpi=150):
    """Write a picture to a file, whole or not at all.

    Parameters
    ----------
    picture : matplotlib.axes.Axes or matplotlib.figure.Figure
        What `plot_piece` or `plot_history` gave.
    path : path-like
        `.png`, `.svg` or `.pdf`. The same picture gives the same bytes (no date is stored).
    dpi : float
        Pixels per inch of a `.png`, and of what is stored as pixels in the others.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    InputError
        If the suffix is none of these.

    Examples
    --------
    >>> import tempfile
    >>> from musicgen import NoteSequence
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_figure(plot_piece(NoteSequence([(0.0, 1.0, 60, 80, 0)])), Path(folder) / "note.png").name
    'note.png'
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in PICTURE_SUFFIXES:
        raise InputError(f"unknown suffix {suffix!r}", path=path, remedy=f"use one of {', '.join(PICTURE_SUFFIXES)}")
    figure = getattr(picture, "figure", picture)
    with atomic_path(path) as temporary, _settings({"svg.hashsalt": "musicgen"}):
        figure.savefig(temporary, dpi=dpi, format=suffix[1:], metadata=_UNDATED.get(suffix))
    return path


_UNDATED = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}


def _settings(changes):
    import matplotlib

    return matplotlib.rc_context(changes)


def _new_axes(width, height):
    ax = new_figure(width, height).add_subplot()
    ax.tick_params(colors=INK, labelsize=9)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)
        spine.set_alpha(0.5)
    return ax


def _region(sequence, start, end):
    start = 0.0 if start is None else float(start)
    if end is None:  # of a piece without any length, the first bar
        bar = sequence.timing.meters[0].quarters / sequence.timing.quarters_per_beat
        first_bar = np.diff(sequence.timing.beats_to_seconds([0, bar]))[0]
        end = sequence.duration if sequence.duration > start else start + first_bar
    end = float(end)
    if not (np.isfinite(start) and np.isfinite(end) and 0 <= start < end):
        raise InputError(f"start {start} s and end {end} s are no region", remedy="0 ≤ start < end")
    return start, end


class _Rows:
    """Heights of pitches and, below them, of drums."""

    def __init__(self, pitches, drums):
        from pretty_midi import note_number_to_drum_name

        self.pitched = len(pitches) > 0 or len(drums) == 0
        low, high = (int(pitches.min()), int(pitches.max())) if len(pitches) else (60, 72)
        missing = max(0, _LEAST_RANGE - (high - low))
        self.low = max(0, low - 1 - missing // 2)
        self.high = min(127, high + 1 + missing - missing // 2)
        if not self.pitched:
            self.low, self.high = 0, -1
        self.drums = drums
        self.drum_names = [note_number_to_drum_name(int(pitch)) or f"drum {pitch}" for pitch in drums]
        self.lane = max(1.0, 0.026 * self.span / max(0.4, 1 - 0.026 * len(drums)))  # room for its name
        self.floor = self.low - 0.5 - self.lane * len(drums) - (1.0 if len(drums) and self.pitched else 0.0)

    @property
    def span(self):
        return self.high - self.low + 1

    @property
    def lanes(self):
        return self.floor + self.lane * (0.5 + np.arange(len(self.drums)))

    def heights(self, pitches, drums):
        """Height of each note, where `drums` tells which are drums."""
        heights = pitches.astype(float)
        heights[drums] = self.lanes[np.searchsorted(self.drums, pitches[drums])]
        return heights

    def draw(self, ax):
        for pitch in range(self.low, self.high + 1):
            if pitch % 12 in _BLACK_KEYS:
                ax.axhspan(pitch - 0.5, pitch + 0.5, color=INK, alpha=0.045, linewidth=0, zorder=0)
            elif pitch % 12 == 0:
                ax.axhline(pitch - 0.5, color=INK, alpha=0.25, linewidth=0.6, zorder=0.5)
        if len(self.drums) and self.pitched:
            ax.axhline(self.low - 0.75, color=INK, alpha=0.6, linewidth=0.8, zorder=0.5)
        ax.set_ylim(self.floor, self.high + 0.5)
        step = next(steps for span, steps in _TICKS if self.span <= span)
        pitches = [pitch for pitch in range(self.low, self.high + 1) if pitch % 12 in step]
        names = [pitch_name(pitch) for pitch in pitches]
        ax.set_yticks([*self.lanes, *pitches], [*self.drum_names, *names])
        ax.tick_params(axis="y", length=0)


#: Widest range in semitones, and which of the twelve pitches are named in it.
_TICKS = ((18, (0, 2, 4, 5, 7, 9, 11)), (30, (0, 4, 7)), (48, (0, 7)), (128, (0,)))


def _draw_bars(ax, timing, start, end):
    bars = timing.bars(end)
    downbeat = timing.meters[0].beat * timing.quarters_per_beat
    numbers = np.arange(len(bars)) + 1 - np.count_nonzero(bars < downbeat - 1e-9)
    times = timing.quarters_to_seconds(bars)
    shown = (times >= start - 1e-9) & (times < end)
    times, numbers = times[shown], numbers[shown]
    labelled = (numbers - 1) % _label_step(len(numbers)) == 0
    _draw_lines(ax, times[labelled], alpha=0.45, linewidth=0.8)
    if len(times) <= _MOST_BARS:
        _draw_lines(ax, times[~labelled], alpha=0.25, linewidth=0.5)
    first, last = np.ceil(timing.seconds_to_beats([start, end]) - 1e-9).astype(int)
    if last - first <= _MOST_BEATS:
        _draw_lines(ax, timing.beats_to_seconds(np.arange(first, last)), alpha=0.15, linewidth=0.5)
    top = ax.secondary_xaxis("top")
    names = [str(number) for number in numbers[labelled]]
    top.set_xticks(times[labelled], [f"bar {name}" for name in names[:1]] + names[1:])
    top.tick_params(length=0, labelsize=8, colors=INK, pad=1)
    top.spines["top"].set_visible(False)


def _draw_lines(ax, times, **style):
    ax.vlines(times, 0, 1, transform=ax.get_xaxis_transform(), color=INK, zorder=0.6, **style)


def _label_step(count):
    """Every how many bars a number stands: 1, 2, 4, 8, 16 ..."""
    step = 1
    while count > _MOST_LABELS * step:
        step *= 2
    return step


def _draw_tracks(ax, sequence, notes, heights, stroke):
    shown = np.unique(notes["track"]).tolist()
    for index in shown:
        mine = notes["track"] == index
        draw_notes(ax, notes[mine], heights[mine], COLOURS[index % len(COLOURS)], stroke)
    if not shown:
        ax.text(0.5, 0.5, "no notes", transform=ax.transAxes, ha="center", va="center", color=INK)
    if len(shown) > 1 or any(sequence.tracks[index].name for index in shown):
        _draw_legend(ax, [(COLOURS[index % len(COLOURS)], track_label(sequence.tracks[index])) for index in shown])


def draw_notes(ax, notes, heights, colour, stroke):
    """Bars of the notes' lengths, and a stroke at each onset that tells repeated notes from one long one."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgb

    opacity = _SOFTEST + (_LOUDEST - _SOFTEST) * (notes["velocity"] - 1.0) / 126
    faces = np.column_stack([np.tile(to_rgb(colour), (len(notes), 1)), opacity])
    left, right = notes["start"], notes["end"]
    low, high = heights - 0.38, heights + 0.38
    corners = np.stack([[left, low], [left, high], [right, high], [right, low]]).transpose(2, 0, 1)
    raster = len(notes) >= _RASTER_FROM
    bars = PolyCollection(corners, facecolors=faces, linewidth=0, zorder=NOTE_LAYER, rasterized=raster)
    bars.set_snap(False)  # a note narrower than a pixel is faint, not lost
    ax.add_collection(bars)
    strokes = ax.vlines(left, low, high, colors=_darker(colour), linewidth=stroke, zorder=NOTE_LAYER + 0.1)
    strokes.set_alpha(opacity)
    strokes.set_rasterized(raster)


def _darker(colour):
    from matplotlib.colors import to_rgb

    return tuple(0.7 * channel for channel in to_rgb(colour))


def _draw_legend(ax, entries):
    from matplotlib.patches import Patch

    legend = ax.legend(
        handles=[Patch(color=colour, label=str(row)) for row, (colour, _) in enumerate(entries)],
        loc="upper left", bbox_to_anchor=(1.005, 1), borderaxespad=0, ncols=1 + (len(entries) - 1) // 20,
        frameon=False, labelcolor=INK, fontsize=9, handlelength=1.0,
    )  # fmt: skip
    for text, (_, label) in zip(legend.get_texts(), entries, strict=True):
        text.set_parse_math(False)
        text.set_text(label)


def track_label(track):
    """A track's name, else its instrument: "Violin", "drums"; at most 28 characters.

    Examples
    --------
    >>> from musicgen import Track
    >>> track_label(Track("", 40)), track_label(Track("solo", 40)), track_label(Track("", 0, True))
    ('Violin', 'solo', 'drums')
    """
    from pretty_midi import program_to_instrument_name

    label = track.name or ("drums" if track.drum else program_to_instrument_name(track.program))
    return label if len(label) <= 28 else label[:27] + "…"


def pitch_name(pitch):
    """The name of a MIDI pitch, with its octave: C4 = 60.

    Examples
    --------
    >>> pitch_name(60), pitch_name(70)
    ('C4', 'B♭4')
    """
    return f"{_NAMES[pitch % 12]}{pitch // 12 - 1}"


def _losses(history):
    losses = {str(name): np.asarray(values, dtype=float) for name, values in history.items() if name.endswith("loss")}
    if not losses:
        raise InputError(f"no series ends in 'loss': {', '.join(history) or 'none given'}")
    for name, values in losses.items():
        if values.ndim != 1 or not len(values):
            raise InputError(f"{name} must be a list of at least one number, not of shape {values.shape}")
    return losses


def _draw_loss(ax, name, values, colour):
    epochs = np.arange(1, len(values) + 1)
    validation = name.startswith("val_")
    label = f"{'validation' if validation else 'training'} {name.removeprefix('val_').replace('_', ' ')}"
    if validation and np.isfinite(values).any():
        best = int(np.nanargmin(values))
        label += f" (best {values[best]:.4g}, epoch {best + 1})"
        ax.plot(epochs[best], values[best], "o", color=colour, markersize=7)
    few = "." if len(values) < 30 else ""
    ax.plot(epochs, values, color=colour, linestyle="--" if validation else "-", marker=few, label=label)
