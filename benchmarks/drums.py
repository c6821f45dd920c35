"""Drums: which strokes of rendered patterns are heard, alone and behind other instruments, and what real clips give.

The patterns of `drum_patterns` are played by kits, the accompaniments made of chorales, and all drawn by seeds,
that had no part in teaching the network or choosing its thresholds (`fit_drums.py`). A stroke counts as heard if one
of its class is found within 50 ms, each found one used once (mir_eval). The rival is onset detection in three bands
of the percussive part of the spectrum, with librosa's own settings. Real clips have no annotations of drums: for them
the strokes per second are shown, by genre, and what fits the music has to be judged by the reader.
"""

import tracemalloc
import warnings
from pathlib import Path

import numpy as np
from common import Results, best_seconds, make_parser
from drum_patterns import CLASSES, accompanied, chorales_of
from fit_drums import matched, mixed

from musicgen.errors import InputError
from musicgen.transcription import find_recordings, read_audio
from musicgen.transcription.drums import DRUMS, SAMPLE_RATE, hear_drums

PATTERNS, QUICK_PATTERNS = 90, 6
KITS = (16, 24, 32)  # Power, Electronic, Jazz; the Orchestra kit is none of kick, snare and hi-hat
FIRST_SEED = 300_000
LEVELS_DB = {"alone": None, "6 dB above the others": 6, "as loud as the others": 0, "6 dB below the others": -6}
F_GOAL = {"kick": 0.8, "snare": 0.75, "hi-hat": 0.85}
FALSE_GOAL, SECONDS_GOAL = 0.05, 0.5
RIVAL_HZ = ((20, 150), (150, 5000), (5000, 11000))
HOUR_S = 3600


