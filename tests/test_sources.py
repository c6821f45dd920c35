"""What all sources of pieces promise; copies, published splits, piano rolls, downloads, the report."""

import gc
import hashlib
import http.server
import io
import json
import os
import sys
import tarfile
import threading
import types
import weakref
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from strategies import sequences

from musicgen import NoteSequence, Timing, Track, transpose
from musicgen.beats import read_tempo
from musicgen.cli import main
from musicgen.datasets import (
    PreparedPieces,
    download_gtzan,
    duplicate_key,
    duplicates,
    gtzan_recordings,
    gtzan_split,
    load_corpus,
    load_folder,
    load_gtzan,
    load_polyphonic,
    prepare,
    read_rolls,
    report_data,
    split,
)
from musicgen.datasets.gtzan import GENRES
from musicgen.datasets.sources import load_data
from musicgen.datasets.splits import hold_out
from musicgen.errors import InputError, MissingDependencyError
from musicgen.plots import plot_data_report, save_figure

io_of_matlab = pytest.importorskip("scipy.io", reason="piano rolls are read by scipy")


def tune(seed=0, shift=0, **meta):
    rng = np.random.default_rng(seed)
    rows = [(k / 2, k / 2 + 0.4, int(pitch) + shift, 80, 0) for k, pitch in enumerate(rng.integers(48, 72, 12))]
    return NoteSequence(rows, meta=meta)


def cells(*rolls):
    cell = np.empty((1, len(rolls)), object)
    cell[0, :] = rolls
    return cell


def roll(seed=0, steps=16):
    return (np.random.default_rng(seed).random((steps, 88)) < 0.05).astype(np.uint8)


def matlab(path, **changes):
    content = {
        "traindata": cells(roll(1), np.zeros((4, 88), np.uint8)),
        "validdata": cells(roll(2), roll(3)),
        "testdata": cells(roll(4), roll(5)),
    }
    content = {name: value for name, value in (content | changes).items() if value is not None}
    io_of_matlab.savemat(path, content)
    return path


def gtzan(root, clips=("blues.00001", "blues.00029", "jazz.00054", "rock.00001"), broken=("jazz.00054",)):
    for number, clip in enumerate(clips):
        genre = clip.split(".")[0]
        path = root / "Data" / "genres_original" / genre / f"{clip}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        second = np.arange(11025) / 22050
        tones = [
            0.5 * np.sin(2 * np.pi * f * second) * np.exp(-4 * second) for f in (220, 220 * 2 ** (number / 4 + 0.5))
        ]
        soundfile.write(path, np.concatenate(tones), 22050)
        if clip in broken:
            path.write_bytes(b"no sound")
    return root


# One contract for all sources


def folder_source(tmp_path):
    for number in range(4):
        tune(number).save(tmp_path / "in" / f"{number}.mid")
    (tmp_path / "in" / "bad.mid").write_bytes(b"no MIDI")
    return load_folder(tmp_path / "in")


def gtzan_source(tmp_path):
    pytest.importorskip("onnxruntime", reason="transcription is an extra")
    return load_gtzan(gtzan(tmp_path / "in"), tmp_path / "out", workers=0, progress=False, fallback_bpm=120)


def polyphonic_source(tmp_path):
    return load_polyphonic(matlab(tmp_path / "rolls.mat"))


def corpus_source(tmp_path):
    pytest.importorskip("music21", reason="corpora are music21's")
    return load_corpus("bach-chorales", limit=4, cache=tmp_path)


def transcribed_source(tmp_path):
    gtzan_source(tmp_path)
    return load_folder(tmp_path / "out")


SOURCES = [folder_source, gtzan_source, polyphonic_source, corpus_source, transcribed_source]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.filterwarnings("ignore:.*could not be used")
def test_sources_keep_one_contract_when_they_are_prepared_too(tmp_path, source):
    data = source(tmp_path)
    report = report_data(data)
    prepare(list(data), tmp_path / "prepared", workers=0, progress=False)
    prepared = PreparedPieces(tmp_path / "prepared")
    again = report_data(prepared)
    for name in ("pieces", "notes", "hours", "genres", "meters", "keys", "assumed", "duplicates"):
        assert getattr(again, name) == getattr(report, name), name
    for name in ("bpm", "polyphony"):
        np.testing.assert_array_equal(getattr(again, name), getattr(report, name))
    assert prepared.duplicate_keys == [duplicate_key(piece) for piece in data]
    assert prepared.codec.decode(prepared[0], meta=prepared.meta(0)).meta["source"] == next(iter(data)).meta["source"]
    train, test = split(prepared, (0.5, 0.5), seed=3)
    assert set(train.duplicate_keys).isdisjoint(test.duplicate_keys)
    assert sorted(train.duplicate_keys + test.duplicate_keys) == sorted(prepared.duplicate_keys)
    expected = split(list(data), (0.5, 0.5), seed=3)
    assert [part.duplicate_keys for part in (train, test)] == [[duplicate_key(p) for p in part] for part in expected]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.filterwarnings("ignore:.*could not be used")
