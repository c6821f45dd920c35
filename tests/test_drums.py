"""Kick, snare and hi-hat heard in recordings."""

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from musicgen.cli import main
from musicgen.errors import InputError
from musicgen.midi import read_midi
from musicgen.notes import NoteSequence, Track
from musicgen.transcription import transcribe, transcribe_folder
from musicgen.transcription.drums import SAMPLE_RATE, hear_drums

KICK, SNARE, HIHAT = 36, 38, 42
BEAT_S = 0.5


def sound(key):
    """A stroke as an analogue drum machine makes it."""
    time = np.arange(int(0.25 * SAMPLE_RATE)) / SAMPLE_RATE
    noise = np.random.default_rng(key).uniform(-1, 1, len(time))
    if key == KICK:
        return np.sin(2 * np.pi * (50 * time - 2 * np.exp(-time / 0.02))) * np.exp(-time / 0.1)
    if key == SNARE:
        wires = np.convolve(noise, np.hanning(9) / 2, "same")  # below 5 kHz
        return 0.5 * (np.sin(2 * np.pi * 190 * time) * np.exp(-time / 0.05) + wires * np.exp(-time / 0.08))
    return 0.3 * np.diff(noise, n=8, append=[0] * 8) / 128 * np.exp(-time / 0.03)  # above 5 kHz


def played(strokes, seconds):
    audio = np.zeros(int(seconds * SAMPLE_RATE) + SAMPLE_RATE)
    for time, key, gain in strokes:
        begin, one = round(time * SAMPLE_RATE), sound(key)
        audio[begin : begin + len(one)] += 0.5 * gain * one
    return audio[: int(seconds * SAMPLE_RATE)].astype(np.float32)


def rock(bars=4):
    """Kick on one and three, snare on two and four, hi-hat between."""
    places = {KICK: (0, 2), SNARE: (1, 3), HIHAT: (0.5, 1.5, 2.5, 3.5)}
    beats = [(4 * bar + place, key) for bar in range(bars) for key, ps in places.items() for place in ps]
    return [(0.2 + BEAT_S * beat, key, 1.0) for beat, key in sorted(beats)]


