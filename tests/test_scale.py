"""Transcription of many and of long recordings: blocks, kills, locks, full disks, clusters."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicgen import files
from musicgen.beats import tracking
from musicgen.cli import main
from musicgen.errors import InputError, MissingDependencyError
from musicgen.midi import read_midi
from musicgen.transcription import audio as audio_room
from musicgen.transcription import decoding, read_audio, transcribe, transcribe_folder, transcriber
from musicgen.transcription.audio import audio_seconds, read_blocks
from musicgen.workers import map_files

pytest.importorskip("onnxruntime", reason="transcription is an extra")
RATE = 22050
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and file systems")
QUIET = {"workers": 0, "progress": False, "fallback_bpm": 100}


def tones(pitches, note_s=0.5, sample_rate=RATE):
    """Plucked tones, one after another."""
    second = np.arange(int(note_s * sample_rate)) / sample_rate
    frequencies = [440 * 2 ** ((pitch - 69) / 12) for pitch in pitches]
    return np.concatenate([0.5 * np.exp(-4 * second) * np.sin(2 * np.pi * f * second) for f in frequencies])


def recordings(folder, count, notes=3):
    """A small GTZAN of different clips with annotations, so that no beat has to be tracked."""
    for number in range(count):
        genre = ["blues", "jazz"][number % 2]
        path = folder / "genres" / genre / f"{genre}.{number:05}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, tones(np.random.default_rng(number).integers(50, 80, notes)), RATE)
        annotation = folder / "beats" / f"gtzan_{genre}_{number:05}.beats"
        annotation.parent.mkdir(exist_ok=True)
        annotation.write_text("0.0 1\n0.5 2\n1.0 1\n")
    return folder


def content(folder):
    """Bytes of every file by name, hidden ones included."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()
    }


def entries(out):
    return {entry["file"]: entry for entry in map(json.loads, (out / "manifest.jsonl").read_text().splitlines())}


# Long recordings


@pytest.mark.parametrize(
    ("suffix", "own_rate", "channels"), [(".wav", 44100, 2), (".mp3", 48000, 1), (".au", 8000, 3)]
)
def test_blocks_are_the_whole(tmp_path, monkeypatch, suffix, own_rate, channels):
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, (own_rate, channels)), own_rate)
    whole, _ = read_audio(path, sample_rate=RATE)
    own, _ = read_audio(path)
    assert audio_seconds(path) == pytest.approx(1, abs=0.1)
    monkeypatch.setattr(audio_room, "_BLOCK_S", 0.013)
    for rate, expected in ((RATE, whole), (None, own)):
        blocks = list(read_blocks(path, sample_rate=rate))
        assert len(blocks) > 50
        tolerance = 1e-6 if suffix == ".mp3" else 0
        np.testing.assert_allclose(np.concatenate(blocks), expected, rtol=0, atol=tolerance)
    np.testing.assert_array_equal(read_audio(path, sample_rate=RATE)[0], whole)


