"""What a composition is asked for and what it becomes; primers; streams of notes."""

import itertools

import numpy as np
import pytest

from musicgen import EventsCodec, InputError, LSTMComposer, MelodyCodec, NoteSequence, Timing, Track
from musicgen.codecs.spec import KEYS, key_name
from musicgen.composers.base import checked_sequences
from musicgen.composers.controls import Asked, achieved, most_at_once
from musicgen.composers.diagnosis import warning
from musicgen.composers.drawing import SamplingControls
from musicgen.composers.guidance import KEY_LEAD
from musicgen.composers.labels import seen_controls
from musicgen.composers.plans import Plan
from musicgen.datasets.labels import labelled
from musicgen.score.key import key_lead
from musicgen.transforms import stretch
from tests.test_composers import TUNES

pytestmark = pytest.mark.filterwarnings("ignore")
WALTZ = NoteSequence(
    [(i / 2, i / 2 + 0.5, 60 + [0, 4, 7, 12, 7, 4][i % 6], 84, 0) for i in range(48)],
    TUNES[0].tracks,
    Timing.regular(120, (3, 4)),
    meta={"genre": "folk"},
)


@pytest.fixture(scope="module")
def composer():
    composer = LSTMComposer(preset="tiny", seed=0)
    composer.fit([*TUNES[:6], WALTZ], epochs=8, batch_size=4, progress=False)
    return composer


def bars_of(piece, start=0.0):
    return len(piece.timing.bars(piece.duration, start=start))


def test_what_is_asked_is_kept_and_recorded(composer):
    asked = {"tempo": 93.5, "meter": "3/4", "polyphony": 1, "pitch_range": (55, 70), "instrument": "Flute"}
    piece = composer.compose(bars=3, genre="folk", seed=1, **asked)
    assert piece.timing.bpm == pytest.approx(93.5)
    assert {(m.numerator, m.denominator) for m in piece.timing.meters} == {(3, 4)}
    assert bars_of(piece) == 3
    assert most_at_once(piece.notes) == 1
    assert 55 <= piece.notes["pitch"].min() <= piece.notes["pitch"].max() <= 70
    assert {track.program for track in piece.tracks} == {73}
    expected = {"tempo": "93.5", "meter": "3/4", "polyphony": "1", "instrument": "Flute", "bars": "3"}
    for name, value in {**expected, "genre": "folk"}.items():
        assert piece.meta[f"asked_{name}"] == value
        assert piece.meta[f"achieved_{name}"] == value
    assert piece.meta["asked_pitch_range"] == "55 to 70"
    assert piece.meta["achieved_pitch_range"] == "{} to {}".format(*np.sort(piece.notes["pitch"])[[0, -1]])


def test_a_beat_of_six_eight_is_a_dotted_quarter():
    asked = Asked(EventsCodec(), {}, bars=2, meter="6/8", tempo=50)
    assert asked.tokens() == {"Tempo": 76, "Meter": "6/8"}
    piece = NoteSequence([(0.0, 1.0, 60, 80, 0)], timing=Timing.regular(76 / 1.5, (6, 8)), duration=4 * 60 * 1.5 / 76)
    piece = asked.finished(piece)
    assert piece.timing.bpm == pytest.approx(50)
    assert piece.duration == pytest.approx(2 * 2 * 60 / 50)
    with pytest.raises(InputError, match="tempo must be 20 to 160 beats per minute, not 161"):
        Asked(EventsCodec(), {}, bars=2, meter="6/8", tempo=161)


