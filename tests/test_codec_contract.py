"""The codec contract, run over every codec: exact inverse on what each can hold, settings that survive, refusals."""

import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicgen import (
    EventsCodec,
    FramesCodec,
    InputError,
    MelodyCodec,
    MissingDependencyError,
    NoteSequence,
    PianorollCodec,
    Timing,
    Track,
    transforms,
)
from musicgen.codecs import CODECS, MidiTokCodec, codec_class, codec_from_config
from musicgen.codecs.base import TokenCodec
from tests.strategies import timings

TRACKS = (Track("high", 73), Track("low", 32), Track("drums", 0, True))
OWN = {
    "events": EventsCodec(tracks=TRACKS),
    "frames": FramesCodec(lowest=0, keys=128),
    "melody": MelodyCodec(),
    "pianoroll": PianorollCodec(tracks=TRACKS),
}
SCALE = NoteSequence([(i / 2, i / 2 + 0.5, 60 + i, 80, 0) for i in range(8)])


@pytest.fixture(params=sorted(CODECS))
def codec(request):
    if request.param in OWN:
        return OWN[request.param]
    pytest.importorskip("miditok", reason="miditok is an extra")
    return MidiTokCodec("TSD")


@pytest.fixture(params=sorted(OWN))
def own(request):
    return OWN[request.param]


@st.composite
def grid_pieces(draw, resolution=4):
    """Any tempo map, meters, pickup, late first beat, repeated notes, chords, long notes, trailing silence."""
    timing = draw(timings())
    first = int(np.ceil(float(timing.seconds_to_quarters(0.0)) * resolution - 1e-6))
    count = draw(st.integers(1, 120))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.integers(0, 40))
    starts = random.integers(0, count, size)
    ends = np.minimum(starts + random.integers(1, draw(st.sampled_from([2, 5, 80])), size), count)
    lowest = draw(st.sampled_from([0, 60, 126]))
    pitches = random.integers(lowest, min(lowest + draw(st.sampled_from([2, 12, 128])), 128), size)

    def seconds(steps):
        return np.maximum(timing.quarters_to_seconds((first + steps) / resolution), 0.0)

    levels = random.choice(OWN["events"].spec["Velocity"], size)
    columns = seconds(starts), seconds(ends), pitches, levels, random.integers(0, 3, size)
    piece = NoteSequence(list(zip(*columns, strict=True)), TRACKS, timing, float(seconds(count)), {"title": "x"})
    return transforms.canonical(piece)


def plain(piece):
    return piece.replace(notes=with_fields(piece.notes, velocity=80))


def with_fields(notes, **fields):
    notes = np.array(notes)
    for name, value in fields.items():
        notes[name] = value
    return notes


def joined(piece):
    """One track; notes of one pitch that touch or overlap become one, found by brute force."""
    notes = with_fields(piece.notes, velocity=80, track=0)
    rows = []
    for pitch in np.unique(notes["pitch"]):
        for note in np.sort(notes[notes["pitch"] == pitch], order="start").tolist():
            if rows and rows[-1][2] == pitch and note[0] <= rows[-1][1] + 1e-9:
                rows[-1] = (rows[-1][0], max(rows[-1][1], note[1]), *rows[-1][2:])
            else:
                rows.append(note)
    return NoteSequence(rows, piece.tracks[:1], piece.timing, piece.duration, piece.meta)


#: What each codec can hold of any piece on the grid.
HELD = {
    "events": lambda piece: piece,
    "frames": joined,
    "melody": lambda piece: plain(transforms.monophonic(piece, track=0)),
    "pianoroll": plain,
}


@pytest.mark.parametrize("name", sorted(OWN))
@given(grid_pieces())
def test_decode_is_the_exact_inverse_of_encode_on_what_the_codec_holds(name, piece):
    codec, piece = OWN[name], HELD[name](piece)
    beside = {"timing": piece.timing, "tracks": piece.tracks, "meta": dict(piece.meta)}
    array = codec.encode(piece)
    back = codec.decode(array, **beside)
    for field in ("pitch", "velocity", "track"):
        np.testing.assert_array_equal(back.notes[field], piece.notes[field])
    for edge in ("start", "end"):
        np.testing.assert_allclose(back.notes[edge], piece.notes[edge], atol=1e-9)
    assert (back.timing, back.tracks, back.meta) == (piece.timing, piece.tracks, piece.meta)
    if name == "events":  # a piece of events ends with its last bar
        assert back.duration >= piece.duration - 1e-9
    else:
        assert back.duration == pytest.approx(piece.duration, abs=1e-9)
        np.testing.assert_array_equal(codec.encode(back), array)


