"""Cleaning: hand-computed examples of every transform, and what all of them promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import sequences

from musicgen import InputError, NoteSequence, Timing, Track
from musicgen.transforms import (
    canonical,
    clean,
    cut_overlaps,
    drop_echoes,
    drop_faint,
    drop_ghosts,
    drop_short,
    limit_polyphony,
    merge_fragments,
    trim_tails,
)

DROPPING = {
    "drop_ghosts": drop_ghosts,
    "drop_faint": drop_faint,
    "drop_echoes": drop_echoes,
    "drop_short": lambda piece: drop_short(piece, 150),
    "limit_polyphony": lambda piece: limit_polyphony(piece, 2),
}
SETTLING = {**DROPPING, "merge_fragments": merge_fragments, "cut_overlaps": cut_overlaps}
ALL = {**SETTLING, "trim_tails": trim_tails, "clean": clean}
KIT = Track("kit", 0, True)

transforms = pytest.mark.parametrize("transform", ALL.values(), ids=ALL)


def crowded(**options):
    """Pieces in which notes meet: few pitches and tracks in a short time."""
    return sequences(max_s=3.0, max_tracks=3, **options)


def ends(piece):
    return piece.notes["end"].round(9).tolist()


def starts(piece):
    return piece.notes["start"].tolist()


def pitches(piece):
    return piece.notes["pitch"].tolist()


def onsets(piece):
    """The notes without their ends, as sortable rows."""
    return sorted(piece.notes[["track", "start", "pitch", "velocity"]].tolist())


@transforms
@given(piece=crowded(min_notes=0))
def test_cleaning_invents_nothing_and_keeps_the_rest(transform, piece):
    result = transform(piece)
    assert (result.tracks, result.timing, result.duration, result.meta) == (
        piece.tracks,
        piece.timing,
        piece.duration,
        piece.meta,
    )
    left = onsets(piece)
    if transform is not merge_fragments:  # a joint note may begin with one note and be as loud as another
        for note in onsets(result):
            left.remove(note)
    assert {n[:3] for n in onsets(result)} <= {n[:3] for n in onsets(piece)}
    drums = [i for i, track in enumerate(piece.tracks) if track.drum]
    assert sorted(result.notes[np.isin(result.notes["track"], drums)].tolist()) == sorted(
        piece.notes[np.isin(piece.notes["track"], drums)].tolist()
    )


@pytest.mark.parametrize("transform", SETTLING.values(), ids=SETTLING)
@given(piece=crowded())
def test_a_second_time_changes_nothing(transform, piece):
    once = transform(piece)
    assert transform(once) == once


@transforms
@given(piece=crowded())
def test_canonical_pieces_stay_canonical(transform, piece):
    result = transform(canonical(piece))
    assert canonical(result) == result


@pytest.mark.parametrize("transform", DROPPING.values(), ids=DROPPING)
@given(piece=crowded())
def test_what_is_kept_is_kept_as_it_was(transform, piece):
    assert set(transform(piece).notes.tolist()) <= set(piece.notes.tolist())


@given(crowded())
def test_clean_is_canonical_in_pitched_tracks(piece):
    piece = piece.replace(tracks=[track._replace(drum=False) for track in piece.tracks])
    cleaned = clean(piece)
    assert canonical(cleaned) == cleaned


@given(crowded())
def test_clean_without_its_steps_is_canonical(piece):
    piece = piece.replace(tracks=[track._replace(drum=False) for track in piece.tracks])
    bare = clean(piece, above_share=0, below_share=0, faint_share=0, echo_share=0, overlap_ms=0, tail_ms=0)
    assert bare == canonical(piece)


def test_a_fainter_harmonic_is_a_ghost():
    note = (1.0, 2.0, 48, 100, 0)
    for interval in (12, 19, 24, 28):
        assert pitches(drop_ghosts(NoteSequence([note, (1.0, 2.0, 48 + interval, 55, 0)]))) == [48]
        assert len(drop_ghosts(NoteSequence([note, (1.0, 2.0, 48 + interval, 56, 0)]))) == 2
    for interval in (7, 11, 13, 36):
        assert len(drop_ghosts(NoteSequence([note, (1.0, 2.0, 48 + interval, 10, 0)]))) == 2


def test_a_missing_fundamental_is_a_ghost():
    note = (1.0, 2.0, 72, 100, 0)
    for interval in (12, 19):
        assert pitches(drop_ghosts(NoteSequence([note, (1.0, 2.0, 72 - interval, 90, 0)]))) == [72]
        assert len(drop_ghosts(NoteSequence([note, (1.0, 2.0, 72 - interval, 91, 0)]))) == 2
    assert len(drop_ghosts(NoteSequence([note, (1.0, 2.0, 48, 10, 0)]))) == 2


def test_a_ghost_begins_with_its_note_and_sounds_with_it():
    note = (1.0, 2.0, 60, 100, 0)
    for start, end, kept in [
        (0.96, 1.9, False),  # 40 ms before it
        (0.9, 1.9, True),  # 100 ms before it
        (1.6, 2.4, False),  # half with it
        (1.6, 2.5, True),  # less than half
        (2.1, 2.5, True),  # after it
    ]:
        assert (len(drop_ghosts(NoteSequence([note, (start, end, 72, 40, 0)]))) == 2) == kept, (start, end)


def test_ghosts_belong_to_their_track():
    rows = [(0, 1, 60, 100, 0), (0, 1, 72, 40, 1), (0, 1, 48, 40, 2), (0, 1, 36, 100, 2)]
    piece = NoteSequence(rows, [Track(), Track(), KIT])
    assert drop_ghosts(piece) == piece
    with pytest.raises(InputError, match="below_share must lie between 0 and 1, not 1.5"):
        drop_ghosts(piece, below_share=1.5)


def test_faint_means_beside_the_loudest_within_two_seconds():
    rows = [(0, 1, 60, 100, 0), (2, 3, 62, 50, 0), (2, 3, 64, 49, 0), (2.5, 3, 65, 25, 0), (4.6, 5, 67, 20, 0)]
    assert pitches(drop_faint(NoteSequence(rows))) == [60, 62, 65, 67]
    assert pitches(drop_faint(NoteSequence(rows), share=0.6)) == [60, 67]
    assert pitches(drop_faint(NoteSequence(rows), share=0, min_velocity=50)) == [60, 62]
    for velocity in (0, 128):
        with pytest.raises(InputError, match=f"min_velocity must lie between 1 and 127, not {velocity}"):
            drop_faint(NoteSequence(rows), min_velocity=velocity)


def test_an_echo_follows_closely_is_fainter_and_short():
    note = (0.0, 1.0, 60, 100, 0)
    for echo, kept in [
        ((1.2, 1.7, 60, 90, 0), False),
        ((1.21, 1.7, 60, 90, 0), True),  # too late
        ((1.2, 1.71, 60, 90, 0), True),  # too long
        ((1.2, 1.7, 60, 91, 0), True),  # too loud
        ((1.2, 1.7, 61, 90, 0), True),  # another pitch
        ((1.2, 1.7, 60, 90, 1), True),  # another track
    ]:
        piece = NoteSequence([note, echo], [Track(), Track()])
        assert (len(drop_echoes(piece)) == 2) == kept, echo


def test_echoes_of_echoes_go_and_what_is_then_far_stays():
    rows = [(0, 1, 60, 100, 0), (1, 1.3, 60, 80, 0), (1.3, 1.6, 60, 60, 0), (1.7, 1.9, 60, 59, 0)]
    # The second and third follow; the fourth follows the third by 59/60 only, and then the first by 0.7 s.
    assert starts(drop_echoes(NoteSequence(rows))) == [0, 1.7]


def test_fragments_join_along_the_first():
    rows = [(0, 0.5, 60, 100, 0), (0.5, 0.75, 60, 88, 0), (0.78, 1.0, 60, 85, 0), (1.0, 1.2, 60, 95, 0)]
    # 85 is too loud beside 88 but not beside 100, once these two are one; 95 is too loud beside 100.
    assert merge_fragments(NoteSequence(rows)).notes.tolist() == [(0, 1, 60, 100, 0), (1, 1.2, 60, 95, 0)]
    assert len(merge_fragments(NoteSequence(rows), gap_ms=20)) == 3
    assert len(merge_fragments(NoteSequence(rows), share=0)) == 4
    assert ends(merge_fragments(NoteSequence(rows), share=1)) == [1.2]
    with pytest.raises(InputError, match="gap_ms must be at least 0 ms and finite, not -1"):
        merge_fragments(NoteSequence(rows), gap_ms=-1)


def test_short_notes_go():
    rows = [(0, 0.25, 60, 80, 0), (0, 0.125, 62, 80, 0), (0, 0.0625, 38, 80, 1)]
    piece = NoteSequence(rows, [Track(), KIT])
    assert pitches(drop_short(piece, 125)) == [60, 62, 38]
    assert pitches(drop_short(piece, 126)) == [60, 38]
    with pytest.raises(InputError, match="min_note_ms must be at least 0 ms and finite, not inf"):
        drop_short(piece, np.inf)


def test_of_too_many_voices_the_faintest_then_shortest_goes():
    rows = [(0, 3, 60, 70, 0), (0, 1, 64, 80, 0), (0.5, 2, 67, 80, 1), (1, 2, 72, 60, 1), (0, 3, 38, 1, 2)]
    piece = NoteSequence(rows, [Track(), Track(), KIT])
    assert pitches(limit_polyphony(piece, 3)) == [60, 64, 38, 67, 72]
    assert pitches(limit_polyphony(piece, 2)) == [64, 38, 67, 72]
    assert pitches(limit_polyphony(piece, 1)) == [38, 67]
    equal = NoteSequence([(0, 2, 60, 80, 0), (1, 2, 62, 80, 0), (1, 2, 64, 80, 0)])
    assert pitches(limit_polyphony(equal, 2)) == [60, 62]
    for voices, reason in [(0, "at least 1, not 0"), (1.5, "a whole number, not 1.5")]:
        with pytest.raises(InputError, match=f"voices must be {reason}"):
            limit_polyphony(piece, voices)


@given(crowded(), st.integers(1, 4))
def test_polyphony_is_limited_everywhere(piece, voices):
    piece = piece.replace(tracks=[track._replace(drum=False) for track in piece.tracks])
    notes = limit_polyphony(piece, voices).notes
    sounding = (notes["start"][:, None] >= notes["start"]) & (notes["start"][:, None] < notes["end"])
    assert sounding.sum(axis=1).max() <= voices
    counts = (piece.notes["start"][:, None] >= piece.notes["start"]) & (
        piece.notes["start"][:, None] < piece.notes["end"]
    )
    if counts.sum(axis=1).max() <= voices:
        assert len(notes) == len(piece)


def test_a_tail_is_cut_and_a_held_note_is_not():
    rows = [(0, 1.15, 60, 80, 0), (0.04, 1.16, 64, 80, 0), (1, 2.0, 62, 80, 0), (1.5, 2, 67, 80, 0)]
    # 60 rings on by 150 ms, 64 by 160 ms; 62 is held under 67.
    assert ends(cut_overlaps(NoteSequence(rows))) == [1.0, 1.16, 2.0, 2.0]
    assert ends(cut_overlaps(NoteSequence(rows), overlap_ms=160)) == [1.0, 1.0, 2.0, 2.0]
    assert ends(cut_overlaps(NoteSequence(rows), overlap_ms=0)) == [1.15, 1.16, 2.0, 2.0]
    # No tail is longer than what comes before it; no other track cuts it.
    assert ends(cut_overlaps(NoteSequence([(0, 0.25, 60, 80, 0), (0.125, 1, 62, 80, 0)]))) == [0.125, 1]
    assert ends(cut_overlaps(NoteSequence([(0, 0.25, 60, 80, 0), (0.12, 1, 62, 80, 0)]))) == [0.25, 1]
    assert ends(cut_overlaps(NoteSequence([(0, 1.1, 60, 80, 0), (1, 2, 62, 80, 1)], [Track(), Track()]))) == [1.1, 2]


def test_tails_are_trimmed_by_a_share_at_most():
    rows = [(0, 1, 60, 80, 0), (1, 1.2, 62, 80, 0), (0, 1, 38, 80, 1)]
    piece = NoteSequence(rows, [Track(), KIT])
    assert ends(trim_tails(piece)) == [0.94, 1.0, 1.17]
    assert ends(trim_tails(piece, tail_ms=20)) == [0.98, 1.0, 1.18]
    assert ends(trim_tails(piece, tail_ms=500, share=0.25)) == [0.75, 1.0, 1.15]
    assert trim_tails(piece, tail_ms=0) == piece
    with pytest.raises(InputError, match="share must be below 1"):
        trim_tails(piece, share=1)


def test_clean_takes_its_steps_in_their_order():
    rows = [
        (0.0, 1.1, 60, 100, 0),
        (0.0, 1.0, 72, 54, 0),  # a harmonic
        (0.0, 1.0, 48, 80, 0),  # a missing fundamental
        (0.3, 0.6, 65, 49, 0),  # faint
        (1.0, 2.0, 67, 90, 0),
        (2.1, 2.5, 67, 70, 0),  # an echo
        (2.5, 2.6, 69, 80, 0),  # short, trimmed by 15 %
        (3.0, 4.0, 38, 5, 1),
    ]
    piece = NoteSequence(rows, [Track(), KIT], Timing.regular(100), 6.0, {"title": "noisy"})
    cleaned = clean(piece)
    assert pitches(cleaned) == [60, 67, 69, 38]
    assert ends(cleaned) == [0.94, 1.94, 2.585, 4.0]  # 60 is cut at 1.0, then trimmed
    assert cleaned.duration == 6.0
    assert pitches(clean(piece, min_note_ms=120)) == [60, 67, 38]
    assert pitches(clean(piece, echo_share=0, fragment_share=0.9)) == [60, 67, 67, 69, 38]
    assert pitches(clean(piece, below_share=0, voices=1)) == [60, 67, 69, 38]  # tails are cut before
    for option in ("above_share", "below_share", "faint_share", "echo_share", "fragment_share"):
        with pytest.raises(
            InputError, match=rf"{option} must lie between 0 and 1, not -0.1 \(0 leaves the step out\)"
        ):
            clean(piece, **{option: -0.1})
    for option in ("min_note_ms", "overlap_ms", "tail_ms"):
        with pytest.raises(InputError, match=f"{option} must be at least 0 ms and finite, not nan"):
            clean(piece, **{option: np.nan})


def test_a_piece_without_notes_stays_without():
    empty = NoteSequence(duration=3.0)
    for transform in ALL.values():
        assert transform(empty) == empty
