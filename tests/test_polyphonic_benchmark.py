"""The benchmark of likelihood: what it averages over keys is a distribution, and it counts every step."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from musicgen.composers.likelihood import Scorer
from tests.test_network import network_for

pytestmark = pytest.mark.filterwarnings("ignore")
BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture
def polyphonic(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("polyphonic")


@pytest.mark.parametrize("prefix", [[], [40, 44], [40, 44, 88, 40], [0], [2, 85]], ids=str)
def test_probabilities_of_the_next_token_averaged_over_keys_are_one_at_most(polyphonic, prefix):
    """What a transposition would move beyond the 88 keys counts as lost: the figure is never too low."""
    network = network_for(polyphonic.CODEC, filters=0, heard=0, echo=16, rising=True)
    streams = [np.array([polyphonic.START, *prefix, token], np.int32) for token in range(polyphonic.END + 1)]
    nats = [one[-1] for one in polyphonic.in_all_keys(Scorer(network), streams, None)]
    total = np.exp(-np.array(nats)).sum()
    assert total <= 1 + 1e-4
    assert total > 0.5


def test_every_step_counts_the_first_included(polyphonic):
    streams = [np.array([polyphonic.START, 3, 7, 88, 88]), np.array([polyphonic.START, 5, 88])]
    nats = [np.array([1.0, 2.0, 4.0, 8.0]), np.array([16.0, 32.0])]
    total, without_ends = polyphonic.per_step(streams, nats)
    assert total == pytest.approx(63 / 3)
    assert without_ends == pytest.approx(19 / 3)


@pytest.mark.parametrize("minutes", ["0", "-1"])
def test_a_time_that_makes_no_sense_is_refused(polyphonic, minutes, capsys):
    with pytest.raises(SystemExit):
        polyphonic.main(["--mat", "none.mat", "--minutes", minutes])
    assert "--minutes must be above 0" in capsys.readouterr().err
