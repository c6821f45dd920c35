"""A recommendation in words that follows from the numbers alone, and what it cannot say."""

import math
from typing import NamedTuple

from .judging import CRITERIA
from .plan import NEAR, RIVALS

#: A model copies where its novelty is told apart from that of held-out real pieces and less by this.
COPIED = 0.1
#: The criteria that a recommendation weighs; copying excludes from it.
WEIGHED = ("noise", "coherence", "likeness")

_PURPOSES = {
    "noise": "pieces with few wrong notes",
    "coherence": "pieces that hold together over {bars} bars",
    "likeness": "pieces like the training data",
}
#: Rivals that know nothing of what a criterion measures: who is no better than they are has learnt nothing of it.
_TRIVIAL = {"noise": ("random",), "coherence": ("shuffled", "random"), "likeness": ("random",)}
_CALLED = {"random": "random notes", "shuffled": "bars in random order"}


class Advice(NamedTuple):
    """Sentences: the `ranking` by each criterion, which model to choose for what (`choices`), `cautions`, and what
    the comparison cannot say (`limits`)."""

    ranking: list
    choices: list
    cautions: list
    limits: list

    def text(self):
        """All of it as text."""
        parts = {"": self.ranking, "Choose": self.choices, "Mind": self.cautions, "Not said": self.limits}
        blocks = [[head, *(f"- {line}" for line in lines)] for head, lines in parts.items() if lines]
        return "\n\n".join("\n".join(line for line in block if line) for block in blocks)


def advise(judgement, *, bars, times=None, minutes=None, facts=()):
    """What follows from a judgement.

    Parameters
    ----------
    judgement : Judgement
    bars : int
        Of each piece.
    times : mapping of str to list of float, optional
        Seconds of training until each model had learnt, one per seed, see `contestants.seconds_to_learn`.
    minutes : float, optional
        Training time of each.
    facts : sequence of str
        Further cautions, such as warnings of the training.

    Returns
    -------
    Advice
    """
    times = times or {}
    copying = copiers(judgement)
    ranking = [_ranked(judgement, name, bars) for name in CRITERIA]
    if times:
        ranking.append(_fastest(times, minutes))
    choices = _choices(judgement, [name for name in judgement.models if name not in copying], bars, times)
    cautions = [_of_copying(judgement, name) for name in copying] + _beside_rivals(judgement)
    cautions += [*_less_noisy_than_real(judgement), *facts]
    return Advice(ranking, choices, cautions, _limits(judgement, bars, minutes))


def copiers(judgement):
    """Models that copy: told apart from held-out real pieces by less novelty, `COPIED` or more of it."""
    if "real" not in judgement.entries:
        return []
    found = {name: judgement.difference("novelty", name, "real") for name in judgement.models}
    return [name for name, each in found.items() if each and each.counts and each.value <= -COPIED]


