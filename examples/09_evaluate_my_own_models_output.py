"""Judge pieces that any other model wrote, as MIDI files, beside real music of the kind that they should be like.

python examples/09_evaluate_my_own_models_output.py generated --reference my-midi --json judged.json

The reference is a folder of MIDI files, or the name of a corpus that music21 brings, such as bach-chorales. Some of
it is held out and judged as the pieces are: no figure is a grade by itself, only beside that of real music.
"""

import argparse
import math
import sys
from pathlib import Path

from musicgen import InputError, evaluate, load_corpus, load_folder
from musicgen.datasets import CORPORA, hold_out
from musicgen.metrics import Reference, noise_level

WORST, FEWEST = 3, 5  # pieces that are named as the noisiest, and fewest from which a difference is told


def main(generated, reference, file, limit):
    pieces = read(generated)
    real = list(load_corpus(reference) if reference in CORPORA else read(reference).values())
    # Few pieces never have the variety of many, so as many real ones are judged beside them.
    known, peers = hold_out(real, min(len(pieces) / len(real), 0.5), seed=0)
    if peers is None:
        raise InputError("holds one piece, there is none to hold out", path=reference, remedy="give more pieces")
    count = min(len(pieces), len(peers))
    known = Reference(known, limit=limit, seed=0)  # measured once: it can judge the output of your next model too
    judged, usual = (evaluate(list(those)[:count], known) for those in (pieces.values(), peers))

    print(f"{count} of {len(pieces)} pieces, {count} real ones, both beside {len(known.pieces)} other real ones")
    for family in judged.levels:
        made, found = (levels[family].pieces for levels in (judged.levels, usual.levels))
        verdict = difference(made, found) if count >= FEWEST else "too few pieces to tell"
        print(f"{family:9}  {told(made)}   real music {told(found)}   {verdict}")
    made, found = (told(those["longest_copy"].pieces) for those in (judged, usual))
    print(f"longest copy {made} notes, of real music {found}")
    noise = {path: noise_level(piece) for path, piece in pieces.items() if len(piece)}
    for path in sorted(noise, key=noise.get, reverse=True)[:WORST]:
        print(f"noisy: {noise[path]:.2f} {path}")
    if file:
        Path(file).write_text(judged.to_json(), encoding="utf-8")  # every figure, every measure of every piece
        print(file)


def read(folder):
    """The pieces of a folder by their paths; files that cannot be used are named."""
    folder = load_folder(folder)
    pieces = list(folder)
    refused = dict(folder.refused)
    for path, reason in refused.items():
        print(f"left out {path}: {reason}")
    return dict(zip([path for path in folder.paths if path not in refused], pieces, strict=True))


def told(interval):
    value, low, high = interval
    return f"{value:.3g}" + (f" ({low:.3g} to {high:.3g})" if math.isfinite(low) else "")


def difference(made, found):
    """Where the intervals of 95 % are apart, the two differ by more than chance."""
    if made.low > found.high:
        return "higher than real music"
    return "lower than real music" if made.high < found.low else "no difference to be told"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("generated", help="folder of MIDI files that your model wrote")
    parser.add_argument("--reference", required=True, help="folder of real MIDI files, or the name of a corpus")
    parser.add_argument("--json", metavar="FILE", help="write every figure, and all measures of every piece")
    parser.add_argument("--limit", type=int, default=500, help="references to measure at most (default 500)")
    options = parser.parse_args()
    try:
        main(options.generated, options.reference, options.json, options.limit)
    except InputError as error:
        sys.exit(str(error))
