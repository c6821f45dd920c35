"""Built-in corpora: parsed once, kept without pickle, written and read back as MIDI."""

import time
import warnings

import numpy as np
import pytest

from musicgen import InputError
from musicgen.datasets import corpora, load_corpus
from musicgen.midi import read_midi, write_midi
from musicgen.transforms import canonical, fit_timing


@pytest.fixture(scope="module")
def chorales(tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return load_corpus("bach-chorales", limit=20, cache=tmp_path_factory.mktemp("cache"))


def test_chorales_have_four_voices_and_say_where_they_come_from(chorales):
    assert len(chorales) == 20
    for piece in chorales:
        assert [track.name for track in piece.tracks] == ["Soprano", "Alto", "Tenor", "Bass"]
        means = [piece.notes["pitch"][piece.notes["track"] == voice].mean() for voice in range(4)]
        assert means == sorted(means, reverse=True)
        assert piece.meta["source"].startswith("bach/bwv")
        assert piece.meta["genre"] == "chorale"
        assert piece.meta["title"]


def test_a_limit_keeps_the_order(chorales, tmp_path):
    assert list(load_corpus("bach-chorales", limit=3, cache=tmp_path)) == chorales[:3]
    assert not list(tmp_path.iterdir())  # a part is no cache


def test_a_limit_parses_few_files():
    assert corpora._files_for(12, 0, 0) == 1  # the first tells how many pieces a file has
    assert corpora._files_for(12, 1, 1) == 11
    assert corpora._files_for(500, 300, 1) == 1
    assert corpora._files_for(12, 0, 3) == 36


def test_the_cache_gives_the_same_pieces(chorales, tmp_path, monkeypatch):
    refused = [("bach/bad.mxl", "has no notes")]
    monkeypatch.setattr(corpora, "_parsed", lambda *_: (list(chorales), refused))
    with pytest.warns(UserWarning, match="1 pieces of bach-chorales could not be used"):
        load_corpus("bach-chorales", cache=tmp_path)
    monkeypatch.setattr(corpora, "_parsed", None)  # nothing is parsed again
    with pytest.warns(UserWarning, match="could not be used"):
        again = load_corpus("bach-chorales", cache=tmp_path)
    assert list(again) == list(chorales)
    assert again.refused == refused


def test_a_damaged_cache_is_made_anew(chorales, tmp_path, monkeypatch):
    monkeypatch.setattr(corpora, "_parsed", lambda *_: (list(chorales), []))
    load_corpus("bach-chorales", cache=tmp_path)
    [stored] = tmp_path.iterdir()
    stored.write_bytes(stored.read_bytes()[:-100])
    with pytest.warns(UserWarning, match="is damaged and made anew"):
        assert list(load_corpus("bach-chorales", cache=tmp_path)) == list(chorales)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_corpus("bach-chorales", cache=tmp_path)


def test_the_cache_folder_is_the_users(monkeypatch):
    monkeypatch.setenv("MUSICGEN_CACHE", "own")
    assert str(corpora._cache_folder()) == "own"
    monkeypatch.delenv("MUSICGEN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "caches")
    assert corpora._cache_folder().as_posix() == "caches/musicgen"


def test_broken_pieces_are_listed(tmp_path):
    (tmp_path / "airdsAirs").mkdir()
    path = tmp_path / "airdsAirs" / "book.abc"
    path.write_text("X:1\nT:One\nM:none\nL:1/8\nK:C\nCDE (3FGA\n\nX:2\nT:Empty\nM:4/4\nK:C\nz4|\n")
    pieces, refused = corpora._pieces_of(("folk", tmp_path, path))
    assert [piece.meta["title"] for piece in pieces] == ["One"]
    assert refused == [("airdsAirs/book.abc#2", "has no notes (choose another score)")]


def test_unknown_corpora_and_limits_are_refused():
    with pytest.raises(InputError, match=r"no corpus 'bach' \(one of bach-chorales, folk\)"):
        load_corpus("bach")
    with pytest.raises(InputError, match="limit must be at least 1"):
        load_corpus("folk", limit=0)


def assert_read_back(piece, path):
    back, piece = read_midi(write_midi(piece, path)), canonical(piece)
    for name in ("pitch", "velocity", "track"):
        np.testing.assert_array_equal(back.notes[name], piece.notes[name])
    for name in ("start", "end"):
        np.testing.assert_allclose(back.notes[name], piece.notes[name], atol=1e-3)
    timing = fit_timing(piece.timing, 0, piece.duration)
    assert back.timing.meters == timing.meters
    np.testing.assert_allclose(back.timing.beats, timing.beats, atol=1e-3)
    assert back.tracks == piece.tracks
    assert back.meta == piece.meta
    assert back.duration == pytest.approx(piece.duration, abs=1e-3)


def test_real_pieces_are_read_back_from_midi(chorales, tmp_path):
    for piece in chorales:
        assert_read_back(piece, tmp_path / "a.mid")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*could not be used:UserWarning")
def test_the_whole_corpus_loads_once_and_goes_through_midi(tmp_path):
    pieces = load_corpus("bach-chorales", cache=tmp_path)
    assert len(pieces) >= 370
    assert len(pieces.refused) <= 10
    begin = time.perf_counter()
    assert list(load_corpus("bach-chorales", cache=tmp_path)) == list(pieces)
    assert time.perf_counter() - begin < 5
    for piece in [*pieces, *load_corpus("folk", limit=100, cache=tmp_path)]:
        assert_read_back(piece, tmp_path / "a.mid")
