"""Built-in corpora: parsed once, kept without pickle, written and read back as MIDI."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from musicgen import InputError, NoteSequence, Track
from musicgen.datasets import CORPORA, corpora, corpus_files, load_corpus
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


def test_the_cache_gives_the_same_pieces(chorales, tmp_path, monkeypatch):
    refused = [("bach/bad.mxl", "has no notes")]
    monkeypatch.setattr(corpus_files, "parse", lambda *_, **__: (list(chorales), refused))
    with pytest.warns(UserWarning, match="1 pieces of bach-chorales could not be used"):
        load_corpus("bach-chorales", cache=tmp_path)
    monkeypatch.setattr(corpus_files, "parse", None)  # nothing is parsed again
    with pytest.warns(UserWarning, match="could not be used"):
        again = load_corpus("bach-chorales", cache=tmp_path)
    assert list(again) == list(chorales)
    assert again.refused == refused


def test_a_damaged_cache_is_made_anew(chorales, tmp_path, monkeypatch):
    monkeypatch.setattr(corpus_files, "parse", lambda *_, **__: (list(chorales), []))
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


def test_pieces_of_the_cache_are_made_once_and_cut_like_a_list(chorales, tmp_path, monkeypatch):
    monkeypatch.setattr(corpus_files, "parse", lambda *_, **__: (list(chorales), []))
    load_corpus("bach-chorales", cache=tmp_path)
    again = load_corpus("bach-chorales", cache=tmp_path)
    assert again[-1] is again[len(again) - 1]
    assert again[2:5] == again[np.int64(2) : 5] == chorales[2:5]
    assert repr(again) == "Corpus('bach-chorales', 20 pieces)"
    with pytest.raises(IndexError):
        again[20]
    with pytest.raises(ValueError, match="read-only"):
        again[0].notes["pitch"] = 0


def test_pieces_are_kept_in_memory_where_they_cannot_be_kept_on_disk(chorales, tmp_path, monkeypatch):
    monkeypatch.setattr(corpus_files, "parse", lambda *_, **__: (list(chorales), []))
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match="parsed anew each time: set MUSICGEN_CACHE"):
        assert list(load_corpus("bach-chorales", cache=tmp_path / "file")) == list(chorales)


# What the files tell


BOOK = """% a comment
O:Europa, Schweiz, Oberwallis
X:0007
T:One; % or two
M:none
L:1/8
K:A dor
CDE (3FGA
X:7
T:Empty
M:4/4
K:C
z4|
X:8
T:Waltz
R:waltz
C:A. Nonymous
M:3/4
L:1/4
Q:1/4=90
K:Gm
G|GAB|G3|
"""


def tunes(folder, text, collection="airdsAirs"):
    (folder / collection).mkdir()
    (folder / collection / "book.abc").write_bytes(text.encode("latin-1"))
    return corpus_files.parse_batch(corpus_files.units_of("folk", folder))


def test_tunes_of_a_file_are_pieces_of_their_own(tmp_path):
    (one, waltz), refused = tunes(tmp_path, BOOK)
    assert refused == [("airdsAirs/book.abc#2", "has no notes (choose another score)")]
    assert dict(one.meta) == {
        "title": "One;",
        "source": "airdsAirs/book.abc#1",
        "genre": "folk",
        "corpus": "folk",
        "collection": "Aird's Airs",
        "region": "Europa, Schweiz, Oberwallis",
        "key": "a minor",
        "mode": "dorian",
        "meter": "4/4 assumed",
        "tempo": "120 quarters per minute assumed",
    }
    assert (waltz.meta["kind"], waltz.meta["composer"], waltz.meta["key"]) == ("waltz", "A. Nonymous", "g minor")
    assert not {"tempo", "meter", "mode"} & set(waltz.meta)
    assert waltz.timing.qpm == 90
    assert [tuple(meter) for meter in waltz.timing.meters] == [(1.0, 3, 4)]  # after the pickup


def test_essen_tells_the_tonic_and_the_notes_the_mode(tmp_path):
    text = "X:1\nT:Caf\xe9\nM:4/4\nL:1/4\nK:G\nG_BdG|d_BAG|\nX:2\nT:Zwei\nM:4/4\nL:1/4\nK:G\nGBdG|dBAG|\n"
    (minor, major), _ = tunes(tmp_path, text, "essenFolksong")
    assert (minor.meta["key"], major.meta["key"]) == ("g minor", "G major")
    assert minor.meta["title"] == "Caf\xe9"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("*G:mix\t*G:mix", {"key": "G major", "mode": "mixolydian"}),
        ("*B-:", {"key": "Bb major"}),
        ("*f#:\t*", {"key": "f# minor"}),
        ("*E:phr", {"key": "e minor", "mode": "phrygian"}),
        ("*clefG2", {}),
    ],
)
def test_humdrum_tells_key_and_mode(line, told):
    assert corpus_files._humdrum_key(f"**kern\n{line}\n4c\n") == told


def test_a_bar_that_a_repeat_sign_cuts_in_two_is_one_bar(tmp_path):
    head, tune = "X:1\nT:One\nL:1/4\nK:C\nM:3/4\n", "G|CDE|FG:|A|Bcd|cB|"
    whole, short = f"{head}{tune}\n", f"{head}{tune.replace('FG:|A', 'F:|A')}\n"
    ((piece, odd), _) = tunes(tmp_path, whole + short)
    assert [tuple(meter) for meter in piece.timing.meters] == [(1.0, 3, 4)]
    assert piece.timing.bars(piece.duration).tolist() == [-2, 1, 4, 7, 10, 13, 16]
    assert [meter.beat for meter in odd.timing.meters] == [1.0, 5.0, 6.0, 10.0, 11.0]


def test_what_misleads_music21_is_left_out(tmp_path):
    head = "T:One\nL:1/8\nK:C\nM:2/4\n"
    triplet = f"X:1\n{head}(3C{{d}}EG c2|{{AB}}CDEF|\n"  # it takes the grace note for one of the three
    odd = f"X:2\n{head}CDEF GA|CDEF|\n"  # it makes up a 3/4
    duet = f"X:3\nV:1\nV:2\n{head}[V:1] CDEF|\n[V:2] CDEF|\n"
    (first, second), refused = tunes(tmp_path, triplet + odd + duet)
    np.testing.assert_allclose(first.notes["start"] * 2, [0, 1 / 3, 2 / 3, 1, 2, 2.5, 3, 3.5], atol=1e-6)
    assert first.meta["grace_notes"] == "3 left out"
    assert {meter[1:] for meter in second.timing.meters} == {(2, 4)}
    assert refused == [("airdsAirs/book.abc#3", "has several voices, whose lines music21 does not join")]


def test_quartets_are_named_by_their_places():
    for source, title in [
        ("haydn/opus1no1/movement2.mxl", "Haydn, op. 1 no. 1, movement 2"),
        ("mozart/k458/movement1.mxl", "Mozart, K. 458, movement 1"),
        ("beethoven/opus133.mxl", "Beethoven, op. 133"),
    ]:
        collection = source.split("/")[0].capitalize()
        unit = corpus_files.Unit("string-quartets", collection, Path(source), source)
        told = corpus_files._told_of_quartet(unit, music21_score(), None)
        assert told == {"title": title, "composer": collection}


def music21_score():
    from music21 import stream

    return stream.Score()


def test_voices_get_names_of_their_own():
    rows = [(0, 1, 60, 80, 0), (0, 1, 64, 80, 1), (0, 1, 67, 80, 3), (0, 1, 48, 80, 4)]
    names = ["Tenor", "Tenor", "silent", "", "Continuo"]
    piece = corpus_files._voices(NoteSequence(rows, [Track(name) for name in names]))
    assert [track.name for track in piece.tracks] == ["Tenor 1", "Tenor 2", "Voice", "Continuo"]
    assert [track.program for track in piece.tracks] == [52, 52, 52, 6]
    assert sorted(piece.notes[["pitch", "track"]].tolist()) == [(48, 3), (60, 0), (64, 1), (67, 2)]
    with pytest.raises(InputError, match="one voice only"):
        corpus_files._voices(NoteSequence(rows[:1], [Track("Tenor")]))
    with pytest.raises(InputError, match="5 parts, not those of a string quartet"):
        corpus_files._quartet(NoteSequence(rows, [Track(name) for name in names]))


def test_what_music21_trips_over_costs_no_neighbour(tmp_path, monkeypatch):
    import music21

    real = music21.converter.parseData

    def parse(text, **options):
        if "Waltz" in text:
            raise IndexError("pop from an empty list")
        return real(text, **options)

    monkeypatch.setattr(music21.converter, "parseData", parse)
    pieces, refused = tunes(tmp_path, BOOK)
    assert [piece.meta["title"] for piece in pieces] == ["One;"]
    assert refused[1] == ("airdsAirs/book.abc#3", "music21 cannot read it: IndexError: pop from an empty list")


@pytest.mark.parametrize("name", sorted(set(CORPORA) - {"bach-chorales"}))
@pytest.mark.filterwarnings("ignore:.*could not be used:UserWarning")
def test_every_corpus_tells_terms_and_what_its_pieces_are(name, tmp_path):
    corpus = load_corpus(name, limit=2, cache=tmp_path)
    assert f"\n{name} " in corpora.__doc__
    assert "permission" in corpus.provenance["terms"]
    assert len(corpus) == 2
    for piece in corpus:
        assert piece.meta["corpus"] == name
        assert piece.meta["collection"]
        assert piece.meta["genre"]
        assert len({track.name for track in piece.tracks}) == len(piece.tracks)
        assert (len(piece.tracks) > 1) == (name != "folk")


def test_a_collection_is_parsed_without_the_others_and_found_in_the_cache(tmp_path, monkeypatch):
    files = [("One", "a.abc", 2), ("Two", "b.abc", 3)]
    tune = "X:{0}\nT:Tune {0}\nM:4/4\nL:1/4\nK:C\nCDEF|GABc|\n\n"
    for _, file, count in files:
        path = tmp_path / "corpus" / "book" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(tune.format(number) for number in range(count)) + "X:9\nM:4/4\nK:C\nz4|\n")
    kind = corpus_files.KINDS["folk"]._replace(collections=tuple((name, "book", file) for name, file, _ in files))
    monkeypatch.setitem(corpus_files.KINDS, "folk", kind)
    monkeypatch.setattr(corpora, "_music21_corpus", lambda: (tmp_path / "corpus", "0"))
    parsed = corpora.read_corpus("folk", collection="Two", workers=0, cache=tmp_path)
    assert [piece.meta["source"] for piece in parsed] == [f"book/b.abc#{number}" for number in (1, 2, 3)]
    assert not list(tmp_path.glob("*.npz")), "a part is not kept as if it were the whole"
    assert len(corpora.read_corpus("folk", workers=0, cache=tmp_path)) == 5
    monkeypatch.setattr(corpus_files, "parse", None)
    kept = corpora.read_corpus("folk", collection="Two", cache=tmp_path)
    assert list(kept) == list(parsed)
    assert kept.refused == parsed.refused
    assert [source for source, _ in kept.refused] == ["book/b.abc#4"]
    assert len(corpora.read_corpus("folk", collection="Two", limit=2, cache=tmp_path)) == 2


def test_unknown_corpora_and_limits_are_refused():
    with pytest.raises(InputError, match=r"folk has no collection 'Haydn' \(one of Essen, .*Northumbrian"):
        load_corpus("folk", collection="Haydn")
    with pytest.raises(InputError, match=r"no corpus 'bach' \(one of bach-chorales, folk, .*trecento\)"):
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
    assert list(load_corpus("bach-chorales", cache=tmp_path)) == list(pieces)
    for piece in [*pieces, *load_corpus("folk", limit=100, cache=tmp_path)]:
        assert_read_back(piece, tmp_path / "a.mid")


@pytest.mark.slow
def test_two_processes_parse_a_corpus_once(tmp_path):
    code = "import sys; from musicgen import load_corpus; print(len(load_corpus('monteverdi', cache=sys.argv[1])))"
    command = [sys.executable, "-c", f"if __name__ == '__main__': {code}", str(tmp_path)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [run.communicate() for run in runs]
    assert [out.strip() for out, _ in outputs] == ["48", "48"]
    assert sum("part" in err for _, err in outputs) == 1, "one has parsed, under a bar; the other has waited"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.filterwarnings("ignore")
def test_the_bar_can_be_left_out(tmp_path, capsys):
    for progress in (True, False):
        load_corpus("folk", collection="American fife", workers=0, cache=tmp_path, progress=progress)
        assert bool(capsys.readouterr().err) == progress
