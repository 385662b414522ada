import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimic_alignment import (
    Actions,
    AlignmentParams,
    Normaliser,
    action_cost,
    align_actions,
    feature_cost,
)
from mimic_core.errors import NotFiniteError, ShapeError


def _actions(seed, size, joints=4):
    rng = np.random.default_rng(seed)
    turns = np.cumsum(rng.normal(0.0, 0.1, (size, 3)), axis=0)
    return Actions(
        np.cumsum(rng.normal(0.0, 0.02, (size, 3)), axis=0),
        Rotation.from_rotvec(turns).as_quat(),
        rng.uniform(0.0, 1.0, (size, joints)),
    )


def test_the_cost_is_the_published_one():
    a, b = _actions(0, 12), _actions(1, 17)
    params = AlignmentParams(hand_weight=0.7, rotation_weight=0.3)
    expected = np.empty((12, 17))
    for i in range(12):
        for j in range(17):
            turn = Rotation.from_quat(a.quat_xyzw[i]).inv() * Rotation.from_quat(b.quat_xyzw[j])
            expected[i, j] = (
                np.abs(a.position[i] - b.position[j]).sum()
                + 0.7 * np.abs(a.hand[i] - b.hand[j]).mean()
                + 0.3 * turn.magnitude()
            )
    np.testing.assert_allclose(action_cost(a, b, params), expected, atol=1e-7)


def test_a_hand_counts_alike_however_many_joints_it_has():
    def opened(joints, share):
        hand = np.full((3, joints), share)
        return Actions(np.zeros((3, 3)), np.tile([0.0, 0.0, 0.0, 1.0], (3, 1)), hand)

    costs = [action_cost(opened(j, 0.0), opened(j, 1.0), AlignmentParams()) for j in (1, 6, 16)]
    np.testing.assert_allclose(costs, 1.0)
    handless = action_cost(opened(0, 0.0), opened(0, 0.0), AlignmentParams())
    np.testing.assert_allclose(handless, 0.0)


@pytest.mark.parametrize('field', ['hand_weight', 'rotation_weight'])
def test_each_weight_counts(field):
    a, b = _actions(0, 5), _actions(1, 5)
    with_it = action_cost(a, b, AlignmentParams(**{field: 2.0}))
    without = action_cost(a, b, AlignmentParams(**{field: 0.0}))
    assert (with_it > without).all()


def test_opposite_quaternions_are_one_rotation():
    a = _actions(2, 6)
    turned = Actions(a.position, -a.quat_xyzw, a.hand)
    cost = action_cost(a, turned, AlignmentParams())
    np.testing.assert_allclose(np.diag(cost), 0.0, atol=1e-3)  # acos is steep at 1


def test_normalised_to_the_unit_interval_and_constants_to_zero():
    a = _actions(0, 30)
    stiff = Actions(a.position, a.quat_xyzw, np.column_stack([a.hand, np.full(30, 0.4)]))
    scaled = Normaliser.fit([stiff]).apply(stiff)
    np.testing.assert_allclose(
        [scaled.position.min(0), scaled.position.max(0)], [[-1] * 3, [1] * 3]
    )
    np.testing.assert_array_equal(scaled.hand[:, -1], 0.0)


def test_what_only_trembles_is_constant_and_what_moves_a_little_is_not():
    """A finger that rests shivers by tenths of a milliradian; blown up to -1..1 it would rule."""
    a = _actions(0, 30)
    rng = np.random.default_rng(1)
    shiver, slight = 0.4 + rng.uniform(-4e-4, 4e-4, 30), np.linspace(0.4, 0.402, 30)
    position = np.column_stack([a.position[:, :2], 0.1 + rng.uniform(-4e-4, 4e-4, 30)])
    resting = Actions(position, a.quat_xyzw, np.column_stack([shiver, slight]))
    scaled = Normaliser.fit([resting]).apply(resting)
    np.testing.assert_array_equal(scaled.position[:, 2], 0.0)
    np.testing.assert_array_equal(scaled.hand[:, 0], 0.0)
    np.testing.assert_allclose(scaled.hand[[0, -1], 1], [-1.0, 1.0])


def test_every_pair_and_any_number_of_threads():
    humans, robots = [_actions(s, 20 + s) for s in range(4)], [_actions(9, 30), _actions(8, 25)]
    one = align_actions(humans, robots, AlignmentParams(workers=1))
    many = align_actions(humans, robots, AlignmentParams(workers=4))
    assert len(one) == 4 and len(one[0]) == 2
    for row, other in zip(one, many, strict=True):
        for a, b in zip(row, other, strict=True):
            np.testing.assert_array_equal(a.path, b.path)
            assert a.cost == b.cost


def test_the_same_motion_at_another_speed_is_found_on_actions():
    a = _actions(3, 60)
    slow = np.repeat(np.arange(60), 2)
    b = Actions(a.position[slow], a.quat_xyzw[slow], a.hand[slow])
    result = align_actions([a], [b], AlignmentParams())[0][0]
    np.testing.assert_array_equal(slow[result.column_of_rows()], np.arange(60))


def test_bad_actions():
    a = _actions(0, 5)
    with pytest.raises(NotFiniteError):
        Actions(np.full((5, 3), np.nan), a.quat_xyzw, a.hand)
    with pytest.raises(ShapeError, match='norm'):
        Actions(a.position, 2.0 * a.quat_xyzw, a.hand)
    with pytest.raises(ShapeError):
        Actions(a.position, a.quat_xyzw[:4], a.hand)
    with pytest.raises(ShapeError, match='retarget the human'):
        action_cost(a, _actions(1, 5, joints=2), AlignmentParams())
    with pytest.raises(ShapeError, match='one dataset, one hand'):
        align_actions([a], [_actions(1, 5, joints=2)], AlignmentParams())
    with pytest.raises(ShapeError, match='no frames'):
        Normaliser.fit([])


def test_features():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(7, 16)), rng.normal(size=(9, 16))
    expected = np.linalg.norm(a[:, None] - b[None], axis=2)
    np.testing.assert_allclose(feature_cost(a, b), expected)
    with pytest.raises(ShapeError):
        feature_cost(a, b[:, :3])
