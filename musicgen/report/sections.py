"""Sections of the page, from the content of `comparison.json`: each a piece of HTML, all texts escaped."""

import json
import re
from html import escape

from ..comparison.advice import listed
from ..comparison.plan import NEAR
from ..comparison.tables import COLUMNS
from ..metrics import QUALITY
from .drawings import HUES, curves, roll, similarity, strips
from .facts import facts_html, table
from .listening import SHOWN
from .players import player

_HEADS = {"ranking": "In each figure", "cautions": "Mind", "limits": "What this cannot say"}


def advice(content):
    """Summary first, then what to choose, the rankings, cautions and limits."""
    split = ", ".join(f"{count} {name}" for name, count in content["split"].items())
    seeds = content["seeds"]
    under = f"each of the seeds {listed(map(str, seeds))}" if len(seeds) > 1 else f"seed {seeds[0]}"
    summary = (
        f"{listed(content['models'])} learnt for {content['minutes']:g} minutes each under {under}, preset "
        f"{content['preset']}, from one split of {content['source']} into pieces: {split}. "
        f"Each wrote {content['pieces']} pieces of {content['bars']} bars per seed."
    )
    first, *others = content["advice"]["choices"]
    choices = f'<div class="choice"><p class="first">{_told(first, content)}</p>{_list(others, content)}</div>'
    lists = [
        f"<h3>{head}</h3>{_list(content['advice'][name], content)}"
        for name, head in _HEADS.items()
        if content["advice"][name]
    ]
    return f"<p>{escape(summary)}</p>{choices}{''.join(lists)}"


def figures_table(content):
    """Figures of all contestants with intervals, what they are, and votes where there are some."""
    entries = content["contestants"]
    columns = {
        name: column
        for name, column in COLUMNS.items()
        if any(entry["figures"].get(name, {}).get("value") is not None for entry in entries.values())
    }
    heads = ["", "pieces", *(head for head, _ in columns.values())]
    rows = [
        (name, (entry["pieces"], *(_interval(entry["figures"][c], digits) for c, (_, digits) in columns.items())))
        for name, entry in entries.items()
    ]
    caption = "Means with intervals of 95 % over seeds and pieces; of the columns after novelty over pieces only."
    what = {name: entry["what"] for name, entry in entries.items()}
    what |= {name: each["definition"] for name, each in content["criteria"].items()}
    what |= {COLUMNS[name][0]: QUALITY[name].definition for name in columns if name in QUALITY and name not in what}
    return (
        table(caption, heads, rows)
        + f"<details><summary>What the rows and columns are</summary>{facts_html(what)}</details>"
        + _tests(content)
        + _votes(content)
    )


def distributions(content):
    """Values of every piece by criterion, or of every seed where a criterion is no mean over pieces."""
    figures = []
    for name, criterion in content["criteria"].items():
        entries = content["contestants"].items()
        of_pieces = all(name in entry["by_piece"] for _, entry in entries)
        groups = {who: entry["by_piece"][name] if of_pieces else [entry["by_seed"][name]] for who, entry in entries}
        values = {who: [value for group in each for value in group] for who, each in groups.items()}
        called, each = criterion["called"], "piece" if of_pieces else "seed"
        drawn = strips(f"{called} of every {each}", values, low=criterion["low"], high=criterion["high"])
        better = "higher" if criterion["more"] else "lower"
        caption = f"{called[0].upper()}{called[1:]}: {better} is better. A dot is a {each}."
        figures.append(_figure(drawn, caption))
    return f'<p>The bar is the mean of the dots.</p><div class="pairs">{"".join(figures)}</div>'


def samples(content, read):
    """Rolls and players of some pieces of each contestant, real ones among them."""
    parts = []
    for name, files in _shown(content).items():
        cards = "".join(_sample(name, file, read(file)) for file in files)
        what = escape(content["contestants"][name]["what"])
        parts.append(f'<h3>{escape(name)} <span class="small">{what}</span></h3><div class="pairs">{cards}</div>')
    return "".join(parts)


def curves_of(content, stories):
    """How every training went.

    Parameters
    ----------
    content : dict
    stories : mapping of str to dict
        Provenance of each unit's composer; empty of rivals.
    """
    figures = []
    for model in content["models"]:
        mine = [stories[f"{model}-{seed}"] for seed in content["seeds"]]
        lines = [
            (f"hue-{place % HUES}{kind}", story["history"][name])
            for place, story in enumerate(mine)
            for name, kind in (("loss", ""), ("val_loss", " held-out"))
            if name in story.get("history", {})
        ]
        held_out = ", dashed on held-out pieces" if any("held-out" in kind for kind, _ in lines) else ", its critic's"
        if lines:
            figures.append(_figure(curves(f"losses of {model} by epoch", lines), f"{model}: loss{held_out}."))
        looks = [[look["overlap"] for look in story.get("looks", ())] for story in mine]
        if any(looks):
            lines = [(f"hue-{place % HUES}", values) for place, values in enumerate(looks)]
            drawn = curves(f"overlap of what {model} invents with the data, by look", lines, unit="looks")
            figures.append(_figure(drawn, f"{model}: overlap of what it invents with the training data."))
    keys = " ".join(
        f'<span class="key hue-{place % HUES}">seed {seed}</span>' for place, seed in enumerate(content["seeds"])
    )
    rows = [
        (f"{model}, seed {seed}", _training(facts))
        for model in content["models"]
        for seed, facts in zip(content["seeds"], content["trainings"][model], strict=True)
    ]
    heads = ["", *_TRAINING.values()]
    return (
        f'<p>{keys}</p><div class="pairs">{"".join(figures)}</div>'
        + table("How each training went; times in minutes", heads, rows)
        + f"<p>To learn: minutes of training until a model first came within {100 * NEAR:g} % of its best score, by "
        "which the state that composes is chosen. Beside: what came before and after, such as cutting pieces.</p>"
    )


