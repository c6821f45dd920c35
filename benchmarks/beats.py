"""Beats: how well the tracker finds what people annotated in real clips, and how far notes lie from either grid.

Beats are compared by mir_eval with its settings: F within 70 ms, AMLt (the share of beats in tune with the annotation
or with its double, half or off-beat) and CMLt (without these), each leaving out the first 5 s. The rival is librosa's
`beat_track` over the onset strength that was the tracker's before, in the same run. The tracker's three settings were
chosen on these clips; so the row "chosen on other clips" chooses them on one half of the clips and measures on the
other, and the reverse, for many random halves.

Notes are those that are heard in the clips; `onset_shifts` tells how far quantising to sixteenth notes moves them, by
the annotated beats and by the tracked ones.
"""

import itertools
import time
from pathlib import Path

import numpy as np
from common import Results, make_parser

from musicgen.beats import estimate_beats, read_beats
from musicgen.beats import tracking as room
from musicgen.beats.decoding import decode_beats
from musicgen.errors import InputError
from musicgen.transcription import find_recordings, read_audio, transcribe_audio
from musicgen.transforms import onset_shifts

SAMPLE_RATE = 22050
F_GOAL, DOWNBEAT_GOAL = 0.8, 0.5
BASS_WEIGHTS, STEADINESSES, TRUSTS = (0, 0.25, 0.5), (50, 100, 200), (0.3, 0.5, 0.8)
HALVES = 100
RESOLUTION = 4
RIGHT = 0.9  # F from which the beats of a clip count as found
MEASURES = ("F", "AMLt", "CMLt")


