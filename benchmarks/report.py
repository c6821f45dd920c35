"""Make benchmarks/RESULTS.md from results/*.json and readings/*.md.

A reading, readings/NAME.md, is a few sentences on what the figures of results/NAME.json mean. They stand above the
table, or around it if a line of the reading is `<!-- table -->`. A benchmark that was run set by set has
a result, and perhaps a reading, for each: NAME.SET.json. `--check` writes nothing and fails if RESULTS.md is not
up to date.
"""

import argparse
import json
from pathlib import Path

from common import FILE_KEYS, SAID, cells, check_row, goal_met

from musicgen.errors import InputError
from musicgen.files import write_text

HERE = Path(__file__).resolve().parent
MARK = "<!-- table -->"
ORDER = (
    "first_way",
    "transcription",
    "cleaning",
    "beats",
    "drums",
    "codecs",
    "polyphonic",
    "sampling",
    "controls",
    "training",
    "learning",
    "reconstruction",
    "adversarial",
    "metrics",
    "comparison",
)
INTRODUCTION = """# Results

Made by `python benchmarks/report.py` from the files in `results/`, which the benchmarks write, and the sentences in
`readings/`; no figure is typed by hand. Rivals and references are measured in the same run unless a source is named.
"""


def render(folder):
    """RESULTS.md's text for a benchmarks folder; depends on nothing but the files in it.

    Parameters
    ----------
    folder : path-like
        Holds `results/*.json` and `readings/*.md`.

    Returns
    -------
    str

    Raises
    ------
    InputError
        If a result breaks the format, or a reading has no result.
    """
    paths = {path.stem: path for path in Path(folder).glob("results/*.json")}
    readings = {path.stem: path.read_text(encoding="utf-8") for path in Path(folder).glob("readings/*.md")}
    for name in sorted(set(readings) - set(paths)):
        script = name.partition(".")[0]
        raise InputError(
            f"reading of {name}, which has no results",
            remedy=f"run benchmarks/{script}.py --json results/{name}.json",
        )
    names = sorted(paths, key=_place)
    contents = {name: load(paths[name]) for name in names}
    if not contents:
        return INTRODUCTION + "\nNo benchmark has been run yet.\n"
    sections = [_section(name, content, readings.get(name, "")) for name, content in contents.items()]
    return "\n".join([INTRODUCTION, _overview(contents), *sections])


def load(path):
    """The content of a result file, checked.

    Raises
    ------
    InputError
        If it is not JSON or breaks the format.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"is not JSON: {error}", path=path, remedy="run the benchmark again") from error
    if not isinstance(content, dict) or tuple(content) not in (FILE_KEYS, (*FILE_KEYS, SAID)):
        raise InputError(f"needs exactly {', '.join(FILE_KEYS)}", path=path, remedy="run the benchmark again")
    for row in content["rows"]:
        check_row(row, path=path)
    return content


def _overview(contents):
    lines = ["| benchmark | goals met | date |", "| --- | --- | --- |"]
    for name, content in contents.items():
        judged = [goal_met(row) for row in content["rows"] if row["goal"] is not None]
        goals = f"{sum(judged)} of {len(judged)}" if judged else "none set"
        lines.append(
            f"| [{_title(name)}](#{_title(name).lower().replace(' ', '-')}) | {goals} | {content['date'][:10]} |"
        )
    return "\n".join(lines) + "\n"


def _section(name, content, reading):
    before, _, after = reading.partition(MARK)
    said = _said(content.get(SAID, {}))
    parts = [f"## {_title(name)}", before.strip(), said, _table(content["rows"]), after.strip(), _origin(content)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _said(said):
    """What a benchmark says in words."""
    lists = ("\n".join([f"**{head}**\n", *(f"- {line}" for line in lines)]) for head, lines in said.items())
    return "\n\n".join(lists)


def _place(name):
    """Sorts results: benchmarks as in `ORDER`, then others, each before its sets."""
    benchmark = name.partition(".")[0]
    return ORDER.index(benchmark) if benchmark in ORDER else len(ORDER), name


def _title(name):
    benchmark, _, part = name.partition(".")
    title = benchmark.replace("_", " ").capitalize()
    return f"{title} of {part}" if part else title


def _table(rows):
    lines = ["| what | value | unit | reference | goal | |", "| --- | ---: | --- | ---: | --- | --- |"]
    for row in rows:
        what, value, unit, reference, goal, met = (cell.replace("|", "\\|") for cell in cells(row))
        met = f"**{met}**" if met == "not met" else met
        lines.append(f"| {what} | {value} | {unit} | {reference} | {goal} | {met} |")
    return "\n".join(lines)


def _origin(content):
    machine = content["machine"]
    memory = f"{machine['memory_gib']} GiB" if machine["memory_gib"] else "memory unknown"
    parts = [machine["cpu"], f"{machine['cores']} cores", memory, machine["accelerator"], machine["os"]]
    place = ", ".join(part for part in parts if part)
    used = ", ".join(f"{package} {version}" for package, version in content["versions"].items())
    seeds = ", ".join(map(str, content["seeds"]))
    return f"`{content['command']}` at commit {content['commit']} with seeds {seeds}, on {place}; {used}."


def main(argv=None):
    """Write RESULTS.md, or with `--check` say whether it is up to date; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail if RESULTS.md is out of date")
    parser.add_argument("--folder", type=Path, default=HERE, help="default: the folder of this script")
    args = parser.parse_args(argv)
    target, text = args.folder / "RESULTS.md", render(args.folder)
    if not args.check:
        print(f"written: {write_text(target, text)}")
        return 0
    current = target.exists() and target.read_text(encoding="utf-8") == text
    print("RESULTS.md is up to date" if current else "RESULTS.md is out of date: run python benchmarks/report.py")
    return 0 if current else 1


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except InputError as error:
        raise SystemExit(f"error: {error}") from error
