"""Train a composer on a folder of MIDI files and let it write three new pieces.

python examples/02_compose_from_my_midi_folder.py my-midi --epochs 40 --out new-pieces
"""

import argparse
import sys

from musicgen import InputError, LSTMComposer, load_folder
from musicgen.datasets import split


def main(folder, *, out, preset, epochs, bars):
    pieces = load_folder(folder)
    training, held_out = split(pieces, (0.8, 0.2), seed=0)
    for path, reason in pieces.refused:
        print(f"left out {path}: {reason}")
    composer = LSTMComposer(preset=preset, seed=0)
    composer.fit(training, validation=held_out, epochs=epochs)
    print(composer.save(f"{out}/composer"))  # example 03 goes on from here
    for number, piece in enumerate(composer.compose_many(3, bars=bars, seed=7), 1):
        print(piece.save(f"{out}/piece-{number}.mid"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="MIDI files, in sub-folders too")
    parser.add_argument("--out", default="new-pieces", help="folder for the composer and its pieces")
    parser.add_argument("--preset", default="small", help="size of the network: tiny, small, base or large")
    parser.add_argument("--epochs", type=int, default=40, help="passes over the data at most")
    parser.add_argument("--bars", type=int, default=16, help="length of each piece")
    try:
        main(**vars(parser.parse_args()))
    except InputError as error:
        sys.exit(str(error))
