"""Scores: what is written down is read back, and what foreign scores hold is heard."""

import music21
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from music21 import (
    bar,
    chord,
    converter,
    dynamics,
    expressions,
    harmony,
    instrument,
    meter,
    note,
    repeat,
    stream,
    tempo,
)
from strategies import grid_sequences, sequences

from musicgen import InputError, Meter, NoteSequence, Timing, Track
from musicgen.score import estimate_key, from_music21, read_score, to_music21, write_score
from musicgen.score.key import _MAJOR, _MINOR, KEYS
from musicgen.transforms import canonical, transpose


def assert_same(back, piece):
    assert back.tracks == piece.tracks
    rank = [np.lexsort((np.rint(p.notes["start"] * 1e6), p.notes["pitch"], p.notes["track"])) for p in (back, piece)]
    ours, theirs = back.notes[rank[0]], piece.notes[rank[1]]
    for name in ("pitch", "velocity", "track"):
        np.testing.assert_array_equal(ours[name], theirs[name])
    for name in ("start", "end"):
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-6)
    assert [m[1:] for m in back.timing.meters] == [m[1:] for m in piece.timing.meters]
    downbeats = [timing.beats_to_seconds([m.beat for m in timing.meters]) for timing in (back.timing, piece.timing)]
    np.testing.assert_allclose(*downbeats, atol=1e-6)
    assert back.timing.quarters_per_beat == piece.timing.quarters_per_beat
    assert back.timing.bpm == pytest.approx(piece.timing.bpm)


@settings(max_examples=25)
@given(grid_sequences(resolution=4) | grid_sequences(resolution=3, meters=[(4, 4), (3, 4), (6, 8), (2, 4)]))
def test_grid_pieces_there_and_back(piece):
    assert_same(from_music21(to_music21(piece), split_voices=False), piece)


@settings(max_examples=6)
@given(grid_sequences(resolution=4), st.sampled_from([".musicxml", ".xml", ".mxl"]))
def test_grid_pieces_through_files(tmp_path_factory, piece, suffix):
    piece = with_even_chords(piece)
    path = write_score(piece, tmp_path_factory.getbasetemp() / f"piece{suffix}")
    assert_same(read_score(path, split_voices=False), piece)


def test_a_silent_pickup_of_a_whole_rest_stays_short(tmp_path):
    timing = Timing([0.0, 1.0], quarters_per_beat=1.5, meters=[Meter(8 / 3, 12, 8)])
    piece = NoteSequence([(40 / 3, 15, 66, 1, 0)], [Track("Voice 1")], timing=timing, duration=15)
    assert_same(read_score(write_score(piece, tmp_path / "a.musicxml"), split_voices=False), piece)


def with_even_chords(piece):
    """The piece with one velocity for all that starts together: MusicXML by music21 has one for a chord."""
    notes = np.array(piece.notes)
    notes["velocity"] = 1 + np.unique(notes["start"], return_inverse=True)[1] % 127
    return piece.replace(notes=notes)


def test_notes_of_a_written_chord_share_their_velocity(tmp_path):
    piece = NoteSequence([(0, 1, 60, 40, 0), (0, 1, 64, 60, 0), (1, 2, 64, 99, 0)])
    assert read_score(write_score(piece, tmp_path / "a.xml")).notes["velocity"].tolist() == [50, 50, 99]


@settings(max_examples=10)
@given(sequences(max_notes=20, max_s=6.0, max_tracks=3))
def test_any_piece_becomes_a_score_of_full_bars(piece):
    score = to_music21(piece)
    for part in score.parts:
        measures = list(part.getElementsByClass("Measure"))
        for number, measure in enumerate(measures):
            full = measure.barDuration.quarterLength
            assert measure.quarterLength == (full - measure.paddingLeft if number == 0 else full)
    heard = from_music21(score, split_voices=False)
    assert 0 < len(heard) <= len(canonical(piece))


@pytest.mark.parametrize("program", [0, 43, 56, 60, 65, 71])
def test_transposing_instruments_keep_their_pitches(program, tmp_path):
    piece = NoteSequence([(0, 1, 60, 80, 0)], (Track("horn", program),))
    for back in (from_music21(to_music21(piece)), read_score(write_score(piece, tmp_path / "horn.musicxml"))):
        assert back.notes["pitch"].tolist() == [60]
        assert back.tracks[0].program == program


def test_the_score_of_a_swing_has_triplets_where_they_are():
    starts = [0, 2 / 3, 1, 1.5, 2, 2.25]
    piece = NoteSequence([(s / 2, s / 2 + 0.1, 60, 80, 0) for s in starts])
    score = to_music21(piece)
    assert [float(n.getOffsetInHierarchy(score)) for n in score.recurse().notes] == pytest.approx(starts)
    even = to_music21(piece, triplets=False)
    assert [float(n.getOffsetInHierarchy(even)) for n in even.recurse().notes] == [0, 0.75, 1, 1.5, 2, 2.25]
    with pytest.raises(InputError, match="resolution must be 1, 2, 4, 8 or 16"):
        to_music21(piece, resolution=12)


