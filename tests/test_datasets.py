"""Sources of pieces: folders of MIDI files, GTZAN in its layouts, splits."""

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from musicgen import NoteSequence, Timing
from musicgen.datasets import gtzan_recordings, load_folder, load_gtzan, split
from musicgen.errors import InputError


def saved(path, pitch=60, **meta):
    NoteSequence([(0.0, 0.5, pitch, 80, 0)], timing=Timing.regular(120), meta=meta).save(path)
    return path


# Folders of MIDI files


def test_folder_tells_what_the_files_do_not(tmp_path):
    saved(tmp_path / "top.mid", 60)
    saved(tmp_path / "jazz" / "blue.MID", 61)
    saved(tmp_path / "deep" / "er" / "own.midi", 62, title="Own", genre="waltz", source="own.wav")
    pieces = {piece.notes["pitch"][0]: dict(piece.meta) for piece in load_folder(tmp_path)}
    assert pieces[60] == {"title": "top", "source": "top.mid"}
    assert pieces[61] == {"title": "blue", "source": "jazz/blue.MID", "genre": "jazz"}
    assert pieces[62] == {"title": "Own", "source": "own.wav", "genre": "waltz"}


def test_folder_streams_again_and_again_and_lists_what_it_refuses(tmp_path):
    saved(tmp_path / "a.mid")
    (tmp_path / "b.mid").write_bytes(b"no MIDI")
    saved(tmp_path / "c.mid")
    folder = load_folder(tmp_path)
    assert folder.refused == []
    for _ in range(2):
        assert [piece.meta["title"] for piece in folder] == ["a", "c"]
        [(path, reason)] = folder.refused
        assert path == tmp_path / "b.mid"
        assert reason
    (tmp_path / "c.mid").unlink()
    assert next(iter(folder)).meta["title"] == "a"  # files are read one at a time


def test_folder_leaves_hidden_files_out(tmp_path):
    saved(tmp_path / ".tmp-1-a.mid")
    saved(tmp_path / ".cache" / "b.mid")
    saved(tmp_path / "c.mid")
    assert [path.name for path in load_folder(tmp_path).paths] == ["c.mid"]


def test_genres_are_chosen_by_sub_folder(tmp_path):
    for name in ("blues/a.mid", "jazz/b.mid", "c.mid"):
        saved(tmp_path / name)
    assert [path.name for path in load_folder(tmp_path, genres=["jazz"]).paths] == ["b.mid"]
    with pytest.raises(InputError, match="no MIDI file of genre rock"):
        load_folder(tmp_path, genres=["rock"])


