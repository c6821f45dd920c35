"""Trainings that are stopped anywhere and go on."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from musicgen import CheckpointError, EventsCodec, GANComposer, InputError, LSTMComposer, Timing, VAEComposer
from musicgen.cli import main
from musicgen.composers.learning import warn_of
from musicgen.datasets import PreparedPieces, prepare
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


def lstm():
    return LSTMComposer(preset="tiny", dropout=0.3, seed=0)


def vae():
    return VAEComposer(preset="tiny", fragment_bars=2, seed=0)


def gan():
    return GANComposer(preset="tiny", seed=0)


@pytest.mark.parametrize(
    ("made", "own"),
    [(lstm, {}), (vae, {}), pytest.param(gan, {"batch_size": 8, "look_every": 3}, marks=pytest.mark.slow)],
)
def test_a_training_that_goes_on_ends_as_an_undisturbed_one(made, own, tmp_path):
    settings = {"validation": TUNES[:1], "epochs": 3, "progress": False, **own}
    whole, parts = made(), made()
    history = whole.fit(TUNES, **settings).history
    steps = {"checkpoint": tmp_path / "state", "checkpoint_every": 2}
    with pytest.raises(Killed):
        parts.fit(TUNES, **settings, **steps, callbacks=[killed_after(5)])
    with pytest.raises(InputError, match="unfinished training.*resume it"):
        made().fit(TUNES, **settings, **steps)
    with pytest.raises(CheckpointError, match="other .*data"):
        made().fit(TUNES[1:], **settings, **steps, resume=True)
    parts = made()
    assert parts.fit(TUNES, **settings, **steps, resume=True).history == history
    assert parts.provenance.get("looks") == whole.provenance.get("looks")
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


def in_long_bars(piece, source):
    return piece.replace(timing=Timing.regular(120, (6, 2)), meta={"source": source})


LONG = [in_long_bars(TUNES[0], "hymn a"), in_long_bars(TUNES[1], "hymn b")]
TOO_LONG = "meter 6/2 does not fit this codec (it holds bars of at most 8 quarters in whole steps of 1/4 quarter"
TOO_LONG += "; max_bar=12 holds longer ones)"


def test_many_reasons_are_told_briefly():
    refused = [("a", f"bar {n} is 3.{n} beats long") for n in range(40)]
    refused += [("b", f"{letter}!") for letter in "pqrsp"]
    told = "45 pieces .*: bar 0 is 3.0 beats long or the like: 40; p!: 2; q!: 1; for other reasons: 2$"
    with pytest.warns(UserWarning, match=told):
        warn_of(refused)


@pytest.mark.filterwarnings("default")
def test_pieces_that_the_codec_cannot_hold_cost_no_neighbour(tmp_path):
    composer, neighbours = LSTMComposer(preset="tiny", seed=0), LSTMComposer(preset="tiny", seed=0)
    told = r"2 pieces could not be used, see `.refused`: meter 6/2 does not fit .*: 2$"
    with pytest.warns(UserWarning, match=told):
        history = composer.fit([LONG[0], *TUNES[1:]], validation=[LONG[1], TUNES[0]], epochs=1, progress=False)
    assert composer.refused == (("hymn a", TOO_LONG), ("hymn b", TOO_LONG))
    expected = neighbours.fit(TUNES[1:], validation=TUNES[:1], epochs=1, progress=False)
    assert history.history == expected.history
    assert neighbours.refused == ()
    assert composer.provenance == neighbours.provenance
    with pytest.raises(InputError, match=r"can hold none of sequences: meter 6/2 does not fit .*: 2$"):
        LSTMComposer(preset="tiny").fit(LONG, epochs=1)
    report = prepare([*LONG, *TUNES[1:]], tmp_path, workers=0, progress=False)
    assert report.refused == [("hymn a", TOO_LONG), ("hymn b", TOO_LONG)]
    assert len(PreparedPieces(tmp_path)) == len(TUNES) - 1
    held = EventsCodec.for_data(LONG, max_bar=12)
    assert held.decode(held.encode(LONG[0]), timing=LONG[0].timing).timing.meters == LONG[0].timing.meters


@pytest.mark.parametrize(
    "setting",
    [{"learning_rate": -1e-3}, {"learning_rate": float("nan")}, {"minutes": 0}, {"minutes": "5"}],
    ids=str,
)
def test_numbers_that_make_no_sense_are_refused_before_anything_is_learnt(setting):
    [name] = setting
    with pytest.raises(InputError, match=f"{name} must be above 0, not"):
        LSTMComposer(preset="tiny").fit(TUNES, **setting, progress=False)


@pytest.mark.parametrize("name", ["epochs", "patience", "checkpoint_every", "batch_size"])
def test_counts_that_make_no_sense_are_refused_before_anything_is_learnt(name, tmp_path):
    for value in (0, 1.5, "2"):
        with pytest.raises(InputError, match=f"{name} must be a whole number of at least 1, not {value!r}"):
            LSTMComposer(preset="tiny").fit(TUNES, checkpoint=tmp_path, **{name: value}, progress=False)


def test_a_training_without_a_checkpoint_cannot_go_on():
    with pytest.raises(InputError, match="resume needs a checkpoint"):
        LSTMComposer(preset="tiny").fit(TUNES, resume=True, progress=False)


def test_logs_hold_the_losses_of_every_epoch(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    settings = {"validation": TUNES[2:3], "epochs": 2, "progress": False}
    history = LSTMComposer(preset="tiny").fit(TUNES[:2], **settings, log_dir=tmp_path).history
    for folder, name in (("train", "loss"), ("validation", "val_loss")):
        events = EventAccumulator(str(tmp_path / folder))
        events.Reload()
        told = [
            (event.step, float(tensor_util.make_ndarray(event.tensor_proto)))
            for event in events.Tensors("epoch_loss")
        ]
        assert [step for step, _ in told] == [0, 1]
        np.testing.assert_allclose([value for _, value in told], history[name], rtol=1e-5)


def test_the_command_names_the_pieces_that_it_leaves_out(tmp_path, capsys):
    for number, piece in enumerate([LONG[0], *TUNES[1:]]):
        piece.save(tmp_path / "data" / f"{number}.mid")
    command = ["train", "lstm", str(tmp_path / "data"), "--preset", "tiny", "--epochs", "1"]
    assert main([*command, "--out", str(tmp_path / "model")]) == 1
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("refused ")]
    assert line == f"refused hymn a: {TOO_LONG}"
    assert json.loads((tmp_path / "model" / "config.json").read_text())["provenance"]["pieces"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "family", [["lstm"], ["vae", "--fragment-bars", "2"], ["gan", "--fragment-bars", "2"]], ids=["lstm", "vae", "gan"]
)
def test_the_command_goes_on_after_it_was_killed(family, tmp_path):
    for number, tune in enumerate(TUNES):
        (tmp_path / "data").mkdir(exist_ok=True)
        tune.save(tmp_path / "data" / f"{number}.mid")
    command = [sys.executable, "-m", "musicgen", "train", *family, tmp_path / "data", "--preset", "tiny"]
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