@pytest.mark.parametrize("name", sorted(OWN))
@given(grid_pieces())
def test_arrays_have_the_dtype_and_shape_that_the_codec_tells(name, piece):
    codec = OWN[name]
    array = codec.encode(HELD[name](piece))
    assert array.dtype == codec.dtype
    assert array.shape[1:] == codec.shape
    if isinstance(codec, TokenCodec):
        assert array.max(initial=0) < codec.vocab_size == len(codec.vocabulary)


@pytest.mark.parametrize("name", ["events", "frames", "melody"])
@given(grid_pieces(), st.data())
def test_every_token_of_an_encoding_is_allowed_where_it_stands(name, piece, data):
    codec = OWN[name]
    tokens = codec.encode(HELD[name](piece))
    begin = 1 if name == "events" else 0
    for index in data.draw(st.sets(st.integers(begin, max(begin, len(tokens) - 1)), max_size=5)):
        if index < len(tokens):
            assert codec.allowed_next(tokens[:index])[tokens[index]], (index, codec.names(tokens))


@pytest.mark.parametrize("name", ["frames", "melody"])
@given(st.integers(0, 2**32 - 1))
def test_whatever_is_allowed_decodes_and_whatever_is_not_is_refused(name, seed):
    codec, random = (FramesCodec(lowest=60, keys=5) if name == "frames" else OWN[name]), np.random.default_rng(seed)
    tokens = []
    while len(tokens) < 12 or (name == "frames" and tokens[-1] != 5):
        tokens.append(int(random.choice(np.flatnonzero(codec.allowed_next(tokens)))))
    np.testing.assert_array_equal(codec.encode(codec.decode(tokens))[: len(tokens)], tokens)
    cut = int(random.integers(0, len(tokens)))
    wrong = np.flatnonzero(~codec.allowed_next(tokens[:cut]))
    if len(wrong):
        with pytest.raises(InputError, match=f"token {cut}, .* is not allowed"):
            codec.decode([*tokens[:cut], int(wrong[0])])


@given(st.integers(0, 2**32 - 1))
def test_every_roll_decodes_and_its_piece_gives_back_what_sounds(seed):
    random = np.random.default_rng(seed)
    codec = PianorollCodec(tracks=2, lowest=60, keys=3)
    roll = random.random((9, *codec.shape)) < random.choice([0.2, 0.5])
    back = codec.encode(codec.decode(roll))
    np.testing.assert_array_equal(back[..., 1], roll.any(-1))
    assert np.all(back[..., 0] >= roll[..., 0])


@given(st.integers(0, 2**32 - 1))
def test_frames_hold_every_roll(seed):
    roll = np.random.default_rng(seed).random((12, 88)) < 0.05
    codec = FramesCodec()
    np.testing.assert_array_equal(codec.roll(codec.encode(roll)), roll)
    assert np.sum(codec.encode(roll) == codec.vocab_size - 1) == 12
    np.testing.assert_array_equal(codec.encode(codec.decode(codec.encode(roll))), codec.encode(roll))


def test_settings_survive_json(codec):
    again = codec_from_config(json.loads(codec.to_json()))
    assert type(again) is type(codec)
    assert again == codec
    np.testing.assert_array_equal(again.encode(SCALE), codec.encode(SCALE))


def test_a_scale_comes_back(codec):
    back = codec.decode(codec.encode(SCALE), timing=SCALE.timing)
    np.testing.assert_array_equal(back.notes["pitch"], SCALE.notes["pitch"])
    np.testing.assert_allclose(back.notes["start"], SCALE.notes["start"], atol=1e-9)
    np.testing.assert_allclose(back.notes["end"], SCALE.notes["end"], atol=1e-9)


