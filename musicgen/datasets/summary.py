"""What a source of pieces holds, in numbers."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from ..errors import InputError
from ..metrics import describe
from .splits import duplicates


@dataclass(frozen=True)
class DataReport:
    """What `report_data` found.

    Attributes
    ----------
    provenance : dict of str to str
        Name of the source, reference, terms of use.
    refused : list of (source, reason)
    pieces, notes : int
    hours : float
    genres, meters, keys : Counter
        Pieces by genre, by first meter and by estimated key; a piece without pitched notes has no key.
    bpm, polyphony : numpy.ndarray of float64, shape (pieces,)
        Median tempo of each piece, and the mean number of notes that sound where any does.
    duplicates : list of list of str
        Sources of pieces that are copies of each other, transposed ones included.
    """

    provenance: dict = field(default_factory=dict)
    refused: list = field(default_factory=list)
    pieces: int = 0
    notes: int = 0
    hours: float = 0.0
    genres: Counter = field(default_factory=Counter)
    meters: Counter = field(default_factory=Counter)
    keys: Counter = field(default_factory=Counter)
    bpm: np.ndarray = field(default_factory=lambda: np.empty(0))
    polyphony: np.ndarray = field(default_factory=lambda: np.empty(0))
    duplicates: list = field(default_factory=list)

    def facts(self):
        """The report as JSON can hold it: distributions as quartiles, `refused` as a number."""
        return {
            "provenance": self.provenance,
            "pieces": self.pieces,
            "refused": len(self.refused),
            "duplicates": self.duplicates,
            "notes": self.notes,
            "hours": _short(self.hours),
            "genres": dict(self.genres.most_common()),
            "meters": dict(self.meters.most_common()),
            "keys": dict(self.keys.most_common()),
            "bpm": _quartiles(self.bpm),
            "polyphony": _quartiles(self.polyphony),
        }


def report_data(source, *, provenance=None, refused=None):
    """Look through the pieces of a source.

    Parameters
    ----------
    source : iterable of NoteSequence
        What `load_folder`, `load_gtzan`, `load_corpus` or `load_polyphonic` gives, or any pieces.
    provenance : dict of str to str, optional
        Default: that of the source, if it has one.
    refused : list of (source, reason), optional
        Default: that of the source, if it has one.

    Returns
    -------
    DataReport

    Examples
    --------
    >>> from musicgen import NoteSequence, transpose
    >>> piece = NoteSequence([(0.0, 0.5, 60, 80, 0), (0.5, 1.0, 64, 80, 0)], meta={"source": "a"})
    >>> report = report_data([piece, transpose(piece, 2).replace(meta={"source": "b"})])
    >>> report.pieces, report.notes, report.duplicates
    (2, 4, [['a', 'b']])
    """
    pieces = list(source)
    names = [piece.meta.get("source") or piece.meta.get("title") or f"piece {n}" for n, piece in enumerate(pieces)]
    return DataReport(
        provenance=dict(getattr(source, "provenance", {}) if provenance is None else provenance),
        refused=list(getattr(source, "refused", []) if refused is None else refused),
        pieces=len(pieces),
        notes=sum(map(len, pieces)),
        hours=sum(piece.duration for piece in pieces) / 3600,
        genres=Counter(piece.meta["genre"] for piece in pieces if piece.meta.get("genre")),
        meters=Counter("{1}/{2}".format(*piece.timing.meters[0]) for piece in pieces),
        keys=Counter(filter(None, map(_key, pieces))),
        bpm=np.array([piece.timing.bpm for piece in pieces]),
        polyphony=np.array([describe(piece)["polyphony"] for piece in pieces]),
        duplicates=[[names[place] for place in places] for places in duplicates(pieces)],
    )


def _key(piece):
    from ..score import estimate_key

    try:
        return estimate_key(piece)
    except InputError:  # no pitched note sounds
        return None


def _quartiles(values):
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    names = ("lowest", "lower quartile", "median", "upper quartile", "highest")
    return dict(zip(names, (_short(v) for v in np.percentile(values, [0, 25, 50, 75, 100])), strict=True))


def _short(value):
    return float(f"{value:.4g}")