def main(argv=None):
    """Measure and write; returns the content of the result file."""
    args = make_parser(__doc__).parse_args(argv)
    if args.data is None:
        raise InputError("no data folder", remedy="give --data, or set MUSICGEN_DATA")
    results = Results(args)
    clips = [clip for clip in find_recordings(Path(args.data) / "gtzan") if clip.beats]
    clips = clips[:: len(clips) // 6] if args.quick else clips
    audios = [read_audio(clip.path, sample_rate=SAMPLE_RATE)[0] for clip in clips]
    truths = [read_beats(clip.beats) for clip in clips]
    results.add("clips with annotated beats", len(clips), "", direction="max")
    ours, seconds = timed(lambda audio: estimate_beats(audio, SAMPLE_RATE), audios)
    theirs, _ = timed(rival, audios)
    _, their_seconds = timed(rival_with_harmony, audios)
    add_beats(results, truths, [timing.beats for timing in ours], theirs)
    add_chosen_on_others(results, truths, audios, seeds=args.seeds)
    add_downbeats(results, truths, ours)
    name = "beats and downbeats, processor time per clip"
    results.add(name, seconds, "s", reference=their_seconds, goal=their_seconds)
    add_genres(results, clips, truths, ours, theirs)
    add_shifts(results, clips, audios, truths, ours)
    return results.finish()


def timed(function, audios):
    """What the function gives for each audio, and its mean processor time."""
    function(audios[0])
    begin = time.process_time()
    found = [function(audio) for audio in audios]
    return found, (time.process_time() - begin) / len(audios)


def rival(audio):
    """Times of the beats that librosa's dynamic programming finds."""
    import librosa

    strength = librosa.onset.onset_strength(y=audio, sr=SAMPLE_RATE, aggregate=np.median)
    return librosa.beat.beat_track(onset_envelope=strength, sr=SAMPLE_RATE, units="time")[1]


def rival_with_harmony(audio):
    """The rival's beats, and the chroma by which downbeats were guessed with them."""
    import librosa

    librosa.feature.chroma_cqt(y=audio, sr=SAMPLE_RATE, hop_length=1024, bins_per_octave=24, tuning=0.0)
    return rival(audio)


def scores(truth, times):
    """F, AMLt and CMLt of some beats."""
    from mir_eval.beat import continuity, f_measure, trim_beats

    annotated, found = trim_beats(truth.beats), trim_beats(np.asarray(times))
    _, cmlt, _, amlt = continuity(annotated, found)
    return f_measure(annotated, found), amlt, cmlt


def add_beats(results, truths, ours, theirs):
    mine, other = (np.array([scores(*pair) for pair in zip(truths, found, strict=True)]) for found in (ours, theirs))
    for name, column, reference in zip(MEASURES, mine.T, other.T, strict=True):
        goal = F_GOAL if name == "F" else None
        results.add(f"beats, {name}", column.mean(), name, reference=reference.mean(), goal=goal, direction="max")
    results.add(
        "clips whose beats are right in tempo or its double or half",
        100 * np.mean(mine[:, 1] > RIGHT),
        "%",
        reference=100 * np.mean(other[:, 1] > RIGHT),
        direction="max",
    )
    for name, found in (("tracked", ours), ("rival's", theirs)):
        results.add(f"{name} beats later than annotated ones, median", median_lateness_ms(truths, found), "ms")


def median_lateness_ms(truths, found):
    """Of the beats within 70 ms of an annotated one, the median over clips."""
    lateness = []
    for truth, times in zip(truths, found, strict=True):
        distances = times[np.abs(times[:, None] - truth.beats).argmin(axis=0)] - truth.beats
        near = distances[np.abs(distances) < 0.07]
        lateness += [1000 * np.median(near)] if len(near) else []
    return np.median(lateness)


def add_chosen_on_others(results, truths, audios, *, seeds):
    """F on one half of the clips with settings that were chosen on the other."""
    table = np.array([of_all_settings(*pair) for pair in zip(truths, audios, strict=True)]).T  # (settings, clips)
    found = []
    for seed, half in itertools.product(seeds, range(HALVES)):
        order = np.random.default_rng([seed, half]).permutation(table.shape[1])
        parts = np.array_split(order, 2)
        found += [table[table[:, a].mean(axis=1).argmax()][b].mean() for a, b in (parts, parts[::-1])]
    name = "beats, F, settings chosen on other clips"
    results.add(name, np.mean(found), "F", goal=F_GOAL, direction="max")
    results.add("F of the worst of all settings tried", table.mean(axis=1).min(), "F", direction="max")


def of_all_settings(truth, audio):
    """F of a clip with every setting."""
    levels, found = room._levels(audio), []
    for weight in BASS_WEIGHTS:
        activation = room._activation(levels, weight)
        for steadiness, trust in itertools.product(STEADINESSES, TRUSTS):
            frames = decode_beats(activation, room._FRAMES_PER_S, steadiness=steadiness, trust=trust)
            found.append(scores(truth, frames / room._FRAMES_PER_S + room._EARLY_S)[0])
    return found


def add_downbeats(results, truths, ours):
    """F of the downbeats, and how often the first of four beats is right where the beats are."""
    found = [downbeat_f(*pair) for pair in zip(truths, ours, strict=True)]
    results.add("downbeats, F", np.mean(found), "F", goal=DOWNBEAT_GOAL, direction="max")
    pairs = zip(truths, ours, found, strict=True)
    right = [f > RIGHT / 2 for truth, timing, f in pairs if scores(truth, timing.beats)[0] > RIGHT]
    results.add("clips with right beats", len(right), "", direction="max")
    results.add("of these, clips with right downbeats", 100 * np.mean(right), "%", direction="max")


def downbeat_f(truth, timing):
    from mir_eval.beat import f_measure, trim_beats

    return f_measure(*(trim_beats(downbeats(one)) for one in (truth, timing)))


def downbeats(timing):
    """Times of the bar lines between the first and the last beat."""
    end = timing.beats[-1] + 1e-6
    seconds = timing.quarters_to_seconds(timing.bars(end, start=timing.beats[0]))
    return seconds[(seconds >= timing.beats[0]) & (seconds <= end)]


def add_genres(results, clips, truths, ours, theirs):
    for genre in sorted({clip.genre for clip in clips}):
        chosen = [index for index, clip in enumerate(clips) if clip.genre == genre]
        mine = np.mean([scores(truths[i], ours[i].beats) for i in chosen], axis=0)
        other = np.mean([scores(truths[i], theirs[i]) for i in chosen], axis=0)
        for name, value, reference in list(zip(MEASURES, mine, other, strict=True))[:2]:
            results.add(f"{genre}: beats, {name}", value, name, reference=reference, direction="max")


def add_shifts(results, clips, audios, truths, ours):
    """Median and 95th percentile of how far notes move, by genre; annotated beats are the reference."""
    shifts = {}
    for clip, audio, truth, timing in zip(clips, audios, truths, ours, strict=True):
        piece = transcribe_audio(audio, SAMPLE_RATE, beats=truth)
        tracked = piece.replace(timing=timing.covering(0.0, piece.duration))
        pair = [1000 * np.abs(onset_shifts(one, RESOLUTION)) for one in (piece, tracked)]
        for group in (clip.genre, "all"):
            shifts.setdefault(group, []).append(pair)
    for group in sorted(shifts):
        annotated, tracked = (np.concatenate(parts) for parts in zip(*shifts[group], strict=True))
        for name, share in (("median", 50), ("95th percentile", 95)):
            results.add(
                f"{group}: notes moved by quantising with tracked beats, {name}",
                np.percentile(tracked, share),
                "ms",
                reference=np.percentile(annotated, share),
            )


if __name__ == "__main__":
    main()
