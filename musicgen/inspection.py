"""What `musicgen info` tells of a MIDI file, score, recording, folder or trained composer."""

from collections import Counter
from pathlib import Path

from .errors import InputError
from .notes import MIDI_SUFFIXES, SCORE_SUFFIXES


def inspect(path):
    """Facts about a file or folder.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict
        What JSON holds; its key "kind" is "piece", "recording", "composer", "pieces" or "recordings".
    list of (pathlib.Path, str)
        Files of a folder that cannot be used, with the reason.

    Raises
    ------
    InputError
        If there is nothing that musicgen knows.
    """
    path = Path(path)
    if (path / "config.json").exists():
        return _composer(path), []
    if path.is_dir():
        return _folder(path)
    if not path.exists():
        raise InputError("is not there", path=path, remedy="check the name")
    if path.suffix.lower() in MIDI_SUFFIXES:
        from .midi import read_midi

        return _piece(read_midi(path)), []
    if path.suffix.lower() in SCORE_SUFFIXES:
        from .score import read_score

        return _piece(read_score(path)), []
    return _recording(path), []


def _composer(path):
    from .composers.checkpoint import read_config

    config = read_config(path)
    provenance = config.get("provenance") or {}
    losses = provenance.get("history", {})
    return {
        "kind": "composer",
        "class": config["class"],
        "hyperparameters": config["hyperparameters"],
        "training data": {name: provenance.get(name) for name in ("pieces", "notes", "hours", "genres")},
        "epochs": provenance.get("epochs"),
        "lowest held-out loss": min(losses["val_loss"]) if losses.get("val_loss") else None,
        "versions": {"musicgen": config.get("musicgen"), **provenance.get("versions", {})},
    }


def _piece(piece):
    from .metrics import describe

    facts = {name: _short(value) for name, value in describe(piece).items()}
    timing = piece.timing
    return {
        "kind": "piece",
        **dict(piece.meta),
        "tracks": [{"name": name, "program": program, "drum": drum} for name, program, drum in piece.tracks],
        "bars": len(timing.bars(max(piece.duration, 1e-6))),
        "bpm": _short(timing.bpm),
        "meters": [f"{m.numerator}/{m.denominator}" for m in timing.meters],
        "measures": facts,
    }


def _recording(path):
    from .transcription import read_audio

    audio, sample_rate = read_audio(path, mono=False)
    channels = 1 if audio.ndim == 1 else audio.shape[0]
    seconds = audio.shape[-1] / sample_rate
    return {"kind": "recording", "seconds": _short(seconds), "sample_rate": sample_rate, "channels": channels}


def _folder(path):
    from .datasets import load_folder

    try:
        folder = load_folder(path)
    except InputError:
        return _recordings(path)
    pieces = list(folder)
    minutes = sum(piece.duration for piece in pieces) / 60
    facts = {
        "kind": "pieces",
        "pieces": len(pieces),
        "notes": sum(map(len, pieces)),
        "minutes": _short(minutes),
        "genres": dict(Counter(piece.meta["genre"] for piece in pieces if piece.meta.get("genre"))),
        "meters": dict(Counter(f"{m.numerator}/{m.denominator}" for p in pieces for m in p.timing.meters[:1])),
        "refused": len(folder.refused),
    }
    return facts, folder.refused


def _recordings(path):
    from .transcription import find_recordings

    recordings = find_recordings(path)
    genres = Counter(recording.genre for recording in recordings if recording.genre)
    annotated = sum(recording.beats is not None for recording in recordings)
    facts = {"kind": "recordings", "recordings": len(recordings), "genres": dict(genres), "with beats": annotated}
    return facts, []


def _short(value):
    """A number that JSON holds, to four significant digits; None where it is undefined."""
    return None if value != value else float(f"{value:.4g}")
