"""What the GAN invents, beside the data that it learned from and held-out data.

Pieces are split as wholes, copies on one side. Of every data set, 20,000 bars that each of three trainings invents
are measured, with as many held-out bars as there are, and two rivals: every cell of the roll drawn on its own, and
bars of the training data in a random order; and what the generator writes without the weights by which the composer
draws one of several candidates. A gap is the distance of a side's mean to that of the training data; the
references are gaps that others report on their own data (MuseGAN: Dong et al., AAAI 2018; BinaryMuseGAN: Dong and
Yang, ISMIR 2018), which differ from ours. Definitions stand in `rolls_judged`. Values are means over the trainings,
their range is told beside.

Neurons are compared on one data set: binary while training (straight-through, or drawn), or thresholded afterwards.
"""

import time
import warnings
from pathlib import Path

import numpy as np
import rolls_judged as judged
import sources
from common import Results, make_parser

from musicgen.composers import GANComposer
from musicgen.datasets import split
from musicgen.datasets.labels import labelled
from musicgen.errors import InputError

PARTS = (0.8, 0.1, 0.1)
MINUTES = 20
SETTINGS = {"bach-chorales": {"meter": "4/4"}, "folk": {"meter": "4/4"}, "clips": {}}
BARS, LONG, LONG_PIECES = 20_000, 32, 50
QUICK = {"minutes": 0.5, "pieces": 60, "bars": 256, "long": 4}
ALONE = "generator alone"  # its fragments as they come, without weights; one training
MORE = "16 candidates"  # for each fragment; one training
RIVALS = ("held out", ALONE, MORE, "independent cells", "random bars")
GOALS = {  # published gap, goal
    "QN": (".10 BinaryMuseGAN", 0.05),
    "PP": (".03 BinaryMuseGAN", 0.03),
    "EB": (".015 to .057 MuseGAN, jamming", 0.015),
    "UPC": (".2 to .8 MuseGAN", 0.2),
    "TD": (".03 MuseGAN", 0.03),
}
NAMES = {
    "QN": "qualified notes",
    "PP": "polyphonicity",
    "EB": "empty bars",
    "UPC": "pitch classes per bar",
    "TD": "tonal distance",
}


def main(argv=None):
    """Measure and write; returns the content of the result file."""
    parser = make_parser(__doc__, seeds=[0, 1, 2])
    parser.add_argument("--sets", nargs="*", choices=list(SETTINGS), default=list(SETTINGS), help="default: all")
    parser.add_argument("--minutes", type=float, default=MINUTES, metavar="M", help="of each training (default 20)")
    parser.add_argument("--models", type=Path, metavar="DIR", help="keep trained composers here, and load them")
    parser.add_argument(
        "--neurons", choices=list(SETTINGS), metavar="SET", help="compare neurons too, on this data set"
    )
    args = parser.parse_args(argv)
    args.minutes = QUICK["minutes"] if args.quick else args.minutes
    if "clips" in (*args.sets, args.neurons) and args.data is None:
        raise InputError("no data folder", remedy="set MUSICGEN_DATA or --data to the one that holds gtzan/")
    results = Results(args)
    for name in args.sets:
        add_set(results, name, args)
    if args.neurons:
        add_neurons(results, args.neurons, args)
    return results.finish()


def pieces_of(name, args):
    """The pieces of a data set; recordings are transcribed anew."""
    limit = QUICK["pieces"] if args.quick else None
    return sources.pieces_of(name, args.data, scratch="adversarial", limit=limit, clips=20 if args.quick else None)


