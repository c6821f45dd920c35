"""Recordings to notes: reading audio, decoding, whole recordings, whole folders."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from musicgen.errors import InputError, MissingDependencyError
from musicgen.midi import read_midi
from musicgen.timing import Timing
from musicgen.transcription import find_recordings, read_audio, transcribe, transcribe_audio, transcribe_folder
from musicgen.transcription.decoding import decode_notes
from musicgen.transcription.model import HOP, SAMPLE_RATE, frame_times
from musicgen.transforms import clean

RATE = 22050


def melody(pitches=(60, 64, 67, 72), note_s=0.6, sample_rate=RATE):
    """Plucked tones with a gap between them."""
    time = np.arange(int(note_s * sample_rate)) / sample_rate
    envelope = np.exp(-3 * time) * (time < note_s * 0.8)
    tones = [440 * 2 ** ((pitch - 69) / 12) for pitch in pitches]
    return np.concatenate(
        [0.5 * envelope * sum(np.sin(2 * np.pi * tone * k * time) / k**2 for k in (1, 2, 3)) for tone in tones]
    ).astype(np.float32)


@pytest.fixture(scope="module")
def tune(tmp_path_factory):
    path = tmp_path_factory.mktemp("audio") / "tune.wav"
    soundfile.write(path, melody(), RATE)
    return path


# Reading audio


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [
        *[(".wav", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW")],
        *[(".au", "PCM_16"), (".flac", "PCM_24"), (".ogg", "VORBIS"), (".mp3", None), (".aiff", "PCM_16")],
    ],
)
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_formats_depths_and_channels_read_as_librosa_does(tmp_path, librosa, suffix, subtype, channels):
    if suffix == ".mp3" and channels > 2:
        pytest.skip("MP3 holds at most two channels")
    path = tmp_path / f"a{suffix}"
    sound = np.random.default_rng(channels).uniform(-0.5, 0.5, (5000, channels))
    soundfile.write(path, sound, 44100, subtype=subtype)
    audio, sample_rate = read_audio(path, sample_rate=RATE)
    expected, _ = librosa.load(path, sr=RATE, mono=True)
    assert sample_rate == RATE
    assert audio.dtype == np.float32
    np.testing.assert_array_equal(audio, expected)
    whole, own_rate = read_audio(path, mono=False)
    assert own_rate == 44100
    assert whole.shape[0] == channels


@pytest.mark.parametrize("own_rate", [8000, 11025, 22050, 32000, 48000, 96000])
def test_any_rate_is_resampled_as_librosa_does(tmp_path, librosa, own_rate):
    path = tmp_path / "a.wav"
    soundfile.write(path, melody((60,), sample_rate=own_rate), own_rate, subtype="FLOAT")
    audio, _ = read_audio(path, sample_rate=RATE)
    np.testing.assert_array_equal(audio, librosa.load(path, sr=RATE)[0])
    assert len(audio) / RATE == pytest.approx(0.6, abs=1e-3)


def damaged(folder, name, data):
    path = folder / name
    path.write_bytes(data)
    return path


def sound_bytes(folder, suffix, samples=20000):
    path = folder / f"whole{suffix}"
    soundfile.write(path, melody()[:samples], RATE)
    return path.read_bytes()


@pytest.mark.parametrize("suffix", [".wav", ".au", ".flac", ".ogg", ".mp3", ".aiff"])
def test_files_that_are_no_audio_are_refused(tmp_path, suffix):
    for data in (b"", b"these words are no sound\n" * 99, sound_bytes(tmp_path, suffix)[:20]):
        with pytest.raises(InputError) as caught:
            read_audio(damaged(tmp_path, f"bad{suffix}", data))
        assert caught.value.path == tmp_path / f"bad{suffix}"
        assert caught.value.remedy
    with pytest.raises(InputError, match="is empty"):
        read_audio(damaged(tmp_path, f"empty{suffix}", b""))


def test_a_damaged_mp3_is_refused_without_the_decoders_own_words(tmp_path, capfd):
    data = bytearray(sound_bytes(tmp_path, ".mp3"))
    data[1500:] = np.random.default_rng(0).bytes(len(data) - 1500)
    with pytest.raises(InputError, match=r"bad\.mp3: cannot be decoded"):
        read_audio(damaged(tmp_path, "bad.mp3", data))
    os.write(2, b"heard again")
    assert capfd.readouterr().err == "heard again"


def test_missing_soundfile_names_the_extra_for_transcribing(tmp_path, monkeypatch):
    path = damaged(tmp_path, "a.wav", b"any")
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'musicgen-midi\[transcription\]'"):
        read_audio(path)


@pytest.mark.parametrize("suffix", [".wav", ".au", ".aiff"])
def test_truncated_audio_is_used_only_where_asked_for(tmp_path, suffix):
    data = sound_bytes(tmp_path, suffix)
    path = damaged(tmp_path, f"cut{suffix}", data[: len(data) // 2])
    with pytest.raises(InputError, match=r"is truncated: it holds (49|50)\.\d% .*allow_truncated"):
        read_audio(path)
    audio, _ = read_audio(path, allow_truncated=True)
    np.testing.assert_array_equal(audio, read_audio(tmp_path / f"whole{suffix}")[0][: len(audio)])


def test_truncated_flac_and_ogg_are_refused(tmp_path):
    for suffix in (".flac", ".ogg"):
        data = sound_bytes(tmp_path, suffix)
        with pytest.raises(InputError):
            read_audio(damaged(tmp_path, f"cut{suffix}", data[: len(data) // 2]))


@pytest.mark.skipif(os.name != "posix", reason="stands a script in for ffmpeg")
def test_other_formats_are_left_to_ffmpeg(tmp_path, monkeypatch):
    samples = np.array([[16384, -16384], [0, 8192], [-32768, 32767]], "<i2")
    (tmp_path / "raw").write_bytes(samples.tobytes())
    (tmp_path / "ffmpeg").write_text(
        f"#!/bin/sh\necho 'Stream #0:0: Audio: aac, 44100 Hz, stereo, s16' >&2\nexec cat '{tmp_path / 'raw'}'\n"
    )
    (tmp_path / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    audio, sample_rate = read_audio(damaged(tmp_path, "a.m4a", b"not for libsndfile"), mono=False)
    assert sample_rate == 44100
    np.testing.assert_array_equal(audio, samples.T / 32768)


def test_length_left_open_by_a_pipe_is_no_truncation(tmp_path):
    data = bytearray(sound_bytes(tmp_path, ".wav"))
    place = data.index(b"data") + 4
    data[4:8] = data[place : place + 4] = b"\xff\xff\xff\xff"
    audio, _ = read_audio(damaged(tmp_path, "piped.wav", bytes(data)))
    assert len(audio) == 20000


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_not_finite_are_refused(tmp_path, value):
    sound = melody()
    sound[7] = value
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
    with pytest.raises(InputError, match="not finite"):
        read_audio(tmp_path / "a.wav")


def test_places_without_a_sound_file_are_refused(tmp_path):
    soundfile.write(tmp_path / "none.wav", np.zeros(0), RATE)
    for path, reason in ((tmp_path / "none.wav", "no samples"), (tmp_path, "is a folder"), ("gone.wav", "not exist")):
        with pytest.raises(InputError, match=reason):
            read_audio(path)
    with pytest.raises(InputError, match="sample_rate"):
        read_audio(tmp_path / "none.wav", sample_rate=0)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="rights do not bind this user")
def test_unreadable_file_is_refused(tune, tmp_path):
    path = damaged(tmp_path, "a.wav", tune.read_bytes())
    path.chmod(0)
    with pytest.raises(InputError, match="cannot be read"):
        read_audio(path)


# Decoding


def rolls(seed, n_frames, coarse):
    """Random rolls; smooth ones hold long notes, coarse ones many ties."""
    rng = np.random.default_rng(seed)
    frames = rng.random((n_frames, 88)) ** rng.choice([0.3, 1, 3])
    if coarse:
        frames = np.round(frames, 1)
    else:
        frames = np.array([np.convolve(column, np.ones(9) / 9, "same")[:n_frames] for column in frames.T]).T
    return frames.astype(np.float32), (rng.random((n_frames, 88)) ** 4).astype(np.float32)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_frames=st.integers(9, 150),
    coarse=st.booleans(),
    onset_threshold=st.floats(0.05, 1),
    frame_threshold=st.sampled_from([0.1, 0.3, 0.5, 0.9]),
    min_frames=st.integers(0, 20),
    melodia_trick=st.booleans(),
)
def test_random_rolls_decode_as_in_basic_pitch(seed, n_frames, coarse, melodia_trick, **thresholds):
    theirs = pytest.importorskip("basic_pitch.note_creation")
    frames, onsets = rolls(seed, n_frames, coarse)
    expected = theirs.output_to_notes_polyphonic(
        frames.copy(),
        onsets.copy(),
        onset_thresh=thresholds["onset_threshold"],
        frame_thresh=thresholds["frame_threshold"],
        min_note_len=thresholds["min_frames"],
        infer_onsets=True,
        max_freq=None,
        min_freq=None,
        melodia_trick=melodia_trick,
    )
    assert decode_notes(frames, onsets, melodia_trick=melodia_trick, **thresholds) == [tuple(n) for n in expected]


def test_rolls_without_any_rise_keep_their_onsets():
    frames, onsets = np.full((40, 88), 0.1), np.zeros((40, 88))
    frames[:30, 12] = 0.75
    onsets[4, 12] = 0.8
    assert decode_notes(frames, onsets) == [(4, 30, 33, 0.75)]


@pytest.mark.parametrize("n_frames", [0, 1, 2, 3])
def test_shortest_rolls_hold_no_notes(n_frames):
    assert decode_notes(np.ones((n_frames, 88)), np.ones((n_frames, 88))) == []


def test_frame_times_are_those_of_basic_pitch():
    theirs = pytest.importorskip("basic_pitch.note_creation")
    np.testing.assert_allclose(frame_times(2000), theirs.model_frames_to_time(2000), rtol=0, atol=1e-12)
    assert np.all(np.diff(frame_times(2000)) > 0)


# Whole recordings


def test_melody_is_heard(tune):
    piece = transcribe(tune, beats=Timing.regular(100), genre="study")
    notes = piece.notes[piece.notes["velocity"] > 40]
    assert {60, 64, 67, 72} <= set(notes["pitch"].tolist())
    starts = [notes["start"][notes["pitch"] == pitch].min() for pitch in (60, 64, 67, 72)]
    np.testing.assert_allclose(starts, [0.0, 0.6, 1.2, 1.8], atol=0.06)
    assert piece.duration == 2.4
    assert piece.timing.beats[0] == 0
    assert piece.timing.beats[-1] >= 2.4
    assert piece.meta["title"] == "tune"
    assert piece.meta["source"] == "tune.wav"
    assert piece.meta["genre"] == "study"
    assert piece.meta["beats"] == "given"
    assert piece.meta["transcriber"] == "basic-pitch 0.4.0"
    assert piece.meta["onset_threshold"] == "0.5"


def test_file_and_waveform_give_the_same_notes(tune):
    audio, sample_rate = read_audio(tune)
    piece = transcribe_audio(audio, sample_rate, beats=[0.0, 0.5])
    np.testing.assert_array_equal(piece.notes, transcribe(tune, beats=[0.0, 0.5]).notes)


def test_pitch_range_is_inclusive(tune):
    piece = transcribe(tune, beats=[0.0, 0.5], min_pitch=64, max_pitch=67)
    assert set(piece.notes["pitch"].tolist()) == {64, 67}


def test_cleaning_is_clean_with_its_defaults(tune):
    plain, cleaned = (transcribe(tune, beats=[0.0, 0.5], clean=wanted) for wanted in (False, True))
    np.testing.assert_array_equal(cleaned.notes, clean(plain).notes)
    assert cleaned.notes["end"].max() < plain.notes["end"].max()
    assert (plain.meta["clean"], cleaned.meta["clean"]) == ("False", "True")


def test_annotation_is_used_and_covers_the_recording(tune, tmp_path):
    path = tmp_path / "tune.beats"
    path.write_text("0.6 3\n1.2 1\n1.8 2\n")
    piece = transcribe(tune, beats=path)
    assert piece.meta["beats"] == "annotated"
    np.testing.assert_allclose(piece.timing.beats, [0.0, 0.6, 1.2, 1.8, 2.4], atol=1e-9)
    assert piece.timing.meters[0].beat == 2


def test_no_beat_is_refused_unless_a_tempo_is_given(tmp_path):
    path = tmp_path / "one.wav"
    soundfile.write(path, np.concatenate([melody((60,)), np.zeros(RATE // 4)]), RATE)
    with pytest.raises(InputError, match=r"one\.wav: no beat found .*fallback_bpm"):
        transcribe(path)
    piece = transcribe(path, fallback_bpm=90)
    assert piece.timing.bpm == pytest.approx(90)
    assert piece.meta["beats"] == "none found: an even 90 bpm was asked for"


def test_silence_and_recordings_without_notes_are_refused(tmp_path, tune):
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    soundfile.write(
        tmp_path / "faint.wav", np.random.default_rng(0).uniform(-5e-5, 5e-5, RATE), RATE, subtype="FLOAT"
    )
    soundfile.write(tmp_path / "short.wav", melody()[:300], RATE)
    for name in ("silent", "faint"):
        with pytest.raises(InputError, match=rf"{name}\.wav: is silent"):
            transcribe(tmp_path / f"{name}.wav")
    with pytest.raises(InputError, match=r"short\.wav: no notes found .*lower onset_threshold"):
        transcribe(tmp_path / "short.wav")
    with pytest.raises(InputError, match="no notes found"):
        transcribe(tune, onset_threshold=1.0, melodia_trick=False)


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ({"onset_threshold": 0}, "onset_threshold"),
        ({"frame_threshold": 1.5}, "frame_threshold"),
        ({"min_note_ms": -1}, "min_note_ms"),
        ({"min_pitch": 20}, "min_pitch 20"),
        ({"min_pitch": 70, "max_pitch": 60}, "max_pitch 60"),
        ({"clean": 0.5}, r"clean must be True or False, not 0\.5 .*transforms\.clean"),
        ({"onset": 0.5}, "unknown option onset"),
    ],
)
def test_wrong_settings_are_refused_before_any_work(option, reason):
    with pytest.raises(InputError, match=reason):
        transcribe("missing.wav", **option)


def test_odd_names_survive(tmp_path, tune):
    path = damaged(tmp_path, "Ünïcode 日本 'quoted' \udcff.wav", tune.read_bytes())
    piece = transcribe(path, beats=[0.0, 0.5])
    assert piece.meta["title"] == "Ünïcode 日本 'quoted' \ufffd"


def test_neither_tensorflow_nor_basic_pitch_is_imported(tune):
    code = (
        "import sys, musicgen; musicgen.transcribe(sys.argv[1], fallback_bpm=100);"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'tensorflow', 'keras', 'basic_pitch'}))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tune)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_missing_basic_pitch_names_the_line_that_installs_it(tune, monkeypatch):
    from musicgen.transcription import model

    monkeypatch.setattr(model.importlib.util, "find_spec", lambda name: None)
    model._session.cache_clear()
    with pytest.raises(MissingDependencyError, match=r"pip install --no-deps basic-pitch==0\.4\.0"):
        transcribe(tune, beats=[0.0, 0.5])


# The same notes as Basic Pitch on real recordings


def same_notes(path, capsys):
    """Share of notes that are equal to the nanosecond, and the F1 of onsets and offsets."""
    mir_eval = pytest.importorskip("mir_eval")
    inference = pytest.importorskip("basic_pitch.inference")
    import basic_pitch

    network = Path(basic_pitch.__file__).parent / "saved_models" / "icassp_2022" / "nmp.onnx"
    _, _, events = inference.predict(path, inference.Model(network))
    capsys.readouterr()
    theirs = sorted((round(s, 9), round(e, 9), int(p), int(np.round(127 * a))) for s, e, p, a, _ in events)
    notes = transcribe(path, beats=[0.0, 0.5]).notes
    mine = sorted((round(s, 9), round(e, 9), p, v) for s, e, p, v, _ in notes.tolist())
    interval_pitch = [
        (np.array([note[:2] for note in side]), np.array([440 * 2 ** ((note[2] - 69) / 12) for note in side]))
        for side in (theirs, mine)
    ]
    scores = mir_eval.transcription.precision_recall_f1_overlap(*interval_pitch[0], *interval_pitch[1])
    return len(set(theirs) & set(mine)) / max(len(theirs), len(mine)), scores[2]


def clips(data_folder, numbers):
    return [data_folder / "gtzan" / "genres" / genre / f"{genre}.{number}.wav" for genre, number in numbers]


def test_two_real_clips_give_the_notes_of_basic_pitch(data_folder, capsys):
    for path in clips(data_folder, [("classical", "00002"), ("rock", "00004")]):
        assert same_notes(path, capsys) == (1.0, 1.0)


@pytest.mark.slow
def test_a_clip_of_every_genre_gives_the_notes_of_basic_pitch(data_folder, capsys):
    paths = sorted((data_folder / "gtzan" / "genres").glob("*/*.00001.wav"))
    assert len(paths) == 10
    assert [same_notes(path, capsys) for path in paths] == [(1.0, 1.0)] * 10


@pytest.mark.slow
def test_time_of_decoding_grows_with_length_alone():
    frames, onsets = rolls(1, 3000, False)
    seconds = []
    for times in (1, 8):
        begin = time.perf_counter()
        decode_notes(np.tile(frames, (times, 1)), np.tile(onsets, (times, 1)))
        seconds.append(time.perf_counter() - begin)
    assert seconds[1] < 3 * 8 * seconds[0]


# Folders


@pytest.fixture
def collection(tmp_path, tune):
    """A small GTZAN, with a bad neighbour."""
    root = tmp_path / "gtzan"
    for name in ("blues/blues.00000.wav", "blues/blues.00001.wav", "jazz/jazz.00054.wav"):
        path = root / "genres" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tune.read_bytes())
    (root / "genres" / "jazz" / "jazz.00054.wav").write_bytes(b"not decodable")
    (root / "beats").mkdir()
    (root / "beats" / "gtzan_blues_00000.beats").write_text("0.0 1\n0.6 2\n1.2 3\n1.8 1\n")
    return root


def manifest_of(out):
    return {entry["file"]: entry for entry in map(json.loads, (out / "manifest.jsonl").read_text().splitlines())}


@pytest.mark.parametrize("workers", [0, 2])
def test_folder_is_transcribed_around_its_bad_file(collection, tmp_path, workers):
    out = tmp_path / "midi"
    report = transcribe_folder(collection, out, workers=workers, progress=False, fallback_bpm=100)
    assert sorted(path.relative_to(out).as_posix() for path in report.done) == [
        "blues/blues.00000.mid",
        "blues/blues.00001.mid",
    ]
    [(refused, reason)] = report.refused
    assert refused == collection / "genres" / "jazz" / "jazz.00054.wav"
    assert reason.startswith("is not audio that can be decoded")
    assert str(report).startswith("2 transcribed, 0 up to date, 1 refused\nrefused ")
    entries = manifest_of(out)
    assert entries["blues/blues.00000.mid"]["beats"] == "annotated"
    assert entries["blues/blues.00000.mid"]["status"] == "done"
    assert entries["jazz/jazz.00054.mid"]["status"] == "refused"
    assert entries["jazz/jazz.00054.mid"]["reason"] == reason
    piece = read_midi(out / "blues" / "blues.00000.mid")
    assert piece.timing.meters[0].numerator == 3
    assert piece.meta["genre"] == "blues"
    assert len(piece) == entries["blues/blues.00000.mid"]["notes"]
    assert str(tmp_path) not in (out / "manifest.jsonl").read_text()


def test_second_run_does_only_what_changed(collection, tmp_path):
    out = tmp_path / "midi"
    options = {"workers": 0, "progress": False, "fallback_bpm": 100}
    transcribe_folder(collection, out, **options)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.mid")}
    report = transcribe_folder(collection, out, **options)
    assert (len(report.done), len(report.skipped), len(report.refused)) == (0, 2, 1)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.mid")} == before

    (collection / "beats" / "gtzan_blues_00000.beats").write_text("0.0 1\n0.6 2\n1.2 1\n1.8 2\n")
    assert [path.name for path in transcribe_folder(collection, out, **options).done] == ["blues.00000.mid"]
    (out / "blues" / "blues.00001.mid").unlink()
    assert [path.name for path in transcribe_folder(collection, out, **options).done] == ["blues.00001.mid"]
    assert len(transcribe_folder(collection, out, **options, max_pitch=70).done) == 2
    assert len(transcribe_folder(collection, out, **options, max_pitch=70, clean=True).done) == 2
    assert len(transcribe_folder(collection, out, **options, max_pitch=70, clean=True).skipped) == 2
    assert manifest_of(out)["blues/blues.00000.mid"]["settings"]["clean"] is True


def test_names_never_collide(tmp_path, tune):
    for name in ("one/a.wav", "two/a.wav", "two/a.flac"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, melody(), RATE)
    files = sorted((tmp_path / "in").rglob("a.*"))
    for paths in ([tmp_path / "in"], files, [*files, files[0]]):
        out = tmp_path / f"out{len(paths)}"
        report = transcribe_folder(paths, out, workers=0, progress=False, fallback_bpm=100)
        found = sorted(path.relative_to(out).as_posix() for path in report.done)
        assert found == ["one/a.mid", "two/a.flac.mid", "two/a.wav.mid"]


def test_torn_manifest_is_mended_and_a_foreign_one_refused(collection, tmp_path):
    out = tmp_path / "midi"
    options = {"workers": 0, "progress": False, "fallback_bpm": 100}
    transcribe_folder(collection, out, **options)
    manifest = out / "manifest.jsonl"
    manifest.write_text(manifest.read_text()[:-40])
    report = transcribe_folder(collection, out, **options)
    assert len(report.skipped) == 2
    assert len(manifest_of(out)) == 3
    manifest.write_text("my notes\n")
    with pytest.raises(InputError, match="line 1 is no entry"):
        transcribe_folder(collection, out, **options)


def test_nothing_to_transcribe_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no recordings"):
        transcribe_folder(tmp_path, tmp_path / "out")
    gone = tmp_path / "gone.wav"
    with pytest.raises(InputError, match=r"gone\.wav: does not exist"):
        transcribe_folder([gone], tmp_path / "out", progress=False)
    assert not list(tmp_path.iterdir()), "nothing is made of nothing"
    empty = damaged(tmp_path, "empty.wav", b"")
    report = transcribe_folder([gone, empty], tmp_path / "out", workers=0, progress=False)
    assert sorted(report.refused) == [
        (empty, "is empty (0 bytes) (get a complete copy)"),
        (gone, "cannot be read: No such file or directory (check name and rights)"),
    ]


def test_hidden_and_other_files_are_left_out(tmp_path):
    for name in ("a.WAV", "._a.wav", ".cache/b.wav", "cover.png", "a.mid"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert [recording.name.as_posix() for recording in find_recordings(tmp_path)] == ["a.WAV"]


def visible_midi(folder):
    return [path for path in folder.glob("*.mid") if not path.name.startswith(".")]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills by POSIX signals")
@pytest.mark.parametrize(("workers", "files"), [(0, 1), (0, 7), (2, 3)])
def test_killed_run_leaves_whole_files_and_goes_on(tmp_path, tune, workers, files):
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for index in range(40):
        (source / f"{index:02}.wav").write_bytes(tune.read_bytes())
    code = (
        "import sys; from musicgen.transcription import transcribe_folder;"
        "transcribe_folder(sys.argv[1], sys.argv[2], workers=int(sys.argv[3]), progress=False, fallback_bpm=100)"
    )
    command = [sys.executable, "-c", code, str(source), str(out), str(workers)]
    process = subprocess.Popen(command, start_new_session=True)
    while len(visible_midi(out)) < files:
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    finished = visible_midi(out)
    assert len(finished) < 40
    assert all(len(read_midi(path)) > 0 for path in finished)
    report = transcribe_folder(source, out, workers=2, progress=False, fallback_bpm=100)
    assert len(report.done) + len(report.skipped) == 40
    assert len(report.skipped) >= len(finished) - max(1, workers)


def test_rates_of_the_network_are_those_of_basic_pitch():
    constants = pytest.importorskip("basic_pitch.constants")
    assert (SAMPLE_RATE, HOP) == (constants.AUDIO_SAMPLE_RATE, constants.FFT_HOP)
