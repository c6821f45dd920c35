"""The command `musicgen`: argument parsing and progress only."""

import argparse
import json
import math
import sys
from pathlib import Path

from . import __version__
from .errors import InputError, MusicgenError
from .files import check_place


def _number(kind, holds, allowed):
    """A type for argparse: what is no such number is wrong usage."""

    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not holds(value):
            raise argparse.ArgumentTypeError(f"must be {allowed}, not {text}")
        return value

    return parse


_COUNT = _number(int, lambda value: value >= 1, "a whole number of at least 1")
_WHOLE = _number(int, lambda value: value >= 0, "a whole number of at least 0")
_POSITIVE = _number(float, lambda value: 0 < value < math.inf, "a number above 0")
_AT_LEAST_0 = _number(float, lambda value: 0 <= value < math.inf, "a number of at least 0")
_PROBABILITY = _number(float, lambda value: 0 < value <= 1, "above 0 and at most 1")
_FRACTION = _number(float, lambda value: 0 <= value <= 1, "0 to 1")
_SHARE = _number(float, lambda value: 0 <= value < 1, "at least 0 and less than 1")
_TEMPERATURE = _number(float, lambda value: 0 <= value <= 100, "0 (argmax) to 100")


def main(arguments=None):
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, optional
        Default: those of the process.

    Returns
    -------
    int
        Exit status: 0 done, 1 some inputs refused, 2 wrong usage.
    """
    options = _parser().parse_args(arguments)
    _print_any_name()
    try:
        return options.run(options)
    except MusicgenError as error:
        print(f"musicgen: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("musicgen: stopped; what is finished is kept", file=sys.stderr)
        return 130


def _print_any_name():
    """Names of files that are not UTF-8 are printed as they are, what the terminal cannot show as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            is_exact = stream is sys.stdout and stream.encoding.lower() in ("utf-8", "utf8")
            stream.reconfigure(errors="surrogateescape" if is_exact else "backslashreplace")