def tones(seconds):
    """Plucked tones, without any drum."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    since, pitches = time % 0.6, np.array([60, 64, 67, 72, 69])[(time / 0.6).astype(int) % 5]
    hz = 440 * 2 ** ((pitches - 69) / 12)
    return (0.4 * np.exp(-3 * since) * np.sin(2 * np.pi * hz * time)).astype(np.float32)


GROOVE = played(rock(), 8.5)


def strokes_of(notes):
    return {key: notes["start"][notes["pitch"] == key] for key in (KICK, SNARE, HIHAT)}


def test_every_stroke_of_a_plain_beat_is_heard_and_named():
    heard = strokes_of(hear_drums([GROOVE]))
    for key, starts in heard.items():
        expected = np.array([time for time, struck, _ in rock() if struck == key])
        distance = np.abs(expected[:, None] - starts)
        assert distance.min(axis=1).max() < 0.02, key
        # A snare has noise as high as a hi-hat's: some of these are heard as both.
        assert np.sum(distance.min(axis=0) > 0.02) <= (8 if key == HIHAT else 0), key


def test_a_beat_is_heard_behind_other_instruments():
    heard = strokes_of(hear_drums([GROOVE + tones(8.5)]))
    for key, starts in heard.items():
        expected = np.array([time for time, struck, _ in rock() if struck == key])
        near = np.abs(expected[:, None] - starts).min(axis=1) < 0.03
        assert near.mean() > 0.8, key


@given(cuts=st.lists(st.integers(0, len(GROOVE)), max_size=6))
@settings(max_examples=20)
def test_blocks_of_any_size_give_the_same_strokes(cuts):
    np.testing.assert_array_equal(hear_drums(np.split(GROOVE, sorted(cuts))), hear_drums([GROOVE]))


def test_more_frames_than_are_worked_on_at_once_give_the_same_strokes(monkeypatch):
    whole = hear_drums([GROOVE])
    monkeypatch.setattr("musicgen.transcription.drums._BLOCK", 100)
    np.testing.assert_array_equal(hear_drums([GROOVE]), whole)


@pytest.mark.parametrize("gain", [0.01, 0.1, 1.9])
def test_loudness_of_the_recording_does_not_matter(gain):
    np.testing.assert_array_equal(hear_drums([np.float32(gain) * GROOVE]), hear_drums([GROOVE]))


def test_music_without_drums_has_none():
    assert len(hear_drums([tones(30)])) == 0


@pytest.mark.parametrize("samples", [0, 1, 500, 22050])
def test_silence_and_next_to_nothing_have_none(samples):
    assert len(hear_drums([np.zeros(samples, np.float32)])) == 0
    assert len(hear_drums([np.zeros(0, np.float32), GROOVE[:samples]])) <= 4  # as many as are in it


def test_a_single_sound_in_a_long_silence_is_no_drumming():
    assert (
        len(hear_drums([np.zeros(20 * SAMPLE_RATE, np.float32), GROOVE[:20000], np.zeros(441000, np.float32)])) == 0
    )


def test_strokes_are_notes_that_midi_can_hold():
    notes = hear_drums([GROOVE[:-3000]])
    assert np.all(np.diff(notes["start"]) >= 0)
    assert notes["end"].max() <= (len(GROOVE) - 3000) / SAMPLE_RATE
    for key in (KICK, SNARE, HIHAT):
        one = notes[notes["pitch"] == key]
        assert np.all(one["end"][:-1] <= one["start"][1:])
    assert len(NoteSequence(notes, tracks=(Track(drum=True),))) == len(notes)


def test_velocity_follows_loudness():
    strokes = [(time, key, 1.0 if round((time - 0.2) / BEAT_S) % 4 < 2 else 0.25) for time, key, _ in rock(bars=8)]
    notes = hear_drums([played(strokes, 16.5)])
    snares = notes[notes["pitch"] == SNARE]
    kicks = notes[notes["pitch"] == KICK]
    for found in (snares, kicks):
        loud = np.round((found["start"] - 0.2) / BEAT_S) % 4 < 2
        assert loud.any()
        assert found["velocity"][loud].min() > 100
        if (~loud).any():
            assert found["velocity"][~loud].max() < 80


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    path = tmp_path_factory.mktemp("song") / "song.wav"
    soundfile.write(path, 0.5 * (GROOVE + tones(8.5)), SAMPLE_RATE)
    return path


def test_drums_stand_on_a_track_of_their_own(song):
    plain, piece = transcribe(song, beats=[0.2, 0.7]), transcribe(song, beats=[0.2, 0.7], drums=True)
    assert [track.drum for track in plain.tracks] == [False]
    assert [track.drum for track in piece.tracks] == [False, True]
    np.testing.assert_array_equal(piece.notes[piece.notes["track"] == 0], plain.notes)
    assert set(piece.notes["pitch"][piece.notes["track"] == 1].tolist()) == {KICK, SNARE, HIHAT}
    assert piece.duration == plain.duration
    assert (plain.meta["drums"], piece.meta["drums"]) == ("False", "True")


def test_long_recordings_hear_the_same_drums(song, monkeypatch):
    piece = transcribe(song, beats=[0.2, 0.7], drums=True)
    monkeypatch.setattr("musicgen.transcription.transcriber.LONG_S", 1.0)
    assert transcribe(song, beats=[0.2, 0.7], drums=True) == piece


def test_drums_alone_are_music_too(tmp_path):
    path = tmp_path / "hats.wav"
    soundfile.write(path, played([(0.2 + 0.25 * i, HIHAT, 1.0) for i in range(30)], 8.0), SAMPLE_RATE)
    with pytest.raises(InputError, match="no notes found"):
        transcribe(path, beats=[0.2, 0.7])
    piece = transcribe(path, beats=[0.2, 0.7], drums=True)
    counts = {key: int(np.sum(piece.notes["pitch"] == key)) for key in (KICK, SNARE, HIHAT)}
    assert counts[KICK] == 0
    assert 27 <= counts[HIHAT] <= 31
    assert counts[SNARE] < counts[HIHAT] / 2  # by themselves, some are taken for snares
    assert all(piece.tracks[note["track"]].drum for note in piece.notes)


def test_where_no_drums_are_heard_there_is_no_track(tmp_path):
    path = tmp_path / "tones.wav"
    soundfile.write(path, tones(6), SAMPLE_RATE)
    assert len(transcribe(path, beats=[0.0, 0.6], drums=True).tracks) == 1


def test_drums_is_yes_or_no(song):
    with pytest.raises(InputError, match="drums must be True or False, not 'kick'"):
        transcribe(song, drums="kick")


def test_a_folder_is_done_again_when_drums_are_asked_for(song, tmp_path):
    out = tmp_path / "out"
    assert len(transcribe_folder(song, out, workers=1, progress=False, fallback_bpm=120).done) == 1
    assert (
        main(["transcribe", str(song), "--out", str(out), "--workers", "1", "--fallback-bpm", "120", "--drums"]) == 0
    )
    again = transcribe_folder(song, out, workers=1, progress=False, fallback_bpm=120, drums=True)
    assert len(again.skipped) == 1
    entry = json.loads((out / "manifest.jsonl").read_text())
    assert entry["settings"]["drums"] is True
    piece = read_midi(out / "song.mid")
    assert [track.drum for track in piece.tracks] == [False, True]


def test_no_heavy_package_is_imported():
    code = (
        "import sys, numpy as np; from musicgen.transcription.drums import hear_drums;"
        "hear_drums([np.zeros(50000, np.float32)]);"
        "print(sorted({n.split('.')[0] for n in sys.modules} & {'tensorflow', 'keras', 'librosa', 'basic_pitch'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_real_disco_has_a_backbeat_and_a_real_quartet_no_drums(data_folder):
    genres = data_folder / "gtzan" / "genres"
    rates = {}
    for genre in ("disco", "classical"):
        paths = sorted((genres / genre).glob("*.wav"))
        heard = [strokes_of(hear_drums([soundfile.read(path, dtype="float32")[0]])) for path in paths]
        rates[genre] = {key: np.mean([len(strokes[key]) / 30 for strokes in heard]) for key in (KICK, SNARE, HIHAT)}
    assert 0.7 < rates["disco"][SNARE] < 2.2
    assert rates["disco"][KICK] > 1
    assert rates["disco"][HIHAT] > 3
    assert sum(rates["classical"].values()) < 0.2
