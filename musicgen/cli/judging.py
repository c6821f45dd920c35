"""The command that judges music: evaluate."""

import sys
from pathlib import Path

from .common import COUNT, WHOLE, command, read_piece, refusals


def add_evaluate(commands):
    parser = command(commands, "evaluate", _evaluate, "judge pieces beside real ones: quality, noise, coherence")
    parser.add_argument("generated", metavar="GENERATED", help="folder of MIDI files, one MIDI file or score")
    parser.add_argument(
        "--reference",
        required=True,
        metavar="DATA",
        help="real pieces: folder of MIDI files, recordings or prepared pieces, piano rolls (.mat), or a corpus",
    )
    parser.add_argument("--json", metavar="FILE", help="write all figures, and all measures of every piece")
    parser.add_argument("--limit", type=COUNT, default=1000, metavar="N", help="references to measure (default 1000)")
    parser.add_argument("--seed", type=WHOLE, default=0, help="default 0")


def _evaluate(options):
    from ..files import check_place, write_text
    from ..metrics import Reference, evaluate

    if options.json:
        check_place(options.json)
    pieces, refused = _judged(Path(options.generated))
    references, refused_references = _references(options.reference)
    print(f"measuring {len(pieces)} pieces beside {len(references)} references", file=sys.stderr)
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
