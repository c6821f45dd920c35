"""The LSTM's own: exact likelihood, sampling controls, one compiled loop."""

import numpy as np
import pytest

from musicgen import EventsCodec, InputError, LSTMComposer, Timing
from musicgen.codecs.grammar import TYPE
from musicgen.composers.drawing import SamplingControls, draw
from musicgen.composers.prompts import Prompt
from musicgen.composers.sampling import MAX_TOKENS_PER_BAR, Sampler, with_bar_ends
from tests.test_composers import TUNES

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def composer():
    composer = LSTMComposer(preset="tiny", layers=2, seed=0)
    composer.fit(TUNES[:6], epochs=8, progress=False)
    return composer


def test_nll_equals_the_training_network_on_whole_pieces(composer):
    for piece, nats in zip(TUNES[6:], composer.nll(TUNES[6:]), strict=True):
        tokens = composer.codec.encode(piece)
        logits = np.asarray(composer.network(tokens[None, :-1]))[0].astype(np.float64)
        logits -= np.log(np.sum(np.exp(logits - logits.max(1, keepdims=True)), 1, keepdims=True)) + logits.max(
            1, keepdims=True
        )
        np.testing.assert_allclose(nats, -logits[np.arange(len(logits)), tokens[1:]], atol=1e-4)


def test_temperature_zero_is_argmax_and_needs_no_seed(composer):
    pieces = [composer.compose(bars=2, seed=seed, temperature=0, genre="folk") for seed in (1, 2)]
    np.testing.assert_array_equal(pieces[0].notes, pieces[1].notes)
    assert len({composer.compose(bars=2, seed=seed, temperature=1.0).notes.tobytes() for seed in range(4)}) > 1


def drawn_shares(logits, **options):
    """Share of each token over an even grid of quantiles."""
    quantiles = ((np.arange(2000) + 0.5) / 2000).astype(np.float32)
    logits = np.tile(np.array(logits, np.float32), (2000, 1))
    controls = SamplingControls(**options)
    tokens = draw(
        logits, np.ones_like(logits, bool), quantiles, controls.row(logits.shape[1]), filters=controls.filters
    )
    return np.bincount(np.asarray(tokens), minlength=logits.shape[1]) / 2000


P = np.array([0.5, 0.25, 0.15, 0.07, 0.03])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, P),
        ({"temperature": 0.5}, P**2 / np.sum(P**2)),
        ({"temperature": 0}, [1, 0, 0, 0, 0]),
        ({"top_k": 2}, [2 / 3, 1 / 3, 0, 0, 0]),
        ({"top_p": 0.8}, P * [1, 1, 1, 0, 0] / 0.9),
        ({"top_p": 0.5}, [1, 0, 0, 0, 0]),
        ({"min_p": 0.2}, P * [1, 1, 1, 0, 0] / 0.9),
        ({"top_k": 3, "top_p": 0.8}, P * [1, 1, 0, 0, 0] / 0.75),
        ({"top_k": 4, "min_p": 0.4}, P * [1, 1, 0, 0, 0] / 0.75),
    ],
)
def test_sampling_controls_leave_exactly_the_tokens_they_promise(options, expected):
    np.testing.assert_allclose(drawn_shares(np.log(P), **options), expected, atol=2e-3)


def test_masked_tokens_are_never_drawn():
    logits = np.tile(np.array([9.0, 0.0, 0.0], np.float32), (64, 1))
    allowed = np.tile([False, True, True], (64, 1))
    quantiles = np.linspace(0, 1, 64, endpoint=False, dtype=np.float32)
    tokens = np.asarray(draw(logits, allowed, quantiles, SamplingControls().row(3)))
    assert set(tokens.tolist()) == {1, 2}


def test_the_last_bar_ends_as_probably_as_every_other():
    types = np.array([[TYPE[kind] for kind in ("Bar", "Meter", "EOS", "Position")]])
    shares = np.array([[0.5, 0.2, 0.1, 0.2]] * 2, np.float32)
    ended = np.exp(np.asarray(with_bar_ends(np.log(shares), types, last=np.array([False, True]))))
    np.testing.assert_allclose(ended[0], [0.6, 0.2, 0.1, 0.2], rtol=1e-5)
    np.testing.assert_allclose(ended[1], [0.5, 0.2, 0.8, 0.2], rtol=1e-5)


