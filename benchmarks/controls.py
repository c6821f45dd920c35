"""Controls: what compositions were asked to be and what they became, and how often they are stuck in a loop.

A composer learns from chorales of Bach and folk tunes in the same run. For every control it is asked for values
spread over the training data's, each in many pieces; a piece counts as right if the value that is measured in it (see
`composers.controls.achieved`) is the one asked for: exactly for key, tempo, meter, length, polyphony, range and
instrument, within a quarter for the density. The reference is what pieces reach that were asked for nothing. Genre is
judged by two n-gram models that learnt the genres from the same pieces.

Beside the shares stand, for every value that was asked, what the pieces became: mean and range of what is a number,
the share of what is a name; and a request for many controls at once.

The share of compositions with a loop stands beside that of held-out pieces, cut into parts of as many bars (see
`loops.py`); the goal for the upper end of its interval is the data's share plus two points.
"""

import numpy as np
from common import Results, make_parser
from loops import POINTS, loops_among, parts_of, upper_bound

from musicgen import EventsCodec
from musicgen.baselines import NGram
from musicgen.composers import LSTMComposer
from musicgen.composers.controls import achieved
from musicgen.datasets import load_corpus, split
from musicgen.errors import InputError

CHORALES, TUNES = 360, 360
EACH, LOOPED, BARS = 200, 2000, 8
MINUTES = 8
NETWORK = {"preset": "small", "dropout": 0.2}
QUICK = {"chorales": 24, "tunes": 24, "each": 8, "looped": 32, "minutes": 0.5}
KEYS = ("C major", "G major", "Bb major", "E major", "A minor", "D minor", "F# minor", "C minor")
ASKED = {
    "key": [{"key": key} for key in KEYS],
    "tempo": [{"tempo": bpm} for bpm in (60, 77.7, 93, 120)],
    "bars": [{"bars": bars} for bars in (1, 4, 13)],
    "density": [{"density": density} for density in (1.0, 2.0, 3.5)],
    "polyphony": [{"polyphony": notes} for notes in (1, 2, 3)],
    "pitch_range": [{"pitch_range": pitches} for pitches in ((60, 72), (48, 67), (55, 84))],
    "instrument": [{"instrument": name} for name in ("Flute", "Violin", "Church Organ")],
    "genre": [{"genre": genre} for genre in ("chorale", "folk")],
}
#: Controls that are numbers, with their units.
UNITS = {
    "tempo": "beats/min",
    "bars": "bars",
    "density": "notes/quarter",
    "polyphony": "notes at once",
    "pitch_range": "MIDI pitch",
}
#: Asked for in one call.
TOGETHER = {
    "genre": "chorale",
    "key": "D minor",
    "tempo": 84,
    "meter": "4/4",
    "bars": 8,
    "density": 3.0,
    "polyphony": 4,
    "pitch_range": (45, 76),
}
METERS = 3  # the most frequent ones of the training data are asked for
ENOUGH = 90  # % right


def main(argv=None):
    """Measure and write; returns the content of the result file."""
    parser = make_parser(__doc__, seeds=[0])
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of training (default %(default)s)")
    parser.add_argument("--penalties", type=float, nargs="*", default=[0.0], metavar="P", help="compared for loops")
    args = parser.parse_args(argv)
    each, looped = (QUICK["each"], QUICK["looped"]) if args.quick else (EACH, LOOPED)
    minutes = QUICK["minutes"] if args.quick else args.minutes
    training, held_out = pieces(args.quick)
    parts = [part for piece in held_out for part in parts_of(piece, BARS)]
    results = Results(args)
    results.add("pieces learnt from", len(training), "", direction="max")
    composer = LSTMComposer(**NETWORK, seed=args.seeds[0])
    composer.fit(training, validation=held_out, epochs=200, minutes=minutes, batch_size=16)
    results.add("held-out loss", min(composer.provenance["history"]["val_loss"]), "nats/token")
    add_controls(results, composer, training, each, args.seeds[0])
    add_loops(results, composer, parts, looped, args)
    return results.finish()


def pieces(quick):
    """Pieces to learn from and held-out ones, of those that the codec can hold."""
    counts = (QUICK["chorales"], QUICK["tunes"]) if quick else (CHORALES, TUNES)
    chorales = list(load_corpus("bach-chorales"))[: counts[0]]
    tunes = list(load_corpus("folk", limit=counts[1], workers=0))
    usable = [piece for piece in (*chorales, *tunes) if _fits(piece)]
    return split(usable, (0.85, 0.15), seed=0)


def _fits(piece):
    try:
        EventsCodec(tracks=4).encode(piece)
    except InputError:
        return False
    return True


# ---- asked and achieved