def similarities(content, read):
    """How alike the bars of the pieces shown above are."""
    figures = [
        _figure(similarity(read(file), f"likeness of the bars of {name}, {file}"), file)
        for name, files in _shown(content).items()
        for file in files
    ]
    note = (
        "Bars from left to right and from top to bottom; the stronger a cell's colour, the more alike its two bars. "
    )
    note += "Repeated phrases are stripes beside the diagonal."
    return f'<p>{note}</p><div class="small-cards">{"".join(figures)}</div>'


def data_report(content):
    """What the data hold."""
    return facts_html(content["data_report"])


def settings(content, configs):
    """Every setting and version; `configs` holds those of each unit's composer."""
    names = (
        "models",
        "seeds",
        "minutes",
        "pieces",
        "bars",
        "preset",
        "source",
        "data",
        "comparison",
        "split",
        "versions",
        "machine",
    )
    found = {name: content[name] for name in names} | {"tests": content["tests"]["method"]}
    backends = {json.dumps(each.get("versions")) for group in content["trainings"].values() for each in group}
    found["trained with"] = [json.loads(each) for each in sorted(backends)]
    seed = content["seeds"][0]
    return facts_html(
        found | {name: configs[f"{name}-{seed}"].get("hyperparameters", {}) for name in content["models"]}
    )


def _shown(content):
    """Files of the pieces of each contestant that are shown: the first of the first seed."""
    seed = content["seeds"][0]
    return {name: content["files"][f"{name}-{seed}"][:SHOWN] for name in content["contestants"]}


#: Facts of a training that are shown, with their headings.
_TRAINING = {
    "seconds": "trained",
    "seconds_to_learn": "to learn",
    "seconds_beside": "beside",
    "seconds_to_compose": "to compose all",
    "epochs": "epochs",
    "held_out_loss": "held-out loss",
    "left_out": "pieces left out",
}


def _training(facts):
    for name in _TRAINING:
        value = facts.get(name)
        yield "–" if value is None else f"{value / 60:.2f}" if name.startswith("seconds") else f"{value:.5g}"


def _sample(name, file, piece):
    title = piece.meta.get("title") or file
    genre = f", {piece.meta['genre']}" if piece.meta.get("genre") else ""
    told = f"{name}: {title}{genre}, {len(piece)} notes, {piece.duration:.0f} s"
    drawn = roll(piece, f"Piano roll of {told}")
    return _figure(f"{drawn}{player(piece, f'Listen to {told}')}", told)


def _tests(content):
    rows = []
    for each in content["tests"]["differences"]:
        numbers = f"{each['value']:.3f}", f"{each['corrected']:.2g}"
        verdicts = ("yes" if each[name] else "no" for name in ("agree", "counts"))
        rows.append((f"{each['first']} and {each['second']}", (escape(each["criterion"]), *numbers, *verdicts)))
    heads = ["", "criterion", "difference", "corrected p", "seeds agree", "told apart"]
    return f"<details><summary>Every test</summary>{table(content['tests']['method'], heads, rows)}</details>"


def _votes(content):
    if not content["votes"]:
        return ""
    rows = [
        (name, (found["votes"], _interval(found["taken_for_real"], 2), _interval(found["liking"], 2)))
        for name, found in content["votes"].items()
    ]
    return "<h3>Heard</h3>" + table("Votes of the listening test", ["", "votes", "taken for real", "liking"], rows)


def _interval(found, digits):
    if found["value"] is None:
        return "–"
    ends = ""
    if found["low"] is not None:
        ends = f'<span class="interval">{found["low"]:.{digits}f} to {found["high"]:.{digits}f}</span>'
    return f"{found['value']:.{digits}f}{ends}"


def _figure(drawn, caption):
    return f"<figure>{drawn}<figcaption>{escape(caption)}</figcaption></figure>"


def _list(sentences, content):
    return f"<ul>{''.join(f'<li>{_told(line, content)}</li>' for line in sentences)}</ul>"


def _told(sentence, content):
    """A sentence in which the models' names stand out, and which begins with a capital unless a name does."""
    names = "|".join(map(re.escape, content["models"]))
    if not re.match(rf"(?:{names})\b", sentence):
        sentence = sentence[0].upper() + sentence[1:]
    return re.sub(rf"\b(?:{names})\b", lambda found: f"<strong>{found[0]}</strong>", escape(sentence))
