"""Train one composer on several genres, the names of the folders that your files lie in, and compose in each.

python examples/07_train_with_genres.py my-midi --out by-genre     (my-midi/jazz/*.mid, my-midi/folk/*.mid, ...)
"""

import argparse
import sys
from pathlib import Path

from musicgen import InputError, LSTMComposer, load_folder
from musicgen.datasets import split


def main(folder, out, preset, epochs, bars):
    training, held_out = split(load_folder(folder), (0.8, 0.2), seed=0)
    composer = LSTMComposer(preset=preset, seed=0)
    composer.fit(training, validation=held_out, epochs=epochs)
    if not composer.codec.genres:
        raise InputError("no file lies in a folder of its genre", path=folder, remedy="make one folder per genre")
    print(composer.save(out / "composer"))
    for genre in composer.codec.genres:
        print(composer.compose(bars, genre=genre, seed=7).save(out / f"{genre}.mid"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="folders of MIDI files, one per genre")
    parser.add_argument("--out", type=Path, default=Path("by-genre"), help="default by-genre")
    parser.add_argument("--preset", default="small", choices=["tiny", "small", "base", "large"])
    parser.add_argument("--epochs", type=int, default=40, help="default 40")
    parser.add_argument("--bars", type=int, default=16, help="default 16")
    options = parser.parse_args()
    try:
        main(options.folder, options.out, options.preset, options.epochs, options.bars)
    except InputError as error:
        sys.exit(str(error))
