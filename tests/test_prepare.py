"""Prepared pieces: the same folder however often the run was killed, flat memory, refusals that lose nothing."""

import errno
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from musicgen import (
    CheckpointError,
    EventsCodec,
    InputError,
    MelodyCodec,
    NoteSequence,
    Track,
    concatenate,
    files,
    monophonic,
)
from musicgen.cli import main
from musicgen.codecs import CODECS, codec_class
from musicgen.datasets import PreparedPieces, is_prepared, load_folder, prepare, shards
from musicgen.datasets.labels import labelled
from tests.test_composers import TUNES

QUIET = {"workers": 0, "progress": False}


def tune(seed, notes=24):
    rng = np.random.default_rng(seed)
    rows = [(i / 4, i / 4 + 0.25, int(pitch), 84, 0) for i, pitch in enumerate(rng.integers(50, 80, notes))]
    return NoteSequence(rows, (Track(["flute", "oboe"][seed % 2], 73),), meta={"genre": ["folk", "march"][seed % 2]})


def midi_folder(folder, count, **options):
    for number in range(count):
        tune(number, **options).save(folder / f"{number % 3}" / f"{number:04}.mid")
    return folder


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(shards, "SHARD_PIECES", 4)


def content(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.name != files.LOCK}


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_a_prepared_piece_is_the_encoded_piece(tmp_path, small_shards, codec):
    if codec == "miditok":
        pytest.importorskip("miditok", reason="miditok is an extra")
    source = midi_folder(tmp_path / "midi", 9)
    report = prepare(source, tmp_path / "out", codec=codec, **QUIET)
    pieces = PreparedPieces(tmp_path / "out")
    assert (report.pieces, len(pieces), len(report.done)) == (9, 9, 3)
    assert pieces.codec == codec_class(codec).for_data(load_folder(source))
    for number, piece in enumerate(load_folder(source)):
        expected = pieces.codec.encode(labelled(piece))
        assert isinstance(pieces[number], np.memmap)
        np.testing.assert_array_equal(pieces[number], expected)
        assert pieces[number].dtype.itemsize <= 2
        assert len(pieces[number]) == pieces.lengths[number]
        assert pieces.meta(number) == dict(piece.meta)
        assert pieces.genre(number) == piece.meta["genre"]
    facts = pieces.facts()
    assert (facts["pieces"], facts["notes"], facts["genres"]) == (9, 9 * 24, {"folk": 5, "march": 4})
    pieces.verify()


def test_indices_slices_and_subsets(tmp_path, small_shards):
    prepare([tune(seed) for seed in range(9)], tmp_path, codec="melody", **QUIET)
    pieces = PreparedPieces(tmp_path)
    np.testing.assert_array_equal(pieces[-1], pieces[8])
    assert [part.tolist() for part in pieces[2:4]] == [pieces[2].tolist(), pieces[3].tolist()]
    part = pieces.subset([7, 1])
    assert [part.genre(0), part.meta(1)["genre"], len(part)] == ["march", "march", 2]
    assert part.facts()["notes"] == 48
    assert part[0].tolist() == pieces[7].tolist()
    with pytest.raises(IndexError):
        pieces[9]
    with pytest.raises(ValueError, match="read-only"):
        pieces[0][0] = 1


def test_a_second_run_changes_nothing_and_new_files_are_added(tmp_path, small_shards):
    source = midi_folder(tmp_path / "midi", 8)
    prepare(source, tmp_path / "out", **QUIET)
    before = content(tmp_path / "out")
    report = prepare(source, tmp_path / "out", **QUIET)
    assert (len(report.done), len(report.skipped), content(tmp_path / "out")) == (0, 2, before)
    tune(3).save(source / "2" / "zz.mid")
    report = prepare(source, tmp_path / "out", **QUIET)
    assert (len(report.done), len(report.skipped), report.pieces) == (1, 2, 9)
    (source / "2" / "zz.mid").unlink()
    prepare(source, tmp_path / "out", **QUIET)
    assert content(tmp_path / "out") == before, "the shard that is too many is gone"


