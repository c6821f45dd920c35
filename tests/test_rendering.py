"""Rendering: what sounds, when, how loud, and what is refused."""

import math
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicgen import InputError, MissingDependencyError, NoteSequence, Timing, Track, errors, rendering, soundfonts
from musicgen.rendering import BACKENDS, PEAK, available_backends, render, write_audio

RATE = 22050
HERE = available_backends()


@pytest.fixture(params=BACKENDS)
def backend(request):
    if request.param not in HERE:
        pytest.skip(f"{request.param} is not installed")
    return request.param


@pytest.fixture(params=BACKENDS[:2])
def sampler(request):
    if request.param not in HERE:
        pytest.skip(f"{request.param} is not installed")
    return request.param


def scale(*, program=0, velocity=90, step=0.25, drum=False):
    rows = [
        (step * i, step * (i + 1), pitch, velocity, 0) for i, pitch in enumerate([60, 62, 64, 65, 67, 69, 71, 72])
    ]
    return NoteSequence(rows, [Track("scale", program, drum)], Timing.regular(120))


def energy(audio, start, end, rate=RATE):
    return float(np.square(audio[:, int(start * rate) : int(end * rate)]).sum())


def heard_onset(audio, rate):
    """Time at which the sound first exceeds 1 % of its peak."""
    loudness = np.abs(audio).max(axis=0)
    return int(np.flatnonzero(loudness > 0.01 * loudness.max())[0]) / rate


def test_shape_dtype_and_peak(backend):
    audio = render(scale(), sample_rate=RATE, backend=backend)
    assert audio.dtype == np.float32
    assert audio.shape[0] == 2
    assert audio.shape[1] >= 2.0 * RATE
    assert np.abs(audio).max() == pytest.approx(PEAK, abs=1e-6)


def test_dense_chords_stay_below_full_scale(backend):
    piece = NoteSequence([(0.0, 1.0, pitch, 127, 0) for pitch in range(20, 110)])
    audio = render(piece, sample_rate=RATE, backend=backend)
    assert np.abs(audio).max() == pytest.approx(PEAK, abs=1e-6)
    assert np.mean(np.abs(audio) > 0.999 * PEAK) < 1e-3  # scaled, not cut off


