"""What the VAE keeps of a fragment, how it moves between fragments, and what it invents.

Fragments are cut from held-out pieces; pieces are split as wholes, copies in other keys on one side. One checkpoint
per data set serves all of its rows, and the information in its latent is told with them. Beside the network stand
what holding every note gives, and the nearest training fragment in any key: what memory alone would give.

- Melodies of two bars (`folk`): reconstruction at temperature 1 from latents drawn from the posterior; interpolation
  between 1,024 pairs; attributes; fragments of the prior; speed of decoding.
- Melodies of 16 bars (`folk`), with a conductor (hierarchical) and without (flat), equally long trained.
- Two bars in four voices (`bach-chorales`).
- Recordings (two bars, all notes of a clip as one roll): where the genres lie, and what blends of them are like.
- The rolls of the polyphonic benchmark, for which a bound on the likelihood is known of other models.

With --models trained composers are kept in a folder, and loaded from there the next time.
"""

from pathlib import Path

import fragments_judged as judged
import numpy as np
import sources
from common import Results, make_parser
from frames_bound import SAMPLES, frames_bound

from musicgen.composers import VAEComposer
from musicgen.composers.attributes import ATTRIBUTES
from musicgen.datasets import split
from musicgen.datasets.polyphonic import read_rolls
from musicgen.errors import InputError

PARTS = (0.8, 0.1, 0.1)
#: Minutes of training, and what the composer is made with.
TRAININGS = {
    "folk": (65, {"fragment_bars": 2, "meter": "4/4"}),
    "folk 16 hierarchical": (15, {"fragment_bars": 16, "meter": "4/4", "latent_dim": 256}),
    "folk 16 flat": (15, {"fragment_bars": 16, "meter": "4/4", "latent_dim": 256, "hierarchical": False}),
    "bach-chorales": (60, {"fragment_bars": 2, "meter": "4/4"}),
    "clips": (20, {"fragment_bars": 2}),
    "frames": (8, {}),
}
SETS = {"folk": ["folk"], "folk-16": ["folk 16 hierarchical", "folk 16 flat"]}
SETS |= {name: [name] for name in ("bach-chorales", "clips", "frames")}
PAIRS, HELD_OUT, MOVED = 1024, 4000, 1000  # fragments: of interpolations, of reconstructions, of attributes
QUICK = {"minutes": 0.3, "pieces": 400, "pairs": 16, "held_out": 64, "moved": 32}
MUSICVAE = "MusicVAE"  # whose 28 million melodies are private


def main(argv=None):
    """Measure and write; returns the content of the result file."""
    parser = make_parser(__doc__)
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS), help="default: all")
    parser.add_argument("--models", type=Path, metavar="DIR", help="keep trained composers here, and load them")
    args = parser.parse_args(argv)
    if {"clips", "frames"} & set(args.sets) and args.data is None:
        raise InputError(
            "no data folder", remedy="set MUSICGEN_DATA or --data to the one that holds gtzan/ and bl12/"
        )
    results = Results(args)
    for name in args.sets:
        _ROWS[name](results, args)
    return results.finish()


def trained(name, pieces, args):
    """A composer that learned from pieces, and its parts: training and test."""
    training, check, test = split(pieces, PARTS, seed=args.seeds[0])
    path = args.models / name.replace(" ", "-") if args.models else None
    if path and path.exists():
        return VAEComposer.load(path), training, test
    minutes, settings = TRAININGS[name]
    composer = VAEComposer(**settings, seed=args.seeds[0])
    minutes = QUICK["minutes"] if args.quick else minutes
    composer.fit(training, validation=check, epochs=1000, minutes=minutes, patience=1000, progress=False)
    if path:
        composer.save(path)
    return composer, training, test


def pieces_of(name, args):
    """The pieces of a data set; recordings are transcribed anew."""
    limit = QUICK["pieces"] if args.quick else None
    return sources.pieces_of(name, args.data, scratch="reconstruction", limit=limit, clips=20 if args.quick else None)


def number(name, args):
    """How many of something this run looks at."""
    return QUICK[name] if args.quick else {"pairs": PAIRS, "held_out": HELD_OUT, "moved": MOVED}[name]


