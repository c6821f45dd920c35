"""Drum patterns with known onsets, made from seeds, and accompaniments in their tempo to bury them in.

No file of any drummer is used: a pattern is a style's grid of strokes, drawn with chances, played with wandering
velocities and times. The accompaniments are chorales of music21's corpus in the pattern's tempo, for a band drawn
by the same seed, with the notes restruck on the beat as accompanists do.
"""

import warnings

import numpy as np

from musicgen.datasets import load_corpus
from musicgen.notes import NOTE_DTYPE, NoteSequence, Track
from musicgen.rendering import render
from musicgen.timing import Timing

#: General MIDI's percussion keys that count as each class.
KICK, SNARE, HIHAT = (35, 36), (37, 38, 39, 40), (42, 44, 46, 49, 51, 53, 57, 59)
CLASSES = {"kick": KICK, "snare": SNARE, "hi-hat": HIHAT}
STYLES = ("rock", "funk", "swing", "shuffle", "four-on-the-floor", "halftime", "bossa", "double kick")
#: No style of any drummer: every drum by itself, so that none can be guessed from another.
SCATTERED = "scattered"
TOMS = (50, 48, 47, 45, 43, 41)
_SIXTEENTHS, _TRIPLETS = np.arange(16) / 4, np.arange(12) / 3

# Chance of a stroke on every step of a bar: x surely, o probably, . seldom, - never.
_CHANCES = {"x": 0.97, "o": 0.5, ".": 0.08, "-": 0.0}
_GRIDS = {
    "rock": {36: "x--.-.o-x.o-.-.-", 38: "----x--.-.--x--.", 42: "x-x-x-x-x-x-x-x-"},
    "funk": {36: "x-.o--o.-.x--o--", 38: "-.-.x.-o-o-.x..o", 42: "xoxoxoxoxoxoxoxo"},
    "swing": {51: "x--x-ox--x-o", 44: "---x-----x--", 36: "o--.--o--.-.", 38: "--.-.o--.-.o"},
    "shuffle": {36: "x----ox--.-o", 38: "---x-.---x-.", 42: "x-xx-xx-xx-x"},
    "four-on-the-floor": {
        36: "x---x---x---x---",
        39: "----x-------x--.",
        46: "--x---x---x---x-",
        42: "o..oo..oo..oo..o",
    },
    "halftime": {36: "x-.-..o--.o-.-o-", 38: "--------x-----..", 42: "x-x.x-xox-x.xoxo"},
    "bossa": {36: "x--ox--ox--ox--o", 37: "x--x--x---x--x--", 42: "xoxoxoxoxoxoxoxo"},
    "double kick": {36: "xoxoxxxoxoxoxxxx", 38: "----x-------x---", 49: "x---o---x---o---"},
}


def pattern(seed, *, bars=8, style=None):
    """Drum notes of a seed.

    Returns
    -------
    NoteSequence
        One drum track in 4/4 at 70 to 180 beats per minute, beginning after a quarter of a second; `meta` names its
        style. Every fourth bar may be a fill.
    """
    rng = np.random.default_rng(seed)
    style = style or STYLES[rng.integers(len(STYLES))]
    grids = _GRIDS[style] if style != SCATTERED else _scattered_grids(rng)
    bpm, level = rng.uniform(70, 180), rng.uniform(60, 115)
    fill_chance, jitter_s = rng.uniform(0.2, 0.9), rng.uniform(0.002, 0.012)
    rows = []
    for bar in range(bars):
        is_fill = bar % 4 == 3 and rng.random() < fill_chance
        strokes = _strokes(rng, grids)
        if is_fill:
            begin = rng.choice([0.0, 2.0, 3.0])
            strokes = [stroke for stroke in strokes if stroke[0] < begin] + _fill(rng, begin)
        if bar and bar % 4 == 0:
            strokes = [stroke for stroke in strokes if stroke[0] > 0 or stroke[1] not in HIHAT] + [(0.0, 49, 1.1)]
        rows += [(4 * bar + beat, key, level * accent) for beat, key, accent in strokes]
    beats, keys, velocities = (np.array(column) for column in zip(*rows, strict=True))
    notes = np.zeros(len(rows), NOTE_DTYPE)
    notes["start"] = np.maximum(0, 0.25 + beats * 60 / bpm + rng.normal(0, jitter_s, len(rows)))
    notes["end"], notes["pitch"] = notes["start"] + 0.1, keys
    notes["velocity"] = np.clip(np.round(velocities * rng.normal(1, 0.12, len(rows))), 12, 127)
    timing = Timing.regular(bpm, start=0.25)
    end = 0.25 + 4 * bars * 60 / bpm + 0.5
    return NoteSequence(notes, (Track("Drums", 0, True),), timing, max(end, notes["end"].max()), {"style": style})


