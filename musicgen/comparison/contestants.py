"""Who takes part: real pieces held out and what is made of them, a Markov chain, and the composers."""

import json
import time
import warnings
from itertools import cycle
from pathlib import Path

import numpy as np

from ..baselines import MarkovChain, random_notes, shuffled_bars
from ..composers import composer_class, load_composer
from ..composers.resume import epoch_times, remove_state
from ..errors import InputError
from ..files import write_text
from ..transforms import crop
from .plan import NEAR

EPOCHS = 1_000_000  # the time ends a training


def first_bars(piece, bars):
    """The beginning of a piece, a pickup counting as a bar; the whole piece where it is shorter."""
    end = float(piece.timing.quarters_to_seconds(piece.timing.first_bars(bars + 1)[bars]))
    return crop(piece, 0.0, end) if end < piece.duration else piece


def real_pieces(held_out, plan, seed):
    """Held-out pieces that stand beside the models under a seed: the beginning of each, none under two seeds.

    Those that have as many bars as the models write come before shorter ones, as short pieces seem less coherent.

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
    order = np.random.default_rng(0).permutation(len(held_out))
    long_first = sorted(order, key=lambda place: is_short(held_out[place], plan.bars))
    chosen = np.random.default_rng(1).permutation(long_first[: count * len(plan.seeds)])
    return [
        first_bars(held_out[place], plan.bars) for place in np.split(chosen, len(plan.seeds))[plan.seeds.index(seed)]
    ]


def is_short(piece, bars):
    """Whether a piece has fewer bars."""
    return len(piece.timing.bars(piece.duration)) < bars


def genres_of(training, plan, seed):
    """What genre each composition is asked for: as the training pieces have them, in random order.

    Returns
    -------
    list of str
        As many as pieces; "" for no genre, which all are where the training pieces have less than two.
    """
    known = sorted(piece.meta.get("genre", "") for piece in training)
    if len(set(known) - {""}) < 2:
        return [""] * plan.pieces
    places = (np.arange(plan.pieces) + 0.5) * len(known) / plan.pieces
    return np.random.default_rng([seed, 78]).permutation([known[int(place)] for place in places]).tolist()


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
    if name == "shuffled":
        return [shuffled_bars(piece, seed=own) for piece, own in zip(real, _seeds(seed, len(real)), strict=True)]
    return [random_notes(like, seed=own) for like, own in zip(cycle(real), _seeds(seed, plan.pieces), strict=False)]


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
    remove_state(folder / "training")
    composer, facts = load_composer(path), json.loads(told.read_text(encoding="utf-8"))
    begin = time.monotonic()
    pieces = _composed(composer, genres_of(parts[0], plan, seed), plan.bars, seed)
    return pieces, facts | {"seconds_to_compose": round(time.monotonic() - begin, 2)}


def _composed(composer, genres, bars, seed):
    """A piece of each genre, those of one genre in one run."""
    pieces, known = [None] * len(genres), sorted(set(genres))
    for genre, own in zip(known, _seeds(seed, len(known)), strict=True):
        places = [place for place, each in enumerate(genres) if each == genre]
        made = composer.compose_many(len(places), bars=bars, genre=genre or None, seed=own)
        for place, piece in zip(places, made, strict=True):
            pieces[place] = piece
    return pieces


def _train(name, parts, plan, seed, folder, progress):
    composer = composer_class(name)(preset=plan.preset, seed=seed)
    state, begin = folder / "training", time.monotonic()
    patience = {} if name == "gan" else {"patience": None}  # the time is the same for all
    settings = {"epochs": EPOCHS, "minutes": plan.minutes, "checkpoint": state, "resume": True, **patience}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # told in the facts
        try:
            composer.fit(parts[0], validation=parts[1], progress=progress, **settings)
        except InputError as error:
            raise InputError(
                f"{name} cannot learn from these pieces: {error}", remedy="leave it out of models"
            ) from error
    composer.save(folder / "composer")
    facts = _facts(composer, epoch_times(state), time.monotonic() - begin)
    write_text(folder / "training.json", json.dumps(facts, indent=2) + "\n")


def _facts(composer, times, seconds):
    """How a training went.

    Parameters
    ----------
    composer : Composer
    times : list of float
        Seconds of training at the end of each epoch.
    seconds : float
        That the last run took, with all that comes before and after a training.
    """
    told = composer.provenance
    warning = told.get("warning") or told.get("latent", {}).get("warning", "")
    scores, when = _scores(told, times)
    return {
        "seconds": round(times[-1], 1),
        "seconds_to_learn": round(seconds_to_learn(scores, when), 1),
        "seconds_beside": round(max(seconds - times[-1], 0.0), 1),
        "epochs": told["epochs"],
        "held_out_loss": min(told["history"].get("val_loss", []), default=None),
        "left_out": len(composer.refused),
        "warning": warning,
        "versions": told["versions"],
    }


def _scores(told, times):
    """Scores by which the best state was chosen, the more the better, and after how many seconds each was known."""
    losses = told["history"].get("val_loss")
    if losses:
        return [-loss for loss in losses], times
    looks = told.get("looks") or [{"step": 1, "overlap": 0.0, "diversity": 1.0}]
    scores = [look["overlap"] * min(look["diversity"], 1.0) for look in looks]
    return scores, [times[-1] * look["step"] / max(looks[-1]["step"], 1) for look in looks]


def seconds_to_learn(scores, times):
    """When a training first came within `NEAR` of its best score.

    Parameters
    ----------
    scores : list of float
        The more the better.
    times : list of float
        In s.

    Examples
    --------
    >>> seconds_to_learn([-4.0, -2.05, -2.0, -2.3], [10.0, 20.0, 30.0, 40.0])
    20.0
    """
    best = max(scores)
    return next(when for score, when in zip(scores, times, strict=True) if score >= best - NEAR * abs(best))


def _seeds(seed, count):
    return np.random.SeedSequence([seed, 77]).generate_state(count).tolist()
