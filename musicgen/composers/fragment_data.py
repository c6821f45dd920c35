"""What the training pieces tell a composer of fragments: a codec that holds them, their meter, genres and tempi."""

from collections import Counter

import numpy as np

from ..codecs import MelodyCodec, PianorollCodec
from ..codecs.grid import bar_steps
from ..codecs.melody import REST
from ..datasets.prepared import PreparedPieces
from ..errors import InputError


def codec_for_fragments(pieces, held_out, resolution):
    """The codec of prepared pieces, else of this resolution: a melody where most pieces are one, or a piano roll."""
    prepared = [part.codec for part in (pieces, held_out) if isinstance(part, PreparedPieces)]
    if prepared:
        if not isinstance(prepared[0], MelodyCodec | PianorollCodec):
            raise InputError(
                f"was prepared with the codec {prepared[0].name!r}, this composer learns from melody or pianoroll",
                path=next(part.path for part in (pieces, held_out) if isinstance(part, PreparedPieces)),
                remedy="prepare the data with: --codec melody",
            )
        return prepared[0]
    melody = MelodyCodec(resolution=resolution)
    held = sum(_holds(melody, piece) for piece in pieces)
    if 2 * held > len(pieces):
        return melody
    return PianorollCodec.for_data(pieces, resolution=resolution)


def _holds(codec, piece):
    try:
        codec.encode(piece)
    except InputError:
        return False
    return True


def genre_of(pieces, index):
    """The genre of a piece, "" for none."""
    return pieces.genre(index) if isinstance(pieces, PreparedPieces) else pieces[index].meta.get("genre", "")


def commonest_meter(timings, lengths, codec):
    """The meter with most bars, as "4/4"."""
    bars = Counter()
    for timing, length in zip(timings, lengths, strict=True):
        bars.update(bar_steps(timing, codec.resolution, length)[1])
    fitting = {meter: n for meter, n in bars.items() if (4 * codec.resolution * meter[0]) % meter[1] == 0}
    if not fitting:
        raise InputError("no bar of the pieces fits the codec's grid", remedy="give the codec another resolution")
    best = max(fitting, key=lambda meter: (fitting[meter], meter))
    return f"{best[0]}/{best[1]}"


def without_empty_bars(tokens, bar_steps):
    """Fragments without an empty bar: bool, (n,)."""
    sounds = (tokens != REST).any(axis=2)
    return sounds.reshape(len(tokens), tokens.shape[1] // bar_steps, bar_steps).any(axis=2).all(axis=1)


def median_tempi(pieces, genres):
    """Median tempo, in beats per minute, of all pieces ("") and of each genre."""
    timings = list(pieces.timings()) if isinstance(pieces, PreparedPieces) else [piece.timing for piece in pieces]
    tempi, labels = np.array([t.bpm for t in timings]), np.array([genre_of(pieces, i) for i in range(len(pieces))])
    found = {"": tempi} | {genre: tempi[labels == genre] for genre in genres}
    return {genre: round(float(np.median(some)), 2) for genre, some in found.items() if len(some)}


def checked_meter(meter):
    """A meter such as "3/4", in that form."""
    numerator, _, denominator = str(meter).partition("/")
    if not (numerator.isdecimal() and denominator.isdecimal() and int(numerator) and int(denominator)):
        raise InputError(f"meter {meter!r} is none", remedy="such as '4/4' or '6/8'")
    return f"{int(numerator)}/{int(denominator)}"
