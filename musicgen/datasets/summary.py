"""What a source of pieces holds, in numbers."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from ..errors import InputError
from ..metrics import describe
from .splits import duplicate_key


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
        Pieces by genre, by first meter and by key: that of `meta`, else the estimated one; a piece without pitched
        notes has none.
    bpm, polyphony : numpy.ndarray of float64, shape (pieces,)
        Median tempo of each piece, and the mean number of notes that sound where any does.
    assumed : Counter
        Pieces whose source does not tell "tempo" or "meter", as `meta` says.
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
    assumed: Counter = field(default_factory=Counter)
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
            "assumed": dict(self.assumed),
        }


def report_data(source, *, provenance=None, refused=None):
    """Look through the pieces of a source, one at a time.

    Parameters
    ----------
    source : iterable of NoteSequence, or PreparedPieces
        What `load_folder`, `load_gtzan`, `load_corpus` or `load_polyphonic` gives, or any pieces. Of prepared pieces
        is told what they were before they were encoded.
    provenance : dict of str to str, optional
        Default: that of the source, if it has one.
    refused : list of (source, reason), optional
        Default: that of the source, if it has one.

    Returns
    -------
    DataReport

    Raises
    ------
    InputError
        If the source holds something else than pieces.

    Examples
    --------
    >>> from musicgen import NoteSequence, transpose
    >>> piece = NoteSequence([(0.0, 0.5, 60, 80, 0), (0.5, 1.0, 64, 80, 0)], meta={"source": "a"})
    >>> report = report_data([piece, transpose(piece, 2).replace(meta={"source": "b"})])
    >>> report.pieces, report.notes, report.duplicates
    (2, 4, [['a', 'b']])
    """
    known = source.piece_facts() if hasattr(source, "piece_facts") else map(piece_facts, source)
    bpm, polyphony, names = [], [], {}
    genres, meters, keys, assumed = Counter(), Counter(), Counter(), Counter()
    notes = seconds = 0
    for number, facts in enumerate(known):
        meta = facts["meta"]
        notes, seconds = notes + facts["notes"], seconds + facts["seconds"]
        bpm.append(facts["bpm"])
        polyphony.append(np.nan if facts["polyphony"] is None else facts["polyphony"])
        genres.update(filter(None, [meta.get("genre")]))
        keys.update(filter(None, [facts["key"]]))
        meters.update([facts["meter"]])
        assumed.update(name for name in ("tempo", "meter") if "assumed" in meta.get(name, ""))
        name = meta.get("source") or meta.get("title") or f"piece {number}"
        names.setdefault(facts["duplicate_key"], []).append(name)
    return DataReport(
        provenance=dict(getattr(source, "provenance", {}) if provenance is None else provenance),
        refused=list(getattr(source, "refused", []) if refused is None else refused),
        pieces=len(bpm),
        notes=notes,
        hours=seconds / 3600,
        genres=genres,
        meters=meters,
        keys=keys,
        bpm=np.array(bpm, dtype=np.float64),
        polyphony=np.array(polyphony, dtype=np.float64),
        assumed=assumed,
        duplicates=[group for group in names.values() if len(group) > 1],
    )


def piece_facts(piece):
    """What a report needs of one piece, as JSON can hold it.

    Returns
    -------
    dict
        `notes`, `seconds`, `meter` (the first), `key` and `polyphony` (None where there is none), `bpm`, `grid`
        (what tells where bars lie in the piece's beats), `duplicate_key`, `meta`.
    """
    polyphony = describe(piece)["polyphony"]
    return {
        "notes": len(piece),
        "seconds": piece.duration,
        "meter": "{1}/{2}".format(*piece.timing.meters[0]),
        "key": _key(piece),
        "bpm": piece.timing.bpm,
        "grid": [
            float(piece.timing.seconds_to_beats(0.0)),
            piece.timing.quarters_per_beat,
            [list(meter) for meter in piece.timing.meters],
        ],
        "polyphony": polyphony if np.isfinite(polyphony) else None,
        "duplicate_key": duplicate_key(piece),
        "meta": dict(piece.meta),
    }


def _key(piece):
    from ..score import estimate_key
    from ..score.key import KEYS

    if piece.meta.get("key") in KEYS:
        return piece.meta["key"]
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
