"""Measures of noise by hand, spoiled pieces, and a level that rises with each kind of noise."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import sequences

from musicgen.baselines import NOISES, with_fragments, with_jitter, with_random_notes, with_wrong_pitches
from musicgen.errors import InputError
from musicgen.metrics import NOISE, noise_level
from musicgen.metrics.calibration import calibrated
from musicgen.metrics.facts import Facts
from musicgen.notes import NoteSequence, Track


def measured(name, rows, **options):
    """A measure of notes (start and end in quarters, pitch, velocity, track) at 120 qpm."""
    rows = [(start / 2, end / 2, *rest) for start, end, *rest in rows]
    return NOISE[name].of(Facts(NoteSequence(rows, **options)))


def test_short_notes_by_hand():
    rows = [(0, 1, 60, 80, 0), (1, 1.1, 60, 80, 0), (2, 2.125, 60, 80, 0), (3, 3.12, 60, 80, 0), (4, 4.13, 60, 80, 0)]
    assert measured("fragment_share", rows) == pytest.approx(2 / 5), "an eighth of a quarter note is no fragment"
    assert measured("short_note_share", rows) == pytest.approx(1 / 5)


def test_isolated_notes_by_hand():
    rows = [
        (0, 1, 60, 80, 0),
        (1.5, 3, 62, 80, 0),  # half a quarter note after the first: near
        (8, 9, 64, 80, 0),  # alone
        (8, 9, 80, 80, 0),  # 16 semitones away: alone
        (20, 21, 60, 80, 0),
        (20.5, 20.75, 72, 80, 0),  # an octave above, while it sounds
    ]
    assert measured("isolated_note_share", rows) == pytest.approx(2 / 6)
    assert measured("isolated_note_share", rows[:1]) == 1.0
    assert measured("isolated_note_share", [rows[0], (2, 3, 62, 80, 0)]) == 1.0, "a quarter note lies between"
    assert measured("isolated_note_share", [rows[0], (2e7, 2e7 + 1, 60, 80, 0)]) == 1.0, "months of silence"


def test_dissonance_by_hand():
    rows = [(0, 4, 60, 80, 0), (0, 1, 62, 80, 0), (1, 4, 67, 80, 0)]  # C with D for 1, C with G for 3 quarters
    assert measured("dissonant_share", rows) == pytest.approx(1 / 4)
    assert measured("clash_share", rows) == pytest.approx(2 / 8)
    assert measured("dissonant_share", rows[:2]) == pytest.approx(1.0)
    assert measured("clash_share", rows[:2]) == pytest.approx(2 / 5)
    assert measured("dissonant_share", rows[:1]) == 0.0
    tritone_and_fourth = [(0, 1, 60, 80, 0), (0, 1, 66, 80, 0), (2, 5, 60, 80, 0), (2, 5, 77, 80, 0)]
    assert measured("dissonant_share", tritone_and_fourth) == pytest.approx(1 / 4)


def test_velocity_jitter_by_hand():
    rows = [(0, 1, 60, 80, 0), (1, 2, 60, 100, 0), (2, 3, 60, 70, 0), (0.5, 1, 60, 10, 1), (3, 4, 40, 1, 2)]
    tracks = (Track(), Track(), Track("drums", 0, True))
    assert measured("velocity_jitter", rows, tracks=tracks) == pytest.approx((20 + 30) / 2)


def test_off_grid_deviation_by_hand():
    rows = [(0, 1, 60, 80, 0), (1 / 12, 1, 62, 80, 0), (2 + 1 / 48, 3, 60, 80, 0), (3 + 1 / 24, 4, 60, 80, 0)]
    assert measured("off_grid_deviation", rows) == pytest.approx((0 + 0 + 0.5 + 1) / 4)


def test_polyphony_excess_is_counted_by_track():
    rows = [(0, 4, 60, 80, 0), (1, 2, 64, 80, 0), (0, 1, 40, 80, 1), (0, 1, 43, 80, 1)]
    assert measured("polyphony_excess", rows, tracks=(Track(), Track())) == pytest.approx(1 / 7)


def test_the_level_is_that_of_its_weights():
    rows = [(0, 1, 60, 80, 0), (1, 1.1, 61, 90, 0), (2.03, 3, 66, 80, 0), (2.5, 3, 60, 80, 0)]
    parts = {name: measured(name, rows) for name in calibrated("noise")}
    total = sum(weight * parts[name] for name, weight in calibrated("noise").items())
    assert measured("noise_level", rows) == pytest.approx(1 - math.exp(-total))
    assert total > 0
    assert min(calibrated("noise").values()) > 0


def test_without_notes_nothing_is_known_of_noise():
    values = {name: measure.of(Facts(NoteSequence(duration=4.0))) for name, measure in NOISE.items()}
    assert values.pop("empty_bar_share") == 1.0
    assert all(math.isnan(value) for value in values.values())
    with pytest.raises(InputError, match="sequence must be a NoteSequence"):
        noise_level([1])


@given(piece=sequences())
def test_every_measure_of_noise_stays_in_its_range(piece):
    facts = Facts(piece)
    for name, measure in NOISE.items():
        value = measure.of(facts)
        assert math.isnan(value) or measure.low - 1e-9 <= value <= measure.high + 1e-9, name


def tune(seed, notes=120):
    """Two voices that walk through C major in eighths, quarters and halves."""
    random = np.random.default_rng(seed)
    scale = np.array([0, 2, 4, 5, 7, 9, 11])
    rows = []
    for voice, base in enumerate((60, 43)):
        steps = np.clip(np.cumsum(random.integers(-2, 3, notes)) % 14, 0, 13)
        times = np.concatenate([[0.0], np.cumsum(random.choice([0.25, 0.5, 0.5, 1.0], notes))])
        pitches = base + 12 * (steps // 7) + scale[steps % 7]
        rows += [(*span, int(pitch), 80, voice) for *span, pitch in zip(times[:-1], times[1:], pitches, strict=True)]
    return NoteSequence(rows, (Track(), Track()))


def ranks(values):
    return np.argsort(np.argsort(values))


@pytest.mark.parametrize("kind", ["random notes", "jitter", "fragments"])
def test_the_level_rises_with_the_noise(kind):
    shares = np.linspace(0, 0.5, 11)
    levels = np.array([[noise_level(NOISES[kind](tune(seed), s, seed=seed)) for s in shares] for seed in range(4)])
    correlations = [np.corrcoef(ranks(row), np.arange(11))[0, 1] for row in levels]
    assert np.mean(correlations) >= 0.95
    assert levels[:, -1].min() > levels[:, 0].max() + 0.2


def test_spoiled_pieces_hold_the_noise_that_was_asked_for():
    piece = tune(0)
    more = with_random_notes(piece, 0.25, seed=1)
    assert len(more) == 1.25 * len(piece)
    assert more.duration == piece.duration
    wrong = with_wrong_pitches(piece, 0.25, seed=1)
    same = set(map(tuple, wrong.notes.tolist())) & set(map(tuple, piece.notes.tolist()))
    assert 0.75 * len(piece) <= len(same) < 0.85 * len(piece), "some pitches are met by chance"
    moved = with_jitter(piece, 0.25, seed=1)
    start = set(piece.notes["start"])
    assert sum(s not in start for s in moved.notes["start"]) == pytest.approx(0.25 * len(piece), abs=2)
    torn = with_fragments(piece, 0.25, seed=1)
    whole = set(map(tuple, torn.notes.tolist())) & set(map(tuple, piece.notes.tolist()))
    assert len(whole) == 0.75 * len(piece)
    held = [(notes["end"] - notes["start"]).sum() for notes in (piece.notes, torn.notes)]
    assert held[0] == pytest.approx(held[1])


@given(piece=sequences(), share=st.floats(0, 1), kind=st.sampled_from(list(NOISES)))
def test_any_piece_can_be_spoiled(piece, share, kind):
    spoiled = NOISES[kind](piece, share, seed=3)
    assert spoiled == NOISES[kind](piece, share, seed=3)
    drums = [track.drum for track in piece.tracks]
    kept = [notes[np.array(drums)[notes["track"]]] for notes in (piece.notes, spoiled.notes)]
    assert np.array_equal(*kept)
    if share == 0:
        assert np.array_equal(spoiled.notes, piece.notes)


@pytest.mark.parametrize("kind", list(NOISES))
def test_a_share_out_of_range_is_refused(kind):
    with pytest.raises(InputError, match=r"share must lie between 0 and 1, not 1\.5"):
        NOISES[kind](tune(0), 1.5, seed=0)
