"""The sampling loop: loops are heard and broken, notes end, what is asked for is kept, streams equal pieces."""

import numpy as np
import pytest

from musicgen import EventsCodec, NoteSequence, Timing, Track
from musicgen.codecs.grammar import TYPE
from musicgen.composers.controls import most_at_once
from musicgen.composers.drawing import SamplingControls, draw
from musicgen.composers.guidance import STATEMENTS, Guidance, Guide
from musicgen.composers.listening import Listener, sounding, statements
from musicgen.composers.prompts import Prompt
from musicgen.composers.sampling import Sampler
from musicgen.metrics import loop_count

pytestmark = pytest.mark.filterwarnings("ignore")


def listened(piece, codec, *, upto=None):
    """Registers of grammar and listener after the tokens of a piece (before its EOS)."""
    listener = Listener(codec.grammar, [track.drum for track in codec.tracks])
    state, heard = codec.grammar.initial_state(1), listener.initial(1)
    for token in codec.encode(piece)[1:-1][:upto]:
        token = np.array([token], np.int32)
        after = codec.grammar.advance(state, token).astype(np.int32)
        heard = listener.advance(heard, state, after, token, np.zeros(1, np.float32))
        heard = {name: np.asarray(value) for name, value in heard.items()}
        state = after
    return state, heard, Guide(codec.grammar, listener)


def ostinato(pitches, count, step=0.25):
    """So many statements of some pitches, one after the other, at 120 bpm."""
    return [(i * step, (i + 1) * step, pitch, 84, 0) for i, pitch in enumerate(list(pitches) * count)]


@pytest.mark.parametrize("pitches", [[60], [60, 64], [60, 64, 67], [60, 62, 64, 65, 67, 69, 71, 72]])
def test_a_loop_is_counted_and_the_note_that_goes_on_with_it_is_known(pitches):
    codec = EventsCodec()
    piece = NoteSequence([*ostinato(pitches, 4), (len(pitches) * 1.0, len(pitches) + 0.25, 90, 84, 0)])
    state, heard, guide = listened(piece, codec, upto=-3)  # the last Pitch is to come
    assert loop_count(NoteSequence(ostinato(pitches, 4))) == 4
    assert statements(heard)[0, len(pitches) - 1] == 5
    bias = np.asarray(guide.bias(state, heard, Guidance(repetition_penalty=2.0).numbers(4), ("loops",)))[0]
    assert bias[codec.token(f"Pitch_{pitches[0]}")] == -2.0 * (5 - STATEMENTS)
    assert np.count_nonzero(bias) == 1


def test_what_is_no_loop_costs_nothing():
    codec = EventsCodec(tracks=2)
    rising = [(i / 4, (i + 1) / 4, 60 + i, 84, 0) for i in range(16)]
    slow = [(i * 3.0, i * 3.0 + 1, 60, 84, 0) for i in range(6)]  # a period of 6 quarters is longer than a bar
    uneven = [(start, start + 0.1, 60, 84, 0) for start in np.cumsum([0.25, 0.5, 0.25, 0.75, 0.25, 1.0, 0.5])]
    for rows in (rising, slow, uneven):
        last = rows[-1][1]
        state, heard, guide = listened(NoteSequence([*rows, (last, last + 0.2, 20, 84, 0)]), codec, upto=-3)
        bias = np.asarray(guide.bias(state, heard, Guidance(repetition_penalty=2.0).numbers(4), ("loops",)))
        assert not bias.any()


def test_a_chord_goes_on_with_a_loop_by_its_last_note_alone():
    codec = EventsCodec(tracks=2)
    chords = [
        (i / 2, i / 2 + 0.5, pitch, 84, track) for i in range(5) for pitch, track in ((60, 0), (64, 0), (40, 1))
    ]
    tokens = codec.names(codec.encode(NoteSequence(chords, (Track(), Track()))))
    last = len(tokens) - 1 - tokens[::-1].index("Pitch_40")
    for upto, expected in ((last - 1, {"Pitch_40": -3.0}), (last - 5, {})):  # before 40 of track 1; before 64
        state, heard, guide = listened(NoteSequence(chords, (Track(), Track())), codec, upto=upto)
        bias = np.asarray(guide.bias(state, heard, Guidance(repetition_penalty=3.0).numbers(4), ("loops",)))[0]
        assert {codec.vocabulary[i]: bias[i] for i in np.flatnonzero(bias)} == expected


def test_sounding_notes_are_counted_as_they_are():
    rows = [(0.0, 2.0, 60, 84, 0), (0.0, 0.5, 64, 84, 0), (0.5, 1.5, 67, 84, 0), (1.0, 1.25, 50, 84, 0)]
    _, heard, _ = listened(NoteSequence(rows), EventsCodec())
    steps = np.array([[8, 9, 10, 11, 12, 15, 16]], np.int32)  # from the last onset on, sixteenths
    expected = [[sum(start <= s / 8 < end for start, end, *_ in rows) for s in steps[0]]]
    np.testing.assert_array_equal(np.asarray(sounding(heard, steps)), expected)


