"""The GAN: what its networks are given, what its guard sees, what a trained one writes and refuses."""

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_composers import TUNES

from musicgen import GANComposer, InputError, MelodyCodec, NoteSequence, PianorollCodec, Timing, Track, monophonic
from musicgen.cli import main
from musicgen.codecs.lines import codes_of, notes_of
from musicgen.codecs.spec import KEYS
from musicgen.composers.gan import _ranges
from musicgen.composers.guard import Guard, diversity, histograms, nearest, overlaps
from musicgen.composers.inventing import _in_bars, _pattern
from musicgen.composers.roll_data import RollBatches, parts_of, shift_to_white, shifted, tokens_of
from musicgen.composers.rolls import Generator

pytestmark = pytest.mark.filterwarnings("ignore")
HOLD, REST = 128, 129


@pytest.fixture(scope="module")
def composer():
    composer = GANComposer(preset="tiny", codec=PianorollCodec(tracks=2), seed=0)
    composer.fit(TUNES, epochs=120, batch_size=8, look_every=100, learning_rate=3e-3, progress=False)
    return composer


# ---- what the networks are given


def test_every_key_moves_to_the_white_keys():
    for key in KEYS:
        tonic, mode = divmod(KEYS.index(key), 12)[::-1]
        assert (tonic + shift_to_white(key)) % 12 == (9 if mode else 0), key
        assert -6 <= shift_to_white(key) <= 5
    assert shift_to_white(None) == 0


def test_drums_stay_where_pitches_move():
    tokens = np.array([[[60, 36], [HOLD, REST]], [[126, 40], [REST, HOLD]]], np.uint8)
    moved = shifted(tokens, [-2, 5], np.array([True, False]))
    assert moved.tolist() == [[[58, 36], [HOLD, REST]], [[119, 40], [REST, HOLD]]]


@given(st.lists(st.sampled_from([60, 62, 71, HOLD, REST]), min_size=8, max_size=8))
def test_parts_and_tokens_are_opposites(line):
    tokens = np.array(line, np.uint8).reshape(1, 8, 1)
    again = tokens_of(*parts_of(tokens, 60, 12), 60, 12)
    np.testing.assert_array_equal(codes_of(again), codes_of(tokens))


def test_pitches_outside_are_heard_in_another_octave():
    pitches, onsets = parts_of(np.array([[[50], [HOLD], [90], [REST]]], np.uint8), 60, 12)
    assert pitches.ravel().tolist() == [2, 2, 6, 12]
    assert onsets.ravel().tolist() == [1, 0, 1, 0]


def test_every_line_has_a_range_of_its_own():
    tokens = np.array([[[60, 47], [HOLD, 49], [72, REST]]], np.uint8)
    pitches, onsets = parts_of(tokens, np.array([60, 47]), 13)
    assert pitches.tolist() == [[[0, 0], [0, 2], [12, 13]]]
    np.testing.assert_array_equal(tokens_of(pitches, onsets, np.array([60, 47]), 13), tokens)


def test_rare_notes_of_lines_that_share_a_track_do_not_widen_its_range():
    tokens = np.full((50, 40, 2), 60, np.uint8) + (np.arange(40) % 8)[:, None].astype(np.uint8)
    tokens[0, :9] = 100
    assert _ranges(tokens, np.array([True, False])) == ((60, 67), (60, 100))


def test_half_of_the_fragments_are_given_nothing_and_none_everything():
    generator = Generator(bars=4, bar_steps=4, lines=3, keys=12, genres=2, noise=4, units=4, blocks=1)
    tokens = np.full((640, 16, 3), 60, np.uint8)
    batches = RollBatches(tokens, np.arange(640) % 3 - 1, generator=generator, lowest=60, batch_size=640, seed=0)
    pitches, onsets, genres, mask, latents, uniform = batches[0]
    assert mask.shape == (640, 4, 3)
    assert 0.4 < (mask == 0).all(axis=(1, 2)).mean() < 0.65
    given_lines = (mask == mask[:, :1]).all(axis=(1, 2)) & mask.any(axis=(1, 2)) & ~mask.all(axis=(1, 2))
    given_bars = (mask == mask[:, :, :1]).all(axis=(1, 2)) & mask.any(axis=(1, 2)) & ~mask.all(axis=(1, 2))
    assert not mask.all(axis=(1, 2)).any()
    assert given_lines.any()
    assert given_bars.any()
    assert (given_lines | given_bars | (mask == 0).all(axis=(1, 2))).mean() < 1, "some are given both"
    assert genres.sum(axis=1).tolist() == [float(label >= 0) for label in (batches._order % 3 - 1)]
    again = batches[0]
    for one, other in zip((pitches, onsets, genres, mask, latents, uniform), again, strict=True):
        np.testing.assert_array_equal(one, other)
    batches.begin(1)
    assert (batches[0][4] != latents).any()


