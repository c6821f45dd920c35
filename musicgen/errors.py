"""The exceptions that musicgen raises on purpose: one root, few children.

Every message names the argument or file, the value, what is allowed and the next step.
"""


class MusicgenError(Exception):
    """Root of every error that musicgen raises on purpose."""


class InputError(MusicgenError, ValueError):
    """A file or an argument that cannot be used.

    Parameters
    ----------
    reason : str
        What is wrong with it.
    path : path-like, optional
        The file concerned.
    remedy : str, optional
        What to do next.
    """

    def __init__(self, reason, *, path=None, remedy=None):
        self.reason, self.path, self.remedy = reason, path, remedy
        place = f"{path}: " if path is not None else ""
        advice = f" ({remedy})" if remedy else ""
        super().__init__(f"{place}{reason}{advice}")

    def __reduce__(self):  # keyword arguments survive the way back from a worker process
        return (_rebuild, (type(self), self.reason, self.path, self.remedy))


class CheckpointError(InputError):
    """A saved composer that is incomplete, of another version, or damaged."""


class MissingDependencyError(MusicgenError, ImportError):
    """An optional package is needed and not installed; the message holds the line that installs it."""


def _rebuild(cls, reason, path, remedy):
    return cls(reason, path=path, remedy=remedy)


_INSTALL = {
    "basic_pitch": "pip install --no-deps basic-pitch==0.4.0",
    "tinysoundfont": "pip install --no-deps tinysoundfont==0.3.7",
    "onnxruntime": "pip install 'musicgen-midi[transcription]'",
    "librosa": "pip install 'musicgen-midi[transcription]'",
    "soxr": "pip install 'musicgen-midi[transcription]'",
    "soundfile": "pip install 'musicgen-midi[rendering]'",
    "fluidsynth": "pip install 'musicgen-midi[rendering]'",
    "music21": "pip install 'musicgen-midi[score]'",
    "matplotlib": "pip install 'musicgen-midi[plot]'",
    "filelock": "pip install filelock",
    "scipy": "pip install scipy",
    "mirdata": "pip install mirdata",
    "tensorboard": "pip install tensorboard",
    "distributed": "pip install 'musicgen-midi[distributed]'",
    "miditok": "pip install 'musicgen-midi[miditok]'",
}


def missing_dependency(package, purpose, *, extra=None):
    """Build the error for an optional package that is not installed.

    Parameters
    ----------
    package : str
        Import name.
    purpose : str
        What it is needed for, as in "transcribing audio".
    extra : str, optional
        The extra of musicgen to install, where several hold the package.

    Returns
    -------
    MissingDependencyError

    Examples
    --------
    >>> print(missing_dependency("music21", "writing scores"))
    writing scores needs music21, which is not installed. Install it with: pip install 'musicgen-midi[score]'
    """
    line = _INSTALL[package] if extra is None else f"pip install 'musicgen-midi[{extra}]'"
    return MissingDependencyError(f"{purpose} needs {package}, which is not installed. Install it with: {line}")
