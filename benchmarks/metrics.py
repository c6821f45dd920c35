"""Metrics: what the levels of noise and coherence tell, and how fast pieces are evaluated, beside muspy.

Noise: pieces get noise of 0 to 50 % of their notes, in steps of 5 %; Spearman's rank correlation of each piece's
noise level with the share is averaged. Coherence: how often the level of a piece is above that of the same piece with
its bars in random order, and with phrases of four bars in random order; and how folk tunes compare with what a 5-gram
of them writes, which has no memory beyond two notes. The weights of both levels were learnt by
`fit_metrics.py` from one half of four corpora; here are the other halves, two corpora of which nothing was learnt,
and transcribed recordings.

Judged sets: the held-out half of the chorales is judged beside the other half, then rivals made of it. Genres: a
classifier learns from one half of the pieces, which corpus or genre they are from, and names those of the other.

Speed is processor time of one process. Where muspy cannot be imported, its rows are left out.
"""

import importlib.util
import itertools
import shutil
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
from common import ROOT, Results, make_parser
from fit_metrics import LEARNT, MAX_NOTES, MIN_BARS, MIN_NOTES, fit_for_noise, half, long_enough
from scipy.stats import spearmanr

from musicgen.baselines import NOISES, NGram, random_notes, shuffled_bars, with_random_notes
from musicgen.datasets import gtzan_recordings, load_corpus, load_folder
from musicgen.metrics import COHERENCE, MEASURES, Reference, evaluate, mean_interval, noise_level
from musicgen.metrics.facts import Facts, onset_steps
from musicgen.notes import NoteSequence
from musicgen.transcription import transcribe_folder
from musicgen.transforms import concatenate, crop, drop_short, transpose

CORPORA = (*LEARNT, "monteverdi", "trecento")
KINDS = {**NOISES, "random notes on the grid": partial(with_random_notes, resolution=4)}
WITH_GOAL = ("random notes", "jitter", "fragments")
SHARES = np.linspace(0, 0.5, 11)
NOISE_PIECES, ORDER_PIECES, SPEED_PIECES, SPEED_BARS, MUSPY_PIECES = 24, 150, 1000, 64, 60
QUICK = {"noise": 2, "order": 6, "speed": 12, "muspy": 4, "corpora": ("bach-chorales", "folk")}
GOAL_RHO, GOAL_TOLD, GOAL_S, GOAL_SPEED = 0.95, 0.8, 60, 5
PHRASE_BARS, REPEATS, GENRE_PIECES = 4, 5, 50
STEPS, GAPS, FIVE_GRAM_NOTES = 12, 97, 250  # steps per quarter note, distances in steps that are told apart
MUSPY_STEPS = (24, 4)  # its own default, and the coarsest that holds sixteenths


