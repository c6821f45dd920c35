"""Cleaning: what `musicgen.clean` makes of transcriptions whose truth is known, in all and by each transform alone.

Passages of music21's corpus are performed (random tempo, dynamics, articulation, onsets that scatter a little),
played by a synthesiser, transcribed, and compared with what was played by mir_eval: onset F1 (the pitch, and the
onset within 50 ms), and onset and offset F1 (the end too, within 50 ms or 20 % of the length). Half of the pieces
are played by one instrument, half by as many as they have voices, with drums, which are no part of the truth.
Intervals are 95 % bootstrap intervals of the mean gain over pieces.

The defaults of `clean` are what `--tune` prints: a search on other pieces, mostly of other corpora, played by
other instruments, option after option in the order of the chain. They are searched within bounds: tails up to 60
ms, as more would rather learn how the performances here are articulated than how long notes ring; echoes and
fragments up to a share of 0.9, as beyond it are the notes that a player repeats.
"""

import functools
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from common import Results, best_seconds, make_parser

from musicgen import NoteSequence, Track
from musicgen import transforms as t
from musicgen.datasets import load_corpus, split
from musicgen.rendering import available_backends, render
from musicgen.transcription import find_recordings, transcribe, transcribe_audio
from musicgen.workers import map_files

WORKERS = 2
#: How many pieces of which corpora are played, by what they are for and by group.
COUNTS = {
    "tuning": {
        "one instrument": {"bach-chorales": 50, "folk": 30, "string-quartets": 20},
        "mixes with drums": {"bach-chorales": 80, "string-quartets": 20},
    },
    "held out": {
        "one instrument": {"trecento": 50, "folk": 30, "string-quartets": 20},
        "mixes with drums": {"palestrina": 40, "monteverdi": 40, "string-quartets": 20},
    },
}
PARTS, GROUPS = tuple(COUNTS), tuple(COUNTS["tuning"])
DIVIDED = {"folk": 80, "string-quartets": 40}  # corpora of which each part has a half, and how many pieces of them
#: General MIDI programs: a keyboard, a plucked, a bowed and a blown one, then more for the mixes. Programs that the
#: SoundFont plays at other pitches than written (organs, acoustic bass) are not among them.
PROGRAMS = {"held out": (0, 24, 40, 73, 42, 68, 56, 33), "tuning": (4, 46, 41, 71, 25, 57, 11, 35)}
SINGLE = 4  # of them, the first ones, play alone

SECONDS, SILENCE_S = 16, 1
SAMPLE_RATE = 22050
QPM = (70, 130)
LEVELS, SPREAD = (60, 105), 6  # velocity of a voice, and standard deviation of its notes
ARTICULATION = (0.75, 1.0)  # of a note's written length
SCATTER_S = 0.008
KICK, SNARE, HIHAT = 36, 38, 42
STROKE_S = 0.1

DRY, DRY_EVERY = "tinysoundfont", 5  # a synthesiser without reverb, for every fifth piece, whatever it is played by

ALONE = {
    "drop_ghosts": t.drop_ghosts,
    "drop_faint": t.drop_faint,
    "drop_echoes": t.drop_echoes,
    "cut_overlaps": t.cut_overlaps,
    "trim_tails": t.trim_tails,
    "merge_fragments (not in clean)": t.merge_fragments,
    "drop_short of 150 ms (not in clean)": lambda piece: t.drop_short(piece, 150),
    "limit_polyphony of 4 voices (not in clean)": lambda piece: t.limit_polyphony(piece, 4),
}
SEARCH = {
    "above_share": (0, 0.5, 0.55, 0.6, 0.65),
    "below_share": (0, 0.75, 0.8, 0.85, 0.9, 0.95),
    "faint_share": (0, 0.4, 0.45, 0.5, 0.55),
    "echo_share": (0, 0.7, 0.75, 0.8, 0.85, 0.9),
    "fragment_share": (0, 0.7, 0.8, 0.9),
    "min_note_ms": (0, 140, 150, 175),
    "overlap_ms": (0, 50, 100, 150, 200),
    "tail_ms": (0, 20, 40, 60),
}
NEARLY = 0.0001  # F1 by which a gentler value may be worse
METRICS = ("onset F1", "onset and offset F1")
DRAWS = 10_000


