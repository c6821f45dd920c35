"""Fragments judged for `adversarial`: each side's measures, and their gaps to the training data.

A side is fragments as tokens, uint8 of shape (n, steps, lines), on the white keys; `facts_of` tells:

- QN, PP, UPC, TD: `qualified_note_share`, `polyphonic_share`, `pitch_classes_per_bar` and `tonal_distance` of
  `musicgen.metrics` (Dong et al., MuseGAN, AAAI 2018; Dong and Yang, ISMIR 2018), means over fragments. UPC is that
  of each track alone, as in MuseGAN, mean over tracks. EB: share of empty bars of a track.
- histograms: those of `musicgen.composers.guard`, whose overlapping areas are compared.
- diversity: mean share of steps and lines in which two fragments differ.
- verbatim: share of 1-bar fragments, all lines together, that the training data hold in any place and key.
"""

import numpy as np

from musicgen.codecs.lines import HELD, SILENT, codes_of
from musicgen.codecs.melody import HOLD, REST
from musicgen.composers.guard import diversity, histograms
from musicgen.metrics import describe

MEASURED = 5000  # fragments at most whose measures are taken
RHYTHM = ("inter_onset", "position")
SHAPE = ("pitch", "length", "density")


def facts_of(composer, tokens, training_bars):
    """All that is told of a side; see above."""
    cutter, tokens = composer._cutter, tokens[:MEASURED]
    rows = [describe(cutter.piece(lines, bpm=120.0), resolution=12) for lines in tokens]
    codes = codes_of(tokens)
    bars = codes.reshape(len(tokens), cutter.bars, cutter.bar_steps, cutter.lines)
    return {
        "QN": mean_of(rows, "qualified_note_share"),
        "PP": mean_of(rows, "polyphonic_share"),
        "EB": float(np.mean([(part == SILENT).all(axis=(2, 3)) for part in tracks_of(bars, cutter)])),
        "UPC": float(np.mean([classes_per_bar(part) for part in tracks_of(bars, cutter)])),
        "TD": mean_of(rows, "tonal_distance"),
        "histograms": histograms(tokens, cutter.bar_steps),
        "diversity": diversity(tokens),
        "verbatim": float(np.mean([bar in training_bars for bar in bars_of(tokens, cutter.bar_steps)])),
    }


def mean_of(rows, name):
    """Mean of a measure over the fragments for which it is defined; NaN where it is for none."""
    values = np.array([row[name] for row in rows])
    return float(values[np.isfinite(values)].mean()) if np.isfinite(values).any() else np.nan


def tracks_of(bars, cutter):
    """The tracks of bars (n, bars, bar_steps, lines), each with its lines."""
    return np.split(bars, np.cumsum(cutter.counts)[:-1], axis=3)


def classes_per_bar(bars):
    """Pitch classes that a track sounds in a bar, mean over bars: codes (n, bars, bar_steps, lines)."""
    classes = np.where(bars < SILENT, bars % HELD % 12, 12)
    return float(sum((classes == one).any(axis=(2, 3)).mean() for one in range(12)))


def bars_of(tokens, bar_steps):
    """All bars of fragments as bytes; what sounds into a bar counts as if it began there."""
    codes = codes_of(tokens).reshape(-1, bar_steps, tokens.shape[-1]).copy()
    codes[:, 0] = np.where(codes[:, 0] < SILENT, codes[:, 0] % HELD, SILENT)
    return [bar.tobytes() for bar in codes]


def overlap(side, other, names):
    """Mean overlapping area of the named histograms of two sides."""
    return float(np.mean([np.minimum(side["histograms"][n], other["histograms"][n]).sum() for n in names]))


def random_bars(tokens, count, bar_steps, seed):
    """A rival: fragments of bars drawn from all of the training data's."""
    bars = tokens.reshape(-1, bar_steps, tokens.shape[-1]).copy()
    codes = codes_of(tokens).reshape(bars.shape)[:, 0]
    bars[:, 0] = np.where((codes >= HELD) & (codes < SILENT), codes - HELD, bars[:, 0])
    drawn = np.random.default_rng(seed).integers(0, len(bars), (count, tokens.shape[1] // bar_steps))
    return bars[drawn].reshape(count, *tokens.shape[1:])


def independent_cells(tokens, count, seed):
    """A rival: every cell of the roll drawn on its own, as often as it is set in the training data at that step.

    Of a line that would sound several pitches one is drawn; onsets are drawn as often as sounding cells are onsets.
    """
    codes, random = codes_of(tokens), np.random.default_rng(seed)
    values = np.where(codes < SILENT, codes % HELD, REST)
    columns = random.integers(0, len(values), (count, *values.shape[1:]))
    drawn = np.take_along_axis(values, columns, axis=0)
    chance = (codes < HELD).sum() / max((codes < SILENT).sum(), 1)
    struck = random.random(drawn.shape) < chance
    before = np.concatenate([np.full_like(drawn[:, :1], REST), drawn[:, :-1]], axis=1)
    goes_on = (drawn == before) & (drawn != REST) & ~struck
    return np.where(goes_on, HOLD, drawn).astype(np.uint8)


def border_jump(composer, pieces):
    """Jump of features at the borders of what was written at once, over that inside, in long compositions.

    Features of a bar are its share of each pitch class, its notes and its mean pitch, the last two in standard
    deviations; a jump is the distance of two bars in a row (Euclidean). Windows end every half fragment.
    """
    hop, jumps = composer.fragment_bars // 2, {True: [], False: []}
    lines = [composer._cutter.on_bars(piece)[0] for piece in pieces]
    found = np.stack([bar_features(some, composer._cutter.bar_steps) for some in lines])
    found = found / np.maximum(found.std(axis=(0, 1)), 1e-9) * np.append(np.full(12, 1 / np.sqrt(12)), [1, 1])
    for bar, jump in enumerate(np.linalg.norm(np.diff(found, axis=1), axis=2).mean(axis=0), start=1):
        jumps[bar >= composer.fragment_bars and (bar - composer.fragment_bars) % hop == 0].append(jump)
    return float(np.mean(jumps[True]) / np.mean(jumps[False]))


def bar_features(lines, bar_steps):
    """Share of each pitch class by time, notes, and mean pitch of every bar: (bars, 14)."""
    codes = codes_of(lines).reshape(-1, bar_steps * lines.shape[-1]).astype(int)
    sounds = codes < SILENT
    classes = np.where(sounds, codes % HELD % 12, 12)
    shares = np.stack([(classes == one).sum(axis=1) for one in range(12)], axis=1) / np.maximum(
        sounds.sum(axis=1, keepdims=True), 1
    )
    heights = np.where(sounds, codes % HELD, 0).sum(axis=1) / np.maximum(sounds.sum(axis=1), 1)
    return np.column_stack([shares, (codes < HELD).sum(axis=1), heights])
