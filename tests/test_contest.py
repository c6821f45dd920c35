"""The GAN's networks: gradients, binary rolls, and a contest that learns."""

import numpy as np
import pytest

from musicgen.composers.backend import keras, to_numpy
from musicgen.composers.backend.gradients import compile_descent, gradient_of
from musicgen.composers.contest import Contest, likeness, pitch_classes
from musicgen.composers.filling import Maker, _turns
from musicgen.composers.rolls import Critic, Generator, binary, completed, held

ops = keras.ops
pytestmark = pytest.mark.filterwarnings("ignore")
SHAPE = {"bars": 2, "bar_steps": 16, "lines": 2, "keys": 5}


def test_gradients_of_inputs_by_hand():
    values = np.array([[1.0, -2.0], [0.5, 3.0]], np.float32)
    found = gradient_of(lambda x: ops.sum(x**3, axis=1), ops.convert_to_tensor(values))
    np.testing.assert_allclose(to_numpy(found), 3 * values**2, rtol=1e-6)


def test_a_step_moves_its_variables_alone_and_sees_gradients_of_gradients():
    learns, fixed = keras.Variable([2.0, 1.0]), keras.Variable([3.0, 1.0])
    optimizer = keras.optimizers.SGD(0.01)
    optimizer.build([learns])

    def loss(x):
        slope = gradient_of(lambda x: ops.sum(learns * fixed * x**2, axis=-1), x)  # 2 l f x
        return ops.sum(slope**2), {"slope": slope}

    step = compile_descent(loss, [learns], optimizer, [fixed])
    x = np.array([1.0, 2.0], np.float32)
    value, told = step(x)
    np.testing.assert_allclose(to_numpy(told["slope"]), [12, 4])
    assert float(value) == 12**2 + 4**2
    np.testing.assert_allclose(to_numpy(learns.value), [2 - 0.01 * 8 * 2 * 9, 1 - 0.01 * 8 * 4], rtol=1e-6)
    fixed.assign([1.0, 1.0])
    learns.assign([1.0, 1.0])
    assert float(step(x)[0]) == 2**2 + 4**2, "what changes outside is seen"


def test_pitch_classes_of_lines():
    table = pitch_classes([60, 47], 2)
    assert table.shape == (2, 4, 12)
    assert [tuple(map(int, place)) for place in np.argwhere(table)] == [(0, 0, 0), (0, 1, 1), (1, 0, 11), (1, 1, 0)]


def test_fragments_are_alike_where_a_beat_sounds_the_same():
    roll = np.zeros((2, 4, 1, 4), np.float32)  # 2 keys, silence, onset; 2 beats
    roll[0, :, 0, 0] = roll[1, :2, 0, 0] = roll[1, 2, 0, 1] = roll[1, 3, 0, 0] = 1
    assert float(likeness(roll, 2)) == pytest.approx((1 + 0.5) / 2)
    roll[1, :, 0, -1] = 1
    assert float(likeness(roll, 2)) == pytest.approx(0.75), "onsets do not matter"
    assert float(likeness(roll[:1], 2)) == 1


def test_binary_rolls_by_hand():
    pitches = np.full((1, 4, 1, 3), -4.0, np.float32)  # two pitches and silence
    for step, chosen in enumerate([0, 0, 1, 2]):
        pitches[0, step, 0, chosen] = 4.0
    onsets = np.array([-1, 1, -1, 1], np.float32).reshape(1, 4, 1)
    uniform = np.full((1, 4, 1, 2), 0.9999, np.float32)
    nothing, mask = np.zeros((1, 4, 1, 4), np.float32), np.zeros((1, 2, 1), np.float32)

    def roll(neurons):
        return to_numpy(completed(binary(pitches, onsets, uniform, neurons), nothing, mask))[0, :, 0]

    np.testing.assert_allclose(roll("straight-through")[:, :3], np.eye(3)[[0, 0, 1, 2]], atol=1e-6)
    begins = [1, 1, 1, 0]  # begins, again, another pitch; silence has none
    np.testing.assert_allclose(roll("straight-through")[:, 3], begins, atol=1e-6)
    drawn = roll("stochastic")
    np.testing.assert_allclose(drawn[:, :3], np.eye(3)[[2, 2, 2, 2]], atol=1e-6)  # the last quantile is silence
    np.testing.assert_allclose(drawn[:, 3], 0, atol=1e-6)
    uniform[..., 0] = 0.5
    np.testing.assert_allclose(roll("stochastic")[:, 3], [1, 0, 1, 0], atol=1e-6)
    assert 0.5 < roll("threshold")[1, 3] < 1


def test_what_is_given_stays_and_notes_go_on_from_it():
    given, made = (np.zeros((1, 4, 1, 4), np.float32) for _ in range(2))
    given[0, [0, 1], 0, 1], given[0, 0, 0, 3] = 1, 1  # pitch 1 for two steps
    made[0, :, 0, 1], made[0, 1, 0, 3] = 1, 1  # pitch 1 all the time, and an onset where another is given
    mask = np.array([1.0, 0.0], np.float32).reshape(1, 2, 1)
    whole = to_numpy(completed(made, given, mask))[0, :, 0]
    assert whole[:, 1].tolist() == [1, 1, 1, 1]
    assert whole[:, 3].tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("steps", [1, 7, 12, 32])
