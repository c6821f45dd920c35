"""The files of music21's corpus, as pieces of one kind per corpus.

The unit of work is one piece: a file, or one tune of an ABC file, which may hold hundreds. So one bad tune costs no
other, and the processes have equal shares.
"""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import InputError, MusicgenError
from ..notes import NoteSequence, Track
from ..workers import map_files

_TUNES, _SCORES = 24, 4  # that a process parses at once; so few take no longer than its start
_VOICES = ("Soprano", "Alto", "Tenor", "Bass")
_STRINGS = (Track("Violin I", 40), Track("Violin II", 40), Track("Viola", 41), Track("Cello", 42))
_CHOIR, _HARPSICHORD = 52, 6  # General MIDI programs
_SUFFIXES = (".abc", ".krn", ".mxl", ".xml")
_FROM_SCORE = ("title", "composer", "tempo", "grace_notes")
_FIELDS = {"T": "title", "C": "composer", "O": "region", "R": "kind"}  # of ABC
_MINOR = ("minor", "aeolian", "dorian", "phrygian", "locrian")
_HUMDRUM_MODES = {"ion": "ionian", "dor": "dorian", "phr": "phrygian", "lyd": "lydian", "mix": "mixolydian"}
_PITCH_CLASS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_HUMDRUM_MODES |= {"aeo": "aeolian", "loc": "locrian"}


class Kind(NamedTuple):
    """What a corpus is made of: `collections` of (name, folder, pattern of its files), the `genre` of its pieces,
    how to choose their `tracks`, and what the file `told`, as `meta`."""

    genre: str
    tracks: object
    told: object
    collections: tuple


class Unit(NamedTuple):
    """One piece to parse: the `text` of a tune, or all of the file."""

    corpus: str
    collection: str
    path: Path
    source: str
    text: str | None = None


def parse(name, folder, limit=None, workers=None, collection=None, *, progress=True):
    """Pieces of a corpus in its order, and (source, reason) of what cannot be used.

    Parameters
    ----------
    name : str
    folder : pathlib.Path
        That of music21's corpus.
    limit : int, optional
        Take the first so many pieces, and parse no more than that takes.
    workers : int, optional
    collection : str, optional
        Leave the others out.
    progress : bool
        Show a bar, where there is no limit.

    Returns
    -------
    list of NoteSequence
    list of (str, str)
    """
    pieces, refused, waiting = [], [], units_of(name, folder, collection)
    while waiting and (limit is None or len(pieces) < limit):
        count = len(waiting) if limit is None else limit - len(pieces)
        found, bad = _parse_all(waiting[:count], workers, progress=progress and limit is None)
        pieces, refused, waiting = pieces + found, refused + bad, waiting[count:]
    return pieces, refused


def _parse_all(units, workers, progress):
    size = _SCORES if units[0].text is None else _TUNES
    batches = [tuple(units[first : first + size]) for first in range(0, len(units), size)]
    inline = 0 if workers is None and len(batches) == 1 else workers
    outcomes = {}
    for batch, result, error in map_files(parse_batch, batches, workers=inline, progress=progress, unit="part"):
        outcomes[batch] = result if error is None else ([], [(unit.source, str(error)) for unit in batch])
    pieces = [piece for batch in batches for piece in outcomes[batch][0]]
    return pieces, [pair for batch in batches for pair in outcomes[batch][1]]


def collections_of(name):
    """Names of the collections that a corpus is made of."""
    return [collection for collection, _, _ in KINDS[name].collections]


def units_of(name, folder, only=None):
    """What there is to parse, in the corpus's order; of one collection only, if one is named."""
    units = []
    for collection, part, pattern in KINDS[name].collections:
        if only not in (None, collection):
            continue
        paths = [path for path in sorted((folder / part).glob(pattern)) if _is_music(path)]
        for path in paths:
            source = path.relative_to(folder).as_posix()
            if path.suffix == ".abc":
                units += [Unit(name, collection, path, place, text) for place, text in _tunes(path, source)]
            else:
                units.append(Unit(name, collection, path, source))
    return units


def _is_music(path):
    return path.suffix in _SUFFIXES and not path.stem.endswith("_bak")


def _tunes(path, source):
    """(source, text) of the tunes of an ABC file; each gets the fields that stand before the first one."""
    head, *tunes = re.split(r"^X:.*$", _text(path), flags=re.MULTILINE)
    head = "".join(f"{line}\n" for line in head.splitlines() if re.match(r"[A-Z]:", line))
    if len(tunes) == 1:
        return [(source, head + tunes[0].lstrip())]
    return [(f"{source}#{number}", head + tune.lstrip()) for number, tune in enumerate(tunes, 1)]


