"""`write_report`: the page of a comparison, made from its folder."""

import json
from html import escape
from importlib import resources
from pathlib import Path

from ..comparison.advice import listed
from ..errors import InputError
from ..files import write_text
from ..midi import read_midi
from .listening import listening_test
from .sections import advice, curves_of, data_report, distributions, figures_table, samples, settings, similarities

_NAME = "report.html"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; media-src data:"


def write_report(folder):
    """Write the page of a comparison: one file that asks no network and shows all that was found.

    Parameters
    ----------
    folder : path-like
        What `compare` wrote.

    Returns
    -------
    pathlib.Path
        `report.html` in that folder.

    Raises
    ------
    InputError
        If the folder holds no finished comparison.
    """
    folder = Path(folder)
    content = _content(folder)
    pieces = {}

    def read(file):
        if file not in pieces:
            pieces[file] = read_midi(folder / "units" / file)
        return pieces[file]

    configs = {name: _config(folder, name) for name in content["files"]}
    stories = {name: config.get("provenance", {}) for name, config in configs.items()}
    parts = {
        "Recommendation": advice(content),
        "Table": figures_table(content),
        "Distributions": distributions(content),
        "Pieces": samples(content, read),
        "Blind listening test": listening_test(content, read),
        "Training": curves_of(content, stories),
        "Self-similarity": similarities(content, read),
        "Data": data_report(content),
        "Settings and versions": settings(content, configs),
    }
    return write_text(folder / _NAME, _page(content, parts))


def _content(folder):
    path = folder / "comparison.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content["format_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "holds no finished comparison", path=folder, remedy="first: musicgen compare DATA --out DIR"
        ) from error
    if version != 1:
        raise InputError(f"has format version {version!r}, this musicgen reads 1", path=path, remedy="compare again")
    return content


def _config(folder, unit):
    """Hyperparameters and provenance of a unit's composer; nothing of rivals."""
    path = folder / "units" / unit / "composer" / "config.json"
    if not path.exists():
        return {}
    return json.loads(path.read_text(encoding="utf-8"))


def _page(content, parts):
    links = "".join(f'<li><a href="#{_anchor(head)}">{head}</a></li>' for head in parts)
    sections = "".join(
        f'<section aria-labelledby="{_anchor(head)}"><h2 id="{_anchor(head)}">{head}</h2>{body}</section>'
        for head, body in parts.items()
    )
    title = f"{listed(content['models'])} compared on {content['source']}"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(title)}</title>
<style>{_asset("page.css")}</style>
</head>
<body>
<a class="skip" href="#main">To the content</a>
<header><h1>{escape(title)}</h1>
<nav aria-label="Contents"><ul>{links}</ul></nav></header>
<main id="main">{sections}</main>
<script>{_asset("page.js")}</script>
</body>
</html>
"""


def _anchor(head):
    return head.lower().replace(" ", "-")


def _asset(name):
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
