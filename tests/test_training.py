"""Trainings that are stopped anywhere and go on."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from musicgen import CheckpointError, InputError, LSTMComposer
from tests.test_composers import TUNES

pytestmark = pytest.mark.filterwarnings("ignore")


class Killed(Exception):
    pass


def killed_after(steps):
    import keras

    class Kill(keras.callbacks.Callback):
        done = 0

        def on_train_batch_end(self, batch, logs=None):
            self.done += 1
            if self.done == steps:
                raise Killed

    return Kill()


def test_a_training_that_goes_on_ends_as_an_undisturbed_one(tmp_path):
    settings = {"validation": TUNES[:1], "epochs": 3, "progress": False}
    whole, parts = (LSTMComposer(preset="tiny", dropout=0.3, seed=0) for _ in range(2))
    history = whole.fit(TUNES, **settings).history
    steps = {"checkpoint": tmp_path / "state", "checkpoint_every": 2}
    with pytest.raises(Killed):
        parts.fit(TUNES, **settings, **steps, callbacks=[killed_after(5)])
    with pytest.raises(InputError, match="unfinished training.*resume it"):
        LSTMComposer(preset="tiny", dropout=0.3, seed=0).fit(TUNES, **settings, **steps)
    with pytest.raises(CheckpointError, match="other data"):
        LSTMComposer(preset="tiny", dropout=0.3, seed=0).fit(TUNES[1:], **settings, **steps, resume=True)
    parts = LSTMComposer(preset="tiny", dropout=0.3, seed=0)
    assert parts.fit(TUNES, **settings, **steps, resume=True).history == history
    for name, value in whole._weights().items():
        np.testing.assert_array_equal(parts._weights()[name], value)


def test_a_damaged_state_of_a_training_is_refused(tmp_path):
    from musicgen.composers.resume import TrainingState, remove_state

    state = TrainingState(tmp_path / "state", {"seed": 0})
    state.write({"epoch": 1}, {"weights": np.ones(3, np.float32)})
    [arrays] = (tmp_path / "state").glob("*.safetensors")
    arrays.write_bytes(arrays.read_bytes()[:-1] + b"x")
    with pytest.raises(CheckpointError, match="sha256"):
        TrainingState(tmp_path / "state", {"seed": 0}, resume=True).read()
    with pytest.raises(CheckpointError, match="other seed"):
        TrainingState(tmp_path / "state", {"seed": 1}, resume=True).read()
    remove_state(tmp_path / "state")
    assert not (tmp_path / "state").exists()


@pytest.mark.slow
def test_the_command_goes_on_after_it_was_killed(tmp_path):
    for number, tune in enumerate(TUNES):
        (tmp_path / "data").mkdir(exist_ok=True)
        tune.save(tmp_path / "data" / f"{number}.mid")
    command = [sys.executable, "-m", "musicgen", "train", "lstm", tmp_path / "data", "--preset", "tiny"]
    command += ["--epochs", "30", "--held-out", "0.25", "--checkpoint-every", "3"]
    assert subprocess.run([*command, "--out", tmp_path / "whole"], capture_output=True).returncode == 0
    kills = 0
    while not (tmp_path / "parts" / "config.json").exists():
        run = subprocess.Popen([*command, "--out", tmp_path / "parts", "--resume"], stderr=subprocess.DEVNULL)
        state = tmp_path / "parts.training" / "training.json"
        before = state.read_text() if state.exists() else ""
        while run.poll() is None and (not state.exists() or state.read_text() == before):
            time.sleep(0.01)
        if kills < 3:
            time.sleep(0.3 * kills)
            run.send_signal(signal.SIGKILL)
            kills += 1
        run.wait()
    assert kills == 3
    whole, parts = (json.loads((tmp_path / n / "config.json").read_text())["provenance"] for n in ("whole", "parts"))
    assert parts["history"].keys() == whole["history"].keys()
    for name, losses in whole["history"].items():
        np.testing.assert_allclose(parts["history"][name], losses, rtol=1e-4)
    assert not (tmp_path / "parts.training").exists()
