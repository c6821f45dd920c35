"""Many recordings to a folder of MIDI files, with a manifest by which a run that was interrupted goes on."""

import json
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from .. import __version__
from ..errors import InputError
from ..files import append_line, file_sha256, write_text
from ..workers import map_files
from .model import transcriber_version
from .recordings import find_recordings, midi_names
from .transcriber import checked_settings, transcribe

MANIFEST = "manifest.jsonl"


@dataclass
class TranscriptionReport:
    """What a run did: MIDI files written (`done`), found up to date (`skipped`), and (path, reason) of the recordings
    that could not be used (`refused`)."""

    out: Path
    done: list = field(default_factory=list)
    skipped: list = field(default_factory=list)
    refused: list = field(default_factory=list)

    def __str__(self):
        lines = [f"{len(self.done)} transcribed, {len(self.skipped)} up to date, {len(self.refused)} refused"]
        return "\n".join(lines + [f"refused {path}: {reason}" for path, reason in self.refused])


def transcribe_folder(paths, out, *, workers=None, progress=True, fallback_bpm=None, **settings):
    """Transcribe recordings to one MIDI file each.

    Sub-folders are mirrored below `out` (those of GTZAN: one per genre). A recording that cannot be used is reported
    and the others go on. ``manifest.jsonl`` in `out` tells per MIDI file its recording, content hash, settings,
    versions, duration and notes, or why it was refused; a recording whose content, annotation and settings are those
    of its entry is skipped. The run may be killed at any time: a MIDI file is there as a whole or not at all.

    Parameters
    ----------
    paths : path-like or list of path-like
        Sound files and folders, see `find_recordings`. GTZAN's annotations of beats are used where they lie beside.
    out : path-like
        Folder for the MIDI files and the manifest.
    workers : int, optional
        Local processes, see `workers.map_files`. Default: one per processor.
    progress : bool
        Whether to show a bar on stderr.
    fallback_bpm : float, optional
        See `transcribe`.
    **settings
        `onset_threshold` and the other settings of `transcribe`.

    Returns
    -------
    TranscriptionReport

    Raises
    ------
    InputError
        If there are no recordings, or a setting is wrong.
    """
    recordings = find_recordings(*(paths if isinstance(paths, list | tuple) else [paths]))
    wanted = {
        **asdict(checked_settings(settings)),
        "fallback_bpm": fallback_bpm,
        "transcriber": transcriber_version(),
    }
    report, manifest = TranscriptionReport(Path(out)), _Manifest(Path(out) / MANIFEST)
    names = dict(zip(recordings, midi_names(recordings), strict=True))
    jobs = [(recording, name, manifest.entries.get(name.as_posix())) for recording, name in names.items()]
    work = partial(_transcribe_job, report.out, settings, wanted)
    for outcome in map_files(work, jobs, workers=workers, progress=progress, unit="recording"):
        recording, name, _ = outcome.item
        if outcome.error is not None:
            reason = _without_path(outcome.error)
            report.refused.append((recording.path, reason))
            manifest.add({"file": name.as_posix(), "source": recording.name.as_posix()} | _refusal(reason))
        elif outcome.result is None:
            report.skipped.append(report.out / name)
        else:
            report.done.append(report.out / name)
            manifest.add(outcome.result)
    manifest.close()
    return report


class _Manifest:
    """Entries by MIDI file. They are appended as they come, and the file is made tidy at the end."""

    def __init__(self, path):
        self.path, self.entries = path, {}
        lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
        for number, line in enumerate(lines[:-1], start=1):  # what follows the last line break was cut by a kill
            try:
                entry = json.loads(line)
                self.entries[entry["file"]] = entry
            except (ValueError, TypeError, KeyError) as error:
                raise InputError(
                    f"line {number} is no entry", path=path, remedy="delete the file to transcribe all again"
                ) from error
        self.close()

    def add(self, entry):
        self.entries[entry["file"]] = entry
        append_line(self.path, json.dumps(entry))

    def close(self):
        entries = sorted(self.entries.values(), key=lambda entry: entry["file"])
        write_text(self.path, "".join(json.dumps(entry) + "\n" for entry in entries))


def _transcribe_job(out, settings, wanted, job):
    """The manifest's entry, or None if the earlier one holds."""
    from ..midi import write_midi

    recording, name, earlier = job
    inputs = {
        "sha256": file_sha256(recording.path),
        "beats_sha256": file_sha256(recording.beats) if recording.beats else None,
        "genre": recording.genre,
        "settings": wanted,
    }
    if earlier and inputs.items() <= earlier.items() and (out / name).is_file():
        return None
    piece = transcribe(
        recording.path,
        beats=recording.beats,
        fallback_bpm=wanted["fallback_bpm"],
        genre=recording.genre,
        **settings,
    )
    write_midi(piece, out / name)
    return {
        "file": name.as_posix(),
        "source": recording.name.as_posix(),
        **inputs,
        "versions": {"musicgen": __version__},
        "duration": piece.duration,
        "notes": len(piece),
        "beats": piece.meta["beats"],
        "status": "done",
        "reason": None,
    }


def _refusal(reason):
    return {"status": "refused", "reason": reason}


def _without_path(error):
    """The message of an error without the path in front, which the report names itself."""
    if not isinstance(error, InputError):
        return str(error)
    return str(InputError(error.reason, remedy=error.remedy))
