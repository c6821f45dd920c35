"""What a notebook shows of a piece: one line of facts, the piano roll, a player.

The HTML is complete in itself: picture and sound lie inside it, no network is asked. Lines and letters take the
colour of the text around them, so that it reads on light and on dark ground.
"""

import base64
import io
import re
import warnings
from html import escape

import numpy as np

from ..errors import MissingDependencyError
from ..transforms import crop

PLAYER_S = 60  # seconds; what is longer is shortened for the player
_FADE_S = 2
_MP3_RATE, _WAV_RATE = 32000, 16000  # Hz
_VECTOR_NOTES = 400  # with more, the notes are pixels inside the drawing, which keeps it small
_SMALL = "margin:.3em 0;font-size:.9em;opacity:.8"


def piece_html(sequence):
    """A piece as self-contained HTML: facts, piano roll, audio player, tracks.

    Parameters
    ----------
    sequence : NoteSequence
        The piece. Titles, names and other texts are escaped.

    Returns
    -------
    str
        One `<figure>` element. The player holds the first 60 s as MP3 (WAV where libsndfile cannot write MP3).
        Without matplotlib or soundfile, the line that installs it stands in place of the picture or the player.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> html = piece_html(NoteSequence([(0.0, 0.5, 60, 80, 0)], meta={"title": "A & B"}))
    >>> html.startswith("<figure"), "A &amp; B" in html, "<audio controls" in html
    (True, True, True)
    """
    parts = [_caption(sequence), _or_advice(_roll, sequence), _or_advice(_player, sequence), _details(sequence)]
    return f'<figure style="margin:0;max-width:1000px">{"".join(parts)}</figure>'


def summary(sequence):
    """The facts of a piece in one line of plain text.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> summary(NoteSequence([(0.0, 90.5, 60, 80, 0)], meta={"genre": "jazz"}))
    '1:30 · 1 note · 1 track · 120 bpm · 4/4 · C4 · jazz'
    """
    notes = sequence.notes
    facts = [
        _clock(sequence.duration),
        _counted(len(notes), "note"),
        _counted(len(sequence.tracks), "track"),
        _tempo(sequence.timing),
        _meters(sequence.timing),
        _pitch_range(sequence, notes),
        sequence.meta.get("genre", ""),
    ]
    return " · ".join(fact for fact in facts if fact)


def _or_advice(part, sequence):
    try:
        return part(sequence)
    except MissingDependencyError as error:
        return f'<p style="{_SMALL}">{escape(str(error))}</p>'


def _caption(sequence):
    title = escape(sequence.meta.get("title", "")) or "Untitled"
    return f'<figcaption style="margin:.3em 0"><strong>{title}</strong> · {escape(summary(sequence))}</figcaption>'


def _roll(sequence):
    from ..plots import NOTE_LAYER, plot_piece

    ax = plot_piece(sequence)
    ax.set_title("", loc="left")  # the caption has it
    if len(sequence) > _VECTOR_NOTES:
        for collection in ax.collections:
            collection.set_rasterized(collection.get_zorder() >= NOTE_LAYER)
    label = escape(f"Piano roll of {sequence.meta.get('title') or 'the piece'}: {summary(sequence)}", quote=True)
    return _inline_svg(ax.figure, label)


def _inline_svg(figure, label):
    """The figure as an `<svg>` element that takes the width it gets and the colour of the text around it."""
    import matplotlib

    from ..plots import INK

    file = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "musicgen"}):
        figure.savefig(file, format="svg", transparent=True, dpi=150, metadata={"Date": None})
    text = file.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # the next piece on the page would have the same names
    view = re.search(r'viewBox="[^"]*"', text)[0]
    head = f'<svg {view} role="img" aria-label="{label}" style="display:block;width:100%;height:auto" '
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    return head + names + text[text.index(">") + 1 :].replace(INK, "currentColor").strip()


def _player(sequence):
    if not len(sequence):
        return f'<p style="{_SMALL}">No notes, nothing to play.</p>'
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        kind, data = _encoded(sequence)
    remarks = [str(warning.message) for warning in caught if warning.category is UserWarning]
    if sequence.duration > PLAYER_S:
        remarks.append(f"The player holds the first {PLAYER_S} s of {_clock(sequence.duration)}; save() writes all.")
    source = f"data:audio/{kind};base64,{base64.b64encode(data).decode('ascii')}"
    label = escape(f"Listen to {sequence.meta.get('title') or 'the piece'}", quote=True)
    player = f'<audio controls preload="metadata" aria-label="{label}" style="width:100%" src="{source}"></audio>'
    return player + "".join(f'<p style="{_SMALL}">{escape(remark)}</p>' for remark in remarks)


def _encoded(sequence):
    """Kind and bytes of the first minute as a sound file that every browser plays: MP3, else WAV."""
    from ..rendering import import_soundfile, render

    soundfile = import_soundfile()
    mp3 = "MP3" in soundfile.available_formats()
    rate = _MP3_RATE if mp3 else _WAV_RATE
    if sequence.duration <= PLAYER_S:
        audio = render(sequence, sample_rate=rate)
    else:
        audio = render(crop(sequence, 0, PLAYER_S), sample_rate=rate)[:, : PLAYER_S * rate]
        audio[:, -_FADE_S * rate :] *= np.linspace(1, 0, _FADE_S * rate, dtype=np.float32)
    file = io.BytesIO()
    if mp3:
        options = {"format": "MP3", "compression_level": 0.7, "bitrate_mode": "VARIABLE"}
    else:
        options = {"format": "WAV", "subtype": "PCM_16"}
        audio = audio.mean(axis=0, keepdims=True)
    soundfile.write(file, audio.T, rate, **options)
    return ("mpeg" if mp3 else "wav"), file.getvalue()


def _details(sequence):
    """Tracks and meta, folded away."""
    counts = np.bincount(sequence.notes["track"], minlength=len(sequence.tracks))
    tracks = [
        (track.name or f"Track {index + 1}", _instrument(track), f"{count:,}")
        for index, (track, count) in enumerate(zip(sequence.tracks, counts.tolist(), strict=True))
    ]
    tables = _table(("Track", "Instrument", "Notes"), tracks)
    if sequence.meta:
        tables += _table(("About", ""), list(sequence.meta.items()))
    return f'<details style="margin:.3em 0"><summary>Tracks and origin</summary>{tables}</details>'


def _table(head, rows):
    cell = 'style="text-align:left;padding:.1em 1em .1em 0"'
    lines = ["".join(f'<th scope="col" {cell}>{escape(name)}</th>' for name in head)]
    lines += ["".join(f"<td {cell}>{escape(text)}</td>" for text in row) for row in rows]
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _instrument(track):
    from pretty_midi import program_to_instrument_name

    return "drums" if track.drum else program_to_instrument_name(track.program)


def _clock(seconds):
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes}:{seconds:02}"


def _counted(count, noun):
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _tempo(timing):
    steps = np.diff(timing.beats)
    about = "about " if steps.max() > 1.05 * steps.min() else ""
    return f"{about}{timing.bpm:.0f} bpm"


def _meters(timing):
    names = list(dict.fromkeys(f"{meter.numerator}/{meter.denominator}" for meter in timing.meters))
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


def _pitch_range(sequence, notes):
    from ..plots import pitch_name

    drums = np.array([track.drum for track in sequence.tracks], bool)[notes["track"]]
    pitches = np.unique(notes["pitch"][~drums])
    if not len(pitches):
        return ""
    names = [pitch_name(int(pitch)) for pitch in (pitches[0], pitches[-1])]
    return " to ".join(dict.fromkeys(names))