def test_drums_are_written_for_channel_10(tmp_path):
    piece = NoteSequence([(0, 0.5, 36, 80, 0), (0.5, 1, 42, 70, 0)], [Track("Kit", 0, True)])
    path = write_score(piece, tmp_path / "a.musicxml")
    assert "<midi-channel>10</midi-channel>" in path.read_text()
    assert_same(read_score(path), piece)


def test_a_flat_key_is_spelled_with_flats():
    scale = [65, 67, 69, 70, 72, 74, 76, 77, 65]
    score = to_music21(NoteSequence([(k, k + 1, p, 80, 0) for k, p in enumerate(scale)]))
    assert "B-4" in [n.nameWithOctave for n in score.recurse().notes]
    assert score.recurse().getElementsByClass("KeySignature").first().sharps == -1


def test_changing_tempo_gets_marks():
    timing = Timing([0, 0.5, 1.0, 1.5, 2.5, 3.5])
    score = to_music21(NoteSequence([(0, 3.5, 60, 80, 0)], timing=timing))
    marks = [(m.offset, m.number) for m in score.recurse().getElementsByClass(tempo.MetronomeMark)]
    assert marks == [(0, 120), (3, 60)]


def test_what_cannot_be_written_is_refused(tmp_path):
    piece = NoteSequence([(0, 1, 60, 80, 0)])
    with pytest.raises(InputError, match=r"unknown suffix '\.pdf'"):
        write_score(piece, tmp_path / "a.pdf")
    with pytest.raises(InputError, match="without notes") as caught:
        write_score(NoteSequence(), tmp_path / "a.xml")
    assert caught.value.path == tmp_path / "a.xml"
    assert not list(tmp_path.iterdir())


# --- foreign scores -----------------------------------------------------------------------------------------------


def tiny(text):
    return converter.parse(f"tinynotation: {text}")


def test_ties_are_one_note():
    piece = from_music21(tiny("4/4 c4 d2.~ d4 e2."))
    np.testing.assert_allclose(piece.notes["end"] - piece.notes["start"], [0.5, 2.0, 1.5])


def test_without_a_tempo_120_is_assumed_and_said():
    assert from_music21(tiny("4/4 c4")).meta["tempo"] == "120 quarters per minute assumed"


def test_tempo_marks_are_followed():
    part = tiny("4/4 c1 d1")
    part.measure(1).insert(0, tempo.MetronomeMark(number=60))
    part.measure(2).insert(2.0, tempo.MetronomeMark(number=60, referent="half"))
    piece = from_music21(part)
    np.testing.assert_allclose(piece.notes["end"], [4.0, 7.0])
    assert "tempo" not in piece.meta


def test_a_pickup_and_changes_of_meter():
    part = stream.Part()
    for number, (signature, length) in enumerate([("3/4", 1), (None, 3), ("6/8", 3), (None, 3)]):
        measure = stream.Measure(number=number)
        if signature:
            measure.timeSignature = meter.TimeSignature(signature)
        measure.append(note.Note("C4", quarterLength=length))
        part.append(measure)
    assert from_music21(part).timing.meters == (Meter(1, 3, 4), Meter(4, 6, 8))


def test_a_short_bar_inside_restarts_the_count():
    part = stream.Part()
    for number, length in enumerate([4, 3, 4, 4]):
        measure = stream.Measure(number=number)
        measure.append(note.Note("C4", quarterLength=length))
        part.append(measure)
    part.getElementsByClass("Measure")[0].timeSignature = meter.TimeSignature("4/4")
    assert [m.beat for m in from_music21(part).timing.meters] == [0, 7]


def test_repeats_are_played_out():
    part = tiny("3/4 c2. d2. e2.")
    first, second = part.measure(1), part.measure(2)
    first.timeSignature = meter.TimeSignature("3/4")
    first.leftBarline, second.rightBarline = bar.Repeat(direction="start"), bar.Repeat(direction="end")
    piece = from_music21(part)
    assert piece.notes["pitch"].tolist() == [60, 62, 60, 62, 64]
    np.testing.assert_allclose(piece.notes["start"], 1.5 * np.arange(5))
    assert piece.duration == 7.5


def test_da_capo_al_fine_is_played_out():
    part = tiny("4/4 c1 d1 e1")
    part.measure(1).append(repeat.Fine())
    part.measure(3).append(repeat.DaCapoAlFine())
    assert from_music21(part).notes["pitch"].tolist() == [60, 62, 64, 60]


def test_voices_are_kept_apart_or_together():
    measure = stream.Measure(number=1)
    for pitch in ("E5", "C4"):
        voice = stream.Voice()
        voice.append(note.Note(pitch, quarterLength=4))
        measure.insert(0, voice)
    part = stream.Part([measure])
    part.insert(0, instrument.Organ())
    apart = from_music21(part)
    assert [track.name for track in apart.tracks] == ["Organ", "Organ 2"]
    assert apart.notes["track"].tolist() == [0, 1]
    assert len(from_music21(part, split_voices=False).tracks) == 1


