import numpy as np
from scipy.spatial.transform import Rotation

from mimic_core.frames import axes_angle
from mimic_rl.environment import resample
from mimic_rl.randomisation import multiply_quat, rotvec_quat
from mimic_rl.rewards import anchor_distance, place_anchors, rotation_matrices, tracking_reward
from mimic_rl.run_folder import axes_anchors


def _poses(rng, count):
    return np.concatenate([rng.normal(size=(count, 3)), Rotation.random(count, rng).as_quat()], 1)


def test_rotations_are_those_of_scipy():
    rng = np.random.default_rng(0)
    quat = Rotation.random(50, rng).as_quat()
    np.testing.assert_allclose(
        rotation_matrices(quat), Rotation.from_quat(quat).as_matrix(), atol=1e-12
    )
    vectors = rng.normal(size=(50, 3))
    vectors[0] = 0.0
    np.testing.assert_allclose(
        rotation_matrices(rotvec_quat(vectors)),
        Rotation.from_rotvec(vectors).as_matrix(),
        atol=1e-12,
    )
    both = multiply_quat(quat[:25], quat[25:])
    wanted = (Rotation.from_quat(quat[:25]) * Rotation.from_quat(quat[25:])).as_matrix()
    np.testing.assert_allclose(rotation_matrices(both), wanted, atol=1e-12)


def test_distance_and_reward():
    rng = np.random.default_rng(1)
    pose, anchors = _poses(rng, 20), axes_anchors()
    here = place_anchors(pose, anchors)
    np.testing.assert_allclose(anchor_distance(here, here), 0.0)
    np.testing.assert_allclose(tracking_reward(np.zeros(3), 10.0), 1.0)
    moved = pose.copy()
    moved[:, 0] += 0.1
    distance = anchor_distance(place_anchors(moved, anchors), here)
    np.testing.assert_allclose(distance, 0.1)
    np.testing.assert_allclose(tracking_reward(distance, 10.0), np.exp(-1.0))
    # A turn of 90° about z moves two of three anchors by 0.2 √2
    turned = pose.copy()
    turned[:, 3:] = multiply_quat(pose[:, 3:], rotvec_quat(np.tile([0, 0, np.pi / 2], (20, 1))))
    distance = anchor_distance(place_anchors(turned, anchors), here)
    np.testing.assert_allclose(distance, 2 / 3 * 0.2 * np.sqrt(2))


def test_a_turn_about_the_axis_of_symmetry_costs_nothing():
    rng = np.random.default_rng(2)
    pose, anchors = _poses(rng, 20), axes_anchors(('z',))
    turned = pose.copy()
    turned[:, 3:] = multiply_quat(pose[:, 3:], rotvec_quat(np.tile([0, 0, 1.2], (20, 1))))
    distance = anchor_distance(place_anchors(turned, anchors), place_anchors(pose, anchors))
    np.testing.assert_allclose(distance, 0.0, atol=1e-12)
    after = rotation_matrices(turned[:, 3:])
    for row, before in enumerate(rotation_matrices(pose[:, 3:])):
        for axes, angle in ((anchors, 0.0), (axes_anchors(), 1.2), (np.zeros((1, 3)), 0.0)):
            found = axes_angle(after[[row]], before, axes)
            np.testing.assert_allclose(found, [angle], atol=1e-6)


def test_resampling_keeps_ends_and_unit_quaternions():
    rng = np.random.default_rng(3)
    turns = rotvec_quat(np.linspace(0, 1, 31)[:, None] * np.array([0, 0, 2.0]))
    turns[10] *= -1.0  # the same rotation
    path = np.concatenate([rng.normal(size=(31, 3)), turns], axis=1)
    same = resample(path, 30.0, 30.0)
    np.testing.assert_allclose(same[:, :3], path[:, :3], atol=1e-12)
    half = resample(path, 30.0, 15.0)
    assert len(half) == 16
    np.testing.assert_allclose(half[:, :3], path[::2, :3], atol=1e-12)
    np.testing.assert_allclose(
        rotation_matrices(half[:, 3:]), rotation_matrices(path[::2, 3:]), atol=1e-6
    )
    double = resample(path, 30.0, 60.0)
    np.testing.assert_allclose(np.linalg.norm(double[:, 3:], axis=1), 1.0)
