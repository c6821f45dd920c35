"""Who takes part: real pieces held out and what is made of them, a Markov chain, and the composers."""

import json
import time
import warnings
from pathlib import Path

import numpy as np

from ..baselines import MarkovChain, random_notes, shuffled_bars
from ..composers import composer_class, load_composer
from ..composers.resume import remove_state, time_spent
from ..errors import InputError
from ..files import write_text
from ..transforms import crop

EPOCHS = 1_000_000  # the time ends a training


def first_bars(piece, bars):
    """The beginning of a piece, a pickup counting as a bar; the whole piece where it is shorter."""
    end = float(piece.timing.quarters_to_seconds(piece.timing.first_bars(bars + 1)[bars]))
    return crop(piece, 0.0, end) if end < piece.duration else piece


def real_pieces(held_out, plan, seed):
    """Held-out pieces that stand beside the models under a seed: the beginning of each, none under two seeds.

    Raises
    ------
    InputError
        If there are fewer pieces than seeds.
    """
    count = min(plan.pieces, len(held_out) // len(plan.seeds))
    if not count:
        raise InputError(
            f"{len(held_out)} pieces are held out, fewer than the {len(plan.seeds)} seeds", remedy="give more pieces"
        )
    first = plan.seeds.index(seed) * count
    order = np.random.default_rng(0).permutation(len(held_out))[first : first + count]
    return [first_bars(held_out[place], plan.bars) for place in order]


def rival_pieces(name, parts, plan, seed):
    """The pieces of a rival, see `RIVALS`.

    Parameters
    ----------
    name : str
    parts : tuple of list of NoteSequence
        To learn from, to stop by, held out.
    plan : Plan
    seed : int

    Returns
    -------
    list of NoteSequence
    """
    if name == "markov":
        chain = MarkovChain().fit(parts[0])
        return [chain.compose(plan.bars, seed=own) for own in _seeds(seed, plan.pieces)]
    real = real_pieces(parts[2], plan, seed)
    if name == "real":
        return real
    change = {"shuffled": shuffled_bars, "random": random_notes}[name]
    return [change(piece, seed=own) for piece, own in zip(real, _seeds(seed, len(real)), strict=True)]


def model_pieces(name, parts, plan, seed, folder, *, progress=True):
    """Train a composer for the time that each has, and let it compose.

    Parameters
    ----------
    name : str
        Family of the composer.
    parts, plan, seed
        As for `rival_pieces`.
    folder : path-like
        For the composer and the state of its training: a training that was killed goes on.
    progress : bool

    Returns
    -------
    pieces : list of NoteSequence
    facts : dict
        How the training went.
    """
    folder = Path(folder)
    path, told = folder / "composer", folder / "training.json"
    if not told.exists():
        _train(name, parts, plan, seed, folder, progress)
    composer, facts = load_composer(path), json.loads(told.read_text(encoding="utf-8"))
    begin = time.monotonic()
    pieces = composer.compose_many(plan.pieces, bars=plan.bars, seed=seed)
    return pieces, facts | {"seconds_to_compose": round(time.monotonic() - begin, 2)}


def _train(name, parts, plan, seed, folder, progress):
    composer = composer_class(name)(preset=plan.preset, seed=seed)
    state = folder / "training"
    before, begin = time_spent(state), time.monotonic()
    patience = {} if name == "gan" else {"patience": None}  # the time is the same for all
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # told in the facts
        composer.fit(
            parts[0],
            validation=parts[1],
            epochs=EPOCHS,
            minutes=plan.minutes,
            checkpoint=state,
            resume=True,
            progress=progress,
            **patience,
        )
    seconds = before + time.monotonic() - begin
    composer.save(folder / "composer")
    write_text(folder / "training.json", json.dumps(_facts(composer, seconds), indent=2) + "\n")
    remove_state(state)


def _facts(composer, seconds):
    """How a training went; the time to the best state is its share of the epochs, or steps, that were run."""
    told = composer.provenance
    warning = told.get("warning") or told.get("latent", {}).get("warning", "")
    return {
        "seconds": round(seconds, 1),
        "seconds_to_best": round(seconds * _share_to_best(told), 1),
        "epochs": told["epochs"],
        "held_out_loss": min(told["history"].get("val_loss", []), default=None),
        "left_out": len(composer.refused),
        "warning": warning,
        "versions": told["versions"],
    }


def _share_to_best(told):
    losses = told["history"].get("val_loss")
    if losses:
        return (int(np.argmin(losses)) + 1) / len(losses)
    looks = told.get("looks") or [{"step": 1, "overlap": 0.0, "diversity": 1.0}]
    best = max(looks, key=lambda look: look["overlap"] * min(look["diversity"], 1.0))
    return best["step"] / max(looks[-1]["step"], 1)


def _seeds(seed, count):
    return np.random.SeedSequence([seed, 77]).generate_state(count).tolist()
