"""The site: its pages get what they ask for, its code and commands work, it builds without warnings or dead links."""

import importlib
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import musicgen
from musicgen import cli, metrics
from musicgen.metrics.features import DISTRIBUTIONS
from musicgen.metrics.quality import OF_DISTRIBUTION

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def maker():
    """The module that makes the pages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        yield importlib.import_module("pages")


@pytest.fixture(scope="module")
def pages(maker, tmp_path_factory):
    """Every page by name, with all that it asks for."""
    folder = tmp_path_factory.mktemp("pages")
    return {name: (folder / name).read_text("utf-8") for name in maker.collect(folder)}


def test_every_page_gets_what_it_asks_for(pages):
    assert {page.name for page in DOCS.glob("*.md")} < set(pages)
    for name, text in pages.items():
        assert not re.search(r"^<!-- \w+|\{\{ ", text, flags=re.MULTILINE), name


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("value", ("polyphonic", "no such row")),
        ("value", ("nothing", "no such file")),
        ("part", ("README.md, No such section",)),
        ("figure", ("none",)),
    ],
)
def test_what_does_not_exist_is_not_left_out_in_silence(maker, kind, what):
    with pytest.raises(maker.PageError):
        getattr(maker, kind)(*what)


def test_values_are_those_of_the_results(maker):
    assert maker.value("polyphonic", "JSB_Chorales: test") in (ROOT / "benchmarks" / "RESULTS.md").read_text("utf-8")


def test_presets_stand_beside_what_they_cost(maker, pages):
    rows = maker.rows_of("training")
    for preset in ("tiny", "small", "base", "large"):
        assert f"| `{preset}` | {rows[f'preset {preset}: parameters']['value']:,} | " in pages["TRAINING.md"]
    assert "most memory" in pages["TRAINING.md"]


def test_links_to_other_files_lead_to_their_pages_or_nowhere(maker):
    text = "[a](docs/TRAINING.md) [b](LICENSE) [c](benchmarks/RESULTS.md#beats) [d](https://example.org) [e](#here)"
    led = maker.linked(text, "README.md")
    assert led == "[a](TRAINING.md) b [c](results.md#beats) [d](https://example.org) [e](#here)"


def test_every_measure_is_told_with_unit_and_range(pages):
    told = pages["metrics.md"]
    of_distributions = {f"{name}_{kind}" for name in DISTRIBUTIONS for kind in OF_DISTRIBUTION}
    for name in {*metrics.MEASURES, *metrics.NOISE, *metrics.COHERENCE, *metrics.QUALITY} - of_distributions:
        assert f"\n`{name}`\n: *" in told
    assert "`pitches`\n: *pitches, 0 to 128.* Number of distinct pitches. Source: {term}`Yang and Lerch 2020`" in told
    assert "`coherence_level`\n: *no unit, 0 to 1.* " in told
    assert "`bar_line_smoothness`\n: *no unit, up to 1.* " in told
    assert of_distributions < set(metrics.QUALITY)
    for name, distribution in DISTRIBUTIONS.items():
        assert f"\n| `{name}` | {distribution.definition} | " in told
    for kind, standard in OF_DISTRIBUTION.items():
        assert f"\n`{kind}`, such as `pitch_{kind}`\n: *{standard.unit or 'no unit'}, 0 to " in told


def test_every_cited_paper_is_told(pages):
    told = pages["metrics.md"]
    cited = set(re.findall(r"\{term\}`(.+?)`", told))
    assert cited == set(metrics.PAPERS)
    assert all(f"\n{name}\n  {paper}." in told for name, paper in metrics.PAPERS.items())


def test_every_option_of_every_command_is_told(pages):
    [commands] = [action.choices for action in cli._parser()._actions if hasattr(action, "add_parser")]
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^\(command-|\Z)", pages["commands.md"], re.MULTILINE | re.DOTALL))
    assert list(sections) == list(commands)
    for name, parser in commands.items():
        for option in {string for action in parser._actions for string in action.option_strings} - {"-h", "--help"}:
            assert option in sections[name]


def test_every_public_name_is_in_the_reference(pages):
    told = "".join(pages.values())
    for name in musicgen.__all__:
        assert f":: musicgen.{name}\n" in told
    assert ":: musicgen.metrics.describe\n" in pages["reference/metrics.rst"]


def test_figures_are_told_to_those_who_do_not_see_them(maker):
    from figures import FIGURES, WIDTH

    for make in FIGURES.values():
        html = make().html()
        assert len(re.search("<desc.*>(.+)</desc>", html)[1]) > 100
        boxes = re.findall(r'<rect x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"', html)
        assert all(
            int(x) + int(width) <= WIDTH and int(y) + int(height) <= make().height for x, y, width, height in boxes
        )


@pytest.mark.parametrize("name", ["install.md", "tour.md", "commands.md"])
def test_the_commands_shown_are_understood(pages, name):
    parser = cli._parser()
    commands = re.findall(r"^    musicgen (?!--version)(.+)$", pages[name], flags=re.MULTILINE)
    assert all(parser.parse_args(shlex.split(command)) for command in commands)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [pytest.param("tour.md", marks=pytest.mark.slow), "metrics.md"])
def test_the_code_runs(name, tmp_path, monkeypatch):
    if name == "tour.md":
        for package in ("basic_pitch", "music21"):
            pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / name).read_text("utf-8"), flags=re.DOTALL)
    names = {"__name__": name}
    for block in blocks:
        exec(compile(block, name, "exec"), names)
    if name == "tour.md":
        made = {path.name for path in tmp_path.iterdir()}
        assert made == {"chorale.png", "new.mid", "new.wav", "new.musicxml", "composer"}
        assert len(names["heard"]) > 0.3 * len(names["piece"])


# ---- the site as it is built


class Page(HTMLParser):
    """Anchors of a page, what it links to, and what a browser would load for it."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.loaded = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors |= {attributes.get("id"), attributes.get("name")}
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        elif tag == "link":
            self.loaded.append(attributes["href"])
        elif attributes.get("src"):
            self.loaded.append(attributes["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Folder of the built site, and its pages by path."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, DOCS / "build.py", folder], cwd=ROOT, capture_output=True, text=True, timeout=580
    )
    assert not done.returncode, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    return folder, {path: Page(path.read_text("utf-8")) for path in folder.rglob("*.html")}


@pytest.mark.slow
def test_the_site_has_all_pages(site, pages):
    folder, built = site
    wanted = {folder / Path(name).with_suffix(".html") for name in pages}
    assert wanted <= set(built)


@pytest.mark.slow
def test_its_links_lead_somewhere(site):
    dead, (_, built) = [], site
    for path, page in built.items():
        for link in [*page.links, *page.loaded]:
            parts = urlsplit(link)
            if parts.scheme or link == "#":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = target.is_file() and (not parts.fragment or unquote(parts.fragment) in built[target].anchors)
            dead += [] if known else [f"{path.name}: {link}"]
    assert not dead


@pytest.mark.slow
def test_nothing_is_loaded_from_elsewhere(site):
    folder, built = site
    for path, page in built.items():
        assert not [source for source in page.loaded if urlsplit(source).netloc], path.name
    for path in folder.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*['\"]?(https?:)?//", path.read_text("utf-8")), path.name
