"""Votes of the blind listening test: who was taken for real, and how the pieces pleased."""

import json
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..metrics import mean_interval
from .advice import number

FORMAT = "musicgen-votes"
#: Marks of how a piece pleased, worst and best.
MARKS = (1, 5)


def read_votes(paths, plan, comparison=None):
    """What listeners said of each contestant.

    Parameters
    ----------
    paths : path-like, or sequence of path-like
        One file per listener. JSON: `{"format": "musicgen-votes", "version": 1, "comparison": "...", "votes":
        [{"piece": "lstm-0/03.mid", "real": true, "liking": 4}, ...]}`; `real` and `liking`, 1 to 5, may be null.
    plan : Plan
        Of the comparison whose pieces were heard.
    comparison : str, optional
        Digest of its settings and data, as `comparison.json` has it: votes on another are refused.

    Returns
    -------
    dict of str to dict
        By contestant: `votes`, their number; `taken_for_real`, a share, and `liking`, each with value, low and high.

    Raises
    ------
    InputError
        If a file holds no votes, or one of another comparison.
    """
    paths = [paths] if isinstance(paths, str | Path) else paths
    known = {f"{name}-{seed}": name for name, seed in plan.units}
    heard = {}
    for path in paths:
        for place, vote in enumerate(_votes_in(Path(path), comparison)):
            unit = str(vote.get("piece", "")).split("/")[0] if isinstance(vote, dict) else ""
            if unit not in known or not _is_vote(vote):
                raise InputError(
                    f"vote {place} is none of this comparison: {vote!r}",
                    path=path,
                    remedy="give votes from its own page",
                )
            heard.setdefault(known[unit], []).append(vote)
    return {name: _summed(heard[name]) for name in dict.fromkeys(known.values()) if name in heard}


def votes_text(votes):
    """What `read_votes` found, as lines of text."""
    lines = [
        f"- {name}: {found['votes']} votes, taken for real {_told(found['taken_for_real'])}, "
        f"liking {_told(found['liking'])} of {MARKS[1]}"
        for name, found in votes.items()
    ]
    return "\n".join(["Heard, with 95 % intervals over votes", *lines])


def _votes_in(path, comparison):
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"is no readable JSON: {error}", path=path, remedy="export the votes again") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("version") != 1:
        raise InputError("holds no votes of version 1", path=path, remedy="give what the listening test exports")
    if comparison is not None and content.get("comparison", comparison) != comparison:
        raise InputError("holds votes on another comparison", path=path, remedy="give votes from its own page")
    votes = content.get("votes")
    if not isinstance(votes, list):
        raise InputError("has no list of votes", path=path, remedy="export the votes again")
    return votes


def _is_vote(vote):
    real, liking = vote.get("real"), vote.get("liking")
    is_mark = isinstance(liking, int) and not isinstance(liking, bool) and MARKS[0] <= liking <= MARKS[1]
    return (real is None or isinstance(real, bool)) and (liking is None or is_mark)


def _summed(votes):
    return {
        "votes": len(votes),
        "taken_for_real": _interval([vote.get("real") for vote in votes], 0, 1),
        "liking": _interval([vote.get("liking") for vote in votes], *MARKS),
    }


def _interval(values, low, high):
    found = mean_interval([float(value) for value in values if value is not None], low=low, high=high)
    return {name: value if np.isfinite(value) else None for name, value in found._asdict().items()}


def _told(found):
    value, low, high = (number(float("nan") if each is None else each, 2) for each in found.values())
    return f"{value} ({low} to {high})" if found["low"] is not None else value
