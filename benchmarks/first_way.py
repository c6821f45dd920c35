"""The whole way on GTZAN's clips: recordings, notes, a trained LSTM, new pieces, audio.

One clip of every genre is held out. The LSTM learns from the others and predicts the held-out ones; n-gram models
that learnt from the same tokens are its rivals. What it composes is measured beside the clips it learnt from, and
the held-out clips show how far apart real pieces are. `--tune` cross-validates the settings within the clips that
are not held out; the test clips have no part in any choice.
"""

import shutil
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from common import ROOT, Results, make_parser

from musicgen.baselines import NGram, random_notes
from musicgen.codecs import EventsCodec
from musicgen.datasets import gtzan_recordings, load_folder
from musicgen.errors import InputError
from musicgen.metrics import MEASURES, compare_with, longest_loop, longest_verbatim_run
from musicgen.transcription import transcribe_folder

SPLIT_SEED = 0  # of the held-out clips: the same in every run, or choices made earlier would have seen them
FOLDS = 4
NETWORK = {"preset": "small", "embedding": 192, "dropout": 0.5}
TRAINING = {"epochs": 25, "batch_size": 4, "context": 128, "learning_rate": 4e-3}
COMPOSED = {"count": 3, "bars": 12}
QUICK = {
    "genres": ("blues", "jazz", "rock"),
    "clips": 2,
    "network": {"preset": "tiny"},
    "training": {"epochs": 2, "batch_size": 4, "context": 128},
    "composed": {"count": 1, "bars": 2},
}
SHOWN = (
    "notes_per_second",
    "notes_per_quarter",
    "polyphony",
    "pitches",
    "lowest_pitch",
    "highest_pitch",
    "pitch_class_entropy",
    "in_key_share",
    "median_note_quarters",
    "empty_bar_share",
)
OVERLAPS = {
    "pitch_class": "pitch classes",
    "note_quarters": "note lengths",
    "interval": "melodic intervals",
    "inter_onset_quarters": "distances of onsets",
}
RESOLUTION = 4  # steps per quarter note: the grid of the composed pieces


def main(argv=None):
    """Walk the way, or cross-validate with `--tune`; returns the content of the result file."""
    parser = make_parser(__doc__, seeds=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "first_way", help="default: out/first_way")
    parser.add_argument("--tune", action="store_true", help="cross-validate within the training clips, nothing else")
    args = parser.parse_args(argv)
    if args.data is None:
        raise InputError("no recordings", remedy="set MUSICGEN_DATA or --data to the folder that holds gtzan/")
    if args.quick:
        args.seeds = args.seeds[:1]
    results = Results(args)
    seconds = {}
    pieces = transcribed(args, results, seconds)
    train, test = hold_out(pieces, seed=SPLIT_SEED)
    if args.tune:
        return cross_validate(train, results)
    composers = trained(args, train, test, results, seconds)
    composed = compose(args, composers[0], seconds)
    render(composed, args.out / "audio", seconds)
    add_comparison(results, composed, *(on_grid(composers[0].codec, part) for part in (train, test)))
    for stage, value in seconds.items():
        results.add(f"time: {stage}", value, "s")
    return results.finish()


def transcribed(args, results, seconds):
    """The pieces of all clips, transcribed anew."""
    clips = gtzan_recordings(Path(args.data) / "gtzan", genres=QUICK["genres"] if args.quick else None)
    if args.quick:
        clips = [clip for clip in clips if clip.number < QUICK["clips"]]
    folder = args.out / "midi"
    shutil.rmtree(folder, ignore_errors=True)
    with timed(seconds, f"transcription of {len(clips)} clips"):
        report = transcribe_folder([clip.path for clip in clips], folder)
    pieces = list(load_folder(folder))
    results.add("clips refused", len(report.refused), "clips", goal=0)
    for genre in genres_of(pieces):
        own = [len(piece) for piece in pieces if piece.meta["genre"] == genre]
        results.add(f"notes transcribed, {genre}", sum(own), f"notes in {len(own)} clips", direction="max")
    return pieces


def trained(args, train, test, results, seconds):
    """One composer per seed; rows of what they and the n-grams expect of the held-out clips."""
    from musicgen.composers import LSTMComposer
    from musicgen.composers.backend import backend_name

    codec = EventsCodec.for_data(train)
    network, training = (QUICK["network"], QUICK["training"]) if args.quick else (NETWORK, TRAINING)
    composers = [LSTMComposer(codec=codec, seed=seed, **network) for seed in args.seeds]
    stage = f"training, mean of {len(composers)} composers, {backend_name()}"
    with timed(seconds, stage):
        for composer in composers:
            composer.fit(train, **training)
    seconds[stage] /= len(composers)
    for composer in composers:
        composer.save(args.out / f"composer_{composer.seed}")
    add_likelihoods(results, codec, composers, train, test)
    return composers


