"""What a notebook shows: complete, escaped, legible, playable."""

import base64
import io
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from musicgen import InputError, NoteSequence, Timing, Track
from musicgen.notebook import LatentMapView, piece_html, show_latent_map, summary
from musicgen.plots import LatentMap

BAND = NoteSequence(
    [(0.0, 0.5, 60, 127, 0), (0.5, 2.0, 67, 50, 0), (1.0, 1.5, 43, 64, 1), (0.0, 0.1, 36, 90, 2)],
    [Track("Melody <i>", 0), Track("", 33), Track("", 0, True)],
    Timing.regular(90, (3, 4)),
    meta={"title": 'A "<script>alert(1)</script>" & B', "genre": "<b>jazz</b>", "note": "'\"><img src=x onerror=y>"},
)
LONG = NoteSequence([(t / 4, t / 4 + 0.25, 48 + t % 24, 80, 0) for t in range(800)], meta={"title": "Long"})
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Collects tags and text; refuses tags that do not nest."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def sound(page):
    soundfile = pytest.importorskip("soundfile")
    (player,) = page.all("audio")
    head, data = player["src"].split(";base64,")
    return head, *soundfile.read(io.BytesIO(base64.b64decode(data)), dtype="float32")


def test_facts_in_one_line():
    assert summary(BAND) == "0:02 · 4 notes · 3 tracks · 90 bpm · 3/4 · G2 to G4 · <b>jazz</b>"
    assert summary(NoteSequence()) == "0:00 · 0 notes · 1 track · 120 bpm · 4/4"


def test_a_changing_tempo_and_many_meters_are_said():
    timing = Timing([0, 1, 1.5, 2], 1.0, ((0, 4, 4), (4, 3, 4), (7, 4, 4), (11, 5, 8), (12, 2, 4)))
    assert "about 120 bpm · 4/4, 3/4, 5/8 …" in summary(NoteSequence(timing=timing))


def test_text_is_escaped_and_complete():
    page = Page(piece_html(BAND))
    assert not page.all("script")
    assert not page.all("img")
    assert not page.all("i")
    words = "".join(page.words)
    for text in ('A "<script>alert(1)</script>" & B', "<b>jazz</b>", "Melody <i>", "'\"><img src=x onerror=y>"):
        assert text in words
    assert "Electric Bass (finger)" in words
    assert "drums" in words


def test_nothing_is_fetched():
    html = piece_html(BAND)
    names = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert set(re.findall(r"https?://[^\"' <]*", html)) <= names
    page = Page(html)
    links = [value for _, attrs in page.tags for key, value in attrs.items() if key in ("src", "href", "xlink:href")]
    assert links
    assert all(link.startswith(("data:", "#")) for link in links)


def test_the_picture_reads_on_any_ground_and_has_a_name():
    pytest.importorskip("matplotlib")
    html = piece_html(BAND)
    (svg,) = Page(html).all("svg")
    assert svg["role"] == "img"
    assert svg["aria-label"].startswith('Piano roll of A "<script>')
    drawing = html[html.index("<svg") : html.index("</svg>") + 6]
    ElementTree.fromstring(drawing)  # well-formed
    assert "currentColor" in drawing
    assert "#333333" not in drawing
    assert "#ffffff" not in drawing  # no white ground
    assert "#4477aa" in drawing


def test_two_pieces_share_a_page():
    other = BAND.replace(notes=[(0.0, 1.0, 90, 80, 0)])
    names = [set(re.findall(r'\bid="([^"]*)"[^>]*?d="([^"]*)"', piece_html(piece))) for piece in (BAND, other)]
    definitions = {}
    for name, path in names[0] | names[1]:
        assert definitions.setdefault(name, path) == path


def test_the_player_plays_the_piece():
    html = piece_html(BAND)
    head, audio, rate = sound(Page(html))
    assert head in ("data:audio/mpeg", "data:audio/wav")
    assert 2.0 <= len(audio) / rate < 12
    assert np.abs(audio).max() > 0.3
    (player,) = Page(html).all("audio")
    assert "controls" in player
    assert player["aria-label"].startswith("Listen to A")


