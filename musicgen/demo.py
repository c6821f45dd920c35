"""The whole way once: recordings, transcriptions, a trained composer, new music, and a report on it all."""

import json
import shutil
import sys
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from . import __version__
from .errors import InputError
from .files import write_text

CHORALES = 12  # of music21's corpus, rendered as the recordings
RECORDINGS = 60  # at most, so that the demo stays short on a large collection
PIECES, BARS = 3, 16
MARKER = ".musicgen-demo"
EPOCHS = 200  # the time limit ends training, or early stopping


def run_demo(audio=None, out="out/demo", *, minutes=2.5, seed=0):
    """Transcribe recordings, train a small LSTM on the notes, compose three pieces, render them.

    Parameters
    ----------
    audio : path-like, optional
        Folder of recordings, GTZAN's layouts or flat. Default: a dozen Bach chorales, rendered first.
    out : path-like
        Folder for transcriptions, composer, pieces (.mid, .wav, .png) and report.json.
    minutes : float
        Training time at most.
    seed : int

    Returns
    -------
    dict
        The content of report.json.

    Raises
    ------
    InputError
        If there is nothing to learn from.
    """
    out = Path(out)
    clock = _Clock()
    _clear(out, audio)
    if audio is None:
        with clock.stage("rendering a dozen Bach chorales as recordings"):
            audio = _render_chorales(out / "recordings")
    with clock.stage("transcribing"):
        recordings, pieces, refused, note = _transcribe(audio, out / "transcriptions")
    if len(pieces) < 3:
        raise InputError(f"{len(pieces)} usable recordings, at least 3 are needed", path=audio)
    training, held_out = _held_out(pieces, seed)
    with clock.stage(f"training a small LSTM on {len(training)} pieces, {len(held_out)} held out"):
        composer, losses = _train(training, held_out, out, minutes, seed)
    with clock.stage(f"composing {PIECES} pieces of {BARS} bars"):
        composed = _compose(composer, out / "pieces", seed)
    with clock.stage("rendering them"):
        for path, piece in composed.items():
            _illustrate(piece, path)
    report = {
        "musicgen": __version__,
        "seed": seed,
        "recordings": recordings,
        "note": note,
        "refused": [[str(path), str(reason)] for path, reason in refused],
        "seconds": clock.seconds,
        "held-out loss": losses,
        "data": _summary(pieces),
        "compositions": [_judged(path.name, piece, training) for path, piece in composed.items()],
        "held-out pieces, longest run of notes found verbatim in the training data": _copied(held_out, training),
    }
    report["problems"] = _problems(report["compositions"])
    write_text(out / "report.json", json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    _print_table(out, report)
    return report


class _Clock:
    """Seconds per stage, told as they pass."""

    def __init__(self):
        self.seconds = {}

    @contextmanager
    def stage(self, name):
        print(f"{name} ...", file=sys.stderr)
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 1)
        print(f"    {self.seconds[name]} s", file=sys.stderr)


def _clear(out, audio):
    """Take away an earlier demo, so that the folder holds one run; refuse a folder that is none."""
    if audio is not None and Path(audio).resolve().is_relative_to(out.resolve()):
        raise InputError(f"the recordings {audio} lie inside it", path=out, remedy="choose another --out")
    if out.exists() and not (out / MARKER).exists() and any(out.iterdir()):
        raise InputError("is there already and holds no demo", path=out, remedy="choose another --out")
    for name in ("recordings", "transcriptions", "composer", "pieces"):
        shutil.rmtree(out / name, ignore_errors=True)
    write_text(out / MARKER, "musicgen demo may replace what lies here\n")


def _render_chorales(folder):
    from .datasets import load_corpus

    with warnings.catch_warnings():  # the corpus tells of a few pieces that it refuses: none of this dozen
        warnings.simplefilter("ignore", UserWarning)
        chorales = load_corpus("bach-chorales", limit=CHORALES)
    for number, chorale in enumerate(chorales, 1):
        # On the piano, which Basic Pitch hears far better than the choir that the corpus asks for.
        piano = [track._replace(program=0) for track in chorale.tracks]
        chorale.replace(tracks=piano).save(folder / f"chorale-{number:02}.wav", sample_rate=22050)
    return folder


def _transcribe(audio, out):
    """Counts, pieces, refusals, and a note where not every recording was taken."""
    from .datasets import load_folder
    from .transcription import find_recordings, transcribe_folder

    found = find_recordings(audio)
    chosen = [found[i] for i in np.unique(np.linspace(0, len(found) - 1, min(len(found), RECORDINGS)).astype(int))]
    paths, note = audio, ""
    if len(chosen) < len(found):
        paths = [recording.path for recording in chosen]
        note = f"{len(chosen)} of {len(found)} recordings taken; `musicgen transcribe` takes all"
        print(f"    {note}", file=sys.stderr)
    report = transcribe_folder(paths, out)
    if not report.done:
        return len(chosen), [], report.refused, note
    folder = load_folder(out)
    pieces = list(folder)
    unusable = [pair for pair in folder.refused if pair not in folder.set_aside]  # those are in the report too
    return len(chosen), pieces, report.refused + unusable, note


