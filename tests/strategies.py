"""Hypothesis strategies for pieces."""

import numpy as np
from hypothesis import strategies as st

from musicgen.notes import NoteSequence, Track
from musicgen.timing import Meter, Timing

METERS = [(4, 4), (3, 4), (2, 2), (6, 8), (12, 8), (7, 8), (5, 4), (2, 4), (1, 4), (9, 16), (13, 16)]

seeds = st.integers(0, 2**32 - 1)


@st.composite
def timings(draw, *, quarter_s=(0.1, 4.0), max_beats=40):
    """Timings with uneven beats, a late first beat, a pickup and meter changes."""
    generator = np.random.default_rng(draw(seeds))
    count = draw(st.integers(2, max_beats))
    if draw(st.booleans()):
        gaps = np.full(count - 1, generator.uniform(*quarter_s))
    else:
        gaps = np.exp(generator.uniform(*np.log(quarter_s), count - 1))
    start = draw(st.sampled_from([0.0, 0.37, 0.01, 1.9]))
    meters, place = [], draw(st.sampled_from([0, 0, 1, 2]))
    for meter in draw(st.lists(st.sampled_from(METERS), min_size=1, max_size=3)):
        meters.append((place, *meter))
        place += 4 * meter[0] / meter[1] * draw(st.integers(1, 3))
    size = draw(st.sampled_from([1.0, 1.0, 1.5, 2.0, 0.5, 0.75]))
    gaps = gaps * size
    meters = [Meter(beat / size, n, d) for beat, n, d in meters]
    return Timing(start + np.concatenate([[0.0], np.cumsum(gaps)]), size, tuple(meters))


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def track_lists(max_size=20):
    """Tracks of any name, program and kind."""
    return st.lists(st.builds(Track, names, st.integers(0, 127), st.booleans()), min_size=1, max_size=max_size)


@st.composite
def sequences(draw, *, timing=None, min_notes=1, max_notes=60, max_s=30.0, max_tracks=20):
    """Pieces with any notes: overlaps, chords, short and long ones, trailing silence, tracks without notes."""
    generator = np.random.default_rng(draw(seeds))
    voices = draw(track_lists(max_tracks))
    count = draw(st.integers(min_notes, max_notes))
    starts = np.round(generator.uniform(0, max_s, count), draw(st.integers(0, 9)))
    lengths = np.exp(generator.uniform(np.log(0.002), np.log(max_s), count))
    lowest = draw(st.sampled_from([0, 60]))
    rows = zip(
        starts,
        starts + lengths,
        generator.integers(lowest, draw(st.sampled_from([lowest + 3, 128])), count),
        generator.integers(1, 128, count),
        generator.integers(0, len(voices), count),
        strict=True,
    )
    meta = draw(st.dictionaries(st.sampled_from(["title", "genre", "seed"]), st.text(max_size=8), max_size=2))
    piece = NoteSequence(list(rows), voices, draw(timing if timing is not None else timings()), meta=meta)
    silence = draw(st.sampled_from([0.0, 0.5, 7.3]))
    return piece.replace(duration=piece.duration + silence)


@st.composite
def grid_sequences(draw, *, resolution=4, max_notes=40, meters=METERS, pickups=True, max_tracks=3):
    """Canonical pieces whose notes lie on a grid of `resolution` steps per quarter, at an even tempo, from 0 s."""
    from musicgen.transforms import canonical

    generator = np.random.default_rng(draw(seeds))
    meter = draw(st.sampled_from(meters))
    timing = Timing.regular(draw(st.sampled_from([60.0, 90.0, 120.0, 137.0])), meter)
    bar = 4 * meter[0] / meter[1]
    if pickups and draw(st.booleans()):
        fine = resolution if resolution % 2 == 0 else 1  # no notation begins with a third of a quarter
        down = draw(st.integers(1, max(1, round(bar * fine) - 1))) / fine
        timing = Timing(timing.beats, timing.quarters_per_beat, (Meter(down / timing.quarters_per_beat, *meter),))
    voices = [Track(f"Voice {k + 1}", program, False) for k, program in enumerate(draw(_programs(max_tracks)))]
    count = draw(st.integers(1, max_notes))
    starts = generator.integers(0, 20 * resolution, count)
    starts[0] = 20 * resolution  # behind any pickup
    ends = starts + generator.integers(1, 4 * resolution, count)
    rows = zip(
        timing.quarters_to_seconds(starts / resolution),
        timing.quarters_to_seconds(ends / resolution),
        generator.integers(36, 96, count),
        generator.integers(1, 128, count),
        generator.integers(0, len(voices), count),
        strict=True,
    )
    return canonical(NoteSequence(list(rows), voices, timing))


def _programs(count):
    return st.lists(st.sampled_from([0, 19, 40, 73]), min_size=1, max_size=count)
