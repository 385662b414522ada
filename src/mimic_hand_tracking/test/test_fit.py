"""The fit to pixels and depth, on a hand of capsules whose joints are known."""

import numpy as np
import pytest
from capsule_hand import CAMERA, depth_of, detect, hand, occlude, spoil
from scipy.spatial.transform import Rotation

from mimic_hand_tracking.fit import _cholesky_solve, _rotation, self_occluded
from mimic_hand_tracking.hand_model import EDGES, LENGTHS, NUM_BONES
from mimic_hand_tracking.params import TrackingParams
from mimic_hand_tracking.start import pnp_translation, towards
from mimic_hand_tracking.track import Track
from mimic_hand_tracking.view import look

PARAMS = TrackingParams(hand_length=0.19)


def fitted(joints, depth, rng, *, params=PARAMS, **noise):
    view = look(detect(joints, rng, **noise), CAMERA)
    return Track(1, params).fit(view, depth, CAMERA, 0.0)


def error(fit, joints):
    return np.linalg.norm(fit.joints - joints, axis=1)


def poses(rng, count):
    for _ in range(count):
        turn = Rotation.from_rotvec(rng.normal(0, 0.35, 3))
        position = rng.uniform((-0.1, -0.06, 0.5), (0.1, 0.06, 0.75))
        yield hand(position, turn, rng.uniform(0.0, 0.8, 5))


def test_cholesky_solves():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(63, 63))
    matrix, right = a @ a.T + np.eye(63), rng.normal(size=63)
    solution = right.copy()
    _cholesky_solve(np.tril(matrix), solution)
    np.testing.assert_allclose(matrix @ solution, right, atol=1e-8)


def test_rotation_is_that_between_shape_and_hand():
    joints = hand((0, 0, 0.6), curl=0.5)
    turn = Rotation.from_rotvec((0.2, -0.3, 0.1))
    edges = joints[EDGES[:, 1]] - joints[EDGES[:, 0]]
    lengths = np.linalg.norm(edges, axis=1)
    directions = turn.inv().apply(edges / lengths[:, None])
    found = _rotation(joints, directions, lengths, EDGES, 0.0)
    np.testing.assert_allclose(found, turn.as_matrix(), atol=1e-9)
    pulled = Rotation.from_matrix(_rotation(joints, directions, lengths, EDGES, 0.6))
    assert 0.0 < pulled.magnitude() < turn.magnitude()


def test_towards_turns_the_axis_to_the_ray():
    ray = np.array([0.3, -0.2])
    turned = towards(ray) @ np.array([0.0, 0.0, 1.0])
    np.testing.assert_allclose(turned[:2] / turned[2], ray, atol=1e-12)
    np.testing.assert_allclose(towards(ray) @ towards(ray).T, np.eye(3), atol=1e-12)


def test_pnp_is_exact_on_exact_data():
    joints = hand((0.05, -0.03, 0.7), Rotation.from_rotvec((0.3, 0.5, 0.1)), 0.6)
    rays = (CAMERA.project(joints) - (CAMERA.cx, CAMERA.cy)) / (CAMERA.fx, CAMERA.fy)
    center = joints.mean(axis=0)
    np.testing.assert_allclose(pnp_translation(joints - center, rays), center, atol=1e-9)


def test_joints_with_depth_are_within_millimetres():
    rng = np.random.default_rng(1)
    errors = []
    for joints in poses(rng, 12):
        depth = spoil(depth_of(joints), rng, holes=0.03, flying=0.5)
        fit = fitted(joints, depth, rng)
        assert fit.method == 'depth'
        errors.append(error(fit, joints))
    assert np.mean(errors) < 0.006  # detector noise alone: 1.5 px in two axes are 2 mm


def test_joints_without_depth_by_the_known_size():
    rng = np.random.default_rng(2)
    errors = []
    for joints in poses(rng, 12):
        fit = fitted(joints, None, rng)
        assert fit.method == 'pnp'
        errors.append(error(fit, joints))
    assert np.mean(errors) < 0.03  # 3 % of the distance is 18 mm


@pytest.mark.parametrize('seed', range(4))
def test_hidden_joints_come_from_the_model_not_from_the_occluder(seed):
    rng = np.random.default_rng(seed)
    joints = hand((0.0, 0.0, 0.6), Rotation.from_rotvec(rng.normal(0, 0.2, 3)), 0.3)
    u, v = CAMERA.project(joints[10]).astype(int)
    clean = depth_of(joints)
    hidden_area = (slice(u - 40, u + 25), slice(v - 60, v + 30))
    depth = spoil(occlude(clean, *hidden_area, 0.48), rng, holes=0.03, flying=0.5)
    pixels = np.rint(CAMERA.project(joints)).astype(int)
    hidden = depth[pixels[:, 1], pixels[:, 0]] < 520
    assert 3 <= hidden.sum() <= 12
    fit = fitted(joints, depth, rng)
    per_pixel = CAMERA.deproject(CAMERA.project(joints), depth[pixels[:, 1], pixels[:, 0]] * 1e-3)
    baseline = np.linalg.norm(per_pixel - joints, axis=1)[hidden].mean()
    assert error(fit, joints)[hidden].mean() < 0.25 * baseline
    assert fit.confidence[hidden].mean() < 0.4
    assert fit.confidence[~hidden].mean() > 0.6


def test_depth_of_zeros_is_no_depth():
    rng = np.random.default_rng(3)
    joints = hand((0.0, 0.0, 0.6))
    with_zeros = fitted(joints, np.zeros((480, 640), dtype=np.uint16), np.random.default_rng(3))
    without = fitted(joints, None, rng)
    assert with_zeros.method == 'pnp'
    np.testing.assert_allclose(with_zeros.joints, without.joints, atol=1e-12)


def test_a_finger_before_another_hides_it():
    joints = hand((0.0, 0.0, 0.6), curl=0.0)
    radii = np.full(21, 0.008)
    assert self_occluded(joints, radii, EDGES, NUM_BONES).sum() == 0
    joints[[6, 7, 8]] = joints[[10, 11, 12]] - (0.0, 0.0, 0.03)  # index before middle
    hidden = self_occluded(joints, radii, EDGES, NUM_BONES)
    assert hidden[[11, 12]].all() and not hidden[[6, 7, 8]].any()


def test_same_input_same_output():
    joints = hand((0.0, 0.02, 0.6), curl=0.4)
    depth = depth_of(joints)
    first = fitted(joints, depth, np.random.default_rng(5))
    second = fitted(joints, depth, np.random.default_rng(5))
    assert np.array_equal(first.joints, second.joints)


def test_average_lengths_are_those_of_a_hand_of_length_one():
    assert LENGTHS.shape == (len(EDGES),)
    assert LENGTHS[[8, 9, 10, 11]].sum() == pytest.approx(1.0)
