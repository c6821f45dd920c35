"""A piece by bars: what sounds in each, when notes begin in it, and how alike bars are."""

from functools import cached_property

import numpy as np

from .harmony import SLACK, spans

#: Steps per quarter note at which onsets in bars are compared.
BAR_RESOLUTION = 4
#: Bars of a piece that are looked at, from its beginning on.
MAX_BARS = 1024


class Bars:
    """A piece by bars: at most the first `MAX_BARS`.

    Parameters
    ----------
    facts : Facts
    """

    def __init__(self, facts):
        self._facts = facts
        starts = facts.bar_starts
        last = facts.timing.meter_at(starts[-1]).quarters
        self.edges = np.append(starts, starts[-1] + last)[: MAX_BARS + 1]

    def __len__(self):
        return len(self.edges) - 1

    @cached_property
    def steps(self):
        """Steps of the longest bar."""
        return max(1, int(np.ceil(np.diff(self.edges).max() * BAR_RESOLUTION - 1e-9)))

    @cached_property
    def chroma(self):
        """Quarters that each pitch class sounds in each bar: float64, (bars, 12)."""
        start, end = (
            np.clip(times, self.edges[0], self.edges[-1]) for times in (self._facts.starts, self._facts.ends)
        )
        row, bar, length = spans(self.edges, start, end)
        cells = bar * 12 + self._facts.pitches[row] % 12
        return np.bincount(cells, weights=length, minlength=len(self) * 12).reshape(len(self), 12)

    @cached_property
    def rhythm(self):
        """Notes, drums included, that begin at each step of each bar: int64, (bars, steps)."""
        bar, step, _ = self._places(self._facts.note_quarters[0])
        return np.bincount(bar * self.steps + step, minlength=len(self) * self.steps).reshape(len(self), self.steps)

    @cached_property
    def roll(self):
        """Pitched notes that begin at each step of each bar, by pitch class: int64, (bars, steps * 12)."""
        bar, step, kept = self._places(self._facts.starts)
        cells = (bar * self.steps + step) * 12 + self._facts.pitches[kept] % 12
        return np.bincount(cells, minlength=len(self) * self.steps * 12).reshape(len(self), -1)

    @cached_property
    def pitch_classes(self):
        """Pitched notes of each pitch class that begin in each bar: int64, (bars, 12)."""
        return self.roll.reshape(len(self), self.steps, 12).sum(axis=1)

    @cached_property
    def similarity(self):
        """Cosine of the angle between the rolls of any two bars, 0 to 1; of empty bars 0: (bars, bars)."""
        return cosines(self.roll)

    @cached_property
    def contrast(self):
        """Similarity less what each of both bars has with all others: (bars, bars), at least 2 bars.

        Bars that are like many others, such as final notes, then tell nothing by being like one more.
        """
        alike = self.similarity - np.diag(np.diagonal(self.similarity))
        usual = alike.sum(axis=1) / (len(self) - 1)
        return alike - usual[:, None] - usual + usual.mean()

    @cached_property
    def paths_and_blocks(self):
        """Correlations of the contrast of two bars with that of the two that follow, and of one and the next.

        Over all pairs at least two bars apart, each -1 to 1; 0 where all pairs are the same.
        """
        contrast = self.contrast
        pairs = contrast[np.triu_indices(len(self), 2)]
        spread, contrast = pairs.var(), contrast - pairs.mean()
        if spread < 1e-9:
            return 0.0, 0.0
        i, j = np.triu_indices(len(self) - 1, 2)
        apart = j - i > 2  # the neighbour on the inner side is one bar away otherwise
        paths = contrast[i, j] * contrast[i + 1, j + 1]
        blocks = [contrast[i, j] * contrast[i, j + 1], (contrast[i, j] * contrast[i + 1, j])[apart]]
        return tuple(np.clip(each.mean() / spread, -1.0, 1.0) for each in (paths, np.concatenate(blocks)))

    @cached_property
    def leaps(self):
        """Semitones from the last onset of a bar to the first of another within a track: (tracks, bars, bars).

        Row: the bar before; column: the bar after. NaN where either has no note of the track.
        """
        bar, _, kept = self._places(self._facts.starts)
        notes, pitches = self._facts.pitched[kept], self._facts.pitches[kept].astype(np.float64)
        ends = [_bar_ends(bar[mine], pitches[mine], notes["start"][mine], len(self)) for mine in _tracks(notes)]
        return np.array([np.abs(last[:, None] - first) for first, last in ends]).reshape(-1, len(self), len(self))

    def _places(self, starts):
        """Bar and step of onsets in quarters, and which of them lie in the bars that are looked at."""
        bar = np.maximum(np.searchsorted(self.edges, starts + SLACK, side="right") - 1, 0)
        kept = np.flatnonzero(bar < len(self))
        bar = bar[kept]
        step = np.rint((starts[kept] - self.edges[bar]) * BAR_RESOLUTION).astype(np.int64)
        return bar, np.clip(step, 0, self.steps - 1), kept


def cosines(rows):
    """Cosine of the angle between any two rows; 0 where one is zero.

    Examples
    --------
    >>> cosines(np.array([[1, 0], [3, 3], [0, 0]])).round(3)
    array([[1.   , 0.707, 0.   ],
           [0.707, 1.   , 0.   ],
           [0.   , 0.   , 0.   ]])
    """
    rows = rows.astype(np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows / np.where(length > 0, length, 1.0)
    return np.clip(rows @ rows.T, 0.0, 1.0)


def _tracks(notes):
    """Of each track with notes, which notes are its."""
    return [notes["track"] == track for track in np.unique(notes["track"])]


def _bar_ends(bar, pitches, start, count):
    """Pitch of the first and of the last onset in each of `count` bars, of several the highest; NaN without one."""
    order = np.lexsort((-pitches, start))
    first, last = np.full(count, np.nan), np.full(count, np.nan)
    first[bar[order][::-1]] = pitches[order][::-1]
    order = np.lexsort((pitches, start))
    last[bar[order]] = pitches[order]
    return first, last
