"""Saved composers: a folder of config.json, codec.json and model.safetensors, loaded without running its code."""

import json
import os
import shutil
from pathlib import Path

import numpy as np

from ..errors import CheckpointError, InputError
from ..files import check_place, file_sha256, write_text

FORMAT_VERSION = 1
FILES = ("config.json", "codec.json", "model.safetensors")


def save_checkpoint(path, *, config, codec, weights):
    """Write a composer's folder, whole or not at all; a composer already there is replaced.

    Parameters
    ----------
    path : path-like
    config : dict
        Class name, hyperparameters, provenance: anything JSON holds. Format version and checksums are added.
    codec : object
        With `to_json()`.
    weights : dict of str to numpy.ndarray

    Returns
    -------
    pathlib.Path

    Raises
    ------
    InputError
        If the place is taken by something that is not a composer.
    """
    from safetensors.numpy import save_file

    path = Path(path)
    if path.exists() and not (path / "config.json").is_file() and (path.is_file() or any(path.iterdir())):
        raise InputError("is there already and is not a composer", path=path, remedy="choose another name")
    fresh = path.parent / f".tmp-{os.getpid()}-{path.name}"
    shutil.rmtree(fresh, ignore_errors=True)
    check_place(path)
    fresh.mkdir()
    try:
        save_file({name: np.ascontiguousarray(value) for name, value in weights.items()}, fresh / FILES[2])
        write_text(fresh / FILES[1], codec.to_json())
        sums = {name: file_sha256(fresh / name) for name in FILES[1:]}
        config = {"format_version": FORMAT_VERSION, **config, "sha256": sums}
        write_text(fresh / FILES[0], json.dumps(config, indent=2, ensure_ascii=False) + "\n")
        _swap(fresh, path)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return path


def _swap(fresh, path):
    old = path.parent / f".tmp-{os.getpid()}-old-{path.name}"
    if path.exists():
        os.replace(path, old)
    os.replace(fresh, path)
    shutil.rmtree(old, ignore_errors=True)


def read_config(path):
    """config.json of a saved composer, after checking that the folder is whole and undamaged.

    Raises
    ------
    CheckpointError
        If the folder is missing or incomplete, of another format version, or a checksum does not match.
    """
    path = Path(path)
    if not path.is_dir():
        raise CheckpointError("is no folder with a saved composer", path=path, remedy="give what `save` wrote")
    missing = [name for name in FILES if not (path / name).is_file()]
    if missing:
        raise CheckpointError(f"{' and '.join(missing)} missing", path=path, remedy="save the composer again")
    config = _read_json(path / "config.json")
    version = config.get("format_version")
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"has format version {version!r}, this musicgen reads {FORMAT_VERSION}",
            path=path,
            remedy="load it with the musicgen that wrote it, or train again",
        )
    sums = config.get("sha256")
    for name in FILES[1:]:
        if not isinstance(sums, dict) or file_sha256(path / name) != sums.get(name):
            raise CheckpointError(
                "does not match its sha256 in config.json", path=path / name, remedy="copy or save it again"
            )
    return config


def read_codec_config(path):
    """Content of codec.json."""
    return _read_json(Path(path) / "codec.json")


def read_weights(path, expected):
    """Weights by name.

    Parameters
    ----------
    path : path-like
    expected : dict of str to tuple
        Names and shapes that the network has.

    Raises
    ------
    CheckpointError
        If names or shapes differ.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = Path(path) / "model.safetensors"
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"cannot be read: {error}", path=path, remedy="save the composer again") from error
    found = {name: tuple(value.shape) for name, value in weights.items()}
    if found != dict(expected):
        differing = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
        raise CheckpointError(
            f"weights {', '.join(differing[:3])} do not fit the network of config.json",
            path=path,
            remedy="save the composer again",
        )
    return weights


def _read_json(path):
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"is no readable JSON: {error}", path=path, remedy="save the composer again") from error
    if not isinstance(content, dict):
        raise CheckpointError("holds no JSON object", path=path, remedy="save the composer again")
    return content