def trained(name, pieces, seed, args, **settings):
    """A composer, the parts of the pieces, and the seconds that it learned for (None if it was loaded)."""
    training, check, test = split(pieces, PARTS, seed=args.seeds[0])
    label = "-".join([name, str(seed), *map(str, settings.values())])
    path = args.models / label if args.models else None
    if path and path.exists():
        return GANComposer.load(path), training, test
    composer = GANComposer(**SETTINGS[name], **settings, seed=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*could not be used")
        composer.fit(training, validation=check, epochs=100_000, minutes=args.minutes, progress=False)
    if path:
        composer.save(path)
    return composer, training, test


def fragments_of(composer, pieces):
    """Fragments of pieces on the white keys."""
    pieces = [labelled(piece) for piece in pieces]
    return composer._on_white_keys(
        composer._fragments_of(*composer._arrays(pieces, argument="validation"), "validation")
    )


def invented(composer, bars, seed, candidates=None):
    """Fragments that a composer invents, on the white keys, genres as the data have them."""
    candidates = candidates or composer.options["candidates"]
    count = -(-bars // composer.fragment_bars)
    counts = np.array(list(composer.provenance["labels"].values()), float)
    labels = np.full(count, -1)
    if counts.sum():
        labels = np.random.default_rng(seed).choice(len(counts), count, p=counts / counts.sum())
    seeds = [[seed, 11, row] for row in range(count)]
    made = composer._maker.invent(composer._genre_rows(labels), seeds, candidates=candidates)
    return composer._tokens(*made)


def add_set(results, name, args):
    """The rows of one data set."""
    pieces, found, looks, sides = pieces_of(name, args), [], [], {}
    bars = QUICK["bars"] if args.quick else BARS
    for seed in args.seeds:
        composer, training, test = trained(name, pieces, seed, args)
        if not sides:
            learnt, held_out = fragments_of(composer, training), fragments_of(composer, test)
            known = set(judged.bars_of(learnt, composer._cutter.bar_steps))
            some = np.random.default_rng(0).permutation(len(learnt))
            count = min(judged.MEASURED, -(-bars // composer.fragment_bars))
            rivals = {
                "training": learnt[some],
                "held out": held_out,
                "independent cells": judged.independent_cells(learnt, count, 0),
                "random bars": judged.random_bars(learnt, count, composer._cutter.bar_steps, 0),
            }
            sides = {label: judged.facts_of(composer, tokens, known) for label, tokens in rivals.items()}
        found.append(judged.facts_of(composer, invented(composer, bars, seed), known))
        looks.append(composer.provenance["looks"])
        if seed == args.seeds[0]:
            for label, candidates in ((ALONE, 1), (MORE, 16)):
                some = invented(composer, bars // 4, seed, candidates=candidates)
                sides[label] = judged.facts_of(composer, some, known)
    fragments = composer.provenance["fragments"]
    results.add(f"{name}: fragments learnt from", fragments, f"of {len(pieces)} pieces", direction="max")
    add_pace(results, name, looks, args.minutes)
    add_gaps(results, name, found, sides)
    add_overlaps(results, name, found, sides)
    add_speed(results, name, composer, args)


def add_pace(results, name, looks, minutes):
    """Steps per second of the trainings, and the minutes after which the generators came that were kept."""
    rates = [some[-1]["step"] / (60 * minutes) for some in looks]
    results.add(f"{name}: training, {minutes:g} minutes", np.mean(rates), f"steps/s {told(rates)}", direction="max")
    kept = [max(some, key=lambda look: look["overlap"] * min(look["diversity"], 1)) for some in looks]
    shares = [minutes * best["step"] / some[-1]["step"] for best, some in zip(kept, looks, strict=True)]
    results.add(f"{name}: minutes to the generator that was kept", np.mean(shares), f"min {told(shares)}")


def add_gaps(results, name, found, sides):
    """Means of the measures, and their gaps to the training data."""
    for measure, (published, goal) in GOALS.items():
        if not np.isfinite(sides["training"][measure]):
            continue  # tonal distance of one line
        gaps = {label: abs(side[measure] - sides["training"][measure]) for label, side in sides.items()}
        ours = [abs(side[measure] - sides["training"][measure]) for side in found]
        results.add(f"{name}: {NAMES[measure]} ({measure}), training data", sides["training"][measure], "")
        results.add(f"{name}: {measure}, gap", np.mean(ours), told(ours), reference=published, goal=goal)
        for label in RIVALS:
            results.add(f"{name}: {measure}, gap, {label}", gaps[label], "")


def told(values):
    """The range of values over trainings, as a unit."""
    return f"({min(values):.3f} to {max(values):.3f})"


def add_overlaps(results, name, found, sides):
    """Overlapping areas over that of held-out data, novelty and diversity."""
    for words, names in (("rhythm", judged.RHYTHM), ("pitch, length, density", judged.SHAPE)):
        real = judged.overlap(sides["held out"], sides["training"], names)
        ours = [judged.overlap(side, sides["training"], names) / real for side in found]
        results.add(f"{name}: {words}, overlap of held-out with training data", real, "share", direction="max")
        what = f"{name}: {words}, overlap over that"
        results.add(what, np.mean(ours), told(ours), goal=0.95, direction="max")
        for label in RIVALS[1:]:
            rival = judged.overlap(sides[label], sides["training"], names) / real
            results.add(f"{what}, {label}", rival, "", direction="max")
    real, ours = sides["held out"]["verbatim"], [side["verbatim"] for side in found]
    distance = [abs(one - real) for one in ours]
    what = f"{name}: bars found verbatim in training data"
    results.add(what, np.mean(ours), told(ours), reference=real, direction="max")
    results.add(f"{what}, distance to held-out data's", np.mean(distance), told(distance), goal=0.05)
    shares = [side["diversity"] / sides["training"]["diversity"] for side in found]
    results.add(f"{name}: diversity over the data's", np.mean(shares), told(shares), goal=0.9, direction="max")
    results.add(f"{name}: the same, at most", np.max(shares), "", goal=1.1)


def add_speed(results, name, composer, args):
    """Bars per second of `compose_many`, and how smooth long pieces are."""
    rates = []
    composer.compose_many(64, bars=4, seed=0)
    for seed in range(3):
        begin = time.perf_counter()
        composer.compose_many(256, bars=4, seed=seed)
        rates.append(1024 / (time.perf_counter() - begin))
    results.add(f"{name}: compose_many, 256 pieces of 4 bars", max(rates), "bars/s", goal=500, direction="max")
    count = QUICK["long"] if args.quick else LONG_PIECES
    jump = judged.border_jump(composer, composer.compose_many(count, bars=LONG, key="C major", seed=0))
    results.add(f"{name}: jump of features at borders over inside, {LONG} bars", jump, "×", goal=1.2)


def add_neurons(results, name, args):
    """Binary neurons beside thresholding, one training each, the generator alone."""
    pieces = pieces_of(name, args)
    for neurons in ("straight-through", "stochastic", "threshold"):
        composer, training, _ = trained(name, pieces, args.seeds[0], args, neurons=neurons)
        learnt = fragments_of(composer, training)
        known = set(judged.bars_of(learnt, composer._cutter.bar_steps))
        made = invented(composer, QUICK["bars"] if args.quick else BARS // 2, 0, candidates=1)
        side, real = (judged.facts_of(composer, tokens, known) for tokens in (made, learnt))
        results.add(f"{name}, {neurons}: qualified notes, gap", abs(side["QN"] - real["QN"]), "", goal=0.05)
        shared = judged.overlap(side, real, [*judged.RHYTHM, *judged.SHAPE])
        results.add(f"{name}, {neurons}: overlap with training data", shared, "share", direction="max")


if __name__ == "__main__":
    main()