def test_density_and_key_are_leant_towards(composer):
    for density, key in ((0.5, "Eb major"), (3.0, "A minor")):
        pieces = composer.compose_many(8, bars=8, seed=0, density=density, key=key)
        found = [float(piece.meta["achieved_density"]) for piece in pieces]
        assert np.mean(found) == pytest.approx(density, rel=0.25)
        assert np.mean([piece.meta["achieved_key"] == key for piece in pieces]) >= 0.75
        assert {piece.meta["asked_key"] for piece in pieces} == {key}


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ({"key": "H major"}, "key 'H major' is unknown.*'A minor'"),
        ({"tempo": 1000}, "tempo must be 30 to 240 beats per minute, not 1000"),
        ({"meter": "7/8"}, "meter '7/8' is not known.*the training data held.*3/4, 4/4"),
        ({"density": 0}, "density must be 0.1 to 16 notes per quarter note"),
        ({"polyphony": 17}, "polyphony must be a whole number from 1 to 16, not 17"),
        ({"pitch_range": (70, 60)}, r"pitch_range must be \(lowest, highest\).*not \(70, 60\)"),
        ({"pitch_range": 60}, "pitch_range must be"),
        ({"instrument": "Flut"}, "instrument 'Flut' is unknown.*did you mean flute"),
        ({"instrument": [0, 1, 2]}, "names 3 instruments, this composer has 2"),
        ({"repetition_penalty": -1}, "repetition_penalty must be 0 to 100"),
        ({"tempo": 90, "primer": TUNES[0]}, "tempo cannot be asked for beside a primer"),
    ],
)
def test_what_cannot_be_kept_is_refused(composer, option, reason):
    with pytest.raises(InputError, match=reason):
        composer.compose(bars=1, **option)


def test_a_mode_that_was_never_learnt_is_refused(composer):
    composer.provenance, before = {**composer.provenance, "controls": {"Key": {"C major": 3}}}, composer.provenance
    try:
        with pytest.raises(InputError, match="key 'A minor': the training data held no piece in minor"):
            composer.compose(bars=1, key="a minor")
        assert composer.compose(bars=1, key="Db major").meta["asked_key"] == "Db major"
    finally:
        composer.provenance = before


def test_training_data_gets_keys_and_is_counted(composer):
    assert labelled(WALTZ).meta["key"] == "C major"
    named = WALTZ.replace(meta={"key": "e minor"})
    assert labelled(named) is named
    drums = NoteSequence([(0, 1, 36, 80, 0)], (Track("kit", 0, True),))
    assert labelled(drums) is drums
    assert composer.provenance["controls"]["Meter"] == {"3/4": 1, "4/4": 6}
    assert sum(composer.provenance["controls"]["Key"].values()) == 7
    assert seen_controls(composer.codec, [named])["Key"] == {"E minor": 1}


# ---- primers


def primer_of(bars, *, timing, tracks=TUNES[0].tracks, extra=0.0):
    """A walk in quarter notes over so many bars (a fraction ends inside one)."""
    quarters = bars * timing.meters[0].quarters
    at = [float(timing.quarters_to_seconds(q)) for q in np.arange(0, quarters + 1e-9, 1.0)]
    rows = [(a, b, 60 + 2 * (i % 5), 84, 0) for i, (a, b) in enumerate(itertools.pairwise(at))]
    return NoteSequence(rows, tracks, timing, duration=at[-1] + extra, meta={"title": "walk"})


CHANGING = Timing([0.0, 0.5, 1.0, 1.5, 2.0, 2.75, 3.5, 4.25, 5.0])


@pytest.mark.parametrize(
    ("primer", "begun"),
    [
        (primer_of(2, timing=Timing.regular(120)), 2),
        (primer_of(2.5, timing=Timing.regular(97)), 3),
        (primer_of(2, timing=Timing.regular(90, (3, 4))), 2),
        (primer_of(5 / 3, timing=Timing.regular(90, (3, 4))), 2),
        (primer_of(2, timing=Timing.regular(60, (6, 8))), 2),
        (primer_of(2, timing=CHANGING), 2),
        (primer_of(2, timing=Timing.regular(120), extra=4.0), 4),
        (primer_of(2, timing=Timing.regular(120), tracks=(Track("harp", 46), Track("x", 3))), 2),
    ],
    ids=["4/4", "mid-bar", "3/4", "mid-bar of 3/4", "6/8", "tempo changes", "silent end", "other instruments"],
)
def test_a_primer_is_kept_to_the_note_and_continued_on_its_grid(composer, primer, begun):
    given = len(primer)
    for seed in range(3):
        piece = composer.compose(bars=2, primer=primer, seed=seed)
        np.testing.assert_array_equal(piece.notes[:given], primer.notes)
        assert bars_of(piece) == begun + 2
        assert piece.tracks == primer.tracks
        assert piece.timing == primer.timing
        added = piece.notes[given:]
        assert np.all(added["start"] >= primer.duration - 1e-6)
        steps = 4 * piece.timing.seconds_to_quarters(added["start"])
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
        assert piece.meta["primer"] == "walk"


