"""Many recordings to a folder of MIDI files, with a manifest by which a run that was interrupted goes on."""

import json
import os
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

from .. import __version__
from ..errors import InputError
from ..files import append_line, file_sha256, locked, remove_temporaries, text_of, write_text
from ..workers import map_files
from .model import transcriber_version
from .recordings import Recording, find_recordings, midi_names
from .transcriber import checked_settings, transcribe

MANIFEST = "manifest.jsonl"
_WRITTEN_SUFFIXES = (".mid", ".jsonl")
_FORMAT = 2  # raise it when the same recording and settings give another file, as other defaults of `clean` would


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


def transcribe_folder(paths, out, *, workers=None, scheduler=None, progress=True, fallback_bpm=None, **settings):
    """Transcribe recordings to one MIDI file each.

    Sub-folders are mirrored below `out` (those of GTZAN: one per genre). A recording that cannot be used is reported
    and the others go on. ``manifest.jsonl`` in `out` tells per MIDI file its recording, content hash, settings,
    versions, duration and notes, or why it was refused; a recording whose content, annotation and settings are those
    of its entry is skipped. The run may be killed at any time: a MIDI file is there as a whole or not at all, and a
    run that is started again ends with the same folder, byte for byte. One run at a time writes to a folder.

    Parameters
    ----------
    paths : path-like or list of path-like
        Sound files and folders, see `find_recordings`. GTZAN's annotations of beats are used where they lie beside.
    out : path-like
        Folder for the MIDI files and the manifest.
    workers : int, optional
        Local processes, see `workers.map_files`. Default: one per processor.
    scheduler : str, optional
        Address of a Dask scheduler, as in "tcp://host:8786", whose workers do the work instead; recordings and `out`
        must have the same paths there.
    progress : bool
        Whether to show a bar on stderr.
    fallback_bpm : float, optional
        See `transcribe`.
    **settings
        `onset_threshold`, `drums` and the other settings of `transcribe`.

    Returns
    -------
    TranscriptionReport

    Raises
    ------
    InputError
        If there are no recordings, a setting is wrong, another run is writing to `out`, or the manifest cannot be
        read or written.
    """
    recordings = find_recordings(*(paths if isinstance(paths, list | tuple) else [paths]))
    wanted = {
        **asdict(checked_settings(settings)),
        "fallback_bpm": None if fallback_bpm is None else float(fallback_bpm),
        "transcriber": transcriber_version(),
    }
    if not any(recording.path.exists() for recording in recordings):  # nothing is made of nothing
        names = ", ".join(str(recording.path) for recording in recordings)
        raise InputError("does not exist", path=names, remedy="check the name")
    report, names = TranscriptionReport(Path(out)), midi_names(recordings)
    with locked(out):
        remove_temporaries(out, _WRITTEN_SUFFIXES)
        manifest = _Manifest(report.out / MANIFEST)
        found = dict(zip(names, recordings, strict=True))
        jobs = [_Job(_absolute(recording), name, manifest.get(name)) for name, recording in found.items()]
        work = partial(_transcribe_job, Path(os.path.abspath(out)), settings, wanted)
        for outcome in map_files(
            work, jobs, workers=workers, scheduler=scheduler, progress=progress, unit="recording"
        ):
            _note(outcome, found[outcome.item.name].path, report, manifest)
        manifest.close()
        remove_temporaries(out, _WRITTEN_SUFFIXES)
    return report


@dataclass(frozen=True)
class _Job:
    """A recording to transcribe, the name of its MIDI file, and the manifest's entry of an earlier run or None."""

    recording: Recording
    name: Path
    earlier: dict | None


def _absolute(recording):
    """Workers elsewhere have another current folder."""
    beats = None if recording.beats is None else Path(os.path.abspath(recording.beats))
    return replace(recording, path=Path(os.path.abspath(recording.path)), beats=beats)


def _note(outcome, path, report, manifest):
    """Enter what became of a recording into report and manifest."""
    job, target = outcome.item, report.out / outcome.item.name
    if outcome.error is not None:
        reason = _reason(outcome.error, job.recording)
        report.refused.append((path, reason))
        manifest.add({"file": job.name.as_posix(), "source": job.recording.name.as_posix()} | _refusal(reason))
    elif outcome.result is None:
        report.skipped.append(target)
    else:
        report.done.append(target)
        manifest.add(outcome.result)


class _Manifest:
    """Entries by MIDI file. They are appended as they come, and the file is made tidy at the end."""

    def __init__(self, path):
        self.path, self.entries = path, {}
        lines = _lines(path)
        for number, line in enumerate(lines[:-1], start=1):  # what follows the last line break was cut by a kill
            try:
                entry = json.loads(line)
                self.entries[entry["file"]] = entry
            except (ValueError, TypeError, KeyError) as error:
                raise InputError(
                    f"line {number} is no entry", path=path, remedy="delete the file to transcribe all again"
                ) from error
        if lines[-1]:
            self.close()

    def get(self, name):
        """The entry of a MIDI file, or None; entries of other versions have other keys and hold for nothing."""
        return self.entries.get(name.as_posix())

    def add(self, entry):
        self.entries[entry["file"]] = entry
        append_line(self.path, json.dumps(entry))

    def close(self):
        entries = sorted(self.entries.values(), key=lambda entry: entry["file"])
        write_text(self.path, "".join(json.dumps(entry) + "\n" for entry in entries))


def _lines(path):
    try:
        return path.read_text(encoding="utf-8").split("\n") if path.exists() else [""]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("cannot be read", path=path, remedy="delete the file to transcribe all again") from error


def _transcribe_job(out, settings, wanted, job):
    """The manifest's entry, or None if the earlier one holds."""
    from ..midi import write_midi

    recording, name, earlier = job.recording, job.name, job.earlier
    inputs = {
        "sha256": file_sha256(recording.path),
        "beats_sha256": file_sha256(recording.beats) if recording.beats else None,
        "genre": recording.genre,
        "settings": wanted,
        "format": _FORMAT,
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


def _reason(error, recording):
    """An error's message without the recording's path, which the report names itself; manifests hold no paths."""
    if not isinstance(error, InputError):
        return str(error)
    place = "" if error.path in (None, recording.path) else f"{text_of(Path(error.path).name)} "
    return place + str(InputError(error.reason, remedy=error.remedy))
