"""What a composition is asked to be: checked, put into tokens and guidance, and measured in the piece."""

import difflib
import math
from bisect import bisect_right

import numpy as np

from ..codecs.spec import DENSITY_EDGES, KEYS, TEMPI, key_name
from ..errors import InputError
from ..metrics.measures import pitched
from ..notes import Track
from ..score import estimate_key
from ..timing import natural_quarters_per_beat
from ..transforms import stretch
from .guidance import KEY_LEAD, Guidance
from .listening import VOICES
from .primers import nearest_tempo

#: Options of `compose` that say what the piece shall be; None leaves it to the composer.
CONTROLS = ("key", "tempo", "meter", "density", "polyphony", "pitch_range", "instrument")
MOST_DENSE = 16  # notes per quarter note
DENSITY_MISSED = 0.25  # share by which a density may differ from the one asked for before it is told
_OF_THE_PRIMER = ("tempo", "meter", "instrument")


class Asked:
    """What is asked of a composition, checked.

    Parameters
    ----------
    codec : EventsCodec
    seen : mapping
        From `labels.seen_controls`; empty where it is not known.
    bars : int
    genre : str or None
    primed : bool
        Whether a primer is continued, which brings tempo, meter and instruments.
    key : str, optional
        Such as "A minor" or "F# major".
    tempo : float, optional
        Beats per minute; a beat is a quarter note, in 6/8, 9/8 and 12/8 a dotted one, in x/2 a half note.
    meter : str, optional
        Such as "3/4"; it holds to the end.
    density : float, optional
        Notes per quarter note.
    polyphony : int, optional
        Notes that sound at once, at most, percussion included.
    pitch_range : (int, int), optional
        Lowest and highest MIDI pitch, of tracks that are no percussion.
    instrument : str or int, or sequence of these, optional
        General MIDI name or program of all pitched tracks, or one for each.

    Raises
    ------
    InputError
        If a value is out of range, was not in the training data, or contradicts the primer.
    """

    def __init__(self, codec, seen, *, bars, genre=None, primed=False, **wanted):
        self.codec, self.bars, self.genre = codec, bars, genre
        self.wanted = {name: wanted.get(name) for name in CONTROLS}
        for name in _OF_THE_PRIMER:
            if primed and self.wanted[name] is not None:
                raise InputError(
                    f"{name} cannot be asked for beside a primer", remedy=f"the primer brings its {name}"
                )
        self.key = checked_key(self.wanted["key"], seen.get("Key", {}))
        self.meter = _checked_meter(self.wanted["meter"], codec, seen.get("Meter", {}))
        self.tempo = self._checked_tempo(self.wanted["tempo"])
        self.density = checked_number("density", self.wanted["density"], 0.1, MOST_DENSE, "notes per quarter note")
        self.polyphony = _checked_whole("polyphony", self.wanted["polyphony"], 1, VOICES)
        self.pitch_range = _checked_range(self.wanted["pitch_range"])
        self.programs = _checked_instruments(self.wanted["instrument"], codec)

    def tokens(self):
        """Control tokens that are asked for: kind to value."""
        values = {
            "Genre": self.genre,
            "Key": self.key,
            "Density": None if self.density is None else bisect_right(DENSITY_EDGES, self.density),
            "Tempo": None if self.tempo is None else nearest_tempo(self.tempo * self._beat()),
            "Meter": self.meter,
        }
        return {kind: value for kind, value in values.items() if value is not None}

    def guidance(self, repetition_penalty, primer=None):
        """The `Guidance` of the sampler. Where no key is asked for, that of a `Primer` is kept as clear as it is."""
        key, lead = self.key, KEY_LEAD
        if key is None and primer is not None and primer.key_lead > 0:
            key, lead = primer.key, min(KEY_LEAD, primer.key_lead)
        return Guidance(
            repetition_penalty=repetition_penalty,
            key=None if key is None else KEYS.index(key),
            key_lead=lead,
            density=self.density,
            polyphony=self.polyphony,
            pitch_range=self.pitch_range,
            one_meter=self.meter is not None,
        )

    def finished(self, piece):
        """The piece at exactly the tempo and on the instruments asked for."""
        if self.tempo is not None:
            piece = stretch(piece, piece.timing.bpm / self.tempo)
        return piece.replace(tracks=self.played(piece.tracks))

    def played(self, tracks):
        """Tracks on the instruments asked for."""
        if self.programs is None:
            return tuple(tracks)
        programs = iter(self.programs)
        return tuple(track if track.drum else _played_by(next(programs)) for track in tracks)

    def meta(self, piece, start=0.0):
        """What was asked and what the piece is from `start` (s) on, as `meta` entries asked_... and achieved_..."""
        asked = {**self.wanted, "genre": self.genre, "bars": self.bars, "key": self.key}
        if self.pitch_range:
            asked["pitch_range"] = "{} to {}".format(*self.pitch_range)
        if self.programs is not None:
            asked["instrument"] = _instrument_names(self.programs)
        asked = {f"asked_{name}": str(value) for name, value in asked.items() if value is not None}
        return asked | {f"achieved_{name}": value for name, value in achieved(piece, start).items()}

    def missed(self, told):
        """What was asked for and did not come, of what can only be leant towards, in words; None if all came.

        Parameters
        ----------
        told : dict
            From `meta`.
        """
        found = []
        if self.key is not None and told.get("achieved_key", self.key) != self.key:
            found.append(f"key {self.key} was asked for, {told['achieved_key']} came")
        density = float(told["achieved_density"])
        if self.density is not None and abs(density - self.density) > DENSITY_MISSED * self.density:
            found.append(f"density {self.density:g} was asked for, {density:g} came")
        return "; ".join(found) or None

    def _beat(self):
        return natural_quarters_per_beat(*map(int, self.meter.split("/"))) if self.meter else 1.0

    def _checked_tempo(self, tempo):
        beat = self._beat()
        return checked_number("tempo", tempo, TEMPI[0] / beat, TEMPI[-1] / beat, "beats per minute")


