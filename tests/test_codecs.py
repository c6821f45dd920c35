"""Event tokens: exact inverse on the grid, a grammar that three independent ways agree on, clear refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicgen import EventsCodec, InputError, NoteSequence, Timing, Track
from musicgen.codecs import codec_from_config
from musicgen.codecs.grammar import TYPE, TYPES
from musicgen.codecs.spec import KEYS, METERS

CODEC = EventsCodec(resolution=4, tracks=3, genres=("blues", "jazz"))
METER_CHOICES = [(4, 4), (3, 4), (6, 8), (7, 8), (2, 2), (5, 4), (12, 8), (1, 16)]


@st.composite
def grid_pieces(draw, codec=CODEC):
    """Pieces that lie on the codec's grid: any tempo map, meter changes, pickups, long notes, empty bars."""
    meters = draw(st.lists(st.sampled_from(METER_CHOICES), min_size=1, max_size=3))
    counts = [draw(st.integers(1, 4)) for _ in meters]
    gaps = draw(st.lists(st.floats(0.1, 2.0), min_size=1, max_size=40))
    beats = np.concatenate([[0.0], np.cumsum(gaps)])
    pickup = draw(st.sampled_from([0.0, 1.0, 0.5, 0.25]))
    position, changes = pickup, []
    for (n, d), count in zip(meters, counts, strict=True):
        changes.append((position, n, d))
        position += count * 4 * n / d
    timing = Timing(beats, 1.0, tuple(changes))
    end = round(position * codec.resolution)
    rows = {}
    for _ in range(draw(st.integers(0, 25))):
        step = draw(st.integers(0, end - 1))
        length = draw(st.integers(1, 70))
        key = (step, draw(st.integers(0, 2)), draw(st.integers(0, 127)))
        rows[key] = (length, draw(st.sampled_from(codec.spec["Velocity"])))
    notes = [
        (
            timing.quarters_to_seconds(step / codec.resolution),
            timing.quarters_to_seconds((step + length) / codec.resolution),
            pitch,
            velocity,
            track,
        )
        for (step, track, pitch), (length, velocity) in rows.items()
    ]
    duration = max([float(timing.quarters_to_seconds(position))] + [float(note[1]) for note in notes])
    meta = {"genre": "jazz"} if draw(st.booleans()) else {}
    return NoteSequence(notes, (Track(),) * 3, timing, duration, meta)


@given(grid_pieces())
@settings(max_examples=200, deadline=None)
def test_decode_is_the_exact_inverse_of_encode_on_the_grid(piece):
    tokens = CODEC.encode(piece)
    back = CODEC.decode(tokens, timing=piece.timing, tracks=piece.tracks)
    for name in ("pitch", "velocity", "track"):
        np.testing.assert_array_equal(back.notes[name], piece.notes[name])
    np.testing.assert_allclose(back.notes["start"], piece.notes["start"], atol=1e-9)
    np.testing.assert_allclose(back.notes["end"], piece.notes["end"], atol=1e-9)
    assert back.duration >= piece.duration - 1e-9
    assert back.meta.get("genre") == piece.meta.get("genre")
    # The density of a piece that ended inside its last bar is another one when it ends with it.
    np.testing.assert_array_equal(CODEC.encode(back, controls=()), CODEC.encode(piece, controls=()))


@given(grid_pieces())
@settings(max_examples=100, deadline=None)
def test_every_token_of_an_encoding_is_allowed_by_the_walking_grammar(piece):
    tokens = CODEC.encode(piece)
    state = CODEC.grammar.initial_state(1)
    for token in tokens[1:]:
        assert CODEC.grammar.allowed(state)[0, token], CODEC.vocabulary[token]
        state = CODEC.grammar.advance(state, np.array([token]))
    assert state[0, 6] == np.sum(tokens == CODEC.token("Bar_None"))


def random_walk(rng, bars, codec=CODEC):
    state, tokens = codec.grammar.initial_state(1), [codec.token("BOS_None")]
    while tokens[-1] != codec.token("EOS_None"):
        allowed = np.flatnonzero(codec.grammar.allowed(state, np.array([bars]))[0])
        kind = rng.choice(np.unique(codec.grammar.types[allowed]))
        tokens.append(int(rng.choice(allowed[codec.grammar.types[allowed] == kind])))
        state = codec.grammar.advance(state, np.array([tokens[-1]]))
    return np.array(tokens)


@pytest.mark.parametrize("seed", range(60))
def test_whatever_the_grammar_allows_decodes_to_the_bars_asked_for(seed):
    rng = np.random.default_rng(seed)
    bars = int(rng.integers(1, 9))
    tokens = random_walk(rng, bars)
    piece = CODEC.decode(tokens)
    assert np.sum(tokens == CODEC.token("Bar_None")) == bars
    assert len(piece) == np.sum(CODEC.grammar.types[tokens] == TYPE["Pitch"])


@pytest.mark.parametrize("seed", range(60))
def test_the_vectorised_check_and_the_walk_agree_on_damaged_tokens(seed):
    rng = np.random.default_rng(seed)
    tokens = random_walk(rng, 4)[:-1]
    tokens[rng.integers(0, len(tokens), 2)] = rng.integers(1, CODEC.vocab_size, 2)
    tokens = tokens[: np.append(np.flatnonzero(tokens == CODEC.token("EOS_None")), len(tokens))[0]]
    if len(tokens) < 4:
        return
    assert CODEC.grammar.first_error(tokens) == first_error_by_walking(tokens)