def add_likelihoods(results, codec, composers, train, test):
    """Rows of nats per held-out token, every token but BOS counted, the same tokens for all."""
    notes = sum(map(len, test))
    rivals = {order: ngram_nats(codec, order, train, test) for order in (1, 2, 3, 5)}
    runs = np.array([np.concatenate(composer.nll(test)).sum() for composer in composers])
    tokens = len(rivals[1])
    unigram, bigram = rivals[1].mean(), rivals[2].mean()
    mean, worst = runs.mean() / tokens, runs.max() / tokens
    results.add("held-out tokens", tokens, f"tokens in {len(test)} clips", direction="max")
    for order, name in {1: "unigram", 2: "bigram", 3: "3-gram", 5: "5-gram"}.items():
        results.add(f"held-out nll, {name}, Kneser-Ney", rivals[order].mean(), "nats/token")
    augmented = ngram_nats(codec, 2, train, test, transpositions=range(-6, 6)).mean()
    results.add("held-out nll, bigram of the clips in every key", augmented, "nats/token")
    masked_bigram = masked_bigram_nats(codec, train, test).mean()
    results.add("held-out nll, bigram, impossible tokens masked", masked_bigram, "nats/token")
    results.add(f"held-out nll, LSTM, mean of {len(runs)}", mean, "nats/token", reference=bigram)
    results.add(f"held-out nll, LSTM, range of {len(runs)}", np.ptp(runs) / tokens, "nats/token")
    results.add("nats per note, LSTM", runs.mean() / notes, "nats/note", reference=bigram * tokens / notes)
    masked = masked_nats(composers[0], test).mean()
    results.add("held-out nll, first LSTM, impossible tokens masked", masked, "nats/token", reference=masked_bigram)
    results.add("LSTM's gain over the unigram, worst seed", unigram - worst, "nats/token", goal=0, direction="max")
    results.add("LSTM's gain over the bigram, worst seed", bigram - worst, "nats/token", goal=0, direction="max")


def ngram_nats(codec, order, train, test, *, transpositions=(0,)):
    """Nats of every token of the test pieces but BOS, in one array, by a model of the training pieces."""
    streams = [codec.encode(piece) for piece in train]
    moved = [codec.transpose(stream, semitones) for stream in streams for semitones in transpositions]
    model = NGram(order, codec.vocab_size).fit([stream for stream in moved if stream is not None])
    return np.concatenate([model.nll(codec.encode(piece))[1:] for piece in test])


def masked_nats(composer, pieces):
    """Nats of every token but BOS by an LSTM that gives tokens against the grammar no probability."""
    streams = [composer.codec.encode(piece) for piece in pieces]
    tokens = np.zeros((len(streams), max(map(len, streams))), np.int32)
    for row, stream in enumerate(streams):
        tokens[row, : len(stream)] = stream
    logits = composer.network.predict(tokens, verbose=0).astype(np.float64)
    return np.concatenate([allowed_nats(composer.codec, *pair) for pair in zip(streams, logits, strict=True)])


def masked_bigram_nats(codec, train, test):
    """The same by a bigram model."""
    model = NGram(2, codec.vocab_size).fit([codec.encode(piece) for piece in train])
    table = np.log([model.probabilities([0, token]) for token in range(codec.vocab_size)])
    streams = [codec.encode(piece) for piece in test]
    return np.concatenate([allowed_nats(codec, stream, table[stream]) for stream in streams])


def allowed_nats(codec, stream, logits):
    """Nats of a stream's tokens but the first; `logits` (n_tokens, vocab_size) of what follows each token."""
    grammar, nats = codec.grammar, np.zeros(len(stream) - 1)
    state = grammar.initial_state(1)
    for place, token in enumerate(stream[1:]):
        allowed = logits[place, grammar.allowed(state)[0]]
        nats[place] = np.logaddexp.reduce(allowed) - logits[place, token]
        state = grammar.advance(state, stream[place + 1 : place + 2])
    return nats


def compose(args, composer, seconds):
    """Pieces of every genre, written as MIDI files."""
    wanted = QUICK["composed"] if args.quick else COMPOSED
    count, bars = wanted["count"], wanted["bars"]
    shutil.rmtree(args.out / "pieces", ignore_errors=True)
    pieces = []
    with timed(seconds, f"composing {count * len(composer.codec.genres)} pieces of {bars} bars"):
        for genre in composer.codec.genres:
            pieces += composer.compose_many(count, bars=bars, genre=genre, seed=args.seeds[0])
    for piece in pieces:
        piece.save(args.out / "pieces" / f"{piece.meta['title'].replace(' ', '_')}.mid")
    return pieces


def render(pieces, folder, seconds):
    """Every piece as a WAV file."""
    shutil.rmtree(folder, ignore_errors=True)
    with timed(seconds, f"rendering of {sum(piece.duration for piece in pieces):.0f} s of music"):
        for piece in pieces:
            piece.save(folder / f"{piece.meta['title'].replace(' ', '_')}.wav")