def test_a_long_piece_is_shortened_and_says_so():
    html = piece_html(LONG)
    _, audio, rate = sound(Page(html))
    assert len(audio) / rate == pytest.approx(60, abs=0.2)
    assert np.abs(audio[-rate // 20 :]).max() < 0.1 * np.abs(audio).max()  # it fades out
    assert "The player holds the first 60 s of 3:20" in html


def test_many_notes_stay_small_and_lines_keep_their_colour():
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(0)
    rows = [(t, t + 0.1, p, 80, 0) for t, p in zip(rng.uniform(0, 60, 1500), rng.integers(30, 90, 1500), strict=True)]
    html = piece_html(NoteSequence(rows))
    assert len(html) < 2_000_000
    drawing = html[html.index("<svg") : html.index("</svg>")]
    assert drawing.count("stroke: currentColor") > 30  # bar lines are no pixels
    assert "data:image/png" in drawing


def test_no_notes_no_player():
    page = Page(piece_html(NoteSequence()))
    assert not page.all("audio")
    assert "No notes, nothing to play." in page.words


def test_without_mp3_there_is_wav(monkeypatch):
    soundfile = pytest.importorskip("soundfile")
    monkeypatch.setattr(soundfile, "available_formats", lambda: {"WAV": ""})
    head, audio, rate = sound(Page(piece_html(LONG)))
    assert head == "data:audio/wav"
    assert audio.shape == (60 * rate,)


def test_without_packages_the_facts_and_the_lines_that_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    page = Page(piece_html(BAND))
    words = "".join(page.words)
    assert not page.all("svg")
    assert not page.all("audio")
    assert "pip install 'musicgen-midi[plot]'" in words
    assert "pip install 'musicgen-midi[rendering]'" in words
    assert "4 notes" in words


def test_sine_tones_are_named_as_such(monkeypatch):
    pytest.importorskip("soundfile")
    for name in ("fluidsynth", "tinysoundfont"):
        monkeypatch.setitem(sys.modules, name, None)
    page = Page(piece_html(BAND))
    assert len(page.all("audio")) == 1
    assert "rendering sine tones without drums" in "".join(page.words)


def test_a_piece_shows_itself():
    assert BAND._repr_html_() == piece_html(BAND)


@pytest.mark.slow
def test_a_browser_shows_and_plays_it(tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium here")
    image = pytest.importorskip("PIL.Image")
    script = """<script>
      const player = document.querySelector("audio"), svg = document.querySelector("svg").getBoundingClientRect();
      const say = text => document.body.setAttribute("data-heard", text);
      say("waiting");
      player.oncanplaythrough = () => say(`${player.duration.toFixed(1)} s, picture ${svg.width > svg.height}`);
      player.onerror = () => say("error");
      player.load();
    </script>"""
    page = tmp_path / "page.html"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    for ground, ink in (("#ffffff", "#111111"), ("#111111", "#dddddd")):
        page.write_text(
            f'<!doctype html><meta charset="utf-8"><body style="background:{ground};color:{ink}">'
            f"{piece_html(BAND)}{script}",
            encoding="utf-8",
        )
        dump = [browser, *flags, "--virtual-time-budget=5000", "--dump-dom", page.as_uri()]
        text = subprocess.run(dump, capture_output=True, text=True, timeout=120, check=True).stdout
        heard = re.search(r'data-heard="([^"]*)"', text)[1]
        assert re.fullmatch(r"[2-9]\.\d s, picture true", heard)
        shot = [browser, *flags, "--window-size=1000,600", f"--screenshot={tmp_path / 'a.png'}", page.as_uri()]
        subprocess.run(shot, capture_output=True, timeout=120, check=True)
        pixels = np.asarray(image.open(tmp_path / "a.png").convert("RGB")).astype(int)
        wanted = np.array([int(ink[i : i + 2], 16) for i in (1, 3, 5)])
        assert np.sum(np.abs(pixels - wanted).sum(axis=2) < 30) > 500  # letters and axes in the page's own ink
        assert np.sum(np.abs(pixels - [0x44, 0x77, 0xAA]).sum(axis=2) < 12) > 200  # the first track's notes


def test_a_map_of_a_latent_space_shows_every_piece_with_its_notes():
    pieces = tuple(
        NoteSequence([(0.0, 0.5, 60, 80, 0), (0.5, 1.0, 72, 80, 0)], meta={"title": f"<{name}>", "genre": genre})
        for name, genre in (("a", "jazz"), ("b", ""), ("c", "jazz & blues"))
    )
    found = LatentMap(np.array([[0.0, 0.0], [1.0, 2.0], [2.0, 1.0]]), (0.5, 0.25), pieces, (("x", "too short"),))
    html = LatentMapView(found)._repr_html_()
    parsed = ElementTree.fromstring(html)
    groups = [group for group in parsed.iter("{http://www.w3.org/2000/svg}g") if group.get("class") == "piece"]
    assert [group.get("aria-label").split(":")[0] for group in groups] == ["<a>", "<b>", "<c>"]
    assert all(group.get("tabindex") == "0" for group in groups)
    places = [group.find("{*}circle") for group in groups]
    assert float(places[0].get("cx")) < float(places[1].get("cx")) < float(places[2].get("cx"))
    assert float(places[0].get("cy")) > float(places[2].get("cy")) > float(places[1].get("cy")), "upwards is more"
    assert all(group.find("{*}g/{*}path").get("d").count("h") == 2 for group in groups)
    assert "50 % and 25 %" in html
    assert "1 could not be encoded" in html
    assert "jazz &amp; blues" in html
    assert "<script" not in html


def test_a_map_finds_the_main_directions():
    class Composer:
        def fragments(self, piece):
            if len(piece) == 1:
                raise InputError("too short")
            return [piece, piece]

        def encode(self, fragments):
            pitches = [float(piece.notes["pitch"][0]) for piece in fragments]
            return np.array([[pitch, 0.0, -pitch] for pitch in pitches])

    pieces = [NoteSequence([(0.0, 1.0, pitch, 80, 0), (1.0, 2.0, 50, 80, 0)]) for pitch in (60, 62, 70)]
    view = show_latent_map(Composer(), [*pieces, NoteSequence([(0.0, 1.0, 60, 80, 0)])])
    assert repr(view) == f"LatentMapView({len(pieces)} pieces)"
    np.testing.assert_allclose(np.abs(np.diff(view.map.points[:, 0])), [2 * 2**0.5, 8 * 2**0.5])
    np.testing.assert_allclose(view.map.explained, (1, 0), atol=1e-9)
    assert view.map.refused == (("piece 4", "too short"),)
    with pytest.raises(InputError, match="at least 3 pieces.*not 2"):
        show_latent_map(Composer(), pieces[:2])