def _text(path):
    data = path.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def parse_batch(units):
    """Pieces of some units, and (source, reason) of those that cannot be used."""
    pieces, refused = [], []
    for unit in units:
        try:
            pieces.append(_piece(unit))
        except MusicgenError as error:
            refused.append((unit.source, str(error)))
        except Exception as error:  # music21 trips over a file in ways of its own
            refused.append((unit.source, f"music21 cannot read it: {type(error).__name__}: {error}"))
    return pieces, refused


def _piece(unit):
    from music21 import converter

    from ..score import from_music21

    kind = KINDS[unit.corpus]
    score = _tune(unit.text) if unit.text else converter.parseFile(unit.path, forceSource=True)
    piece = kind.tracks(from_music21(score, split_voices=False))
    meta = {"title": Path(unit.source).stem, "source": unit.source, "genre": kind.genre}
    meta |= {"corpus": unit.corpus, "collection": unit.collection}
    meta |= {name: " ".join(piece.meta[name].split()) for name in _FROM_SCORE if name in piece.meta}
    if not score.recurse().getElementsByClass("TimeSignature"):
        meta["meter"] = "4/4 assumed"
    meta |= kind.told(unit, score, piece)
    return NoteSequence(piece.notes, piece.tracks, piece.timing, piece.duration, meta)


def _tune(text):
    """A tune as music21 reads it, without what misleads it or what it makes up."""
    from music21 import converter

    if len(set(re.findall(r"^\[?V:[ \t]*(\w+)", text, flags=re.MULTILINE))) > 1:
        raise InputError("has several voices, whose lines music21 does not join")
    text = re.sub(r"\{[^}\n]*\}", "", text)  # grace notes: it counts them among the notes of a triplet
    score = converter.parseData(text, format="abc")
    stated = {*map(tuple, re.findall(r"M:[^\d\n]*(\d+)/(\d+)", text)), ("4", "4"), ("2", "2")}  # C and C|
    for signature in list(score.recurse().getElementsByClass("TimeSignature")):
        if (str(signature.numerator), str(signature.denominator)) not in stated:  # its guess at a bar of odd length
            signature.activeSite.remove(signature)
    return score


# ---- tracks


def _chosen(piece, parts, tracks):
    """The piece with some of its tracks, by index, in the order given and by new names."""
    place = np.full(len(piece.tracks), len(parts))
    place[parts] = range(len(parts))
    notes = np.array(piece.notes)
    notes["track"] = place[notes["track"]]
    notes = notes[notes["track"] < len(parts)]
    if len(np.unique(notes["track"])) < len(parts):
        raise InputError("has a voice without notes")
    return piece.replace(notes=notes, tracks=tracks)


def _chorale(piece):
    names = [" ".join(track.name.split()[:1]) for track in piece.tracks]  # "Soprano Oboe 1" is one part
    if any(names.count(voice) != 1 for voice in _VOICES):
        parts = ", ".join(" ".join(track.name.split()) for track in piece.tracks)
        raise InputError(f"has parts {parts}, not one each of {', '.join(_VOICES)}")
    return _chosen(piece, [names.index(voice) for voice in _VOICES], [Track(voice, _CHOIR) for voice in _VOICES])


def _quartet(piece):
    if len(piece.tracks) != len(_STRINGS):
        raise InputError(f"has {len(piece.tracks)} parts, not those of a string quartet")
    return _chosen(piece, range(len(_STRINGS)), _STRINGS)


def _voices(piece):
    """Parts that sing or play, each by a name of its own."""
    parts = np.unique(piece.notes["track"]).tolist()
    if len(parts) < 2:
        raise InputError("has notes in one voice only")
    names = [" ".join(piece.tracks[part].name.split()) or "Voice" for part in parts]
    tracks = []
    for index, name in enumerate(names):
        number = f" {names[:index].count(name) + 1}" if names.count(name) > 1 else ""
        tracks.append(Track(name + number, _HARPSICHORD if "continuo" in name.lower() else _CHOIR))
    return _chosen(piece, parts, tracks)


def _as_it_is(piece):
    return piece


# ---- what a file tells


def _told_by_abc(unit, score, piece):
    told = {}
    for letter, text in re.findall(r"^([A-Z]):[ \t]*(.*?)[ \t]*(?:%.*)?$", unit.text, flags=re.MULTILINE):
        if letter in _FIELDS and text:
            told.setdefault(_FIELDS[letter], text if "[" in text else text.rstrip("]"))
    if graces := sum(len(re.findall("[A-Ga-g]", group)) for group in re.findall(r"\{[^}\n]*\}", unit.text)):
        told["grace_notes"] = f"{graces} left out"
    return told | _key(score, piece, is_mode_told=unit.collection != "Essen")