def test_a_timing_beside_moves_the_notes(codec):
    timing = Timing([0.5, 1.5, 3.5], 1.0, [(0, 3, 4)])
    piece = NoteSequence([(0.5, 1.0, 60, 80, 0), (1.5, 3.5, 62, 80, 0)], timing=timing)
    back = codec.decode(codec.encode(piece), timing=timing)
    np.testing.assert_allclose(back.notes["start"], [0.5, 1.5], atol=1e-2)
    assert back.timing == timing


def test_a_repeated_note_is_not_a_long_one():
    twice = NoteSequence([(0.0, 0.5, 60, 80, 0), (0.5, 1.0, 60, 80, 0)])
    once = NoteSequence([(0.0, 1.0, 60, 80, 0)])
    for name in ("events", "melody", "pianoroll"):
        assert not np.array_equal(OWN[name].encode(twice), OWN[name].encode(once))
        assert len(OWN[name].decode(OWN[name].encode(twice))) == 2
    np.testing.assert_array_equal(OWN["frames"].encode(twice), OWN["frames"].encode(once))


def test_known_arrays():
    piece = NoteSequence([(0.0, 0.5, 64, 80, 0), (0.0, 0.25, 60, 80, 0), (0.75, 1.0, 60, 80, 0)], duration=1.25)
    codec = FramesCodec(lowest=60, keys=12, resolution=2)
    names = " ".join(codec.names(codec.encode(piece)))
    assert names == "Pitch_60 Pitch_64 End_None Pitch_64 End_None End_None Pitch_60 End_None End_None"
    line = transforms.monophonic(piece)
    assert MelodyCodec(resolution=2).encode(line).tolist() == [64, 128, 129, 60, 129]
    roll = PianorollCodec(resolution=2, lowest=60, keys=5).encode(piece)
    assert roll.shape == (5, 1, 5, 2)
    assert np.argwhere(roll).tolist() == (
        [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 4, 0], [0, 0, 4, 1], [1, 0, 4, 1], [3, 0, 0, 0], [3, 0, 0, 1]]
    )


def test_an_empty_piece_is_silence(own):
    back = own.decode(own.encode(NoteSequence(duration=2.0)))
    assert (len(back), back.duration) == (0, 2.0)


CHORD = NoteSequence([(0, 1, 60, 80, 0), (0, 1, 64, 80, 0)])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MelodyCodec().encode(CHORD), r"overlap.*at 0.000 s.*monophonic\(transforms.quantise\(piece, 4\)\)"),
        (lambda: MelodyCodec().encode(two_tracks()), r"notes in 2: 0, 1.*monophonic\(piece, track=0\)"),
        (lambda: MelodyCodec().decode([60, 129, 128]), "token 2, Hold_None, is not allowed after Rest_None"),
        (lambda: MelodyCodec().decode([128]), "token 0, Hold_None, is not allowed at the beginning"),
        (lambda: MelodyCodec().decode([60.5]), "list of whole numbers"),
        (lambda: MelodyCodec().decode([130]), "0 to 129"),
        (lambda: MelodyCodec(resolution=0), "resolution must be a whole number from 1 to 96"),
        (lambda: FramesCodec(lowest=60, keys=4).encode(CHORD), "1 of 2 notes.*pitch 64.*60 to 63.*transpose"),
        (lambda: FramesCodec().encode(np.zeros((3, 87))), r"shape \(steps, 88\), not \(3, 87\)"),
        (lambda: FramesCodec().encode(np.full((3, 88), 0.5)), "0 and 1.*threshold"),
        (lambda: FramesCodec().decode([4, 4, 88]), "token 1, Pitch_25, is not allowed after Pitch_25"),
        (lambda: FramesCodec().decode([4]), "end inside a step, at Pitch_25.*End_None"),
        (lambda: FramesCodec(lowest=100, keys=88), "keys must be a whole number from 1 to 28"),
        (lambda: PianorollCodec().encode(two_tracks()), "uses 2 tracks, this codec has 1.*tracks=2"),
        (lambda: PianorollCodec(lowest=62).encode(CHORD), "keys must be"),
        (lambda: PianorollCodec(keys=60).encode(CHORD), "2 of 2 notes.*pitch 60.*0 to 59"),
        (lambda: PianorollCodec().decode(np.zeros((4, 1, 128))), r"shape \(steps, 1, 128, 2\)"),
        (lambda: PianorollCodec(tracks=0), "tracks must be 1 to 256"),
        (lambda: codec_class("midi"), "no codec 'midi'.*events, frames, melody, pianoroll, miditok"),
        (lambda: codec_from_config({"codec": "midi"}), "unknown codec 'midi'"),
        (lambda: codec_from_config({"codec": "melody", "colour": 1}), "settings of codec 'melody'.*colour"),
        (lambda: transforms.monophonic(CHORD, track=1), "no track 1.*0 to 0"),
    ],
)
def test_refusals_name_value_and_remedy(call, message):
    with pytest.raises(InputError, match=message):
        call()