def main(argv=None):
    """Measure and write; returns the content of the result file."""
    args = make_parser(__doc__, seeds=[0]).parse_args(argv)
    results, seed = Results(args), args.seeds[0]
    corpora = {name: tested(name, seed) for name in (QUICK["corpora"] if args.quick else CORPORA)}
    clips = {"clips": transcribed(args)} if args.data else {}
    for name, pieces in {**corpora, **clips}.items():
        add_noise(results, name, fit_for_noise(pieces, QUICK["noise"] if args.quick else NOISE_PIECES), seed)
    add_coherence(results, corpora, clips, QUICK["order"] if args.quick else ORDER_PIECES, seed)
    add_memoryless(results, corpora["folk"], QUICK["order"] if args.quick else ORDER_PIECES, seed)
    add_judged(results, corpora["bach-chorales"], seed)
    labelled = [piece.replace(meta={"genre": name}) for name in corpora for piece in corpora[name][:GENRE_PIECES]]
    add_genres(results, "corpora", labelled, seed)
    for name, pieces in clips.items():
        add_genres(results, name, pieces, seed)
    pieces = long_pieces(corpora, QUICK["speed"] if args.quick else SPEED_PIECES)
    add_speed(results, pieces, corpora, seed)
    if importlib.util.find_spec("muspy"):
        add_muspy(results, pieces[:: max(1, len(pieces) // (QUICK["muspy"] if args.quick else MUSPY_PIECES))])
    return results.finish()


def tested(name, seed):
    """The pieces of a corpus of which nothing was learnt."""
    if name in LEARNT:
        return half(name, 1)
    pieces = [piece for piece in load_corpus(name) if len(piece)]
    return [pieces[place] for place in np.random.default_rng(seed).permutation(len(pieces))]


def transcribed(args):
    """The recordings, transcribed anew."""
    folder = ROOT / "out" / "metrics" / "midi"
    shutil.rmtree(folder, ignore_errors=True)
    recordings = [recording.path for recording in gtzan_recordings(Path(args.data) / "gtzan")]
    transcribe_folder(recordings[:4] if args.quick else recordings, folder, progress=False, workers=1)
    return [piece for piece in load_folder(folder) if len(piece)]


def add_noise(results, name, pieces, seed):
    """Rank correlations of level and share, and the level of the pieces as they are."""
    results.add(f"noise, {name}: pieces", len(pieces), f"of {MIN_NOTES} to {MAX_NOTES} notes", direction="max")
    own = mean_interval([noise_level(piece) for piece in pieces], seed=seed)
    results.add(f"noise, {name}: level of the pieces as they are, mean", own.value, "")
    for kind, spoil in KINDS.items():
        places = range(len(pieces))
        levels = np.array([[noise_level(spoil(pieces[k], share, seed=k)) for share in SHARES] for k in places])
        found = mean_interval([spearmanr(row, SHARES).statistic for row in levels], seed=seed)
        goal = GOAL_RHO if kind in WITH_GOAL and name != "clips" else None
        what = f"noise, {name}: {kind}, Spearman's ρ"
        results.add(f"{what}, mean", found.value, "", goal=goal, direction="max")
        results.add(f"{what}, 95 % interval, lower end", found.low, "", direction="max")
        results.add(f"noise, {name}: {kind}, level with 50 %, mean", levels[:, -1].mean(), "", reference=own.value)


def add_coherence(results, corpora, clips, count, seed):
    """How often pieces are told from their shuffled bars, by the level and by adjacent-bar chroma."""
    told = {name: {rival: [] for rival in ("bars", "phrases", "chroma")} for name in (*corpora, *clips)}
    for name, pieces in {**corpora, **clips}.items():
        chosen = pieces if name in clips else long_enough(pieces, count)
        chosen = [piece for piece in chosen if len(piece.timing.bars(piece.duration)) >= 2 * PHRASE_BARS]
        for place, piece in enumerate(chosen):
            mixed = shuffled_bars(piece, seed=seed + place)
            told[name]["bars"].append(is_told("coherence_level", piece, mixed))
            told[name]["chroma"].append(is_told("chroma_continuity", piece, mixed))
            told[name]["phrases"].append(is_told("coherence_level", *in_phrases(piece, seed + place)))
        add_told(results, name, told[name], None if name in clips else GOAL_TOLD, seed)
    every = {rival: list(itertools.chain(*(told[name][rival] for name in corpora))) for rival in ("bars", "phrases")}
    every["chroma"] = list(itertools.chain(*(told[name]["chroma"] for name in corpora)))
    add_told(results, "all corpora", every, GOAL_TOLD, seed)


def add_told(results, name, told, goal, seed):
    """Rows of one set of pieces; the reference is adjacent-bar chroma."""
    found, chroma, phrases = (mean_interval(told[rival], seed=seed) for rival in ("bars", "chroma", "phrases"))
    least = f"of at least {MIN_BARS} bars" if goal else f"of at least {2 * PHRASE_BARS} bars"
    results.add(f"coherence, {name}: pieces", len(told["bars"]), least, direction="max")
    what = f"coherence, {name}: told from shuffled bars"
    results.add(what, 100 * found.value, "%", reference=100 * chroma.value, goal=goal and 100 * goal, direction="max")
    results.add(f"{what}, 95 % interval, lower end", 100 * found.low, "%", direction="max")
    what = f"coherence, {name}: told from shuffled phrases of {PHRASE_BARS} bars"
    results.add(what, 100 * phrases.value, "%", direction="max")


def is_told(name, piece, mixed):
    """1 where the measure of the piece is greater, one half where both are the same."""
    own, other = (COHERENCE[name].of(Facts(each)) for each in (piece, mixed))
    return float(own > other) + 0.5 * float(own == other)


def in_phrases(piece, seed):
    """The piece put together from its phrases of four bars, and the same in random order; the last one stays last."""
    edges = piece.timing.quarters_to_seconds(piece.timing.bars(piece.duration)[::PHRASE_BARS])
    edges = np.append(np.maximum(edges, 0.0), piece.duration)
    phrases = [drop_short(crop(piece, *edge), 1.0) for edge in itertools.pairwise(edges)]  # what rounding leaves
    order = np.random.default_rng(seed).permutation(len(phrases) - 1)
    return concatenate(phrases), concatenate([*(phrases[place] for place in order), phrases[-1]])


def add_memoryless(results, pieces, count, seed):
    """Measures of tunes in 4/4, and in how many pairs they are above those of what a 5-gram of such tunes writes."""
    plain = [p for p in pieces if p.timing.meters[0].quarters == 4 and len(p.timing.meters) == len(p.tracks) == 1]
    real, written = long_enough(plain, count), list(five_gram_pieces(plain, count))
    for name in ("coherence_level", "phrase_return", "bar_line_smoothness", "structureness_long"):
        values = [np.array([COHERENCE[name].of(Facts(each)) for each in side]) for side in (real, written)]
        above = np.mean((values[0][:, None] > values[1]) + 0.5 * (values[0][:, None] == values[1]))
        what = f"memory, folk: {name.replace('_', ' ')}"
        results.add(
            f"{what} of 5-gram pieces, mean", values[1].mean(), "", reference=values[0].mean(), direction="max"
        )
        results.add(f"{what}: pairs in which the tune is above", 100 * above, "%", direction="max")


def five_gram_pieces(pieces, count):
    """What a 5-gram of one-voiced pieces writes, of distances in steps and pitches in turn, in 4/4."""
    tokens = [stream for stream in map(gaps_and_pitches, pieces) if len(stream)]
    model = NGram(5, GAPS + 128).fit(tokens)
    for seed in range(count):
        stream = model.generate(2 * FIVE_GRAM_NOTES, seed=seed)
        gaps, pitches = stream[stream < GAPS], stream[stream >= GAPS] - GAPS
        notes = min(len(gaps), len(pitches))
        starts = np.cumsum(np.maximum(gaps[:notes], 1)) / (2 * STEPS)  # s, at 120 quarter notes per minute
        ends = np.append(starts[1:], starts[-1] + 0.5)
        rows = zip(starts - starts[0], ends - starts[0], pitches[:notes].tolist(), strict=True)
        yield NoteSequence([(start, end, pitch, 80, 0) for start, end, pitch in rows])


def gaps_and_pitches(piece):
    """Distance from the note before and pitch of each note, in turn."""
    steps = onset_steps(piece.timing, piece.notes["start"], STEPS)
    gaps = np.clip(np.diff(steps, prepend=steps[0]), 1, GAPS - 1)
    return np.column_stack([gaps, GAPS + piece.notes["pitch"].astype(np.int64)]).ravel()


def add_judged(results, pieces, seed):
    """The levels of real chorales and of rivals made of them, judged beside other chorales."""
    judged, references = pieces[: len(pieces) // 2], pieces[len(pieces) // 2 :]
    reference = Reference(references, seed=seed)
    sets = {
        "chorales": judged,
        "their bars shuffled": [shuffled_bars(piece, seed=k) for k, piece in enumerate(judged)],
        "random notes in their place": [random_notes(p, seed=k, resolution=4) for k, p in enumerate(judged)],
        **{f"with 25 % {kind}": [f(p, 0.25, seed=k) for k, p in enumerate(judged)] for kind, f in NOISES.items()},
    }
    for name, chosen in sets.items():
        found = evaluate(chosen, reference)
        for family, figure in found.levels.items():
            what, direction = f"judged, {name}: {family}", "min" if family == "noise" else "max"
            real = figure.references.value
            results.add(what, figure.pieces.value, figure.unit, reference=real, direction=direction)
        nats = found["nats_per_note"]
        results.add(f"judged, {name}: 5-gram", nats.pieces.value, nats.unit, reference=nats.references.value)


def add_genres(results, name, pieces, seed):
    """How often the classifier names the genre of pieces that it did not see; the reference is the commonest one."""
    reference = Reference(pieces, seed=seed)
    found = reference.figures["genre_agreement"]
    counts = Counter(reference.held_out.genres)
    chance = max(counts.values()) / counts.total()
    what = f"genres, {name}: agreement on {counts.total()} pieces of {len(counts)} genres"
    results.add(what, found.value, "share", reference=chance, direction="max")
    results.add(f"{what}, 95 % interval, lower end", found.low, "share", direction="max")


def long_pieces(corpora, count):
    """Windows of 64 bars, the corpora in turn; where they do not suffice, in other keys too."""
    sources = [list(windows(pieces)) for pieces in corpora.values()]
    found = [piece for group in itertools.zip_longest(*sources) for piece in group if piece is not None]
    keys = itertools.chain.from_iterable((transpose(piece, shift) for piece in found) for shift in (0, 1, -1, 2, -2))
    return list(itertools.islice(keys, count))


def windows(pieces):
    """Every 64 bars in a row of the pieces that have so many."""
    for piece in pieces:
        edges = piece.timing.quarters_to_seconds(piece.timing.bars(piece.duration)[::SPEED_BARS])
        yield from (crop(piece, *edge) for edge in itertools.pairwise(np.maximum(edges, 0.0)))


def add_speed(results, pieces, corpora, seed):
    """Seconds to judge many pieces, and to measure the references before."""
    references = [piece for name in corpora for piece in corpora[name][:50]]
    begin = time.process_time()
    reference = Reference(references, seed=seed)
    reference.figures  # noqa: B018 - worked out when first asked for
    measured = time.process_time()
    evaluate(pieces, reference)
    done = time.process_time()
    results.add("speed: pieces of 64 bars", len(pieces), f"with {sum(map(len, pieces))} notes", direction="max")
    results.add("speed: evaluate them, once the references are measured", done - measured, "s", goal=GOAL_S)
    results.add(f"speed: measure {len(references)} references", measured - begin, "s")


def add_muspy(results, pieces):
    """The measures that muspy has too, from each library's own value of a piece in memory."""
    sys.path.append(str(ROOT / "tests"))
    from muspy_reference import to_muspy, values

    measures = [{**MEASURES, **COHERENCE}[name] for name in values(to_muspy(pieces[0]))]
    jobs = {"mine": partial(measured, pieces, measures)}
    for steps in MUSPY_STEPS:
        music = [(to_muspy(p, steps), max(1, round(steps * p.timing.meters[0].quarters))) for p in pieces]
        jobs[steps] = partial(muspys, values, music)
    seconds = processor_seconds(jobs)
    results.add("speed: pieces measured by muspy too", len(pieces), f"with {sum(map(len, pieces))} notes")
    for steps, goal in zip(MUSPY_STEPS, (GOAL_SPEED, None), strict=True):
        mine, theirs = (1000 * seconds[job] / len(pieces) for job in ("mine", steps))
        what = f"speed: {len(measures)} measures of one piece, muspy at {steps} steps per quarter note"
        results.add(what, mine, "ms", reference=theirs)
        results.add(f"{what}: times its speed", theirs / mine, "×", goal=goal, direction="max")


def muspys(values, music):
    """What muspy measures of all pieces."""
    return [values(each, bar) for each, bar in music]


def measured(pieces, measures):
    """Some measures of all pieces."""
    return [[measure.of(facts) for measure in measures] for facts in map(Facts, pieces)]


def processor_seconds(jobs):
    """Least processor time of each job over some rounds, in which the jobs take turns."""
    best = dict.fromkeys(jobs, np.inf)
    for _ in range(REPEATS):
        for name, job in jobs.items():
            begin = time.process_time()
            job()
            best[name] = min(best[name], time.process_time() - begin)
    return best


if __name__ == "__main__":
    main()
