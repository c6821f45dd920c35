"""Atomic writing and content hashes: the only place that writes final files."""

import contextlib
import errno
import hashlib
import multiprocessing
import os
import re
import secrets
import tempfile
from pathlib import Path

from .errors import InputError, missing_dependency

LOCK = ".lock"
_TEMPORARY = re.compile(r"\.tmp-\d+-[0-9a-f]{8}")
#: Errors of the place that is written to: full, over quota, read-only, failing, below a file.
_UNWRITABLE_NAMES = (
    *("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EPERM", "EIO"),
    *("ENAMETOOLONG", "EISDIR", "EEXIST", "ENOTDIR", "ENOENT"),
)
_UNWRITABLE = {getattr(errno, name, None) for name in _UNWRITABLE_NAMES}


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

    Raises
    ------
    InputError
        If the disk is full, read-only or failing.

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
        with _writing(path):
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
    """Add `line` to a log as UTF-8, the whole line or, on a full disk, nothing of it.

    A process killed meanwhile can leave a part of the last line, which then has no line break.

    Raises
    ------
    InputError
        If the disk is full, read-only or failing.
    """
    data = line.encode("utf-8") + b"\n"
    with _writing(path), open(path, "ab", buffering=0) as handle:
        size = handle.seek(0, os.SEEK_END)
        try:
            while data:
                data = data[handle.write(data) :]
        except OSError:
            handle.truncate(size)
            raise


@contextlib.contextmanager
def locked(folder):
    """Keep other processes that lock the same folder out, until the block or the process ends.

    The folder is made if needed; an empty hidden file `LOCK` stays in it.

    Raises
    ------
    InputError
        If another process holds the lock.
    """
    try:
        import filelock
    except ImportError as error:
        raise missing_dependency("filelock", "writing a folder that a second run may write to") from error
    folder = Path(folder)
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise InputError(
                "another run is writing to this folder", path=folder, remedy="wait for its end, or choose another one"
            ) from error
    try:
        yield
    finally:
        lock.release()


def remove_temporaries(folder, suffixes):
    """Remove what killed processes left of `atomic_path` in a folder and its sub-folders.

    Only for folders that nobody else writes files of these suffixes to, see `locked`.

    Returns
    -------
    int
        How many files were removed.
    """
    found = [path for path in Path(folder).rglob(".tmp-*") if path.suffix in suffixes and is_temporary(path)]
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def is_temporary(path):
    """Whether the name is one that `atomic_path` gives."""
    return bool(_TEMPORARY.fullmatch(Path(path).stem))


def text_of(name):
    """A file name as text: bytes that are no UTF-8, which no file format takes, become U+FFFD.

    Examples
    --------
    >>> text_of("caf\\udce9.wav")
    'caf\ufffd.wav'
    """
    return os.fsencode(name).decode("utf-8", errors="replace")


@contextlib.contextmanager
def _writing(path):
    """Errors of the disk as refusals that name the file."""
    try:
        yield
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        raise InputError(
            f"cannot be written: {os.strerror(error.errno)}",
            path=path,
            remedy="make room or choose another place, and run again: what is finished is kept",
        ) from error


def check_place(path):
    """Refuse a place for a file or folder that cannot be written, before the work for it is done.

    Its parent folders are made.

    Raises
    ------
    InputError
        If a file cannot be made there.
    """
    parent = Path(path).parent
    with _writing(path):
        parent.mkdir(parents=True, exist_ok=True)
        probe = parent / f".tmp-{os.getpid()}-{secrets.token_hex(4)}"
        probe.touch()
        probe.unlink()


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


@contextlib.contextmanager
def one_at_a_time(name):
    """Let the processes of one user run a block one after the other.

    The end of a process, however it comes, lets the next one in. Where no lock can be had (no place that may be
    written to), nothing is waited for.

    Parameters
    ----------
    name : str
        Of what the processes share.

    Raises
    ------
    InputError
        In a worker process that imports the script which started it: to wait there for its parent has no end.
    """
    import filelock

    if getattr(multiprocessing.current_process(), "_inheriting", False):  # as multiprocessing itself asks
        raise InputError(
            f"{name} is wanted by a worker process before it begins to work",
            remedy="in a script, call musicgen under `if __name__ == '__main__':`",
        )

    user = os.getuid() if hasattr(os, "getuid") else "user"
    lock = filelock.FileLock(Path(tempfile.gettempdir()) / f"musicgen-{user}-{name}.lock")
    with contextlib.suppress(OSError, NotImplementedError):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
