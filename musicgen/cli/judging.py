"""The commands that judge music and composers: evaluate, compare."""

import sys
from pathlib import Path

from .common import COUNT, POSITIVE, WHOLE, command, number, read_piece, refusals


def add_evaluate(commands):
    text = "judge pieces beside real ones: quality, noise and coherence, with intervals"
    parser = command(commands, "evaluate", _evaluate, text)
    parser.add_argument("generated", metavar="GENERATED", help="folder of MIDI files, one MIDI file or score")
    parser.add_argument(
        "--reference",
        required=True,
        metavar="DATA",
        help="real pieces: folder of MIDI files, recordings or prepared pieces, piano rolls (.mat), or a corpus",
    )
    parser.add_argument("--json", metavar="FILE", help="write all figures, and all measures of every piece, as JSON")
    parser.add_argument("--limit", type=COUNT, default=1000, metavar="N", help="references to measure (default 1000)")
    parser.add_argument(
        "--seed", type=WHOLE, default=0, metavar="S", help="of the references held out and of the draws (default 0)"
    )


def _evaluate(options):
    from ..files import check_place, write_text
    from ..metrics import Reference, evaluate

    if options.json:
        check_place(options.json)
    pieces, refused = _judged(Path(options.generated))
    references, refused_references = _references(options.reference)
    print(f"measuring: pieces {len(pieces)}, references {len(references)}", file=sys.stderr)
    reference = Reference(references, seed=options.seed, limit=max(2, options.limit))
    found = evaluate(pieces, reference)
    print(found.table())
    if options.json:
        print(write_text(options.json, found.to_json()))
    return refusals([*refused, *refused_references])


def _judged(path):
    """Pieces of a file or folder, and what was refused."""
    from ..datasets.sources import load_data

    if path.is_file():
        return [read_piece(path)], []
    data = load_data(path)
    return data.pieces, data.refused


def _references(source):
    """Pieces of a source, recordings transcribed beside it, prepared ones decoded; and what was refused."""
    from ..datasets import PreparedPieces, is_prepared
    from ..datasets.sources import load_data

    if is_prepared(source):
        prepared = PreparedPieces(source)
        timings = enumerate(prepared.timings())
        pieces = [prepared.codec.decode(prepared[k], timing=t, meta=prepared.meta(k)) for k, t in timings]
        return pieces, prepared.refused
    data = load_data(source, notes=f"{Path(source)}-notes")
    return data.pieces, data.refused


_AT_LEAST_2 = number(int, lambda value: value >= 2, "a whole number of at least 2")
_AT_LEAST_4 = number(int, lambda value: value >= 4, "a whole number of at least 4")


def add_compare(commands):
    parser = command(
        commands, "compare", _compare, "train LSTM, VAE and GAN for the same time, judge what they write, and advise"
    )
    parser.add_argument(
        "data", metavar="DATA", help="folder of MIDI files or recordings, piano rolls (.mat), or a corpus"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder; the same command goes on in it")
    parser.add_argument(
        "--minutes", type=POSITIVE, default=10.0, metavar="M", help="training of each model and seed (default 10)"
    )
    parser.add_argument("--pieces", type=_AT_LEAST_2, default=16, metavar="N", help="of each and seed (default 16)")
    parser.add_argument("--bars", type=_AT_LEAST_4, default=16, metavar="B", help="of each piece (default 16)")
    parser.add_argument("--seeds", type=WHOLE, nargs="+", default=[0, 1, 2], metavar="S", help="default 0 1 2")
    families = ["lstm", "vae", "gan"]
    parser.add_argument("--models", choices=families, nargs="+", default=families, help="default: all three")
    sizes = ["tiny", "small", "base", "large"]
    parser.add_argument("--preset", choices=sizes, default="small", help="size of every model (default small)")
    parser.add_argument(
        "--votes",
        nargs="+",
        default=[],
        metavar="FILE",
        help="votes of the page's listening test, a file per listener",
    )


def _compare(options):
    from ..comparison import compare
    from ..report import write_report

    found = compare(
        options.data,
        options.out,
        minutes=options.minutes,
        pieces=options.pieces,
        bars=options.bars,
        seeds=options.seeds,
        models=options.models,
        preset=options.preset,
        votes=options.votes,
    )
    print(found.text())
    for name in ("comparison.json", "table.txt"):
        print(Path(options.out) / name)
    print(write_report(options.out))
    return refusals(found.refused)
