"""Atomic writing and content hashes: the only place that writes final files."""

import contextlib
import hashlib
import os
import secrets
from pathlib import Path

from .errors import InputError


@contextlib.contextmanager
def atomic_path(path):
    """Yield a temporary path beside `path`, moved onto it when the block ends well.

    A reader sees the old file or the whole new one, never a part; after an error the old file stands
    and the temporary one is gone. Parent folders are made.

    Parameters
    ----------
    path : path-like
        The final name. The temporary name keeps its suffix, for writers that choose a format by it.

    Yields
    ------
    pathlib.Path

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_path(Path(folder) / "a.txt") as temporary:
    ...         _ = temporary.write_text("whole")
    ...     print((Path(folder) / "a.txt").read_text(), os.listdir(folder))
    whole ['a.txt']
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"its folder cannot be made: {error.strerror}", path=path, remedy="choose another place"
        ) from error
    temporary = path.parent / f".tmp-{os.getpid()}-{secrets.token_hex(4)}{path.suffix}"
    try:
        yield temporary
        with open(temporary, "rb+") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def write_bytes(path, data):
    """Write `data` (bytes) to `path` atomically; returns the path."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return Path(path)


def write_text(path, text):
    """Write `text` to `path` as UTF-8, atomically; returns the path."""
    return write_bytes(path, text.encode("utf-8"))


def append_line(path, line):
    """Add `line` to a log as UTF-8; a process killed meanwhile can leave a part of the last line only."""
    with open(path, "ab") as handle:
        handle.write(line.encode("utf-8") + b"\n")


def file_sha256(path):
    """SHA-256 of a file's content, as 64 hexadecimal digits.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        with open(path, "rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path, remedy="check name and rights") from error
