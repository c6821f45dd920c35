"""Pictures of a GAN's training: samples as they evolve, both networks' losses, and how near the samples are."""

from pathlib import Path

import numpy as np

from ..errors import InputError
from .figures import new_figure
from .latent import draw_roll, pitch_limits
from .pieces import COLOURS, INK, save_figure

_MOST = 8  # rolls of a strip
_LOSSES = {"loss": "critic", "generator": "generator"}


def plot_samples(sequences, *, title=""):
    """A strip of small piano rolls on one scale of pitches.

    Parameters
    ----------
    sequences : sequence of NoteSequence
        The first 8 are drawn. Colour names the track.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
        Give it to `save_figure`.

    Raises
    ------
    InputError
        If there are no pieces.
    MissingDependencyError
        If matplotlib is not installed.
    """
    pieces = list(sequences)[:_MOST]
    if not pieces:
        raise InputError("there are no pieces to draw", remedy="give at least one")
    figure = new_figure(max(2.0 * len(pieces), 4.0), 2.4)
    for place, piece in enumerate(pieces, 1):
        draw_roll(figure.add_subplot(1, len(pieces), place), piece, *pitch_limits(pieces))
    figure.suptitle(title, color=INK, fontsize=10)
    return figure


def plot_looks(looks):
    """What a GAN's guard found while it trained: losses above, below how near the samples came to the data.

    Parameters
    ----------
    looks : sequence of dict
        `provenance["looks"]` of a GANComposer.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there are none.
    MissingDependencyError
        If matplotlib is not installed.
    """
    looks = list(looks)
    if not looks:
        raise InputError("the training was not looked at", remedy="train a GANComposer first")
    steps = [look["step"] for look in looks]
    figure = new_figure(8.0, 6.0)
    losses, near = figure.subplots(2, 1, sharex=True)
    for (name, label), colour in zip(_LOSSES.items(), COLOURS, strict=False):
        losses.plot(steps, [look.get(name, np.nan) for look in looks], color=colour, label=label)
    losses.set_ylabel("loss", color=INK)
    names = [name for name in looks[0] if name.startswith("overlap_")]
    for name, colour in zip(names, COLOURS, strict=False):
        label = name.removeprefix("overlap_").replace("_", " ")
        near.plot(steps, [look[name] for look in looks], color=colour, alpha=0.6, linewidth=1, label=label)
    near.plot(steps, [look["overlap"] for look in looks], color=INK, linewidth=2, label="mean overlap")
    near.plot(steps, [look["diversity"] for look in looks], color=INK, linestyle="--", label="diversity, data = 1")
    near.set_xlabel("training step", color=INK)
    near.set_ylabel("share", color=INK)
    near.set_ylim(0, 1.2)
    if len(steps) == 1:  # a line of one point is not seen
        for line in (*losses.lines, *near.lines):
            line.set_marker("o")
    for ax in (losses, near):
        ax.grid(axis="y", color=INK, alpha=0.12, linewidth=0.6)
        ax.tick_params(colors=INK, labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, labelcolor=INK, fontsize=8, loc="upper left", bbox_to_anchor=(1.005, 1))
    return figure


class SampleStrips:
    """A listener for `GANComposer.fit` that draws samples as they evolve.

    At every look it writes `step-000200.png`, a strip of rolls, into a folder, and `training.png` anew, see
    `plot_looks`.

    Parameters
    ----------
    folder : path-like
    log_dir : path-like, optional
        Where to write the strips for TensorBoard too.
    """

    def __init__(self, folder, *, log_dir=None):
        self.folder, self.log_dir, self._looks = Path(folder), log_dir, []

    def __call__(self, step, found, sequences):
        self._looks.append(found)
        self.folder.mkdir(parents=True, exist_ok=True)
        told = f"step {step:,}: overlap {found['overlap']:.2f}, diversity {found['diversity']:.2f} of the data's"
        path = save_figure(plot_samples(sequences, title=told), self.folder / f"step-{step:06}.png", dpi=100)
        save_figure(plot_looks(self._looks), self.folder / "training.png", dpi=100)
        if self.log_dir is not None:
            from ..composers.backend.logs import write_image

            write_image(self.log_dir, "samples", path.read_bytes(), step)
