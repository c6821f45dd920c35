"""Sections of the page, from the content of `comparison.json`: each a piece of HTML, all texts escaped."""

from html import escape

from .drawings import HUES, curves, roll, similarity, strips
from .listening import SHOWN
from .players import player

_COLUMNS = {
    "noise": "noise",
    "coherence": "coherence",
    "likeness": "likeness",
    "novelty": "novelty",
    "quality_level": "overlap of the set",
    "longest_copy": "longest copy, notes",
}
_HEADS = {"choices": "Choose", "ranking": "In each figure", "cautions": "Mind", "limits": "What this cannot say"}


def advice(content):
    """Summary first, then what to choose, the rankings, cautions and limits."""
    split = ", ".join(f"{count} {name}" for name, count in content["split"].items())
    summary = (
        f"{_listed(content['models'])} learnt for {content['minutes']:g} minutes under each of the seeds "
        f"{_listed(map(str, content['seeds']))}, preset {content['preset']}, from one split of "
        f"{content['source']}: {split}. Each wrote {content['pieces']} pieces of {content['bars']} bars per seed."
    )
    lists = [
        f"<h3>{head}</h3><ul>{''.join(f'<li>{escape(line)}</li>' for line in content['advice'][name])}</ul>"
        for name, head in _HEADS.items()
        if content["advice"][name]
    ]
    return f"<p>{escape(summary)}</p>{''.join(lists)}"


def figures_table(content):
    """Figures of all contestants with intervals, what they are, and votes where there are some."""
    heads = ["", "pieces", *_COLUMNS.values()]
    rows = [
        _row(name, (entry["pieces"], *(_interval(entry["figures"][column]) for column in _COLUMNS)))
        for name, entry in content["contestants"].items()
    ]
    caption = "Means with intervals of 95 % over seeds and pieces; of overlap and longest copy over pieces."
    what = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(entry['what'])}</dd>" for name, entry in content["contestants"].items()
    )
    what += "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(each['definition'])}</dd>" for name, each in content["criteria"].items()
    )
    return (
        _table(caption, heads, rows)
        + f"<details><summary>What the rows and columns are</summary><dl>{what}</dl></details>"
        + _tests(content)
        + _votes(content)
    )


def distributions(content):
    """Values of every piece by criterion."""
    figures = []
    for name, criterion in content["criteria"].items():
        values = {
            who: [value for group in entry["by_piece"][name] for value in group]
            for who, entry in content["contestants"].items()
        }
        called = criterion["called"]
        drawn = strips(f"{called} of every piece", values, low=criterion["low"], high=criterion["high"])
        better = "higher" if criterion["more"] else "lower"
        figures.append(f"<figure>{drawn}<figcaption>{escape(called)}: {better} is better.</figcaption></figure>")
    return f'<p>A dot is a piece, the bar the mean.</p><div class="cards">{"".join(figures)}</div>'


def samples(content, read):
    """Rolls and players of some pieces of each contestant, real ones among them."""
    return f'<div class="cards">{"".join(_sample(name, file, read(file)) for name, file in _shown(content))}</div>'


def curves_of(content, histories):
    """Losses of every training."""
    figures = []
    for model in content["models"]:
        lines = []
        for place, seed in enumerate(content["seeds"]):
            for name, values in histories[f"{model}-{seed}"].items():
                kind = " held-out" if name == "val_loss" else ""
                if name in ("loss", "val_loss"):
                    lines.append((f"hue-{place % HUES}{kind}", values))
        facts = "; ".join(
            f"seed {seed}: {each['epochs']} epochs in {each['seconds'] / 60:.2g} min, at its best after "
            f"{each['seconds_to_best'] / 60:.2g} min"
            for seed, each in zip(content["seeds"], content["trainings"][model], strict=True)
            if "epochs" in each
        )
        drawn = curves(f"losses of {model} by epoch", lines) if lines else ""
        figures.append(f"<figure>{drawn}<figcaption>{escape(model)}. {escape(facts)}</figcaption></figure>")
    note = "Losses by epoch, one colour per seed, dashed on held-out pieces. The GAN's, its critic's, need not fall."
    return f'<p>{note}</p><div class="cards">{"".join(figures)}</div>'


