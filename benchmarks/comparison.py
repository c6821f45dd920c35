"""LSTM, VAE and GAN trained on the same split for the same time, judged beside trivial rivals: which one for what.

Each set is compared by `musicgen.compare` as a user would: seven parts in ten are learnt from, one is stopped by, two
are held out. Every model writes 16 pieces of 16 bars per seed; a Markov chain, held-out real pieces, these with their
bars shuffled, and random notes stand beside. Figures are means over seeds and pieces with
intervals of 95 %; models are told apart by permutation tests within seeds, corrected for their number.

The whole run takes hours: 3 models, 3 seeds and 3 sets, each for --minutes. Composers, pieces and pages
(`report.html`) are kept in --work, where a run that was killed goes on. Rows are made of all that is finished there,
also by earlier calls with other --sets.
"""

import json
from pathlib import Path

import sources
from common import ROOT, Results, make_parser

from musicgen import compare, write_report
from musicgen.errors import InputError

SETS = ("bach-chorales", "folk", "clips")
MINUTES, PIECES, BARS, PRESET = 10.0, 16, 16, "small"
QUICK = {"minutes": 0.02, "pieces": 3, "bars": 4, "preset": "tiny", "limit": 60, "clips": 10}
#: Figures of pieces that are told of every contestant, and those of models alone, with their units.
OF_MODELS = {"longest_copy": ("longest copy", "notes", "min"), "genre_agreement": ("genre agreement", "share", "max")}
#: What of the advice is told in words.
SAID = {"choices": "choose", "ranking": "in each figure", "cautions": "mind", "limits": "not said"}


def main(argv=None):
    """Compare and write; returns the content of the result file."""
    parser = make_parser(__doc__, seeds=[0, 1, 2])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), help="to compare now (default: all)")
    parser.add_argument("--minutes", type=float, default=MINUTES, metavar="M", help="of each training (default 10)")
    parser.add_argument("--work", type=Path, metavar="DIR", help="what is kept (default: out/comparison)")
    args = parser.parse_args(argv)
    if "clips" in args.sets and args.data is None:
        raise InputError("no recordings", remedy="set MUSICGEN_DATA or --data to the folder that holds gtzan/")
    work = args.work or ROOT / "out" / ("comparison-quick" if args.quick else "comparison")
    settings = settings_of(args)
    results = Results(args)
    for name in args.sets:
        compare(data_of(name, args), work / name, **settings)
        print(write_report(work / name))
    for name in SETS:
        if content := finished(work / name, settings):
            add_set(results, name, content)
    return results.finish()


def settings_of(args):
    """What `compare` is called with."""
    settings = {"minutes": args.minutes, "pieces": PIECES, "bars": BARS, "preset": PRESET}
    if args.quick:
        settings = {name: QUICK[name] for name in settings}
    return settings | {"seeds": tuple(args.seeds)}


def data_of(name, args):
    """What `compare` is given: a name or folder, as a user would; a few pieces in a small run."""
    if args.quick:
        return sources.pieces_of(
            name, args.data, scratch="comparison-quick", limit=QUICK["limit"], clips=QUICK["clips"]
        )
    return Path(args.data) / "gtzan" if name == "clips" else name


def finished(folder, settings):
    """Content of a comparison of these settings; None where there is none."""
    file = folder / "comparison.json"
    content = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    wanted = {**settings, "seeds": list(settings["seeds"])}
    return content if content and all(content[name] == value for name, value in wanted.items()) else None


def add_set(results, name, content):
    """The rows of one comparison, and its advice."""
    for part, count in content["split"].items():
        results.add(f"{name}: pieces {part}", count, "pieces", direction="max")
    for what, each in content["criteria"].items():
        direction = "max" if each["more"] else "min"
        for who, entry in content["contestants"].items():
            add_figure(results, f"{name}: {each['called']}, {who}", entry["figures"][what], "0 to 1", direction)
        for test in content["tests"]["differences"]:
            if test["criterion"] == what and {test["first"], test["second"]} <= set(content["models"]):
                add_test(results, name, each["called"], direction, test)
    for figure, (called, unit, direction) in OF_MODELS.items():
        for who in (*content["models"], "real", "markov"):
            found = content["contestants"][who]["figures"][figure]
            add_figure(results, f"{name}: {called}, {who}", found, unit, direction)
    for model in content["models"]:
        add_trainings(results, name, model, content)
    for part, head in SAID.items():
        results.say(f"{name}: {head}", content["advice"][part])


def add_figure(results, what, found, unit, direction):
    """A figure with its interval, where it is known."""
    if found["value"] is not None:
        ends = f"95 %: {found['low']:.3f} to {found['high']:.3f}" if found["low"] is not None else None
        results.add(what, found["value"], unit, reference=ends, direction=direction)


def add_test(results, name, called, direction, test):
    """The difference of two models and whether it counts."""
    told = "told apart" if test["counts"] else "not told apart"
    what = f"{name}: {called}, {test['first']} less {test['second']}"
    results.add(what, test["value"], told, reference=f"corrected p {test['corrected']:.2g}", direction=direction)


def add_trainings(results, name, model, content):
    """How long a model trained, and how soon it had learnt: means over seeds, with their range."""
    told = {"seconds": "training", "seconds_to_learn": "training until within 5 % of its best"}
    for fact, called in told.items():
        minutes = [each[fact] / 60 for each in content["trainings"][model]]
        mean, ends = sum(minutes) / len(minutes), f"{min(minutes):.3g} to {max(minutes):.3g} over seeds"
        results.add(f"{name}: {called}, {model}", mean, "min", reference=ends)


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        raise SystemExit(f"error: {error}") from error