def test_sources_keep_one_contract(tmp_path, source):
    data = source(tmp_path)
    pieces = list(data)
    assert len(pieces) >= 3
    again = list(data)
    assert [piece.notes.tolist() for piece in again] == [piece.notes.tolist() for piece in pieces]
    assert all(isinstance(piece, NoteSequence) and piece.meta["title"] and piece.meta["source"] for piece in pieces)
    assert len({piece.meta["source"] for piece in pieces}) == len(pieces)
    assert list(data.provenance) == ["name", "reference", "terms"]
    assert all(isinstance(text, str) and text for text in data.provenance.values())
    assert all(str(path) and isinstance(reason, str) and reason for path, reason in data.refused)
    assert len(data.refused) == {"corpus_source": 0}.get(source.__name__, 1)
    report = report_data(data)
    assert (report.pieces, report.refused, report.provenance) == (len(pieces), data.refused, data.provenance)
    assert report.notes == sum(map(len, pieces))
    assert sum(report.meters.values()) == len(report.bpm) == len(pieces)
    json.dumps(report.facts(), allow_nan=False)
    copies = [*pieces, *(transpose(piece, -1) for piece in pieces)]
    train, test = split(copies, (0.5, 0.5), seed=3)
    assert {duplicate_key(piece) for piece in train}.isdisjoint(duplicate_key(piece) for piece in test)
    parts = [[piece.notes.tolist() for piece in part] for part in split(copies, (0.5, 0.5), seed=3)]
    assert parts == [[piece.notes.tolist() for piece in part] for part in (train, test)]


# Copies


@given(piece=sequences(max_notes=30), shift=st.integers(-3, 3), stretch=st.sampled_from([0.5, 1.0, 2.0]))
def test_copies_have_one_key(piece, shift, stretch):
    drums = np.array([track.drum for track in piece.tracks])[piece.notes["track"]]
    notes = piece.notes.copy()
    if np.any(notes["pitch"][~drums] < 3) or np.any(notes["pitch"][~drums] > 124):
        shift = 0
    notes["pitch"][~drums] += np.uint8(shift % 256)
    notes["velocity"] = 1
    for name in ("start", "end"):
        notes[name] *= stretch
    timing = Timing(piece.timing.beats * stretch, piece.timing.quarters_per_beat, piece.timing.meters)
    copy = piece.replace(notes=notes, timing=timing, duration=piece.duration * stretch)
    assert duplicate_key(copy) == duplicate_key(piece)


def test_what_differs_has_another_key():
    other = NoteSequence([(0.0, 0.5, 60, 80, 0), (0.5, 1.0, 65, 80, 0)])
    drum = NoteSequence(other.notes, tracks=[Track("", 0, True)])
    inverted = NoteSequence([(0.0, 0.5, 65, 80, 0), (0.5, 1.0, 60, 80, 0)])
    late = NoteSequence([(0.0, 0.5, 60, 80, 0), (0.75, 1.0, 65, 80, 0)])
    empty = NoteSequence()
    assert len({duplicate_key(piece) for piece in (other, drum, inverted, late, empty)}) == 5
    assert duplicates([tune(1), tune(2), tune(1, 5), empty]) == [[0, 2]]


def test_drums_are_not_transposed():
    kit = [Track("", 0, True)]
    kick, snare = (NoteSequence([(0.0, 0.5, pitch, 80, 0)], tracks=kit) for pitch in (36, 38))
    assert duplicate_key(kick) != duplicate_key(snare)


def test_copies_stay_on_one_side_unless_a_group_is_given():
    pieces = [tune(number, shift) for number in range(10) for shift in (0, 3)]
    for seed in range(5):
        sides = [{duplicate_key(piece) for piece in part} for part in split(pieces, (0.6, 0.4), seed=seed)]
        assert sides[0].isdisjoint(sides[1])
        assert [len(side) for side in sides] == [6, 4]