def test_a_network_that_only_knows_bars_writes_one_note_and_ends():
    codec = EventsCodec()
    logits = np.where(np.arange(codec.vocab_size) == codec.token("Bar_None"), 9.0, -9.0).astype(np.float32)
    sampler = Sampler(lambda weights, tokens, carry: (weights[None] + 0.0 * carry[0], carry), codec)
    prompts = [Prompt(codec, 3, [seed]) for seed in range(4)]
    streams, _ = sampler.sample(logits, (np.zeros((1, 1), np.float32),), prompts, SamplingControls())
    for stream in streams:
        kinds = [name.split("_")[0] for name in codec.names(stream)]
        note = ["Position", "Track", "Pitch", "Velocity", "Duration", "EOS"]  # no piece is silent
        assert kinds[kinds.index("Bar") :] == ["Bar"] * 3 + note


@pytest.mark.parametrize(
    "bad",
    [
        {"temperature": -1},
        {"temperature": "hot"},
        {"temperature": None},
        {"top_k": 0},
        {"top_k": 2.5},
        {"top_p": 0},
        {"top_p": "0.9"},
        {"min_p": 1.5},
        {"min_p": float("nan")},
    ],
    ids=str,
)
def test_sampling_controls_out_of_range_are_refused(composer, bad):
    with pytest.raises(InputError, match=f"{next(iter(bad))} must be"):
        composer.compose(bars=1, **bad)


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        ({"units": 0}, "units must be a whole number of at least 1, not 0"),
        ({"layers": 1.5}, "layers must be a whole number of at least 1, not 1.5"),
        ({"embedding": "wide"}, "embedding must be a whole number of at least 1, not 'wide'"),
        ({"echo": -1}, "echo must be a whole number of at least 0"),
        ({"dropout": 1.0}, "dropout must be 0 to 0.99 of the activations, not 1.0"),
    ],
    ids=str,
)
def test_sizes_that_make_no_sense_are_refused(size, reason):
    with pytest.raises(InputError, match=reason):
        LSTMComposer(preset="tiny", **size)


def test_an_untrained_network_still_writes_pieces_that_decode():
    composer = LSTMComposer(preset="tiny", codec=EventsCodec.for_data(TUNES), seed=1)
    composer.fit(TUNES[:1], epochs=1, learning_rate=1e-9, progress=False)
    for piece in composer.compose_many(4, bars=2, seed=0, top_p=1.0):
        assert len(piece.timing.bars(piece.duration)) >= 2
        assert len(piece) < 2 * MAX_TOKENS_PER_BAR


def test_an_untrained_network_keeps_the_meter_in_which_a_primer_ends():
    composer = LSTMComposer(preset="tiny", codec=EventsCodec.for_data(TUNES), seed=1)
    composer.fit(TUNES[:1], epochs=1, learning_rate=1e-9, progress=False)
    steady = Timing.regular(120, (3, 4))
    changing = Timing(steady.beats, meters=[(0, 3, 4), (33, 5, 4)])  # the change lies behind the primer's end
    for timing in (steady, changing):
        primer = TUNES[0].replace(timing=timing)
        for seed in range(3):
            piece = composer.compose(bars=4, primer=primer, seed=seed, top_p=1.0)
            assert piece.timing == steady
            assert len(piece.timing.bars(piece.duration)) == 11 + 4


def test_the_loop_is_compiled_once_per_shape(composer):
    import time

    composer.compose(bars=2, seed=0)
    start = time.perf_counter()
    composer.compose(bars=2, seed=1)
    assert time.perf_counter() - start < 1.0, "a second compose traced or compiled again"


def test_time_limit_and_early_stopping_end_training():
    composer = LSTMComposer(preset="tiny", seed=0)
    history = composer.fit(TUNES[:2], epochs=50, minutes=1e-6, progress=False)
    assert len(history.history["loss"]) == 1


def test_the_layer_equals_keras_own():
    import keras

    from musicgen.composers.recurrent import LSTMLayer

    inputs = np.random.default_rng(0).normal(size=(2, 7, 5)).astype(np.float32)
    ours, theirs = LSTMLayer(4, seed=0), keras.layers.LSTM(4, return_sequences=True)
    result = ours(inputs)
    theirs.build(inputs.shape)
    np.testing.assert_array_equal(np.asarray(ours.bias), np.asarray(theirs.cell.bias))
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(np.asarray(result), np.asarray(theirs(inputs)), atol=1e-6)
