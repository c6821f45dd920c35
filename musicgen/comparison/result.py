"""`compare`: several composers trained on one split for the same time, judged beside trivial rivals, with advice."""

import hashlib
import json
import platform
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from .. import __version__
from ..datasets import duplicate_key, report_data, split
from ..datasets.prepared import is_prepared
from ..datasets.sources import load_data
from ..errors import InputError
from ..files import locked, write_text
from ..metrics import Reference
from ..workers import usable_processors
from .advice import Advice, advise, names_of
from .contestants import is_short
from .judging import CRITERIA, LEVEL, Judgement, judge, plain_interval
from .plan import KEPT, PARTS, STOPPED_BY, Plan, claim
from .running import read_units, run_units
from .significance import EXCHANGES
from .tables import format_judgement
from .votes import read_votes, votes_text

FORMAT_VERSION = 1
_PACKAGES = ("numpy", "scipy", "keras", "jax", "tensorflow", "torch", "symusic", "music21", "onnxruntime")


@dataclass(frozen=True, eq=False)
class Comparison:
    """What `compare` found; never changes.

    Attributes
    ----------
    judgement : Judgement
        Figures and tests.
    advice : Advice
        What follows from them, in sentences.
    facts : dict
        Settings, data, trainings and versions, as in `comparison.json`.
    refused : list of (path, reason)
        What of the data could not be used.
    """

    judgement: Judgement
    advice: Advice
    facts: dict
    refused: list

    def table(self):
        """Figures of all contestants as text."""
        return format_judgement(self.judgement, _times(self.facts["trainings"]))

    def text(self):
        """The table, the recommendation, and the votes where there are some."""
        columns = "mean and 95 % interval over seeds and pieces (genre agreement and longest copy: over pieces)"
        head = f"{_settings(self.facts)}\n{columns}"
        votes = [votes_text(self.facts["votes"])] if self.facts["votes"] else []
        return "\n\n".join([head, self.table(), self.advice.text(), *votes]) + "\n"

    def to_dict(self):
        """Everything, as JSON holds it."""
        return {
            "format_version": FORMAT_VERSION,
            **self.facts,
            "criteria": {name: each._asdict() for name, each in CRITERIA.items()},
            "contestants": {name: self._plain_entry(name) for name in self.judgement.entries},
            "references": self._reference_values(),
            "tests": {
                "method": f"permutation within seeds, {EXCHANGES} exchanges; Holm's correction among models, and "
                f"between models and rivals; counts below {LEVEL} where all seeds agree on the sign",
                "differences": [each._asdict() | {"counts": each.counts} for each in self._defined_differences()],
            },
            "advice": self.advice._asdict(),
        }

    def to_json(self):
        """`to_dict` as text."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def _defined_differences(self):
        return [each for each in self.judgement.differences if each.value == each.value]

    def _plain_entry(self, name):
        entry = self.judgement.entries[name]
        found = entry.evaluation.to_dict()
        return {
            "what": names_of(self.judgement)[name],
            "pieces": entry.pieces,
            "figures": {figure: plain_interval(found) for figure, found in entry.figures.items()},
            "by_seed": {c: _plain(values) for c, values in entry.by_seed.items()},
            "by_piece": {c: [_plain(group) for group in groups] for c, groups in entry.by_piece.items()},
            "evaluation": {name: found[name] for name in ("figures", "titles", "values")},
        }

    def _reference_values(self):
        """Every measure of the measured training pieces, the same for all contestants."""
        return next(iter(self.judgement.entries.values())).evaluation.to_dict()["reference_values"]


def compare(
    data,
    out,
    *,
    minutes=10.0,
    pieces=16,
    bars=16,
    seeds=(0, 1, 2),
    models=("lstm", "vae", "gan"),
    preset="small",
    votes=(),
    progress=True,
):
    """Train several composers on one split for the same time, and judge what they write.

    Beside them stand held-out real pieces, these with shuffled bars, random notes, and a Markov chain. Every model
    and seed is a unit of its own: a comparison that was killed goes on with the same call.

    Parameters
    ----------
    data : path-like, or iterable of NoteSequence
        Folder of MIDI files or recordings, piano rolls, name of a corpus, or pieces.
    out : path-like
        Folder for composers, pieces, `comparison.json` and `table.txt`; a new one, or that of the same comparison.
    minutes : float
        Training time of each model and seed; afterwards the best state that was found in it composes.
    pieces, bars : int
        Pieces that each writes under each seed, at least 2, and bars of each, at least 4.
    seeds : sequence of int
        At least 3 tell how much hangs on chance.
    models : sequence of str
        Of "lstm", "vae" and "gan".
    preset : {"tiny", "small", "base", "large"}
        Size of every model.
    votes : path-like, or sequence of path-like
        Votes of the listening test, one file per listener, see `read_votes`.
    progress : bool
        Tell on standard error what is done.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If a setting is out of range, the data are too few, or `out` holds something else.
    """
    plan = Plan(minutes, pieces, bars, tuple(seeds), tuple(models), preset)
    sequences, refused, provenance, source = _pieces_of(data, out)
    training, check, held_out = split(sequences, PARTS, seed=0)
    parts = training, check[:: max(1, -(-len(check) // STOPPED_BY))], held_out
    facts = plan.to_dict() | {"data": _digest_of_data(sequences)}
    facts |= {"comparison": _digest(json.dumps({name: facts[name] for name in KEPT}))}
    with locked(out):
        claim(out, facts)
        heard = read_votes(votes, plan, facts["comparison"])
        run_units(plan, parts, out, progress=progress)
        units = read_units(plan, out)
        if progress:
            print("judging", file=sys.stderr)
        facts |= {"source": source, "split": _split_facts(parts), "trainings": _trainings(units, plan)}
        facts |= {"data_report": report_data(sequences, provenance=provenance, refused=refused).facts()}
        facts |= {"files": {f"{name}-{seed}": unit.files for (name, seed), unit in units.items()}}
        facts |= {"versions": _versions(), "machine": _machine(), "votes": heard}
        found = _judged(plan, parts, units, facts, refused)
        write_text(Path(out) / "comparison.json", found.to_json())
        write_text(Path(out) / "table.txt", found.text())
    return found


def _judged(plan, parts, units, facts, refused):
    sets = {}
    for (name, _), unit in units.items():
        sets.setdefault(name, []).append(unit.pieces)
    judgement = judge(sets, Reference(parts[0]), models=plan.models)
    times = _times(facts["trainings"])
    cautions = _cautions(units, plan)
    advice = advise(judgement, bars=plan.bars, times=times, minutes=plan.minutes, facts=cautions)
    return Comparison(judgement, advice, facts, refused)


def _pieces_of(data, out):
    """Pieces with notes, what was refused, provenance and name of the source."""
    if not isinstance(data, (str, Path)):
        return [piece for piece in data if len(piece)], [], {}, "pieces given"
    if Path(data).resolve() == Path(out).resolve():
        raise InputError("is the name of the data as well", path=out, remedy="choose another folder")
    if is_prepared(data):
        raise InputError(
            "holds prepared pieces, but the models need different codecs",
            path=data,
            remedy="give the folder that they were prepared from",
        )
    found = load_data(data, notes=f"{Path(out)}-notes")
    return [piece for piece in found.pieces if len(piece)], found.refused, found.provenance, Path(data).name


def _versions():
    """Of musicgen, Python and the installed packages that figures may depend on; backends: see the trainings."""
    installed = {each.name.lower(): each.version for each in metadata.distributions()}
    found = {name: installed[name] for name in _PACKAGES if name in installed}
    return {"musicgen": __version__, "python": platform.python_version(), **found}


def _machine():
    """What times depend on; nothing that names the machine."""
    return {"system": f"{platform.system()}, {platform.machine()}", "processors": usable_processors()}


def _digest_of_data(sequences):
    return _digest("".join(duplicate_key(piece) for piece in sequences))


def _digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _split_facts(parts):
    names = ("to learn from", "to choose the best state by", "held out")
    return {name: len(part) for name, part in zip(names, parts, strict=True)}


def _trainings(units, plan):
    """Facts of every training by model, one per seed."""
    return {name: [units[name, seed].facts for seed in plan.seeds] for name in plan.models}


def _times(trainings):
    return {name: [facts["seconds_to_learn"] for facts in each] for name, each in trainings.items()}


def _plain(values):
    return [float(value) if value == value else None for value in values]


def _cautions(units, plan):
    lines = []
    for name in plan.models:
        empty = sum(units[name, seed].empty for seed in plan.seeds)
        if empty:
            total = plan.pieces * len(plan.seeds)
            lines.append(f"{empty} of {total} pieces of {name} had no notes and are left out.")
        warnings = {units[name, seed].facts["warning"] for seed in plan.seeds} - {""}
        lines += [f"training of {name}: {warning}." for warning in sorted(warnings)]
    short = [is_short(piece, plan.bars) for seed in plan.seeds for piece in units["real", seed].pieces]
    if any(short):
        lines.append(
            f"{sum(short)} of {len(short)} real pieces have fewer than {plan.bars} bars, and short pieces seem less "
            "coherent."
        )
    if len(plan.seeds) < 3:
        lines.append("fewer than 3 seeds tell little of chance.")
    return lines


def _settings(facts):
    parts = ", ".join(f"{count} {name}" for name, count in facts["split"].items())
    return (
        f"{facts['source']}: {parts}\n{', '.join(facts['models'])}, preset {facts['preset']}, {facts['minutes']:g} "
        f"minutes of training each, seeds {', '.join(map(str, facts['seeds']))}, {facts['pieces']} pieces of "
        f"{facts['bars']} bars each"
    )
