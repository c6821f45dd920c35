"""What the pages of the site are made of beside their own text.

A line `<!-- KIND: WHAT -->` of a page becomes a part of another file, a table made from the code, or a figure; and
`{{ BENCHMARK: ROW }}` the value that a benchmark measured. So nothing is copied that could go stale.
"""

import argparse
import inspect
import json
import math
import re
from pathlib import Path
from posixpath import normpath

import musicgen
from musicgen import cli

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
#: Files of the repository that are pages, beside those in `docs`.
ELSEWHERE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changes.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/RESULTS.md": "results.md",
    "examples": "examples.md",
}
USAGE_WIDTH = 72
#: Words of the names of files as they are written elsewhere.
SPELT = {"midi": "MIDI", "dask": "Dask", "models": "model's"}


class PageError(Exception):
    """A page asks for what is not there."""


def filled(name):
    """Text of a page of `docs`, with all that it asks for.

    Raises
    ------
    PageError
        If a part, figure or row of a benchmark that it names does not exist.
    """
    text = re.sub(r"\{\{ (\w+): (.+?) \}\}", lambda found: value(*found.groups()), (DOCS / name).read_text("utf-8"))
    text = linked(text, f"docs/{name}")

    def made(found):
        kind, what = found.groups()
        if kind not in KINDS:
            raise PageError(f"docs/{name} asks for {kind!r}; there are {', '.join(KINDS)}")
        return KINDS[kind](*([what] if what else []))

    return re.sub(r"^<!-- (\w+)(?:: (.+?))? -->$", made, text, flags=re.MULTILINE)


def linked(text, file):
    """Text of a file of the repository whose links lead to pages; what is no page is named without a link."""

    def lead(found):
        name, target, anchor = (group or "" for group in found.groups())
        path = normpath(f"{Path(file).parent.as_posix()}/{target}")
        page = ELSEWHERE.get(path, path.removeprefix("docs/") if path.startswith("docs/") else None)
        return f"[{name}]({page}{anchor})" if page else name

    return re.sub(r"\[([^][]+)\]\(([^)#:\s]+)(#[^)\s]*)?\)", lead, text)


def value(benchmark, row):
    """What a benchmark measured, as text; of "reference of ROW" its reference, which may be words."""
    column, row = ("reference", row[13:]) if row.startswith("reference of ") else ("value", row)
    rows = rows_of(benchmark)
    if row not in rows:
        raise PageError(f"{benchmark}.json has no row {row!r}")
    told = rows[row][column]
    return told if isinstance(told, str) else f"{told:,.4g}"


def rows_of(benchmark):
    """The rows that a benchmark wrote, by what they tell; a file of one set goes before that of all."""
    folder = ROOT / "benchmarks" / "results"
    files = [folder / f"{benchmark}.json", *sorted(folder.glob(f"{benchmark}.*.json"))]
    contents = [json.loads(file.read_text("utf-8")) for file in files if file.exists()]
    return {row["what"]: row for content in contents for row in content["rows"]}


# ---- parts of other files


def part(what):
    """A file without its title, `FILE`, or one of its sections without the heading, `FILE, HEADING`."""
    file, _, heading = what.partition(", ")
    text = (ROOT / file).read_text("utf-8")
    found = re.search(rf"^#{{1,2}} {re.escape(heading) or '.*'}$", text, flags=re.MULTILINE)
    if not found:
        raise PageError(f"{file} has no section {heading!r}")
    text = text[found.end() :]
    if heading:
        text = re.split(r"^#{1,2} ", text, maxsplit=1, flags=re.MULTILINE)[0]
    return linked(text, file).strip()


def first_code():
    """The README's first code."""
    return re.search(r"```python\n.*?```", (ROOT / "README.md").read_text("utf-8"), flags=re.DOTALL)[0]


def examples():
    """The scripts of `examples`, each with what its docstring says."""
    parts = []
    for file in sorted((ROOT / "examples").glob("*.py")):
        said, code = re.match(r'"""(.*?)"""\s*(.*)', file.read_text("utf-8"), flags=re.DOTALL).groups()
        first, *rest = said.strip().split("\n\n")
        title = " ".join(SPELT.get(word, word) for word in file.stem.split("_")[1:])
        shown = "\n\n".join(f"```text\n{text}\n```" if text.startswith("python ") else text for text in rest)
        parts.append(f"## {title[0].upper()}{title[1:]}\n\n{first}\n\n{shown}\n\n```python\n{code.rstrip()}\n```")
    return "\n\n".join(parts)


