"""Labels that pieces get before they are encoded, the same however they reach a composer."""

from ..codecs.spec import key_name
from ..errors import InputError
from ..score import estimate_key


def labelled(sequence):
    """The piece with `meta["key"]`: its own where it is a key, else the estimated one.

    Parameters
    ----------
    sequence : NoteSequence

    Returns
    -------
    NoteSequence
        Without pitched notes, the piece as it is.

    Examples
    --------
    >>> from musicgen import NoteSequence
    >>> labelled(NoteSequence([(k, k + 1, p, 80, 0) for k, p in enumerate([60, 62, 64, 65, 67, 60])])).meta["key"]
    'C major'
    """
    if key_name(sequence.meta.get("key")):
        return sequence
    try:
        return sequence.replace(meta={"key": key_name(estimate_key(sequence))})
    except InputError:  # percussion alone has no key
        return sequence