def test_files_that_cannot_be_used_are_named_and_cost_nothing(tmp_path, small_shards, capsys):
    source = midi_folder(tmp_path / "midi", 4)
    (source / "0" / "bad.mid").write_bytes(b"MThd nonsense")
    chord = NoteSequence([(0, 1, 60, 80, 0), (0, 1, 64, 80, 0)])
    chord.save(source / "0" / "chord.mid")
    out = tmp_path / "out"
    assert main(["prepare", str(source), "--codec", "melody", "--out", str(out), "--workers", "0"]) == 1
    output = capsys.readouterr()
    assert output.out.split() == sorted(map(str, out.glob("*.npy")))
    assert "refused 0/bad.mid" in output.err
    assert "refused 0/chord.mid: a melody has one note at a time" in output.err
    assert "monophonic" in output.err
    pieces = PreparedPieces(out)
    assert len(pieces) == 4
    assert [name for name, _ in pieces.refused] == ["0/bad.mid", "0/chord.mid"]
    assert main(["info", str(out), "--plot", str(tmp_path / "report.png")]) == 1
    output = capsys.readouterr()
    facts = json.loads(output.out)
    assert (facts["kind"], facts["pieces"], facts["codec"]["name"]) == ("prepared pieces", 4, "melody")
    assert facts["refused"] == 2
    assert "refused 0/bad.mid" in output.err
    with pytest.raises(InputError, match=r"prepared already \(train on it as it is\)"):
        prepare(out, tmp_path / "again", **QUIET)


def test_a_full_disk_stops_with_the_reason_and_keeps_what_is_done(tmp_path, small_shards, monkeypatch):
    source = midi_folder(tmp_path / "midi", 12)
    prepare(source, tmp_path / "whole", **QUIET)
    append, calls = shards._Rows.append, []

    def full_after_two_shards(self, array):
        calls.append(1)
        if len(calls) > 9:
            raise OSError(errno.ENOSPC, "No space left on device")
        append(self, array)

    monkeypatch.setattr(shards._Rows, "append", full_after_two_shards)
    with pytest.raises(InputError, match=r"shard-00002.npy: cannot be written: No space left.*make room"):
        prepare(source, tmp_path / "out", **QUIET)
    kept = content(tmp_path / "out")
    assert sorted(kept) == ["codec.json"] + [f"shard-0000{n}.{kind}" for n in (0, 1) for kind in ("json", "npy")]
    with pytest.raises(CheckpointError, match="not finished.*musicgen prepare again"):
        PreparedPieces(tmp_path / "out")
    monkeypatch.setattr(shards._Rows, "append", append)
    report = prepare(source, tmp_path / "out", **QUIET)
    assert (len(report.skipped), len(report.done)) == (2, 1)
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def edit_json(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_other_folders_are_refused_and_left_as_they_are(tmp_path):
    source = midi_folder(tmp_path / "midi", 2)
    out = tmp_path / "out"
    prepare(source, out, **QUIET)
    cases = {
        "another codec: codec": lambda: prepare(source, out, codec="melody", **QUIET),
        "another codec: resolution": lambda: prepare(source, out, resolution=8, **QUIET),
        "no codec 'morse'.*events, frames": lambda: prepare(source, out, codec="morse", **QUIET),
        "resolution must be": lambda: prepare(source, out, resolution=0, **QUIET),
        "codec 'melody' cannot be made with keys.*it has resolution": lambda: prepare(
            source, out, codec="melody", keys=12, **QUIET
        ),
        "nowhere: does not exist": lambda: prepare(tmp_path / "nowhere", out, **QUIET),
        r"data\[0\] must be a NoteSequence, not str": lambda: prepare(["a.mid"], out, **QUIET),
        "holds mine.txt, no prepared pieces": lambda: prepare(source, tmp_path / "taken", **QUIET),
        "format version 1, this musicgen knows 4.*another folder": lambda: prepare(source, tmp_path / "old", **QUIET),
    }
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("mine")
    prepare(source, tmp_path / "old", **QUIET)
    edit_json(tmp_path / "old" / "manifest.json", format_version=1)
    before = [content(tmp_path / name) for name in ("out", "taken", "old")]
    for message, call in cases.items():
        with pytest.raises(InputError, match=message):
            call()
    assert [content(tmp_path / name) for name in ("out", "taken", "old")] == before


def test_no_usable_piece_is_refused(tmp_path):
    chord = NoteSequence([(0, 1, 60, 80, 0), (0, 1, 64, 80, 0)], meta={"title": "chord"})
    with pytest.raises(InputError, match="no piece can be encoded: chord: a melody has one note at a time"):
        prepare([chord], tmp_path / "out", codec="melody", **QUIET)


def test_two_runs_at_once_are_refused(tmp_path):
    with files.locked(tmp_path / "out"), pytest.raises(InputError, match="another run is writing"):
        prepare([tune(0)], tmp_path / "out", **QUIET)


def test_damaged_folders_are_refused_with_the_reason(tmp_path):
    prepare([tune(seed) for seed in range(3)], tmp_path / "good", **QUIET)

    def cut(path):
        path.write_bytes(path.read_bytes()[:-3])

    def flip(path):
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)

    cases = {
        "manifest.json: is missing": lambda p: [(p / name).unlink() for name in ("manifest.json", "codec.json")],
        "manifest.json: is no readable JSON": lambda p: (p / "manifest.json").write_text("{"),
        "format version 5": lambda p: edit_json(p / "manifest.json", format_version=5),
        "unknown codec 'x'": lambda p: edit_json(p / "manifest.json", codec={"codec": "x"}),
        "its manifest or an index lacks": lambda p: edit_json(p / "manifest.json", shards=None),
        "shard-00000.json: is missing": lambda p: (p / "shard-00000.json").unlink(),
        "shard-00000.npy: cannot be opened": lambda p: cut(p / "shard-00000.npy"),
        "does not match its sha256": lambda p: flip(p / "shard-00000.npy"),
    }
    for number, (message, damage) in enumerate(cases.items()):
        path = tmp_path / str(number)
        prepare([tune(seed) for seed in range(3)], path, **QUIET)
        damage(path)
        with pytest.raises(CheckpointError, match=message):
            read_all(path)


