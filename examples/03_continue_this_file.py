"""Continue a MIDI file: keep its first bars and let a trained composer go on from there, in three ways.

python examples/03_continue_this_file.py new-pieces/composer song.mid
"""

import sys
from pathlib import Path

from musicgen import InputError, crop, load_composer, read_midi

KEPT_BARS, NEW_BARS = 4, 8


def main(model, file):
    composer, song = load_composer(model), read_midi(file)
    end = song.timing.quarters_to_seconds(song.timing.first_bars(KEPT_BARS + 1)[KEPT_BARS])
    primer = crop(song, 0, min(end, song.duration))
    for temperature in (0.8, 1.0, 1.2):  # from cautious to bold
        piece = composer.compose(bars=NEW_BARS, primer=primer, seed=7, temperature=temperature)
        print(piece.save(Path(file).with_name(f"{Path(file).stem}-continued-{temperature}.mid")))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except InputError as error:
        sys.exit(str(error))
