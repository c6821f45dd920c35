"""`evaluate` and `musicgen evaluate`: one reference for several sets, tables, JSON, refusals."""

import json
import re

import numpy as np
import pytest

import musicgen
from musicgen.baselines import random_notes, shuffled_bars
from musicgen.cli import main
from musicgen.errors import InputError
from musicgen.metrics import COHERENCE, MEASURES, NOISE, PAPERS, QUALITY, Reference
from musicgen.metrics.evaluation import PER_PIECE
from musicgen.metrics.papers import OWN
from musicgen.notes import NoteSequence


def tune(seed):
    """A tune in C major of phrases a a b a, two bars each, in one of two genres."""
    random = np.random.default_rng(seed)
    scale = np.array([60, 62, 64, 65, 67, 69, 71, 72, 74, 76])
    phrases = [scale[np.clip(np.cumsum(random.integers(-1, 2, 8)) + 4, 0, 9)] for _ in range(2)]
    pitches = np.concatenate([phrases[k] for k in (0, 0, 1, 0)])
    rows = [(0.5 * i, 0.5 * i + 0.5, int(p), 80, 0) for i, p in enumerate(pitches)]
    return NoteSequence(rows, meta={"title": f"tune {seed}", "genre": ["calm", "wild"][seed % 2]})


TUNES = [tune(seed) for seed in range(24)]


@pytest.fixture(scope="module")
def reference():
    return Reference(TUNES, draws=60)


def test_rivals_are_told_from_real_pieces(reference):
    real = musicgen.evaluate([tune(seed) for seed in range(30, 40)], reference)
    noise = musicgen.evaluate([random_notes(piece, seed=k) for k, piece in enumerate(TUNES[:10])], reference)
    mixed = musicgen.evaluate([shuffled_bars(piece, seed=k) for k, piece in enumerate(TUNES[:10])], reference)
    assert real["quality_level"].pieces.value > noise["quality_level"].pieces.value
    assert noise.levels["noise"].pieces.low > real.levels["noise"].pieces.high
    assert mixed.levels["coherence"].pieces.value < real.levels["coherence"].pieces.value
    assert real.levels["noise"].references == noise.levels["noise"].references, "measured once"


def test_every_figure_has_a_definition_and_an_interval(reference):
    found = musicgen.evaluate(TUNES[:5], reference)
    assert [figure.name for figure in found.figures] == [*QUALITY, *NOISE, *COHERENCE]
    for figure in found.figures:
        standard = {**QUALITY, **NOISE, **COHERENCE}[figure.name]
        assert standard.definition.endswith(".")
        for side in (figure.pieces, figure.references):
            if np.isfinite(side.value):
                assert side.low <= side.value <= side.high, figure.name
                assert standard.low <= side.low, figure.name
                assert side.high <= standard.high, figure.name
    with pytest.raises(KeyError):
        found["beauty"]


def test_every_measure_names_its_paper_or_says_that_there_is_none():
    for name, measure in {**MEASURES, **NOISE, **COHERENCE, **QUALITY}.items():
        cited = re.findall(r"[A-Z][\w ]+?(?: et al\.)? \d{4}", measure.paper)
        assert set(cited) <= set(PAPERS), name
        assert cited or measure.paper == OWN, name
        assert not re.search(r"\d{4}", measure.definition), f"{name}: papers are cited apart"
    assert all(re.search(rf"{name[-4:]}\b", paper) for name, paper in PAPERS.items()), "names end with the year"


def test_values_of_every_piece_are_there_and_cannot_change(reference):
    found = musicgen.evaluate(TUNES[:5], reference)
    assert set(found.values) == {*MEASURES, *NOISE, *COHERENCE, *PER_PIECE}
    assert all(values.shape == (5,) for values in found.values.values())
    assert all(values.shape == (24,) for values in found.reference_values.values())
    assert found.values["longest_copy"].tolist() == [32] * 5, "the pieces are among the references"
    assert found.values["novelty"].tolist() == [0] * 5
    assert np.isfinite(found.reference_values["nats_per_note"]).sum() == 12, "of the half that is held out"
    with pytest.raises(ValueError, match="read-only"):
        found.values["notes"][0] = 1
    with pytest.raises(TypeError):
        found.values["notes"] = None
    with pytest.raises(AttributeError):
        found.seed = 2


def test_the_same_seed_gives_the_same_figures():
    first, again = (musicgen.evaluate(TUNES[:4], TUNES, seed=3).to_json() for _ in range(2))
    assert first == again
    assert first != musicgen.evaluate(TUNES[:4], TUNES, seed=4).to_json()


def test_copies_of_a_reference_are_on_one_side():
    doubled = [piece for piece in TUNES for piece in (piece, musicgen.transpose(piece, 2))]
    reference = Reference(doubled, draws=5)
    assert np.nanmax(reference.values["longest_copy"]) < 32
    assert len(reference.held_out) == 24