def test_same_piece_same_samples(backend):
    first, second = (render(scale(), sample_rate=RATE, backend=backend) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_no_notes_is_silence_of_the_duration(backend):
    audio = render(NoteSequence(duration=1.5), sample_rate=RATE, backend=backend)
    assert audio.shape == (2, math.ceil(1.5 * RATE))
    assert not audio.any()


def test_an_empty_piece_has_no_samples():
    assert render(NoteSequence(), sample_rate=RATE, backend="additive").shape == (2, 0)


def test_trailing_silence_counts(backend):
    piece = scale().replace(duration=40.0)
    audio = render(piece, sample_rate=RATE, backend=backend)
    assert audio.shape == (2, 40 * RATE)
    assert energy(audio, 35, 40) < 1e-6 * energy(audio, 0, 2)


@pytest.mark.parametrize("start", [0.0, 0.25, 1.0, 7.3333])
@pytest.mark.parametrize(("program", "pitch"), [(0, 60), (0, 100), (11, 72), (115, 60)])
def test_an_onset_lands_within_10_ms(backend, start, program, pitch):
    piece = NoteSequence([(start, start + 0.5, pitch, 100, 0)], [Track("", program)])
    onset = heard_onset(render(piece, backend=backend), 44100)
    assert start - 1e-4 <= onset <= start + 0.010


@pytest.mark.slow
def test_every_onset_of_a_scale_is_detected_in_place(backend, librosa):
    piece = scale(program=11)
    audio = render(piece, sample_rate=RATE, backend=backend).mean(axis=0)
    found = librosa.onset.onset_detect(y=audio, sr=RATE, hop_length=64, units="time", backtrack=True)
    late = [np.min(np.abs(found - start)) for start in piece.notes["start"][1:]]
    assert np.median(late) <= 0.010
    assert max(late) <= 0.030  # the detector's own spread; single onsets are checked to 10 ms above


def test_drums_land_within_10_ms(sampler):
    piece = NoteSequence([(1.0, 1.1, 38, 100, 0)], [Track("drums", 0, True)])
    assert 1.0 <= heard_onset(render(piece, backend=sampler), 44100) <= 1.010


def test_pitches_are_in_tune(backend):
    piece = NoteSequence([(0.0, 2.0, 69, 100, 0)], [Track("", 0)])
    audio = render(piece, sample_rate=RATE, backend=backend).mean(axis=0)[: 2 * RATE]
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    strongest = np.argmax(spectrum[400 * 2 : 480 * 2]) / 2 + 400
    assert strongest == pytest.approx(440.0, abs=3.0)


def test_release_tail_is_kept(sampler):
    piece = NoteSequence([(0.0, 0.5, 60, 100, 0)])
    audio = render(piece, sample_rate=RATE, backend=sampler)
    assert audio.shape[1] > 0.55 * RATE
    assert energy(audio, 0.5, 0.6) > 0
    assert np.abs(audio[:, -20:]).max() < 2e-3  # it ends by itself


def test_velocity_is_heard(backend):
    piece = NoteSequence([(0.0, 0.5, 60, 30, 0), (3.0, 3.5, 60, 110, 0)])
    audio = render(piece, sample_rate=RATE, backend=backend)
    assert energy(audio, 3.0, 3.5) > 4 * energy(audio, 0.0, 0.5)


def test_programs_differ(sampler):
    piano, organ = (render(scale(program=p), sample_rate=RATE, backend=sampler) for p in (0, 19))
    length = 2 * RATE
    assert np.corrcoef(piano[0, :length], organ[0, :length])[0, 1] < 0.5


def test_drum_tracks_play_drums(sampler):
    drums, piano = (render(scale(drum=drum), sample_rate=RATE, backend=sampler) for drum in (True, False))
    length = 2 * RATE
    assert abs(np.corrcoef(drums[0, :length], piano[0, :length])[0, 1]) < 0.2


def test_an_unknown_drum_kit_falls_back_to_the_standard_one(sampler):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        odd, standard = (
            render(NoteSequence([(0, 0.2, 38, 100, 0)], [Track("", p, True)]), sample_rate=RATE, backend=sampler)
            for p in (77, 0)
        )
    np.testing.assert_array_equal(odd, standard)


def test_repeated_notes_are_struck_again(sampler):
    long, repeated = (
        NoteSequence(rows, [Track("", 11)])
        for rows in ([(0.0, 1.0, 60, 100, 0)], [(0.0, 0.5, 60, 100, 0), (0.5, 1.0, 60, 100, 0)])
    )
    before, after = (
        energy(render(p, sample_rate=RATE, backend=sampler), 0.5, 0.7) / energy(render(p, sample_rate=RATE), 0.2, 0.4)
        for p in (long, repeated)
    )
    assert after > 1.5 * before


def test_an_overlapped_note_is_struck_again_and_ends_at_its_own_end(sampler):
    overlapping = NoteSequence([(0.0, 0.8, 60, 100, 0), (0.5, 2.0, 60, 100, 0)], [Track("", 19)])
    apart = NoteSequence([(0.0, 0.5, 60, 100, 0), (0.5, 2.0, 60, 100, 0)], [Track("", 19)])
    first, second = (render(piece, sample_rate=RATE, backend=sampler) for piece in (overlapping, apart))
    np.testing.assert_array_equal(first, second)


def test_one_track_does_not_end_the_notes_of_another(sampler):
    tracks = [Track("short", 19), Track("long", 19)]
    piece = NoteSequence([(0.0, 0.5, 60, 100, 0), (0.0, 3.0, 60, 100, 1)], tracks)
    audio = render(piece, sample_rate=RATE, backend=sampler)
    assert energy(audio, 2.0, 2.5) > 0.1 * energy(audio, 1.0, 1.5) > 0
    assert energy(audio, 1.0, 1.5) > 0.05 * energy(audio, 0.0, 0.5)


@pytest.mark.parametrize("count", [17, 40, 300])
def test_many_tracks_all_sound(sampler, count):
    tracks = [Track(str(i), 11) for i in range(count)]
    rows = [(0.05 * i, 0.05 * i + 0.04, 60 + i % 20, 100, i) for i in range(count)]
    audio = render(NoteSequence(rows, tracks), sample_rate=RATE, backend=sampler)
    loudest = [np.abs(audio[:, int(0.05 * i * RATE) :][:, : RATE // 20]).max() for i in range(count)]
    assert min(loudest) > 0.02


def test_the_additive_way_is_quiet_about_drums_alone():
    audio = render(scale(drum=True), sample_rate=RATE, backend="additive")
    assert audio.shape == (2, 2 * RATE)
    assert not audio.any()


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 2), st.floats(1e-4, 1), st.integers(0, 127), st.integers(1, 127), st.integers(0, 2)),
        max_size=12,
    )
)
def test_any_piece_renders(rows):
    tracks = [Track("a", 5), Track("b", 60), Track("c", 0, True)]
    piece = NoteSequence([(start, start + length, p, v, t) for start, length, p, v, t in rows], tracks)
    audio = render(piece, sample_rate=8000, backend=HERE[0])
    assert audio.shape[1] >= piece.duration * 8000 - 1e-3
    assert np.all(np.isfinite(audio))
    assert np.abs(audio).max(initial=0) <= 1


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(1, 20), st.integers(60, 62), st.integers(0, 1)),
        min_size=1,
        max_size=30,
    )
)
def test_events_strike_every_key_once_at_a_time(rows):
    piece = NoteSequence([(a / 10, (a + b) / 10, p, 64, t) for a, b, p, t in rows], [Track(), Track()])
    events = rendering._events(piece.notes, piece.notes["track"], 1000)
    down = set()
    for _, channel, pitch, velocity in events.tolist():
        key = (channel, pitch)
        assert (velocity > 0) == (key not in down)
        down ^= {key}
    assert not down
    struck = {(frame, channel, pitch) for frame, channel, pitch, velocity in events.tolist() if velocity}
    assert struck == {(100 * a, t, p) for a, _, p, t in rows}


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".WAV"])
def test_files_are_stereo_at_the_rate(tmp_path, suffix):
    soundfile = pytest.importorskip("soundfile")
    path = write_audio(scale(), tmp_path / "new" / f"scale{suffix}", backend="additive")
    info = soundfile.info(path)
    assert (info.channels, info.samplerate) == (2, 44100)
    assert info.subtype == ("VORBIS" if suffix == ".ogg" else "PCM_16")
    assert info.duration == pytest.approx(2.0, abs=0.01)
    read = soundfile.read(path, dtype="float32")[0].T
    error = np.abs(read[:, :88200] - render(scale(), backend="additive")[:, :88200]).max()
    assert error < (0.1 if suffix == ".ogg" else 2**-15)


