"""Turn a recording into notes: a MIDI file beside it, and what was heard.

python examples/01_transcribe_a_recording.py song.wav
"""

import sys
from pathlib import Path

from musicgen import InputError, estimate_key, transcribe


def main(recording):
    # Recordings without a clear beat (a held chord, speech) get an even tempo instead of a refusal.
    piece = transcribe(recording, fallback_bpm=120)
    print(f"{len(piece)} notes in {piece.duration:.1f} s, {piece.timing.bpm:.0f} bpm, {estimate_key(piece)}")
    print(piece.save(Path(recording).with_suffix(".mid")))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        main(sys.argv[1])
    except InputError as error:
        sys.exit(str(error))
