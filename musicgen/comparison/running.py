"""Units of a comparison: of every contestant and seed a folder of MIDI files, finished when `unit.json` is there.

A run that was killed goes on with the units that are missing, and with a training where it was last kept.
"""

import json
import sys
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError
from ..files import write_text
from ..midi import read_midi
from .contestants import model_pieces, rival_pieces
from .plan import RIVALS


class Unit(NamedTuple):
    """The `pieces` of one contestant and seed, their names `files`, `empty` ones that had no notes, and how it was
    made, `facts`."""

    pieces: list
    files: list
    empty: int
    facts: dict


def unit_folder(out, name, seed):
    """Where a unit lies."""
    return Path(out) / "units" / f"{name}-{seed}"


def run_units(plan, parts, out, *, progress=True):
    """Make every unit that is not there yet.

    Parameters
    ----------
    plan : Plan
    parts : tuple of list of NoteSequence
        To learn from, to stop by, held out.
    out : path-like
    progress : bool
        Tell on standard error which unit is made.
    """
    units = plan.units
    for number, (name, seed) in enumerate(units, 1):
        folder = unit_folder(out, name, seed)
        if (folder / "unit.json").exists():
            continue
        if progress:
            print(f"unit {number} of {len(units)}: {_told(name, seed, plan)}", file=sys.stderr)
        folder.mkdir(parents=True, exist_ok=True)
        if name in RIVALS:
            _write(folder, rival_pieces(name, parts, plan, seed), {})
        else:
            _write(folder, *model_pieces(name, parts, plan, seed, folder, progress=progress))


def read_units(plan, out):
    """All units: dict of (contestant, seed) to `Unit`."""
    return {unit: _read(unit_folder(out, *unit)) for unit in plan.units}


def _told(name, seed, plan):
    if name in RIVALS:
        return f"{RIVALS[name]} (seed {seed})"
    return f"{name}, seed {seed}: {plan.minutes:g} minutes of training, {plan.pieces} pieces of {plan.bars} bars"


def _write(folder, pieces, facts):
    files = {f"{number:02}.mid": piece for number, piece in enumerate(pieces, 1) if len(piece)}
    for name, piece in files.items():
        piece.save(folder / name)
    content = {"files": list(files), "empty": len(pieces) - len(files), "facts": facts}
    write_text(folder / "unit.json", json.dumps(content, indent=2) + "\n")


def _read(folder):
    try:
        content = json.loads((folder / "unit.json").read_text(encoding="utf-8"))
        files, empty, facts = content["files"], content["empty"], content["facts"]
    except (ValueError, KeyError) as error:
        raise InputError(
            f"is damaged: {error}", path=folder / "unit.json", remedy="delete the folder to make it anew"
        ) from error
    return Unit(
        [read_midi(folder / file) for file in files], [f"{folder.name}/{file}" for file in files], empty, facts
    )