def read_all(path):
    pieces = PreparedPieces(path)
    for index in range(len(pieces)):
        assert len(pieces[index])
    pieces.verify()


def test_shards_without_a_usable_piece_are_empty_not_damaged(tmp_path, small_shards):
    source = midi_folder(tmp_path / "midi", 5)
    for path in (source / "0").iterdir():
        path.write_bytes(b"no MIDI")
    (source / "0" / "a.mid").write_bytes(b"no MIDI")
    (source / "0" / "b.mid").write_bytes(b"no MIDI")
    report = prepare(source, tmp_path / "out", **QUIET)
    assert len(report.refused) == 4
    assert len(PreparedPieces(tmp_path / "out")) == 3
    assert prepare(source, tmp_path / "out", **QUIET).done == []


def test_what_is_prepared_and_what_is_not(tmp_path):
    prepare([tune(0)], tmp_path / "out", **QUIET)
    assert is_prepared(tmp_path / "out")
    assert not is_prepared(tmp_path)


# ---- training


def test_windows_of_prepared_pieces_are_those_of_the_pieces(tmp_path, small_shards):
    from musicgen.composers.windows import TokenWindows

    source = midi_folder(tmp_path / "midi", 9)
    prepare(source, tmp_path / "out", **QUIET)
    prepared = PreparedPieces(tmp_path / "out")[1:]
    streams = [prepared.codec.encode(labelled(piece)) for piece in load_folder(source)][1:]
    both = [TokenWindows(prepared.codec, s, context=64, batch_size=4, seed=3) for s in (streams, prepared)]
    assert len(both[0]) == len(both[1]) > 4
    for index in range(len(both[0])):
        for one, other in zip(both[0][index], both[1][index], strict=True):
            np.testing.assert_array_equal(one, other)


def test_prepared_pieces_teach_the_controls_that_pieces_teach(tmp_path):
    from musicgen.composers.labels import seen_controls
    from musicgen.composers.learning import pieces_to_learn

    keys = ["C major", None, "B- major"]
    given = [tune(n).replace(meta={"key": key} if key else {}) for n, key in enumerate(keys)]
    prepare(given, tmp_path, **QUIET)
    prepared = pieces_to_learn(tmp_path)
    seen = seen_controls(prepared.codec, prepared)
    assert seen == seen_controls(prepared.codec, pieces_to_learn(given))
    assert {"C major": 1, "Bb major": 1}.items() <= seen["Key"].items()
    assert sum(seen["Key"].values()) == 3
    assert "key" not in prepared.meta(1)  # what is only estimated is not told as known


def test_the_command_line_trains_on_a_prepared_folder(tmp_path, capsys):
    source, out, model = midi_folder(tmp_path / "midi", 4), tmp_path / "out", tmp_path / "model"
    assert main(["prepare", str(source), "--out", str(out), "--workers", "0"]) == 0
    command = ["train", "lstm", str(out), "--out", str(model), "--preset", "tiny", "--epochs", "1"]
    assert main([*command, "--held-out", "0.25"]) == 0
    assert "3 pieces to learn from, 1 held out" in capsys.readouterr().err
    provenance = json.loads((model / "config.json").read_text())["provenance"]
    assert (provenance["pieces"], provenance["notes"]) == (3, 72)
    assert {"loss", "val_loss"} <= set(provenance["history"])
    assert json.loads((model / "codec.json").read_text()) == json.loads((out / "codec.json").read_text())


