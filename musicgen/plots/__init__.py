"""Pictures of pieces, of training and of data, as matplotlib Axes and Figures."""

from .contest import SampleStrips, plot_looks, plot_samples
from .data import plot_data_report
from .latent import LatentMap, genre_colours, latent_map, plot_interpolation, plot_latent_map
from .pieces import COLOURS, INK, NOTE_LAYER, pitch_name, plot_history, plot_piece, save_figure, track_label

__all__ = [
    "COLOURS",
    "INK",
    "NOTE_LAYER",
    "LatentMap",
    "SampleStrips",
    "genre_colours",
    "latent_map",
    "pitch_name",
    "plot_data_report",
    "plot_history",
    "plot_interpolation",
    "plot_latent_map",
    "plot_looks",
    "plot_piece",
    "plot_samples",
    "save_figure",
    "track_label",
]