def main(argv=None):
    """Measure and write; returns the content of the result file."""
    args = make_parser(__doc__).parse_args(argv)
    if args.data is None:
        raise InputError("no data folder", remedy="give --data, or set MUSICGEN_DATA")
    results = Results(args)
    count = QUICK_PATTERNS if args.quick else PATTERNS
    pieces = [piece for seed in args.seeds for piece in test_pieces(seed, count)]
    add_patterns(results, pieces)
    add_no_drums(results, pieces)
    clips = find_recordings(Path(args.data) / "gtzan")
    add_genres(results, clips[:: len(clips) // 5] if args.quick else clips)
    add_costs(results, clips, minutes=2 if args.quick else 60)
    return results.finish()


def test_pieces(seed, count):
    """(notes, drums, accompaniment) of some patterns."""
    chorales = chorales_of("test")
    first = FIRST_SEED + seed * PATTERNS
    return [
        accompanied(number, chorales, kit=KITS[number % len(KITS)], sample_rate=SAMPLE_RATE)
        for number in range(first, first + count)
    ]


def add_patterns(results, pieces):
    """F per class and level, the rival beside it."""
    results.add("patterns", len(pieces), "", direction="max")
    velocities = {name: [] for name in CLASSES}
    for place, level in LEVELS_DB.items():
        ours, theirs = np.zeros((2, len(CLASSES), 3))
        for notes, drums, others in pieces:
            audio = mixed(drums, others, level).astype(np.float32)
            heard = hear_drums([audio])
            ours += [counted(notes, name, heard) for name in CLASSES]
            theirs += [counts(notes, name, times) for name, times in zip(CLASSES, rival(audio), strict=True)]
            if level is None:
                collect_velocities(velocities, notes, heard)
        for name, mine, other in zip(CLASSES, ours, theirs, strict=True):
            goal = F_GOAL[name] if level in (None, 0) else None
            results.add(
                f"{name}, drums {place}", f_measure(mine), "F", reference=f_measure(other), goal=goal, direction="max"
            )
    for name, pairs in velocities.items():
        struck, found = np.concatenate(pairs, axis=1)
        results.add(f"{name}: velocity, correlation", np.corrcoef(struck, found)[0, 1], "r", direction="max")


def counted(notes, name, heard):
    pitch = next(drum.pitch for drum in DRUMS if drum.name == name)
    return counts(notes, name, heard["start"][heard["pitch"] == pitch])


def counts(notes, name, times):
    """Strokes there are, found, and both."""
    truth = np.unique(notes["start"][np.isin(notes["pitch"], CLASSES[name])])
    return len(truth), len(times), matched(truth, times)


def f_measure(count):
    there, found, both = count
    return 2 * both / (there + found)


def rival(audio):
    """Times of librosa's onsets in three bands of the percussive spectrum."""
    import librosa

    spectrum = np.abs(librosa.stft(audio, n_fft=1024, hop_length=256))
    _, percussive = librosa.decompose.hpss(spectrum)
    hz = librosa.fft_frequencies(sr=SAMPLE_RATE, n_fft=1024)
    for lowest, highest in RIVAL_HZ:
        band = librosa.amplitude_to_db(percussive[(hz >= lowest) & (hz < highest)], ref=np.max)
        strength = librosa.onset.onset_strength(S=band, sr=SAMPLE_RATE, hop_length=256)
        frames = librosa.onset.onset_detect(onset_envelope=strength, sr=SAMPLE_RATE, hop_length=256)
        yield librosa.frames_to_time(frames, sr=SAMPLE_RATE, hop_length=256)


def collect_velocities(velocities, notes, heard):
    """(struck, found) of the strokes that were heard, relative to the loudest of the pattern."""
    from mir_eval.util import match_events

    for drum in DRUMS:
        truth = notes[np.isin(notes["pitch"], CLASSES[drum.name])]
        found = heard[heard["pitch"] == drum.pitch]
        if len(truth) > 1 and len(found):
            pairs = np.array(match_events(truth["start"], found["start"], 0.05), int).reshape(-1, 2)
            struck = truth["velocity"][pairs[:, 0]] / truth["velocity"].max()
            velocities[drum.name].append([struck, found["velocity"][pairs[:, 1]]])


def add_no_drums(results, pieces):
    """Strokes heard where there are none."""
    heard = [hear_drums([others]) for _, _, others in pieces]
    seconds = sum(len(others) for _, _, others in pieces) / SAMPLE_RATE
    for drum in DRUMS:
        rate = sum(np.sum(notes["pitch"] == drum.pitch) for notes in heard) / seconds
        results.add(f"{drum.name}s heard in accompaniments without drums", rate, "1/s", goal=FALSE_GOAL)
    silent = np.mean([len(notes) == 0 for notes in heard])
    results.add("accompaniments in which nothing is heard", 100 * silent, "%", direction="max")


def add_genres(results, clips):
    """Strokes per second in the real clips of every genre."""
    heard = {}
    for clip in clips:
        audio, _ = read_audio(clip.path, sample_rate=SAMPLE_RATE)
        heard.setdefault(clip.genre, []).append((hear_drums([audio]), len(audio) / SAMPLE_RATE))
    for genre, found in sorted(heard.items()):
        seconds = sum(length for _, length in found)
        for drum in DRUMS:
            rate = sum(np.sum(notes["pitch"] == drum.pitch) for notes, _ in found) / seconds
            results.add(f"real {genre}: {drum.name}", rate, "1/s", direction="max")
        results.add(
            f"real {genre}: clips with drums",
            sum(len(notes) > 0 for notes, _ in found),
            f"of {len(found)}",
            direction="max",
        )


def add_costs(results, clips, *, minutes):
    """Time of a clip, and time and memory of a long recording that comes in blocks."""
    audio, _ = read_audio(clips[0].path, sample_rate=SAMPLE_RATE)
    hear_drums([audio])
    seconds, _ = best_seconds(lambda: hear_drums([audio]))
    clip = seconds * 30 * SAMPLE_RATE / len(audio)
    results.add("30 s of audio", clip, "s", goal=SECONDS_GOAL)
    times = round(minutes * 60 * SAMPLE_RATE / len(audio))
    long, _ = best_seconds(lambda: hear_drums(audio for _ in range(times)), repeats=1)
    results.add(f"{minutes} minutes of audio, times as long as 30 s", long / clip, "", reference=2 * minutes)
    tracemalloc.start()
    hear_drums(audio for _ in range(times))
    results.add(f"{minutes} minutes of audio: largest memory", tracemalloc.get_traced_memory()[1] / 2**20, "MiB")
    tracemalloc.stop()


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="n_fft=.* is too large")
    main()
