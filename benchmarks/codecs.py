"""Codecs: how fast they are, and what each loses of real pieces, beside MidiTok's REMI.

Speed is measured in processor time, one piece at a time, from and to each library's own value of a piece, already in
memory: NoteSequence here, symusic's Score there. Decoding begins with token ids alone, as a model writes them. The
pieces are four-part chorales of music21's corpus; `melody`, which holds one line, gets their soprano.

Loss is measured with the timing kept beside the arrays, for REMI too. A note counts as kept if the decoded piece has
one of its pitch within a sixteenth note of its onset, each decoded note used once; a voice counts as kept if some
decoded track holds exactly its pitches. Onset shifts are those of the kept notes.
"""

import time

import numpy as np
from common import Results, make_parser

from musicgen import transforms
from musicgen.codecs import EventsCodec, FramesCodec, MelodyCodec, MidiTokCodec, PianorollCodec
from musicgen.datasets import load_corpus
from musicgen.midi import to_symusic

PIECES, QUICK_PIECES = 200, 10
GOAL = 5  # times as fast as REMI
REPEATS = 7
VOICES = 4
RIVAL = "MidiTok REMI"
SOPRANO = "melody, of the soprano"


def main(argv=None):
    """Measure and write; returns the content of the result file."""
    args = make_parser(__doc__, seeds=[0]).parse_args(argv)
    results = Results(args)
    pieces = list(load_corpus("bach-chorales"))[: QUICK_PIECES if args.quick else PIECES]
    sopranos = [transforms.monophonic(piece, track=0) for piece in pieces]
    lines = [transforms.monophonic(transforms.quantise(line, MelodyCodec().resolution)) for line in sopranos]
    results.add("pieces", len(pieces), "", direction="max")
    results.add("notes", sum(map(len, pieces)), "", direction="max")
    codecs = {
        RIVAL: MidiTokCodec("REMI"),
        "events": EventsCodec(tracks=VOICES),
        "frames": FramesCodec(),
        SOPRANO: MelodyCodec(),
        "pianoroll": PianorollCodec(tracks=VOICES),
    }
    given = {name: lines if name == SOPRANO else pieces for name in codecs}
    add_speeds(results, codecs, given)
    add_losses(results, codecs, given, {**given, SOPRANO: sopranos})
    return results.finish()


def add_speeds(results, codecs, given):
    """Notes per second of every codec."""
    jobs = {}
    for name, codec in codecs.items():
        if name == RIVAL:
            values = [to_symusic(piece) for piece in given[name]]
            arrays = [codec.tokenizer.encode(value).ids for value in values]
            functions = codec.tokenizer.encode, codec.tokenizer.decode
        else:
            values = given[name]
            arrays = [codec.encode(value) for value in values]
            functions = codec.encode, codec.decode
        for verb, function, items in zip(("encode", "decode"), functions, (values, arrays), strict=True):
            jobs[name, verb] = function, items
    seconds = processor_seconds(jobs)
    speeds = {(name, verb): sum(map(len, given[name])) / spent for (name, verb), spent in seconds.items()}
    for (name, verb), speed in speeds.items():
        rival = None if name in (RIVAL, SOPRANO) else speeds[RIVAL, verb]
        results.add(f"{name}: {verb}", speed, "notes/s", reference=rival, direction="max")
    for verb in ("encode", "decode"):
        ratio = speeds["events", verb] / speeds[RIVAL, verb]
        results.add(f"events: {verb}, times REMI's speed", ratio, "×", goal=GOAL, direction="max")


def processor_seconds(jobs):
    """Least processor time of each job over some rounds, in which the jobs take turns."""
    best = dict.fromkeys(jobs, np.inf)
    for _ in range(REPEATS):
        for name, (function, items) in jobs.items():
            begin = time.process_time()
            for item in items:
                function(item)
            best[name] = min(best[name], time.process_time() - begin)
    return best


def add_losses(results, codecs, given, originals):
    """What is not there any more after encoding and decoding."""
    losses = {}
    for name, codec in codecs.items():
        backs = [codec.decode(codec.encode(piece), timing=piece.timing) for piece in given[name]]
        losses[name] = [loss(*pair) for pair in zip(originals[name], backs, strict=True)]
    rows = {}
    for name, found in losses.items():
        notes, kept, voices, voices_kept = np.sum([counts for counts, _ in found], axis=0)
        shifts = np.round(1000 * np.concatenate([shifts for _, shifts in found]), 6)
        rows[name] = [100 * (1 - kept / notes), 100 * (1 - voices_kept / voices), shifts.mean(), shifts.max()]
    what = [("notes lost", "%"), ("voices lost", "%"), ("mean onset shift", "ms"), ("greatest onset shift", "ms")]
    for name, values in rows.items():
        for (label, unit), value, rival in zip(what, values, rows[RIVAL], strict=True):
            results.add(f"{name}: {label}", value, unit, reference=None if name in (RIVAL, SOPRANO) else rival)


def loss(piece, back):
    """Counts (notes, kept, voices, voices kept), and the onset shift of every kept note in seconds."""
    limit = 0.25 * 60 / piece.timing.qpm
    shifts = np.concatenate([_shifts(piece, back, pitch, limit) for pitch in np.unique(piece.notes["pitch"])])
    voices, tracks = _lines(piece), _lines(back)
    kept = sum(min(voices.count(line), tracks.count(line)) for line in set(voices))
    return (len(piece), len(shifts), len(voices), kept), shifts


def _shifts(piece, back, pitch, limit):
    """Onset shifts of the notes of one pitch, the nearest pairs first."""
    ours, theirs = (s.notes["start"][s.notes["pitch"] == pitch] for s in (piece, back))
    distances = np.abs(ours[:, None] - theirs)
    shifts = []
    while distances.size and distances.min() <= limit:
        row, column = np.unravel_index(distances.argmin(), distances.shape)
        shifts.append(distances[row, column])
        distances[row], distances[:, column] = np.inf, np.inf
    return np.array(shifts)


def _lines(piece):
    """The pitches of every track that has notes, in order of time."""
    tracks = np.unique(piece.notes["track"])
    return [tuple(piece.notes["pitch"][piece.notes["track"] == track].tolist()) for track in tracks]


if __name__ == "__main__":
    main()
