"""What several commands share: types of arguments, reading and writing, refusals."""

import argparse
import math
import sys


def number(kind, holds, allowed):
    """A type for argparse: what is no such number is wrong usage."""

    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not holds(value):
            raise argparse.ArgumentTypeError(f"must be {allowed}, not {text}")
        return value

    return parse


COUNT = number(int, lambda value: value >= 1, "a whole number of at least 1")
WHOLE = number(int, lambda value: value >= 0, "a whole number of at least 0")
POSITIVE = number(float, lambda value: 0 < value < math.inf, "a number above 0")
AT_LEAST_0 = number(float, lambda value: 0 <= value < math.inf, "a number of at least 0")
PROBABILITY = number(float, lambda value: 0 < value <= 1, "above 0 and at most 1")
FRACTION = number(float, lambda value: 0 <= value <= 1, "0 to 1")
SHARE = number(float, lambda value: 0 <= value < 1, "at least 0 and less than 1")
TEMPERATURE = number(float, lambda value: 0 <= value <= 100, "0 (argmax) to 100")


def command(commands, name, run, text):
    """The parser of a command that calls `run` with its options."""
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(run=run)
    return parser


def read_piece(path):
    """A piece from a MIDI file or score."""
    if path.suffix.lower() in (".musicxml", ".xml", ".mxl"):
        from ..score import read_score

        return read_score(path)
    from ..midi import read_midi

    return read_midi(path)


def save(piece, path):
    """Write a piece, a picture of it too; the path."""
    if path.suffix == ".png":
        from ..plots import save_figure

        return save_figure(piece.plot(), path)
    return piece.save(path)


def unused(folder, stem, suffixes):
    """The stem, numbered if a file of that name is there already."""
    candidate, version = stem, 1
    while any((folder / f"{candidate}{suffix}").exists() for suffix in suffixes):
        version += 1
        candidate = f"{stem}-v{version}"
    return folder / candidate


def progress_bar(total, unit, text):
    """A bar on standard error."""
    from tqdm import tqdm

    return tqdm(total=total, unit=unit, desc=text, file=sys.stderr, dynamic_ncols=True)


def refusals(refused):
    """Name each refused input and its reason on standard error; the exit status."""
    for path, reason in refused:
        text = str(reason)
        print(f"refused {text if text.startswith(str(path)) else f'{path}: {text}'}", file=sys.stderr)
    return 1 if refused else 0