def figure(name):
    """A diagram of `figures`."""
    from figures import FIGURES

    if name not in FIGURES:
        raise PageError(f"there is no figure {name!r}")
    return f"```{{raw}} html\n{FIGURES[name]().html()}\n```"


def presets():
    """What the benchmark of training measured of each preset of the LSTM, as a table."""
    found = {}
    for what, row in rows_of("training").items():
        if what.startswith("preset "):
            preset, _, measure = what.removeprefix("preset ").partition(": ")
            head = f"{measure} ({row['unit']})" if row["unit"] else measure
            found.setdefault(preset, {})[head] = row["value"]
    if not found:
        raise PageError("training.json tells of no preset")
    heads = list(next(iter(found.values())))
    lines = [["preset", *heads], ["---", *["---:"] * len(heads)]]
    for preset, values in found.items():
        lines.append([f"`{preset}`", *(f"{v:,}" if isinstance(v, int) else f"{v:.3g}" for v in values.values())])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# ---- from the code


def measures():
    """Every table of measures that `musicgen.metrics` makes public: of one piece, then by family."""
    from musicgen import metrics
    from musicgen.metrics.features import DISTRIBUTIONS
    from musicgen.metrics.quality import OF_DISTRIBUTION

    parts = []
    for name in ("MEASURES", *map(str.upper, metrics.FAMILIES)):
        table = getattr(metrics, name)
        parts.append(f"## {name.capitalize()}\n\n`metrics.{name}`: {comment_of(metrics, name)}")
        of_distributions = {f"{distribution}_{kind}" for distribution in DISTRIBUTIONS for kind in OF_DISTRIBUTION}
        parts += [f"`{key}`\n: {_measured(measure)}" for key, measure in table.items() if key not in of_distributions]
        if name == "QUALITY":
            parts += [*_distributions(DISTRIBUTIONS), *_figures_of_distributions(metrics.QUALITY, OF_DISTRIBUTION)]
    return "\n\n".join(parts)


def _distributions(table):
    told = "drum tracks left out, on one grid for all pieces, after {term}`Yang and Lerch 2020`"
    yield f"### Distributions\n\nWhat the notes of a piece are counted by, {told}:"
    rows = ["| name | what is counted | unit | bins |", "| --- | --- | --- | ---: |"]
    for name, each in table.items():
        rows.append(f"| `{name}` | {each.definition} | {each.unit or 'pairs'} | {len(each.bins) + 1} |")
    yield "\n".join(rows)
    yield "Each has these figures of `metrics.QUALITY`:"


def _figures_of_distributions(quality, kinds):
    for kind, standard in kinds.items():
        named = {key: each for key, each in quality.items() if key.endswith(f"_{kind}")}
        first = next(iter(named))
        high = max(each.high for each in named.values())
        yield f"`{kind}`, such as `{first}`\n: {_measured(standard._replace(high=high))}"


def _measured(measure):
    high = "and up" if math.isinf(measure.high) else f"to {measure.high:.4g}"
    reach = f"up {high}" if math.isinf(measure.low) else f"{measure.low:.4g} {high}"
    return f"*{measure.unit or 'no unit'}, {reach}.* {measure.definition} {_sourced(measure.paper)}"


def _sourced(paper):
    """What a measure says of its paper, short names as links into the list of papers."""
    from musicgen.metrics import PAPERS

    names = "|".join(map(re.escape, sorted(PAPERS, key=len, reverse=True)))
    text = re.sub(names, lambda found: f"{{term}}`{found[0]}`", paper)
    return f"Source: {text}."


def papers():
    """Every paper that a measure cites, as terms that can be linked to."""
    from musicgen.metrics import PAPERS

    told = "\n\n".join(f"{name}\n  {paper}." for name, paper in PAPERS.items())
    return f"```{{glossary}}\n{told}\n```"


def functions(room):
    """Public functions and classes of a room with the first sentence of each."""
    module = getattr(musicgen, room)
    rows = ["| name | is |", "| --- | --- |"]
    for name in public(room):
        thing = getattr(module, name)
        if callable(thing):
            rows.append(f"| {{py:obj}}`~{full_name(room, name)}` | {first_sentence(thing)} |")
    return "\n".join(rows)


def first_sentence(thing):
    """The beginning of a docstring, up to its first full stop."""
    said = " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())
    return re.split(r"(?<=\.)(?<!et al\.)\s(?=[A-Z])", said, maxsplit=1)[0]


