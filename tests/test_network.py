"""The recurrent network: one step at a time equals the whole, and its distributions sum to one."""

import itertools
import logging

import numpy as np
import pytest

from musicgen import EventsCodec, FramesCodec
from musicgen.codecs.spec import KEYS
from musicgen.composers.backend import backend_name, compile_function, to_numpy
from musicgen.composers.echoes import EchoMemory, echoes_of
from musicgen.composers.likelihood import Scorer
from musicgen.composers.network import RecurrentNetwork
from musicgen.composers.pitch_memory import PitchMemory

pytestmark = pytest.mark.filterwarnings("ignore")


def network_for(codec, **options):
    """A small network with random weights in every part."""
    sizes = {"embedding": 5, "units": 8, "layers": 2, "dropout": 0.0, "filters": 4, "reach": 6}
    network = RecurrentNetwork(codec.pitch_table(), **{**sizes, **options})
    random = np.random.default_rng(0)
    for variable in network.trainable_variables:
        variable.assign(random.normal(size=variable.shape) * 0.5)
    return network


def steps(network, tokens):
    """Logits of `step` after every token, shape (batch, time, outputs)."""
    weights, carry, logits = network.step_weights(), network.initial_carry(len(tokens)), []
    for column in tokens.T:
        scores, carry = network.step(weights, column, carry)
        logits.append(to_numpy(scores))
    return np.stack(logits, axis=1)


@pytest.mark.parametrize("codec", [FramesCodec(), EventsCodec(tracks=3)], ids=["frames", "events"])
@pytest.mark.parametrize("options", [{}, {"filters": 0, "heard": 0}, {"rising": True}], ids=str)
def test_single_steps_equal_the_whole(codec, options):
    table = codec.pitch_table()
    tokens = np.random.default_rng(1).integers(0, table.outputs, (3, 24)).astype(np.int32)
    tokens[:, 0] = tokens[1, 13] = table.start
    network = network_for(codec, **options)
    np.testing.assert_allclose(steps(network, tokens), to_numpy(network(tokens)), atol=1e-4)


def test_what_sounds_is_told_in_degrees_of_the_key():
    codec = EventsCodec(tracks=1, velocities=0)
    memory = PitchMemory(codec.pitch_table())
    names = ["BOS_None", "Key_D minor", "Tempo_120", "Meter_4/4", "Bar_None", "Position_0", "Pitch_62", "Duration_4"]
    names += ["Pitch_65", "Duration_4", "Position_4", "Pitch_73", "BOS_None", "Pitch_62"]
    tokens = np.array([[codec.token(name) for name in names]], np.int32)
    rows, keys = memory.over(tokens)
    assert to_numpy(keys)[0].tolist() == [-1, *[KEYS.index("D minor")] * 11, -1, -1]
    told = to_numpy(memory.degrees(rows, keys))[0]
    chord = [np.flatnonzero(part).tolist() for part in told[8, :48].reshape(4, 12)]
    assert chord == [[0, 3], [], [], [3]], "D and F, the last of them F"
    assert [np.flatnonzero(part).tolist() for part in told[11, :48].reshape(4, 12)] == [[11], [0, 3], [], [11]]
    assert told[11, 48:].tolist() == [0, 1], "minor"
    assert not told[[0, 12, 13]].any(), "no key is known"
    said = np.zeros((1, 12), np.float32)
    said[0, 4] = 1.0  # the major third of D is F sharp
    heights = to_numpy(memory.of_degrees(said, np.array([KEYS.index("D major")], np.int32)))[0]
    assert {pitch % 12 for pitch in np.flatnonzero(heights)} == {6}
    assert not to_numpy(memory.of_degrees(said, np.array([-1], np.int32))).any()


