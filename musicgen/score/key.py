"""The key of a piece."""

import numpy as np

from ..errors import InputError

# How well each pitch class fits C major and c minor: probe tones of Krumhansl & Kessler, Psychological Review 89
# (1982), in the version of Krumhansl, Cognitive Foundations of Musical Pitch (1990), p. 30.
_MAJOR = [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88]
_MINOR = [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17]
_MAJOR_NAMES = ["C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"]
_MINOR_NAMES = ["c", "c#", "d", "eb", "e", "f", "f#", "g", "g#", "a", "bb", "b"]
KEYS = [f"{name} major" for name in _MAJOR_NAMES] + [f"{name} minor" for name in _MINOR_NAMES]


def _profiles():
    profiles = np.array([np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)])
    profiles -= profiles.mean(axis=1, keepdims=True)
    return profiles / np.linalg.norm(profiles, axis=1, keepdims=True)


#: How well each pitch class fits each of `KEYS`: float64, shape (24, 12), rows of mean 0 and length 1.
PROFILES = _profiles()
PROFILES.setflags(write=False)


def estimate_key(sequence, *, among=None):
    """Key by the Krumhansl-Schmuckler algorithm.

    The time that each pitch class sounds is correlated with how well it fits each of the 24 keys; drum tracks
    do not count. A short or wandering piece gets the best of bad fits.

    Parameters
    ----------
    sequence : NoteSequence
    among : collection of str, optional
        The keys to choose from, such as those of a tonic that is known. Default: all of `KEYS`.

    Returns
    -------
    str
        One of `KEYS`: `"C major"`, `"a minor"`, `"Bb major"`, `"f# minor"` and so on.

    Raises
    ------
    InputError
        If no pitched note sounds, or `among` holds something else than keys.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> estimate_key(NoteSequence([(k, k + 1, pitch, 80, 0) for k, pitch in enumerate([67, 69, 71, 72, 74, 78, 79])]))
    'G major'
    """
    allowed = np.ones(len(KEYS), bool) if among is None else _chosen(among)
    return KEYS[int(np.argmax(np.where(allowed, PROFILES @ _sounding(sequence), -np.inf)))]


def key_lead(sequence, key):
    """By how much a key fits a piece better than any other, as `estimate_key` judges.

    Parameters
    ----------
    sequence : NoteSequence
    key : int
        Index into `KEYS`.

    Returns
    -------
    float
        Difference of two correlations: above 0 where this is the estimated key, 0 where all fit alike.

    Raises
    ------
    InputError
        If no pitched note sounds.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> scale = NoteSequence([(k, k + 1, pitch, 80, 0) for k, pitch in enumerate([67, 69, 71, 72, 74, 78, 79])])
    >>> key_lead(scale, KEYS.index("G major")) > 0 > key_lead(scale, KEYS.index("C major"))
    True
    """
    sounding = _sounding(sequence)
    size = np.linalg.norm(sounding - sounding.mean())
    fits = PROFILES @ sounding / size if size > 1e-9 else np.zeros(len(KEYS))
    return float(fits[key] - np.delete(fits, key).max())


def _sounding(sequence):
    """Seconds that each pitch class sounds: float64, shape (12,)."""
    notes = sequence.notes
    pitched = notes[~np.array([track.drum for track in sequence.tracks], dtype=bool)[notes["track"]]]
    if not len(pitched):
        raise InputError("a piece without pitched notes has no key")
    return np.bincount(pitched["pitch"] % 12, weights=pitched["end"] - pitched["start"], minlength=12)


def _chosen(among):
    among = list(among)
    unknown = [name for name in among if name not in KEYS]
    if unknown or not among:
        raise InputError(f"among must hold names of keys, not {unknown}", remedy=f"some of {', '.join(KEYS)}")
    return np.isin(KEYS, among)
