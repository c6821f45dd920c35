"""The vocabulary of event tokens, declared once as a table."""

import re

TEMPI = tuple(round(30 * 2 ** (step / 12)) for step in range(37))  # quarter notes per minute, 30 to 240
DENSITY_EDGES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)  # notes per quarter note
METERS = tuple(f"{n}/{d}" for d in (1, 2, 4, 8, 16) for n in range(1, 16) if 1 <= 16 * n / d <= 128)
_TONICS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
KEYS = tuple(f"{tonic} {mode}" for mode in ("major", "minor") for tonic in _TONICS)


def token_spec(*, resolution, velocities, tracks, genres, max_duration, max_bar):
    """The vocabulary as a table: token type to its values, in the order of their ids.

    Sizes, ids, names, checks, encoding and decoding all follow from this table.
    """
    meters = tuple(m for m in METERS if bar_quarters(m) <= max_bar and (bar_quarters(m) * resolution).is_integer())
    return {
        "PAD": ("None",),
        "BOS": ("None",),
        "EOS": ("None",),
        "Genre": tuple(genres),
        "Key": KEYS,
        "Density": tuple(range(len(DENSITY_EDGES) + 1)),
        "Tempo": TEMPI,
        "Meter": meters,
        "Bar": ("None",),
        "Position": tuple(range(round(max_bar * resolution))),
        "Track": tuple(range(tracks)),
        "Pitch": tuple(range(128)),
        "Velocity": tuple(min(127, round((i + 0.5) * 128 / velocities)) for i in range(velocities)),
        "Duration": tuple(range(1, round(max_duration * resolution) + 1)),
    }


_KEY = re.compile(r"([A-Ga-g])([#♯b♭-]*) (major|minor)")
_SEMITONES = {"#": 1, "♯": 1, "b": -1, "♭": -1, "-": -1}


def key_name(text):
    """The Key label of a key such as "C major", "a minor", "f# minor", "B♭ major" or "B- major"; None if it is none.

    Examples
    --------
    >>> key_name("a minor"), key_name("B- major"), key_name("C♯ major"), key_name("none"), key_name("Cx major")
    ('A minor', 'Bb major', 'Db major', None, None)
    """
    found = _KEY.fullmatch((text or "").strip())
    if not found:
        return None
    tonic, signs, mode = found.groups()
    number = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[tonic.upper()]
    number = (number + sum(_SEMITONES[sign] for sign in signs)) % 12
    return KEYS[number + (12 if mode == "minor" else 0)]


def bar_quarters(label):
    """Length of a bar of a meter such as "3/4", in quarter notes."""
    numerator, denominator = label.split("/")
    return 4 * int(numerator) / int(denominator)