class Heard(NamedTuple):
    """A performance: its group, what was played (`truth`) and what was heard of it (`piece`)."""

    group: str
    truth: NoteSequence
    piece: NoteSequence


def main(argv=None):
    """Measure and write; returns the content of the result file (None for `--tune`)."""
    parser = make_parser(__doc__, seeds=[1])  # the split and the performances with which the transforms were written
    parser.add_argument("--tune", action="store_true", help="search the defaults of clean on the tuning pieces")
    args = parser.parse_args(argv)
    if args.tune:
        return tune(heard_pieces("tuning", args))
    results = Results(args)
    heard = heard_pieces("held out", args)
    for group in GROUPS:
        add_group(results, group, [item for item in heard if item.group == group], seed=args.seeds[0])
    if DRY in available_backends():
        add_dry(results, heard_pieces("held out", args, every=1 if args.quick else DRY_EVERY, backend=DRY))
    add_speed(results, [item.piece for item in heard])
    if args.data is not None:
        add_recordings(results, Path(args.data) / "gtzan", few=args.quick)
    return results.finish()


# ---- performances


def heard_pieces(part, args, *, every=1, backend=None):
    """`Heard` of every performance of "held out" or "tuning", or of every so manieth, by a synthesiser."""
    generator = np.random.default_rng([args.seeds[0], PARTS.index(part)])
    programs, played = PROGRAMS[part], []
    for group, pieces in chosen_pieces(part, args.seeds[0], quick=args.quick).items():
        for number, piece in enumerate(pieces):
            piece = performed(piece, generator)
            if group == "one instrument":
                piece = alone(piece, programs[number % SINGLE])
            else:
                piece = band(piece, generator.permutation(programs))
            played.append((group, piece))
    return transcriptions(played[::every], backend)


def chosen_pieces(part, seed, *, quick):
    """Pieces of each group; where a corpus has too few for both, passages of the same serve in both."""
    chosen, used = {group: [] for group in GROUPS}, {}
    for group, counts in COUNTS[part].items():
        for name, count in counts.items():
            count = 2 if quick else count
            first = used.get(name, 0)
            pieces = corpus_pieces(name, part, seed, first + count)
            first = first if len(pieces) >= first + count else 0
            chosen[group] += pieces[first : first + count]
            used[name] = first + count
    return chosen


