"""MIDI: what is written is read back within 1 ms, and what cannot be read is refused by name."""

import itertools
import os
import random
import struct
import warnings
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from strategies import seeds, sequences, timings

from musicgen import InputError, Meter, NoteSequence, Timing, Track
from musicgen.midi import from_pretty_midi, read_midi, to_pretty_midi, write_midi
from musicgen.transforms import canonical, fit_timing

MS = 1e-3
TRACK_END = b"\xff\x2f\x00"


def there_and_back(piece, folder):
    return read_midi(write_midi(piece, Path(folder) / "piece.mid"))


def assert_same(back, piece):
    """Notes, tracks, duration, meta and beats of a canonical piece, times within 1 ms."""
    assert back.tracks == piece.tracks
    assert dict(back.meta) == dict(piece.meta)
    assert abs(back.duration - piece.duration) < MS
    assert_same_notes(back.notes, piece.notes)
    assert_same_beats(back.timing, fit_timing(piece.timing, 0.0, piece.duration))


def assert_same_notes(back, notes):
    assert len(back) == len(notes)
    # Within a millisecond two notes may change places in the order of (start, track, pitch).
    rank = [np.lexsort((n["start"], n["pitch"], n["track"])) for n in (back, notes)]
    back, notes = back[rank[0]], notes[rank[1]]
    for name in ("pitch", "velocity", "track"):
        np.testing.assert_array_equal(back[name], notes[name])
    assert max(np.abs(back[name] - notes[name]).max() for name in ("start", "end")) < MS


def assert_same_beats(back, timing):
    count = min(len(back.beats), len(timing.beats))
    assert abs(len(back.beats) - len(timing.beats)) <= 1  # the last one, where the piece ends with a beat
    assert back.quarters_per_beat == timing.quarters_per_beat
    assert np.abs(back.beats[:count] - timing.beats[:count]).max() < MS
    assert [m[1:] for m in back.meters] == [m[1:] for m in timing.meters]
    np.testing.assert_allclose([m.beat for m in back.meters], [m.beat for m in timing.meters], atol=2e-3)


@given(sequences())
def test_what_is_written_is_read_back(tmp_path_factory, piece):
    piece = canonical(piece)
    assert_same(there_and_back(piece, tmp_path_factory.getbasetemp()), piece)


@given(sequences(timing=timings(quarter_s=(0.1, 16.0)) | timings(quarter_s=(0.02, 1.0)), max_s=400.0))
def test_slow_and_fast_tempi_are_read_back(tmp_path_factory, piece):
    piece = canonical(piece)
    assert_same(there_and_back(piece, tmp_path_factory.getbasetemp()), piece)


@settings(max_examples=10)
@given(seeds)
def test_two_hours_of_changing_tempo_do_not_drift(tmp_path_factory, seed):
    generator = np.random.default_rng(seed)
    beats = np.cumsum(generator.uniform(0.2, 1.2, 10_000))
    starts = np.sort(generator.uniform(0, 7200, 5000))
    rows = [(s, s + 0.4, 21 + i % 88, 64, 0) for i, s in enumerate(starts)]
    piece = canonical(NoteSequence(rows, timing=Timing(beats)))
    assert_same(there_and_back(piece, tmp_path_factory.getbasetemp()), piece)


def test_an_even_tempo_of_two_hours_does_not_drift(tmp_path):
    rows = [(7200 - 0.5, 7200.0, 60, 64, 0)]
    piece = NoteSequence(rows, timing=Timing.regular(180))  # 333333.3 microseconds per beat
    back = there_and_back(piece, tmp_path)
    assert_same(back, piece)
    assert abs(back.timing.beats[-1] - 7200) < MS


def test_lengthened_beats_before_a_slow_piece_fit_into_midi(tmp_path):
    timing = Timing([1.9, 18.4, 30.0], 1.0, [Meter(0.0, 4, 4)])
    piece = NoteSequence([(0, 20, 60, 64, 0)], timing=timing)
    assert_same(there_and_back(piece, tmp_path), piece)


def test_an_even_tempo_is_one_tempo_event(tmp_path):
    path = write_midi(NoteSequence([(0, 30, 60, 64, 0)], timing=Timing.regular(180)), tmp_path / "a.mid")
    assert [m.tempo for t in mido.MidiFile(path).tracks for m in t if m.type == "set_tempo"] == [333333]


def test_more_than_16_tracks_of_one_program_stay_apart(tmp_path):
    rows = [(0.1 * k, 1 + 0.1 * k, 60, 64, k) for k in range(40)]
    piece = NoteSequence(rows, [Track("Bb Horn", 60)] * 40)
    assert_same(there_and_back(piece, tmp_path), piece)


