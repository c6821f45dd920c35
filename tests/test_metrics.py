"""Hand-computed, asymmetric examples for every measure; slow plain rivals for the fast searches."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicgen.errors import InputError
from musicgen.metrics import (
    MEASURES,
    compare_with,
    describe,
    longest_loop,
    longest_verbatim_run,
    loop_count,
    overlap_area,
)
from musicgen.notes import NoteSequence, Track
from musicgen.timing import Meter, Timing

SIN, COS = (lambda degrees, f=f: f(math.radians(degrees)) for f in (math.sin, math.cos))
PIANO_AND_DRUMS = (Track("piano", 0), Track("bass", 32), Track("drums", 0, True))


@pytest.fixture
def piece():
    """120 qpm, then 60 qpm from quarter 4 (2 s) on; 4 bars of 3/4 with silence at the end; drums on an odd pitch."""
    beats = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0]
    notes = [
        (0.0, 1.0, 60, 100, 0),  # C, 2 quarters
        (0.5, 1.0, 60, 60, 0),  # C, 1 quarter
        (1.0, 1.5, 60, 60, 0),  # C, 1 quarter
        (1.52, 2.0, 61, 60, 1),  # C sharp, 0.96 quarters, 0.04 quarters late
        (4.0, 4.5, 74, 60, 0),  # D, 0.5 quarters
        (4.5, 9.0, 99, 20, 2),  # drum
    ]
    return NoteSequence(notes, PIANO_AND_DRUMS, Timing(beats, 1.0, (Meter(0, 3, 4),)), duration=9.0)


def test_every_measure_by_hand(piece):
    expected = {
        "notes": 6,
        "duration": 9.0,
        "notes_per_second": 6 / 9,
        "notes_per_quarter": 6 / 11,
        "polyphony": 2.98 / 2.48,  # held 1 + .5 + .5 + .48 + .5 s; sounding 0-1.5, 1.52-2, 4-4.5 s
        "pitches": 3,
        "lowest_pitch": 60,
        "highest_pitch": 74,
        "pitch_range": 14,
        "pitch_class_entropy": 0.6 * math.log2(5 / 3) + 2 * 0.2 * math.log2(5),
        "top_pitch_share": 3 / 5,
        "longest_repeat": 3,
        "empty_bar_share": 0.0,
        "in_key_share": 2.5 / 2.98,  # C and D; no scale holds C sharp too
        "qualified_note_share": 1.0,
        "polyphonic_share": 0.0,
        "pitch_classes_per_bar": 3 / 4,
        "tonal_distance": math.nan,  # the two tracks never sound in one beat
        "mean_note_s": 2.98 / 5,
        "median_note_s": 0.5,
        "mean_note_quarters": (2 + 1 + 1 + 0.96 + 0.5) / 5,
        "median_note_quarters": 1.0,
        "off_grid_share": 1 / 6,
        "mean_velocity": (100 + 4 * 60 + 20) / 6,
    }
    assert describe(piece) == pytest.approx(expected, nan_ok=True)
    assert list(expected) == list(MEASURES)


def test_measures_of_voices_by_hand():
    notes = [
        (0.0, 1.5, 60, 80, 0),  # C, 3 quarters
        (0.5, 1.0, 60, 80, 1),  # the same C, in the other track
        (0.5, 0.75, 64, 80, 1),  # E, 0.5 quarters
        (0.5, 0.55, 67, 80, 0),  # G, 0.1 quarters: a fragment
        (2.5, 3.0, 67, 80, 0),  # G, in the second bar
    ]
    values = describe(NoteSequence(notes, (Track(), Track()), duration=4.0))
    assert values["qualified_note_share"] == pytest.approx(4 / 5)
    assert values["polyphonic_share"] == pytest.approx(0.1 / 8), "three pitches sound while G does, not three notes"
    assert values["pitch_classes_per_bar"] == (3 + 1) / 2
    circles = lambda p: [r * f(a * p) for a, r in zip((210, 270, 120), (1, 1, 0.5), strict=True) for f in (SIN, COS)]  # noqa: E731
    c, e, g = (np.array(circles(pitch)) for pitch in (0, 4, 7))
    first, second = (c + 0.1 * g) / 1.1, (c + 0.5 * e) / 1.5  # in the second beat, the only one in which both sound
    assert values["tonal_distance"] == pytest.approx(np.linalg.norm(first - second))


def test_empty_bars_are_counted_not_full_ones():
    """Bars of 2 s: one full, two empty, one into which a note is held, one with a hit at its very end."""
    notes = [(0.0, 0.4, 60, 80, 0), (7.5, 8.0, 60, 80, 0), (9.99, 10.0, 60, 80, 0)]
    assert describe(NoteSequence(notes))["empty_bar_share"] == pytest.approx(2 / 5)
    held = [(0.0, 2.5, 60, 80, 0), (7.5, 8.0, 60, 80, 0)]
    assert describe(NoteSequence(held))["empty_bar_share"] == pytest.approx(1 / 4)


def test_a_note_that_ends_on_a_bar_line_leaves_the_next_bar_empty():
    assert describe(NoteSequence([(0.0, 2.0 + 1e-9, 60, 80, 0)], duration=6.0))["empty_bar_share"] == pytest.approx(
        2 / 3
    )


def test_empty_bars_with_a_pickup_and_a_change_of_meter():
    """A pickup of one beat, two bars of 4/4, then bars of 3/4: only the second 3/4 bar sounds."""
    timing = Timing.regular(60)
    timing = Timing(timing.beats, 1.0, (Meter(1, 4, 4), Meter(9, 3, 4)))
    sequence = NoteSequence([(12.5, 13.0, 60, 80, 0)], timing=timing, duration=15.0)
    assert describe(sequence)["empty_bar_share"] == pytest.approx(4 / 5)


def test_a_repeated_pitch_is_a_run_only_within_one_track():
    rows = [(0.1 * i, 0.1 * i + 0.05, 60, 80, i % 2) for i in range(6)]
    assert describe(NoteSequence(rows, PIANO_AND_DRUMS))["longest_repeat"] == 3
    broken = [*rows, (0.25, 0.27, 61, 80, 0)]
    assert describe(NoteSequence(broken, PIANO_AND_DRUMS))["longest_repeat"] == 3
    assert describe(NoteSequence(broken, PIANO_AND_DRUMS).replace(notes=broken[:1]))["longest_repeat"] == 1


def test_in_key_share_finds_any_transposition():
    scale = [57, 59, 60, 62, 64, 65, 67]  # a natural minor
    for shift in range(12):
        rows = [(0.1 * i, 0.1 * i + 0.1, p + shift, 80, 0) for i, p in enumerate(scale)]
        foreign = (0.7, 1.1, 61 + shift, 80, 0)  # held 0.4 s: D major keeps it and loses C and F, 0.1 s each
        assert describe(NoteSequence(rows))["in_key_share"] == pytest.approx(1.0)
        assert describe(NoteSequence([*rows, foreign]))["in_key_share"] == pytest.approx(0.9 / 1.1)


def test_off_grid_share_follows_tolerance_and_resolution():
    rows = [(t, t + 0.1, 60, 80, 0) for t in (0.0, 0.125, 1 / 6, 0.26)]  # quarters 0, 1/4, 1/3, 0.52
    sequence = NoteSequence(rows)
    assert describe(sequence)["off_grid_share"] == 0.0
    assert describe(sequence, tolerance=0.01)["off_grid_share"] == 0.25
    assert describe(sequence, resolution=4, tolerance=0.01)["off_grid_share"] == 0.5
    with pytest.raises(InputError, match=r"tolerance 0\.2 .* 0\.125"):
        describe(sequence, resolution=4, tolerance=0.2)


def test_a_piece_without_notes_has_no_made_up_numbers():
    values = describe(NoteSequence(duration=4.0))
    zero = {"notes", "notes_per_second", "notes_per_quarter", "pitches", "longest_repeat"}
    zero |= {"polyphonic_share", "pitch_classes_per_bar"}
    assert all(values[name] == 0 for name in zero)
    assert (values["duration"], values["empty_bar_share"]) == (4.0, 1.0)
    assert all(math.isnan(values[name]) for name in set(values) - zero - {"duration", "empty_bar_share"})
    assert math.isnan(describe(NoteSequence())["notes_per_second"])


note_rows = st.lists(
    st.tuples(
        st.integers(0, 40).map(lambda step: step / 8),
        st.integers(1, 20).map(lambda step: step / 8),
        st.integers(0, 127),
        st.integers(1, 127),
        st.integers(0, 2),
    ).map(lambda row: (row[0], row[0] + row[1], *row[2:])),
    max_size=30,
)


@given(rows=note_rows, silence=st.floats(0, 10), bpm=st.floats(30, 240))
@settings(max_examples=60, deadline=None)
def test_every_measure_stays_in_its_range(rows, silence, bpm):
    last = max((row[1] for row in rows), default=0.0)
    sequence = NoteSequence(rows, PIANO_AND_DRUMS, Timing.regular(bpm), duration=last + silence)
    for name, value in describe(sequence).items():
        assert math.isnan(value) or MEASURES[name].low - 1e-9 <= value <= MEASURES[name].high + 1e-9, name


def line(pitches, *, gaps=None, qpm=120.0, start=0.0):
    """A melody; gaps in quarter notes before each following note."""
    gaps = [1] * len(pitches) if gaps is None else gaps
    onsets = start + np.cumsum([0.0, *itertools.islice(gaps, len(pitches) - 1)])
    rows = [(q * 60 / qpm, (q + 0.5) * 60 / qpm, p, 80, 0) for q, p in zip(onsets, pitches, strict=True)]
    return NoteSequence(rows, timing=Timing.regular(qpm))


def random_line(seed, length=40, low=60, high=72):
    random = np.random.default_rng(seed)
    return line(random.integers(low, high, length), gaps=iter(random.choice([0, 0.25, 0.5, 1], length)))


def test_verbatim_run_by_hand():
    reference = line([60, 62, 64, 65, 67, 60], gaps=iter([1, 1, 0.5, 0.5, 1]))
    assert longest_verbatim_run(reference, [reference]) == 6
    same_pitches_other_rhythm = line([60, 62, 64, 65, 67, 60])
    assert longest_verbatim_run(same_pitches_other_rhythm, [reference]) == 3
    same_rhythm_other_pitches = line([60, 61, 64, 65, 67, 62], gaps=iter([1, 1, 0.5, 0.5, 1]))
    assert longest_verbatim_run(same_rhythm_other_pitches, [reference]) == 3
    assert longest_verbatim_run(line([60, 72, 60]), [reference]) == 1


def test_a_transposed_later_faster_excerpt_is_still_a_copy():
    reference = random_line(1)
    notes = reference.notes[10:30]
    quarters = reference.timing.seconds_to_quarters(notes["start"]) + 7.5
    rows = [(q / 3, (q + 0.1) / 3, p + 5, 33, 0) for q, p in zip(quarters, notes["pitch"], strict=True)]
    excerpt = NoteSequence(rows, timing=Timing.regular(180))
    distinct = len(np.unique(notes[["start", "pitch"]]))
    assert longest_verbatim_run(excerpt, [random_line(2), reference, random_line(3)]) == distinct
    assert longest_verbatim_run(excerpt, [random_line(2), random_line(3)]) < distinct / 2


def test_a_run_does_not_reach_over_the_end_of_a_reference():
    whole = line([60, 62, 64, 65, 67, 69])
    halves = [line([60, 62, 64]), line([65, 67, 69])]
    assert longest_verbatim_run(whole, halves) == 3
    assert longest_verbatim_run(whole, iter(halves)) == 3


def test_nothing_to_copy_from_is_zero_and_one_note_is_one():
    drums = NoteSequence([(0, 1, 36, 80, 2)], PIANO_AND_DRUMS)
    single = line([50])
    assert longest_verbatim_run(single, []) == 0
    assert longest_verbatim_run(single, [NoteSequence(), drums]) == 0
    assert longest_verbatim_run(drums, [single]) == 0
    assert longest_verbatim_run(single, [line([60, 70])]) == 1
    assert longest_verbatim_run(line([60, 70]), [single]) == 1


def plain_longest_common_run(own, others):
    """Every start against every start."""

    def common(a, b):
        return len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False))))

    def moves(sequence):
        quarters = sequence.timing.seconds_to_quarters(sequence.notes["start"])
        notes = sorted({(round(q * 12), int(p)) for q, p in zip(quarters, sequence.notes["pitch"], strict=True)})
        return [(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(notes)]

    own = moves(own)
    starts = [(i, other, j) for other in map(moves, others) for i in range(len(own)) for j in range(len(other))]
    return 1 + max((common(own[i:], other[j:]) for i, other, j in starts), default=0)


lines = st.lists(st.tuples(st.integers(60, 62), st.sampled_from([0, 1])), min_size=1, max_size=30).map(
    lambda moves: line([pitch for pitch, _ in moves], gaps=iter([gap for _, gap in moves[1:]]))
)


@given(own=lines, others=st.lists(lines, min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_verbatim_run_agrees_with_the_plain_search(own, others):
    assert longest_verbatim_run(own, others) == plain_longest_common_run(own, others)


def test_loops_by_hand():
    bar = [60, 64, 67, 72]
    free = [61, 66, 63, 70, 75]
    piece = line(free + bar * 3 + free)
    loop = longest_loop(piece)
    assert (loop.start, loop.period, loop.repetitions, loop.quarters) == (5.0, 4.0, 3, 12.0)
    assert loop_count(piece) == 3
    assert longest_loop(line(free)) == (0.0, 0.0, 1)
    assert loop_count(line(free)) == 1


def test_the_longest_loop_is_not_the_one_with_most_repetitions():
    piece = line([50] * 5 + [60, 64, 67, 72] * 3)
    assert loop_count(piece) == 5
    assert longest_loop(piece)[1:] == (4.0, 3)


def test_a_segment_longer_than_a_bar_is_no_loop():
    theme = [60, 64, 67, 72, 59]
    assert loop_count(line(theme * 4)) == 1
    in_five = line(theme * 4).replace(timing=Timing.regular(120, (5, 4)))
    assert loop_count(in_five) == 4


def test_what_breaks_a_loop():
    rows = [(0.5 * i, 0.5 * i + 0.4, 60 + 7 * (i % 2), 80, 0) for i in range(12)]
    assert loop_count(NoteSequence(rows)) == 6
    other_track = [*rows[:6], (*rows[6][:4], 1), *rows[7:]]
    assert loop_count(NoteSequence(other_track, PIANO_AND_DRUMS)) == 3
    with_drum = [*rows, (2.0, 2.1, 36, 80, 2)]
    assert loop_count(NoteSequence(with_drum, PIANO_AND_DRUMS)) == 3
    longer_and_softer = [*rows[:6], (3.0, 3.45, 60, 20, 0), *rows[7:]]
    assert loop_count(NoteSequence(longer_and_softer)) == 6


def test_silence_is_no_loop():
    sequence = NoteSequence([(0.0, 0.5, 60, 80, 0), (60.0, 60.5, 61, 80, 0)], duration=600.0)
    assert loop_count(sequence) == 1
    assert loop_count(NoteSequence(duration=600.0)) == 0
    assert longest_loop(NoteSequence()) == (0.0, 0.0, 1)


def plain_loop_count(steps, bar):
    """Statements of each window, compared by slices; steps is a list of pitches or None, with silence after it."""
    steps = steps + [None] * bar
    best = 1
    for period, begin in itertools.product(range(1, bar + 1), range(len(steps))):
        segment, count = steps[begin : begin + period], 1
        while segment[0] and segment == steps[begin + count * period : begin + (count + 1) * period]:
            count += 1
        best = max(best, count)
    return best


@given(steps=st.lists(st.sampled_from([None, 60, 61]), min_size=1, max_size=40).filter(any))
@settings(max_examples=150, deadline=None)
def test_loop_count_agrees_with_the_plain_search(steps):
    rows = [(i / 2, i / 2 + 0.1, pitch, 80, 0) for i, pitch in enumerate(steps) if pitch]
    assert loop_count(NoteSequence(rows), resolution=1) == plain_loop_count(steps, 4)


def test_overlap_area_by_hand():
    assert overlap_area([1, 1, 2, 5], [1, 2, 2, 2, 9], bins=[1.5, 3]) == pytest.approx(0.2 + 0.25 + 0.2)
    assert overlap_area([1, 2], [1, 2, 1, 2], bins=[1.5]) == 1.0
    assert overlap_area([1], [2], bins=[1.5]) == 0.0
    assert math.isnan(overlap_area([], [1], bins=[1.5]))
    assert overlap_area([1.5], [1.6], bins=[1.5]) == 1.0, "a value on an edge belongs to the bin above it"


def test_overlap_area_refuses_what_it_cannot_count():
    with pytest.raises(InputError, match="increasing"):
        overlap_area([1], [1], bins=[2, 1])
    with pytest.raises(InputError, match="b must hold finite"):
        overlap_area([1], [np.nan], bins=[1])


@given(
    a=st.lists(st.floats(-5, 5), min_size=1, max_size=30),
    b=st.lists(st.floats(-5, 5), min_size=1, max_size=30),
)
@settings(deadline=None)
def test_overlap_area_is_symmetric_and_one_with_itself(a, b):
    bins = [-2, 0, 1, 3]
    assert overlap_area(a, b, bins=bins) == pytest.approx(overlap_area(b, a, bins=bins))
    assert overlap_area(a, a, bins=bins) == pytest.approx(1.0)
    assert 0 <= overlap_area(a, b, bins=bins) <= 1 + 1e-12


def test_compare_with_by_hand():
    generated = [line([60, 62, 64]), line([60, 60])]
    references = [line([60, 67, 62], gaps=iter([0.5, 0.5]))]
    result = compare_with(generated, references)
    assert result["pieces"]["notes"] == 2.5
    assert result["references"]["notes"] == 3.0
    assert result["overlap"] == pytest.approx(
        {
            "pitch_class": 1 / 3 + 1 / 5,  # C 3/5 and 1/3, D 1/5 and 1/3, E and G on one side only
            "note_quarters": 1.0,
            "interval": 0.0,  # +2 +2 0 and +7 -5
            "inter_onset_quarters": 0.0,
        }
    )


def test_intervals_take_the_highest_note_of_an_onset_in_each_track():
    chords = [(0.0, 0.5, 60, 80, 0), (0.0, 0.5, 76, 80, 0), (0.5, 1.0, 72, 80, 0), (0.0, 1.0, 40, 80, 1)]
    result = compare_with([NoteSequence(chords, PIANO_AND_DRUMS)], [line([50, 46])])
    assert result["overlap"]["interval"] == 1.0
    assert result["overlap"]["inter_onset_quarters"] == 1.0


def test_means_leave_out_pieces_for_which_a_measure_is_not_defined():
    result = compare_with([line([60, 62]), NoteSequence(duration=3.0)], [NoteSequence(duration=1.0)])
    assert result["pieces"]["pitch_range"] == 2.0
    assert result["pieces"]["notes"] == 1.0
    assert math.isnan(result["references"]["pitch_range"])
    assert math.isnan(result["overlap"]["interval"])


@pytest.mark.parametrize("function", [describe, longest_loop, loop_count])
def test_what_is_no_piece_is_refused_with_its_type(function):
    with pytest.raises(InputError, match="sequence must be a NoteSequence, not str"):
        function("jazz.mid")
    with pytest.raises(InputError, match=r"resolution must be a whole number .* not 0"):
        function(line([60]), resolution=0)


def test_lists_of_pieces_are_checked_one_by_one():
    with pytest.raises(InputError, match=r"references\[1\] must be a NoteSequence, not int"):
        longest_verbatim_run(line([60]), [line([60]), 3])
    with pytest.raises(InputError, match="references must be several NoteSequences, not one"):
        compare_with([line([60])], line([60]))
    with pytest.raises(InputError, match="no references to compare"):
        compare_with([line([60])], [])
