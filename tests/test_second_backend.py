"""Composers under a second Keras backend: the same tests pass on JAX."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
TESTS = Path(__file__).parent


@pytest.mark.parametrize(
    "name", ["test_composers.py", "test_contest.py", "test_gan.py", "test_lstm.py", "test_vae.py"]
)
def test_composers_pass_on_jax(name, tmp_path):
    pytest.importorskip("jax", reason="the second backend is JAX")
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    backend = "import keras; print(keras.backend.backend())"
    used = subprocess.run(
        [sys.executable, "-c", backend], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    assert used.stdout.strip() == "jax"
    report = tmp_path / "report.xml"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", str(TESTS / name), "-p", "no:cacheprovider", f"--junitxml={report}"],
        cwd=TESTS.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=580,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert 'skipped="0"' in report.read_text(encoding="utf-8"), "a skipped test says nothing about this backend"
