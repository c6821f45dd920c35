"""The commands that make and look at data: transcribe, prepare, info."""

import argparse
import json
import sys

from ..errors import InputError
from .common import AT_LEAST_0, COUNT, POSITIVE, PROBABILITY, WHOLE, command, refusals


def add_transcribe(commands):
    parser = command(commands, "transcribe", _transcribe, "turn recordings into MIDI files")
    parser.add_argument("audio", nargs="+", metavar="AUDIO", help="sound files or folders of them (GTZAN or any)")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the MIDI files and the manifest")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=WHOLE, metavar="N", help="processes (default: one per processor)")
    where.add_argument("--scheduler", metavar="ADDRESS", help="do the work on a Dask cluster, as in tcp://host:8786")
    parser.add_argument("--onset-threshold", type=PROBABILITY, default=0.5, metavar="P", help="default 0.5")
    parser.add_argument("--frame-threshold", type=PROBABILITY, default=0.3, metavar="P", help="default 0.3")
    parser.add_argument("--min-note-ms", type=AT_LEAST_0, default=127.7, metavar="MS", help="default 127.7")
    parser.add_argument("--drums", action="store_true", help="hear kick, snare and hi-hat too, on a drum track")
    parser.add_argument("--clean", action="store_true", help="take away ghosts, faint notes, echoes and tails")
    parser.add_argument(
        "--fallback-bpm", type=POSITIVE, metavar="BPM", help="tempo for recordings in which no beat is found"
    )


def _transcribe(options):
    from ..transcription import transcribe_folder

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
    return refusals(report.refused)


def add_prepare(commands):
    parser = command(
        commands, "prepare", _prepare, "encode pieces once, so that training reads them with flat memory"
    )
    parser.add_argument("data", metavar="DATA", help="folder of MIDI files, piano rolls (.mat), or a corpus")
    parser.add_argument(
        "--codec", type=_codec, default="events", metavar="NAME", help="events (default), frames, melody, ..."
    )
    parser.add_argument("--resolution", type=COUNT, metavar="R", help="grid steps per quarter note (default 4)")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the prepared pieces")
    parser.add_argument("--workers", type=WHOLE, metavar="N", help="processes (default: one per processor)")


def _codec(name):
    from ..codecs import CODECS

    if name not in CODECS:
        raise argparse.ArgumentTypeError(f"there is no codec {name!r}, but {', '.join(CODECS)}")
    return name


def _prepare(options):
    from ..datasets import prepare

    settings = {} if options.resolution is None else {"resolution": options.resolution}
    report = prepare(options.data, options.out, codec=options.codec, workers=options.workers, **settings)
    for path in report.done:
        print(path)
    print(str(report).split("\n")[0], file=sys.stderr)
    return refusals(report.refused)


def add_info(commands):
    parser = command(commands, "info", _info, "tell what a file, folder or trained composer holds")
    parser.add_argument(
        "path",
        metavar="PATH",
        help="MIDI file, score, recording, folder, piano rolls (.mat), corpus, or trained composer",
    )
    parser.add_argument("--plot", metavar="FILE", help="draw what a collection of pieces holds (.png, .svg, .pdf)")


def _info(options):
    from ..inspection import inspect

    facts, refused, report = inspect(options.path)
    print(json.dumps(facts, indent=2, ensure_ascii=False))
    if options.plot and report is None:
        raise InputError(
            "--plot draws collections of pieces", path=options.path, remedy="name a folder of MIDI files"
        )
    if options.plot:
        from ..plots import plot_data_report, save_figure

        print(save_figure(plot_data_report(report), options.plot), file=sys.stderr)
    return refusals(refused)