def test_folders_without_midi_are_refused(tmp_path):
    with pytest.raises(InputError, match="holds no MIDI file"):
        load_folder(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        load_folder(tmp_path / "none")


# GTZAN


LAYOUTS = [
    ("genres/{genre}/{genre}.{number}.au", "beats"),
    ("Data/genres_original/{genre}/{genre}.{number}.wav", "Data/beats"),
    ("Data/genres_original/{genre}/{genre}.{number}.wav", "beats"),
    ("genres/{genre}/{genre}.{number}.wav", "beats"),
    ("{genre}/{genre}.{number}.wav", "beats"),
]


@pytest.fixture(params=LAYOUTS, ids=lambda layout: layout[0].split("/{")[0] + "-" + layout[1])
def gtzan(request, tmp_path):
    audio, beats = request.param
    for genre, number in (("blues", "00003"), ("jazz", "00054")):
        path = tmp_path / "GTZAN" / audio.format(genre=genre, number=number)
        path.parent.mkdir(parents=True)
        time = np.arange(22050) / 22050
        soundfile.write(path, 0.5 * np.sin(2 * np.pi * 440 * time) * np.exp(-3 * time), 22050)
    annotation = tmp_path / "GTZAN" / beats / "gtzan_blues_00003.beats"
    annotation.parent.mkdir(parents=True)
    annotation.write_text("0.0 1\n0.5 2\n1.0 3\n")
    return tmp_path / "GTZAN"


def test_gtzan_is_known_in_every_layout(gtzan):
    blues, jazz = gtzan_recordings(gtzan)
    assert (blues.genre, blues.number) == ("blues", 3)
    assert blues.beats.name == "gtzan_blues_00003.beats"
    assert (jazz.genre, jazz.number, jazz.beats) == ("jazz", 54, None)
    assert jazz.name.parent.name == "jazz"
    assert gtzan_recordings(gtzan, genres=["jazz"]) == [jazz]


def test_gtzan_becomes_pieces_and_goes_on_where_it_stopped(gtzan, tmp_path):
    options = {"workers": 0, "progress": False, "fallback_bpm": 120}
    [piece] = load_gtzan(gtzan, tmp_path / "midi", genres=["blues"], **options)
    assert piece.meta["genre"] == "blues"
    assert piece.meta["beats"] == "annotated"
    assert set(piece.notes["pitch"].tolist()) == {69}
    first = (tmp_path / "midi" / "blues" / "blues.00003.mid").stat().st_mtime_ns
    assert [piece.meta["genre"] for piece in load_gtzan(gtzan, tmp_path / "midi", **options)] == ["blues", "jazz"]
    assert (tmp_path / "midi" / "blues" / "blues.00003.mid").stat().st_mtime_ns == first


def test_what_is_no_gtzan_is_refused(gtzan, tmp_path):
    with pytest.raises(InputError, match="unknown genre polka"):
        gtzan_recordings(gtzan, genres=["polka"])
    with pytest.raises(InputError, match="no clip of rock"):
        gtzan_recordings(gtzan, genres=["rock"])
    (tmp_path / "other").mkdir()
    soundfile.write(tmp_path / "other" / "song.wav", np.zeros(10), 22050)
    with pytest.raises(InputError, match="holds no clip"):
        gtzan_recordings(tmp_path / "other")


def test_real_clips_all_have_genre_number_and_annotation(data_folder):
    clips = gtzan_recordings(data_folder / "gtzan")
    assert len(clips) == 50
    assert {len([clip for clip in clips if clip.genre == genre]) for genre in ("blues", "jazz", "rock")} == {5}
    assert all(clip.beats.is_file() for clip in clips)


@pytest.mark.slow
def test_all_real_clips_become_pieces(data_folder, tmp_path):
    folder = load_gtzan(data_folder / "gtzan", tmp_path, workers=2, progress=False)
    pieces = list(folder)
    assert len(pieces) == 50
    assert folder.refused == []
    assert all(len(piece) > 20 and 29 < piece.duration < 31 for piece in pieces)


# Splits


@given(
    count=st.integers(10, 60),
    seed=st.integers(0, 2**32 - 1),
    fractions=st.sampled_from([(0.8, 0.1, 0.1), (0.5, 0.5), (1.0,), (0.6, 0.2, 0.2)]),
)
def test_parts_of_a_split_are_disjoint_whole_and_repeatable(count, seed, fractions):
    parts = split(range(count), fractions, seed=seed)
    assert sorted(item for part in parts for item in part) == list(range(count))
    assert all(part == sorted(part) for part in parts)
    assert parts == split(range(count), fractions, seed=seed)
    for part, fraction in zip(parts, fractions, strict=True):
        assert abs(len(part) - fraction * count) <= 1


def test_seeds_give_different_splits():
    assert len({tuple(split(range(20), (0.5, 0.5), seed=seed)[0]) for seed in range(10)}) == 10


def test_groups_stay_together():
    items = [(song, key) for song in range(10) for key in range(12)]
    parts = split(items, (0.7, 0.3), seed=4, group=lambda item: item[0])
    songs = [{song for song, _ in part} for part in parts]
    assert songs[0].isdisjoint(songs[1])
    assert [len(part) for part in parts] == [84, 36]


@pytest.mark.parametrize("fractions", [(0.5, 0.4), (1.2, -0.2), (), (0.999, 0.001)])
def test_impossible_splits_are_refused(fractions):
    with pytest.raises(InputError):
        split(range(10), fractions)
