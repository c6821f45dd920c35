"""Mixed precision: it computes in few bits, learns as float32 does, and leaves float32 behind."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from musicgen import CheckpointError, InputError, LSTMComposer, VAEComposer
from musicgen.composers.backend import precision as precisions
from tests.test_composers import TUNES

pytestmark = pytest.mark.filterwarnings("ignore")
SETTINGS = {"validation": TUNES[6:], "epochs": 4, "batch_size": 2, "context": 64, "progress": False}


def trained(precision, state):
    """A composer, its last losses, and the types that its layers computed with."""
    import keras

    types = {}

    class Watch(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            network = self.model
            types["layers"] = {layer.compute_dtype for layer in (*network.lstms, network.head, network.patterns)}
            types["weights"] = {str(np.dtype(variable.dtype)) for variable in network.trainable_variables}
            types["optimizer"] = type(network.optimizer).__name__

    composer = LSTMComposer(preset="tiny", seed=0)
    steps = {"checkpoint": state, "callbacks": [Watch()]}
    history = composer.fit(TUNES[:6], **SETTINGS, **steps, precision=precision).history
    return composer, history, types


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return trained("float32", tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize(
    ("capabilities", "computed", "optimizer"),
    [([], "bfloat16", "AdamW"), pytest.param([7], "float16", "LossScaleOptimizer", marks=pytest.mark.slow)],
)
def test_mixed_precision_learns_as_float32_does(plain, capabilities, computed, optimizer, tmp_path, monkeypatch):
    monkeypatch.setattr(precisions, "_capabilities", lambda: capabilities)
    composer, history, types = trained("mixed", tmp_path / "state")
    assert types == {"layers": {computed}, "weights": {"float32"}, "optimizer": optimizer}
    assert plain[2] == {"layers": {"float32"}, "weights": {"float32"}, "optimizer": "AdamW"}
    for name, losses in plain[1].items():
        np.testing.assert_allclose(history[name], losses, rtol=0.02)
        assert history[name] != losses
        assert history[name][-1] < 0.9 * history[name][0]
    saved = load_file(composer.save(tmp_path / "model") / "model.safetensors")
    [state] = (tmp_path / "state").glob("*.safetensors")
    kept = [value for value in load_file(state).values() if value.dtype.kind in "fV"]
    assert {value.dtype for value in (*saved.values(), *kept)} == {np.dtype(np.float32)}
    assert composer.network.compute_dtype == "float32"
    assert LSTMComposer.load(tmp_path / "model").compose(bars=1, seed=3) == composer.compose(bars=1, seed=3)
    with pytest.raises(CheckpointError, match="other precision"):
        composer.fit(TUNES[:6], **SETTINGS, checkpoint=tmp_path / "state", resume=True)


def test_a_policy_ends_with_an_error_too():
    import keras

    def fail():
        with precisions.layers_of("mixed_bfloat16"):
            raise ZeroDivisionError(keras.config.dtype_policy().name)

    with pytest.raises(ZeroDivisionError, match="mixed_bfloat16"):
        fail()
    assert keras.config.dtype_policy().name == "float32"


def test_unknown_precision_is_refused():
    with pytest.raises(InputError, match="precision must be 'float32' or 'mixed', not 'half'"):
        LSTMComposer(preset="tiny").fit(TUNES, precision="half")


@pytest.mark.slow
def test_a_vae_learns_in_mixed_precision(tmp_path):
    found = {}
    for precision in ("float32", "mixed"):
        composer = VAEComposer(preset="tiny", fragment_bars=2, seed=0)
        settings = {"validation": TUNES[6:], "epochs": 4, "batch_size": 8, "progress": False}
        found[precision] = composer.fit(TUNES[:6], **settings, precision=precision).history
    for name, losses in found["float32"].items():
        np.testing.assert_allclose(found["mixed"][name], losses, rtol=0.03)
        assert found["mixed"][name] != losses
        assert losses[-1] < 0.9 * losses[0]
    saved = load_file(composer.save(tmp_path / "model") / "model.safetensors")
    assert {value.dtype for value in saved.values()} == {np.dtype(np.float32)}
    assert VAEComposer.load(tmp_path / "model").compose(bars=2, seed=3) == composer.compose(bars=2, seed=3)