def test_held_out_pieces_are_no_copies_of_the_others(tmp_path):
    pieces = [tune(number, shift) for number in range(5) for shift in (0, 3)]
    for seed in range(5):
        train, held_out = hold_out(pieces, 0.2, seed=seed)
        assert (len(train), len(held_out)) == (8, 2)
        assert {duplicate_key(p) for p in train}.isdisjoint(duplicate_key(p) for p in held_out)
    assert [len(part) for part in hold_out(pieces[:4], 0.01)] == [2, 2], "at least one"
    assert [len(part) for part in hold_out(pieces[:4], 0.99)] == [2, 2], "not all"
    for few, share in ((pieces[:2], 0.5), (pieces, 0)):
        assert hold_out(few, share) == (few, None)
    prepare(pieces, tmp_path, workers=0, progress=False)
    train, held_out = hold_out(PreparedPieces(tmp_path), 0.2, seed=1)
    assert (len(train), len(held_out)) == (8, 2)
    assert set(train.duplicate_keys).isdisjoint(held_out.duplicate_keys)


# GTZAN


def test_the_published_split_is_whole():
    parts = gtzan_split()
    assert Counter(parts.values()) == {"train": 443, "validation": 197, "test": 290}
    assert {clip.split(".")[0] for clip in parts} == set(GENRES)
    with pytest.raises(InputError, match="no split 'mine'"):
        gtzan_split("mine")


def test_the_published_split_is_that_of_its_authors(data_folder):
    for part, name in (("train", "train"), ("validation", "valid"), ("test", "test")):
        theirs = (data_folder / "gtzan_splits" / f"fault_filtered_{name}.txt").read_text().split()
        assert {Path(clip).stem for clip in theirs} == {clip for clip, of in gtzan_split().items() if of == part}


def test_gtzan_is_split_and_sets_aside_what_cannot_be_decoded(tmp_path):
    pytest.importorskip("onnxruntime", reason="transcription is an extra")
    options = {"workers": 0, "progress": False, "fallback_bpm": 120}
    root, out = gtzan(tmp_path / "in"), tmp_path / "out"
    parts = load_gtzan(root, out, split="fault-filtered", **options)
    assert [path.stem for path in parts.train.paths] == ["blues.00029", "rock.00001"]
    assert [path.stem for path in parts.validation.paths] == ["blues.00001"]
    assert parts.test is None
    [(path, reason)] = parts.train.refused
    assert path.name == "jazz.00054.wav"
    assert "not audio that can be decoded" in reason
    thirds = load_gtzan(root, out, split=(1 / 3, 1 / 3, 1 / 3), seed=2, **options)
    assert sorted(path.stem for part in thirds for path in part.paths) == ["blues.00001", "blues.00029", "rock.00001"]
    for wrong in ("mine", (0.5, 0.5)):
        with pytest.raises(InputError, match=r"no split|three fractions"):
            load_gtzan(root, out, split=wrong, **options)


def test_annotations_of_every_layout_are_found(tmp_path):
    root = tmp_path / "home"
    clip = root / "gtzan_mini-main" / "genres" / "jazz" / "jazz.00001.wav"
    clip.parent.mkdir(parents=True)
    clip.touch()
    for kind, suffix in (("beats", "beats"), ("tempo", "bpm")):
        path = root / "gtzan_tempo_beat-main" / kind / f"gtzan_jazz_00001.{suffix}"
        path.parent.mkdir(parents=True)
        path.write_text("120.5\n")
    [recording] = gtzan_recordings(root)
    assert recording.beats.name == "gtzan_jazz_00001.beats"
    assert read_tempo(recording.tempo) == 120.5


@pytest.mark.parametrize("text", ["", "fast\n", "120\n130\n", "-3\n", "nan\n"])
def test_files_without_a_tempo_are_refused(tmp_path, text):
    (tmp_path / "a.bpm").write_text(text)
    with pytest.raises(InputError, match=r"a\.bpm: .*(one number|no tempo)"):
        read_tempo(tmp_path / "a.bpm")


# Piano rolls