def test_a_primer_off_the_grid_is_not_moved(composer):
    primer = primer_of(2, timing=Timing.regular(120))
    notes = primer.notes.copy()
    notes["start"] += 0.031
    notes["velocity"] = 77
    primer = primer.replace(notes=notes, duration=4.0)
    piece = composer.compose(bars=1, primer=primer, seed=0)
    np.testing.assert_array_equal(piece.notes[: len(primer)]["start"], primer.notes["start"])
    assert set(piece.notes["velocity"][: len(primer)].tolist()) == {77}


def test_controls_bind_what_follows_a_primer(composer):
    primer = primer_of(2, timing=Timing.regular(120))
    piece = composer.compose(bars=4, primer=primer, seed=0, pitch_range=(80, 90), polyphony=1, key="F major")
    added = piece.notes[piece.notes["start"] >= primer.duration - 1e-6]
    assert 80 <= added["pitch"].min() <= added["pitch"].max() <= 90
    assert most_at_once(added) == 1
    assert piece.meta["achieved_pitch_range"] == f"{added['pitch'].min()} to {added['pitch'].max()}"
    assert piece.meta["achieved_bars"] == "4"


@pytest.mark.parametrize("key", ["C major", "Eb major", "A major"])
def test_a_primer_is_continued_in_its_key(composer, key):
    primer = scale_of(key)
    pieces = [composer.compose(bars=8, primer=primer, seed=seed) for seed in range(8)]
    assert [piece.meta["achieved_key"] for piece in pieces].count(key) >= 4
    assert "asked_key" not in pieces[0].meta


def test_where_no_key_is_asked_for_one_is_drawn_as_the_data_have_them(composer):
    def keys_of(count, seed=0, primer=None, **asked):
        options = {**composer.options, **asked}
        plan = Plan(composer, bars=2, genre=None, primer=primer, seed=seed, options=options)
        told = [composer.codec.names(np.flatnonzero(plan.prompt(n).permitted)) for n in range(count)]
        return [[name.partition("_")[2] for name in names if name.startswith("Key_")] for names in told]

    seen = composer.provenance["controls"]["Key"]
    drawn = keys_of(200)
    assert {len(names) for names in drawn} == {1}, "each piece has one"
    shares = {key: sum(names == [key] for names in drawn) / 200 for key in seen}
    assert sum(shares.values()) == 1
    for key, count in seen.items():
        assert shares[key] == pytest.approx(count / sum(seen.values()), abs=0.12)
    assert drawn[:5] == keys_of(5), "number and seed alone decide"
    assert drawn != keys_of(200, seed=1)
    assert keys_of(3, key="Eb major") == [["Eb major"]] * 3
    assert len(keys_of(1, primer=scale_of("D major"))[0]) == len(KEYS), "a primer brings its own"


def test_keys_are_read_as_musicians_write_them_or_not_at_all():
    written = {"C♯ minor": "Db minor", "B♭ major": "Bb major", " a minor ": "A minor", "e- major": "Eb major"}
    assert {text: key_name(text) for text in written} == written
    for text in ("Cx major", "Dancing minor", "H major", "C", "C  major", "", None):
        assert key_name(text) is None


