"""Fetching GTZAN from where mirdata knows it: resumable, checked, unpacked whole or not at all."""

import hashlib
import http.client
import os
import shutil
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from tqdm import tqdm

from ..errors import InputError, missing_dependency
from ..files import locked, write_text

_ARCHIVES = {"mini": ("mini", "tempo_beat_annotations"), "full": ("all", "tempo_beat_annotations")}
_ELSEWHERE = (
    "what has arrived is kept: try again later, or get the copy 'GTZAN Dataset - Music Genre Classification' from "
    "Kaggle (andradaolteanu/gtzan-dataset-music-genre-classification) and name its folder instead"
)
_BLOCK = 1 << 16
_TIMEOUT_S = 60


def download_gtzan(root, version="mini", *, progress=True):
    """Fetch GTZAN and its annotations of beats and tempo.

    Places and checksums are those of mirdata's loader `gtzan_genre`. A download that was interrupted goes on where it
    stopped; what is there already is not fetched again. GTZAN has no licence: it is for research only.

    Parameters
    ----------
    root : path-like
        Folder to unpack into, for `load_gtzan`. An archive is kept in it only until it is unpacked.
    version : {"mini", "full"}
        The few clips of GitHub's gtzan_mini, or all 1,000 (1.2 GB).
    progress : bool
        Whether to show a bar on stderr.

    Returns
    -------
    pathlib.Path
        `root`.

    Raises
    ------
    InputError
        If the version is unknown, a server does not answer (the message tells where else to get GTZAN), or what
        arrives has another checksum.
    MissingDependencyError
        If mirdata is not installed.
    """
    if version not in _ARCHIVES:
        raise InputError(f"there is no version {version!r}", remedy=f"one of {', '.join(_ARCHIVES)}")
    remotes = _remotes()
    with locked(root):
        for name in _ARCHIVES[version]:
            _install(Path(root), remotes[name], progress)
    return Path(root)


def _remotes():
    try:
        from mirdata.datasets import gtzan_genre
    except ImportError as error:
        raise missing_dependency("mirdata", "downloading GTZAN") from error
    return gtzan_genre.REMOTES


def _install(root, remote, progress):
    marker = root / f".{remote.filename}.installed"
    if marker.exists() and marker.read_text(encoding="utf-8").strip() == remote.checksum:
        return
    folder = root / (remote.destination_dir or "")
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f".{remote.filename}"
    _fetch(remote, archive, progress)
    _unpack(archive, remote.filename, folder)
    write_text(marker, remote.checksum + "\n")
    archive.unlink()


def _fetch(remote, archive, progress):
    """Add to the archive what is missing of it; one of another checksum is removed."""
    if not (archive.exists() and _md5(archive) == remote.checksum):
        try:
            _receive(remote.url, archive, progress)
        except (OSError, http.client.HTTPException) as error:  # urllib's errors are OSErrors
            raise InputError(f"{remote.url} does not answer: {error}", path=archive, remedy=_ELSEWHERE) from error
    if (found := _md5(archive)) != remote.checksum:
        archive.unlink()
        raise InputError(
            f"what {remote.url} sent has the MD5 checksum {found}, not {remote.checksum}", remedy=_ELSEWHERE
        )


def _receive(url, archive, progress):
    held = archive.stat().st_size if archive.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={held}-"} if held else {})
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is missing, or the archive there has become shorter
            return
        raise
    with answer, open(archive, "ab" if answer.status == 206 else "wb") as target:
        rest = answer.headers.get("Content-Length")
        size = target.tell() + int(rest) if rest else None
        with tqdm(
            total=size, initial=target.tell(), unit="B", unit_scale=True, file=sys.stderr, disable=not progress
        ) as bar:
            while block := answer.read(_BLOCK):
                target.write(block)
                bar.update(len(block))
        if size is not None and target.tell() < size:
            raise ConnectionError(f"the connection broke after {target.tell():,} of {size:,} bytes")


def _unpack(archive, name, folder):
    """Members appear under their names only when all are unpacked."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacking-") as fresh:
        options = {"filter": "data"} if ".tar" in name else {}
        shutil.unpack_archive(archive, fresh, "gztar" if ".tar" in name else "zip", **options)
        for member in Path(fresh).iterdir():
            if (folder / member.name).exists():
                shutil.rmtree(folder / member.name)
            os.replace(member, folder / member.name)


def _md5(path):
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "md5").hexdigest()