# ---- the guard


def test_notes_of_fragments_by_hand():
    tokens = np.array([[[60, REST], [HOLD, 50], [62, HOLD], [REST, 50]]], np.uint8)
    row, start, length, pitch = notes_of(tokens)
    assert row.tolist() == [0, 0, 1, 1]
    assert start.tolist() == [0, 2, 1, 3]
    assert length.tolist() == [2, 1, 2, 1]
    assert pitch.tolist() == [60, 62, 50, 50]


def test_histograms_and_overlaps_by_hand():
    tokens = np.array([[[60, REST], [HOLD, 50], [62, HOLD], [REST, 50]]], np.uint8)
    found = histograms(tokens, 2)
    assert found["pitch"][[50, 60, 62]].tolist() == [0.5, 0.25, 0.25]
    assert found["pitch_class"][[0, 2]].tolist() == [2 / 6, 4 / 6]
    assert found["length"][[1, 2]].tolist() == [0.5, 0.5]
    assert found["inter_onset"][2] == 1
    assert found["interval"][[13, 15]].tolist() == [0.5, 0.5]
    assert found["position"].tolist() == [0.5, 0.5]
    assert found["density"][2] == 1
    assert found["together"][[0, 10]].tolist() == [0.5, 0.5]
    other = histograms(np.array([[[60, REST], [REST, REST], [60, REST], [REST, REST]]], np.uint8), 2)
    shared = overlaps(other, found)
    assert shared["pitch"] == 0.25
    assert shared["length"] == 0.5
    assert "together" not in shared


def test_diversity_and_the_nearest_fragment_by_hand():
    tokens = np.array([[[60], [HOLD]], [[60], [REST]]], np.uint8)
    assert diversity(tokens) == 0.5
    data = np.array([[[60], [61]], [[59], [58]]], np.uint8)
    assert nearest(tokens, data) == 0.5
    assert nearest(data, data) == 0


class StandIn:
    """A contest, and its generator, without networks."""

    def __init__(self):
        self.generator = self

    def average(self):
        return contextlib.nullcontext()

    def named_variables(self):
        return {}


def guard_over(invented, data, **options):
    return Guard(StandIn(), lambda count: invented, data, bar_steps=2, every=1, seed=0, **options)


def test_a_guard_stops_a_generator_that_writes_one_thing_only():
    random = np.random.default_rng(0)
    data = random.integers(40, 80, (64, 4, 1)).astype(np.uint8)
    told, good = [], guard_over(random.integers(40, 80, (64, 4, 1)).astype(np.uint8), data)
    assert all(good.after(step, {"loss": 0.5}) for step in range(1, 2000, 100))
    bad = guard_over(np.repeat(data[:1], 64, axis=0), data, listeners=[lambda *found: told.append(found)])
    went_on = [bad.after(step, {"loss": 0.5}) for step in (100, 900, 1000, 1100)]
    assert went_on == [True, True, True, False]
    assert "over and over: its fragments differ 0 % as much as the data" in bad.problem
    assert [step for step, _, _ in told] == [100, 900, 1000, 1100]
    assert bad.looks[-1]["diversity"] == 0
    assert bad.looks[-1]["loss"] == 0.5


def test_a_guard_stops_a_training_that_diverged():
    data = np.full((8, 4, 1), 60, np.uint8)
    guard = guard_over(data, data)
    assert guard.after(1, {"loss": 0.5})
    assert not guard.after(2, {"loss": float("nan")})
    assert "diverged at step 2" in guard.problem
    again = guard_over(data, data)
    again.restore(*guard.state())
    assert again.problem == guard.problem
    assert again.looks == guard.looks


# ---- what a trained one writes


def test_training_brings_fragments_near_to_the_data(composer):
    looks = composer.provenance["looks"]
    assert max(look["overlap"] for look in looks) > looks[0]["overlap"]
    assert max(look["overlap"] for look in looks) > 0.5
    assert {"step", "overlap", "diversity", "nearest", "loss", "lead", "generator"} <= set(looks[0])
    assert composer.provenance["fragments"] == 40