@functools.cache
def corpus_pieces(name, part, seed, count):
    """So many pieces of a corpus, or, of one that is divided, the half that a part may play."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of pieces that music21 cannot read
        pieces = list(load_corpus(name, limit=DIVIDED.get(name, count)))
    return split(pieces, (0.5, 0.5), seed=seed)[PARTS.index(part)] if name in DIVIDED else pieces


def performed(piece, generator):
    """A passage of a piece as someone may play it, and a second of silence."""
    piece = t.stretch(piece, piece.timing.qpm / generator.uniform(*QPM))
    start = generator.uniform(0, max(0, piece.duration - SECONDS))
    piece = t.crop(piece, start, min(start + SECONDS, piece.duration))
    notes = np.array(piece.notes)
    levels = generator.uniform(*LEVELS, len(piece.tracks))[notes["track"]]
    notes["velocity"] = np.clip(generator.normal(levels, SPREAD), 1, 127).round()
    lengths = (notes["end"] - notes["start"]) * generator.uniform(*ARTICULATION)
    notes["start"] = np.maximum(notes["start"] + generator.normal(0, SCATTER_S, len(notes)), 0)
    notes["end"] = notes["start"] + lengths
    return piece.replace(notes=notes, duration=SECONDS + SILENCE_S)


def alone(piece, program):
    """All voices by one instrument."""
    return piece.replace(tracks=[track._replace(program=int(program)) for track in piece.tracks])


def band(piece, programs):
    """Every voice by an instrument of its own, and a drum kit."""
    tracks = [track._replace(program=int(p)) for track, p in zip(piece.tracks, programs, strict=False)]
    tracks.append(Track("Drums", drum=True))
    strokes = NoteSequence(drum_pattern(piece.timing, len(tracks) - 1), tracks).notes
    return piece.replace(notes=np.concatenate([piece.notes, strokes]), tracks=tracks)


def drum_pattern(timing, track):
    """Rows of a plain pattern in eighth notes for the length of a passage."""
    count = int(timing.seconds_to_quarters(SECONDS) * 2)
    starts = timing.quarters_to_seconds(np.arange(count) / 2)
    strokes = [(HIHAT, 1, 0), (KICK, 4, 0), (SNARE, 4, 2)]
    return [
        (start, start + STROKE_S, pitch, 90, track)
        for pitch, every, first in strokes
        for start in starts[first::every].tolist()
        if start >= 0
    ]


def transcriptions(played, backend):
    items = list(enumerate(piece for _, piece in played))
    found = {}
    for outcome in map_files(functools.partial(hear, backend), items, workers=WORKERS, progress=True, unit="piece"):
        if outcome.error is not None:
            raise outcome.error
        found[outcome.item[0]] = outcome.result
    return [Heard(group, truth(piece), found[number]) for number, (group, piece) in enumerate(played)]


def hear(backend, item):
    """Render a numbered piece and transcribe it; in a process of its own."""
    piece = item[1]
    audio = render(piece, sample_rate=SAMPLE_RATE, backend=backend).mean(axis=0)
    return transcribe_audio(audio, SAMPLE_RATE, beats=piece.timing)


def truth(piece):
    """The notes that can be heard: no drums, and one where voices meet on a pitch."""
    drums = np.array([track.drum for track in piece.tracks])
    notes = piece.notes[~drums[piece.notes["track"]]]
    notes["track"] = 0
    return t.canonical(piece.replace(notes=notes, tracks=[Track()]))


# ---- scores


def scores(items, transform=None):
    """Both F1s of every item after a transform; shape (items, 2)."""
    return np.array([f1s(item.truth, transform(item.piece) if transform else item.piece) for item in items])


def f1s(played, heard):
    return [precision_recall_f1(played, heard, ratio)[2] for ratio in (None, 0.2)]


def precision_recall_f1(played, heard, offset_ratio):
    from mir_eval.transcription import precision_recall_f1_overlap

    if not len(heard):
        return 0.0, 0.0, 0.0
    return precision_recall_f1_overlap(*intervals(played), *intervals(heard), offset_ratio=offset_ratio)[:3]


def intervals(piece):
    """What mir_eval takes: intervals in s, shape (n, 2), and frequencies in Hz."""
    notes = piece.notes
    return np.column_stack([notes["start"], notes["end"]]), 440 * 2 ** ((notes["pitch"].astype(float) - 69) / 12)


def add_group(results, group, items, *, seed):
    """Before, after and gain of `clean`, then the gain by each transform alone."""
    results.add(f"{group}: pieces", len(items), "", direction="max")
    results.add(f"{group}: notes played", sum(len(item.truth) for item in items), "", direction="max")
    for name, ratio in zip(METRICS, (None, 0.2), strict=True):
        before, after = (
            np.mean([precision_recall_f1(item.truth, way(item.piece), ratio) for item in items], axis=0)
            for way in (lambda piece: piece, t.clean)
        )
        kind = name.removesuffix(" F1")
        for what, old, new in zip((f"{kind} precision", f"{kind} recall", name), before, after, strict=True):
            results.add(f"{group}: {what}, cleaned", new, "", reference=old, direction="max")
    before = scores(items)
    for name, gain in zip(METRICS, (scores(items, t.clean) - before).T, strict=True):
        low, high = interval(gain, seed)
        results.add(f"{group}: {name}, gain by clean", gain.mean(), "F1", direction="max")
        results.add(f"{group}: {name}, gain by clean, 95 % from", low, "F1", goal=0, direction="max")
        results.add(f"{group}: {name}, gain by clean, 95 % to", high, "F1", direction="max")
        results.add(f"{group}: {name}, pieces that lose by clean", np.mean(gain < 0), "share")
    for label, transform in ALONE.items():
        for name, gain in zip(METRICS, (scores(items, transform) - before).T, strict=True):
            if np.any(gain):  # what moves no onsets gains none
                text = "95 %: {:+.4f} to {:+.4f}".format(*interval(gain, seed))
                results.add(f"{group}: {name}, {label} alone", gain.mean(), "F1", reference=text, direction="max")


def add_dry(results, items):
    """Whether `clean` has learnt one synthesiser's room: both F1s with another one, which has none."""
    for group in GROUPS:
        chosen = [item for item in items if item.group == group]
        before, after = scores(chosen).mean(axis=0), scores(chosen, t.clean).mean(axis=0)
        for name, old, new in zip(METRICS, before, after, strict=True):
            what = f"{group}, {len(chosen)} of them played without reverb: {name}, cleaned"
            results.add(what, new, "", reference=old, direction="max")