def achieved(piece, start=0.0):
    """What a piece is from `start` (s) on, by the names of the controls.

    Returns
    -------
    dict of str to str
        `genre` is the label that the composer was given or chose itself; what no note tells is left out.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> facts = achieved(NoteSequence([(0, 1, 60, 80, 0), (0.5, 1, 64, 80, 0)], duration=2.0))
    >>> facts["bars"], facts["meter"], facts["density"], facts["polyphony"], facts["pitch_range"]
    ('1', '4/4', '0.5', '2', '60 to 64')
    """
    timing, notes = piece.timing, piece.notes[piece.notes["start"] >= start - 1e-6]
    part = piece.replace(notes=notes)
    first, last = timing.seconds_to_quarters([start, piece.duration])
    bars = timing.bars(piece.duration)
    meters = sorted(set(timing.meter_indices(bars[bars > first - 1e-6]).tolist()))
    facts = {
        "bars": str(int(np.sum(bars > first - 1e-6))),
        "tempo": f"{timing.bpm:.6g}",
        "meter": ", ".join(f"{timing.meters[i].numerator}/{timing.meters[i].denominator}" for i in meters),
        "density": f"{len(notes) / (last - first):.4g}",
    }
    if piece.meta.get("genre"):
        facts["genre"] = piece.meta["genre"]
    heights = pitched(part)["pitch"]
    if len(notes):
        facts["polyphony"] = str(most_at_once(notes))
        facts["instrument"] = _instruments_of(part)
    if len(heights):
        facts |= {"key": key_name(estimate_key(part)), "pitch_range": f"{heights.min()} to {heights.max()}"}
    return facts


def most_at_once(notes):
    """Largest number of notes that sound at once; one that ends where another starts does not count beside it."""
    times = np.concatenate([notes["start"] + 1e-6, notes["end"]])
    steps = np.repeat([1, -1], len(notes))
    return int(np.cumsum(steps[np.lexsort((steps, times))]).max(initial=0))


