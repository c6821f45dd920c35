"""The VAE: lines and fragments on a grid, latents, blends, walks; what it refuses."""

import numpy as np
import pytest
from test_composers import TUNES

from musicgen import InputError, MelodyCodec, NoteSequence, PianorollCodec, Timing, Track, VAEComposer, monophonic
from musicgen.codecs.lines import _nearest, codes_of, lines_of, piece_of_lines
from musicgen.composers.attributes import ATTRIBUTES
from musicgen.composers.fragments import NEW, REPEATED, TIED, FragmentBatches, Fragments, moved
from musicgen.composers.latent_space import LatentSpace, spherical, steepest
from musicgen.composers.walks import _steps_between, _Way, in_key, in_register, in_scale

pytestmark = pytest.mark.filterwarnings("ignore")
HOLD, REST = 128, 129
OFF_GRID = Timing([0.0, 0.5], 1.0, ((0.1, 4, 4),))
WALTZ = NoteSequence([(i / 2, i / 2 + 0.5, 60 + i % 5, 80, 0) for i in range(24)], timing=Timing.regular(120, (3, 4)))


@pytest.fixture(scope="module")
def composer():
    composer = VAEComposer(preset="tiny", fragment_bars=2, seed=0)
    composer.fit([monophonic(tune, track=0) for tune in TUNES], epochs=30, batch_size=4, progress=False)
    return composer


def test_lines_of_a_roll_and_back():
    rows = [(0.0, 1.0, 60, 80, 0), (0.0, 0.5, 64, 80, 0), (0.5, 1.0, 65, 80, 0), (0.0, 1.0, 40, 80, 1)]
    piece = NoteSequence(rows, (Track(), Track()))
    codec = PianorollCodec(resolution=1, tracks=2)
    roll = codec.encode(piece)
    lines, left_out = lines_of(codec, roll)
    assert lines.tolist() == [[64, 60, 40], [65, HOLD, HOLD]]
    assert left_out == 0
    assert (
        piece_of_lines(codec, lines, (2, 1), tracks=piece.tracks) == codec.decode(roll, tracks=piece.tracks) == piece
    )
    few, left_out = lines_of(codec, roll, (1, 1))
    assert few.tolist() == [[64, 40], [65, HOLD]]
    assert left_out == 1


def test_a_line_keeps_to_its_register():
    chords = [(40,), (52, 64, 76), (76,), (41, 43), (79, 80, 81, 83)]
    piece = NoteSequence([(n, n + 1.0, pitch, 80, 0) for n, chord in enumerate(chords) for pitch in chord])
    codec = PianorollCodec(resolution=1)
    lines, left_out = lines_of(codec, codec.encode(piece), (4,))  # around 78, 66, 54 and 42
    sounding = np.where(lines[::2] < HOLD, lines[::2], 0).tolist()
    assert sounding == [[0, 0, 0, 40], [76, 64, 52, 0], [76, 0, 0, 0], [0, 0, 43, 41], [83, 81, 80, 79]]
    assert left_out == 0
    lines, left_out = lines_of(codec, codec.encode(piece), (2,))
    assert lines[8].tolist() == [83, 81], "where lines are few the highest stay"
    assert left_out == 3
    few = lines_of(codec, codec.encode(piece), (1,))[0][::2, 0]
    assert few.tolist() == [40, 76, 76, 43, 83]


@pytest.mark.parametrize("seed", range(20))
def test_lines_are_assigned_as_scipy_assigns_them(seed):
    assignment = pytest.importorskip("scipy.optimize", reason="scipy comes with the extra for transcription")
    random = np.random.default_rng(seed)
    centres = np.sort(random.choice(100, random.integers(1, 9), replace=False))[::-1] + 0.5
    keys = np.sort(random.choice(128, random.integers(1, len(centres) + 1), replace=False))[::-1]
    costs = np.square(keys[:, None] - centres)
    places = _nearest(keys, centres)
    assert (np.diff(places) > 0).all()
    assert costs[np.arange(len(keys)), places].sum() == costs[assignment.linear_sum_assignment(costs)].sum()


def test_codes_tell_what_a_hold_holds():
    lines = np.array([[HOLD], [60], [HOLD], [REST], [HOLD], [61]])
    assert codes_of(lines)[:, 0].tolist() == [256, 60, 128 + 60, 256, 256, 61]
    again = piece_of_lines(MelodyCodec(), lines, (1,))
    assert MelodyCodec().encode(again).tolist() == [REST, 60, HOLD, REST, REST, 61]


