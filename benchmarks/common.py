"""What every benchmark shares: options, rows, one aligned table, one JSON file.

A benchmark is a script `benchmarks/NAME.py`:

    def main(argv=None):
        args = make_parser(__doc__, seeds=[0, 1, 2]).parse_args(argv)
        results = Results(args)
        results.add("notes found", 0.91, "F1", reference=0.88, goal=0.9, direction="max")
        results.finish()

`reference` is the rival's value from the same run, or a published one as text with its source. Goals are set before
the run, not after it.
"""

import argparse
import datetime
import importlib.metadata
import json
import math
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from musicgen.errors import InputError
from musicgen.files import write_text

ROOT = Path(__file__).resolve().parent.parent
ROW_KEYS = ("what", "value", "unit", "reference", "goal", "direction")
FILE_KEYS = ("command", "commit", "date", "machine", "versions", "seeds", "rows")
SAID = "said"  # key that files have in addition whose benchmark says something in words
DIRECTIONS = {"min": "≤", "max": "≥"}

# Distributions whose version is worth keeping, by the module that shows that the run used them.
_PACKAGES = {
    "numpy": "numpy",
    "scipy": "scipy",
    "keras": "keras",
    "tensorflow": "tensorflow",
    "jax": "jax",
    "torch": "torch",
    "symusic": "symusic",
    "pretty_midi": "pretty_midi",
    "mido": "mido",
    "music21": "music21",
    "miditok": "miditok",
    "muspy": "muspy",
    "note_seq": "note-seq",
    "librosa": "librosa",
    "soxr": "soxr",
    "onnxruntime": "onnxruntime",
    "basic_pitch": "basic-pitch",
    "mir_eval": "mir_eval",
    "sklearn": "scikit-learn",
    "tinysoundfont": "tinysoundfont",
}


def make_parser(description, *, seeds=(0,)):
    """An argument parser with the options that all benchmarks share.

    Parameters
    ----------
    description : str
        The script's docstring; its first paragraph is shown by `--help`.
    seeds : sequence of int
        Default of `--seeds`.

    Returns
    -------
    argparse.ArgumentParser
        With `--json FILE`, `--seeds S [S ...]`, `--quick` and `--data FOLDER` (default: MUSICGEN_DATA).
    """
    parser = argparse.ArgumentParser(description=description.strip().split("\n\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to this file as well")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(seeds), metavar="S", help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="a small run to see that it works; never committed")
    parser.add_argument("--data", type=Path, default=os.environ.get("MUSICGEN_DATA"), help="default: $MUSICGEN_DATA")
    return parser


