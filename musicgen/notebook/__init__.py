"""What Jupyter shows: pieces with picture and player, maps of a latent space."""

from .maps import LatentMapView, show_latent_map
from .pieces import piece_html, summary

__all__ = ["LatentMapView", "piece_html", "show_latent_map", "summary"]