def test_fragments_begin_with_what_sounds_and_are_tied_again():
    rows = [(0.0, 3.0, 60, 80, 0), (3.0, 4.0, 62, 80, 0), (4.0, 6.0, 62, 80, 0)]
    cutter = Fragments(MelodyCodec(resolution=1), bars=1, meter=(4, 4), lines=(1,))
    piece = NoteSequence(rows, timing=Timing.regular(120), duration=6.0)
    tokens, ties, *_ = cutter.of_piece(piece)
    assert tokens[:, :, 0].tolist() == [[60, 128, 128, 128], [60, 128, 62, 128], [62, 128, 128, 128]]
    assert ties[:, 0].tolist() == [NEW, TIED, REPEATED]
    assert cutter.piece(cutter.joined(tokens, ties == TIED), timing=piece.timing) == piece
    cut, also, _ = cutter.cut(cutter.codec.encode(piece), piece.timing)
    np.testing.assert_array_equal(cut, tokens)
    np.testing.assert_array_equal(also, ties)


def test_batches_move_each_fragment_within_the_keyboard():
    tokens = np.array([[[0], [HOLD]], [[127], [REST]], [[60], [64]]], np.uint8)
    batches = FragmentBatches(tokens, batch_size=3, seed=0)
    seen = set()
    for epoch in range(40):
        batches.begin(epoch)
        codes, targets, weights = batches[0]
        assert targets[targets < HOLD].min() >= 0
        assert weights.all()
        middle = targets[(targets[:, 0, 0] > 40) & (targets[:, 0, 0] < 80)][0]
        assert middle[1] - middle[0] == 4
        seen.add(int(middle[0, 0]))
        np.testing.assert_array_equal(codes, codes_of(targets))
    assert len(seen) == 12


def test_attributes_of_a_fragment_counted_by_hand():
    tokens = np.array([[[60], [HOLD], [61], [HOLD], [HOLD], [HOLD], [67], [REST]]], np.uint8)
    found = {name: function(tokens, 4)[0] for name, function in ATTRIBUTES.items()}
    assert found == {"diatonic_share": 2 / 3, "note_density": 3 / 8, "interval_size": 3.5, "syncopation": 1 / 3}


def test_points_of_a_space_come_back():
    random = np.random.default_rng(0)
    means = random.standard_normal((500, 3)) @ np.diag([1.0, 2.0, 0.1]) + 5
    labels = np.repeat([0, 1], 250)
    space = LatentSpace.of_data(means, np.full((500, 3), 0.01), labels, 2, np.zeros((1, 3)))
    points = space.point(random.standard_normal((4, 3)), 1)
    np.testing.assert_allclose(space.point(space.normal(points, 1), 1), points, rtol=1e-5)
    way = np.array([spherical([2.0, 0.0], [0.0, 4.0], share) for share in (0, 0.5, 1)])
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), [2, 3, 4])


def test_attributes_grow_along_their_vectors():
    random = np.random.default_rng(0)
    points = random.standard_normal((500, 4)) * [1.0, 2.0, 0.5, 0.0]
    measured = lambda z: np.stack([z[:, 0] - z[:, 1], np.abs(z[:, 2] + 3), np.minimum(z[:, 0], 0), 0 * z[:, 0]])  # noqa: E731
    spreads = measured(points).std(axis=1)
    vectors = steepest(points.astype(np.float32), measured, spreads, seed=0)
    rises = [measured(points + vector).mean(axis=1) - measured(points).mean(axis=1) for vector in vectors]
    assert all(1 <= rises[k][k] / spreads[k] < 1.6 for k in (0, 1))
    assert 0.6 < rises[2][2] / spreads[2] < 1, "it cannot rise by more"
    assert abs(rises[1][0]) < 0.3
    assert not vectors[3].any()
    assert not vectors[:, 3].any()
    assert not steepest(points[:1].astype(np.float32), measured, spreads, seed=0).any()


def test_fragments_are_moved_into_a_key():
    scale = np.array([60, 62, 64, 65, 67, 69, 71, 72], np.uint8)[None, :, None]
    tokens, key = in_key(np.concatenate([scale, scale + 2]))
    assert key == "C major"
    np.testing.assert_array_equal(tokens[1], tokens[0])
    assert in_key(scale, "D major")[0][0, 0, 0] == 62