def add_facts(results, name, composer, tokens, found):
    """What every checkpoint is told with."""
    facts = composer.provenance
    epochs = len(facts["history"]["loss"])
    what = f"{name}: training, {TRAININGS[name][0]} minutes at most"
    results.add(what, epochs, f"epochs of {facts['latent']['fragments']:,} fragments", direction="max")
    results.add(f"{name}: held-out fragments", len(tokens), "", direction="max")
    results.add(f"{name}: information in the latent", found["bits"], "bits/fragment")
    if "bits_left" in facts["latent"]:
        left, another = facts["latent"]["bits_left"], facts["latent"]["bits_of_another"]
        results.add(f"{name}: bits of a fragment that its latent leaves untold", left, "bits", reference=another)
    results.add(
        f"{name}: active units", facts["latent"]["active_units"], f"of {composer.latent_dim}", direction="max"
    )


def add_folk(results, args):
    """Melodies of two bars: all that is asked of a latent space."""
    composer, training, test = trained("folk", pieces_of("folk", args), args)
    tokens, _ = judged.fragments_of(composer, test, number("held_out", args))
    learnt, _ = judged.fragments_of(composer, training)
    found = judged.reconstruction(composer, tokens)
    add_facts(results, "folk", composer, tokens, found)
    memory = judged.agreement(judged.looked_up(tokens[: judged.LOOKED_UP], learnt), tokens[: judged.LOOKED_UP])
    drawn, mean = found["drawn"], found["mean"]
    share = {"unit": "share", "direction": "max"}
    results.add("folk, 2 bars: steps, sampled", drawn["steps"], **share, reference=f".951 {MUSICVAE}", goal=0.95)
    results.add("folk, 2 bars: steps, sampled, from the latents' means", mean["steps"], **share)
    results.add("folk, 2 bars: steps, always hold", np.mean(tokens == judged.HOLD), **share)
    results.add("folk, 2 bars: steps, nearest training fragment", memory["steps"], **share)
    results.add("folk, 2 bars: onsets, sampled", drawn["onsets"], **share, reference=memory["onsets"], goal=0.9)
    results.add("folk, 2 bars: onsets, sampled, from the latents' means", mean["onsets"], **share)
    results.add("folk, 2 bars: steps, teacher", found["teacher"], **share, reference=f".986 {MUSICVAE}", goal=0.985)
    add_ways(results, composer, tokens, learnt, args)
    add_attributes(results, composer, tokens[: number("moved", args)])
    add_prior(results, composer, tokens, learnt, args)
    rate = judged.bars_per_second(composer)
    results.add("folk: decoding of 64 times 4 bars", rate, "bars/s", goal=500, direction="max")


