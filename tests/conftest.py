"""Settings and data shared by all tests."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("musicgen", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("musicgen")


@pytest.fixture(scope="session")
def librosa():
    """The package, loaded by one process at a time.

    The first time it compiles functions for numba's cache. Two processes that do so at once can leave files that do
    not belong together (seen with numba 0.68), and every later process would crash.
    """
    from musicgen.files import one_at_a_time

    pytest.importorskip("librosa")
    with one_at_a_time("librosa"):
        import librosa
        import librosa.feature
        import librosa.filters
    return librosa


@pytest.fixture(scope="session")
def data_folder():
    """Folder of recordings for local measurement; the test is skipped where there is none."""
    folder = os.environ.get("MUSICGEN_DATA")
    if not folder:
        pytest.skip("MUSICGEN_DATA names no data folder")
    return Path(folder)