def test_few_references_are_enough_to_judge():
    found = musicgen.evaluate([NoteSequence(duration=2.0), tune(1)], [tune(2)])
    assert np.isfinite(found["quality_level"].pieces.value)
    assert np.isnan(found["quality_level"].references.value), "nothing is left to hold out"
    assert "quality" in found.table()


def test_the_limit_counts_references_that_are_measured():
    reference = Reference(TUNES, limit=10, draws=5)
    assert len(reference.measured) == 10
    found = musicgen.evaluate(TUNES, reference)
    assert found.values["longest_copy"].tolist() == [32] * 24, "copies are sought in all"


def test_the_table_begins_with_the_levels(reference):
    lines = musicgen.evaluate(TUNES[:5], reference).table().splitlines()
    assert lines[0] == "5 pieces beside 24 references"
    assert [line.split()[0] for line in lines[3:6]] == ["quality", "noise", "coherence"]
    assert lines.index("QUALITY") < lines.index("NOISE") < lines.index("COHERENCE")
    assert any(line.startswith("phrase order") and " to " in line for line in lines)


def test_the_table_says_how_to_read_it(reference):
    table = musicgen.evaluate(TUNES[:5], reference).table()
    assert "Few pieces have less variety than many" in table
    assert "-: not defined" in table, "structureness_long of four bars"
    assert "single piece" not in table
    assert "Few pieces" not in musicgen.evaluate(TUNES, reference).table()


def test_a_single_piece_has_figures_and_no_intervals(reference):
    alone = musicgen.evaluate(TUNES[:1], reference)
    assert "A single piece has no interval" in alone.table()
    assert " to " not in alone.table().splitlines()[3].split("share")[0][:60]
    for figure in alone.figures:
        assert np.isnan(figure.pieces.low), figure.name
        assert np.isnan(figure.pieces.high), figure.name
    assert np.isfinite(alone["quality_level"].pieces.value)
    assert np.isfinite(alone["quality_level"].references.low)
    assert np.isfinite(alone["noise_level"].pieces.value)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (([], TUNES), "pieces hold no piece"),
        ((TUNES[:1], []), "references hold no piece"),
        ((TUNES[0], TUNES), "pieces must be several NoteSequences, not one"),
        ((TUNES[:1], [3]), r"references\[0\] must be a NoteSequence, not int"),
    ],
)
def test_what_cannot_be_judged_is_refused(arguments, reason):
    with pytest.raises(InputError, match=reason):
        musicgen.evaluate(*arguments)


@pytest.mark.parametrize("argument", ["limit", "draws"])
def test_a_reference_refuses_too_small_numbers(argument):
    with pytest.raises(InputError, match=f"{argument} must be a whole number of at least 2, not 1"):
        Reference(TUNES, **{argument: 1})


@pytest.fixture
def folders(tmp_path):
    for seed in range(12):
        tune(seed).save(tmp_path / "real" / ["calm", "wild"][seed % 2] / f"{seed}.mid")
    for seed in range(3):
        random_notes(tune(seed), seed=seed).save(tmp_path / "new" / f"{seed}.mid")
    return tmp_path


def test_the_command_prints_a_table_and_writes_json(folders, capsys):
    target = folders / "out" / "judged.json"
    command = ["evaluate", str(folders / "new"), "--reference", str(folders / "real"), "--json", str(target)]
    assert main(command) == 0
    output = capsys.readouterr()
    assert "3 pieces beside 12 references" in output.out
    assert output.out.splitlines()[-1] == str(target)
    content = json.loads(target.read_text(encoding="utf-8"))
    assert content["figures"]["noise_level"]["family"] == "noise"
    assert len(content["values"]["coherence_level"]) == 3
    assert main(["evaluate", str(folders / "new" / "0.mid"), "--reference", str(folders / "real")]) == 0
    assert "1 piece beside 12 references" in capsys.readouterr().out


def test_the_command_names_what_it_refuses(folders, capsys):
    (folders / "new" / "broken.mid").write_bytes(b"no MIDI")
    command = ["evaluate", str(folders / "new"), "--reference", str(folders / "real")]
    assert main(command) == 1
    output = capsys.readouterr()
    assert "3 pieces beside" in output.out
    assert "broken.mid" in output.err
    assert main(["evaluate", str(folders / "nowhere"), "--reference", str(folders / "real")]) == 1
    assert "nowhere: does not exist" in capsys.readouterr().err
    assert main(["evaluate", str(folders / "new"), "--reference", str(folders / "new" / "broken.mid")]) == 1
    assert "broken.mid" in capsys.readouterr().err


def test_prepared_pieces_are_references_too(folders, capsys):
    assert main(["prepare", str(folders / "real"), "--out", str(folders / "prepared"), "--workers", "0"]) == 0
    assert main(["evaluate", str(folders / "new"), "--reference", str(folders / "prepared")]) == 0
    assert "3 pieces beside 12 references" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["evaluate", "evaluate a", "evaluate a --reference b --limit 0"])
def test_wrong_usage_is_status_2(line, capsys):
    with pytest.raises(SystemExit) as stop:
        main(line.split())
    assert stop.value.code == 2
    assert "error" in capsys.readouterr().err
