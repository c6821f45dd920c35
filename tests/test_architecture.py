"""docs/ARCHITECTURE.md's table of rooms against the package and the import rules; papers that must agree."""

import re
import tomllib
from pathlib import Path

import musicgen

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")


def floors():
    """Top to bottom, each floor's rooms in the page's table: {name: planned}."""
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", PAGE, flags=re.MULTILINE)
    numbers = [int(number) for number, _ in rows]
    assert numbers == list(range(len(rows)))[::-1]
    return [{name: bool(bracket) for bracket, name in re.findall(r"(\()?`(\w+)/?`", cell)} for _, cell in rows]


def test_rooms_in_brackets_are_those_not_built():
    planned = {name: state for floor in floors() for name, state in floor.items()}
    package = ROOT / "musicgen"
    files = {path.stem for path in package.glob("[a-z]*.py")}
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    built = {name for name, state in planned.items() if not state}
    assert built == files | folders, "docs/ARCHITECTURE.md: list each room, in brackets only while it is planned"


def test_the_import_rules_have_the_same_floors():
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ][0]
    layers = [set(re.findall(r"musicgen\.(\w+)", layer)) for layer in contract["layers"]]
    assert layers == [set(floor) for floor in floors()], (
        "pyproject.toml and docs/ARCHITECTURE.md give different floors"
    )


def test_the_citation_has_the_version():
    assert f"version: {musicgen.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_links_of_the_documents_lead_somewhere():
    for name in ("CONTRIBUTING.md", "docs/ARCHITECTURE.md", "docs/TRAINING.md"):
        page = ROOT / name
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{name} links to {target}"


def test_the_presets_have_the_sizes_that_are_told():
    page = (ROOT / "docs" / "TRAINING.md").read_text(encoding="utf-8")
    parts = re.split("## The (?:VAE|GAN)", page)
    composers = {
        musicgen.LSTMComposer: ("embedding", "units", "layers"),
        musicgen.VAEComposer: ("encoder_units", "decoder_units", "latent_dim"),
        musicgen.GANComposer: ("noise", "units", "blocks"),
    }
    for part, (composer, names) in zip(parts, composers.items(), strict=True):
        told = re.findall(r"^\| `(\w+)` \| (\d+), (\d+), (\d+) \|", part, flags=re.MULTILINE)
        assert told == [(preset, *(str(sizes[name]) for name in names)) for preset, sizes in composer.presets.items()]
