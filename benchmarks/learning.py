"""What the LSTM learns from real data: recordings with their genres, chorales, folk tunes.

Each data set is split by piece, copies on one side; the LSTM learns from one part, stops by a second and is judged by
the third. Its rivals learn from the same tokens: n-grams with Kneser-Ney smoothing, of one, two and five tokens,
the last also from the pieces in all keys, which the LSTM is given too. The figure is the negative log-likelihood of
all tokens from the first bar on, divided by the number of notes: what stands in front of a piece (its genre, key and
tempo) is given and not counted. What it composes is measured beside the held-out pieces, and its loops, in two
thousand compositions of eight bars, beside those of all pieces of the set, cut into parts of as many bars (see
`loops.py`).

Whether genres help is asked of the recordings, five times with other seeds and other held-out clips: the same network
learns with the genre in front and without, and the interval is that of the paired differences (Student's t).
"""

from pathlib import Path

import numpy as np
import sources
from common import Results, make_parser
from loops import POINTS, loops_among, parts_of, upper_bound

from musicgen.baselines import NGram
from musicgen.codecs import EventsCodec
from musicgen.composers import LSTMComposer
from musicgen.datasets import split
from musicgen.datasets.labels import labelled
from musicgen.errors import InputError
from musicgen.metrics import compare_with, longest_verbatim_run

PARTS = (0.8, 0.1, 0.1)
MINUTES = {"clips": 5, "bach-chorales": 12, "folk": 20}
NETWORKS = {
    "clips": {"preset": "small"},
    "bach-chorales": {"preset": "small"},
    "folk": {"preset": "small", "dropout": 0.2},
}
TRAINING = {"clips": {"batch_size": 4}, "bach-chorales": {"batch_size": 16}, "folk": {"batch_size": 32}}
GENRE_SEEDS, GENRE_MINUTES = 5, 2.5
COMPOSED, BARS, RESOLUTION = 100, 16, 4
LOOPED, LOOPED_BARS, LOOPED_PARTS = 2000, 8, 4000
QUICK = {"minutes": 0.2, "pieces": 60, "seeds": 2, "composed": 4, "looped": 32}
SHOWN = {
    "notes_per_quarter": "notes/quarter",
    "polyphony": "notes",
    "pitches": "pitches",
    "pitch_class_entropy": "bits",
    "in_key_share": "share",
    "median_note_quarters": "quarters",
    "empty_bar_share": "share",
}
OVERLAPS = {
    "pitch_class": "pitch classes",
    "note_quarters": "note lengths",
    "interval": "melodic intervals",
    "inter_onset_quarters": "distances of onsets",
}
STUDENT = 2.776  # 97.5 % quantile of Student's t with 4 degrees of freedom


def main(argv=None):
    """Measure and write; returns the content of the result file."""
    parser = make_parser(__doc__, seeds=[0])
    parser.add_argument("--sets", nargs="+", choices=list(MINUTES), default=list(MINUTES), help="default: all")
    parser.add_argument("--models", type=Path, metavar="DIR", help="keep trained composers here, and load them")
    args = parser.parse_args(argv)
    if "clips" in args.sets and args.data is None:
        raise InputError("no recordings", remedy="set MUSICGEN_DATA or --data to the folder that holds gtzan/")
    results = Results(args)
    for name in args.sets:
        pieces = usable(pieces_of(name, args))
        add_set(results, name, pieces, args)
        if name == "clips":
            add_genres(results, pieces, args)
    return results.finish()


def pieces_of(name, args):
    """The pieces of a data set; recordings are transcribed anew."""
    limit = QUICK["pieces"] if args.quick else None
    return sources.pieces_of(name, args.data, scratch="learning", limit=limit)


def usable(pieces):
    """Those that the codec can hold."""
    codec = EventsCodec.for_data(pieces)
    return [piece for piece in pieces if len(piece) and encoded(codec, piece) is not None]


def encoded(codec, piece):
    """Tokens of a piece, None if the codec cannot hold it."""
    try:
        return codec.encode(piece)
    except InputError:
        return None


def trained(name, training, check, args, *, seed, minutes, label=""):
    """A composer that learned for so long, on the whole or until the second part speaks against it."""
    path = args.models / f"{name}-{seed}{label}" if args.models else None
    if path and path.exists():
        return LSTMComposer.load(path)
    composer = LSTMComposer(**NETWORKS[name], seed=seed)
    minutes = QUICK["minutes"] if args.quick else minutes
    composer.fit(training, validation=check, epochs=60, minutes=minutes, progress=False, **TRAINING[name])
    if path:
        composer.save(path)
    return composer


def add_set(results, name, pieces, args):
    """The rows of one data set."""
    training, check, test = split(pieces, PARTS, seed=args.seeds[0])
    composer = trained(name, training, check, args, seed=args.seeds[0], minutes=MINUTES[name])
    notes = sum(map(len, test))
    results.add(f"{name}: pieces, learnt from", len(training), f"of {len(pieces)}", direction="max")
    results.add(f"{name}: notes, held out", notes, f"in {len(test)} pieces", direction="max")
    rivals = {
        "unigram": ngram_nats(composer.codec, 1, training, test),
        "bigram, Kneser-Ney": ngram_nats(composer.codec, 2, training, test),
        "5-gram, Kneser-Ney": ngram_nats(composer.codec, 5, training, test),
        "5-gram, Kneser-Ney, of all keys": ngram_nats(composer.codec, 5, training, test, keys=range(-6, 6)),
    }
    for rival, nats in rivals.items():
        results.add(f"{name}: {rival}", nats / notes, "nats/note")
    best = min(rivals.values()) / notes
    results.add(f"{name}: LSTM", lstm_nats(composer, test) / notes, "nats/note", reference=best, goal=best)
    epochs = len(composer.provenance["history"]["loss"])
    results.add(f"{name}: LSTM, epochs in {MINUTES[name]} minutes at most", epochs, "epochs", direction="max")
    add_compositions(results, name, composer, training, test, args)
    add_loops(results, name, composer, pieces, args)


