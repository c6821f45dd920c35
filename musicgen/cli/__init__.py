"""The command `musicgen`: argument parsing and progress only."""

import argparse
import sys

from .. import __version__
from ..errors import MusicgenError
from .data import add_info, add_prepare, add_transcribe
from .judging import add_compare, add_evaluate
from .music import add_compose, add_demo, add_interpolate, add_render, add_train


def main(arguments=None):
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, optional
        Default: those of the process.

    Returns
    -------
    int
        Exit status: 0 done, 1 some inputs refused, 2 wrong usage.
    """
    options = _parser().parse_args(arguments)
    _print_any_name()
    try:
        return options.run(options)
    except MusicgenError as error:
        print(f"musicgen: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("musicgen: stopped; what is finished is kept", file=sys.stderr)
        return 130


def _print_any_name():
    """Names of files that are not UTF-8 are printed as they are, what the terminal cannot show as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            is_exact = stream is sys.stdout and stream.encoding.lower() in ("utf-8", "utf8")
            stream.reconfigure(errors="surrogateescape" if is_exact else "backslashreplace")


def _parser():
    parser = argparse.ArgumentParser(prog="musicgen", description="Recordings in, new music out.")
    parser.add_argument("--version", action="version", version=f"musicgen {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    making = (add_transcribe, add_prepare, add_train, add_compose, add_interpolate, add_render)
    for add in (*making, add_evaluate, add_compare, add_info, add_demo):
        add(commands)
    return parser