def test_an_accompaniment_leaves_the_melody_as_it_is(composer):
    melody = monophonic(TUNES[3], track=0).replace(timing=Timing.regular(103))
    piece = composer.accompany(melody, seed=1)
    own = piece.notes[piece.notes["track"] == 0]
    for name in ("start", "end", "pitch", "velocity"):
        np.testing.assert_array_equal(own[name], melody.notes[name])
    assert np.any(piece.notes["track"] == 1)
    assert piece == composer.accompany(melody, seed=1)
    assert piece.timing == melody.timing
    below = composer.accompany(melody, voice=1, seed=1)
    assert np.sum(below.notes["track"] == 1) == len(melody)


def test_refined_bars_are_new_and_the_others_stay(composer):
    piece = composer.refine(TUNES[0], [2, 5], seed=0)
    bar = lambda notes: np.floor(notes["start"] / 2 + 1e-9).astype(int)  # noqa: E731
    kept = [notes[~np.isin(bar(notes), [2, 5])] for notes in (piece.notes, TUNES[0].notes)]
    np.testing.assert_array_equal(*kept)
    changed = [notes[np.isin(bar(notes), [2, 5])] for notes in (piece.notes, TUNES[0].notes)]
    assert changed[0].tobytes() != changed[1].tobytes()
    assert len(changed[0])
    assert piece.meta["made_bars"] == "[2, 5]"


def test_notes_end_with_the_bars_that_are_kept():
    notes = NoteSequence([(0.0, 5.0, 60, 80, 0), (2.5, 3.0, 61, 80, 0), (4.0, 9.0, 62, 80, 0)]).notes
    edges = np.array([0.0, 2.0, 4.0, 6.0])
    kept = _in_bars(notes, edges, [1], inside=False)
    assert kept[["start", "end"]].tolist() == [(0.0, 2.0), (4.0, 9.0)]
    new = _in_bars(notes, edges, [1, 2], inside=True)
    assert new[["start", "end"]].tolist() == [(2.5, 3.0), (4.0, 6.0)]


def test_a_way_through_the_noise_goes_from_one_fragment_to_another(composer):
    steps = composer.interpolate(5, seed=3)
    assert [len(piece.timing.bars(piece.duration)) for piece in steps] == [4] * 5
    assert steps[0] != steps[-1]
    assert steps == composer.interpolate(5, seed=3)
    assert steps[0].meta["title"] == "step 1 of 5"


def test_a_rhythm_is_where_notes_begin(composer):
    rhythm = composer.rhythm(2, seed=1)
    assert rhythm.tracks == (Track("rhythm", 0, True),)
    assert set(rhythm.notes["pitch"].tolist()) == {75}
    assert rhythm.meta["pattern"].count("x") == len(rhythm)
    assert len(rhythm.meta["pattern"]) == 2 * 16
    with pytest.raises(InputError, match="writes no drums: its training data had no drum track"):
        composer.rhythm(of="drums")
    beats = NoteSequence([(0.0, 0.1, 36, 80, 0), (0.5, 0.6, 38, 80, 0), (1.0, 1.1, 36, 80, 0)], duration=2.0)
    assert _pattern(beats, 2) == "x...x...\n..x....."


def test_a_key_that_is_asked_for_is_kept(composer):
    pieces = composer.compose_many(32, bars=4, key="E major", tempo=90, seed=0)
    assert all(piece.meta["asked_key"] == "E major" for piece in pieces)
    assert all(piece.meta["achieved_tempo"] == "90" for piece in pieces)
    scale = [4, 6, 8, 9, 11, 1, 3]
    shares = [np.isin(piece.notes["pitch"] % 12, scale).mean() for piece in pieces]
    assert np.mean(shares) > 0.8


def test_candidates_bring_counts_nearer_to_the_data(composer):
    bar_steps, shared = composer._cutter.bar_steps, []
    data = histograms(composer._on_white_keys(composer._fragments_of(*composer._arrays(TUNES))), bar_steps)
    for candidates in (1, 16):
        rows = composer._genre_rows(np.arange(200) % 2)
        made = composer._tokens(*composer._maker.invent(rows, list(range(200)), candidates=candidates))
        shared.append(np.mean(list(overlaps(histograms(made, bar_steps), data).values())))
    assert shared[1] > shared[0] + 0.03
    alone, among = (composer.compose_many(count, bars=6, seed=5)[0] for count in (1, 3))
    assert alone.notes.tobytes() == among.notes.tobytes()