@given(seed=st.integers(0, 999), steps=st.integers(1, 40), step_quarters=st.sampled_from([0.25, 0.5, 1.0]))
def test_rolls_become_notes_and_back(tmp_path_factory, seed, steps, step_quarters):
    original = roll(seed, steps)
    original[0, 3] = 1
    path = tmp_path_factory.mktemp("rolls") / "a.mat"
    data = load_polyphonic(matlab(path, traindata=cells(original)), step_quarters=step_quarters)
    [piece] = data.train
    middles = piece.timing.quarters_to_seconds((np.arange(steps) + 0.5) * step_quarters)
    back = np.zeros((steps, 88), bool)
    for start, end, pitch, *_ in piece.notes.tolist():
        back[(middles > start) & (middles < end), pitch - 21] = True
    np.testing.assert_array_equal(back, original)
    assert piece.duration == pytest.approx(steps * step_quarters / 2)
    np.testing.assert_array_equal(read_rolls(path).train[0], original)


def test_rolls_keep_their_split_and_set_empty_ones_aside(tmp_path):
    data = load_polyphonic(matlab(tmp_path / "small.mat"))
    assert [len(data.train), len(data.validation), len(data.test)] == [1, 2, 2]
    assert list(data) == data.train + data.validation + data.test
    assert data.refused == [("small.mat#train/2", "holds no note")]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"testdata": None}, "holds no testdata"),
        ({"traindata": cells(np.ones((5, 87)))}, r"train 1: has shape \(5, 87\), not \(steps, 88\)"),
        ({"validdata": cells(roll(), np.ones(88))}, r"validation 2: has shape \(1, 88\)|validation 2"),
        ({"testdata": cells(np.full((5, 88), 2))}, "test 1: holds other values than 0 and 1"),
        ({"testdata": np.zeros((3, 88))}, "not a cell of rolls"),
    ],
)
def test_files_of_another_shape_are_refused(tmp_path, changes, reason):
    if "validdata" in changes:
        changes["validdata"][0, 1] = np.ones((2, 3, 88))
    with pytest.raises(InputError, match=reason):
        read_rolls(matlab(tmp_path / "a.mat", **changes))


def test_what_is_no_matlab_file_is_refused(tmp_path, monkeypatch):
    for data in (b"", b"words, not numbers " * 99):
        (tmp_path / "a.mat").write_bytes(data)
        with pytest.raises(InputError, match=r"a\.mat: .*JSB_Chorales\.mat"):
            load_polyphonic(tmp_path / "a.mat")
    with pytest.raises(InputError, match=r"none\.mat: does not exist"):
        load_polyphonic(tmp_path / "none.mat")
    with pytest.raises(InputError, match="step_quarters"):
        load_polyphonic(matlab(tmp_path / "b.mat"), step_quarters=0)
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(MissingDependencyError, match="scipy"):
        load_polyphonic(tmp_path / "b.mat")


def test_the_benchmark_files_have_their_published_sizes(data_folder):
    sizes = {"JSB_Chorales": (229, 76, 77), "Nottingham": (694, 173, 170)}
    for name, expected in sizes.items():
        rolls = read_rolls(data_folder / "bl12" / f"{name}.mat")
        assert tuple(map(len, rolls)) == expected
    chorales = load_polyphonic(data_folder / "bl12" / "JSB_Chorales.mat")
    assert len(chorales) == 382
    assert chorales.refused == []


# Downloads


class Archives(http.server.BaseHTTPRequestHandler):
    """Serves `files`; breaks off after `limit` bytes; tells of ranges in `asked`."""

    files, limit, asked = {}, None, []

    def do_GET(self):
        data = self.files.get(self.path)
        if data is None:
            self.send_error(404)
            return
        begin = int(self.headers.get("Range", "bytes=0-")[6:-1])
        self.asked.append((self.path, begin))
        if begin >= len(data):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(data) - begin))
        self.end_headers()
        self.wfile.write(data[begin:][: self.limit])

    def log_message(self, *_):
        pass