def test_folders_that_a_composer_cannot_learn_from_are_refused(tmp_path):
    from musicgen import LSTMComposer

    prepare([tune(0)], tmp_path / "melody", codec="melody", **QUIET)
    prepare([tune(0)], tmp_path / "events", **QUIET)
    with pytest.raises(InputError, match="prepared with the codec 'melody'.*--codec events"):
        LSTMComposer().fit(tmp_path / "melody")
    with pytest.raises(InputError, match="codec of other settings than the composer's"):
        LSTMComposer(codec=EventsCodec(resolution=8)).fit(tmp_path / "events")
    with pytest.raises(InputError, match=r"no folder of prepared pieces \(give load_folder .*: musicgen prepare\)"):
        LSTMComposer().fit(tmp_path)
    with pytest.raises(InputError, match="validation holds no prepared piece"):
        LSTMComposer().fit(tmp_path / "events", validation=PreparedPieces(tmp_path / "events")[1:])


@pytest.mark.parametrize(("name", "voices"), [("melody", 1), ("pianoroll", 2)])
def test_composers_of_fragments_cut_prepared_pieces_as_they_cut_others(tmp_path, name, voices):
    from musicgen import GANComposer, VAEComposer

    pieces = [piece if voices == 2 else monophonic(piece, track=0) for piece in TUNES]
    for number, piece in enumerate(pieces):
        piece.save(tmp_path / "midi" / piece.meta["genre"] / f"{number}.mid")
    prepare(tmp_path / "midi", tmp_path / "out", codec=name, **QUIET)
    prepared = PreparedPieces(tmp_path / "out")
    for cls in (VAEComposer, GANComposer):
        one, other = (cls(preset="tiny", codec=prepared.codec) for _ in range(2))
        cut, held_out = one._cut(tmp_path / "out", prepared[:2])
        plain, _ = other._cut(load_folder(tmp_path / "midi"))
        np.testing.assert_array_equal(cut.tokens, plain.tokens)
        np.testing.assert_array_equal(cut.labels, plain.labels)
        assert len(held_out.tokens) < len(cut.tokens)
        assert one.get_config() == other.get_config()
        if cls is GANComposer:
            np.testing.assert_array_equal(one._on_white_keys(cut), other._on_white_keys(plain))
            assert (one._on_white_keys(cut) != cut.tokens).any()
    wrong = VAEComposer(preset="tiny", codec=MelodyCodec(resolution=6))
    with pytest.raises(InputError, match="codec of other settings|prepared with the codec 'pianoroll'"):
        wrong.fit(tmp_path / "out")


@pytest.mark.parametrize("augment", [False, True])
def test_windows_come_in_blocks_and_none_is_left_out(monkeypatch, augment):
    from musicgen.composers import windows

    monkeypatch.setattr(windows, "BLOCK", 5)
    monkeypatch.setattr(windows, "CONTROL_DROPOUT", 0.0)
    monkeypatch.setattr(windows, "TRANSPOSITIONS", np.array([0]))
    codec = EventsCodec.for_data([tune(0), tune(1)])
    streams = [codec.encode(tune(seed, notes=60)) for seed in range(12)]
    data = windows.TokenWindows(codec, streams, context=64, batch_size=4, seed=0, augment=augment)
    epochs = [[data[index] for index in range(len(data))] for _ in range(2)]
    for first, again in zip(*epochs, strict=True):
        for one, other in zip(first, again, strict=True):
            np.testing.assert_array_equal(one, other)
    counted = sum(weights.sum() for _, _, weights in epochs[0])
    scored = sum(map(len, streams)) - len(streams)  # every token but BOS
    assert counted == scored if not augment else scored <= counted <= scored + 4 * 64
    if augment:
        data.begin(1)
        assert any(not np.array_equal(data[index][0], epochs[0][index][0]) for index in range(len(data)))


def test_windows_with_echoes_from_farther_back_than_they_reach():
    from musicgen.composers.windows import TokenWindows

    piece = tune(0, notes=40)
    twice = concatenate([piece, piece])
    codec = EventsCodec.for_data([twice])
    settings = {"context": 64, "batch_size": 4, "seed": 0, "augment": False}
    plain, data = (TokenWindows(codec, [codec.encode(twice)], **settings, echo=echo) for echo in (0, 1024))
    right = counted = 0
    for index in range(len(data)):
        told, targets, weights = data[index]
        np.testing.assert_array_equal(told[..., 0], plain[index][0])
        heard = (told[..., 2] > 2) & (weights > 0)  # 16 tokens in a row
        right, counted = right + (told[..., 1] == targets)[heard].sum(), counted + heard.sum()
    assert counted > 0.4 * sum(plain[index][2].sum() for index in range(len(plain)))
    assert right > 0.95 * counted