def _told_by_score(unit, score, piece):
    return _key(score, piece)


def _told_of_quartet(unit, score, piece):
    """Titles and composers by the places of the files: few tell their own, each in its way."""
    place = " ".join(Path(unit.source).with_suffix("").parts[1:])
    place = re.sub(r"\bopus(\d+)", r"op. \1 ", re.sub(r"\bk(\d+)", r"K. \1", place))
    place = re.sub(r"\bno(\d+)", r"no. \1", re.sub(r" movement(\d)", r", movement \1", place))
    title = " ".join(f"{unit.collection}, {place}".split()).replace(" ,", ",")
    return {"title": title, "composer": unit.collection, **_key(score, piece)}


def _told_by_humdrum(unit, score, piece):
    text = _text(unit.path)
    told = {"composer": "Giovanni Pierluigi da Palestrina"}
    work = re.search(r"^!!!OPR: *(.*?) *$", text, flags=re.MULTILINE)
    if work:
        told["work"] = work[1]
    return told | _humdrum_key(text)


def _told_of_monteverdi(unit, score, piece):
    """The scanned composer fields are no text; titles stand in the analyses beside."""
    told = {"composer": "Claudio Monteverdi"}
    analysis = unit.path.with_suffix(".rntxt")
    title = re.search(r"^Title: *(.*?) *$", _text(analysis), flags=re.MULTILINE) if analysis.exists() else None
    return told | ({"title": title[1]} if title else {})


def _told_of_trecento(unit, score, piece):
    return {}


def _key(score, piece, is_mode_told=True):
    """Key and mode by the first signature, if that tells a tonic."""
    from ..score import estimate_key

    signature = score.recurse().getElementsByClass("KeySignature").first()
    mode = getattr(signature, "mode", None)
    if mode is None:
        return {}
    tonic = signature.tonic.pitchClass
    if not is_mode_told:
        return {"key": estimate_key(piece, among=[_key_name(tonic, "major"), _key_name(tonic, "minor")])}
    return _told_key(tonic, mode)


def _humdrum_key(text):
    """Of a line such as ``*G:mix``."""
    found = re.search(r"^\*([A-Ga-g])([-#]?):([a-z]{3})?", text, flags=re.MULTILINE)
    if not found:
        return {}
    tonic = (_PITCH_CLASS[found[1].upper()] + {"": 0, "-": -1, "#": 1}[found[2]]) % 12
    plain = "major" if found[1].isupper() else "minor"
    return _told_key(tonic, _HUMDRUM_MODES.get(found[3], plain))


def _told_key(tonic, mode):
    """`mode` beside `key`, where it is neither major nor minor."""
    told = {"key": _key_name(tonic, mode)}
    return told if mode in ("major", "minor") else told | {"mode": mode}


def _key_name(tonic, mode):
    """One of `score.key.KEYS`; an old mode counts as major or minor by its third."""
    from ..score.key import KEYS

    return KEYS[tonic + (12 if mode in _MINOR else 0)]


KINDS = {
    "bach-chorales": Kind("chorale", _chorale, _told_by_score, (("Bach", "bach", "bwv*.mxl"),)),
    "folk": Kind(
        "folk",
        _as_it_is,
        _told_by_abc,
        (
            ("Essen", "essenFolksong", "*.abc"),
            ("Ryan's Mammoth", "ryansMammoth", "*.abc"),
            ("O'Neill's 1850", "oneills1850", "*.abc"),
            ("Aird's Airs", "airdsAirs", "*.abc"),
            ("American fife", "miscFolk", "americanfife*.abc"),
            ("Northumbrian Minstrelsy", "miscFolk", "northumbrian*.abc"),
        ),
    ),
    "monteverdi": Kind(
        "madrigal", _voices, _told_of_monteverdi, (("Monteverdi", "monteverdi", "madrigal.*[0-9].mxl"),)
    ),
    "palestrina": Kind("mass", _voices, _told_by_humdrum, (("Palestrina", "palestrina", "*.krn"),)),
    "string-quartets": Kind(
        "string quartet",
        _quartet,
        _told_of_quartet,
        (
            ("Haydn", "haydn", "opus*/*.mxl"),
            ("Mozart", "mozart", "k[0-9]*/movement[0-9].mxl"),
            ("Beethoven", "beethoven", "**/*.mxl"),
            ("Schumann", "schumann_robert", "opus41no1/*.mxl"),
        ),
    ),
    "trecento": Kind("trecento", _voices, _told_of_trecento, (("Trecento", "trecento", "*"),)),
}