def add_controls(results, composer, training, each, seed):
    """The share of pieces that became what was asked, by control; what became of every value; all at once."""
    judge = GenreJudge(composer.codec, training)
    free = composer.compose_many(each, bars=BARS, seed=seed + 1)
    held = composer.provenance["controls"]["Meter"]
    meters = sorted(held, key=held.get)[-METERS:]
    for control, requests in {**ASKED, "meter": [{"meter": meter} for meter in meters]}.items():
        hits, chance, made = [], [], {}
        for number, request in enumerate(requests):
            options, asked = {"bars": BARS, **request}, request[control]
            count = each // len(requests) + (number < each % len(requests))
            made[asked] = composer.compose_many(count, seed=seed, **options)
            hits += [is_right(control, asked, piece, judge) for piece in made[asked]]
            chance += [is_right(control, asked, piece, judge) for piece in free]
        share = 100 * np.mean(hits)
        goal = 100 if control not in ("key", "density", "genre") else ENOUGH
        row = {"reference": 100 * np.mean(chance), "goal": goal, "direction": "max"}
        results.add(f"{control}: as asked, of {len(hits)}", share, "%", **row)
        for asked, pieces in made.items():
            add_achieved(results, control, asked, pieces, judge)
    add_together(results, composer, each, seed, judge)


def add_achieved(results, control, asked, pieces, judge):
    """What pieces became of which one value was asked: means of numbers, shares of names."""
    if control not in UNITS:
        share = 100 * np.mean([is_right(control, asked, piece, judge) for piece in pieces])
        results.add(f"{control} asked {asked}: achieved in, of {len(pieces)}", share, "%", direction="max")
        return
    found = [achieved(piece)[control] for piece in pieces]
    values = np.array([[float(value) for value in one.split(" to ")] for one in found])
    ends = [("", asked)] if values.shape[1] == 1 else list(zip((" from", " to"), asked, strict=True))
    for (end, wanted), column in zip(ends, values.T, strict=True):
        what = f"{control}{end} asked {wanted}: achieved by {len(pieces)}, {column.min():g} to {column.max():g}, mean"
        results.add(what, column.mean(), UNITS[control], reference=wanted)


def add_together(results, composer, count, seed, judge):
    """The share of pieces that became what was asked in all of several controls, and in each."""
    made = composer.compose_many(count, seed=seed, **TOGETHER)
    hits = {name: [is_right(name, value, piece, judge) for piece in made] for name, value in TOGETHER.items()}
    told = ", ".join(f"{name} {value}" for name, value in TOGETHER.items())
    results.add(
        f"{told}, all asked at once: all achieved, of {count}",
        100 * np.mean(np.all(list(hits.values()), 0)),
        "%",
        direction="max",
    )
    for name, right in hits.items():
        results.add(f"{name}, asked with the others: achieved", 100 * np.mean(right), "%", direction="max")


def is_right(control, asked, piece, judge):
    """Whether a piece is what was asked."""
    found = {**achieved(piece), "genre": judge(piece) if control == "genre" else ""}
    value = found.get(control, "")
    if control == "density":
        return abs(float(value) - asked) <= 0.25 * asked
    if control == "polyphony":
        return int(value) <= asked
    if control == "pitch_range":
        low, high = map(int, value.split(" to "))
        return asked[0] <= low and high <= asked[1]
    if control == "tempo":
        return abs(float(value) - asked) < 1e-3
    return value == str(asked)


class GenreJudge:
    """Names the genre whose n-gram model expects a piece better; control tokens are left out."""

    def __init__(self, codec, training):
        self.codec = codec
        self.models = {}
        for genre in codec.genres:
            streams = [self._tokens(piece) for piece in training if piece.meta.get("genre") == genre]
            self.models[genre] = NGram(4, vocab_size=codec.vocab_size).fit(streams)

    def __call__(self, piece):
        tokens = self._tokens(piece)
        return min(self.models, key=lambda genre: float(np.sum(self.models[genre].nll(tokens))))

    def _tokens(self, piece):
        return self.codec.encode(piece, controls=())


# ---- loops


def add_loops(results, composer, parts, count, args):
    """Shares of pieces with a loop: data, compositions with the default penalty and with others."""
    data = 100 * loops_among(parts) / len(parts)
    results.add(f"held-out parts of {BARS} bars with a loop, of {len(parts)}", data, "%")
    default = composer.options["repetition_penalty"]
    for penalty in dict.fromkeys([default, *args.penalties]):
        share, upper, warned = looping(composer, count, penalty, args.seeds[0])
        name = f"compositions with a loop, penalty {penalty:g}"
        results.add(f"{name}, of {count}", share, "%", reference=data)
        goal = data + POINTS if penalty == default else None
        results.add(f"{name}: upper end of the 95 % interval", upper, "%", reference=data, goal=goal)
        results.add(f"{name}: with a warning", warned, "%")


def looping(composer, count, penalty, seed):
    """Share of compositions with a loop, upper end of its interval, share with a warning, in %."""
    pieces = composer.compose_many(count, bars=BARS, seed=seed + 2, repetition_penalty=penalty)
    loops = loops_among(pieces)
    warned = np.mean(["warning" in piece.meta for piece in pieces])
    return 100 * loops / count, 100 * upper_bound(loops, count), 100 * warned


if __name__ == "__main__":
    main()