def test_values_are_held_until_the_next_turn(steps):
    random = np.random.default_rng(steps)
    values, turns = random.random((2, steps, 3, 4), np.float32), (random.random((2, steps, 3, 1)) < 0.4) * 1.0
    turns[0] = random.random((steps, 3, 1))  # shares too
    last, expected = np.zeros((2, 3, 4)), []
    for step in range(steps):
        last = last + turns[:, step] * (values[:, step] - last)
        expected.append(last)
    found = to_numpy(held(values, turns.astype(np.float32)))
    np.testing.assert_allclose(found, np.stack(expected, axis=1), atol=1e-6)


def test_where_notes_are_held_pitches_change_at_onsets_alone():
    made, given = (np.zeros((1, 6, 1, 4), np.float32) for _ in range(2))
    for step, value in enumerate([0, 1, 2, 0, 1, 0]):
        made[0, step, 0, value] = 1  # 2 is silence
    made[0, [2, 4], 0, 3] = 1
    given[0, :2, 0, 1] = given[0, 0, 0, 3] = 1
    nothing, first = np.zeros((1, 3, 1), np.float32), np.array([1.0, 0, 0], np.float32).reshape(1, 3, 1)
    whole = to_numpy(completed(made, given, nothing, hold=True))[0, :, 0]
    assert whole[:, :3].argmax(axis=1).tolist() == [0, 0, 2, 2, 1, 1]
    assert whole[:, 3].tolist() == [1, 0, 0, 0, 1, 0]
    made[0, 2, 0, 3] = 0
    whole = to_numpy(completed(made, given, first, hold=True))[0, :, 0]
    assert whole[:, :3].argmax(axis=1).tolist() == [1, 1, 1, 1, 1, 1], "what is given goes on"
    assert whole[:, 3].tolist() == [1, 0, 0, 0, 1, 0]


@pytest.mark.parametrize("neurons", ["straight-through", "stochastic"])
def test_a_maker_completes_as_the_contest_does(neurons):
    generator = Generator(**SHAPE, genres=0, noise=4, units=8, blocks=1, seed=0)
    random, shape = np.random.default_rng(0), (6, 32, 2)
    tokens = random.integers(0, 6, shape).astype(np.int32), (random.random(shape) < 0.5).astype(np.float32)
    mask = (random.random((6, generator.beats, 2)) < 0.3).astype(np.float32)
    rest = (
        np.zeros((6, 0), np.float32),
        random.standard_normal((6, 4), np.float32),
        random.random((*shape, 2), np.float32),
    )
    pitches, onsets = Maker(generator, neurons, [5, 5], None).make(*tokens, mask, *rest)
    contest = Contest(generator, None, penalty=1.0, neurons=neurons)
    whole = to_numpy(contest._rolls(*tokens, rest[0], mask, *rest[1:])[1])
    assert (whole[..., :-1].argmax(axis=-1) == pitches).all()
    assert ((whole[..., -1] > 0.5) == onsets).all()


def test_drawn_onsets_keep_the_distance_that_the_data_have():
    onsets, kept = np.zeros((2, 8), bool), np.zeros((2, 8), bool)
    onsets[:, [1, 3, 4, 6]] = kept[1, :4] = True
    turns = _turns(onsets.T[None], kept.T[None], 2)[0].T  # two lines
    assert turns[0].tolist() == [0, 0, 0, 3, 3, 3, 6, 6]
    assert turns[1].tolist() == [0, 1, 2, 3, 3, 3, 6, 6]
    assert (_turns(onsets.T[None], kept.T[None], 1)[0].T[0] == [0, 1, 1, 3, 4, 4, 6, 6]).all()


@pytest.fixture(params=["straight-through", "stochastic"])
def contest(request):
    generator = Generator(**SHAPE, genres=2, noise=8, units=16, blocks=1, seed=0)
    critic = Critic(**SHAPE, classes=pitch_classes([60, 48], 5), genres=2, units=16, blocks=1, seed=1)
    contest = Contest(generator, critic, penalty=0.1, neurons=request.param)
    contest.prepare(2e-3)
    return contest


def test_a_contest_learns_what_the_data_have(contest):
    """One line always holds pitch 1, the other is silent but for a note in the genre's own bar."""
    random, shape = np.random.default_rng(0), (16, 32, 2)
    labels = np.eye(2, dtype=np.float32)[np.arange(16) % 2]
    pitches, onsets = np.full(shape, 5, np.int32), np.zeros(shape, np.float32)
    pitches[:, :, 0], onsets[:, 0, 0] = 1, 1
    for row in range(16):
        first = 16 * (row % 2)
        pitches[row, first : first + 16, 1], onsets[row, first, 1] = 3, 1
    mask, maker = contest.generator.no_mask(16), Maker(contest.generator, contest.neurons, [5, 5], None)

    def wrong():
        noise = random.standard_normal((16, 8), np.float32), random.random((*shape, 2), np.float32)
        return np.mean(maker.make(pitches, onsets, mask, labels, *noise)[0] != pitches)

    before = wrong()
    for _ in range(150):
        latents, uniform = random.standard_normal((16, 8), np.float32), random.random((*shape, 2), np.float32)
        told = contest.train_on_batch(pitches, onsets, labels, mask, latents, uniform)
    assert set(told) == {"loss", "lead", "generator"}
    assert before > 0.5
    assert wrong() < 0.2
    live = [to_numpy(variable.value) for variable in contest.generator.trainable_variables]
    with contest.average():
        averages = [to_numpy(variable.value) for variable in contest.generator.trainable_variables]
        assert wrong() < 0.2
    assert any((old != new).any() for old, new in zip(live, averages, strict=True))
    after = [to_numpy(variable.value) for variable in contest.generator.trainable_variables]
    assert all((old == new).all() for old, new in zip(live, after, strict=True))