def interval(values, seed):
    """95 % bootstrap interval of a mean: its two ends."""
    draws = np.random.default_rng(seed).choice(values, (DRAWS, len(values)))
    return np.quantile(draws.mean(axis=1), [0.025, 0.975]).tolist()


def add_speed(results, pieces):
    seconds, _ = best_seconds(lambda: [t.clean(piece) for piece in pieces])
    results.add("time of clean", 1e6 * seconds / sum(map(len, pieces)), "ms per 1,000 notes")


def add_recordings(results, folder, *, few):
    """Notes of real recordings before and after; no truth is known of them."""
    paths = [recording.path for recording in find_recordings(folder)]
    paths = paths[::20] if few else paths
    outcomes = list(map_files(hear_recording, paths, workers=WORKERS, progress=True, unit="recording"))
    refused = [outcome.error for outcome in outcomes if outcome.error is not None]
    before = [outcome.result for outcome in outcomes if outcome.error is None]
    after = [t.clean(piece) for piece in before]
    results.add("GTZAN: clips", len(before), "", direction="max")
    results.add("GTZAN: clips refused", len(refused), "", goal=0)
    results.add("GTZAN: notes, cleaned", sum(map(len, after)), "", reference=sum(map(len, before)))
    kept = [len(new) / len(old) for new, old in zip(after, before, strict=True)]
    results.add("GTZAN: share of notes kept, median clip", np.median(kept), "share", direction="max")
    results.add("GTZAN: share of notes kept, least", min(kept), "share", direction="max")
    old, new = (1000 * np.median(np.concatenate([lengths(p) for p in pieces])) for pieces in (before, after))
    results.add("GTZAN: median length of notes, cleaned", new, "ms", reference=old, direction="max")


def hear_recording(path):
    return transcribe(path, beats=[0.0, 0.5])  # beats do not matter here


def lengths(piece):
    return piece.notes["end"] - piece.notes["start"]


# ---- tuning


def tune(items):
    """Print the best value of every option, those before it chosen, those after it left out."""
    found = dict.fromkeys(SEARCH, 0)
    for option, values in SEARCH.items():
        reached = {value: objective(items, {**found, option: value}) for value in values}
        found[option] = gentlest(reached)
        print(f"{option:14}", "  ".join(f"{value}: {score:.4f}" for value, score in reached.items()), flush=True)
    print(found)
    return found


def gentlest(reached):
    """The least value whose score is nearly the best."""
    return min(value for value, score in reached.items() if score >= max(reached.values()) - NEARLY)


def objective(items, options):
    """Mean over groups and both F1s."""
    found = {
        group: scores([i for i in items if i.group == group], lambda p: t.clean(p, **options)) for group in GROUPS
    }
    return float(np.mean([values.mean() for values in found.values()]))


if __name__ == "__main__":
    main()
