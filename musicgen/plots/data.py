"""What a source of pieces holds, as one picture."""

import numpy as np

from .figures import new_figure
from .pieces import COLOURS, INK

_MOST_BARS = 14  # in a panel; the rest is told by number


def plot_data_report(report):
    """Six panels: what was taken and refused, genres, meters, keys, tempo and polyphony.

    Parameters
    ----------
    report : DataReport
        What `report_data` gave.

    Returns
    -------
    matplotlib.figure.Figure
        Give it to `save_figure`.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> from musicgen import NoteSequence, report_data
    >>> figure = plot_data_report(report_data([NoteSequence([(0.0, 1.0, 60, 80, 0)])]))
    >>> [ax.get_title(loc="left") for ax in figure.axes]
    ['pieces', 'genre', 'meter', 'key', 'tempo', 'polyphony']
    """
    figure = new_figure(11.0, 6.4)
    panels = figure.subplots(2, 3).ravel()
    copies = sum(len(group) - 1 for group in report.duplicates)
    counts = {"distinct": report.pieces - copies, "copies": copies, "refused": len(report.refused)}
    _draw_counts(panels[0], "pieces", counts)
    _draw_counts(panels[1], "genre", dict(report.genres.most_common()))
    _draw_counts(panels[2], "meter", dict(report.meters.most_common()))
    _draw_counts(panels[3], "key", dict(report.keys.most_common()))
    guesses = (
        f", assumed for {report.assumed['tempo']:,} of {report.pieces:,} pieces" if report.assumed["tempo"] else ""
    )
    _draw_distribution(panels[4], "tempo", report.bpm, f"beats per minute{guesses}")
    _draw_distribution(panels[5], "polyphony", report.polyphony, "notes that sound at once, mean of a piece")
    figure.suptitle(_headline(report), x=0.01, ha="left", color=INK, fontweight="bold", parse_math=False)
    return figure


def _headline(report):
    name = report.provenance.get("name", "data")
    return f"{name}: {report.pieces:,} pieces, {report.notes:,} notes, {report.hours:.3g} hours"


def _draw_counts(ax, title, counts):
    _style(ax, title)
    if not counts:
        return _draw_nothing(ax)
    shown = list(counts.items())[:_MOST_BARS]
    names, values = zip(*shown, strict=True)
    if len(counts) > len(shown):
        rest = list(counts.values())[len(shown) :]
        names, values = (*names, f"{len(rest)} others"), (*values, sum(rest))
    places = np.arange(len(names))
    bars = ax.barh(places, values, color=COLOURS[0])
    ax.bar_label(bars, [f"{value:,}" for value in values], padding=3, color=INK, fontsize=8)
    ax.set_yticks(places)
    for label, name in zip(ax.set_yticklabels(names), names, strict=True):
        label.set_parse_math(False)
        label.set_text(name)
    ax.set_ylim(max(len(names), 3) - 0.5, -0.5)
    ax.set_xlim(0, 1.15 * max(*values, 1))
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return None


def _draw_distribution(ax, title, values, unit):
    _style(ax, title)
    values = values[np.isfinite(values)]
    if not len(values):
        return _draw_nothing(ax)
    ax.hist(
        values, bins=min(30, max(5, int(np.sqrt(len(values))))), color=COLOURS[0], edgecolor="white", linewidth=0.5
    )
    median = float(np.median(values))
    ax.axvline(median, color=COLOURS[1], linewidth=1.2)
    ax.annotate(
        f"median {median:.3g}", (median, 1.0), xycoords=("data", "axes fraction"), xytext=(4, -4),
        textcoords="offset points", va="top", fontsize=8, color=INK,
    )  # fmt: skip
    ax.set_xlabel(unit, color=INK, fontsize=9)
    ax.set_ylabel("pieces", color=INK, fontsize=9)
    ax.yaxis.get_major_locator().set_params(integer=True)
    return None


def _draw_nothing(ax):
    ax.text(0.5, 0.5, "not known", transform=ax.transAxes, ha="center", va="center", color=INK)
    ax.set_axis_off()


def _style(ax, title):
    ax.set_title(title, loc="left", color=INK, fontsize=10)
    ax.tick_params(colors=INK, labelsize=8)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_alpha(0.5)