def add_ways(results, composer, tokens, learnt, args):
    """Interpolation between pairs of held-out fragments: as they are, and in one key, as `interpolate` does it."""
    count = min(number("pairs", args), len(tokens) // 2)
    first, last = tokens[:count], tokens[count : 2 * count]
    for name, end in (("interpolation", last), ("interpolation in one key", judged.in_one_key(first, last))):
        found = judged.interpolation(composer, first, end, learnt)
        what = f"folk: {name}, {found['pairs']:,} pairs, Spearman's ρ of step and distance to A"
        results.add(what, found["spearman"], "", goal=0.95, direction="max")
        what = f"folk: {name}, n-gram cost of midpoints over ends"
        results.add(what, found["cost"], "×", reference=found["naive"], goal=1.1)
        for step, distance in enumerate(found["distances"], start=1):
            what = f"folk: {name}, distance to A, step {step} of {judged.STEPS}"
            results.add(what, distance, "share of steps", direction="max")


def add_attributes(results, composer, tokens):
    """What adding the attributes' vectors does."""
    effects = judged.attribute_effects(composer, tokens)
    for row, added in enumerate(ATTRIBUTES):
        for column, measured in enumerate(ATTRIBUTES):
            own = row == column
            what = f"folk: {added.replace('_', ' ')} added, " + ("itself" if own else measured.replace("_", " "))
            results.add(what, effects[row, column], "std", goal=0.5 if own else None, direction="max")


def add_prior(results, composer, tokens, learnt, args):
    """Fragments from nothing, beside held-out ones."""
    sizes = {"count": 64, "shown": 200} if args.quick else {"count": 1000, "shown": 5000}
    found = judged.prior_overlap(composer, tokens, learnt, **sizes)
    held_out = found.pop("held out")
    for name, overlap in found.items():
        shares = [overlap[feature] / held_out[feature] for feature in held_out]
        goal = 0.95 if name == "invented" else None
        what = f"folk: {name}, overlap with training data over that of held-out data"
        results.add(what, np.mean(shares), "×", goal=goal, direction="max")
        for feature, value in overlap.items():
            what = f"folk: {name}, overlap, {feature.replace('_', ' ')}"
            results.add(what, value, "share", reference=held_out[feature], direction="max")


def add_long(results, args):
    """Melodies of 16 bars, with and without a conductor."""
    pieces, kept = pieces_of("folk", args), {}
    for name in SETS["folk-16"]:
        composer, _, test = trained(name, pieces, args)
        tokens, _ = judged.fragments_of(composer, test, number("held_out", args) // 4)
        found = judged.reconstruction(composer, tokens)
        add_facts(results, name, composer, tokens, found)
        kept[name] = found
    published = dict(zip(SETS["folk-16"], (".812", ".620"), strict=True))
    flat = kept["folk 16 flat"]["drawn"]["steps"]
    for name, found in kept.items():
        share, goal = {"unit": "share", "direction": "max"}, flat if "hierarchical" in name else None
        reference = f"{published[name]} {MUSICVAE}"
        results.add(f"{name}: steps, sampled", found["drawn"]["steps"], **share, reference=reference, goal=goal)
        results.add(f"{name}: onsets, sampled", found["drawn"]["onsets"], **share)
        results.add(f"{name}: steps, teacher", found["teacher"], **share)


def add_chorales(results, args):
    """Two bars in four voices."""
    name = "bach-chorales"
    composer, training, test = trained(name, pieces_of(name, args), args)
    tokens, _ = judged.fragments_of(composer, test, number("held_out", args))
    learnt, _ = judged.fragments_of(composer, training)
    found = judged.reconstruction(composer, tokens)
    add_facts(results, name, composer, tokens, found)
    some = tokens[: judged.LOOKED_UP]
    memory = judged.agreement(judged.looked_up(some, learnt), some)["f1"]
    results.add(f"{name}: onsets, sampled", found["drawn"]["f1"], "F1", reference=memory, goal=0.9, direction="max")
    results.add(f"{name}: onsets, sampled, from the latents' means", found["mean"]["f1"], "F1", direction="max")
    results.add(f"{name}: steps, sampled", found["drawn"]["steps"], "share", direction="max")


def add_clips(results, args):
    """Genres of the recordings."""
    composer, training, test = trained("clips", pieces_of("clips", args), args)
    learnt, tokens = judged.fragments_of(composer, training), judged.fragments_of(composer, test)
    found = judged.reconstruction(composer, tokens[0])
    add_facts(results, "clips", composer, tokens[0], found)
    results.add("clips: onsets, sampled", found["drawn"]["f1"], "F1", direction="max")
    share, largest = judged.nearest_centroid_share(composer, learnt, tokens)
    what = "clips: held-out fragments whose nearest genre centroid is their own"
    results.add(what, share, "share", reference=largest, direction="max")
    share, pairs = judged.blends_between(composer, *learnt)
    results.add(
        f"clips: features of blends between their parents', {pairs} pairs of genres", share, "share", direction="max"
    )


def add_frames(results, args):
    """A bound on the rolls of the polyphonic benchmark."""
    rolls = read_rolls(Path(args.data) / "bl12" / "JSB_Chorales.mat")
    minutes = QUICK["minutes"] if args.quick else TRAININGS["frames"][0]
    path = args.models / "frames.npz" if args.models else None
    samples = 8 if args.quick else SAMPLES
    bound, elbo = frames_bound(rolls, minutes=minutes, seed=args.seeds[0], samples=samples, path=path)
    reference = "5.118 DMM-Aug-NADE"
    results.add(f"JSB_Chorales: bound on the frames, {samples} samples", bound, "nats/step", reference=reference)
    results.add("JSB_Chorales: bound on the frames, one sample", elbo, "nats/step")


_ROWS = {
    "folk": add_folk,
    "folk-16": add_long,
    "bach-chorales": add_chorales,
    "clips": add_clips,
    "frames": add_frames,
}

if __name__ == "__main__":
    main()