def first_error_by_walking(tokens):
    if tokens[0] != CODEC.token("BOS_None"):
        return 0
    state = CODEC.grammar.initial_state(1)
    for index, token in enumerate(tokens[1:], 1):
        if not CODEC.grammar.allowed(state)[0, token]:
            return index
        state = CODEC.grammar.advance(state, np.array([token]))
    return None if TYPES[state[0, 0]] in ("Bar", "Duration") else len(tokens)


def test_hand_written_example_with_two_tracks_a_meter_change_and_a_long_note():
    timing = Timing([0.0, 0.5, 1.0, 1.5], 1.0, ((0, 3, 4), (3, 2, 4)))
    piece = NoteSequence(
        [(0.0, 0.5, 72, 84, 0), (0.0, 5.0, 48, 84, 1), (1.5, 2.0, 74, 84, 0)], (Track(), Track()), timing
    )
    names = EventsCodec(tracks=2).names(EventsCodec(tracks=2).encode(piece, controls=()))
    assert " ".join(names) == (
        "BOS_None Tempo_120 Meter_3/4 Bar_None Position_0 Track_0 Pitch_72 Velocity_84 Duration_4 "
        "Track_1 Pitch_48 Velocity_84 Duration_32 Duration_8 Meter_2/4 Bar_None Position_0 Track_0 Pitch_74 "
        "Velocity_84 Duration_4 Bar_None Bar_None Bar_None EOS_None"
    )


def test_the_spec_table_alone_gives_vocabulary_and_names():
    for kind in TYPES:
        for value in CODEC.spec[kind]:
            assert CODEC.vocabulary[CODEC.token(f"{kind}_{value}")] == f"{kind}_{value}"
    assert CODEC.vocab_size == sum(len(values) for values in CODEC.spec.values()) == len(CODEC.grammar.types)


def test_off_grid_notes_move_to_the_nearest_step_and_the_longest_of_equals_stays():
    piece = NoteSequence([(0.01, 0.3, 60, 84, 0), (0.02, 0.9, 60, 20, 0), (1.99, 2.4, 62, 84, 0)])
    back = EventsCodec().decode(EventsCodec().encode(piece))
    assert [note[:4] for note in back.notes.tolist()] == [(0.0, 0.875, 60, 20), (2.0, 2.375, 62, 84)]


def test_transpose_moves_pitches_and_key_but_not_drums():
    codec = EventsCodec(tracks=[Track("a"), Track("drums", 0, True)])
    piece = NoteSequence([(0, 1, 60, 80, 0), (0, 1, 36, 80, 1)], codec.tracks, meta={"key": "B minor"})
    moved = codec.decode(codec.transpose(codec.encode(piece), 2))
    assert moved.notes["pitch"].tolist() == [62, 36]
    assert moved.meta["key"] == "Db minor"
    assert codec.transpose(codec.encode(piece), 68) is None


def test_config_round_trip():
    again = codec_from_config({"codec": "events", **CODEC.get_config()})
    assert again.vocabulary == CODEC.vocabulary
    assert again.tracks == CODEC.tracks


def test_for_data_learns_genres_and_the_usual_instrument_of_each_track():
    pieces = [
        NoteSequence(tracks=(Track("flute", 73),), meta={"genre": "jazz"}),
        NoteSequence(tracks=(Track("flute", 73), Track("bass", 32))),
        NoteSequence(tracks=(Track("piano", 0),), meta={"genre": "blues"}),
    ]
    codec = EventsCodec.for_data(pieces)
    assert codec.tracks == (Track("flute", 73), Track("bass", 32))
    assert codec.genres == ("blues", "jazz")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["Tempo_120", "Meter_4/4", "Bar_None", "Position_0"], "BOS_None must stand"),
        (["BOS_None", "Tempo_120", "Meter_3/4", "Bar_None", "Position_12"], "Position_12, is not allowed"),
        (["BOS_None", "Tempo_120", "Meter_4/4", "Bar_None", "Position_0", "Pitch_60"], "Pitch_60"),
        (["BOS_None", "Tempo_120", "Meter_4/4", "Bar_None", "Position_0", "Track_0"], "inside a note"),
    ],
)
def test_decode_refuses_broken_tokens_and_names_the_place(names, message):
    with pytest.raises(InputError, match=message):
        CODEC.decode([CODEC.token(name) for name in names])


def test_refusals_name_the_remedy():
    two = NoteSequence([(0, 1, 60, 80, 1)], (Track(), Track()))
    with pytest.raises(InputError, match="tracks=2"):
        EventsCodec().encode(two)
    with pytest.raises(InputError, match="meter 9/2 does not fit"):
        EventsCodec().encode(NoteSequence([(0, 1, 60, 80, 0)], timing=Timing.regular(meter=(9, 2))))
    with pytest.raises(InputError, match="Genre is one of blues, jazz"):
        CODEC.token("Genre_polka")
    with pytest.raises(InputError, match="resolution must be a whole number"):
        EventsCodec(resolution=0)
    with pytest.raises(InputError, match="lie in 0 to"):
        CODEC.decode([99999, 1, 2, 3])


def test_meters_and_keys_are_unique():
    assert len(set(METERS)) == len(METERS)
    assert len(set(KEYS)) == 24
