"""Blend two songs: learn melodies from a folder of MIDI files, then go from one song's melody to the other's.

python examples/04_blend_two_songs.py my-midi-folder a.mid b.mid --out blends
"""

import argparse
import sys
from pathlib import Path

from musicgen import InputError, VAEComposer, load_folder, monophonic, plot_interpolation, quantise, read_midi
from musicgen.plots import save_figure


def melody(piece):
    """The highest notes of a piece, on the composer's grid of sixteenths."""
    return monophonic(quantise(piece, 4))


def main(folder, songs, out, preset, minutes):
    composer = VAEComposer(preset=preset, fragment_bars=2, seed=0)
    composer.fit([melody(piece) for piece in load_folder(folder)], epochs=200, minutes=minutes)
    print(composer.save(out / "composer"))
    a, b = (melody(read_midi(song)) for song in songs)
    steps = composer.interpolate(a, b, steps=5, seed=7)
    for number, piece in enumerate(steps, 1):
        print(piece.save(out / f"step-{number}.mid"))
    print(save_figure(plot_interpolation(steps), out / "steps.png"))
    print(composer.blend([a, b], [0.5, 0.5], seed=7).save(out / "blend.mid"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="MIDI files to learn from")
    parser.add_argument("songs", nargs=2, metavar="SONG", help="two MIDI files of at least two bars each")
    parser.add_argument("--out", type=Path, default=Path("blends"), help="default blends")
    parser.add_argument("--preset", default="small", choices=["tiny", "small", "base", "large"])
    parser.add_argument("--minutes", type=float, default=5, help="of training at most (default 5)")
    options = parser.parse_args()
    try:
        main(options.folder, options.songs, options.out, options.preset, options.minutes)
    except InputError as error:
        sys.exit(str(error))