def tar_bytes(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def zip_bytes(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture
def remote(monkeypatch):
    """A server of small archives, known to a stand-in for mirdata's loader."""
    noise = np.random.default_rng(0).bytes(90_000)
    Archives.files = {
        "/genres.tar.gz": tar_bytes({"genres/jazz/jazz.00001.au": noise}),
        "/mini.zip": zip_bytes({"gtzan_mini-main/genres/blues/blues.00002.wav": noise}),
        "/annot.zip": zip_bytes({"gtzan_tempo_beat-main/beats/gtzan_blues_00002.beats": b"0.0 1\n0.5 2\n"}),
    }
    Archives.limit, Archives.asked = None, []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Archives)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def entry(name, filename, folder=None):
        return types.SimpleNamespace(
            filename=filename,
            url=f"http://127.0.0.1:{server.server_port}/{name}",
            checksum=hashlib.md5(Archives.files.get(f"/{name}", b"")).hexdigest(),
            destination_dir=folder,
        )

    remotes = {
        "all": entry("genres.tar.gz", "genres.tar.gz", "gtzan_genre"),
        "mini": entry("mini.zip", "main.zip"),
        "tempo_beat_annotations": entry("annot.zip", "annot.zip"),
    }
    package, datasets = types.ModuleType("mirdata"), types.ModuleType("mirdata.datasets")
    datasets.gtzan_genre = types.SimpleNamespace(REMOTES=remotes)
    monkeypatch.setitem(sys.modules, "mirdata", package)
    monkeypatch.setitem(sys.modules, "mirdata.datasets", datasets)
    monkeypatch.setenv("no_proxy", "*")
    yield remotes
    server.shutdown()
    server.server_close()


def shown(root):
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file() and p.name[0] != ".")


@pytest.mark.parametrize(("version", "clip"), [("mini", ("blues", 2)), ("full", ("jazz", 1))])
def test_download_gives_what_load_gtzan_reads(remote, tmp_path, version, clip):
    download_gtzan(tmp_path, version, progress=False)
    [recording] = gtzan_recordings(tmp_path)
    assert (recording.genre, recording.number) == clip
    assert (recording.beats is not None) == (version == "mini")
    assert not [path for path in tmp_path.rglob(".*") if path.suffix in (".gz", ".zip") or path.is_dir()]
    Archives.asked.clear()
    download_gtzan(tmp_path, version, progress=False)
    assert Archives.asked == []


def test_broken_download_goes_on_where_it_stopped(remote, tmp_path):
    Archives.limit = 40_000
    with pytest.raises(InputError, match=r"connection broke after 40,000 of .*Kaggle \(andradaolteanu"):
        download_gtzan(tmp_path, progress=False)
    assert shown(tmp_path) == []
    Archives.limit = None
    download_gtzan(tmp_path, progress=False)
    assert [begin for path, begin in Archives.asked if path == "/mini.zip"] == [0, 40_000]
    assert len(shown(tmp_path)) == 2


def test_what_is_damaged_or_gone_is_refused_with_another_place(remote, tmp_path):
    Archives.files["/mini.zip"] = b"x" * 500
    with pytest.raises(InputError, match=r"has the MD5 checksum .*Kaggle"):
        download_gtzan(tmp_path, progress=False)
    del Archives.files["/mini.zip"]
    with pytest.raises(InputError, match=r"mini\.zip does not answer: HTTP Error 404.*Kaggle"):
        download_gtzan(tmp_path, progress=False)
    assert shown(tmp_path) == []
    with pytest.raises(InputError, match="no version 'huge'"):
        download_gtzan(tmp_path, "huge")