def similarities(content, read):
    """How alike the bars of the pieces shown above are."""
    figures = [
        f"<figure>{similarity(read(file), f'likeness of the bars of {name}, {file}')}<figcaption>{escape(file)}"
        "</figcaption></figure>"
        for name, file in _shown(content)
    ]
    note = (
        "Bars from left to right and from top to bottom; the stronger a cell's colour, the more alike its two bars. "
    )
    note += "Repeated phrases are stripes beside the diagonal."
    return f'<p>{note}</p><div class="small-cards">{"".join(figures)}</div>'


def data_report(content):
    """What the data hold."""
    return _facts(content["data_report"])


def settings(content):
    """Every setting and version, and how each training went."""
    names = (
        "models",
        "seeds",
        "minutes",
        "pieces",
        "bars",
        "preset",
        "source",
        "data",
        "split",
        "versions",
        "trainings",
    )
    return _facts({name: content[name] for name in names} | {"tests": content["tests"]["method"]})


def _shown(content):
    """(contestant, file) of the pieces that are shown: the first of the first seed."""
    seed = content["seeds"][0]
    return [(name, file) for name in content["contestants"] for file in content["files"][f"{name}-{seed}"][:SHOWN]]


def _sample(name, file, piece):
    title = piece.meta.get("title") or file
    told = f"{name}: {title}, {len(piece)} notes, {piece.duration:.0f} s"
    drawn = roll(piece, f"Piano roll of {told}")
    return f"<figure>{drawn}{player(piece, f'Listen to {told}')}<figcaption>{escape(told)}</figcaption></figure>"


def _tests(content):
    rows = []
    for each in content["tests"]["differences"]:
        numbers = f"{each['value']:.3g}", f"{each['corrected']:.2g}"
        verdicts = ("yes" if each[name] else "no" for name in ("agree", "counts"))
        cells = (escape(each["criterion"]), *numbers, *verdicts)
        rows.append(_row(f"{each['first']} and {each['second']}", cells))
    heads = ["", "criterion", "difference", "corrected p", "seeds agree", "told apart"]
    table = _table(content["tests"]["method"], heads, rows)
    return f"<details><summary>Every test</summary>{table}</details>"


def _votes(content):
    if not content["votes"]:
        return ""
    rows = [
        _row(name, (found["votes"], _interval(found["taken_for_real"]), _interval(found["liking"])))
        for name, found in content["votes"].items()
    ]
    return "<h3>Heard</h3>" + _table("Votes of the listening test", ["", "votes", "taken for real", "liking"], rows)


def _row(name, cells):
    return f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _table(caption, heads, rows):
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    name = escape(caption, quote=True)
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{name}"><table><caption>{name}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _interval(found):
    if found["value"] is None:
        return "–"
    ends = "" if found["low"] is None else f'<span class="interval">{found["low"]:.3g} to {found["high"]:.3g}</span>'
    return f"{found['value']:.3g}{ends}"


def _facts(facts):
    """Nested facts as lists of terms."""
    if isinstance(facts, dict):
        rows = "".join(f"<dt>{escape(str(name))}</dt><dd>{_facts(value)}</dd>" for name, value in facts.items())
        return f"<dl>{rows}</dl>" if rows else "none"
    if isinstance(facts, list) and any(isinstance(each, dict | list) for each in facts):
        return f"<ul>{''.join(f'<li>{_facts(each)}</li>' for each in facts)}</ul>"
    if isinstance(facts, list):
        return escape(", ".join(map(str, facts))) or "none"
    return escape("not known" if facts is None else str(facts)) or "–"


def _listed(names):
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
