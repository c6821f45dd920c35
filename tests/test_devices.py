"""Training on several devices: every device takes its share of each batch, and all comes out as on one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from musicgen import InputError, LSTMComposer, VAEComposer
from musicgen.cli import main
from tests.test_composers import TUNES

pytestmark = pytest.mark.filterwarnings("ignore")
ROOT = Path(__file__).resolve().parent.parent
CONTEXT, BATCH = 32, 6
SIZES = {"embedding": 8, "units": 8, "layers": 1, "dropout": 0.0, "filters": 4}
FRAGMENTS = {
    "embedding": 8,
    "encoder_units": 8,
    "decoder_units": 16,
    "chain_units": 8,
    "latent_dim": 8,
    "dropout": 0.0,
}
#: Steps of a row of a batch.
ROW = {"lstm": CONTEXT, "vae": 32}


@pytest.mark.parametrize("devices", [0, -1, True, 1.5, "both"])
def test_what_is_no_number_of_devices_is_refused(devices):
    with pytest.raises(InputError, match="devices must be a whole number of at least 1 or 'all'"):
        LSTMComposer(preset="tiny").fit(TUNES, devices=devices)


def test_more_devices_than_there_are_are_refused(tmp_path, capsys):
    TUNES[0].save(tmp_path / "data" / "a.mid")
    command = ["train", "lstm", str(tmp_path / "data"), "--out", str(tmp_path / "model"), "--held-out", "0"]
    assert main([*command, "--devices", "4096"]) == 1
    assert "devices=4096 asks for more devices than there are" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*command, "--devices", "none"])
    assert not (tmp_path / "model").exists()


@pytest.mark.slow
@pytest.mark.parametrize("family", list(ROW))
@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_two_devices_share_each_batch_and_learn_what_one_learns(backend, family, tmp_path):
    flags = "--xla_backend_optimization_level=0"  # compiles faster
    flags += " --xla_force_host_platform_device_count=2" if backend == "jax" else ""
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    command = [sys.executable, "-m", "tests.test_devices", backend, family, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["refusal"] == "batch_size=3 is no multiple of the number of devices, 2 (take 4)"
    assert found["shapes"]["one"] == [[0, [BATCH, ROW[family]]]]
    assert found["shapes"]["two"] == [[0, [BATCH // 2, ROW[family]]], [1, [BATCH // 2, ROW[family]]]]
    assert len(found["steps"]["one"]) > 5
    np.testing.assert_allclose(found["steps"]["two"], found["steps"]["one"], rtol=1e-5)
    np.testing.assert_allclose(found["held_out"]["two"], found["held_out"]["one"], rtol=1e-5)
    states = [state_of(tmp_path / name) for name in ("one", "two")]
    assert states[0].keys() == states[1].keys()
    for name, value in states[0].items():
        np.testing.assert_allclose(states[1][name], value, rtol=1e-3, atol=1e-5)
    for name, value in states[1].items():  # the network that composes is on one device again, with what was learned
        if name in found["weights"]:
            np.testing.assert_array_equal(found["weights"][name], value)


def state_of(folder):
    """Arrays of the state of a training."""
    from safetensors.numpy import load_file

    [file] = folder.glob("state-*.safetensors")
    return load_file(file)


# ---- what the process of one backend does


def made(family):
    """An untrained composer without dropout, and what its `fit` is given."""
    if family == "lstm":
        return LSTMComposer(preset="tiny", **SIZES, seed=0), {"context": CONTEXT}
    keep_still()
    return VAEComposer(preset="tiny", **FRAGMENTS, fragment_bars=2, seed=0), {}


def keep_still():
    """Take away the noise of the latents, which every device draws for itself."""
    import keras

    keras.random.normal = lambda shape, seed=None: keras.ops.zeros(shape)


def train_on_one_and_two(backend, family, folder):
    """Losses, and the batch that each device saw, as JSON on standard output."""
    record, shapes = watch_jax if backend == "jax" else watch_tensorflow, {}
    if backend == "tensorflow":
        import tensorflow as tf

        halves = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], halves)
    found = {"steps": {}, "held_out": {}, "shapes": shapes}
    for name, devices in (("one", None), ("two", 2)):
        seen, losses = set(), []
        record(seen)
        composer, settings = made(family)
        settings |= {"epochs": 1, "checkpoint": folder / name, "progress": False}
        if devices:
            with pytest.raises(InputError) as refused:
                composer.fit(TUNES, **settings, batch_size=3, devices=devices)
            found["refusal"] = str(refused.value)
        settings |= {"validation": TUNES[6:], "batch_size": BATCH, "callbacks": [keep_losses(losses)]}
        history = composer.fit(TUNES[:6], **settings, devices=devices).history
        shapes[name], found["steps"][name], found["held_out"][name] = sorted(seen), losses, history["val_loss"]
    from musicgen.composers.backend import to_numpy

    composer.save(folder / "composer")
    named = enumerate(to_numpy(variable.value) for variable in composer.network.trainable_variables)
    found["weights"] = {f"best_{index:04d}": value.tolist() for index, value in named}
    print(json.dumps(found))


def keep_losses(losses):
    import keras

    return keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: losses.append(float(logs["loss"])))


def watch_jax(seen):
    """Add the part of each batch that each device computes scores for."""
    import jax

    def note(scores):
        def parts(sharding):
            rows, time, *_ = sharding.shard_shape(scores.shape)
            seen.update((device.id, (rows, time)) for device in sharding.device_set)

        jax.debug.inspect_array_sharding(jax.lax.stop_gradient(scores), callback=parts)

    watch(note)


def watch_tensorflow(seen):
    """Add the shape of the scores that each replica computes."""
    import tensorflow as tf

    def note(scores):
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seen.add((int(tf.get_static_value(replica)), tuple(scores.shape[:2])))

    watch(note)


def watch(note):
    """Call `note` with the scores of every training step that is traced."""
    from musicgen.composers.latent import LatentNetwork
    from musicgen.composers.network import RecurrentNetwork

    for network in (LatentNetwork, RecurrentNetwork):
        watch_network(network, note)


def watch_network(network, note):
    call = getattr(network, "unwatched", network.call)

    def watched(self, tokens, training=False):
        scores = call(self, tokens, training=training)
        if training:
            note(scores)
        return scores

    network.unwatched, network.call = call, watched


if __name__ == "__main__":
    train_on_one_and_two(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
