"""Beats: annotations, their meters and faults, and the tracker."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicgen.beats import estimate_beats, estimate_beats_in_sections, read_beats
from musicgen.beats.decoding import _best_ways, _lengths, _traced
from musicgen.beats.spectra import chroma, mel_levels
from musicgen.errors import InputError


def annotation(folder, text, name="a.beats"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def places_text(places):
    return "".join(f"{0.5 * (index + 1):.3f}\t{place}\n" for index, place in enumerate(places))


@pytest.mark.parametrize(
    ("places", "meters"),
    [
        ([1, 2, 3, 4, 1, 2, 3, 4], [(0, 4, 4)]),
        ([3, 4, 1, 2, 3, 4, 1], [(2, 4, 4)]),
        ([3, 1, 2, 3, 1, 2, 3, 1], [(1, 3, 4)]),
        ([1, 2, 3, 4, 1, 2, 1, 2, 3, 4, 1, 2], [(0, 4, 4), (4, 2, 4), (6, 4, 4)]),
        ([1, 2, 3, 1, 2, 3, 4], [(0, 3, 4), (3, 4, 4)]),
        ([2, 3, 4], [(3, 4, 4)]),
        ([1, 2, 3, 4, 5], [(0, 5, 4)]),
        ([1, 1, 1], [(0, 1, 4)]),
    ],
)
def test_places_in_the_bar_give_pickup_meters_and_their_changes(tmp_path, places, meters):
    timing = read_beats(annotation(tmp_path, places_text(places)))
    assert [tuple(meter) for meter in timing.meters] == meters
    np.testing.assert_allclose(timing.beats, 0.5 * np.arange(1, len(places) + 1))


def test_annotation_without_places_takes_the_meter_that_is_given(tmp_path):
    path = annotation(tmp_path, "# by hand\n\n0.25\n0.75\n1.25\n")
    assert tuple(read_beats(path).meters[0]) == (0, 4, 4)
    assert tuple(read_beats(path, meter=(3, 8)).meters[0]) == (0, 3, 8)


def test_beats_outside_the_recording_are_kept(tmp_path):
    assert read_beats(annotation(tmp_path, "-0.1 1\n30.2 2\n")).beats.tolist() == [-0.1, 30.2]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "holds 0 beats"),
        ("0.5 1\n", "holds 1 beats"),
        ("0.5 1\n0.5 2\n", "line 2: 0.5 s is not after 0.5 s"),
        ("0.5 1\n1.0 3\n", "line 2: place 3 after 1"),
        ("0.5 1\n1.0\n", "line 2: no place"),
        ("0.5 1\n1.0 0\n", "line 2: place 0"),
        ("0.5 1\n1.0 1.5\n", "line 2: place 1.5"),
        ("0.5 1\nnan 2\n", "line 2: the time nan is not finite"),
        ("0.5 one\n1.0 two\n", "line 1: '0.5 one' is not a time and a place"),
    ],
)
def test_faulty_annotations_are_refused_with_file_line_and_remedy(tmp_path, text, reason):
    path = annotation(tmp_path, text)
    with pytest.raises(InputError) as caught:
        read_beats(path)
    assert caught.value.reason.startswith(reason)
    assert caught.value.path == path
    assert caught.value.remedy


def test_missing_and_binary_annotations_are_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_beats(tmp_path / "none.beats")
    (tmp_path / "binary.beats").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(InputError, match="not text"):
        read_beats(tmp_path / "binary.beats")


@given(pickup=st.integers(0, 3), bars=st.lists(st.integers(1, 7), min_size=2, max_size=8))
def test_bar_lines_are_where_the_annotation_puts_them(tmp_path_factory, pickup, bars):
    places = list(range(8 - pickup, 8)) + [place for bar in bars for place in range(1, bar + 1)]
    if len(places) < 2:
        return
    timing = read_beats(annotation(tmp_path_factory.mktemp("beats"), places_text(places)))
    starts = timing.bars(timing.beats[-1] + 1e-3, start=timing.beats[pickup])
    np.testing.assert_allclose(starts, pickup + np.cumsum([0, *bars[:-1]]))


def test_every_real_annotation_is_read(data_folder):
    paths = sorted((data_folder / "gtzan" / "beats").glob("*.beats"))
    timings = {path.stem: read_beats(path) for path in paths}
    assert len(timings) == 50
    assert sum(timing.meters[0].numerator == 3 for timing in timings.values()) == 3
    first = timings["gtzan_blues_00000"]
    assert tuple(first.meters[0]) == (2, 4, 4)
    assert first.beats[0] == 0.217


def clicks(bpm, seconds, sample_rate=22050, accent_every=4, first=0.3):
    audio = np.zeros(int(seconds * sample_rate), np.float32)
    time = np.arange(int(0.1 * sample_rate)) / sample_rate
    for index, start in enumerate(np.arange(first, seconds - 0.2, 60 / bpm)):
        accent = index % accent_every == 0
        burst = np.sin(2 * np.pi * 1000 * time) + (3 * np.sin(2 * np.pi * 60 * time) if accent else 0)
        begin = int(start * sample_rate)
        audio[begin : begin + len(time)] += 0.2 * burst * np.exp(-time * 40)
    return audio


@pytest.mark.parametrize("sample_rate", [22050, 44100])
def test_tracker_finds_an_even_beat_and_its_accents(sample_rate):
    timing = estimate_beats(clicks(110, 20, sample_rate), sample_rate)
    assert timing.bpm == pytest.approx(110, rel=0.03)
    downbeats = timing.beats[int(timing.meters[0].beat) :: 4]
    offset = (downbeats - 0.3) / (60 / 110) % 4
    assert np.all(np.minimum(offset, 4 - offset) < 0.3)


@pytest.mark.parametrize("bpm", [70, 110, 140])
@pytest.mark.parametrize("first", [0.3, 0.307])
def test_tracked_beats_are_neither_early_nor_late(bpm, first):
    beats = estimate_beats(clicks(bpm, 20, first=first), 22050).beats
    places = (beats - first) / (60 / bpm)
    inside = (places > 0.5) & (places < 18 * bpm / 60)
    assert inside.sum() > 15 * bpm / 60
    errors = (places - np.round(places))[inside] * 60 / bpm
    assert abs(np.median(errors)) < 0.012
    assert np.abs(errors).max() < 0.025


def test_tracker_follows_a_change_of_tempo():
    audio = np.concatenate([clicks(100, 12, first=0.0), clicks(104, 12, first=0.0)])
    beats = estimate_beats(audio, 22050).beats
    for bpm, begin, end in ((100, 2, 11), (104, 14, 23)):
        assert 60 / np.diff(beats[(beats > begin) & (beats < end)]).mean() == pytest.approx(bpm, rel=0.01)


def test_loudness_does_not_matter():
    audio = clicks(96, 10)
    np.testing.assert_allclose(estimate_beats(audio / 512, 22050).beats, estimate_beats(audio, 22050).beats)


@given(seed=st.integers(0, 10**6), n_frames=st.integers(1, 60))
@settings(max_examples=25)
def test_decoded_beats_are_the_likeliest_of_all(seed, n_frames):
    lengths = _lengths(12, 20)
    gains = np.random.default_rng(seed).normal(0, 1, n_frames).astype(np.float32)
    assert _traced(_best_ways(gains, lengths), lengths) == plain_viterbi(gains, lengths)


def plain_viterbi(gains, lengths):
    """(frame, length) of the beats, by a dense table of transitions between states: a length, and a place in it."""
    last = np.cumsum(lengths.frames) - 1
    begin = last - lengths.frames + 1
    onsets = np.concatenate([np.arange(n, n + m) for n, m in zip(begin, lengths.onsets, strict=True)])
    n_states = last[-1] + 1
    ways = np.full((n_states, n_states), -np.inf)
    for state in range(n_states - 1):
        if state not in last:
            ways[state, state + 1] = 0
    for index, end in enumerate(last):
        ways[end, begin] = lengths.changes[:, index]
    emissions = np.zeros((len(gains), n_states))
    emissions[:, onsets] = gains[:, None]
    scores, origins = np.zeros(n_states), []
    for emission in emissions:
        origins.append((scores[:, None] + ways).argmax(axis=0))
        scores = (scores[:, None] + ways).max(axis=0) + emission
    state, path = int(scores.argmax()), []
    for frame in range(len(gains) - 1, -1, -1):
        path.append((frame, state))
        state = origins[frame][state]
    first = begin.tolist()
    return [(frame, int(lengths.frames[first.index(state)])) for frame, state in reversed(path) if state in first]


@pytest.mark.parametrize("samples", [4096, 22050, 100_001])
def test_spectra_are_those_of_librosa(librosa, samples):
    audio = np.random.default_rng(samples).normal(0, 0.1, samples).astype(np.float32)
    power = librosa.feature.melspectrogram(y=audio, sr=22050, n_fft=2048, hop_length=256)
    expected = librosa.power_to_db(power, ref=np.max, amin=1e-20)
    np.testing.assert_allclose(mel_levels(audio, 22050, window=2048, hop=256), expected, atol=0.01)
    filters = librosa.filters.chroma(sr=22050, n_fft=4096, tuning=0.0)
    expected = filters @ np.abs(librosa.stft(audio, n_fft=4096, hop_length=1024))
    np.testing.assert_allclose(chroma(audio, 22050, window=4096, hop=1024), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("samples", [0, 1, 4000, 22050 * 3])
def test_no_beat_is_an_error_not_a_guess(samples):
    with pytest.raises(InputError, match="no beat found"):
        estimate_beats(np.zeros(samples), 22050)


def test_sections_of_a_long_recording_meet():
    audio = clicks(120, 420)
    beats = estimate_beats_in_sections(np.array_split(audio, 7), 22050).beats
    assert np.abs(np.diff(beats[(beats > 1) & (beats < 419)]) - 0.5).max() < 0.04


def test_tracker_wants_mono():
    with pytest.raises(InputError, match="shape"):
        estimate_beats(np.zeros((2, 22050)), 22050)