def test_drums_are_on_channel_10(tmp_path):
    piece = NoteSequence([(0, 1, 36, 64, 0), (0, 1, 60, 64, 1)], [Track("kit", 0, True), Track("organ", 19)])
    path = write_midi(piece, tmp_path / "a.mid")
    channels = {m.channel for t in mido.MidiFile(path).tracks for m in t if m.type == "note_on" and m.note == 36}
    assert channels == {9}
    assert read_midi(path).tracks == piece.tracks


def test_overlapping_notes_are_written_in_canonical_form(tmp_path):
    piece = NoteSequence([(0, 2, 60, 80, 0), (1, 3, 60, 80, 0)])
    assert there_and_back(piece, tmp_path).notes["end"].tolist() == [1.0, 3.0]


def test_a_file_tells_how_it_was_made(tmp_path):
    meta = {"title": "Nº 1 “é”", "model": "lstm", "seed": "7"}
    piece = NoteSequence([(0, 1, 60, 80, 0)], [Track("Violão 🎸")], meta=meta)
    back = there_and_back(piece, tmp_path)
    assert dict(back.meta) == meta
    assert back.tracks == piece.tracks


def test_a_damaged_marker_is_reported_and_the_music_read(tmp_path):
    path = write_midi(NoteSequence([(0, 1, 60, 80, 0)]), tmp_path / "a.mid")
    path.write_bytes(path.read_bytes().replace(b'"meta"', b'"m\xc3\xa9a"'))
    with pytest.warns(UserWarning, match="marker .* is damaged"):
        assert len(read_midi(path)) == 1


def test_pickup_and_late_first_beat_are_a_short_first_bar(tmp_path):
    timing = Timing([0.37, 0.87, 1.37], 1.0, [Meter(2.0, 4, 4)])
    piece = NoteSequence([(0.1, 0.2, 60, 64, 0), (1.37, 4.0, 62, 64, 0)], timing=timing)
    path = write_midi(piece, tmp_path / "a.mid")
    midi = mido.MidiFile(path)
    places = itertools.accumulate(m.time for m in midi.tracks[0])
    signatures = [(place, m) for place, m in zip(places, midi.tracks[0], strict=True) if m.type == "time_signature"]
    assert [(s.numerator, s.denominator) for _, s in signatures] == [(11, 16), (4, 4)]  # 2 beats and 3/16 of lead
    assert signatures[1][0] == midi.ticks_per_beat * 11 / 4
    assert_same(read_midi(path), piece)


def test_a_short_first_bar_that_is_none_is_no_pickup(tmp_path):
    timing = Timing([0.0, 0.5], 1.0, [Meter(0.0, 3, 4), Meter(3.0, 4, 4)])
    piece = NoteSequence([(0, 8, 60, 64, 0)], timing=timing)
    assert_same(there_and_back(piece, tmp_path), piece)


def test_a_bar_line_between_beats_is_read_back(tmp_path):
    timing = Timing([0.2, 0.7], 1.0, [Meter(-0.25, 7, 8), Meter(3.25, 3, 4)])
    piece = NoteSequence([(0, 8, 60, 64, 0)], timing=timing)
    back = there_and_back(piece, tmp_path)
    assert_same(back, piece)
    assert back.timing.meters == (Meter(-0.25, 7, 8), Meter(3.25, 3, 4))


# --- files of other programs -------------------------------------------------------------------------------------


def varlen(number):
    digits = [number & 127]
    while number := number >> 7:
        digits.insert(0, 128 | number & 127)
    return bytes(digits)


def track_chunk(*events):
    body = b"".join(varlen(delta) + event for delta, event in [*events, (0, TRACK_END)])
    return b"MTrk" + struct.pack(">I", len(body)) + body


def midi_bytes(*chunks, division=480, kind=1, count=None):
    return (
        b"MThd" + struct.pack(">IHHH", 6, kind, len(chunks) if count is None else count, division) + b"".join(chunks)
    )


def on(pitch=60, channel=0):
    return bytes([0x90 | channel, pitch, 64])


def off(pitch=60, channel=0):
    return bytes([0x80 | channel, pitch, 0])


def meter_event(numerator, power):
    return bytes([0xFF, 0x58, 4, numerator, power, 24, 8])


def tempo_event(microseconds):
    return b"\xff\x51\x03" + microseconds.to_bytes(3, "big")


NOTE = [(0, on()), (480, off())]


def read_bytes(tmp_path, data, **options):
    path = tmp_path / "ç 例.mid"
    path.write_bytes(data)
    return read_midi(path, **options)


def test_defaults_are_120_bpm_in_4_4(tmp_path):
    piece = read_bytes(tmp_path, midi_bytes(track_chunk(*NOTE)))
    assert piece.timing == Timing([0.0, 0.5])
    assert piece.notes["end"].tolist() == [0.5]