def test_chords_graces_dynamics_and_symbols():
    part = stream.Part()
    measure = stream.Measure(number=1)
    measure.insert(0, dynamics.Dynamic("ff"))
    measure.insert(0, harmony.ChordSymbol("Am"))
    measure.append(note.Note("B4", quarterLength=0.5).getGrace())
    measure.append(chord.Chord(["C4", "E4"], quarterLength=2))
    loud = note.Note("G4", quarterLength=2)
    loud.volume.velocity = 33
    loud.expressions.append(expressions.Fermata())
    measure.append(loud)
    part.append(measure)
    piece = from_music21(part)
    assert piece.notes["pitch"].tolist() == [60, 64, 67]
    assert piece.notes["velocity"].tolist() == [108, 108, 33]
    assert piece.meta["grace_notes"] == "1 left out"


def test_transposing_instruments_sound_as_they_do():
    part = stream.Part([instrument.Clarinet(), note.Note("C4")])
    assert from_music21(part).notes["pitch"].tolist() == [58]
    assert from_music21(part).tracks[0].program == 71


def test_unpitched_percussion_is_a_drum_track():
    drum = note.Unpitched(displayName="F4")
    snare = instrument.SnareDrum()
    drum.storedInstrument = snare
    piece = from_music21(stream.Part([instrument.UnpitchedPercussion(), drum]))
    assert piece.tracks[0].drum
    assert piece.notes["pitch"].tolist() == [snare.percMapPitch]


def test_tuplets_keep_their_place():
    part = stream.Part([meter.TimeSignature("2/4")])
    part.append([note.Note("C4", quarterLength=2 / 7) for _ in range(7)])
    np.testing.assert_allclose(from_music21(part).notes["start"], np.arange(7) / 7)


def test_bad_scores_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_score(tmp_path / "none.xml")
    broken = tmp_path / "bad.musicxml"
    broken.write_text("<score-partwise><part>")
    with pytest.raises(InputError, match="cannot be parsed as a score") as caught:
        read_score(broken)
    assert caught.value.path == broken
    with pytest.raises(InputError, match="has no notes"):
        from_music21(stream.Part([note.Rest()]))
    with pytest.raises(InputError, match="holds 2 pieces"):
        from_music21(stream.Opus([stream.Score(), stream.Score()]))


# --- key ----------------------------------------------------------------------------------------------------------


def test_weights_are_those_of_music21():
    weights = music21.analysis.discrete.KrumhanslSchmuckler()
    assert (weights.getWeights("major"), weights.getWeights("minor")) == (_MAJOR, _MINOR)


@pytest.mark.parametrize("tonic", range(12))
def test_scales_have_their_key(tonic):
    major = [0, 4, 7, 0, 2, 4, 5, 7, 9, 11, 12]
    minor = [0, 3, 7, 0, 2, 3, 5, 7, 8, 11, 12]
    for steps, key in ((major, KEYS[tonic]), (minor, KEYS[12 + tonic])):
        rows = [(k, k + 1, 48 + tonic + step, 80, 0) for k, step in enumerate(steps)]
        assert estimate_key(NoteSequence(rows)) == key


def test_drums_have_no_key():
    with pytest.raises(InputError, match="without pitched notes"):
        estimate_key(NoteSequence([(0, 1, 36, 80, 0)], [Track("kit", 0, True)]))


def test_key_follows_transposition_and_ignores_drums():
    rows = [(k, k + 1, 60 + p, 80, 0) for k, p in enumerate([0, 4, 7, 5, 9, 7, 11, 12])] + [(0, 50, 37, 80, 1)]
    piece = NoteSequence(rows, [Track(), Track("kit", 0, True)])
    assert estimate_key(piece) == "C major"
    assert estimate_key(transpose(piece, 3)) == "Eb major"


@pytest.mark.slow
def test_scores_of_real_pieces_there_and_back():
    from musicgen.datasets import load_corpus

    for piece in load_corpus("bach-chorales", limit=40):
        back = from_music21(to_music21(piece, resolution=8), split_voices=False)
        assert abs(len(back) - len(piece)) <= 0
        np.testing.assert_array_equal(np.sort(back.notes["pitch"]), np.sort(piece.notes["pitch"]))


def test_a_first_part_without_measures_is_read_beside_others():
    from music21 import meter, note, stream

    loose, barred = stream.Part(), stream.Part()
    loose.append([meter.TimeSignature("2/4"), note.Note("C3", quarterLength=4)])
    for number in (1, 2):
        barred.append(stream.Measure(number=number))
        barred[-1].append(note.Note("E4", quarterLength=2))
    piece = from_music21(stream.Score([loose, barred]))
    assert sorted(piece.notes[["pitch", "start"]].tolist()) == [(48, 0.0), (64, 0.0), (64, 1.0)]


def test_a_key_is_estimated_among_those_given():
    piece = NoteSequence([(k, k + 1, pitch, 80, 0) for k, pitch in enumerate([60, 64, 67, 72, 64, 69])])
    assert estimate_key(piece) == "C major"
    assert estimate_key(piece, among=["a minor", "c minor"]) == "a minor"
    for among in ([], ["H major"], "C major"):
        with pytest.raises(InputError, match="among must hold names of keys"):
            estimate_key(piece, among=among)
