"""Builds the site: collects its pages and runs Sphinx, for which every warning is an error.

python docs/build.py out/docs
"""

import shutil
import sys
import tempfile
from pathlib import Path

from pages import DOCS, collect
from sphinx.cmd.build import main as sphinx


def build(out):
    """Write the site into a folder; the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        pages, made = Path(folder) / "pages", Path(folder) / "html"
        collect(pages)
        options = ["-b", "html", "-q", "-E", "--fail-on-warning", "-c", str(DOCS), "-d", f"{folder}/doctrees"]
        status = sphinx([*options, str(pages), str(made)])
        if not status:
            shutil.copytree(made, out, dirs_exist_ok=True)
    return status


if __name__ == "__main__":
    [out] = sys.argv[1:] or ["out/docs"]
    status = build(out)
    print(f"docs: {Path(out) / 'index.html'}" if not status else "docs: not built", file=sys.stderr)
    sys.exit(status)
