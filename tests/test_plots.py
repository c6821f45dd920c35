"""Pictures: what is drawn where, and what is written."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicgen import InputError, MissingDependencyError, NoteSequence, Timing, Track
from musicgen.plots import (
    COLOURS,
    LatentMap,
    plot_history,
    plot_interpolation,
    plot_latent_map,
    plot_piece,
    save_figure,
)

pytest.importorskip("matplotlib")

BAND = NoteSequence(
    [
        (0.0, 0.5, 60, 127, 0),
        (0.5, 2.0, 67, 1, 0),
        (1.0, 1.5, 43, 64, 1),
        (0.0, 0.1, 36, 90, 2),
        (1.0, 1.1, 38, 90, 2),
    ],
    [Track("Melody", 0), Track("", 33), Track("", 0, True)],
    Timing.regular(120, (3, 4)),
    meta={"title": "Band"},
)


def note_boxes(ax):
    """Rows (start, bottom, end, top) of the bars drawn, by track."""
    from matplotlib.collections import PolyCollection

    boxes = [c for c in ax.collections if isinstance(c, PolyCollection)]
    return [np.array([path.get_extents().extents for path in c.get_paths()]) for c in boxes]


def y_names(ax):
    return {label.get_text(): y for y, label in zip(ax.get_yticks(), ax.get_yticklabels(), strict=True)}


def line_times(ax):
    """Times of all vertical lines that cross the whole picture."""
    from matplotlib.collections import LineCollection

    drawn = [c for c in ax.collections if isinstance(c, LineCollection) and c.get_transform() != ax.transData]
    lines = [np.array(segment) for c in drawn for segment in c.get_segments()]
    return sorted(line[0, 0] for line in lines if line[0, 1] == 0 and line[1, 1] == 1)


def bar_labels(ax):
    (top,) = ax.child_axes
    return {label.get_text(): x for x, label in zip(top.get_xticks(), top.get_xticklabels(), strict=True)}


def test_notes_lie_at_their_times_and_pitches():
    melody, bass, drums = note_boxes(plot_piece(BAND))
    np.testing.assert_allclose(melody[:, [0, 2]], [[0.0, 0.5], [0.5, 2.0]])
    np.testing.assert_allclose(melody[:, [1, 3]].mean(axis=1), [60, 67])
    np.testing.assert_allclose(bass[:, [1, 3]].mean(axis=1), [43])
    np.testing.assert_allclose(drums[:, 0], [0.0, 1.0])


def test_velocity_is_opacity_and_track_is_colour():
    from matplotlib.colors import to_rgb

    melody, bass, _ = (c.get_facecolors() for c in plot_piece(BAND).collections if hasattr(c, "get_sizes"))
    assert melody[0, 3] == pytest.approx(1.0)
    assert melody[1, 3] == pytest.approx(0.4)
    np.testing.assert_allclose(melody[0, :3], to_rgb(COLOURS[0]))
    np.testing.assert_allclose(bass[0, :3], to_rgb(COLOURS[1]))


def test_colours_differ():
    assert len(set(COLOURS)) == len(COLOURS) >= 12


def test_bars_are_numbered_on_top_and_beats_marked():
    ax = plot_piece(BAND)
    assert bar_labels(ax) == {"bar 1": 0.0, "2": 1.5}
    assert set(np.round(line_times(ax), 6)) == {0.0, 0.5, 1.0, 1.5}


def test_a_pickup_is_bar_zero():
    piece = NoteSequence([(0.0, 4.0, 60, 80, 0)], timing=Timing.regular(120, start=0.5))
    assert bar_labels(plot_piece(piece)) == {"bar 1": 0.5, "2": 2.5}
    shown = NoteSequence([(0.0, 4.0, 60, 80, 0)], timing=Timing.regular(120, start=2.0))
    assert bar_labels(plot_piece(shown)) == {"bar 0": 0.0, "1": 2.0}


def test_a_meter_change_moves_the_bars():
    timing = Timing([0.0, 0.5], 1.0, ((0, 4, 4), (4, 3, 4)))
    piece = NoteSequence([(0.0, 5.0, 60, 80, 0)], timing=timing)
    assert bar_labels(plot_piece(piece)) == {"bar 1": 0.0, "2": 2.0, "3": 3.5}


def test_pitches_are_named_with_c4_at_60():
    names = y_names(plot_piece(NoteSequence([(0, 1, 60, 80, 0), (0, 1, 72, 80, 0)])))
    assert names["C4"] == 60
    assert names["C5"] == 72
    assert names["A4"] == 69


def test_drums_have_named_lanes_below_the_pitches():
    ax = plot_piece(BAND)
    names = y_names(ax)
    drums = note_boxes(ax)[2]
    assert names["Bass Drum 1"] == pytest.approx(drums[0, [1, 3]].mean())
    assert names["Acoustic Snare"] == pytest.approx(drums[1, [1, 3]].mean())
    assert names["Bass Drum 1"] < names["Acoustic Snare"] < 43
    assert ax.get_ylim()[0] < drums[:, 1].min()


def test_drums_alone_show_no_pitches():
    ax = plot_piece(NoteSequence([(0, 1, 35, 80, 0), (0, 1, 12, 80, 0)], [Track("", 0, True)]))
    assert list(y_names(ax)) == ["drum 12", "Acoustic Bass Drum"]


def test_title_and_legend_take_text_as_it_is():
    tracks = [Track("_$x^{", 0), Track("a" * 50, 0), Track("", 40)]
    piece = NoteSequence([(0, 1, 60, 80, i) for i in range(3)], tracks, meta={"title": r"50 $ \alpha_"})
    ax = plot_piece(piece)
    ax.figure.draw_without_rendering()
    assert ax.get_title(loc="left") == r"50 $ \alpha_"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["_$x^{", "a" * 27 + "…", "Violin"]


def test_one_unnamed_track_needs_no_legend():
    assert plot_piece(NoteSequence([(0, 1, 60, 80, 0)])).get_legend() is None


def test_a_region_shows_its_notes_and_bars():
    ax = plot_piece(BAND, start=1.2, end=1.8)
    assert ax.get_xlim() == (1.2, 1.8)
    assert [len(boxes) for boxes in note_boxes(ax)] == [1, 1]
    assert bar_labels(ax) == {"bar 2": 1.5}


@pytest.mark.parametrize(("start", "end"), [(2, 1), (1, 1), (-1, 1), (0, np.inf), (np.nan, 1)])
def test_no_region_is_refused(start, end):
    with pytest.raises(InputError, match="no region"):
        plot_piece(BAND, start=start, end=end)


def test_no_notes_says_so():
    ax = plot_piece(NoteSequence())
    assert [text.get_text() for text in ax.texts] == ["no notes"]
    assert ax.get_xlim() == (0, 2.0)  # one bar
    assert "C4" in y_names(ax)


def test_given_axes_are_drawn_on():
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    assert plot_piece(BAND, ax=ax) is ax
    assert plot_history({"loss": [1.0]}, ax=ax) is ax
    assert BAND.plot(ax=ax) is ax


def test_notebooks_show_figures_as_they_are():
    ax = plot_piece(BAND)
    width, height = (ax.figure.get_size_inches() * ax.figure.dpi).astype(int)
    picture = ax.figure._repr_png_()
    assert picture.startswith(b"\x89PNG")
    assert (int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24])) == (width, height)


def test_pyplot_is_never_loaded():
    code = (
        "import musicgen, sys\n"
        "from musicgen import plots\n"
        "assert 'matplotlib' not in sys.modules\n"
        "plots.plot_history({'loss': [1, 2]}); plots.plot_piece(musicgen.NoteSequence([(0, 1, 60, 80, 0)]))\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split()[-1] == "False"  # other packages may print before


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 300), st.floats(1e-3, 60), st.integers(0, 127), st.integers(0, 14)), max_size=15),
    st.sampled_from([(4, 4), (6, 8), (7, 8), (2, 2)]),
    st.floats(0, 5),
)
def test_any_piece_can_be_drawn(rows, meter, start):
    tracks = [Track("", i, i % 4 == 3) for i in range(15)]
    notes = [(begin, begin + length, pitch, 80, track) for begin, length, pitch, track in rows]
    ax = plot_piece(NoteSequence(notes, tracks, Timing.regular(120, meter, start=start)))
    low, high = ax.get_ylim()
    drawn = [box for boxes in note_boxes(ax) for box in boxes]
    assert len(drawn) == len(rows)
    assert all(low <= bottom and top <= high for _, bottom, _, top in drawn)
    assert len(bar_labels(ax)) <= 24


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_files_begin_as_their_suffix_says_and_repeat(tmp_path, suffix):
    magic = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix]
    first = save_figure(plot_piece(BAND), tmp_path / "new" / f"a{suffix}")
    second = save_figure(plot_piece(BAND).figure, tmp_path / f"b{suffix}")
    assert first.read_bytes().startswith(magic)
    assert first.read_bytes() == second.read_bytes()


def test_a_picture_shows_its_notes(tmp_path):
    image = pytest.importorskip("PIL.Image")
    piece = NoteSequence([(0.0, 1.0, 60, 127, 0)], duration=2.0)
    pixels = np.asarray(image.open(save_figure(plot_piece(piece), tmp_path / "a.png", dpi=50)).convert("RGB")).astype(
        int
    )
    blue = np.abs(pixels - [0x44, 0x77, 0xAA]).sum(axis=2) < 12
    columns = np.flatnonzero(blue.any(axis=0))
    assert 0.4 * pixels.shape[1] < np.ptp(columns) < 0.52 * pixels.shape[1]  # half of the picture's two seconds


def test_many_notes_stay_small_as_vectors(tmp_path):
    rng = np.random.default_rng(0)
    rows = [
        (t, t + 0.1, p, 80, 0) for t, p in zip(rng.uniform(0, 600, 8000), rng.integers(30, 90, 8000), strict=True)
    ]
    assert save_figure(plot_piece(NoteSequence(rows)), tmp_path / "a.svg", dpi=100).stat().st_size < 500_000


def test_an_unknown_suffix_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"'\.bmp' \(use one of \.png, \.svg, \.pdf\)"):
        save_figure(plot_piece(BAND), tmp_path / "a.bmp")
    assert not list(tmp_path.iterdir())


def test_losses_are_drawn_by_epoch():
    ax = plot_history({"loss": [3, 2, 1], "val_loss": [3, 1, 2], "accuracy": [0, 1, 1]})
    lines = {line.get_label(): line for line in ax.get_lines() if not line.get_label().startswith("_")}
    assert list(lines) == ["training loss", "validation loss (best 1, epoch 2)"]
    np.testing.assert_array_equal(lines["training loss"].get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(lines["training loss"].get_ydata(), [3, 2, 1])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")


def test_a_history_object_and_several_losses():
    class History:
        history = {"generator_loss": [1.0, 2.0], "critic_loss": [0.5, 0.1]}

    ax = plot_history(History())
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "training generator loss",
        "training critic loss",
    ]
    assert len({line.get_color() for line in ax.get_lines()}) == 2


def test_a_loss_of_nothing_but_nan_is_drawn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = plot_history({"loss": [np.nan], "val_loss": [np.nan]})
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["training loss", "validation loss"]


@pytest.mark.parametrize("history", [{}, {"accuracy": [1.0]}, {"loss": []}, {"loss": 1.0}])
def test_no_loss_is_refused(history):
    with pytest.raises(InputError, match="loss"):
        plot_history(history)


def test_without_matplotlib_the_line_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'musicgen-midi\[plot\]'"):
        plot_piece(BAND)


STEPS = [BAND, BAND.replace(meta={"distance": "0.25"}), NoteSequence()]


def test_an_interpolation_is_a_strip_and_a_curve():
    figure = plot_interpolation(STEPS, distances=[0.0, 0.5, 0.75])
    *strip, curve = figure.axes
    assert [ax.get_title() for ax in strip] == ["A", "1/2", "B"]
    assert len({ax.get_ylim() for ax in strip}) == 1
    assert curve.lines[0].get_ydata().tolist() == [0.0, 0.5, 0.75]
    assert [label.get_text() for label in curve.get_xticklabels()] == ["A", "1/2", "B"]
    told = [piece.replace(meta={"distance": f"0.{n}"}) for n, piece in enumerate(STEPS)]
    assert plot_interpolation(told).axes[-1].lines[0].get_ydata().tolist() == [0.0, 0.1, 0.2]
    assert len(plot_interpolation(STEPS).axes) == 3, "no distances are known"
    with pytest.raises(InputError, match="at least 2 steps, here 1"):
        plot_interpolation(STEPS[:1])
    with pytest.raises(InputError, match=r"must hold 3 numbers.*not \(2,\)"):
        plot_interpolation(STEPS, distances=[0, 1])


def test_the_ends_of_an_interpolation_have_names():
    figure = plot_interpolation(STEPS, distances=[0.0, 0.5, 0.75], ends=("ode.mid", "a very long name of a file.mid"))
    titles = [ax.get_title() for ax in figure.axes]
    assert titles[:2] == ["A: ode.mid,\nas it came back", "1/2"]
    assert titles[2].startswith("B: a very")
    assert "…" in titles[2]


def test_a_map_shows_pieces_by_genre():
    points = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    pieces = tuple(BAND.replace(meta={"genre": genre}) for genre in ("jazz", "", "jazz"))
    ax = plot_latent_map(LatentMap(points, (0.5, 0.25), pieces, (("waltz", "bars in 3/4"),)))
    assert ax.get_title(loc="left") == "3 pieces; 1 could not be encoded: bars in 3/4"
    assert [spots.get_label() for spots in ax.collections] == ["jazz", "no genre"]
    assert ax.collections[0].get_offsets().tolist() == [[0.0, 1.0], [4.0, 5.0]]
    assert "50 %" in ax.get_xlabel()