def test_blocks_of_a_cut_file_are_refused_at_its_end(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    soundfile.write(path, tones([60, 62]), RATE)
    path.write_bytes(path.read_bytes()[:-8000])
    monkeypatch.setattr(audio_room, "_BLOCK_S", 0.1)
    blocks = read_blocks(path)
    assert len(next(blocks)) == 2205
    with pytest.raises(InputError, match="is truncated"):
        list(blocks)


@pytest.mark.parametrize("block", [1, 2, 7, 100])
def test_decoding_in_blocks_changes_nothing(monkeypatch, block):
    rng = np.random.default_rng(5)
    frames = np.round(rng.random((150, 88)) ** 2, 1).astype(np.float32)
    onsets = (rng.random((150, 88)) ** 4).astype(np.float32)
    expected = decoding.decode_notes(frames, onsets, min_frames=2)
    assert len(expected) > 50
    monkeypatch.setattr(decoding, "_BLOCK", block)
    assert decoding.decode_notes(frames, onsets, min_frames=2) == expected


def test_long_recordings_give_the_same_notes_as_short_ones(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    soundfile.write(path, tones([60, 64, 67, 72] * 5, sample_rate=44100), 44100)
    short = transcribe(path)
    monkeypatch.setattr(transcriber, "LONG_S", 1.0)
    monkeypatch.setattr(audio_room, "_BLOCK_S", 0.7)
    long = transcribe(path)
    np.testing.assert_array_equal(long.notes, short.notes)
    assert long.timing == short.timing
    assert long.duration == short.duration == 10.0


def test_long_silence_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(transcriber, "LONG_S", 1.0)
    soundfile.write(tmp_path / "a.wav", np.zeros(3 * RATE), RATE)
    with pytest.raises(InputError, match=r"a\.wav: is silent"):
        transcribe(tmp_path / "a.wav")


def test_a_length_that_a_header_understates_costs_no_notes(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    soundfile.write(path, tones([60, 64, 67, 72] * 5), RATE)
    expected = transcribe(path, beats=[0.0, 0.5])
    monkeypatch.setattr(
        transcriber._Audio, "seconds", property(lambda self: 0.0, lambda self, value: None), raising=False
    )
    np.testing.assert_array_equal(transcribe(path, beats=[0.0, 0.5]).notes, expected.notes)


@pytest.mark.parametrize("seconds", [0.01, 1.0, 1.64, 30.0, 61.7])
def test_memory_is_set_aside_for_all_frames_at_once(monkeypatch, seconds):
    from musicgen.transcription import model

    monkeypatch.setattr(
        model, "_session", lambda threads: types.SimpleNamespace(run=lambda *_: [np.zeros((1, 172, 88))] * 2)
    )
    monkeypatch.setattr(model.np, "concatenate", guarded(np.concatenate))
    heard = model.posteriors([np.ones(int(seconds * RATE), np.float32)], seconds=seconds)
    assert len(heard.frames) == int(seconds * RATE) * 86 // RATE


def guarded(concatenate):
    def of_audio_alone(arrays, **options):
        assert all(np.ndim(array) == 1 for array in arrays), "the rolls had to grow"
        return concatenate(arrays, **options)

    return of_audio_alone


def test_beats_of_sections_join_and_pauses_are_filled(monkeypatch):
    monkeypatch.setattr(tracking, "_SECTION_S", 20.0)
    monkeypatch.setattr(tracking, "_SHARED_S", 4.0)
    clicks = np.zeros(90 * RATE)
    clicks[:: RATE // 2] = 1
    clicks[35 * RATE : 60 * RATE] = 0
    timing = tracking.estimate_beats_in_sections(np.array_split(clicks, 13), RATE)
    gaps = np.diff(timing.beats)
    assert gaps.min() > 0.4
    assert gaps.max() < 0.8
    assert np.median(gaps) == pytest.approx(0.5, abs=0.03)
    assert timing.beats[-1] > 88


def test_nothing_but_silence_has_no_beats_in_any_section():
    with pytest.raises(InputError, match="no beat found"):
        tracking.estimate_beats_in_sections([np.zeros(RATE)] * 3, RATE)


# One run after another, and two at once


def test_what_a_killed_run_left_is_cleared_away(tmp_path):
    source, out = recordings(tmp_path / "in", 1), tmp_path / "out"
    with files.atomic_path(out / "blues" / "x.mid") as temporary:
        temporary.write_bytes(b"half")
    (out / "blues" / "x.mid").rename(temporary)
    (out / ".tmp-3-0123abcd.jsonl").write_bytes(b"half")
    (out / ".tmp-of-mine.mid").write_bytes(b"mine")
    transcribe_folder(source, out, **QUIET)
    assert sorted(content(out)) == [".lock", ".tmp-of-mine.mid", "blues/blues.00000.mid", "manifest.jsonl"]


def test_a_second_run_at_once_is_refused(tmp_path):
    source, out = recordings(tmp_path / "in", 1), tmp_path / "out"
    held = (
        "import sys; from musicgen.files import locked\nwith locked(sys.argv[1]): print('held', flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", held, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(InputError, match=r"another run is writing .*wait for its end"):
        transcribe_folder(source, out, **QUIET)
    holder.kill()
    holder.wait()
    assert len(transcribe_folder(source, out, **QUIET).done) == 1


def test_entries_of_an_older_version_are_done_again(tmp_path):
    source, out = recordings(tmp_path / "in", 2), tmp_path / "out"
    transcribe_folder(source, out, **QUIET)
    expected = content(out)
    first, second = entries(out).values()
    old = {name: first[name] for name in ("file", "sha256", "status")}
    (out / "manifest.jsonl").write_text(json.dumps(old) + "\n" + json.dumps(second | {"format": 0}) + "\n")
    report = transcribe_folder(source, out, **QUIET)
    assert len(report.done) == 2
    assert content(out) == expected


def test_recordings_of_one_name_in_different_folders_stay_apart(tmp_path):
    for number, name in enumerate(("one", "two")):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "take.wav", tones([60 + number] * 3), RATE)
    report = transcribe_folder([tmp_path / "one", tmp_path / "two"], tmp_path / "out", **QUIET)
    pieces = {path.relative_to(tmp_path / "out").as_posix(): read_midi(path) for path in report.done}
    assert {name: set(piece.notes["pitch"].tolist()) for name, piece in pieces.items()} == {
        "one/take.mid": {60},
        "two/take.mid": {61},
    }


@pytest.mark.parametrize("text", ["40.0 1\n40.5 2\n41.0 3\n", "0.0 1\n0.5 2\n9.5 1\n10.0 2\n", "0.0 1\nhello\n"])
def test_annotations_that_do_not_fit_are_refused_by_name(tmp_path, text):
    source = recordings(tmp_path / "in", 2)
    (source / "beats" / "gtzan_blues_00000.beats").write_text(text)
    report = transcribe_folder(source, tmp_path / "out", **QUIET)
    assert [path.name for path in report.done] == ["jazz.00001.mid"]
    [(path, reason)] = report.refused
    assert path.name == "blues.00000.wav"
    assert reason.startswith("gtzan_blues_00000.beats ")
    assert "does not fit" in reason or "line 2" in reason
    assert str(tmp_path) not in reason
    assert entries(tmp_path / "out")["blues/blues.00000.mid"]["reason"] == reason


@POSIX
def test_names_that_are_not_utf8_survive(tmp_path):
    (tmp_path / "in").mkdir()
    bad = tmp_path / "in" / "bad\udcfe.wav"
    soundfile.write(os.fsencode(tmp_path / "in" / "good\udcff.wav"), tones([60, 64, 67]), RATE)
    bad.write_bytes(b"no sound")
    report = transcribe_folder(tmp_path / "in", tmp_path / "out", **QUIET)
    assert report.done == [tmp_path / "out" / "good\udcff.mid"]
    assert [path for path, _ in report.refused] == [bad]
    assert read_midi(report.done[0]).meta["title"] == "good\ufffd"
    assert len(transcribe_folder(tmp_path / "in", tmp_path / "out", **QUIET).skipped) == 1


@POSIX
@pytest.mark.parametrize(
    ("encoding", "shown"), [("utf-8", b"good\xff \xc3\xa9.mid"), ("ascii", b"good\\udcff \\xe9.mid")]
)
def test_names_that_no_terminal_shows_are_printed(encoding, shown):
    code = (
        "from musicgen import cli, transcription\n"
        "report = transcription.TranscriptionReport('o', ['good\\udcff \xe9.mid'], [], [('bad\\udcfe', 'is odd')])\n"
        "transcription.transcribe_folder = lambda *paths, **options: report\n"
        "raise SystemExit(cli.main(['transcribe', 'x', '--out', 'o']))"
    )
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment)
    assert done.returncode == 1, done.stderr
    assert done.stdout.strip() == shown
    assert done.stderr.strip() == b"refused bad\\udcfe: is odd"


# Full disks


def test_a_full_disk_is_a_refusal_that_names_the_file(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    files.write_text(tmp_path / "a.txt", "old")
    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(InputError, match=r"a\.txt: cannot be written: No space left on device .*make room"):
        files.write_text(tmp_path / "a.txt", "new")
    assert content(tmp_path) == {"a.txt": b"old"}


@POSIX
def test_a_log_on_a_full_disk_keeps_whole_lines(tmp_path):
    code = (
        "import resource, signal, sys; from musicgen.files import append_line\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "for number in range(20): append_line(sys.argv[1], f'line {number:02} of the log')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "log")], capture_output=True, text=True)
    assert "log: cannot be written: File too large" in done.stderr
    assert (tmp_path / "log").read_text() == "".join(f"line {number:02} of the log\n" for number in range(5))


@pytest.mark.slow
@POSIX
def test_a_run_that_fills_the_disk_goes_on_where_there_is_room(tmp_path):
    source, small = recordings(tmp_path / "in", 12), tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", small], capture_output=True).returncode:
        pytest.skip("no right to mount a small file system")
    try:
        with pytest.raises(InputError, match=r"manifest\.jsonl: cannot be written: No space left"):
            transcribe_folder(source, small / "out", **QUIET)
        finished = list((small / "out").rglob("*.mid"))
        assert finished
        assert all(len(read_midi(path)) > 0 for path in finished)
        subprocess.run(["mount", "-o", "remount,size=1m", small], check=True)
        transcribe_folder(source, small / "out", **QUIET)
        transcribe_folder(source, tmp_path / "out", **QUIET)
        assert content(small / "out") == content(tmp_path / "out")
    finally:
        subprocess.run(["umount", small], check=True)


# Kills

RUN = (
    "import sys; from musicgen.transcription import transcribe_folder\n"
    "transcribe_folder(sys.argv[1], sys.argv[2], workers=int(sys.argv[3]), progress=False, fallback_bpm=100)"
)


def started(source, out, workers):
    return subprocess.Popen([sys.executable, "-c", RUN, str(source), str(out), str(workers)], start_new_session=True)


def only_whole_files(out, expected):
    """Nothing half-written bears a final name."""
    for name, data in content(out).items():
        if not files.is_temporary(name) and name != "manifest.jsonl":
            assert data == expected[name], name


@pytest.mark.slow
@POSIX
@pytest.mark.parametrize(("workers", "kills"), [(0, 18), (2, 16)])
@pytest.mark.timeout(900)
def test_a_run_killed_at_any_time_ends_as_an_undisturbed_one(tmp_path, workers, kills):
    source, clock = recordings(tmp_path / "in", 14), random.Random(workers)
    begin = time.monotonic()
    assert started(source, tmp_path / "calm", workers).wait() == 0
    length, expected = time.monotonic() - begin, content(tmp_path / "calm")
    assert sum(name.endswith(".mid") for name in expected) == 14
    done, folder = 0, 0
    while done < kills:
        out, finished = tmp_path / f"disturbed{folder}", False
        while not finished and done < kills:
            process = started(source, out, workers)
            time.sleep(clock.uniform(0.3, 1.0) * length)
            finished = process.poll() is not None
            if not finished:
                # only the parent in every second run: its workers must not write on
                (os.killpg if done % 2 else os.kill)(process.pid, signal.SIGKILL)
                process.wait()
                done += 1
            only_whole_files(out, expected)
        assert started(source, out, workers).wait() == 0
        assert content(out) == expected
        folder += 1


# A Dask cluster


def double(item):
    if item == -1:
        raise InputError("cannot be used")
    return 2 * item


def test_dask_needs_an_address_that_answers(monkeypatch):
    pytest.importorskip("distributed", reason="Dask is an extra")
    monkeypatch.setattr("musicgen.workers._CONNECT_S", 1)
    with pytest.raises(InputError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9 .*dask scheduler"):
        list(map_files(abs, [1], scheduler="tcp://127.0.0.1:9"))
    with pytest.raises(InputError, match="workers and scheduler exclude each other"):
        list(map_files(abs, [1], workers=2, scheduler="tcp://127.0.0.1:9"))


def test_missing_dask_names_the_line_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match=r"musicgen-midi\[distributed\]"):
        list(map_files(abs, [1], scheduler="tcp://127.0.0.1:9"))


def test_command_line_takes_workers_or_a_scheduler(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["transcribe", "x.wav", "--out", str(tmp_path), "--workers", "2", "--scheduler", "tcp://127.0.0.1:9"])
    assert stop.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


@pytest.fixture
def cluster(tmp_path):
    """A real scheduler and two worker processes: its address, and the workers."""
    pytest.importorskip("distributed", reason="Dask is an extra")
    told = tmp_path / "scheduler.json"
    common = ["--scheduler-file", str(told)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1"}
    scheduler = subprocess.Popen(
        [sys.executable, "-m", "dask", "scheduler", *common, "--host", "127.0.0.1", "--port", "0", "--no-dashboard"],
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    while not told.exists():
        assert scheduler.poll() is None
        time.sleep(0.05)
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "dask", "worker", *common, "--no-nanny", "--nthreads", "1", "--no-dashboard"],
            stderr=subprocess.DEVNULL,
            cwd=tmp_path,
            env=environment,
        )
        for _ in range(2)
    ]
    yield json.loads(told.read_text())["address"], workers
    for process in [*workers, scheduler]:
        process.kill()
        process.wait()


@pytest.mark.slow
@POSIX
def test_a_cluster_does_the_same_work_though_a_worker_is_killed(cluster, tmp_path):
    address, workers = cluster
    source, out = recordings(tmp_path / "in", 24), tmp_path / "out"
    (source / "genres" / "jazz" / "jazz.00001.wav").write_bytes(b"no sound")
    transcribe_folder(source, tmp_path / "calm", **QUIET)
    command = [sys.executable, "-m", "musicgen", "transcribe", str(source), "--out", str(out)]
    command += ["--fallback-bpm", "100", "--scheduler", address]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while len([path for path in out.rglob("*.mid") if not files.is_temporary(path)]) < 3:
        assert run.poll() is None, run.stderr.read()
        time.sleep(0.02)
    workers[0].kill()
    printed, complaints = run.communicate(timeout=300)
    assert run.returncode == 1
    assert len(printed.split()) == len(set(printed.split())) == 23
    assert complaints.count("refused ") == 1
    assert "jazz.00001.wav: is not audio" in complaints
    lines = (out / "manifest.jsonl").read_text().splitlines()
    assert len(lines) == len({json.loads(line)["file"] for line in lines}) == 24
    assert content(out) == content(tmp_path / "calm")


@pytest.mark.slow
@POSIX
def test_a_cluster_gives_every_outcome_once(cluster):
    address, _ = cluster
    found = list(map_files(double, [3, -1, 5, 5], scheduler=address))
    assert sorted(outcome.item for outcome in found) == [-1, 3, 5, 5]
    assert {outcome.item: outcome.result for outcome in found} == {3: 6, -1: None, 5: 10}
    [error] = [outcome.error for outcome in found if outcome.error]
    assert error.reason == "cannot be used"