def counted(codec, stream, nats):
    """Sum of the nats of the tokens from the first bar on; `nats` are those of all tokens but the first."""
    first = int(np.argmax(stream == codec.token("Bar_None")))
    return nats[first - 1 :].sum()


def lstm_nats(composer, pieces):
    """Nats of pieces; the state runs through each from its beginning."""
    streams = [composer.codec.encode(piece) for piece in with_keys(pieces)]
    nats = composer._scorer.nll(streams)
    return sum(counted(composer.codec, *pair) for pair in zip(streams, nats, strict=True))


def ngram_nats(codec, order, training, test, *, keys=(0,)):
    """The same by an n-gram model of the training pieces."""
    streams = [codec.encode(piece) for piece in with_keys(training)]
    moved = [codec.transpose(stream, semitones) for stream in streams for semitones in keys]
    model = NGram(order, codec.vocab_size).fit([stream for stream in moved if stream is not None])
    streams = [codec.encode(piece) for piece in with_keys(test)]
    return sum(counted(codec, stream, model.nll(stream)[1:]) for stream in streams)


def with_keys(pieces):
    """Pieces with keys as labels, as `fit` gives them."""
    return [labelled(piece) for piece in pieces]


def add_compositions(results, name, composer, training, test, args):
    """What compositions measure; the held-out pieces' values stand beside them."""
    count = QUICK["composed"] if args.quick else COMPOSED
    pieces = composer.compose_many(count, bars=BARS, seed=args.seeds[0])
    silent = sum(not len(piece) for piece in pieces)
    results.add(f"{name}: compositions without notes, of {count}", silent, "pieces", goal=0)
    found = compare_with(pieces, test, resolution=RESOLUTION)
    for measure, unit in SHOWN.items():
        value, reference = found["pieces"][measure], found["references"][measure]
        results.add(f"{name}: compositions, mean: {measure.replace('_', ' ')}", value, unit, reference=reference)
    mine = compare_with(pieces, training, resolution=RESOLUTION)["overlap"]
    real = compare_with(test, training, resolution=RESOLUTION)["overlap"]
    for key, words in OVERLAPS.items():
        what = f"{name}: overlap with what was learnt from, {words}"
        results.add(what, mine[key], "share", reference=real[key], direction="max")
    add_copies(results, name, pieces, training, test)


def add_copies(results, name, pieces, training, test):
    """Passages copied from the training pieces."""
    sample, some = training[:: max(1, len(training) // 500)], test[: len(pieces)]
    runs = [
        np.mean([longest_verbatim_run(p, sample, resolution=RESOLUTION) for p in side]) for side in (pieces, some)
    ]
    what = f"{name}: notes in a row copied from {len(sample)} training pieces, mean"
    results.add(what, runs[0], "notes", reference=runs[1])


def add_loops(results, name, composer, pieces, args):
    """Compositions that are stuck in a loop of a bar or less, beside parts of the set's own pieces."""
    count = QUICK["looped"] if args.quick else LOOPED
    parts = [part for piece in pieces for part in parts_of(piece, LOOPED_BARS)]
    parts = parts[:: -(-len(parts) // LOOPED_PARTS)]
    data = 100 * loops_among(parts, resolution=RESOLUTION) / len(parts)
    composed = composer.compose_many(count, bars=LOOPED_BARS, seed=args.seeds[0] + 1)
    loops = loops_among(composed, resolution=RESOLUTION)
    results.add(f"{name}: parts of {LOOPED_BARS} bars of its pieces with a loop", data, f"% of {len(parts)}")
    share = {"reference": data, "direction": "min"}
    what = f"{name}: compositions with a loop"
    results.add(what, 100 * loops / count, f"% of {count}", **share)
    upper = 100 * upper_bound(loops, count)
    results.add(f"{what}, upper end of the 95 % interval", upper, "%", goal=data + POINTS, **share)


def add_genres(results, pieces, args):
    """Nats per note without the genre less those with it: positive where the genre helps."""
    gains = []
    plain = [piece.replace(meta={"genre": ""}) for piece in pieces]
    for seed in range(QUICK["seeds"] if args.quick else GENRE_SEEDS):
        nats = []
        for label, side in (("-genres", pieces), ("-plain", plain)):
            training, check, test = split(side, PARTS, seed=seed)
            composer = trained("clips", training, check, args, seed=seed, minutes=GENRE_MINUTES, label=label)
            nats.append(lstm_nats(composer, test) / sum(map(len, test)))
        results.add(f"clips, seed {seed}: LSTM with genres", nats[0], "nats/note", reference=nats[1])
        gains.append(nats[1] - nats[0])
    half = STUDENT * np.std(gains, ddof=1) / np.sqrt(len(gains))
    results.add("clips: what genres gain, mean", np.mean(gains), "nats/note", direction="max")
    results.add(
        "clips: what genres gain, 95 % interval, lower end", np.mean(gains) - half, "nats/note", direction="max"
    )
    results.add(
        "clips: what genres gain, 95 % interval, upper end", np.mean(gains) + half, "nats/note", direction="max"
    )


if __name__ == "__main__":
    main()