def _parser():
    parser = argparse.ArgumentParser(prog="musicgen", description="Recordings in, new music out.")
    parser.add_argument("--version", action="version", version=f"musicgen {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (_add_transcribe, _add_prepare, _add_train, _add_compose, _add_render, _add_info, _add_demo):
        add(commands)
    return parser


def _command(commands, name, run, text):
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(run=run)
    return parser


def _add_transcribe(commands):
    parser = _command(commands, "transcribe", _transcribe, "turn recordings into MIDI files")
    parser.add_argument("audio", nargs="+", metavar="AUDIO", help="sound files or folders of them (GTZAN or any)")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the MIDI files and the manifest")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=_WHOLE, metavar="N", help="processes (default: one per processor)")
    where.add_argument("--scheduler", metavar="ADDRESS", help="do the work on a Dask cluster, as in tcp://host:8786")
    parser.add_argument("--onset-threshold", type=_PROBABILITY, default=0.5, metavar="P", help="default 0.5")
    parser.add_argument("--frame-threshold", type=_PROBABILITY, default=0.3, metavar="P", help="default 0.3")
    parser.add_argument("--min-note-ms", type=_AT_LEAST_0, default=127.7, metavar="MS", help="default 127.7")
    parser.add_argument("--drums", action="store_true", help="hear kick, snare and hi-hat too, on a drum track")
    parser.add_argument("--clean", action="store_true", help="take away ghosts, faint notes, echoes and tails")
    parser.add_argument(
        "--fallback-bpm", type=_POSITIVE, metavar="BPM", help="tempo for recordings in which no beat is found"
    )


def _transcribe(options):
    from .transcription import transcribe_folder

    report = transcribe_folder(
        options.audio,
        options.out,
        workers=options.workers,
        scheduler=options.scheduler,
        onset_threshold=options.onset_threshold,
        frame_threshold=options.frame_threshold,
        min_note_ms=options.min_note_ms,
        drums=options.drums,
        fallback_bpm=options.fallback_bpm,
        clean=options.clean,
    )
    for path in report.done:
        print(path)
    if report.skipped:
        print(f"{len(report.skipped)} up to date", file=sys.stderr)
    return _refusals(report.refused)


def _add_prepare(commands):
    parser = _command(
        commands, "prepare", _prepare, "encode pieces once, so that training reads them with flat memory"
    )
    parser.add_argument("data", metavar="DATA", help="folder of MIDI files, piano rolls (.mat), or a corpus")
    parser.add_argument(
        "--codec", type=_codec, default="events", metavar="NAME", help="events (default), frames, melody, ..."
    )
    parser.add_argument("--resolution", type=_COUNT, metavar="R", help="grid steps per quarter note (default 4)")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the prepared pieces")
    parser.add_argument("--workers", type=_WHOLE, metavar="N", help="processes (default: one per processor)")


def _codec(name):
    from .codecs import CODECS

    if name not in CODECS:
        raise argparse.ArgumentTypeError(f"there is no codec {name!r}, but {', '.join(CODECS)}")
    return name


def _prepare(options):
    from .datasets import prepare

    settings = {} if options.resolution is None else {"resolution": options.resolution}
    report = prepare(options.data, options.out, codec=options.codec, workers=options.workers, **settings)
    for path in report.done:
        print(path)
    print(str(report).split("\n")[0], file=sys.stderr)
    return _refusals(report.refused)


def _add_train(commands):
    parser = _command(commands, "train", _train, "train a composer on pieces")
    parser.add_argument("family", choices=["lstm"], help="kind of composer")
    parser.add_argument(
        "data",
        metavar="DATA",
        help="folder of MIDI files, recordings or prepared pieces, piano rolls (.mat), or a corpus: bach-chorales",
    )
    parser.add_argument("--out", required=True, metavar="MODEL", help="folder for the trained composer")
    sizes = ["tiny", "small", "base", "large"]
    parser.add_argument("--preset", choices=sizes, default="small", help="size of the composer (default small)")
    parser.add_argument("--epochs", type=_COUNT, default=50, help="at most (default 50)")
    parser.add_argument("--minutes", type=_POSITIVE, help="stop after this time")
    parser.add_argument("--held-out", type=_SHARE, default=0.1, metavar="SHARE", help="of the pieces (default 0.1)")
    parser.add_argument("--seed", type=_WHOLE, default=0, help="default 0")
    parser.add_argument("--overwrite", action="store_true", help="replace the composer at MODEL")
    parser.add_argument("--resume", action="store_true", help="go on with a training of the same settings that ended")
    parser.add_argument("--checkpoint-every", type=_COUNT, default=200, metavar="STEPS", help="default 200")
    parser.add_argument("--log-dir", metavar="DIR", help="write logs for TensorBoard")


def _train(options):
    if Path(options.out).exists() and not options.overwrite:
        raise InputError("is there already", path=options.out, remedy="choose another name, or add --overwrite")
    check_place(options.out)
    from .composers import composer_class
    from .composers.resume import remove_state
    from .datasets import hold_out

    pieces, refused = _pieces_to_learn(options)
    training, held_out = hold_out(pieces, options.held_out, seed=options.seed)
    print(f"{len(training)} pieces to learn from, {len(held_out or [])} held out", file=sys.stderr)
    composer = composer_class(options.family)(preset=options.preset, seed=options.seed)
    state = Path(f"{options.out}.training")
    history = composer.fit(
        training,
        validation=held_out,
        epochs=options.epochs,
        minutes=options.minutes,
        checkpoint=state,
        checkpoint_every=options.checkpoint_every,
        resume=options.resume,
        log_dir=options.log_dir,
    ).history
    print(composer.save(options.out))
    remove_state(state)
    if "val_loss" in history:
        print(f"held-out loss {min(history['val_loss']):.3f} nats per token", file=sys.stderr)
    return _refusals(refused)


def _pieces_to_learn(options):
    from .datasets import PreparedPieces, is_prepared
    from .datasets.sources import load_data

    if is_prepared(options.data):
        return PreparedPieces(options.data), []
    data = load_data(options.data, notes=f"{options.out}-notes")
    return data.pieces, data.refused


def _add_compose(commands):
    parser = _command(commands, "compose", _compose, "compose pieces with a trained composer")
    parser.add_argument("model", metavar="MODEL", help="folder of a trained composer")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the pieces")
    parser.add_argument("-n", "--count", type=_COUNT, default=1, metavar="N", help="pieces (default 1)")
    parser.add_argument("--bars", type=_COUNT, default=16, help="bars of each (default 16)")
    parser.add_argument("--genre", help="a label of the training data")
    parser.add_argument("--primer", metavar="FILE", help="MIDI file or score to continue")
    parser.add_argument("--key", metavar="KEY", help="such as 'A minor' or 'F# major'")
    parser.add_argument("--tempo", type=_POSITIVE, metavar="BPM", help="beats per minute")
    parser.add_argument("--meter", metavar="N/D", help="such as 3/4")
    parser.add_argument("--density", type=_POSITIVE, metavar="D", help="notes per quarter note")
    parser.add_argument("--polyphony", type=_COUNT, metavar="N", help="notes that sound at once, at most")
    parser.add_argument(
        "--pitch-range", type=int, nargs=2, metavar=("LOW", "HIGH"), help="lowest and highest MIDI pitch"
    )
    parser.add_argument("--instrument", metavar="NAME", help="General MIDI name or program, as in 'Flute' or 73")
    parser.add_argument("--temperature", type=_TEMPERATURE, help="higher is bolder, 0 always takes the likeliest")
    parser.add_argument("--top-k", type=_COUNT, metavar="K", help="keep the K likeliest tokens")
    parser.add_argument(
        "--top-p", type=_PROBABILITY, metavar="P", help="keep the likeliest tokens that hold probability P"
    )
    parser.add_argument(
        "--min-p", type=_FRACTION, metavar="P", help="keep tokens at least P times as likely as the best"
    )
    parser.add_argument(
        "--repetition-penalty", type=_AT_LEAST_0, metavar="P", help="against loops of a bar or less; 0 switches off"
    )
    parser.add_argument("--seed", type=_WHOLE, help="the same seed gives the same notes (default: a fresh one)")
    parser.add_argument("--render", action="store_true", help="write audio too")
    parser.add_argument("--plot", action="store_true", help="write a picture too")
    parser.add_argument("--score", action="store_true", help="write MusicXML too")


_OF_THE_COMPOSER = (
    *("temperature", "top_k", "top_p", "min_p", "repetition_penalty"),
    *("key", "tempo", "meter", "density", "polyphony", "pitch_range", "instrument"),
)


def _compose(options):
    from .composers import load_composer
    from .composers.base import fresh_seed

    composer = load_composer(options.model)
    seed = fresh_seed() if options.seed is None else options.seed
    wanted = {name: getattr(options, name) for name in _OF_THE_COMPOSER if getattr(options, name) is not None}
    if str(wanted.get("instrument")).isdecimal():
        wanted["instrument"] = int(wanted["instrument"])
    primer = None if options.primer is None else _read_piece(Path(options.primer))
    with _bar(options.count * options.bars, "bar", "composing") as bar:
        pieces = composer.compose_many(
            options.count,
            bars=options.bars,
            genre=options.genre,
            primer=primer,
            seed=seed,
            progress=bar.update,
            **wanted,
        )
    suffixes = [".mid"] + [s for s, wanted in _extra_formats(options).items() if wanted]
    empty = []
    for number, piece in enumerate(pieces, 1):
        if not len(piece):
            empty.append(
                (f"piece {number}", "has no notes (train the composer longer, or ask for another seed or more bars)")
            )
            continue
        stem = _unused(Path(options.out), f"{options.genre or 'piece'}-{seed}-{number}", suffixes)
        for suffix in suffixes:
            print(_save(piece, stem.with_name(stem.name + suffix)))
        if "warning" in piece.meta:
            print(f"musicgen: {stem.name}: {piece.meta['warning']}", file=sys.stderr)
    return _refusals(empty)


def _extra_formats(options):
    return {".wav": options.render, ".png": options.plot, ".musicxml": options.score}


def _add_render(commands):
    parser = _command(commands, "render", _render, "render MIDI files or scores to audio")
    parser.add_argument("files", nargs="+", metavar="FILE", help="MIDI files or scores")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the audio")
    parser.add_argument("--soundfont", metavar="SF2", help="SoundFont (default: a General MIDI one)")
    parser.add_argument("--format", default="wav", choices=["wav", "flac", "ogg"], help="default wav")


def _render(options):
    refused, used = [], set()
    with _bar(len(options.files), "file", "rendering") as bar:
        for file in map(Path, options.files):
            try:
                stem, number = file.stem, 1
                while stem in used:
                    number += 1
                    stem = f"{file.stem}-{number}"
                used.add(stem)
                target = Path(options.out) / f"{stem}.{options.format}"
                print(_read_piece(file).save(target, soundfont=options.soundfont))
            except InputError as error:
                refused.append((file, str(error)))
            bar.update()
    return _refusals(refused)


def _add_info(commands):
    parser = _command(commands, "info", _info, "tell what a file, folder or trained composer holds")
    parser.add_argument(
        "path",
        metavar="PATH",
        help="MIDI file, score, recording, folder, piano rolls (.mat), corpus, or trained composer",
    )
    parser.add_argument("--plot", metavar="FILE", help="draw what a collection of pieces holds (.png, .svg, .pdf)")


def _info(options):
    from .inspection import inspect

    facts, refused, report = inspect(options.path)
    print(json.dumps(facts, indent=2, ensure_ascii=False))
    if options.plot and report is None:
        raise InputError(
            "--plot draws collections of pieces", path=options.path, remedy="name a folder of MIDI files"
        )
    if options.plot:
        from .plots import plot_data_report, save_figure

        print(save_figure(plot_data_report(report), options.plot), file=sys.stderr)
    return _refusals(refused)


def _add_demo(commands):
    parser = _command(commands, "demo", _demo, "walk the whole way once: recordings, notes, composer, new music")
    parser.add_argument("--audio", metavar="DIR", help="your recordings (default: a dozen Bach chorales, rendered)")
    parser.add_argument("--out", default="out/demo", metavar="DIR", help="default out/demo")
    parser.add_argument("--minutes", type=_POSITIVE, default=2.5, help="training time at most (default 2.5)")
    parser.add_argument("--seed", type=_WHOLE, default=0, help="default 0")


def _demo(options):
    from .demo import run_demo

    report = run_demo(options.audio, options.out, minutes=options.minutes, seed=options.seed)
    return _refusals([*report["refused"], *report["problems"]])


# ---- what several commands share


def _read_piece(path):
    if path.suffix.lower() in (".musicxml", ".xml", ".mxl"):
        from .score import read_score

        return read_score(path)
    from .midi import read_midi

    return read_midi(path)


def _save(piece, path):
    if path.suffix == ".png":
        from .plots import save_figure

        return save_figure(piece.plot(), path)
    return piece.save(path)


def _unused(folder, stem, suffixes):
    """The stem, numbered if a file of that name is there already."""
    candidate, number = stem, 1
    while any((folder / f"{candidate}{suffix}").exists() for suffix in suffixes):
        number += 1
        candidate = f"{stem}-v{number}"
    return folder / candidate


def _bar(total, unit, text):
    from tqdm import tqdm

    return tqdm(total=total, unit=unit, desc=text, file=sys.stderr, dynamic_ncols=True)


def _refusals(refused):
    """Name each refused input and its reason on standard error; the exit status."""
    for path, reason in refused:
        text = str(reason)
        print(f"refused {text if text.startswith(str(path)) else f'{path}: {text}'}", file=sys.stderr)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