def test_without_truncation_all_pieces_are_alike(composer):
    first, second = composer.compose_many(2, bars=4, truncation=0.0, key="C major", genre="folk", seed=0)
    assert first.notes.tobytes() == second.notes.tobytes()


def untrained(codec, lines, pitch_range=(36, 67)):
    """A composer whose networks have learnt nothing."""
    composer = GANComposer(preset="tiny", codec=codec, lines=lines, meter="4/4", pitch_range=pitch_range, seed=0)
    composer._build()
    composer.provenance = {"tempo": {"": 120.0}, "keys": {"D major": 1}, "labels": {}}
    return composer


def test_no_line_leaves_its_own_range():
    ranges = ((60, 64), (36, 67))
    composer = untrained(PianorollCodec(tracks=2), (1, 1), ranges)
    tokens = composer._invented([[0, row] for row in range(32)], np.array([-1]))
    for line, (low, high) in enumerate(ranges):
        pitches = tokens[..., line][tokens[..., line] < 128]
        assert len(np.unique(pitches)) > 2
        assert low <= pitches.min() <= pitches.max() <= high


def test_drums_have_rhythms_of_their_own():
    composer = untrained(PianorollCodec(tracks=(Track("lead"), Track("drums", 0, True))), (1, 2))
    rhythm = composer.rhythm(1, seed=0)
    assert rhythm.tracks[0].drum
    piece = composer.compose(1, seed=0)
    assert sorted(rhythm.notes["pitch"]) == sorted(piece.notes["pitch"][piece.notes["track"] == 1])
    assert composer._pitched.tolist() == [True, False, False]
    melody = composer.rhythm(1, of="melody", seed=0)
    assert set(melody.notes["pitch"].tolist()) <= {75}


def test_refusals_say_what_is_needed(composer):
    with pytest.raises(InputError, match="bars must name some of 0 to 7"):
        composer.refine(TUNES[0], [8])
    with pytest.raises(InputError, match="has notes in 2 tracks.*monophonic"):
        composer.accompany(TUNES[0])
    with pytest.raises(InputError, match="voice 2 is none of the composer's 2 tracks"):
        composer.accompany(monophonic(TUNES[0], track=0), voice=2)
    with pytest.raises(InputError, match="bars in 3/4, this composer knows 4/4"):
        composer.refine(TUNES[0].replace(timing=Timing.regular(120, (3, 4))), [0])
    with pytest.raises(InputError, match="steps must be a whole number of at least 2"):
        composer.interpolate(1)
    with pytest.raises(InputError, match="truncation must be 0 to 2"):
        composer.compose(truncation=-1)
    with pytest.raises(InputError, match="candidates must be a whole number of at least 1"):
        composer.compose(candidates=0)
    with pytest.raises(InputError, match="key cannot be asked for beside a primer"):
        composer.compose(primer=TUNES[0], key="C major")
    with pytest.raises(InputError, match="of must be 'melody' or 'drums'"):
        composer.rhythm(of="bass")
    with pytest.raises(InputError, match="holds 5 fragments of 4 bars, fewer than the 8"):
        GANComposer(preset="tiny").fit(TUNES[:1])
    with pytest.raises(InputError, match="holds 40 fragments of 4 bars, fewer than the 64.*smaller batch_size"):
        GANComposer(preset="tiny").fit(TUNES, batch_size=64)
    with pytest.raises(InputError, match="neurons 'hard' are unknown"):
        GANComposer(neurons="hard")
    with pytest.raises(InputError, match="pitch_range must rise"):
        GANComposer(pitch_range=(80, 60))
    with pytest.raises(InputError, match="penalty must be above 0"):
        GANComposer(penalty=0)
    with pytest.raises(InputError, match="writes one line, there are no other voices"):
        untrained(MelodyCodec(), (1,)).accompany(monophonic(TUNES[0], track=0))


def test_options_that_would_change_nothing_are_refused(composer):
    melody = monophonic(TUNES[0], track=0)
    with pytest.raises(InputError, match="tempo cannot be asked for here"):
        composer.accompany(melody, tempo=90)
    with pytest.raises(InputError, match="key cannot be asked for here"):
        composer.refine(TUNES[0], [1], key="C major")
    with pytest.raises(InputError, match="candidates cannot be asked for here"):
        composer.interpolate(3, candidates=2)
    with pytest.raises(InputError, match="bars must be a list of numbers, not 4"):
        composer.refine(TUNES[0], 4)
    with pytest.raises(InputError, match=r"melody\[0\] must be a NoteSequence, not list"):
        composer.accompany([melody])