def _held_out(pieces, seed):
    from .datasets import split

    share = max(0.15, 1 / len(pieces))
    return split(pieces, (1 - share, share), seed=seed)


def _train(training, held_out, out, minutes, seed):
    from .baselines import NGram
    from .composers import LSTMComposer
    from .plots import plot_history, save_figure

    composer = LSTMComposer(preset="small", seed=seed)
    history = composer.fit(training, validation=held_out, epochs=EPOCHS, minutes=minutes, patience=12).history
    composer.save(out / "composer")
    save_figure(plot_history(history), out / "training.png")
    streams = [[composer.codec.encode(piece) for piece in part] for part in (training, held_out)]
    losses = {"unit": "nats per token", "LSTM": _mean(composer.nll(held_out)), "epochs": len(history["loss"])}
    for name, order in {"unigram": 1, "bigram": 2}.items():
        model = NGram(order, composer.codec.vocab_size)
        model.fit([stream[1:] for stream in streams[0]] if order == 1 else streams[0])
        losses[name] = _mean([model.nll(stream)[-len(stream) + 1 :] for stream in streams[1]])
    return composer, losses


def _mean(parts):
    return round(float(np.concatenate(list(parts)).mean()), 4)


def _compose(composer, folder, seed):
    """Pieces by path, in as many genres as the composer knows, up to the number of pieces."""
    genres = composer.codec.genres or (None,)
    pieces = {}
    for number in range(PIECES):
        genre = genres[number * len(genres) // PIECES] if len(genres) >= PIECES else genres[number % len(genres)]
        piece = composer.compose(bars=BARS, genre=genre, seed=seed + number, temperature=0.95)
        path = folder / f"{genre or 'piece'}-{number + 1}.mid"
        piece.save(path)
        pieces[path] = piece
    return pieces


def _illustrate(piece, path):
    from .plots import save_figure

    piece.save(path.with_suffix(".wav"))
    save_figure(piece.plot(), path.with_suffix(".png"))


def _summary(pieces):
    counts = [len(piece) for piece in pieces]
    seconds = sum(piece.duration for piece in pieces)
    return {"pieces": len(pieces), "notes": sum(counts), "notes per piece": counts, "minutes": round(seconds / 60, 2)}


def _judged(name, piece, training):
    from .metrics import describe, longest_loop, longest_verbatim_run

    loop = longest_loop(piece)
    return {
        "file": name,
        "bars": BARS,
        "seconds": round(piece.duration, 2),
        "longest run of notes found verbatim in the training data": longest_verbatim_run(piece, training),
        "longest loop of a bar or less": {"quarters": loop.period, "repetitions": loop.repetitions},
        "measures": {key: None if value != value else round(value, 4) for key, value in describe(piece).items()},
    }


def _copied(held_out, training):
    from .metrics import longest_verbatim_run

    return [longest_verbatim_run(piece, training) for piece in held_out]


def _problems(compositions):
    """What must not be: a piece without notes, of one note, or copied."""
    problems = []
    for piece in compositions:
        notes, run = piece["measures"]["notes"], piece["longest run of notes found verbatim in the training data"]
        if notes < BARS:
            problems.append([piece["file"], f"nearly empty: {notes:.0f} notes in {BARS} bars"])
        elif piece["measures"]["pitches"] < 3:
            problems.append([piece["file"], "one endless note: fewer than 3 pitches"])
        elif run > notes / 2:
            problems.append(
                [piece["file"], f"copied: {run} of {notes:.0f} notes in a row stand in the training data"]
            )
    return problems


def _print_table(out, report):
    losses = report["held-out loss"]
    rows = {
        "transcriptions/": f"{report['data']['pieces']} pieces, {report['data']['notes']:,} notes, as MIDI",
        "composer/": f"trained {losses['epochs']} epochs; held-out loss {losses['LSTM']:.2f} nats per token "
        f"(bigram {losses['bigram']:.2f}, unigram {losses['unigram']:.2f})",
        "training.png": "its losses",
        "report.json": f"all figures; {sum(report['seconds'].values()):.0f} s in all",
    }
    for piece in report["compositions"]:
        run = piece["longest run of notes found verbatim in the training data"]
        stem = Path(piece["file"]).stem
        rows[f"pieces/{stem}.*"] = (
            f".mid .wav .png: {piece['measures']['notes']:.0f} notes, {piece['seconds']:.0f} s, "
            f"longest run copied from the data {run} notes"
        )
    width = max(map(len, rows))
    print(f"\n{out}")
    for name, text in rows.items():
        print(f"  {name:<{width}}  {text}")
