"""N-gram models against hand counts and a slow dictionary; shuffled and random pieces against what they promise."""

import itertools
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicgen.baselines import SMOOTHINGS, MarkovChain, NGram, random_notes, shuffled_bars
from musicgen.errors import InputError
from musicgen.metrics import describe
from musicgen.notes import NoteSequence, Track
from musicgen.timing import Meter, Timing

BEGIN = "begin"


def test_add_one_by_hand():
    model = NGram(1, 4, smoothing="add-one").fit([[0, 0, 1], [2]])
    assert model.probabilities() == pytest.approx([3 / 8, 2 / 8, 2 / 8, 1 / 8])
    assert model.nll([0, 3]) == pytest.approx(-np.log([3 / 8, 1 / 8]))
    bigrams = NGram(2, 4, smoothing="add-one").fit([[0, 0, 1], [2]])
    assert bigrams.probabilities() == pytest.approx([2 / 6, 1 / 6, 2 / 6, 1 / 6]), "two sequences begin, with 0 and 2"
    assert bigrams.probabilities([3, 0]) == pytest.approx([2 / 6, 2 / 6, 1 / 6, 1 / 6])
    assert bigrams.probabilities([1]) == pytest.approx([0.25] * 4), "nothing was seen after 1"


def test_add_one_of_high_order_uses_the_beginning():
    model = NGram(4, 3, smoothing="add-one").fit([[0, 1, 2], [0, 1, 2], [0, 2]])
    assert model.probabilities() == pytest.approx([4 / 6, 1 / 6, 1 / 6])
    assert model.probabilities([0]) == pytest.approx([1 / 6, 3 / 6, 2 / 6])


def test_witten_bell_by_hand():
    """Unigrams: 0 three times, 1 once, two kinds, so 2/6 goes to uniform. After 0 came 0, 0, 1: 2/5 goes down."""
    model = NGram(2, 5, smoothing="witten-bell").fit([[0, 0, 0, 1]])
    unigrams = np.array([3 / 6, 1 / 6, 0, 0, 0]) + 2 / 6 / 5
    assert model.probabilities([1]) == pytest.approx(unigrams)
    assert model.probabilities([0]) == pytest.approx(np.array([2 / 5, 1 / 5, 0, 0, 0]) + 2 / 5 * unigrams)


def test_kneser_ney_by_hand():
    """Too few counts for estimated discounts: 0.5 from one, 1 from two, 1.5 from more.

    Bigrams: begin 0, 0 1 (three times), 1 0 (twice), 1 2, so 0 was seen after begin and 1, 1 after 0, 2 after 1.
    """
    model = NGram(2, 4).fit([[0, 1, 0, 1, 0, 1, 2]])
    unigrams = np.array([(2 - 1) / 4, 0.5 / 4, 0.5 / 4, 0]) + (1 + 0.5 + 0.5) / 4 / 4
    assert model.probabilities([2]) == pytest.approx(unigrams)
    assert model.probabilities([1]) == pytest.approx(np.array([1 / 3, 0, 0.5 / 3, 0]) + 1.5 / 3 * unigrams)
    assert model.probabilities([0]) == pytest.approx(np.array([0, 1.5 / 3, 0, 0]) + 1.5 / 3 * unigrams)
    assert model.probabilities() == pytest.approx(np.array([0.5, 0, 0, 0]) + 0.5 * unigrams)


class SlowNGram:
    """The same models from their definitions, with dictionaries and recursion."""

    def __init__(self, order, vocab_size, smoothing, sequences):
        self.order, self.vocab_size, self.smoothing = order, vocab_size, smoothing
        raw = Counter()
        for sequence in sequences:
            padded = (BEGIN, *sequence)
            for end, size in itertools.product(range(2, len(padded) + 1), range(1, order + 1)):
                if size <= end:
                    raw[padded[end - size : end]] += 1
        self.counts = {}
        for gram, count in raw.items():
            lefts = {longer[0] for longer in raw if len(longer) == len(gram) + 1 and longer[1:] == gram}
            kept = len(gram) == order or gram[0] == BEGIN or smoothing != "kneser-ney"
            self.counts[gram] = count if kept else len(lefts)
        self.followers = defaultdict(dict)
        for gram, count in self.counts.items():
            self.followers[gram[:-1]][gram[-1]] = count
        self.discounts = {size: self._discounts(size) for size in range(1, order + 1)}

    def _discounts(self, size):
        n = Counter(count for gram, count in self.counts.items() if len(gram) == size)
        try:
            y = n[1] / (n[1] + 2 * n[2])
            found = [i - (i + 1) * y * n[i + 1] / n[i] for i in (1, 2, 3)]
        except ZeroDivisionError:
            return [0.5, 1.0, 1.5]
        usable = n[4] > 0 and all(0 < d <= i for i, d in enumerate(found, 1))
        return found if usable else [0.5, 1.0, 1.5]

    def probability(self, token, history):
        padded = (BEGIN, *history)
        return self._interpolate(token, padded[max(0, len(padded) - self.order + 1) :] if self.order > 1 else ())

    def _interpolate(self, token, context):
        seen = self.followers.get(context)
        if self.smoothing == "add-one":
            seen = seen or {}
            return (seen.get(token, 0) + 1) / (sum(seen.values()) + self.vocab_size)
        shorter = self._interpolate(token, context[1:]) if context else 1 / self.vocab_size
        if not seen:
            return shorter
        total = sum(seen.values())
        if self.smoothing == "witten-bell":
            return (seen.get(token, 0) + len(seen) * shorter) / (total + len(seen))
        discounts = self.discounts[len(context) + 1]
        taken = {follower: discounts[min(count, 3) - 1] for follower, count in seen.items()}
        return (seen.get(token, 0) - taken.get(token, 0) + sum(taken.values()) * shorter) / total


