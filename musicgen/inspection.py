"""What `musicgen info` tells of a MIDI file, score, recording, folder or trained composer."""

from collections import Counter
from pathlib import Path

from .errors import InputError
from .notes import MIDI_SUFFIXES, SCORE_SUFFIXES


def inspect(path):
    """Facts about a file, folder or corpus.

    Parameters
    ----------
    path : path-like
        Or the name of a corpus.

    Returns
    -------
    dict
        What JSON holds; its key "kind" is "piece", "recording", "composer", "pieces",
        "prepared pieces" or "recordings".
    list of (pathlib.Path, str)
        Files of a folder that cannot be used, with the reason.
    DataReport or None
        Of pieces, what `plots.plot_data_report` draws.

    Raises
    ------
    InputError
        If there is nothing that musicgen knows.
    """
    from .datasets import CORPORA, is_prepared

    name, path = str(path), Path(path)
    if any((path / name).exists() for name in ("config.json", "model.safetensors")):
        return _composer(path), [], None
    if is_prepared(path):
        return _prepared(path)
    if path.is_dir() or path.suffix.lower() == ".mat" or (name in CORPORA and not path.exists()):
        return _data(name)
    if not path.exists():
        raise InputError("is not there", path=path, remedy=f"check the name; corpora are {', '.join(CORPORA)}")
    if path.suffix.lower() in MIDI_SUFFIXES:
        from .midi import read_midi

        return _piece(read_midi(path)), [], None
    if path.suffix.lower() in SCORE_SUFFIXES:
        from .score import read_score

        return _piece(read_score(path)), [], None
    return _recording(path), [], None


def _composer(path):
    from .composers.checkpoint import read_codec_config, read_config

    config = read_config(path)
    provenance = config.get("provenance") or {}
    losses = provenance.get("history", {})
    codec = read_codec_config(path)
    return {
        "kind": "composer",
        "class": config["class"],
        "hyperparameters": config["hyperparameters"],
        "training data": {name: provenance.get(name) for name in ("pieces", "notes", "hours", "genres")},
        "codec": codec,
        "keys": provenance.get("keys") or provenance.get("controls", {}).get("Key"),
        "meters": provenance.get("controls", {}).get("Meter") or config["hyperparameters"].get("meter"),
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


def _data(source):
    from .datasets import report_data
    from .datasets.folder import midi_paths
    from .datasets.sources import open_data

    path = Path(source)
    if path.is_dir() and not midi_paths(path):
        return _recordings(path)
    report = report_data(open_data(source))
    return {"kind": "pieces", **report.facts()}, report.refused, report


def _prepared(path):
    from .datasets import PreparedPieces, report_data

    pieces = PreparedPieces(path)
    report = report_data(pieces)
    codec = {"name": pieces.codec.name, **pieces.codec.get_config()}
    facts = {"kind": "prepared pieces", **report.facts(), "numbers": int(pieces.lengths.sum()), "codec": codec}
    return facts, report.refused, report


def _recordings(path):
    from .datasets.sources import recordings_in
    from .transcription.audio import audio_seconds

    recordings, seconds, refused = recordings_in(path), [], []
    for recording in recordings:
        try:
            seconds.append(audio_seconds(recording.path))
        except InputError as error:
            refused.append((recording.path, str(error)))
    genres = Counter(recording.genre for recording in recordings if recording.genre)
    facts = {
        "kind": "recordings",
        "recordings": len(recordings),
        "refused": len(refused),
        "hours": _short(sum(seconds) / 3600),
        "genres": dict(genres),
        "with beats": sum(recording.beats is not None for recording in recordings),
        "with tempo": sum(recording.tempo is not None for recording in recordings),
    }
    return facts, refused, None


def _short(value):
    """A number that JSON holds, to four significant digits; None where it is undefined."""
    return None if value != value else float(f"{value:.4g}")
