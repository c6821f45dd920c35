"""`report.html`: one file, nothing from elsewhere, told to those who do not see it; a blind test that is blind."""

import base64
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from musicgen import InputError, compare, write_report
from musicgen.baselines import with_random_notes
from musicgen.comparison.contestants import first_bars
from musicgen.report.drawings import curves, strips
from musicgen.report.listening import chosen_files
from tests.tunes import HONEST, TRAINING

TITLE = "<b>Ännchen & Co</b>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A comparison with composers that need no training."""

    def pieces(name, parts, plan, seed, folder, *, progress):
        chosen = [first_bars(piece, plan.bars).replace(meta={"title": TITLE}) for piece in HONEST[seed][:4]]
        if name == "vae":
            chosen = [with_random_notes(piece, 0.3, seed=seed) for piece in chosen]
        (folder / "composer").mkdir()
        history = {"loss": [3.0, 2.0], "val_loss": [3.1, 2.5]}
        told = {"provenance": {"history": history}, "hyperparameters": {"units": 48}}
        (folder / "composer" / "config.json").write_text(json.dumps(told))
        return chosen, {"seconds": 3.0, "seconds_to_learn": 2.0, "epochs": 2, "warning": ""}

    out = tmp_path_factory.mktemp("compared") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("musicgen.comparison.running.model_pieces", pieces)
        compare(TRAINING, out, minutes=0.05, pieces=4, bars=4, seeds=(0, 1), models=("lstm", "vae"), progress=False)
    write_report(out)
    return out


@pytest.fixture(scope="module")
def text(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def content(folder):
    return json.loads((folder / "comparison.json").read_text(encoding="utf-8"))


class Page(HTMLParser):
    """All elements with their attributes, and whether each is closed."""

    EMPTY = {"meta", "input", "link", "br", "path", "circle", "rect", "polyline"}

    def __init__(self, text):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def of(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_the_page_is_well_formed_and_asks_no_network(page, text):
    assert not page.open
    for name, attributes in page.elements:
        for key in ("src", "href", "action", "data", "poster", "srcset"):
            assert attributes.get(key, "#").startswith(("#", "data:")), (name, attributes)
    assert "default-src 'none'" in page.of("meta")[2]["content"]
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|https?://", text)


def test_it_begins_with_summary_and_recommendation(text):
    heads = re.findall(r"<h2[^>]*>([^<]+)", text)
    assert heads[:3] == ["Recommendation", "Table", "Distributions"]
    assert text.index("lstm and vae learnt for 0.05 minutes each under") < text.index("<table>")
    assert "All in all <strong>lstm</strong>" in text


def test_everything_is_told_to_those_who_do_not_see_it(page):
    assert page.of("html")[0]["lang"] == "en"
    assert all(svg["role"] == "img" and len(svg["aria-label"]) > 10 for svg in page.of("svg"))
    assert all(audio["aria-label"] for audio in page.of("audio"))
    assert len(page.of("fieldset")) == len(page.of("legend")) > 0
    assert all(table["scope"] in ("row", "col") for table in page.of("th"))
    names = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(names) == len(set(names))
    anchors = {link["href"][1:] for link in page.of("a")}
    assert anchors <= set(names)


def test_texts_of_the_data_are_escaped(text):
    assert "&lt;b&gt;Ännchen &amp; Co&lt;/b&gt;" in text
    assert TITLE not in text


def test_pieces_have_rolls_and_players_beside_real_ones(page, content):
    rolls = [svg["aria-label"] for svg in page.of("svg") if svg["aria-label"].startswith("Piano roll of ")]
    assert len(rolls) == 2 * len(content["contestants"])
    assert sum(label.startswith("Piano roll of real:") for label in rolls) == 2
    assert len(page.of("audio")) == len(rolls) + len(chosen_files(content))


def test_the_listening_test_is_blind(text, page, content):
    files = chosen_files(content)
    assert {file.split("-")[0] for file in files} == {"lstm", "vae", "real", "markov"}
    assert files != sorted(files)
    form = text[text.index('<form id="test"') : text.index("</form>")]
    seen = re.sub(r'data-secret="[^"]+"|src="[^"]+"', "", form)
    assert not re.search("lstm|vae|markov|Ännchen|tune", seen)
    secret = json.loads(base64.b64decode(page.of("form")[0]["data-secret"]))
    assert secret == {"comparison": content["comparison"], "pieces": files}
    shown = text[text.index('id="pieces"') : text.index('id="blind-listening-test"')]
    assert not any(file in shown for file in files)
    radios = [radio for radio in page.of("input") if radio["type"] == "radio"]
    assert len(radios) == 7 * len(files)


def test_curves_and_settings_are_told(text, content):
    assert "losses of lstm by epoch" in text
    assert "lstm, seed 1</th><td>0.05</td><td>0.03</td><td>–</td><td>–</td><td>2</td>" in text
    assert content["versions"]["musicgen"] in text
    assert "permutation within seeds" in text
    assert "<dt>lstm</dt><dd>units 48</dd>" in text


def test_drawings_stand_what_is_not_defined():
    assert "means: one 0.50" in strips("level", {"one": [None, 0.5], "none": [None]})
    assert "<circle" in curves("losses", [("hue-0", [2.0])])
    assert "<svg" in curves("losses", [("hue-0", [])])
    assert "nan" not in curves("losses", [("hue-0", [float("nan"), 1.0, 2.0])])


def test_a_folder_without_a_comparison_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no finished comparison.*musicgen compare"):
        write_report(tmp_path)
    (tmp_path / "comparison.json").write_text('{"format_version": 9}')
    with pytest.raises(InputError, match="format version 9"):
        write_report(tmp_path)


@pytest.mark.skipif(shutil.which("node") is None, reason="the script is checked by node, which is not installed")
def test_the_script_is_valid(text, tmp_path):
    (tmp_path / "page.js").write_text(re.search(r"<script>(.*)</script>", text, flags=re.DOTALL)[1])
    subprocess.run(["node", "--check", tmp_path / "page.js"], check=True, timeout=60)