def zipf_tokens(seed, vocab_size, lengths):
    """Skewed sequences with memory, so that counts of counts decline and discounts can be estimated."""
    random = np.random.default_rng(seed)
    weights = 1 / np.arange(1, vocab_size + 1)
    rows = np.stack([random.permutation(weights / weights.sum()) for _ in range(vocab_size)])
    pieces = []
    for length in lengths:
        piece = [0]
        for _ in range(length - 1):
            piece.append(int(random.choice(vocab_size, p=rows[piece[-1]])))
        pieces.append(piece[:length])
    return pieces


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("order", range(1, 6))
def test_agrees_with_the_slow_model(order, smoothing):
    train = zipf_tokens(order, 9, [60, 1, 40, 2, 0, 3])
    model, slow = NGram(order, 10, smoothing=smoothing).fit(train), SlowNGram(order, 10, smoothing, train)
    for piece in [*zipf_tokens(99, 10, [40]), train[0], [9, 9, 9]]:
        expected = [slow.probability(token, piece[:i]) for i, token in enumerate(piece)]
        assert model.nll(piece) == pytest.approx(-np.log(expected), rel=1e-12)


def test_discounts_are_estimated_where_the_counts_allow():
    train = zipf_tokens(5, 40, [1500])
    slow = SlowNGram(2, 40, "kneser-ney", train)
    assert slow.discounts[2] != [0.5, 1.0, 1.5]
    piece = zipf_tokens(6, 40, [60])[0]
    expected = [slow.probability(token, piece[:i]) for i, token in enumerate(piece)]
    assert NGram(2, 40).fit(train).nll(piece) == pytest.approx(-np.log(expected), rel=1e-12)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_every_distribution_is_proper(order, smoothing):
    train = zipf_tokens(1, 30, [3000, 5, 200])
    model = NGram(order, 33, smoothing=smoothing).fit(train)
    random = np.random.default_rng(0)
    seen = [train[0][:end] for end in random.integers(0, 3000, 20)]
    unseen = [random.integers(0, 33, size) for size in (0, 1, 2, 4, 9) for _ in range(5)]
    for context in [*seen, *unseen]:
        probabilities = model.probabilities(context)
        assert abs(probabilities.sum() - 1) < 1e-9
        assert probabilities.min() > 0
        piece = [*context, 7]
        assert -np.log(probabilities[7]) == pytest.approx(model.nll(piece)[-1])


tokens = st.lists(st.integers(0, 3), max_size=12)