def test_what_was_asked_for_and_did_not_come_is_told(composer):
    asked = {"key": "B minor", "density": 16, "polyphony": 1, "pitch_range": (60, 60)}
    piece = composer.compose(bars=4, seed=0, **asked)
    assert "key B minor was asked for" in piece.meta["warning"]
    assert "density 16 was asked for" in piece.meta["warning"]
    free = composer.compose(bars=4, seed=0)
    assert free.meta["key"] == free.meta["achieved_key"]


def test_a_primer_is_not_blamed_on_the_composer(composer):
    silent = primer_of(1, timing=Timing.regular(120)).replace(duration=30.0)
    piece = composer.compose(bars=4, primer=silent, seed=1)
    assert "silent" not in piece.meta.get("warning", "")


def test_one_piece_is_no_list_of_pieces():
    for given in (TUNES[0], None, 5):
        with pytest.raises(InputError, match="sequences must be pieces, not one"):
            LSTMComposer(preset="tiny").fit(given)
    assert checked_sequences(type("ByPlace", (), {"__getitem__": lambda _, place: TUNES[:2][place]})()) == TUNES[:2]
    with pytest.raises(InputError, match="codec must be an EventsCodec, not MelodyCodec"):
        LSTMComposer(codec=MelodyCodec())
    for family, program in (("piano", 0), ("Guitar", 24), ("strings", 40)):
        assert Asked(EventsCodec(), {}, bars=2, instrument=family).programs == [program]
    with pytest.raises(InputError, match="instrument True is unknown"):
        Asked(EventsCodec(), {}, bars=2, instrument=True)


def scale_of(key):
    steps = [0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0, 0]
    rows = [(i / 2, i / 2 + 0.5, 60 + KEYS.index(key) + step, 84, 0) for i, step in enumerate(steps)]
    return NoteSequence(rows, TUNES[0].tracks)


def test_a_primer_s_key_is_kept_as_clear_as_it_is_and_no_clearer(composer):
    def guidance(primer, **asked):
        options = {**composer.options, **asked}
        return Plan(composer, bars=2, genre=None, primer=primer, seed=0, options=options).guidance

    clear, chromatic = scale_of("D major"), primer_of(3, timing=Timing.regular(120))
    chromatic = chromatic.replace(notes=NoteSequence([(i, i + 1, 60 + i, 84, 0) for i in range(12)]).notes)
    named = clear.replace(meta={"key": "Ab major"})  # whatever its label says, it does not sound in that key
    lead = key_lead(clear, KEYS.index("D major"))
    assert KEYS[guidance(clear).key] == "D major"
    assert lead > 0.05
    assert guidance(clear).key_lead == pytest.approx(min(KEY_LEAD, lead))
    assert KEYS[guidance(clear, key="F major").key] == "F major"
    assert guidance(clear, key="F major").key_lead == KEY_LEAD
    assert guidance(chromatic).key is guidance(named).key is guidance(None).key is None


def test_a_continuation_tells_nothing_of_how_its_primer_was_composed(composer):
    asked = {"tempo": 90, "temperature": 0.9, "genre": "folk"}
    primer = composer.compose(bars=2, seed=1, **asked)
    primer = primer.replace(meta={"warning": "stuck", "artist": "anon"})
    piece = composer.compose(bars=2, seed=2, primer=primer, genre="march")
    for name in ("asked_tempo", "temperature", "warning"):
        assert name in primer.meta
        assert name not in piece.meta
    assert piece.meta["genre"] == piece.meta["asked_genre"] == piece.meta["achieved_genre"] == "march"
    assert piece.meta["artist"] == "anon"
    assert piece.meta["seed"] == "2"
    assert piece.meta["primer"] == "folk 1"
    assert composer.compose(bars=2, seed=2, primer=primer).meta["genre"] == "folk"