def two_tracks():
    return NoteSequence([(0, 1, 60, 80, 0), (1, 2, 60, 80, 1)], (Track(), Track()))


@given(grid_pieces())
def test_monophonic_keeps_the_highest_of_each_onset(piece):
    line = transforms.monophonic(piece)
    assert np.all(line.notes["start"][1:] >= line.notes["end"][:-1])
    heard = piece.notes[piece.notes["track"] < 2]
    assert set(line.notes["start"]) == set(heard["start"])
    for note in line.notes:
        assert note["pitch"] == heard["pitch"][heard["start"] == note["start"]].max()
    assert len(MelodyCodec().encode(line)) > 0


# ---- MidiTok


@pytest.fixture(scope="module")
def miditok():
    return pytest.importorskip("miditok", reason="miditok is an extra")


def test_miditok_tokens_are_its_own(miditok):
    from musicgen.midi import to_symusic

    config = miditok.TokenizerConfig(use_programs=True, one_token_stream_for_programs=True)
    tokenizer = miditok.REMI(config)
    codec = MidiTokCodec(tokenizer)
    assert codec.encode(two_tracks()).tolist() == tokenizer.encode(to_symusic(two_tracks())).ids
    allowed = codec.allowed_next(codec.encode(SCALE)[:3])
    assert allowed.shape == (codec.vocab_size,)
    assert allowed[codec.encode(SCALE)[3]]
    assert not allowed.all()


def test_a_trained_miditok_tokenizer_survives_json(miditok, tmp_path):
    for number in range(3):
        SCALE.save(tmp_path / f"{number}.mid")
    tokenizer = miditok.TSD(miditok.TokenizerConfig(use_programs=True, one_token_stream_for_programs=True))
    untrained = MidiTokCodec("TSD")
    tokenizer.train(vocab_size=len(tokenizer) + 50, files_paths=sorted(tmp_path.glob("*.mid")))
    codec = MidiTokCodec(tokenizer)
    again = codec_from_config(json.loads(codec.to_json()))
    tokens = again.encode(SCALE)
    assert tokens.tolist() == codec.encode(SCALE).tolist()
    assert len(tokens) < len(untrained.encode(SCALE))
    assert again.decode(tokens).notes["pitch"].tolist() == SCALE.notes["pitch"].tolist()


def test_miditok_refusals(miditok, monkeypatch):
    with pytest.raises(InputError, match="no tokenizer 'REMY'"):
        MidiTokCodec("REMY")
    with pytest.raises(InputError, match="one token stream per track.*use_programs"):
        MidiTokCodec(miditok.REMI())
    with pytest.raises(InputError, match="CPWord writes several tokens"):
        MidiTokCodec("CPWord")
    with pytest.raises(InputError, match="not int"):
        MidiTokCodec(3)
    codec = MidiTokCodec()
    tokens = codec.encode(two_tracks().replace(tracks=TRACKS[:2]))
    with pytest.raises(InputError, match="2 tracks, 1 are given"):
        codec.decode(tokens, tracks=TRACKS[:1])
    monkeypatch.setitem(sys.modules, "miditok", None)
    with pytest.raises(MissingDependencyError, match=r"musicgen-midi\[miditok\]"):
        MidiTokCodec()
