"""Write a MIDI file as a score that notation programs open: on a grid, in its key, as MusicXML.

python examples/06_export_a_score.py song.mid
"""

import sys
from pathlib import Path

from musicgen import InputError, estimate_key, quantise, read_midi


def main(song):
    # Performed notes lie beside the beat, a score wants them on it: 12 steps per quarter hold triplets too.
    piece = quantise(read_midi(song), 12)
    print(f"{len(piece)} notes in {estimate_key(piece)}")
    print(piece.save(Path(song).with_suffix(".musicxml")))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        main(sys.argv[1])
    except InputError as error:
        sys.exit(str(error))