def test_ten_minutes_of_ogg_do_not_overflow(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    piece = scale().replace(duration=600.0)
    path = write_audio(piece, tmp_path / "long.ogg", backend="additive", sample_rate=8000)
    assert soundfile.info(path).duration == pytest.approx(600, abs=0.1)


def test_save_writes_audio_with_options(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    path = scale().save(tmp_path / "a.wav", sample_rate=16000, backend="additive")
    assert soundfile.info(path).samplerate == 16000


def test_a_failed_write_leaves_the_old_file(tmp_path):
    pytest.importorskip("soundfile")
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")
    with pytest.raises(InputError):
        write_audio(scale(), path, sample_rate=1)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


def test_a_place_that_takes_no_files_is_refused():
    pytest.importorskip("soundfile")
    if not Path("/proc/self").exists():
        pytest.skip("no /proc here")
    with pytest.raises(InputError, match=r"^/proc/self/a\.wav: cannot be written: .*check place, rights"):
        write_audio(scale(), "/proc/self/a.wav", backend="additive")


def test_refusals_name_what_is_allowed(tmp_path):
    with pytest.raises(InputError, match=r"unknown suffix '.mp4' \(use one of .wav, .flac, .ogg\)"):
        write_audio(scale(), tmp_path / "a.mp4")
    with pytest.raises(InputError, match=r"8000 to 96000, not 44100\.5"):
        render(scale(), sample_rate=44100.5)
    with pytest.raises(InputError, match="8000 to 96000, not 192000"):
        render(scale(), sample_rate=192000)
    with pytest.raises(InputError, match=r"'timidity' \(use one of fluidsynth, tinysoundfont, additive"):
        render(scale(), backend="timidity")
    with pytest.raises(InputError, match="plays no soundfont"):
        render(scale(), backend="additive", soundfont="a.sf2")
    with pytest.raises(TypeError, match="volume"):
        render(scale(), volume=3)


def mask(monkeypatch, *names):
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)


def test_without_synthesisers_sine_tones_play_with_a_warning(monkeypatch):
    mask(monkeypatch, "fluidsynth", "tinysoundfont")
    assert available_backends() == ("additive",)
    with pytest.warns(UserWarning, match=r"pip install --no-deps tinysoundfont.*apt-get install libfluidsynth3"):
        audio = render(scale(), sample_rate=RATE)
    np.testing.assert_array_equal(audio, render(scale(), sample_rate=RATE, backend="additive"))


def test_a_chosen_way_that_is_absent_is_refused(monkeypatch):
    mask(monkeypatch, "fluidsynth", "tinysoundfont", "soundfile")
    with pytest.raises(MissingDependencyError, match="pip install --no-deps tinysoundfont"):
        render(scale(), backend="tinysoundfont")
    with pytest.raises(MissingDependencyError, match="rendering with FluidSynth needs"):
        render(scale(), backend="fluidsynth")
    with pytest.raises(MissingDependencyError, match="playing a SoundFont"):
        render(scale(), soundfont=soundfonts.default_soundfont())
    with pytest.raises(MissingDependencyError, match="writing audio files needs soundfile"):
        write_audio(scale(), "a.wav")


def test_pyfluidsynth_without_its_library_names_the_library(monkeypatch):
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    monkeypatch.delenv("HOMEBREW_PREFIX", raising=False)
    monkeypatch.delitem(sys.modules, "fluidsynth", raising=False)
    if not soundfonts.find_spec("fluidsynth"):
        pytest.skip("pyfluidsynth is not installed")
    with pytest.raises(MissingDependencyError, match=r"shared library.*libfluidsynth3"):
        render(scale(), backend="fluidsynth")
    assert "fluidsynth" not in available_backends()
    sys.modules.pop("fluidsynth", None)


def printed(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_another_process_gives_the_same_samples(sampler):
    code = (
        "import hashlib, musicgen\n"
        "tracks = [('', 24, False), ('', 0, True)]\n"
        "piece = musicgen.NoteSequence([(0, .5, 60, 90, 0), (.5, 1, 38, 90, 1)], tracks)\n"
        f"print(hashlib.sha256(musicgen.render(piece, backend={sampler!r}).tobytes()).hexdigest())"
    )
    assert printed(code) == printed(code)


def test_import_loads_no_synthesiser():
    heavy = ("fluidsynth", "tinysoundfont", "soundfile", "pretty_midi")
    assert printed(f"import musicgen.rendering, sys; print([m for m in {heavy} if m in sys.modules])") == "[]"


def test_the_lines_that_install_are_known():
    assert {"fluidsynth", "tinysoundfont", "soundfile"} <= set(errors._INSTALL)
