"""Hear notes of a trained composer while it is still composing: each is printed when it sounds.

python examples/08_stream_notes_live.py new-pieces/composer --seconds 20

To play them, send them to a synthesiser in place of `print`: with mido, for example, as note_on and note_off.
"""

import argparse
import sys
import time

from musicgen import InputError, load_composer
from musicgen.plots import pitch_name


def main(model, seconds, seed):
    composer = load_composer(model)
    if not hasattr(composer, "stream"):
        raise InputError("only an LSTMComposer composes note by note", path=model, remedy="train one: example 02")
    stream = composer.stream(seed=seed)
    begin = time.monotonic()
    for note in stream:
        if note.start > seconds:
            break
        time.sleep(max(begin + note.start - time.monotonic(), 0))
        print(f"{note.start:7.2f} s  {pitch_name(note.pitch):4} for {note.end - note.start:.2f} s", flush=True)
    print(f"composed {stream.real_time_factor:.0f} times as fast as it sounds")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="folder of a trained LSTMComposer")
    parser.add_argument("--seconds", type=float, default=20, help="default 20")
    parser.add_argument("--seed", type=int, default=7, help="default 7")
    options = parser.parse_args()
    try:
        main(options.model, options.seconds, options.seed)
    except InputError as error:
        sys.exit(str(error))