def test_download_needs_mirdata(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mirdata", None)
    with pytest.raises(MissingDependencyError, match="pip install mirdata"):
        download_gtzan(tmp_path)


# The report


def test_report_counts_what_is_there():
    waltz = NoteSequence(
        [(0.0, 1.0, 60, 80, 0), (0.0, 1.0, 64, 80, 0), (1.0, 2.0, 67, 80, 0)],
        timing=Timing.regular(90, (3, 4)),
        duration=1800.0,
        meta={"source": "waltz", "genre": "dance"},
    )
    drums = NoteSequence([(0.0, 1.0, 36, 80, 0)], tracks=[Track("", 0, True)], duration=1800.0)
    report = report_data([waltz, transpose(waltz, 2).replace(meta={"source": "copy"}), drums], refused=[("x", "why")])
    assert (report.pieces, report.notes, report.hours) == (3, 7, 1.5)
    assert report.meters == {"3/4": 2, "4/4": 1}
    assert report.keys == {"C major": 1, "D major": 1}
    told = waltz.replace(meta={"key": "e minor", "tempo": "120 quarters per minute assumed"})
    odd = report_data(piece for piece in [told, waltz.replace(meta={"key": "H dur"})])
    assert (odd.keys, odd.assumed) == ({"e minor": 1, "C major": 1}, {"tempo": 1})
    assert plot_data_report(odd).axes[4].get_xlabel() == "beats per minute, assumed for 1 of 2 pieces"
    assert plot_data_report(report).axes[4].get_xlabel() == "beats per minute"
    assert report.genres["dance"] >= 1
    assert report.duplicates == [["waltz", "copy"]]
    assert report.bpm.tolist() == pytest.approx([90, 90, 120])
    assert report.polyphony[0] == pytest.approx(1.5)
    facts = report.facts()
    assert facts["bpm"]["median"] == 90
    assert facts["refused"] == 1


def test_report_of_nothing_is_drawn_too(tmp_path):
    report = report_data([])
    assert report.facts()["bpm"] is None
    figure = plot_data_report(report)
    assert sum("not known" in text.get_text() for ax in figure.axes for text in ax.texts) == 5
    assert save_figure(figure, tmp_path / "a.png").stat().st_size > 1000


def test_picture_tells_copies_refusals_and_odd_names():
    pieces = [tune(0, genre="$x^{"), tune(0, 2, genre="$x^{"), tune(1, genre="b")]
    figure = plot_data_report(report_data(pieces, refused=[("x", "why")] * 4, provenance={"name": "mine $"}))
    figure.draw_without_rendering()
    first, second = figure.axes[:2]
    assert [bar.get_width() for bar in first.patches] == [2, 1, 4]
    assert [label.get_text() for label in second.get_yticklabels()] == ["$x^{", "b"]
    assert figure.get_suptitle().startswith("mine $: 3 pieces, 36 notes")


def test_info_reports_every_kind_of_data(tmp_path, capsys):
    folder_source(tmp_path)
    tune(0, 3).save(tmp_path / "in" / "copy.mid")
    picture = tmp_path / "report.png"
    assert main(["info", str(tmp_path / "in"), "--plot", str(picture)]) == 1
    output = capsys.readouterr()
    facts = json.loads(output.out)
    assert (facts["kind"], facts["pieces"], facts["refused"]) == ("pieces", 5, 1)
    assert facts["duplicates"] == [["0.mid", "copy.mid"]]
    assert "bad.mid" in output.err
    assert picture.stat().st_size > 1000
    assert main(["info", str(matlab(tmp_path / "rolls.mat"))]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert (facts["pieces"], facts["provenance"]["name"]) == (5, "rolls")
    assert main(["info", str(tmp_path / "in" / "0.mid"), "--plot", str(picture)]) == 1
    assert "--plot draws collections" in capsys.readouterr().err


def test_data_by_any_name_has_provenance_and_refusals(tmp_path):
    folder_source(tmp_path)
    for source in (tmp_path / "in", matlab(tmp_path / "rolls.mat")):
        data = load_data(source)
        assert len(data.pieces) >= 4
        assert len(data.refused) == 1
        assert data.provenance["terms"]


@pytest.mark.skipif(os.name != "posix", reason="names of bytes")
def test_names_that_are_not_utf8_become_text(tmp_path):
    tune(0).save(tmp_path / "a.mid")
    os.rename(tmp_path / "a.mid", os.fsencode(tmp_path) + b"/caf\xe9.mid")
    [piece] = load_folder(tmp_path)
    assert piece.meta["title"] == "caf\ufffd"
    assert piece.save(tmp_path / "b.mid").exists()


def test_what_was_not_transcribed_is_told_by_the_folder_of_notes(tmp_path):
    tune(0).save(tmp_path / "jazz" / "a.mid")
    entries = [("jazz/a", "done", None), ("jazz/b", "refused", "old")]
    entries += [("rock/c", "refused", "is silent"), ("jazz/b", "refused", "is empty")]
    keys = ("file", "source", "status", "reason")
    lines = [dict(zip(keys, (f"{name}.mid", f"{name}.wav", *rest), strict=True)) for name, *rest in entries]
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"file": "cut by a k')
    assert load_folder(tmp_path).refused == [(Path("jazz/b.wav"), "is empty"), (Path("rock/c.wav"), "is silent")]
    assert load_folder(tmp_path, genres=["jazz"]).refused == [(Path("jazz/b.wav"), "is empty")]
    assert load_data(tmp_path).refused == [], "it is nothing new to who trains on the notes"
    for text in ("words\n", "[]\n", '{"file": 1}\n'):
        manifest.write_text(text)
        with pytest.raises(InputError, match=r"manifest\.jsonl: is no manifest .*delete it"):
            load_folder(tmp_path)


def test_a_report_reads_one_piece_at_a_time():
    alive = weakref.WeakSet()

    def stream():
        for number in range(5):
            piece = tune(number)
            alive.add(piece.timing)
            yield piece
            del piece
            gc.collect()
            assert len(alive) <= 1

    assert report_data(stream()).pieces == 5
