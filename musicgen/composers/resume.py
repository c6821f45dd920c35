"""The state of an unfinished training on disk: numbers as JSON, arrays as safetensors, never half of them."""

import hashlib
import json
from pathlib import Path

from ..errors import CheckpointError, InputError
from ..files import check_place, file_sha256, remove_temporaries, write_bytes, write_text

_FORMAT = 1
_STATE = "training.json"
_REMEDY = "delete the folder to train from the beginning"


class TrainingState:
    """A folder that holds the last state of one training.

    Parameters
    ----------
    path : path-like
    settings : dict
        What the training is made of, as JSON can hold it: a state of other settings is refused.
    every : int
        Steps of an epoch between two writings; the end of each epoch is written in any case.
    resume : bool
        Whether to go on where the folder says. Without it a folder that holds a state is refused.

    Raises
    ------
    InputError
        If there is a state and `resume` is not set, or the place cannot be written.
    """

    def __init__(self, path, settings, *, every=200, resume=False):
        self.path, self.settings, self.every = Path(path), json.loads(json.dumps(settings)), every
        self.resume = resume
        if not resume and (self.path / _STATE).exists():
            raise InputError(
                "holds an unfinished training", path=path, remedy=f"resume it (--resume, resume=True), or {_REMEDY}"
            )
        check_place(self.path)

    def is_due(self, step):
        """Whether the state after this many steps of an epoch is to be written; 0 is the end of an epoch."""
        return step % self.every == 0

    def write(self, numbers, arrays):
        """Put a state in the place of the last one.

        Parameters
        ----------
        numbers : dict
            As JSON can hold them; infinite ones too.
        arrays : dict of str to numpy.ndarray
        """
        from safetensors.numpy import save

        data = save(arrays)
        digest = hashlib.sha256(data).hexdigest()
        name = f"state-{digest[:16]}.safetensors"
        self.path.mkdir(parents=True, exist_ok=True)
        write_bytes(self.path / name, data)
        state = {"format_version": _FORMAT, "settings": self.settings, "numbers": numbers, "arrays": name}
        write_text(self.path / _STATE, json.dumps({**state, "sha256": digest}, indent=2) + "\n")
        for old in self.path.glob("state-*.safetensors"):
            if old.name != name:
                old.unlink()

    def read(self):
        """The last state: (numbers, arrays); (None, None) if there is none.

        Raises
        ------
        CheckpointError
            If it is damaged, or of a training with other settings.
        """
        from safetensors.numpy import load_file

        if not (self.path / _STATE).exists():
            return None, None
        try:
            state = json.loads((self.path / _STATE).read_text(encoding="utf-8"))
            version, settings = state["format_version"], state["settings"]
            numbers, arrays, digest = state["numbers"], self.path / state["arrays"], state["sha256"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"is no state of a training: {error}", path=self.path, remedy=_REMEDY) from error
        if version != _FORMAT:
            reason = f"has format version {version!r}, this musicgen reads {_FORMAT}"
            raise CheckpointError(reason, path=self.path, remedy=_REMEDY)
        if settings != self.settings:
            differing = [n for n in {**settings, **self.settings} if settings.get(n) != self.settings.get(n)]
            reason = f"was made with other {', '.join(differing)}"
            raise CheckpointError(reason, path=self.path, remedy=f"train with the same, or {_REMEDY}")
        if not arrays.is_file() or file_sha256(arrays) != digest:
            raise CheckpointError("is missing or does not match its sha256", path=arrays, remedy=_REMEDY)
        return numbers, load_file(arrays)


def epoch_times(path):
    """Seconds of training at the end of each epoch, from the state in a folder, runs that were killed included."""
    state = json.loads((Path(path) / _STATE).read_text(encoding="utf-8"))
    return state["numbers"]["times"]


def remove_state(path):
    """Delete the state of a training that is finished, and the folder if nothing else is in it."""
    path = Path(path)
    if not path.is_dir():
        return
    remove_temporaries(path, (".safetensors", ".json"))
    for file in [path / _STATE, *path.glob("state-*.safetensors")]:
        file.unlink(missing_ok=True)
    if not any(path.iterdir()):
        path.rmdir()