def test_compound_meters_beat_in_dotted_quarters(tmp_path):
    piece = read_bytes(tmp_path, midi_bytes(track_chunk((0, meter_event(6, 3)), (0, on()), (1440, off()))))
    assert piece.timing.quarters_per_beat == 1.5
    np.testing.assert_allclose(piece.timing.beats, [0, 0.75, 1.5])


def test_mixed_meters_beat_in_quarters(tmp_path):
    events = [(0, meter_event(6, 3)), (0, on()), (2880, meter_event(4, 2)), (1920, off())]
    timing = read_bytes(tmp_path, midi_bytes(track_chunk(*events))).timing
    assert timing.quarters_per_beat == 1
    assert timing.meters == (Meter(0, 6, 8), Meter(6, 4, 4))


def test_foreign_pickup_is_found(tmp_path):
    events = [(0, meter_event(1, 2)), (0, on()), (480, meter_event(4, 2)), (1920, off())]
    assert read_bytes(tmp_path, midi_bytes(track_chunk(*events))).timing.meters == (Meter(1, 4, 4),)


def test_a_change_of_meter_after_several_bars_is_no_pickup(tmp_path):
    events = [(0, meter_event(1, 2)), (0, on()), (960, meter_event(4, 2)), (1920, off())]
    timing = read_bytes(tmp_path, midi_bytes(track_chunk(*events))).timing
    assert timing.meters == (Meter(0, 1, 4), Meter(2, 4, 4))


def test_tempo_changes_inside_a_beat_keep_note_times_exact(tmp_path):
    events = [
        (0, tempo_event(500_000)),
        (0, on()),
        (240, tempo_event(1_000_000)),
        (0, off()),
        (0, on()),
        (240, off()),
    ]
    notes = read_bytes(tmp_path, midi_bytes(track_chunk(*events))).notes
    np.testing.assert_allclose(notes["end"], [0.25, 0.75])


def test_channels_and_programs_become_tracks(tmp_path):
    events = [(0, b"\xc0\x05"), (0, b"\xc1\x06"), (0, on()), (0, on(channel=1)), (480, off()), (0, off(channel=1))]
    assert [t.program for t in read_bytes(tmp_path, midi_bytes(track_chunk(*events), kind=0)).tracks] == [5, 6]


def test_a_marker_beyond_the_last_note_counts_as_silence(tmp_path):
    data = midi_bytes(track_chunk(*NOTE, (480, b"\xff\x06\x03fin")))
    assert read_bytes(tmp_path, data).duration == 1.0


