"""What muspy measures of some pieces: run this script, with muspy installed, to write muspy_reference.json anew.

muspy rounds up where a piece or note ends on a bar line, counts unisons once and notes in a scale by number, not by
time. The pieces avoid all of this: notes of one length on one track beside drums, none ends on a bar line.
"""

import json
from pathlib import Path

import numpy as np

from musicgen.files import write_text
from musicgen.notes import NoteSequence, Track
from musicgen.timing import Timing
from musicgen.transforms import canonical

FILE = Path(__file__).with_suffix(".json")
STEPS = 4  # per quarter note
BAR, LENGTH = 16, 2  # steps


def pieces():
    """Eight pieces in 4/4 on a grid of sixteenths, of 3 to 10 bars, some of them empty."""
    return [_piece(np.random.default_rng(seed), 3 + seed) for seed in range(8)]


def _piece(random, bars):
    sounding = [*random.permutation(bars - 1)[: max(1, bars // 2)].tolist(), bars - 1]
    starts = [BAR * bar + step for bar in sounding for step in random.choice(BAR - LENGTH - 1, 6)]
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 6])
    pitches = 48 + 12 * random.integers(0, 3, len(starts)) + scale[random.integers(0, 8, len(starts))]
    rows = {(int(step), int(pitch), int(random.random() < 0.2)) for step, pitch in zip(starts, pitches, strict=True)}
    seconds = [(step / 8, (step + LENGTH) / 8, pitch, 80, track) for step, pitch, track in sorted(rows)]
    apart = [
        row
        for row in seconds
        if not any(o[2] == row[2] and o[4] == row[4] and 0 < row[0] - o[0] < 0.25 for o in seconds)
    ]
    return canonical(NoteSequence(apart, (Track(), Track("drums", 0, True)), Timing.regular(120)))


def to_muspy(piece, steps=STEPS):
    """The piece as muspy's own value, notes on a grid of so many steps per quarter note."""
    import muspy

    notes = piece.notes
    times = [np.rint(piece.timing.seconds_to_quarters(notes[name]) * steps).astype(int) for name in ("start", "end")]
    tracks = [muspy.Track(program=t.program, is_drum=t.drum, name=t.name) for t in piece.tracks]
    for start, end, pitch, track in zip(*times, notes["pitch"].tolist(), notes["track"].tolist(), strict=True):
        tracks[track].notes.append(muspy.Note(int(start), pitch, max(1, int(end - start)), 80))
    return muspy.Music(resolution=steps, tracks=[track for track in tracks if track.notes])


def values(music, bar=BAR):
    """What both measure, by our name."""
    import muspy

    return {
        "pitches": muspy.n_pitches_used(music),
        "pitch_range": muspy.pitch_range(music),
        "pitch_class_entropy": muspy.pitch_class_entropy(music),
        "in_key_share": muspy.scale_consistency(music),
        "polyphony": muspy.polyphony(music),
        "polyphonic_share": muspy.polyphony_rate(music, 2),
        "empty_bar_share": muspy.empty_measure_rate(music, bar),
        "groove_consistency": muspy.groove_consistency(music, bar),
    }


def main():
    """Measure and write."""
    import muspy

    found = [{name: float(value) for name, value in values(to_muspy(piece)).items()} for piece in pieces()]
    content = {"muspy": muspy.__version__, "pieces": found}
    print(write_text(FILE, json.dumps(content, indent=1) + "\n"))


if __name__ == "__main__":
    main()
