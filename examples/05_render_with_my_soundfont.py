"""Play MIDI files into audio files with a SoundFont of your own.

python examples/05_render_with_my_soundfont.py piano.sf2 song.mid another.mid --out audio --format flac
"""

import argparse
import sys
from pathlib import Path

from musicgen import InputError, read_midi


def main(soundfont, files, out, suffix):
    for file in files:
        print(read_midi(file).save(out / f"{file.stem}.{suffix}", soundfont=soundfont))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("soundfont", help="file with the suffix .sf2 or .sf3")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="MIDI files")
    parser.add_argument("--out", type=Path, default=Path("audio"), help="default audio")
    parser.add_argument("--format", default="wav", choices=["wav", "flac", "ogg"], help="default wav")
    options = parser.parse_args()
    try:
        main(options.soundfont, options.files, options.out, options.format)
    except InputError as error:
        sys.exit(str(error))