def test_fragments_are_moved_into_a_register():
    scale = np.array([60, 62, HOLD, REST], np.uint8)[None, :, None]
    moved_there = in_register(np.concatenate([scale, moved(scale, 20), np.full_like(scale, REST)]))
    assert moved_there[:, 0, 0].tolist() == [60, 56, REST]
    assert in_register(scale, 75.0)[0, 0, 0] == 72


def test_of_several_fragments_the_one_is_taken_that_fits():
    silent = np.full((1, 4, 1), REST, np.uint8)
    fragment = lambda *pitches: np.array(pitches, np.uint8)[:, None]  # noqa: E731
    way = _Way(np.random.default_rng(0), 3, None, "C major", None)
    assert way.candidates(0.5).shape == (4, 3)
    way.take(np.stack([fragment(60, 61, 62, 63), fragment(60, 62, 64, 60), silent[0], fragment(61, 62, 63, 64)]))
    assert way.taken[0].ravel().tolist() == [60, 62, 64, 60]
    np.testing.assert_array_equal(way.last, way.points[1])
    after = np.stack([fragment(REST, 67, 65, 62), fragment(HOLD, HOLD, 58, 67), silent[0]])
    assert _steps_between(fragment(50, 60, HOLD, REST), after).tolist() == [7, 2, 0]
    assert in_scale(fragment(57, 68, 70, 60)[None], "A minor") == 0.75


def test_latents_and_back(composer):
    tune = monophonic(TUNES[0], track=0)
    fragments = composer.fragments(tune)
    latents = composer.encode(fragments)
    assert latents.shape == (4, 16)
    assert latents.dtype == np.float32
    pieces = composer.decode(latents, seed=1)
    assert [len(piece.timing.bars(piece.duration)) for piece in pieces] == [2, 2, 2, 2]
    alone = composer.decode(latents[:1], seed=1)
    assert alone[0] == pieces[0]
    assert composer.provenance["latent"]["kl_bits"] > 1


def test_interpolation_aligns_length_tempo_and_key(composer):
    long = monophonic(TUNES[0], track=0).replace(meta={"key": "C major"})
    short = composer.fragments(monophonic(TUNES[2], track=0))[0].replace(meta={"key": "D major"})
    short = short.replace(timing=Timing.regular(60), notes=_slower(short.notes), duration=2 * short.duration)
    steps = composer.interpolate(long, short, steps=3, seed=0)
    assert [round(piece.timing.bpm, 3) for piece in steps] == [120.0, round(np.sqrt(120 * 60), 3), 60.0]
    assert {len(piece.timing.bars(piece.duration)) for piece in steps} == {8}
    aligned = steps[1].meta["aligned"]
    assert "8 bars, 120 beats per minute, C major" in aligned
    assert "2 bars repeated to 8, 60 beats per minute, D major, moved by -2 semitones" in aligned


def _slower(notes):
    notes = notes.copy()
    notes["start"], notes["end"] = 2 * notes["start"], 2 * notes["end"]
    return notes


def test_blend_vary_and_shift_keep_the_length(composer):
    a, b = (monophonic(tune, track=0) for tune in TUNES[:2])
    for piece in (
        composer.blend([a, b], [0.25, 0.75], seed=0),
        composer.vary(a, 0.5, seed=0),
        composer.shift(a, "note_density", -1, seed=0),
        composer.reconstruct([a], seed=0)[0],
    ):
        assert len(piece.timing.bars(piece.duration)) == 8
        assert len(piece)
    assert composer.vary(a, 0.9, seed=0) != composer.vary(a, 0.9, seed=1)


def test_a_long_piece_stays_in_the_key_asked_for(composer):
    piece = composer.compose(bars=32, key="E major", tempo=90, seed=3)
    assert len(piece.timing.bars(piece.duration)) == 32
    assert piece.timing.bpm == pytest.approx(90)
    assert piece.meta["asked_key"] == "E major"