def parrot(codec, *names, others=-9.0):
    """A sampler whose network scores some tokens 9, Bar a little less and all others little."""
    logits = np.full(codec.vocab_size, others, np.float32)
    logits[[codec.token(name) for name in names]] = 9.0
    logits[codec.token("Bar_None")] = max(others, 2.0)
    step = lambda weights, tokens, carry: (weights[None] + 0.0 * carry[0], carry)  # noqa: E731
    return Sampler(step, codec), logits, (np.zeros((1, 1), np.float32),)


def composed(codec, parrot, guidance, *, bars=8, temperature=1.0, count=4):
    sampler, logits, carry = parrot
    prompts = [Prompt(codec, bars, [seed]) for seed in range(count)]
    controls = SamplingControls(temperature=temperature)
    streams, _ = sampler.sample(logits, carry, prompts, controls, guidance=guidance)
    return [codec.decode(np.concatenate([[codec.token("BOS_None")], stream])) for stream in streams]


def test_the_penalty_ends_loops_of_a_stuck_network():
    codec = EventsCodec(velocities=0)
    stuck = parrot(codec, "Tempo_120", "Meter_4/4", "Position_0", "Track_0", "Pitch_60", "Duration_4")
    plain = composed(codec, stuck, Guidance(one_meter=True), bars=16)
    assert min(loop_count(piece) for piece in plain) >= 10
    broken = composed(codec, stuck, Guidance(repetition_penalty=20.0, one_meter=True), bars=16)
    assert max(loop_count(piece) for piece in broken) == STATEMENTS


def test_a_note_that_a_network_never_ends_is_ended():
    codec = EventsCodec(velocities=0, max_duration=2)
    held = parrot(codec, "Tempo_120", "Meter_4/4", "Position_0", "Track_0", "Pitch_60", "Duration_8")
    for piece in composed(codec, held, Guidance(), bars=2, temperature=0, count=1):
        assert piece.notes["end"].max() <= 16 * 2 * 0.5 + 0.5


def test_no_more_notes_sound_at_once_than_asked():
    codec = EventsCodec(velocities=0, tracks=3)
    wild = parrot(codec, others=0.0)
    for polyphony in (1, 2, 5):
        for piece in composed(codec, wild, Guidance(polyphony=polyphony), bars=3):
            assert 0 < most_at_once(piece.notes) <= polyphony


def test_a_range_of_pitches_binds_all_but_percussion():
    codec = EventsCodec(velocities=0, tracks=[Track("flute", 73), Track("kit", 0, True)])
    found = np.concatenate(
        [p.notes for p in composed(codec, parrot(codec, others=0.0), Guidance(pitch_range=(60, 64)), bars=3)]
    )
    assert set(found["pitch"][found["track"] == 0].tolist()) <= set(range(60, 65))
    assert found["pitch"][found["track"] == 1].max() > 64


def test_filters_and_sort_agree():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (50, 12)).astype(np.float32)
    controls = SamplingControls(top_p=0.8)
    weights = np.exp(logits.astype(np.float64))
    weights /= weights.sum(1, keepdims=True)
    order = np.argsort(-weights, axis=1)
    before = np.cumsum(np.take_along_axis(weights, order, 1), axis=1) - np.take_along_axis(weights, order, 1)
    kept = np.zeros_like(weights, bool)
    np.put_along_axis(kept, order, before < 0.8, axis=1)
    quantiles = np.linspace(0, 1, 60, endpoint=False, dtype=np.float32)
    uniform, row = np.repeat(quantiles, 50), np.tile(np.arange(50), 60)
    allowed = np.ones((3000, 12), bool)
    drawn = np.asarray(draw(logits[row], allowed, uniform, controls.row(12), filters=controls.filters))
    hit = np.zeros_like(kept)
    hit[row, drawn] = True
    assert not (hit & ~kept).any()
    assert hit.sum() > 0.9 * kept.sum()


def test_nothing_is_added_before_a_primer_ends():
    codec = EventsCodec(velocities=0)
    piece = NoteSequence([(0.0, 0.5, 60, 80, 0), (2.0, 2.5, 62, 80, 0)], timing=Timing.regular(120))
    primer = codec.encode(piece)[:-1]
    sampler, logits, carry = parrot(codec, others=0.0)
    prompts = [Prompt(codec, 1, [seed], primer=primer, floor=9) for seed in range(8)]
    streams, _ = sampler.sample(logits, carry, prompts, SamplingControls())
    for stream in streams:
        types, values = codec.grammar.types[stream], codec.grammar.values[stream]
        first = int(np.argmax((types == TYPE["Position"]) | (types == TYPE["Bar"])))
        assert not np.isin(types[:first], (TYPE["Pitch"], TYPE["Track"])).any()
        assert types[first] == TYPE["Bar"] or values[first] >= 9