@given(train=st.lists(tokens, min_size=1, max_size=5).filter(any), piece=tokens, order=st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_small_and_odd_data_stay_proper(train, piece, order):
    for smoothing in SMOOTHINGS:
        model = NGram(order, 4, smoothing=smoothing).fit(train)
        slow = SlowNGram(order, 4, smoothing, train)
        expected = [slow.probability(token, piece[:i]) for i, token in enumerate(piece)]
        assert np.exp(-model.nll(piece)) == pytest.approx(np.array(expected))
        assert model.probabilities(piece).sum() == pytest.approx(1, abs=1e-12)


def test_higher_orders_help_where_there_is_memory():
    pieces = zipf_tokens(3, 20, [4000, 500])
    mean = {n: NGram(n, 20).fit(pieces[:1]).nll(pieces[1]).mean() for n in (1, 2, 4)}
    assert mean[2] < mean[1] - 0.3
    assert mean[4] < mean[1]


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_sequences_shorter_than_the_order_are_enough(smoothing):
    short, long = (NGram(order, 3, smoothing=smoothing).fit([[0], [1], [0]]) for order in (2, 5))
    assert long.nll([0, 1, 2, 2, 1, 0])[0] == short.nll([0])[0]
    assert long.probabilities([2, 2, 2]).sum() == pytest.approx(1)


def test_large_vocabularies_do_not_overflow():
    vocab_size = 2**31 - 1
    piece = [vocab_size - 1, 0, vocab_size - 2, vocab_size - 1, 0, vocab_size - 2]
    model = NGram(5, vocab_size).fit([piece])
    assert np.all(np.isfinite(model.nll(piece)))
    assert model.nll(piece)[1:].max() < 2


def test_generate_draws_from_the_model():
    model = NGram(2, 3, smoothing="witten-bell").fit([[0, 1, 0, 1, 0, 2, 0, 1]])
    drawn = model.generate(4000, seed=5)
    after_zero = np.bincount(drawn[1:][drawn[:-1] == 0], minlength=3) / np.sum(drawn[:-1] == 0)
    assert after_zero == pytest.approx(model.probabilities([0]), abs=0.03)
    assert np.array_equal(drawn, model.generate(4000, seed=5))
    assert not np.array_equal(drawn, model.generate(4000, seed=6))
    assert len(model.generate(0, seed=5)) == 0


def test_generate_continues_a_context():
    model = NGram(3, 3).fit([[0, 1, 2] * 50])
    assert model.generate(6, seed=0, context=[0, 1]).tolist() == [2, 0, 1, 2, 0, 1]


def test_wrong_arguments_are_refused_with_what_is_allowed():
    with pytest.raises(InputError, match="order must be a whole number from 1 to 5, not 6"):
        NGram(6, 10)
    with pytest.raises(InputError, match=r"vocab_size .* not 0"):
        NGram(2, 0)
    with pytest.raises(InputError, match=r"unknown smoothing 'none' \(use one of kneser-ney, witten-bell, add-one\)"):
        NGram(2, 10, smoothing="none")
    with pytest.raises(InputError, match="call fit first"):
        NGram(2, 10).nll([1])
    with pytest.raises(InputError, match="sequences hold no token"):
        NGram(2, 10).fit([[], []])
    with pytest.raises(InputError, match=r"sequences\[1\] holds token 10 at 2, outside the vocabulary of 10"):
        NGram(2, 10).fit([[1], [0, 9, 10]])
    with pytest.raises(InputError, match="tokens must be a list of whole numbers"):
        NGram(2, 10).fit([[1]]).nll([0.5])
    with pytest.raises(InputError, match="length must be a whole number of at least 0, not -1"):
        NGram(2, 10).fit([[1]]).generate(-1, seed=0)


def bars_of(sequence):
    """The notes of each bar as a sorted list of (position in the bar, quarters, pitch, velocity, track)."""
    timing, notes = sequence.timing, sequence.notes
    bars = timing.bars(sequence.duration)
    start, end = timing.seconds_to_quarters(notes["start"]), timing.seconds_to_quarters(notes["end"])
    bar = np.searchsorted(bars, start + 1e-6, side="right") - 1
    content = [[] for _ in bars]
    for i, b in enumerate(bar):
        content[b].append((round(start[i] - bars[b], 6), round(end[i] - start[i], 6), *notes[i].item()[2:]))
    return [sorted(notes) for notes in content]


@pytest.fixture
def song():
    """A pickup of one beat, six bars of 4/4, three of 3/4, at a tempo that slows down."""
    random = np.random.default_rng(0)
    timing = Timing(np.cumsum(np.linspace(0.4, 0.9, 40)) - 0.4, 1.0, (Meter(1, 4, 4), Meter(25, 3, 4)))
    quarters = np.sort(random.integers(0, 34 * 4, 90)) / 4
    start, end = timing.quarters_to_seconds(quarters), timing.quarters_to_seconds(quarters + 0.25)
    rows = list(
        zip(start, end, random.integers(40, 80, 90), random.integers(1, 128, 90), quarters % 2 > 1, strict=True)
    )
    return NoteSequence(rows, (Track("a"), Track("b", 5)), timing, meta={"title": "song"})


def test_shuffled_bars_keeps_every_bar_and_moves_most(song):
    shuffled = shuffled_bars(song, seed=1)
    before, after = bars_of(song), bars_of(shuffled)
    assert before[0] == after[0], "the pickup stays"
    assert before[1:] != after[1:]
    for bars in (slice(1, 7), slice(7, 10)):
        assert sorted(before[bars]) == sorted(after[bars])
    assert shuffled.timing == song.timing
    assert dict(shuffled.meta) == {"title": "song", "model": "shuffled_bars", "seed": "1"}


def test_shuffled_bars_follows_its_seed(song):
    assert shuffled_bars(song, seed=3) == shuffled_bars(song, seed=3)
    orders = {tuple(shuffled_bars(song, seed=seed).notes["pitch"].tolist()) for seed in range(8)}
    assert len(orders) >= 7


def test_a_long_note_may_lengthen_the_piece():
    rows = [(0.0, 3.5, 60, 80, 0), (2.0, 2.5, 62, 80, 0)]
    shuffled = [shuffled_bars(NoteSequence(rows), seed=seed) for seed in range(6)]
    assert {piece.duration for piece in shuffled} == {3.5, 5.5}
    assert len(shuffled_bars(NoteSequence(duration=9.0), seed=0)) == 0


@pytest.mark.parametrize("resolution", [None, 4])
def test_random_notes_resembles_nothing_but_the_frame(song, resolution):
    noise = random_notes(song, seed=2, resolution=resolution)
    assert len(noise) == len(song)
    assert noise.timing == song.timing
    assert noise.duration == pytest.approx(song.duration, abs=0.25)
    assert song.notes["pitch"].min() <= noise.notes["pitch"].min() <= noise.notes["pitch"].max()
    assert noise.notes["pitch"].max() <= song.notes["pitch"].max()
    assert noise == random_notes(song, seed=2, resolution=resolution)
    assert noise != random_notes(song, seed=3, resolution=resolution)
    off_grid = describe(noise, resolution=4)["off_grid_share"]
    assert off_grid == 0 if resolution else off_grid > 0.5


def test_random_notes_takes_measures_in_place_of_a_piece(song):
    noise = random_notes(describe(song), seed=2)
    assert (len(noise), noise.duration) == (len(song), pytest.approx(song.duration))
    assert noise.timing == Timing.regular()
    lengths = describe(random_notes({**describe(song), "notes": 5000}, seed=0))["mean_note_quarters"]
    assert lengths == pytest.approx(0.25, rel=0.1)


def test_random_notes_are_spread_evenly():
    like = {"notes": 6000, "duration": 60.0, "lowest_pitch": 50, "highest_pitch": 55}
    noise = random_notes({**like, "mean_note_quarters": 0.5, "mean_velocity": 79.6}, seed=4)
    assert np.bincount(noise.notes["pitch"], minlength=56)[50:] / 6000 == pytest.approx([1 / 6] * 6, abs=0.02)
    assert np.histogram(noise.notes["start"], 6, (0, 60))[0] / 6000 == pytest.approx([1 / 6] * 6, abs=0.02)
    assert set(noise.notes["velocity"].tolist()) == {80}


@given(
    count=st.integers(0, 30),
    duration=st.floats(1e-4, 100),
    first=st.floats(0, 3),
    resolution=st.sampled_from([None, 1, 4, 12]),
)
@settings(max_examples=80, deadline=None)
def test_random_notes_are_always_valid(count, duration, first, resolution):
    timing = Timing.regular(97, start=first)
    rows = [(0.0, duration, 60 + i, 80, 0) for i in range(count)]
    noise = random_notes(NoteSequence(rows, timing=timing, duration=duration), seed=count, resolution=resolution)
    assert len(noise) == count


def test_random_notes_refuses_what_says_too_little():
    drums = NoteSequence([(0, 1, 36, 80, 0)], [Track("", 0, True)])
    with pytest.raises(InputError, match="all its tracks are drums"):
        random_notes(drums, seed=0)
    with pytest.raises(InputError, match="like lacks duration, lowest_pitch"):
        random_notes({"notes": 3}, seed=0)
    with pytest.raises(InputError, match="like must be a NoteSequence or a mapping of measures, not int"):
        random_notes(3, seed=0)
    with pytest.raises(InputError, match="resolution must be None or"):
        random_notes(NoteSequence([(0, 1, 36, 80, 0)]), seed=0, resolution=0)
    with pytest.raises(InputError, match="sequence must be a NoteSequence, not int"):
        shuffled_bars(3, seed=0)


# ---- the Markov chain


def test_a_markov_chain_writes_bars_that_the_grammar_allows():
    tunes = [NoteSequence([(0.5 * i, 0.5 * i + 0.5, 60 + (i * k) % 7, 80, 0) for i in range(32)]) for k in (1, 2, 3)]
    chain = MarkovChain(order=3).fit(tunes)
    piece = chain.compose(5, seed=1)
    assert len(piece.timing.bars(piece.duration)) == 5
    assert piece.duration == 10.0
    assert len(piece) > 5
    assert piece == chain.compose(5, seed=1)
    assert piece != chain.compose(5, seed=2)


def test_a_markov_chain_needs_pieces_and_bars():
    with pytest.raises(InputError, match="call fit first"):
        MarkovChain().compose(2, seed=0)
    with pytest.raises(InputError, match="bars must be a whole number of at least 1, not 0"):
        MarkovChain().compose(0, seed=0)
    with pytest.raises(InputError, match="holds no piece"):
        MarkovChain().fit([])
