"""Settings and data shared by all tests."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("musicgen", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("musicgen")


@pytest.fixture(scope="session")
def librosa():
    """The package, loaded under the lock of all processes: two that compile its cache at once can crash."""
    from musicgen.beats.tracking import loaded_librosa
    from musicgen.errors import MissingDependencyError

    try:
        return loaded_librosa()
    except MissingDependencyError:
        pytest.skip("librosa is not installed")


@pytest.fixture(scope="session")
def data_folder():
    """Folder of recordings for local measurement; the test is skipped where there is none."""
    folder = os.environ.get("MUSICGEN_DATA")
    if not folder:
        pytest.skip("MUSICGEN_DATA names no data folder")
    return Path(folder)