def best_seconds(function, *, repeats=3):
    """Shortest wall-clock time of several calls, in seconds, and what the last one returned."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        value = function()
        times.append(time.perf_counter() - begin)
    return min(times), value


class Results:
    """The rows of one run.

    Parameters
    ----------
    args : argparse.Namespace
        From `make_parser`: `json` and `seeds` are used.
    argv : list of str, optional
        The script and its arguments. Default: `sys.argv`.
    """

    def __init__(self, args, *, argv=None):
        self.json, self.seeds, self.rows = args.json, list(args.seeds), []
        self.command = command_line(sys.argv if argv is None else argv)
        self.said = {}

    def add(self, what, value, unit, *, reference=None, goal=None, direction="min"):
        """Add a row; numbers of numpy become Python's. `direction` says whether "min" or "max" is better."""
        values = [_plain(value), unit, _plain(reference), _plain(goal), direction]
        row = dict(zip(ROW_KEYS, [what, *values], strict=True))
        check_row(row)
        self.rows.append(row)

    def say(self, head, sentences):
        """Add sentences that follow from the rows; without any, nothing is said."""
        if sentences:
            self.said[head] = list(sentences)

    def finish(self):
        """Print the table and what is said and, where asked for, write the file; returns its content."""
        print(format_table(self.rows))
        for head, sentences in self.said.items():
            print("\n".join([f"\n{head}", *(f"- {sentence}" for sentence in sentences)]))
        content = {
            "command": self.command,
            "commit": commit(),
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "machine": machine(),
            "versions": versions(),
            "seeds": self.seeds,
            "rows": self.rows,
        } | ({SAID: self.said} if self.said else {})
        if self.json:
            write_text(self.json, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
            print(f"\nwritten: {self.json}")
        return content


def check_row(row, *, path=None):
    """Refuse a row that breaks the format, naming the row.

    Raises
    ------
    InputError
    """
    if not isinstance(row, dict) or tuple(row) != ROW_KEYS:
        raise InputError(f"a row needs exactly {', '.join(ROW_KEYS)}", path=path)
    name = f"row {row['what']!r}"
    if not (isinstance(row["what"], str) and row["what"] and isinstance(row["unit"], str)):
        raise InputError(f"{name}: what and unit must be text", path=path)
    if not _is_number(row["value"]):
        raise InputError(f"{name}: value must be a finite number, not {row['value']!r}", path=path)
    if not (row["reference"] is None or isinstance(row["reference"], str) or _is_number(row["reference"])):
        raise InputError(f"{name}: reference must be a finite number, text or None", path=path)
    if not (row["goal"] is None or _is_number(row["goal"])):
        raise InputError(f"{name}: goal must be a finite number or None, not {row['goal']!r}", path=path)
    if row["direction"] not in DIRECTIONS:
        raise InputError(f"{name}: direction must be 'min' or 'max', not {row['direction']!r}", path=path)


def goal_met(row):
    """Whether the row's value reaches its goal; None where no goal is set."""
    if row["goal"] is None:
        return None
    return row["value"] <= row["goal"] if row["direction"] == "min" else row["value"] >= row["goal"]


def cells(row):
    """A row as text: what, value, unit, reference, goal, met."""
    goal = "" if row["goal"] is None else f"{DIRECTIONS[row['direction']]} {format_value(row['goal'])}"
    met = {None: "", True: "met", False: "not met"}[goal_met(row)]
    return [row["what"], format_value(row["value"]), row["unit"], format_value(row["reference"]), goal, met]


def format_value(value):
    """A number with four significant digits, whole numbers in full; text as it is, None as nothing.

    Examples
    --------
    >>> [format_value(value) for value in (12345, 1234.56, 0.012345, 0.0, 1.2e-7, 2.0, None, "n/a")]
    ['12,345', '1,235', '0.01235', '0', '1.2e-07', '2', '', 'n/a']
    """
    if value is None or isinstance(value, str):
        return value or ""
    if value == int(value) or abs(value) >= 1000:
        return f"{round(value):,}"
    return f"{value:.4g}"


def format_table(rows):
    """The rows as one aligned table; numbers stand to the right."""
    table = [["what", "value", "unit", "reference", "goal", ""], *map(cells, rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if column in (1, 3) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in table
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def command_line(argv):
    """The command as anyone may repeat it: no absolute paths, of folders outside the project the last name only.

    Examples
    --------
    >>> command_line(["/anywhere/benchmarks/beats.py", "--data=/mnt/big/gtzan", "--seeds", "1"])
    'python benchmarks/beats.py --data=gtzan --seeds 1'
    """
    return " ".join(["python", f"benchmarks/{Path(argv[0]).name}", *map(_tidied, argv[1:])])


def _tidied(argument):
    option, equals, value = argument.partition("=") if argument.startswith("--") else ("", "", argument)
    if not value.startswith(("/", ".", "~")) or _is_number_text(value):
        return argument
    path = Path(value).expanduser().resolve()
    return option + equals + (str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name)


def _is_number_text(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def commit():
    """The commit of the code, with "+changes" if code was changed since; "unknown" outside a repository."""
    head = _output("git", "rev-parse", "--short=12", "HEAD")
    if not head:
        return "unknown"
    changes = _output("git", "status", "--porcelain", "--", "musicgen", "benchmarks/*.py")
    return f"{head}+changes" if changes else head


def machine():
    """What the figures depend on: processor, cores, memory, system, accelerator; nothing that names the machine."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": _memory_gib(),
        "os": _system(),
        "accelerator": _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader") or None,
    }


def versions():
    """Versions of Python, musicgen and the known packages that the run imported."""
    used = {name: package for name, package in _PACKAGES.items() if name in sys.modules}
    found = {"python": platform.python_version(), "musicgen": sys.modules["musicgen"].__version__}
    for package in used.values():
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found


def _output(*command):
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _cpu_model():
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory_gib():
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)


def _system():
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = f"{platform.system()} {platform.release()}"
    return f"{name}, {platform.machine()}"


def _plain(value):
    return value.item() if hasattr(value, "item") else value


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