def test_primers_that_do_not_fit_are_refused(composer):
    crowd = primer_of(1, timing=Timing.regular(120), tracks=(Track(),) * 4)
    notes = crowd.notes.copy()
    notes["track"] = 3
    with pytest.raises(InputError, match="the primer uses 4 tracks, this composer knows 2.*leave out or join"):
        composer.compose(bars=1, primer=crowd.replace(notes=notes))
    kit = primer_of(1, timing=Timing.regular(120), tracks=(Track("kit", 0, True),))
    with pytest.raises(InputError, match="track 0 .* percussion, this composer's is pitched.*leave it out"):
        composer.compose(bars=1, primer=kit)
    with pytest.raises(InputError, match="meter 17/4 does not fit"):
        composer.compose(bars=1, primer=primer_of(1, timing=Timing.regular(120, (17, 4))))


def test_progress_counts_new_bars_alone(composer):
    for primer in (None, primer_of(3, timing=Timing.regular(120))):
        done = []
        composer.compose_many(2, bars=2, seed=0, primer=primer, progress=done.append)
        assert sum(done) == 4


# ---- streams


@pytest.mark.parametrize(
    "asked", [{}, {"tempo": 77, "meter": "3/4"}, {"primer": primer_of(1.5, timing=CHANGING)}], ids=str
)
def test_a_stream_is_the_piece_note_by_note(composer, asked):
    piece = composer.compose(bars=4, seed=3, **asked)
    stream = composer.stream(bars=4, seed=3, **asked)
    streamed = list(stream)
    given = len(asked["primer"]) if asked.get("primer") else 0
    expected = np.array([tuple(note) for note in piece.notes[given:].tolist()])
    np.testing.assert_allclose(np.array(streamed), expected, atol=1e-6)
    assert stream.tracks == piece.tracks
    assert stream.seed == 3
    assert stream.real_time_factor == stream.composed_s / stream.worked_s > 0


def test_a_stream_without_end_goes_on(composer):
    stream = composer.stream(seed=0)
    notes = list(itertools.islice(stream, 200))
    assert len(notes) == 200
    assert all(a.start <= b.start for a, b in itertools.pairwise(notes))
    assert notes[-1].end <= stream.composed_s
    with pytest.raises(InputError, match="bars must be a whole number"):
        composer.stream(bars=0)


# ---- what is wrong with a piece


def test_a_stuck_or_silent_piece_is_told_with_its_cause(composer):
    loop = NoteSequence([(i / 2, i / 2 + 0.5, 60, 84, 0) for i in range(32)])
    learnt = {"history": {"loss": [3.0, 2.0, 1.0]}, "notes": 10_000}
    plain = {"dense": False, "sampling": SamplingControls(), "provenance": learnt}
    assert "stated 32 times in a row: such passages may be" in warning(loop, **plain)
    assert "temperature" in warning(loop, **plain | {"sampling": SamplingControls(temperature=0.2)})
    assert "undertrained" in warning(loop, **plain | {"provenance": {"history": {"loss": [3.0, 2.9, 2.9]}}})
    assert "too little data" in warning(loop, **plain | {"provenance": learnt | {"notes": 100}})
    full = plain | {"dense": True}
    assert "too many notes: the composer is undertrained" in warning(loop, **full)
    assert "temperature is too high" in warning(loop, **full | {"sampling": SamplingControls(temperature=2.0)})
    assert warning(TUNES[0], **plain) is None
    silent = TUNES[0].replace(duration=TUNES[0].duration + 10.0)
    assert warning(silent, **plain).startswith("5 bars in a row are silent")


def test_achieved_measures_the_part_asked_for():
    piece = stretch(NoteSequence([(i / 2, i / 2 + 1.0, 60 + 2 * i, 84, 0) for i in range(8)], duration=8.0), 2)
    facts = achieved(piece, 8.0)
    assert facts["bars"] == "2"
    assert facts["density"] == "0"
    assert facts["tempo"] == "60"
    assert achieved(piece)["density"] == "0.5"
    assert achieved(piece)["polyphony"] == "2"
    assert achieved(piece)["pitch_range"] == "60 to 74"
