"""SoundFont files: what is read, what is refused before it could end the process."""

import numpy as np
import pytest

from musicgen import InputError, NoteSequence, Track, soundfonts
from musicgen.rendering import BACKENDS, available_backends, render

HERE = available_backends()
NOTE = NoteSequence([(0.0, 0.5, 60, 90, 0)])


@pytest.fixture(scope="module")
def font():
    return bytearray(soundfonts.default_soundfont().read_bytes())


def write_font(folder, data):
    path = folder / "font.sf2"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda d: b"", "not a SoundFont"),
        (lambda d: b"<html>404</html>", "not a SoundFont"),
        (lambda d: d[:2_000_000], "cut short"),
        (lambda d: d[:-1], "cut short"),
        (lambda d: d[:12] + bytes(len(d) - 12), "is missing"),
        (lambda d: d.replace(b"pgen", b"nope"), "table pgen is missing"),
        (
            lambda d: d.replace(b"shdr" + d[d.find(b"shdr") + 4 :][:4], b"shdr" + b"\xff\xff\xff\x7f"),
            "reaches beyond",
        ),
    ],
)
def test_a_damaged_soundfont_is_refused(tmp_path, font, damage, complaint):
    path = write_font(tmp_path, damage(bytes(font)))
    with pytest.raises(InputError, match=complaint) as caught:
        soundfonts.read_soundfont(path)
    assert "leave soundfont out" in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("table", "field", "complaint"),
    [
        (b"phdr", "zones", "run backwards|points beyond"),
        (b"ibag", "generators", "run backwards|points beyond"),
        (b"shdr", "end", "a sample lies outside"),
        (b"shdr", "loop_end", "a loop lies outside"),
    ],
)
def test_indices_beyond_their_table_are_refused(tmp_path, font, table, field, complaint):
    data = bytearray(font)
    begin, end = soundfonts._all_chunks(bytes(data))[table]
    dtype = soundfonts._TABLES[table]
    records = np.frombuffer(data, dtype, (end - begin) // dtype.itemsize, begin)
    records[field][1] = np.iinfo(records[field].dtype).max
    with pytest.raises(InputError, match=complaint):
        soundfonts.read_soundfont(write_font(tmp_path, data))


def test_a_missing_soundfont_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        soundfonts.read_soundfont(tmp_path / "none.sf2")


def test_a_missing_instrument_is_replaced_with_a_warning():
    font = soundfonts.SoundFont("piano.sf2", b"", ((0, 0), (0, 4)))
    assert font.preset(Track("", 4)) == (0, 4)
    with pytest.warns(UserWarning, match="no program 30"):
        assert font.preset(Track("", 30)) == (0, 0)
    with pytest.warns(UserWarning, match="no drums"):
        assert font.preset(Track("", 0, True)) == (0, 0)


@pytest.mark.parametrize("backend", BACKENDS[:2])
def test_another_soundfont_is_played(tmp_path, font, backend):
    if backend not in HERE:
        pytest.skip(f"{backend} is not installed")
    begin, end = soundfonts._all_chunks(bytes(font))[b"smpl"]
    backwards = np.flip(np.frombuffer(bytes(font[begin:end]), "<i2")).tobytes()
    path = write_font(tmp_path, bytes(font[:begin]) + backwards + bytes(font[end:]))
    ours, theirs = (render(NOTE, backend=backend, soundfont=choice) for choice in (None, path))
    length = min(ours.shape[1], theirs.shape[1])
    assert np.corrcoef(ours[0, :length], theirs[0, :length])[0, 1] < 0.5


@pytest.mark.parametrize("backend", BACKENDS[:2])
def test_rendering_refuses_what_reading_refuses(tmp_path, backend):
    if backend not in HERE:
        pytest.skip(f"{backend} is not installed")
    with pytest.raises(InputError, match="cut short"):
        render(NOTE, backend=backend, soundfont=write_font(tmp_path, b"RIFF\xff\xff\x00\x00sfbk"))