def test_lines_and_genres_are_checked():
    for lines in (4, "12", (1.5, 1), (0, 1)):
        with pytest.raises(InputError, match="lines must"):
            GANComposer(lines=lines)
    with pytest.raises(InputError, match="genres must be several labels"):
        GANComposer(genres="jazz")
    with pytest.raises(InputError, match="lines tells of 1 tracks, the codec has 2"):
        GANComposer(preset="tiny", codec=PianorollCodec(tracks=2), lines=(1,)).fit(TUNES, epochs=1, progress=False)


def test_a_refused_training_leaves_no_trace():
    composer = GANComposer(preset="tiny")
    with pytest.raises(InputError, match="fewer than"):
        composer.fit([monophonic(TUNES[0], track=0).replace(meta={"genre": "none"})], epochs=1, progress=False)
    assert (composer.codec, composer.lines, composer.meter, composer.genres) == (None, None, None, ())
    composer.fit(TUNES, epochs=1, progress=False)
    assert composer.lines == (1, 1)


@pytest.fixture(scope="module")
def chords():
    """A composer of one track with chords."""
    composer = GANComposer(preset="tiny", seed=0)
    pieces = [tune.replace(notes=_in_one_track(tune.notes), tracks=(Track("piano"),)) for tune in TUNES]
    composer.fit(pieces, epochs=3, batch_size=8, look_every=100, progress=False)
    return composer, pieces


def _in_one_track(notes):
    notes = notes.copy()
    notes["track"] = 0
    return notes


def test_chords_of_one_track_are_learnt_with_drawn_neurons(chords, composer, tmp_path):
    learnt, pieces = chords
    assert (learnt.lines, learnt.neurons, composer.neurons) == ((2,), "stochastic", "straight-through")
    assert int(learnt.network.shortest.value[0]) > 1
    learnt.save(tmp_path / "model")
    again = GANComposer.load(tmp_path / "model")
    assert again.compose(bars=4, seed=1) == learnt.compose(bars=4, seed=1)
    assert learnt.refine(pieces[0], [1], seed=0).timing == pieces[0].timing


def test_a_track_of_several_lines_is_given_as_a_whole():
    codec = PianorollCodec(tracks=(Track("lead"), Track("piano"), Track("drums", 0, True)))
    composer = untrained(codec, (1, 3, 1), (36, 84))
    melody, low = (
        NoteSequence([(n / 2, n / 2 + 0.5, pitch + n % 5, 80, 0) for n in range(16)], timing=Timing.regular(120))
        for pitch in (76, 40)
    )
    made = [composer.accompany(some, voice=1, seed=0) for some in (melody, low)]
    for some, piece in zip((melody, low), made, strict=True):
        assert (piece.notes["pitch"][piece.notes["track"] == 1] == some.notes["pitch"]).all()
    others = [piece.notes[piece.notes["track"] != 1].tobytes() for piece in made]
    assert others[0] != others[1], "what is given is heard"
    with pytest.raises(InputError, match="the melody has pitches, track 2 of the composer drums"):
        composer.accompany(melody, voice=2)


def test_the_command_trains_shows_samples_and_composes(tmp_path, capsys):
    (tmp_path / "data").mkdir()
    for number, tune in enumerate(TUNES):
        tune.save(tmp_path / "data" / f"{number}.mid")
    command = ["train", "gan", str(tmp_path / "data"), "--preset", "tiny", "--out", str(tmp_path / "model")]
    assert main([*command, "--epochs", "2", "--samples", str(tmp_path / "samples")]) == 0
    assert "overlap with what was learnt from" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "samples").iterdir())[-1] == "training.png"
    assert json.loads((tmp_path / "model" / "config.json").read_text())["class"] == "GANComposer"
    compose = ["compose", str(tmp_path / "model"), "--out", str(tmp_path / "out"), "--bars", "4", "--seed", "1"]
    assert main([*compose, "--truncation", "0.8"]) == 0
    assert main(["train", "vae", *command[2:-1], str(tmp_path / "other"), "--samples", "x"]) == 1
    assert main(["train", "gan", *command[2:-1], str(tmp_path / "other"), "--devices", "2"]) == 1
