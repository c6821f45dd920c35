"""What is compared: the checked settings of a comparison, and the folder that holds one."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..composers import FAMILIES
from ..errors import InputError
from ..files import write_text

#: What stands beside the models: name to what it is.
RIVALS = {
    "real": "real pieces that were held out",
    "markov": "Markov chain over event tokens, from the same training pieces",
    "shuffled": "the same real pieces, bars in random order",
    "random": "random notes, as many and in the range of the same real pieces",
}
#: Shares of the pieces to learn from, to stop the training by, and to stand beside the models.
PARTS = (0.7, 0.1, 0.2)
#: Pieces to stop the training by, at most: judging many would take more than the time that all have.
STOPPED_BY = 200
#: A composer has learnt when it first comes so near to its best score, as a share of that.
NEAR = 0.05
#: Settings that all runs into one folder must have in common.
KEPT = ("minutes", "pieces", "bars", "seeds", "preset", "data")


@dataclass(frozen=True)
class Plan:
    """Settings of a comparison.

    Parameters
    ----------
    minutes : float
        Training time of every model and seed.
    pieces, bars : int
        Pieces of every contestant and seed, and bars of each.
    seeds : tuple of int
    models : tuple of str
        Of "lstm", "vae" and "gan".
    preset : {"tiny", "small", "base", "large"}

    Raises
    ------
    InputError
        If one is out of range.
    """

    minutes: float = 10.0
    pieces: int = 16
    bars: int = 16
    seeds: tuple = (0, 1, 2)
    models: tuple = ("lstm", "vae", "gan")
    preset: str = "small"

    def __post_init__(self):
        if not (isinstance(self.minutes, (int, float)) and 0 < self.minutes < math.inf):
            raise InputError(f"minutes must be a number above 0, not {self.minutes!r}")
        _check_whole("pieces", self.pieces, 2)
        _check_whole("bars", self.bars, 4)
        object.__setattr__(self, "seeds", _distinct("seeds", self.seeds))
        for seed in self.seeds:
            _check_whole("seeds", seed, 0)
        object.__setattr__(self, "models", _distinct("models", self.models))
        unknown = [model for model in self.models if model not in FAMILIES]
        if unknown:
            raise InputError(f"models holds {unknown[0]!r}", remedy=f"name some of {', '.join(FAMILIES)}")
        if self.preset not in ("tiny", "small", "base", "large"):
            raise InputError(f"preset {self.preset!r} is unknown", remedy="one of tiny, small, base, large")

    @property
    def units(self):
        """What is made, each on its own: (contestant, seed), rivals first as they take seconds.

        Then all models under one seed after the other: that one cannot learn from the data shows early.
        """
        groups = (RIVALS, self.models)
        return [(name, seed) for names in groups for seed in self.seeds for name in names]

    def to_dict(self):
        """The settings as JSON holds them."""
        return json.loads(json.dumps(asdict(self)))


def claim(out, facts):
    """Make `out` the folder of this comparison, or find that it is.

    More models may join a comparison; all else must be as it was.

    Parameters
    ----------
    out : path-like
    facts : dict
        Settings, and the digest of the data as `data`.

    Raises
    ------
    InputError
        If it holds anything else, or a comparison of other settings.
    """
    out = Path(out)
    path = out / "plan.json"
    if not path.exists():
        if out.exists() and any(not file.name.startswith(".") for file in out.iterdir()):
            raise InputError("is there already and holds no comparison", path=out, remedy="choose another folder")
        write_text(path, json.dumps({name: facts[name] for name in KEPT}, indent=2) + "\n")
        return
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"is no readable JSON: {error}", path=path, remedy="choose another folder") from error
    differing = [name for name in KEPT if known.get(name) != facts[name]]
    if differing:
        raise InputError(
            f"holds a comparison with other {' and '.join(differing)}",
            path=out,
            remedy="choose another folder, or the same settings to go on",
        )


def _check_whole(name, value, least):
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise InputError(f"{name} must be whole numbers of at least {least}, not {value!r}")


def _distinct(name, values):
    values = tuple(values)
    if not values or len(set(values)) < len(values):
        raise InputError(f"{name} must be one or more, none of them twice, not {list(values)}")
    return values