REFUSED = {
    "empty": (b"", "is empty"),
    "no MIDI": (b"RIFF" + bytes(60), "not a MIDI file"),
    "header cut": (midi_bytes()[:10], "truncated"),
    "cut in a track": (midi_bytes(track_chunk(*NOTE))[:-3], "3 bytes are missing"),
    "cut between tracks": (midi_bytes(track_chunk(*NOTE), count=3), "1 of the 3 tracks"),
    "tracks beyond the count": (midi_bytes(track_chunk(*NOTE), track_chunk(*NOTE), count=1), "more tracks"),
    "cut in an event": (midi_bytes(b"MTrk\0\0\0\x02\0\x90"), "cannot be parsed"),
    "format 2": (midi_bytes(track_chunk(*NOTE), kind=2), "format 2"),
    "SMPTE": (midi_bytes(track_chunk(*NOTE), division=0xE728), "SMPTE"),
    "no ticks": (midi_bytes(track_chunk(*NOTE), division=0), "0 ticks per quarter"),
    "no notes": (midi_bytes(track_chunk((0, tempo_event(500_000)))), "has no notes"),
    "no tempo": (midi_bytes(track_chunk((0, tempo_event(0)), *NOTE)), "tempo of 0"),
    "no beats in the bar": (midi_bytes(track_chunk((0, meter_event(0, 2)), *NOTE)), "0 beats in the bar"),
    "too many beats": (
        midi_bytes(track_chunk((0, on()), (0xFFFFFFF, off())), division=1),
        "beats, more than 1,000,000",
    ),
    "hanging": (midi_bytes(track_chunk(*NOTE, (0, on(62)), (0, on(63)))), "2 notes without an end"),
    "hanging repeat": (midi_bytes(track_chunk((0, on()), (480, on()), (480, off()))), "1 notes? without an end"),
    "no length": (midi_bytes(track_chunk(*NOTE, (0, on()), (0, off()))), "1 notes? without length"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_files_are_refused_with_name_reason_and_remedy(tmp_path, name):
    data, reason = REFUSED[name]
    with pytest.raises(InputError, match=reason) as caught:
        read_bytes(tmp_path, data)
    assert caught.value.path == tmp_path / "ç 例.mid"
    assert caught.value.remedy
    assert str(caught.value).startswith(str(tmp_path))


def test_every_cut_of_a_file_is_refused(tmp_path):
    data = midi_bytes(track_chunk(*NOTE), track_chunk(*NOTE))
    for size in range(len(data)):
        with pytest.raises(InputError):
            read_bytes(tmp_path, data[:size])


def test_faulty_notes_are_left_out_on_demand_and_counted(tmp_path):
    data = midi_bytes(track_chunk(*NOTE, (0, on(62)), (0, on(63)), (0, off(63))))
    piece = read_bytes(tmp_path, data, drop_faulty=True)
    assert len(piece) == 1
    assert piece.meta["dropped_notes"] == "2"


def test_missing_files_and_folders_are_refused(tmp_path):
    for path in (tmp_path / "none.mid", tmp_path, "a\0b.mid"):
        with pytest.raises(InputError, match="cannot be read"):
            read_midi(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_files_are_refused(tmp_path):
    path = write_midi(NoteSequence([(0, 1, 60, 80, 0)]), tmp_path / "a.mid")
    path.chmod(0)
    with pytest.raises(InputError, match="cannot be read"):
        read_midi(path)


def test_what_midi_cannot_hold_is_refused(tmp_path):
    note = [(0, 1, 60, 80, 0)]
    unfit = {
        "without notes": NoteSequence(),
        "tempo": NoteSequence(note, timing=Timing([0, 17.0])),
        "denominator": NoteSequence(note, timing=Timing([0, 1.0], 1.0, [Meter(0.0, 4, 256)])),
        "track name": NoteSequence(note, [Track("\ud800")]),
        "beats, more than": NoteSequence([(0, 1e7, 60, 80, 0)], timing=Timing([0, 0.1])),
        "ticks": NoteSequence([(0, 1e5, 60, 80, 0)], timing=Timing([0, 0.2], 16.0)),
    }
    for reason, piece in unfit.items():
        path = tmp_path / "a.mid"
        with pytest.raises(InputError, match=reason) as caught:
            write_midi(piece, path)
        assert caught.value.path == path
        assert not path.exists()


# --- pretty_midi --------------------------------------------------------------------------------------------------


@given(sequences(max_s=20.0))
def test_pretty_midi_there_and_back(piece):
    piece = piece.replace(duration=float(piece.notes["end"].max()))
    back = from_pretty_midi(to_pretty_midi(piece))
    np.testing.assert_array_equal(back.notes, piece.notes)
    assert back.tracks == piece.tracks


def test_pretty_midi_keeps_tempo_and_meters():
    timing = Timing([0.0, 0.5, 1.0, 1.75, 2.5], 1.0, [Meter(0.0, 2, 4), Meter(2.0, 3, 4)])
    piece = NoteSequence([(0, 4.0, 60, 64, 0)], timing=timing)
    midi = to_pretty_midi(piece)
    np.testing.assert_allclose(midi.get_tempo_changes(), [[0, 1], [120, 80]])
    assert [(c.numerator, c.time) for c in midi.time_signature_changes] == [(2, 0), (3, 1)]
    assert_same_beats(from_pretty_midi(midi).timing, Timing(timing.beats, 1.0, [Meter(2.0, 3, 4)]).covering(0, 4))


def test_two_hours_fit_into_pretty_midi():
    piece = NoteSequence([(0, 7200.0, 60, 64, 0)], timing=Timing.regular(180))
    assert to_pretty_midi(piece).get_end_time() == 7200.0


# --- real files ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_mutated_files_raise_input_errors_only(tmp_path):
    generator = random.Random(0)
    chunks = [track_chunk((0, tempo_event(400_000)), (0, meter_event(3, 2)), *NOTE * 9)]
    seed_files = [midi_bytes(*chunks, track_chunk(*NOTE * 5), track_chunk(*NOTE * 5))]
    seed_files.append(
        write_midi(NoteSequence([(k, k + 0.5, 60, 64, 0) for k in range(20)]), tmp_path / "s").read_bytes()
    )
    outcomes = {"read": 0, "refused": 0}
    for _ in range(6000):
        data = mutated(generator, generator.choice(seed_files))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                piece = read_bytes(tmp_path, data)
        except InputError:
            outcomes["refused"] += 1
        else:
            assert len(piece)
            outcomes["read"] += 1
    assert min(outcomes.values()) > 100


def mutated(generator, data):
    data = bytearray(data)
    for _ in range(generator.choice([1, 1, 2, 5, 20])):
        place, kind = generator.randrange(len(data)), generator.random()
        if kind < 0.6:
            data[place] = generator.randrange(256)
        elif kind < 0.8:
            del data[place : place + generator.randrange(1, 5)]
        else:
            data[place:place] = generator.randbytes(generator.randrange(1, 4))
    return bytes(data)