def commands():
    """Every command of `musicgen`, from the parsers themselves."""
    parser = cli._parser()
    [subparsers] = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return "\n\n".join(_command(name, child) for name, child in subparsers.choices.items())


def _command(name, parser):
    parser.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=USAGE_WIDTH)
    usage = re.sub(r"\x1b\[[0-9;]*m", "", parser.format_usage()).removeprefix("usage: ").rstrip()
    usage = re.sub(r"\n +", "\n    ", usage)
    arguments = [_argument(action, parser) for action in parser._actions if action.dest != "help"]
    return "\n\n".join([f"(command-{name})=\n## {name}", parser.description, f"```text\n{usage}\n```", *arguments])


def _argument(action, parser):
    wanted = action.metavar or ("{" + ",".join(map(str, action.choices)) + "}" if action.choices else None)
    if action.option_strings and action.nargs != 0:
        wanted = wanted or action.dest.upper()
    wanted = " ".join(wanted) if isinstance(wanted, tuple) else wanted
    if not action.option_strings:
        wanted = f"{wanted or action.dest}{' ...' if action.nargs == '+' else ''}"
    said = (action.help or "") % {**vars(action), "prog": parser.prog}
    required = " (required)" if action.option_strings and action.required else ""
    names = ", ".join(action.option_strings)
    return f"`{' '.join(filter(None, [names, wanted]))}`\n: {said}{required}"


# ---- the reference


def rooms():
    """The rooms of the house that have public names."""
    return list(musicgen._ROOMS)


def public(room):
    """Public names of a room: those of the façade and of the room's own list."""
    module = getattr(musicgen, room)
    return sorted({*musicgen._ROOMS[room], *getattr(module, "__all__", ())}, key=str.lower)


def full_name(room, name):
    """The name by which a user imports it: the façade's where it has one."""
    return f"musicgen.{name}" if name in musicgen.__all__ else f"musicgen.{room}.{name}"


def reference(room):
    """The page of a room, in reStructuredText."""
    module = getattr(musicgen, room)
    title, *rest = inspect.getdoc(module).split("\n\n")
    parts = [f"{room}\n{'=' * len(room)}", title, *rest]
    return "\n\n".join([*parts, *(_entry(room, module, name) for name in public(room))]) + "\n"


def _entry(room, module, name):
    thing, path = getattr(module, name), full_name(room, name)
    if inspect.isclass(thing):
        known = next((base for base in (Exception, tuple, dict) if issubclass(thing, base)), object).__name__
        return f".. autoclass:: {path}\n   :members:\n   :inherited-members: {known}"
    if callable(thing):
        return f".. autofunction:: {path}"
    said = comment_of(module, name).replace("\n", "\n   ")
    return f".. py:data:: {path}\n\n   {said}"


def comment_of(module, name):
    """What the `#:` lines above a constant say, in the file that sets it."""
    parts = [part for part in vars(module).values() if inspect.ismodule(part)]
    for place in [module, *(part for part in parts if part.__name__.startswith("musicgen."))]:
        lines = inspect.getsource(place).splitlines()
        at = next((n for n, line in enumerate(lines) if line.startswith(f"{name} = ")), None)
        if at is not None:
            said = []
            while at and lines[at - 1].startswith("#:"):
                at -= 1
                said.insert(0, lines[at][2:].strip())
            return " ".join(said)
    raise PageError(f"{module.__name__}.{name} is set nowhere")


KINDS = {
    "part": part,
    "first_code": first_code,
    "examples": examples,
    "figure": figure,
    "measures": measures,
    "papers": papers,
    "presets": presets,
    "functions": functions,
    "commands": commands,
}


def collect(folder):
    """Write all pages into a folder; their names."""
    pages = {page.name: filled(page.name) for page in DOCS.glob("*.md")}
    listed = "\n".join(f"   {room}" for room in rooms())
    told = "\n".join(f":doc:`{room}`\n   {first_sentence(getattr(musicgen, room))}\n" for room in rooms())
    said = "Every public name, from the docstrings; ``musicgen.name`` is imported from the package itself."
    pages["reference/index.rst"] = (
        f"Reference\n=========\n\n{said}\n\n{told}\n.. toctree::\n   :hidden:\n\n{listed}\n"
    )
    pages |= {f"reference/{room}.rst": reference(room) for room in rooms()}
    for name, text in pages.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return sorted(pages)
