"""Transforms: pure, exact, and only what their names say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import grid_sequences, sequences, timings

from musicgen import InputError, Meter, NoteSequence, Timing, Track
from musicgen.transforms import canonical, concatenate, crop, fit_timing, onset_shifts, quantise, stretch, transpose


@given(sequences(max_s=5.0))
def test_canonical_notes_of_one_pitch_never_overlap(piece):
    plain = canonical(piece)
    assert canonical(plain) == plain
    assert plain.duration == piece.duration
    order = np.lexsort((plain.notes["start"], plain.notes["pitch"], plain.notes["track"]))
    notes = plain.notes[order]
    same = (notes["pitch"][1:] == notes["pitch"][:-1]) & (notes["track"][1:] == notes["track"][:-1])
    assert np.all(notes["end"][:-1][same] <= notes["start"][1:][same])
    onsets = [{tuple(n) for n in p.notes[["start", "pitch", "track"]].tolist()} for p in (piece, plain)]
    assert onsets[0] == onsets[1]


def test_canonical_keeps_the_longer_of_equal_starts_and_the_louder_of_equal_notes():
    rows = [(0, 1, 60, 70, 0), (0, 2, 60, 80, 0), (0, 2, 60, 90, 0), (0, 3, 60, 50, 1), (0, 3, 61, 50, 0)]
    notes = canonical(NoteSequence(rows, [Track(), Track()])).notes
    assert notes.tolist() == [(0, 2, 60, 90, 0), (0, 3, 61, 50, 0), (0, 3, 60, 50, 1)]


@given(sequences(), st.integers(-12, 12))
def test_transposing_back_restores_what_stayed_inside(piece, semitones):
    try:
        moved = transpose(piece, semitones)
    except InputError:
        pitches = piece.notes["pitch"].astype(int) + semitones
        assert pitches.min() < 0 or pitches.max() > 127
        folded = transpose(piece, semitones, octave_fold=True)
        drums = np.array([t.drum for t in piece.tracks])[piece.notes["track"]]
        expected = (piece.notes["pitch"].astype(int) + np.where(drums, 0, semitones)) % 12
        key = ["start", "track", "end", "velocity"]
        assert sorted(zip(piece.notes[key].tolist(), expected.tolist(), strict=True)) == sorted(
            zip(folded.notes[key].tolist(), (folded.notes["pitch"] % 12).tolist(), strict=True)
        )
    else:
        assert transpose(moved, -semitones) == piece


def test_drums_are_not_transposed():
    piece = NoteSequence([(0, 1, 36, 80, 0), (0, 1, 60, 80, 1)], [Track("kit", 0, True), Track("piano")])
    assert transpose(piece, 5).notes["pitch"].tolist() == [36, 65]


def test_pitches_out_of_range_are_refused_or_folded():
    piece = NoteSequence([(0, 1, 125, 80, 0), (1, 2, 2, 80, 0)])
    with pytest.raises(InputError, match="1 of 2 notes leave pitches 0 to 127 .* from 125"):
        transpose(piece, 5)
    assert transpose(piece, 5, octave_fold=True).notes["pitch"].tolist() == [118, 7]
    assert transpose(piece, -5, octave_fold=True).notes["pitch"].tolist() == [120, 9]
    with pytest.raises(InputError, match=r"semitones must be a whole number, not 0\.5"):
        transpose(piece, 0.5)


@given(sequences(), st.sampled_from([1, 3, 4, 12, 24]))
def test_quantised_notes_lie_on_the_grid(piece, resolution):
    notes = quantise(piece, resolution).notes
    assert len(notes) == len(piece)
    for name in ("start", "end"):
        steps = piece.timing.seconds_to_quarters(notes[name]) * resolution
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-5)


@given(grid_sequences(resolution=4))
def test_quantising_a_grid_changes_nothing(piece):
    back = quantise(piece, 4)
    np.testing.assert_allclose(back.notes["start"], piece.notes["start"], atol=1e-9)
    np.testing.assert_allclose(back.notes["end"], piece.notes["end"], atol=1e-9)


@given(piece=sequences(), resolution=st.integers(1, 12))
def test_shifts_are_those_of_quantising(piece, resolution):
    shifted = np.sort(piece.notes["start"] + onset_shifts(piece, resolution))
    np.testing.assert_allclose(shifted, quantise(piece, resolution).notes["start"], atol=1e-9)


def test_shifts_keep_the_order_of_the_notes_and_tell_early_from_late():
    piece = NoteSequence([(0.1, 0.2, 60, 80, 0), (0.38, 0.5, 50, 80, 0), (0.49, 0.7, 70, 80, 0)])
    np.testing.assert_allclose(onset_shifts(piece, 4), [0.025, -0.005, 0.01])
    assert len(onset_shifts(NoteSequence(), 4)) == 0
    with pytest.raises(InputError, match="resolution must be at least 1"):
        onset_shifts(piece, 0)


def test_quantising_follows_the_beat_and_stays_after_0():
    timing = Timing([0.3, 0.8, 1.8])  # the second quarter is twice as long
    piece = NoteSequence([(0.0, 0.1, 60, 80, 0), (1.27, 1.3, 62, 80, 0)], timing=timing)
    notes = quantise(piece, 2).notes
    np.testing.assert_allclose(notes["start"], [0.05, 1.3])
    np.testing.assert_allclose(notes["end"], [0.3, 1.8])
    with pytest.raises(InputError, match="at least 1 step"):
        quantise(piece, 0)


@given(sequences(), st.floats(0, 0.9), st.floats(0.05, 1))
def test_cropping_cuts_and_shifts(piece, begin, length):
    start = begin * piece.duration
    end = min(piece.duration, start + length * piece.duration)
    part = crop(piece, start, end)
    assert part.duration == end - start
    inside = (piece.notes["start"] < end) & (piece.notes["end"] > start)
    assert abs(int(inside.sum()) - len(part)) <= 1
    assert part.notes["end"].max(initial=0) <= part.duration
    # every beat from the new beginning on stands where it stood
    beats = piece.timing.covering(start, end).beats
    beats = beats[(beats > start + 1e-6) & (beats < end - 1e-6)]
    assert all(np.abs(part.timing.beats - (beat - start)).min() < 1e-6 for beat in beats)


def test_cropping_inside_a_bar_leaves_a_pickup():
    timing = Timing.regular(120, (3, 4))
    piece = NoteSequence([(0, 6, 60, 80, 0)], timing=timing)
    part = crop(piece, 2.0, 5.0)  # beats 4 to 10, bars of 3
    assert part.timing.meters == (Meter(2.0, 3, 4),)
    assert part.notes.tolist() == [(0.0, 3.0, 60, 80, 0)]
    for start, end in [(-1, 2), (2, 2), (0, 7), (np.nan, 1)]:
        with pytest.raises(InputError, match=r"0 <= start < end <= 6\.0"):
            crop(piece, start, end)


@given(sequences(), st.sampled_from([0.25, 0.5, 2.0, 4.0]))
def test_stretching_keeps_places_in_the_bar(piece, factor):
    slow = stretch(piece, factor)
    assert slow.duration == piece.duration * factor
    assert stretch(slow, 1 / factor) == piece
    places = [p.timing.seconds_to_beats(p.notes["start"]) for p in (piece, slow)]
    np.testing.assert_allclose(*places, atol=1e-9)


def test_stretching_needs_a_positive_factor():
    for factor in (0, -1, np.nan, np.inf):
        with pytest.raises(InputError, match="factor must be a positive number"):
            stretch(NoteSequence(), factor)


@given(timings(), st.floats(0, 30), st.floats(0.01, 60))
def test_a_fitted_timing_keeps_bars_and_is_its_own_fit(timing, start, length):
    fitted = fit_timing(timing, start, start + length)
    assert fitted.beats[0] >= 0
    assert fitted.beats[-1] >= length - 1e-6
    again = fit_timing(fitted, 0, length)
    np.testing.assert_allclose(again.beats, fitted.beats, atol=1e-9)
    downbeats = [
        t.quarters_to_seconds(t.bars(limit, start=begin)) - begin
        for t, begin, limit in ((timing, start, start + length), (fitted, 0.0, length))
    ]
    beats = timing.covering(start, start + length).beats - start
    first = beats[beats > 1e-6].min(initial=length)  # inside the incomplete beat before it the tempo may differ
    kept = [d[(d > first - 1e-6) & (d < length - 1e-6)] for d in downbeats]
    assert len(kept[0]) == len(kept[1])
    np.testing.assert_allclose(kept[0], kept[1], atol=1e-6)


def test_a_cut_bar_too_long_for_a_pickup_keeps_its_meter():
    timing = Timing([0.0, 1.0], 1.0, [Meter(0.0, 4, 4), Meter(4.0, 2, 4)])
    assert fit_timing(timing, 1.0, 8.0).meters == (Meter(-1.0, 4, 4), Meter(3.0, 2, 4))
    assert fit_timing(timing, 3.0, 8.0).meters == (Meter(1.0, 2, 4),)


def test_joined_pieces_begin_on_bar_lines_and_keep_tempo_and_meter():
    march = NoteSequence([(0.0, 0.5, 60, 80, 0), (1.0, 2.5, 62, 80, 0)], meta={"title": "march"})  # 2 bars of 2 s
    waltz = NoteSequence(
        [(0.0, 0.6, 64, 80, 0), (1.2, 1.8, 65, 80, 1)], [Track(), Track("bass", 33)], Timing.regular(100, (3, 4))
    )
    pickup = NoteSequence([(0.0, 0.5, 67, 80, 0)], timing=Timing.regular(120, (3, 4), start=0.5), duration=2.0)
    joined = concatenate([march, waltz, pickup, march])
    assert joined.notes["start"].tolist() == pytest.approx([0, 1, 4, 5.2, 5.8, 7.8, 8.8])
    assert joined.notes["track"].tolist() == [0, 0, 0, 1, 0, 0, 0]
    assert joined.tracks == waltz.tracks
    assert joined.meta["title"] == "march"
    assert joined.duration == pytest.approx(10.3)
    bars = joined.timing.quarters_to_seconds(joined.timing.bars(joined.duration))
    assert bars.tolist() == pytest.approx([0, 2, 4, 5.8, 6.3, 7.8, 9.8])
    assert [meter[1:] for meter in joined.timing.meters] == [(4, 4), (3, 4), (3, 4), (4, 4)]
    with pytest.raises(InputError, match="beats of 1 and 1.5 quarter notes"):
        concatenate([march, march.replace(timing=Timing.regular(80, (6, 8)))])
    with pytest.raises(InputError, match="no pieces"):
        concatenate([])


def test_a_joined_piece_ends_with_its_last_note_to_the_last_digit():
    first, last = (
        NoteSequence([(0, end, 60, 80, 0)], timing=Timing.regular(tempo)) for end, tempo in ((5.66, 168), (7.0, 87))
    )
    joined = concatenate([first, last])
    assert joined.duration == joined.notes["end"].max()


@given(st.lists(sequences(), min_size=1, max_size=3))
def test_any_pieces_can_be_joined(pieces):
    unit = pieces[0].timing.quarters_per_beat
    pieces = [piece for piece in pieces if piece.timing.quarters_per_beat == unit]
    joined = concatenate(pieces)
    assert len(joined) == sum(map(len, pieces))
    lengths = np.sort(np.concatenate([piece.notes["end"] - piece.notes["start"] for piece in pieces]))
    np.testing.assert_allclose(np.sort(joined.notes["end"] - joined.notes["start"]), lengths, atol=1e-9)