def _scattered_grids(rng):
    keys = [key for key in (36, 38, 42, 46, 51, 49, *TOMS[::2]) if rng.random() < 0.5] or [38]
    marks = [rng.choice(list("xo.-"), p=[0.1, 0.2, 0.3, 0.4], size=rng.choice([12, 16])) for _ in keys]
    return dict(zip(keys, marks, strict=True))


def _strokes(rng, grids):
    """(beat in the bar, key, accent) of one bar."""
    strokes = []
    for key, grid in grids.items():
        places = _SIXTEENTHS if len(grid) == 16 else _TRIPLETS
        for place, mark in zip(places, grid, strict=True):
            if rng.random() < _CHANCES[mark]:
                accent = 1.0 if place % 1 == 0 else 0.8
                ghost = key == 38 and mark in ".o"
                opened = key == 42 and mark == "x" and rng.random() < 0.04
                strokes.append((place, 46 if opened else key, 0.45 if ghost else accent))
    return strokes


def _fill(rng, begin):
    step = rng.choice([0.25, 1 / 3, 0.5])
    places = np.arange(begin, 4 - 1e-6, step)
    descent = np.linspace(0, len(TOMS), len(places), endpoint=False).astype(int)
    keys = [38 if rng.random() < 0.4 else TOMS[index] for index in descent]
    strokes = [(place, key, 0.9) for place, key in zip(places, keys, strict=True) if rng.random() < 0.9]
    return strokes + [(place, 36, 0.9) for place in places if place % 1 < 1e-6]


#: General MIDI programs of a band: low voice, and the others.
_BASSES = (32, 33, 34, 35, 36, 38, 0, 43, 58)
_OTHERS = (
    0,
    1,
    4,
    5,
    6,
    11,
    16,
    19,
    22,
    24,
    25,
    26,
    27,
    29,
    30,
    40,
    48,
    50,
    52,
    53,
    56,
    61,
    62,
    65,
    68,
    73,
    80,
    81,
    88,
)


def accompaniment(chorale, seed, *, bpm, start=0.25, duration=None):
    """A chorale as a band in another tempo: `bpm` with the first beat at `start`, drawn by the seed.

    Every voice restrikes its notes each quarter note, eighth note or not at all.
    """
    rng = np.random.default_rng(seed)
    quarters = [chorale.timing.seconds_to_quarters(chorale.notes[name]) for name in ("start", "end")]
    origin = np.floor(quarters[0].min())
    faster = rng.choice([0.5, 1, 1])
    tracks = [Track(f"voice {i}", int(rng.choice(_OTHERS))) for i in range(len(chorale.tracks))]
    tracks[-1] = Track("bass", int(rng.choice(_BASSES)))
    steps = rng.choice([0.5, 1, 1, 100], len(tracks))
    lower = np.where(np.arange(len(tracks)) == len(tracks) - 1, 12, 0)
    rows = []
    for first, last, note in zip(*quarters, chorale.notes, strict=True):
        voice = int(note["track"])
        first, last = (faster * (place - origin) for place in (first, last))
        for place in np.arange(first, last - 1e-6, steps[voice]):
            end = min(place + steps[voice], last)
            velocity = int(np.clip(rng.normal(80, 12), 20, 127))
            rows.append((place, end, max(24, int(note["pitch"]) - lower[voice]), velocity, voice))
    rows = np.array(rows)
    rows[:, :2] = start + rows[:, :2] * 60 / bpm
    rows[:, 0] = np.maximum(0, rows[:, 0] + rng.normal(0, 0.006, len(rows)))
    rows = rows[(rows[:, 1] > rows[:, 0]) & (rows[:, 1] < (duration or np.inf))]
    return NoteSequence(rows, tracks, Timing.regular(bpm, start=start), duration)


def chorales_of(part):
    """Chorales in four parts: every third one for "training", for "validation", for "test"."""
    with warnings.catch_warnings():  # of the few that the corpus' reader refuses
        warnings.simplefilter("ignore")
        pieces = [piece for piece in load_corpus("bach-chorales") if len(piece.tracks) == 4]
    return pieces[("training", "validation", "test").index(part) :: 3]


def accompanied(seed, chorales, *, kit, sample_rate, style=None):
    """The seed's pattern on a drum kit (its General MIDI program), and an accompaniment.

    Returns
    -------
    notes : numpy.ndarray
        The pattern's.
    drums, others : numpy.ndarray of float32, shape (samples,)
        Rendered apart, as long as each other.
    """
    piece = pattern(seed, style=style)
    piece = piece.replace(tracks=(Track("Drums", kit, True),))
    chorale = chorales[np.random.default_rng([seed, 0]).integers(len(chorales))]
    band = accompaniment(chorale, seed, bpm=piece.timing.bpm, duration=piece.duration)
    samples = int(piece.duration * sample_rate)
    drums, others = (_fitted(render(part, sample_rate=sample_rate).mean(axis=0), samples) for part in (piece, band))
    return piece.notes, drums, others


def _fitted(audio, samples):
    return np.pad(audio, (0, max(0, samples - len(audio))))[:samples]