# ---- slow: kills and memory


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_killed_at_any_moment_and_started_again_gives_the_same_folder(tmp_path):
    source = midi_folder(tmp_path / "midi", 60, notes=400)
    script = (
        "from musicgen.datasets import prepare, shards\n"
        "if __name__ == '__main__':\n"
        "    shards.SHARD_PIECES = 3\n"
        f"    prepare({str(source)!r}, {{out!r}}, workers=2, progress=False)\n"
    )

    def run(out, kill_at=None):
        """The exit status; None if it was killed when so many shards were there."""
        file = tmp_path / "run.py"
        file.write_text(script.format(out=str(out)))
        process = subprocess.Popen([sys.executable, file], start_new_session=True)
        while process.poll() is None:
            if kill_at is not None and len(list(out.glob("shard-*.npy"))) >= kill_at:
                time.sleep(rng.uniform(0, 0.03))
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return None
            time.sleep(0.001)
        return process.returncode

    rng, kills, partial = random.Random(0), 0, 0
    assert run(tmp_path / "whole") == 0
    for trial in range(4):
        out = tmp_path / f"out{trial}"
        for kill_at in (rng.randint(0, 9), rng.randint(10, 19)):
            kills += run(out, kill_at) is None
            partial += not (out / "manifest.json").exists()
        assert run(out) == 0
        assert content(out) == content(tmp_path / "whole")
    assert kills >= 6
    assert partial >= 6, "the kills came too late"


MEMORY = """
import resource, sys
import numpy as np
from musicgen.datasets import PreparedPieces, prepare

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

if __name__ == "__main__":
    source, out = sys.argv[1:]
    prepare(source + "/warm", out + "-warm", codec="pianoroll", workers=0, progress=False)
    PreparedPieces(out + "-warm")[0].sum()
    before = peak()
    prepare(source + "/all", out, codec="pianoroll", workers=0, progress=False)
    pieces = PreparedPieces(out)
    total = sum(int(pieces[index].sum()) for index in range(len(pieces)))
    size = int(pieces.lengths.sum()) * int(np.prod(pieces.codec.shape))
    print(size, peak() - before, total)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(resource, "getrusage"), reason="needs POSIX")
def test_preparing_and_reading_need_a_twentieth_of_the_data_in_memory(tmp_path):
    midi_folder(tmp_path / "midi" / "warm", 2, notes=2000)
    midi_folder(tmp_path / "midi" / "all", 800, notes=2000)
    (tmp_path / "run.py").write_text(MEMORY)
    command = [sys.executable, tmp_path / "run.py", tmp_path / "midi", tmp_path / "out"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    size, growth, total = map(int, output.split())
    assert total > 0
    assert size > 300 << 20
    assert growth < size / 20, f"{growth / 2**20:.0f} MiB for {size / 2**20:.0f} MiB of data"


TRAINING_MEMORY = """
import resource, sys
from musicgen.codecs import EventsCodec
from musicgen.composers import windows
from musicgen.datasets import PreparedPieces

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

def run(pieces):
    data = windows.TokenWindows(pieces.codec, pieces, context=256, batch_size=32, seed=0)
    return sum(int(data[index][2].sum()) for index in range(len(data)))

windows.BLOCK = 2048
pieces = PreparedPieces(sys.argv[1])
run(pieces.subset(range(20)))
before = peak()
counted = run(pieces)
print(sum(pieces[i].nbytes for i in range(len(pieces))), peak() - before, counted)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(resource, "getrusage"), reason="needs POSIX")
def test_training_needs_a_twentieth_of_the_data_in_memory(tmp_path):
    out, copies = tmp_path / "out", 250
    prepare([tune(seed, notes=4000) for seed in range(24)], out, **QUIET)
    manifest = json.loads((out / "manifest.json").read_text())
    for copy in range(1, copies):
        for kind in ("npy", "json"):
            os.link(out / f"shard-00000.{kind}", out / f"shard-{copy:05}.{kind}")
    edit_json(out / "manifest.json", shards=manifest["shards"] * copies, pieces=24 * copies)
    (tmp_path / "run.py").write_text(TRAINING_MEMORY)
    output = subprocess.run([sys.executable, tmp_path / "run.py", out], capture_output=True, text=True, check=True)
    size, growth, counted = map(int, output.stdout.split())
    assert counted > size / 2.2
    assert growth < size / 20, f"{growth / 2**20:.0f} MiB for {size / 2**20:.0f} MiB of data"


def test_events_learn_from_an_iterator():
    codec = EventsCodec.for_data(iter([tune(0), tune(1), tune(1)]))
    assert (codec.genres, codec.tracks[0].name) == (("folk", "march"), "oboe")