def test_refusals_say_what_is_allowed(composer):
    tune = monophonic(TUNES[0], track=0)
    short = composer.fragments(tune)[0]
    silent = tune.replace(notes=tune.notes[tune.notes["start"] > 3.9])
    cases = [
        (lambda: composer.encode([tune]), "the piece has 8 bars, not 2"),
        (lambda: composer.interpolate(short, NoteSequence([(0, 1, 60, 80, 0)])), "has 1 bar, the fragments.*have 2"),
        (lambda: composer.blend([NoteSequence(duration=4.0)]), "the piece has no notes"),
        (lambda: composer.vary(silent), "bar 1 of the piece is empty"),
        (lambda: composer.vary(tune.replace(timing=OFF_GRID)), "do not lie on the codec's grid"),
        (lambda: composer.vary(WALTZ), "bars in 3/4, this composer knows 4/4"),
        (lambda: composer.vary(TUNES[0]), "a melody is one track"),
        (lambda: composer.decode(np.zeros((2, 3))), r"latents must have the shape \(n, 16\), not \(2, 3\)"),
        (lambda: composer.decode(np.full((1, 16), np.nan)), "latents must be finite"),
        (lambda: composer.decode(np.zeros((1, 16)), temprature=1), "no option 'temprature'"),
        (lambda: composer.blend([short, short], [0.5, 0.6]), "sum to 1, not to 1.1"),
        (lambda: composer.blend([short, short], [1.5, -0.5]), r"at least 0, not \[1.5, -0.5\]"),
        (lambda: composer.blend([short, short], ["x", "y"]), "weights must be 2 numbers"),
        (lambda: composer.interpolate(short, NoteSequence(duration=4.0)), "piece 2 has no notes"),
        (lambda: composer.encode([short, NoteSequence(duration=4.0)]), "piece 2 has no notes"),
        (lambda: composer.vary(short.replace(tracks=(Track("kit", 0, True),))), "percussion alone"),
        (lambda: composer.decode([[1, 2], [3]]), "rows of 16 numbers"),
        (lambda: composer.decode([["a"] * 16]), "real numbers"),
        (lambda: composer.decode(np.full((1, 16), 1e39)), "finite numbers of float32"),
        (lambda: composer.vary(short, None), "amount must be 0 to 1, not None"),
        (lambda: composer.attribute_vector(["note_density"]), "is unknown"),
        (lambda: composer.blend([short, short], [1.0]), "weights must hold 2 numbers, one per piece, not 1"),
        (lambda: composer.attribute_vector("swing"), "attribute 'swing' is unknown.*note_density"),
        (lambda: composer.vary(tune, 2), "amount must be 0 to 1"),
        (lambda: composer.compose(bars=2, density=3), "no option 'density'"),
        (lambda: VAEComposer(meter="fast"), "meter 'fast' is none"),
        (lambda: VAEComposer(preset="tiny", meter="3/4").fit(TUNES), "holds no 4 bars in a row in 3/4"),
    ]
    for call, reason in cases:
        with pytest.raises(InputError, match=reason):
            call()


def test_a_pickup_stays_where_it_is(composer):
    rows = [(i / 2, i / 2 + 0.5, 60 + i % 5, 80, 0) for i in range(1 + 4 * 4)]
    piece = NoteSequence(rows, timing=Timing([0.0, 0.5], 1.0, ((1, 4, 4),)))
    heard = composer._hear([piece], False)
    again = composer._piece_of(heard, heard.tokens[0], [1.0], 0, 0, {})
    assert again.timing == piece.timing
    np.testing.assert_allclose(again.notes["start"], piece.notes["start"][: 1 + 3 * 4])
    assert again.notes["pitch"].tolist() == piece.notes["pitch"][: 1 + 3 * 4].tolist()
    assert "4 bars, 1 more left out, which fill no fragment of 2" in composer.vary(piece, seed=0).meta["aligned"]


def test_an_ignored_latent_is_reported():
    composer = VAEComposer(preset="tiny", fragment_bars=2, beta=100.0, dropout=0.0)
    with pytest.warns(UserWarning, match="the latent is ignored"):
        composer.fit([monophonic(tune, track=0) for tune in TUNES], epochs=120, batch_size=4, progress=False)
    assert "lower beta" in composer.provenance["latent"]["warning"]


def test_a_latent_that_is_heeded_tells_what_another_does_not(composer):
    told = composer.provenance["latent"]
    assert 0 < told["bits_left"] < 0.8 * told["bits_of_another"]
    assert "warning" not in told


def test_several_lines_weigh_their_latents_less():
    given = {"preset": "tiny", "fragment_bars": 2, "meter": "4/4"}
    one, several = VAEComposer(**given, lines=(1,)), VAEComposer(**given, lines=(1, 2))
    for composer, beta in ((one, 0.08), (several, 0.02)):
        assert composer.beta is None
        composer.codec = MelodyCodec() if composer is one else PianorollCodec(tracks=2)
        composer._build()
        assert composer.network.beta == composer.get_config()["beta"] == beta
    assert VAEComposer(**given, beta=0.0).beta == 0.0