def repeating(count, time, start):
    """Streams over a few tokens whose second half is like the first but for one token; two pieces in the first."""
    half = np.random.default_rng(2).integers(0, 5, (count, time // 2)).astype(np.int32)
    tokens = np.concatenate([half, half], axis=1)
    tokens[:, 3 * time // 4] = 5
    tokens[:, 0] = tokens[0, time // 3] = start
    return tokens


def test_echoes_counted_by_hand():
    start = 9
    stream = np.array([start, 1, 2, 3, 4, 7, 1, 2, 3, 4, 8, 3, 4], np.int32)
    found = echoes_of(stream, 100)
    assert found[:9].tolist() == [[0, 0]] * 9, "three tokens in a row are no passage"
    assert found[9].tolist() == [5, 1]  # 1 2 3 4 was followed by 7, which stands 5 before what comes next
    assert found[10:].tolist() == [[0, 0]] * 3
    assert echoes_of(stream, 4)[9].tolist() == [0, 0], "too far back"
    again = np.array([start, *range(8), *range(8), *range(8)], np.int32)
    assert echoes_of(again, 100)[-1].tolist() == [8, 3], "of equally long passages the last one"


def test_echoes_one_by_one_are_those_of_the_stream():
    tokens = repeating(3, 48, 6)
    told = to_numpy(EchoMemory(6, 30).over(tokens))
    for row, stream in enumerate(tokens):
        pieces = np.split(stream, np.flatnonzero(stream == 6)[1:])
        back, level = np.concatenate([echoes_of(piece, 30) for piece in pieces]).T
        expected = np.where(level > 0, stream[np.arange(48) + 1 - np.maximum(back, 1)], 0)
        np.testing.assert_array_equal(told[row], np.stack([expected, level], axis=1))
    assert set(told[..., 1].ravel()) == {0, 1, 2}


def test_a_network_with_an_echo_step_by_step_and_as_a_whole():
    codec = FramesCodec(lowest=60, keys=5)
    table = codec.pitch_table()
    network, plain = network_for(codec, echo=30, heard=0), network_for(codec, heard=0)
    tokens = repeating(2, 48, table.start)
    whole = to_numpy(network(tokens))
    np.testing.assert_allclose(steps(network, tokens), whole, atol=1e-4)
    told = EchoMemory(table.start, 30).over(tokens)
    told = np.concatenate([tokens[..., None], told], axis=-1)
    np.testing.assert_allclose(to_numpy(network(told)), whole, atol=1e-5)
    by_name = plain.named_variables()
    for name, variable in network.named_variables().items():
        if name in by_name:
            by_name[name].assign(variable.value)
    network.named_variables()["trust.kernel"].assign(np.zeros((16, 5)))
    network.named_variables()["trust.bias"].assign(np.arange(1.0, 6.0))
    _, token, level = np.moveaxis(told, -1, 0)
    more = to_numpy(network(tokens)) - to_numpy(plain(tokens))
    np.testing.assert_allclose(np.take_along_axis(more, token[..., None], 2)[..., 0], level, atol=1e-4)


def test_a_start_token_makes_the_network_forget():
    codec = FramesCodec(lowest=60, keys=6)
    network, start = network_for(codec), codec.pitch_table().start
    piece = np.array([[start, 1, 4, 6, 0, 6]], np.int32)
    twice = np.concatenate([piece, piece], axis=1)
    np.testing.assert_allclose(to_numpy(network(twice))[:, 6:], to_numpy(network(piece)), atol=1e-5)


@pytest.mark.parametrize("echo", [0, 16])
def test_frames_of_a_tiny_vocabulary_have_probability_one_in_all(echo):
    """All ways to write two steps over three keys, each after any first ones: lower keys are masked."""
    codec = FramesCodec(lowest=60, keys=3)
    start, end = codec.pitch_table().start, 3
    chords = [[*keys, end] for size in range(4) for keys in itertools.combinations(range(3), size)]
    pieces = [np.array([start, *first, *second], np.int32) for first in chords for second in chords]
    nats = Scorer(network_for(codec, rising=True, echo=echo)).nll(pieces)
    assert len(pieces) == 64
    assert np.exp([-piece.sum() for piece in nats]).sum() == pytest.approx(1, abs=1e-4)
    total = sum(np.exp(-piece.sum()) for piece in Scorer(network_for(codec, echo=echo)).nll(pieces))
    assert total < 0.9, "without the mask much probability goes to keys in no order"


def test_the_memory_holds_the_groups_and_the_last_pitch_of_the_track():
    codec = EventsCodec(tracks=2, velocities=0)
    memory = PitchMemory(codec.pitch_table())
    names = ["BOS_None", "Bar_None", "Position_0", "Track_0", "Pitch_60", "Duration_4", "Pitch_64", "Duration_4"]
    names += ["Track_1", "Pitch_48", "Duration_4", "Position_4", "Track_0", "Pitch_62", "Duration_2", "Position_8"]
    tokens = np.array([[codec.token(name) for name in names]], np.int32)
    rows = [[np.flatnonzero(row).tolist() for row in rows] for rows in to_numpy(memory.over(tokens)[0])[0]]
    assert rows[0] == [[], [], [], []]
    assert rows[7] == [[60, 64], [], [], [64]]
    assert rows[10] == [[48, 60, 64], [], [], [48]]
    assert rows[12] == [[], [48, 60, 64], [], [64]]  # back in track 0
    assert rows[15] == [[], [62], [48, 60, 64], [62]]


def test_the_head_over_intervals_knows_no_key():
    """What it says after the same chords five semitones higher lies five semitones higher."""
    codec = FramesCodec(lowest=40, keys=40)
    network = network_for(codec, reach=5)
    start, end = codec.pitch_table().start, 40
    named = network.named_variables()
    for name in ("logits.kernel", "interest.kernel"):  # all that knows pitches by their place
        named[name].assign(np.zeros(named[name].shape))
    chords = np.array([[start, 10, 14, 17, end, 12, 15]], np.int32)
    higher = np.where(chords < end, chords + 5, chords)
    low, high = to_numpy(network(chords))[0, 4:, :40], to_numpy(network(higher))[0, 4:, :40]
    bias = to_numpy(named["logits.bias"].value)[:40]
    np.testing.assert_allclose((low - bias)[:, 5:30], (high - bias)[:, 10:35], atol=1e-4)
    assert np.ptp((low - bias)[:, 5:30]) > 0.1


def test_likelihoods_are_those_of_the_network_whatever_stands_beside_a_stream():
    codec = FramesCodec(lowest=60, keys=5)
    network, start = network_for(codec, rising=True), codec.pitch_table().start
    random = np.random.default_rng(2)
    rolls = [random.random((length, 5)) < 0.4 for length in (3, 90, 40)]
    streams = [np.concatenate([[start], codec.encode(roll)]).astype(np.int32) for roll in rolls]
    for stream, nats in zip(streams, Scorer(network).nll(streams), strict=True):
        logits = to_numpy(network(stream[None, :-1]))[0].astype(np.float64)
        expected = np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(logits)), stream[1:]]
        np.testing.assert_allclose(nats, expected, atol=1e-3)


def test_a_layer_learns_what_its_formula_teaches_step_by_step():
    """One step of plain descent, beside the same layer with steps that the backend differentiates by itself."""
    import keras

    from musicgen.composers.recurrent import LSTMLayer, lstm_gates

    class Unrolled(LSTMLayer):
        def call(self, inputs, keep=None):
            kernel, rows = keras.ops.convert_to_tensor(self.recurrent_kernel), []
            hidden = cell = keras.ops.zeros((inputs.shape[0], self.units))
            for time in range(inputs.shape[1]):
                kept = keep[:, time : time + 1]
                gates = keras.ops.matmul(inputs[:, time], self.kernel) + self.bias
                hidden, cell = lstm_gates(gates + keras.ops.matmul(hidden * kept, kernel), cell * kept)
                rows.append(hidden)
            return keras.ops.stack(rows, axis=1)

    random = np.random.default_rng(0)
    inputs, targets = (random.normal(size=(3, 7, width)).astype(np.float32) for width in (5, 4))
    keep = np.ones((3, 7), np.float32)
    keep[1, 3] = keep[2, 0] = 0

    def learnt(family):
        given = keras.Input((7, 5), batch_size=3), keras.Input((7,), batch_size=3)
        first, second = family(4, seed=0), family(4, seed=1)
        network = keras.Model(given, second(first(*given), given[1]))
        network.compile(optimizer=keras.optimizers.SGD(1.0), loss="mse", jit_compile=True)
        before = to_numpy([weight.value for weight in network.trainable_variables])
        network.train_on_batch([inputs, keep], targets)
        after = to_numpy([weight.value for weight in network.trainable_variables])
        return [new - old for new, old in zip(after, before, strict=True)]

    for ours, expected in zip(learnt(LSTMLayer), learnt(Unrolled), strict=True):
        assert np.abs(expected).max() > 1e-3
        np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_dropout_acts_in_training_alone():
    codec = FramesCodec(lowest=60, keys=4)
    network = network_for(codec, dropout=0.5)
    tokens = np.array([[codec.pitch_table().start, 0, 2, 4]], np.int32)
    np.testing.assert_array_equal(to_numpy(network(tokens)), to_numpy(network(tokens)))
    assert not np.allclose(to_numpy(network(tokens, training=True)), to_numpy(network(tokens)))


def test_locked_dropout_drops_the_same_features_at_every_step():
    network = network_for(FramesCodec(), dropout=0.5, locked=True, weight_dropout=0.5)
    signal = np.ones((2, 7, 8), np.float32)
    dropped = to_numpy(network.dropouts[1](signal, training=True))
    assert 0 < np.mean(dropped == 0) < 1
    np.testing.assert_array_equal(dropped, np.repeat(dropped[:, :1], 7, axis=1))
    tokens = np.full((1, 4), 3, np.int32)
    np.testing.assert_array_equal(to_numpy(network(tokens)), to_numpy(network(tokens)), "nothing is dropped in use")
    assert np.any(to_numpy(network(tokens, training=True)) != to_numpy(network(tokens)))


@pytest.mark.skipif(backend_name() != "tensorflow", reason="only TensorFlow warns of it")
def test_compiling_for_every_shape_is_not_warned_of():
    import tensorflow as tf

    told, logger = [], tf.get_logger()
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())
    logger.addHandler(handler)
    try:
        compiled = compile_function(lambda values: values + 1)
        for size in range(1, 9):
            compiled(np.zeros(size, np.float32))
        logger.warning("this is heard")
    finally:
        logger.removeHandler(handler)
    assert told == ["this is heard"]