def on_grid(codec, pieces):
    """The pieces as the codec holds them: composed ones lie on its grid, others must not differ by that alone."""
    return [codec.decode(codec.encode(piece), timing=piece.timing) for piece in pieces]


def add_comparison(results, composed, train, test):
    """Rows of what composed pieces measure, with the training clips' values as reference; all on one grid."""
    silent = sum(not len(piece) for piece in composed)
    results.add(f"composed pieces without notes, of {len(composed)}", silent, "pieces", goal=0)
    found = compare_with(composed, train, resolution=RESOLUTION)
    for name in SHOWN:
        mean, reference = found["pieces"][name], found["references"][name]
        results.add(f"composed, mean: {name.replace('_', ' ')}", mean, MEASURES[name].unit, reference=reference)
    add_overlaps(results, composed, train, test)
    density = np.corrcoef(densities(composed), densities(train))[0, 1]
    results.add("composed density follows the genre's", density, "correlation of genres", direction="max")
    add_copies(results, composed, train, test)


def add_overlaps(results, composed, train, test):
    """Rows of overlaps with the training clips: composed pieces and random notes, held-out clips as reference."""
    sides = {
        "composed": composed,
        "random notes": [random_notes(piece, seed=0, resolution=RESOLUTION) for piece in test],
    }
    real = compare_with(test, train, resolution=RESOLUTION)["overlap"]
    for side, pieces in sides.items():
        overlap = compare_with(pieces, train, resolution=RESOLUTION)["overlap"]
        for name, words in OVERLAPS.items():
            what = f"overlap with training clips, {words}: {side}"
            results.add(what, overlap[name], "share", reference=real[name], direction="max")


def add_copies(results, composed, train, test):
    """Rows of copied and repeated passages, with the held-out clips as reference."""
    runs = [[longest_verbatim_run(p, train, resolution=RESOLUTION) for p in side] for side in (composed, test)]
    loops = [[longest_loop(p, resolution=RESOLUTION).quarters for p in side] for side in (composed, test)]
    mean_runs, mean_loops = np.mean(runs[0]), np.mean(loops[0])
    results.add("notes copied in a row from training clips, mean", mean_runs, "notes", reference=np.mean(runs[1]))
    results.add("notes copied in a row from training clips, most", max(runs[0]), "notes", reference=max(runs[1]))
    results.add("longest loop, mean", mean_loops, "quarters", reference=np.mean(loops[1]))
    results.add("longest loop, longest", max(loops[0]), "quarters", reference=max(loops[1]))


def cross_validate(train, results):
    """Nats per token of every fold of the training clips; nothing of the held-out ones is looked at."""
    from musicgen.composers import LSTMComposer

    codec = EventsCodec.for_data(train)
    for number, (rest, fold) in enumerate(folds(train, seed=SPLIT_SEED)):
        composer = LSTMComposer(codec=codec, seed=number, **NETWORK)
        settings = {**TRAINING, "patience": TRAINING["epochs"]}
        losses = composer.fit(rest, validation=fold, **settings).history["val_loss"]
        nats, bigram = np.concatenate(composer.nll(fold)).mean(), ngram_nats(codec, 2, rest, fold).mean()
        what = f"fold {number}: LSTM after its best epoch, {np.argmin(losses) + 1}"
        results.add(what, nats, "nats/token", reference=bigram)
    return results.finish()


def hold_out(pieces, *, seed):
    """Training pieces, and one held-out piece of every genre drawn by `seed`."""
    rng = np.random.default_rng(seed)
    held = [int(rng.choice(indices_of(pieces, genre))) for genre in genres_of(pieces)]
    return [piece for index, piece in enumerate(pieces) if index not in held], [pieces[index] for index in held]


def folds(pieces, *, seed):
    """Pairs (rest, fold) that share out each genre's pieces among the folds."""
    rng = np.random.default_rng(seed)
    fold_of = np.zeros(len(pieces), int)
    for genre in genres_of(pieces):
        indices = indices_of(pieces, genre)
        fold_of[indices] = rng.permutation(len(indices)) % FOLDS
    for number in range(FOLDS):
        sides = [piece for piece, own in zip(pieces, fold_of, strict=True) if own != number]
        yield sides, [piece for piece, own in zip(pieces, fold_of, strict=True) if own == number]


def genres_of(pieces):
    """Sorted genre labels."""
    return sorted({piece.meta["genre"] for piece in pieces})


def indices_of(pieces, genre):
    """Places of a genre's pieces."""
    return [index for index, piece in enumerate(pieces) if piece.meta["genre"] == genre]


def densities(pieces):
    """Notes per second of each genre's pieces together."""
    groups = [[piece for piece in pieces if piece.meta["genre"] == genre] for genre in genres_of(pieces)]
    return [sum(map(len, group)) / sum(piece.duration for piece in group) for group in groups]


@contextmanager
def timed(seconds, stage):
    """Note the wall-clock time of a block under a name."""
    begin = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - begin


if __name__ == "__main__":
    main()
