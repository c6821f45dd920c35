"""Measures beside independent implementations: muspy's values, kept in a file, and music21."""

import json

import pytest
from muspy_reference import FILE, pieces, to_muspy, values

from musicgen.metrics import COHERENCE, MEASURES
from musicgen.metrics.facts import Facts
from musicgen.metrics.noise import DISSONANT

KEPT = json.loads(FILE.read_text(encoding="utf-8"))["pieces"]


@pytest.mark.parametrize("place", range(len(KEPT)))
def test_measures_are_muspys(place):
    facts = Facts(pieces()[place])
    for name, value in KEPT[place].items():
        assert {**MEASURES, **COHERENCE}[name].of(facts) == pytest.approx(value), name


def test_the_pieces_tell_the_measures_apart():
    for name in KEPT[0]:
        assert len({round(values[name], 6) for values in KEPT}) > 2, name


def test_the_file_holds_what_muspy_measures():
    pytest.importorskip("muspy", reason="muspy is no package of the tests: its values are kept in a file")
    assert [values(to_muspy(piece)) for piece in pieces()] == [pytest.approx(kept) for kept in KEPT]


def test_dissonant_intervals_are_music21s_but_for_the_fourth():
    interval = pytest.importorskip("music21.interval", reason="music21 comes with the extra for scores")
    consonant = {semitones for semitones in range(12) if interval.Interval(semitones).isConsonant()}
    assert set(range(12)) - consonant - {5} == set(DISSONANT)
    assert 5 not in consonant