def number(value, digits=3):
    """So many digits after the point, a dash for what is not defined."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"


def _figure(judgement, name, criterion):
    found = judgement.entries[name].figures[criterion]
    return f"{number(found.value)} ({number(found.low)} to {number(found.high)})"


def _ranked(judgement, criterion, bars):
    """The sentence of one criterion."""
    each, order = CRITERIA[criterion], judgement.ranking(criterion)
    leaders = judgement.leaders(criterion)
    title = f"{each.title} over {bars} bars" if criterion == "coherence" else each.title
    figures = ", ".join(f"{name} {_figure(judgement, name, criterion)}" for name in order)
    verdict = leaders[0] if len(leaders) == 1 else f"no one alone; {listed(leaders)} are not told apart"
    if len(order) == 1:
        verdict = f"{order[0]}, the only model"
    real = f"; real pieces {_figure(judgement, 'real', criterion)}" if "real" in judgement.entries else ""
    return f"{title}: {verdict}. {each.called[0].upper()}{each.called[1:]}: {figures}{real}."


def _fastest(times, minutes):
    mean = {name: sum(found) / len(found) for name, found in times.items()}
    order = sorted(mean, key=mean.get)
    told = ", ".join(
        f"{name} {_minutes(mean[name])} ({_minutes(min(times[name]))} to {_minutes(max(times[name]))})"
        for name in order
    )
    first = _soonest(times, order)
    verdict = first[0] if len(first) == 1 else f"no one alone; the times of {listed(first)} overlap"
    of = "" if minutes is None else f", of {minutes:g},"
    return (
        f"fastest to train: {verdict}. Minutes{of} until within {100 * NEAR:g} % of its best state, mean and range "
        f"over seeds, not tested: {told}."
    )


def _soonest(times, names):
    """Who had learnt first on average, and those with a seed that was no later than its last."""
    best = min(names, key=lambda name: sum(times[name]) / len(times[name]))
    return [best, *(name for name in names if name != best and min(times[name]) <= max(times[best]))]


def _minutes(seconds):
    return f"{seconds / 60:.3g}"


def _choices(judgement, names, bars, times):
    """For what to choose which of the models that do not copy."""
    if not names:
        return ["none of the models: what they write is copied."]
    sound = {criterion: _not_trivial(judgement, criterion, names) for criterion in WEIGHED}
    leading = {criterion: judgement.leaders(criterion, found) for criterion, found in sound.items() if found}
    if len(names) == 1 and leading:
        others = "it is the only model" if len(judgement.models) == 1 else "all others copy"
        return [f"{names[0]}, because {others}."]
    chosen = [_choice(judgement, criterion, sound[criterion], leading.get(criterion), bars) for criterion in WEIGHED]
    if times:
        chosen.append(_quick_choice(times, names))
    return [_overall(leading, names), *chosen]


def _not_trivial(judgement, criterion, names):
    """Those that are shown to be better than the rivals that know nothing."""
    return [name for name in names if not _no_better(judgement, criterion, name)]


def _no_better(judgement, criterion, name):
    """The rivals that know nothing, of those that take part, than which a model is not shown to be better."""
    rivals = [rival for rival in _TRIVIAL[criterion] if rival in judgement.entries]
    return [rival for rival in rivals if not _better(judgement, criterion, name, rival)]


def _quick_choice(times, names):
    first = _soonest(times, names)
    if len(first) > 1:
        return f"for a short training choose any of {listed(first)}: their times overlap."
    minutes = _minutes(sum(times[first[0]]) / len(times[first[0]]))
    return f"for a short training choose {first[0]} because it had learnt before the others, after {minutes} min."


def _choice(judgement, criterion, names, leaders, bars):
    purpose, called = _PURPOSES[criterion].format(bars=bars), CRITERIA[criterion].called
    what = " and ".join(_CALLED[rival] for rival in _TRIVIAL[criterion] if rival in judgement.entries)
    if not names:
        return f"for {purpose} choose none: by {called} none is shown to be better than {what}."
    beaten = [name for name in leaders if _better(judgement, criterion, "markov", name)]
    mind = f"; but a Markov chain does better than {listed(beaten)}" if beaten else ""
    if len(names) == 1:
        return (
            f"for {purpose} choose {names[0]} because it alone is shown to be better than {what} by {called}{mind}."
        )
    if len(leaders) == len(names):
        return f"for {purpose} choose any of {listed(names)}: they are not told apart by {called}{mind}."
    extreme = "highest" if CRITERIA[criterion].more else "lowest"
    least = f"its {called}, {number(judgement.entries[leaders[0]].figures[criterion].value)}, is the {extreme}"
    others = [name for name in names if name not in leaders]
    worst = max(judgement.difference(criterion, leaders[0], name).corrected for name in others)
    apart = f"told apart from {listed(others)} (corrected p at most {worst:.2g})"
    tied = f"; {listed(leaders[1:])} would do as well, not told apart from it" if leaders[1:] else ""
    return f"for {purpose} choose {leaders[0]} because {least} and {apart}{tied}{mind}."


def _overall(leading, names):
    """Who is first, or not told apart from the first, in most of the criteria in which any model counts."""
    if not leading:
        return "all in all none of the models: by no figure is one shown to be better than what knows nothing."
    score = {name: sum(name in leaders for leaders in leading.values()) for name in names}
    most = max(score.values())
    best = [name for name in names if score[name] == most]
    if len(best) == len(names):
        return f"all in all no model before the others: {listed(best)} lead in {most} of {len(leading)} each."
    led = listed([CRITERIA[criterion].called for criterion, leaders in leading.items() if best[0] in leaders])
    if len(best) == 1:
        return f"all in all {best[0]}, because it is first, or not told apart from the first, in {led}."
    return f"all in all {listed(best)} alike: each is first, or not told apart from it, in {most} of {len(leading)}."


def _of_copying(judgement, name):
    real, own = (judgement.entries[each].figures["novelty"].value for each in ("real", name))
    return (
        f"{name} copies: {100 * own:.0f} % of its notes lie in no run copied from the training data, of "
        f"held-out real pieces {100 * real:.0f} %. It is not recommended for anything."
    )


def _beside_rivals(judgement):
    """Who is no better than what knows nothing, and how each stands beside a Markov chain."""
    lines = []
    for model in judgement.models:
        for criterion in WEIGHED:
            if rivals := _no_better(judgement, criterion, model):
                what = " or ".join(_CALLED[rival] for rival in rivals)
                lines.append(f"{model} is not shown to be better than {what} by {CRITERIA[criterion].called}.")
        if "markov" in judgement.entries:
            better = [c for c in WEIGHED if _better(judgement, c, model, "markov")]
            worse = [c for c in WEIGHED if judgement.apart(c, model, "markov") and c not in better]
            lines.append(_beside_markov(model, better, worse))
    return lines


def _less_noisy_than_real(judgement):
    names = [
        name for name in judgement.models if "real" in judgement.entries and _better(judgement, "noise", name, "real")
    ]
    if not names:
        return []
    are = "is" if len(names) == 1 else "are"
    return [f"{listed(names)} {are} less noisy than held-out real pieces: low noise makes no likeness to them."]


def _beside_markov(model, better, worse):
    parts = [f"{word} in {listed(found)}" for word, found in (("better", better), ("worse", worse)) if found]
    return f"{model} beside a Markov chain: {', '.join(parts) or 'not told apart from it'}."


def _better(judgement, criterion, first, second):
    if first not in judgement.entries or not judgement.apart(criterion, first, second):
        return False
    return judgement.ranking(criterion, [first, second])[0] == first


def _limits(judgement, bars, minutes):
    counts = ", ".join(f"{judgement.entries[name].pieces} of {name}" for name in judgement.models)
    seeds = len(next(iter(judgement.entries[judgement.models[0]].by_seed.values())))
    lines = [
        "how the pieces please: noise, coherence and likeness are figures, not taste. Listen.",
        f"what more pieces would show: these were {counts}, of {bars} bars. Not told apart does not mean equal.",
        f"what other seeds would give: {seeds} each. The tests exchange pieces within seeds, so they hold for these "
        "trained models; a difference counts where all seeds agree on its sign.",
        "what other data, presets or settings would give.",
    ]
    if minutes is not None:
        lines.insert(
            1,
            f"what longer training, or another machine, would give: each model had {minutes:g} minutes per seed, "
            "compiling included; what comes before and after is told beside.",
        )
    return lines


def listed(names):
    """Names with an "and" before the last."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def names_of(judgement):
    """What contestants are: dict of name to text."""
    return {name: RIVALS.get(name, "trained composer") for name in judgement.entries}