def checked_key(key, seen=()):
    """A key's name as the controls write it, such as "A minor"; None stays None.

    Raises
    ------
    InputError
        If it is none, or of a mode that is not among those of the keys `seen`.
    """
    if key is None:
        return None
    name = key_name(key) if isinstance(key, str) else None
    if name is None:
        raise InputError(
            f"key {key!r} is unknown", remedy="a tonic and major or minor, such as 'A minor' or 'F# major'"
        )
    mode = name.split()[1]
    modes = sorted({label.split()[1] for label in seen})
    if seen and mode not in modes:  # every tonic is learnt from every other, as training transposes
        raise InputError(
            f"key {name!r}: the training data held no piece in {mode}", remedy=f"ask for {modes[0]} keys"
        )
    return name


def _checked_meter(meter, codec, seen):
    if meter is None:
        return None
    known = [label for label in codec.spec["Meter"] if not seen or label in seen]
    if meter not in known:
        held = "the training data held" if seen else "this codec knows"
        raise InputError(f"meter {meter!r} is not known to this composer", remedy=f"{held} {', '.join(known)}")
    return meter


def checked_number(name, value, low, high, unit):
    """A number from `low` to `high` as float; None stays None.

    Raises
    ------
    InputError
    """
    if value is None:
        return None
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)
    if not (number and low <= value <= high):
        span = f"{low:g} to {high:g} {unit}".rstrip()
        raise InputError(f"{name} must be {span}, not {value!r}")
    return float(value)


def _checked_whole(name, value, low, high):
    if value is None:
        return None
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or not low <= value <= high:
        raise InputError(f"{name} must be a whole number from {low} to {high}, not {value!r}")
    return int(value)


def _checked_range(value):
    if value is None:
        return None
    try:
        low, high = (_checked_whole("pitch", pitch, 0, 127) for pitch in value)
        holds = low <= high
    except (InputError, TypeError, ValueError):
        holds = False
    if not holds:
        raise InputError(f"pitch_range must be (lowest, highest) MIDI pitch, 0 to 127, not {value!r}")
    return low, high


def _checked_instruments(value, codec):
    """Program of every pitched track, or None."""
    if value is None:
        return None
    count = sum(not track.drum for track in codec.tracks)
    values = [value] * count if isinstance(value, str | int | np.integer) else list(value)
    if len(values) != count:
        raise InputError(
            f"instrument names {len(values)} instruments, this composer has {count} pitched tracks",
            remedy="give one for all, or one for each",
        )
    return [_program(one) for one in values]


def _program(instrument):
    if isinstance(instrument, int | np.integer) and not isinstance(instrument, bool) and 0 <= instrument <= 127:
        return int(instrument)
    names = {name.lower(): program for program, name in enumerate(_general_midi())}
    families = {name.lower(): 8 * number for number, name in enumerate(_families())}
    for known in (names, families):
        if str(instrument).lower() in known:
            return known[str(instrument).lower()]
    near = difflib.get_close_matches(str(instrument).lower(), names, 3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise InputError(
        f"instrument {instrument!r} is unknown",
        remedy=f"{hint}a General MIDI name, a family such as 'piano' or 'guitar', or a program, 0 to 127",
    )


def _general_midi():
    from pretty_midi.constants import INSTRUMENT_MAP

    return INSTRUMENT_MAP


def _families():
    from pretty_midi.constants import INSTRUMENT_CLASSES

    return INSTRUMENT_CLASSES


def _played_by(program):
    return Track(_general_midi()[program], program)


def _instrument_names(programs):
    names = [_general_midi()[program] for program in programs]
    return ", ".join(dict.fromkeys(names))


def _instruments_of(piece):
    used = [piece.tracks[index] for index in np.unique(piece.notes["track"])]
    names = ["drums" if track.drum else _general_midi()[track.program] for track in used]
    return ", ".join(dict.fromkeys(names))
