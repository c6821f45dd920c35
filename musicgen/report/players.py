"""Players of the page: the sound lies inside it."""

import base64
import io
from html import escape

import numpy as np

from ..errors import MissingDependencyError
from ..notes import Track
from ..rendering import import_soundfile, render
from ..transforms import crop

SECONDS = 40  # that a player holds at most
EVEN_VELOCITY = 80
_RATE = 24000  # Hz


def player(piece, label):
    """An `<audio>` element; the line that installs what is missing where there is no sound."""
    try:
        kind, data = _encoded(piece)
    except MissingDependencyError as error:
        return f'<p class="small">{escape(str(error))}</p>'
    source = f"data:audio/{kind};base64,{base64.b64encode(data).decode('ascii')}"
    return f'<audio controls preload="none" aria-label="{escape(label, quote=True)}" src="{source}"></audio>'


def anonymous(piece):
    """A piece by whose sound nobody is known: all on the piano, drums aside, and equally loud."""
    notes = np.array(piece.notes)
    notes["velocity"] = EVEN_VELOCITY
    tracks = [Track("", 0, track.drum) for track in piece.tracks]
    return piece.replace(notes=notes, tracks=tracks)


def _encoded(piece):
    """Kind and bytes of the beginning as MP3, else WAV, in one channel."""
    soundfile = import_soundfile()
    short = piece if piece.duration <= SECONDS else crop(piece, 0, SECONDS)
    audio = render(short, sample_rate=_RATE).mean(axis=0)[: (SECONDS + 2) * _RATE]
    mp3, file = "MP3" in soundfile.available_formats(), io.BytesIO()
    options = {"format": "MP3", "compression_level": 0.8, "bitrate_mode": "VARIABLE"}
    options = options if mp3 else {"format": "WAV", "subtype": "PCM_16"}
    soundfile.write(file, audio, _RATE, **options)
    return ("mpeg" if mp3 else "wav"), file.getvalue()
