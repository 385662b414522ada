"""The arm: poses reached, limits kept, position before orientation."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimic_core.errors import ConfigError, NotFiniteError
from mimic_core.frames import BASE, FLANGE
from mimic_description import hand_model, load_robot
from mimic_retargeting import ArmIK

ARMS = ('iiwa14', 'iiwa7', 'panda', 'so101')
DT = 1 / 30


def solver(arm: str, hand: str = 'none') -> ArmIK:
    return ArmIK(load_robot(arm, hand))


@pytest.mark.parametrize('arm', ARMS)
@pytest.mark.parametrize('seed', [0, 1])
def test_random_reachable_poses_are_reached(arm: str, seed: int) -> None:
    robot, ik = load_robot(arm, 'none'), solver(arm)
    rng = np.random.default_rng(seed)
    for _ in range(100):
        pose = ik.pose(rng.uniform(ik.limits.lower, ik.limits.upper))
        result = ik.solve(pose)
        assert result.reached
        assert ik.limits.contains(result.q, 0.0)
        here = robot.fk(result.q, FLANGE, BASE)
        assert np.linalg.norm(here[:3, 3] - pose[:3, 3]) < 1e-4
        assert Rotation.from_matrix(here[:3, :3].T @ pose[:3, :3]).magnitude() < 1e-3


@pytest.mark.parametrize('arm', ARMS)
def test_position_comes_first_when_the_orientation_is_out_of_reach(arm: str) -> None:
    ik, rng, missed = solver(arm), np.random.default_rng(3), 0
    for _ in range(60):
        pose = ik.pose(rng.uniform(ik.limits.lower, ik.limits.upper))
        pose[:3, :3] = Rotation.random(random_state=rng).as_matrix()
        result = ik.solve(pose)
        assert ik.limits.contains(result.q, 0.0)
        assert result.position_error < 1e-3
        missed += not result.reached
    assert missed > 5  # else this tested nothing


@pytest.mark.parametrize('arm', ARMS)
def test_a_pose_out_of_reach_is_approached_and_said_so(arm: str) -> None:
    ik = solver(arm)
    pose = ik.pose(ik.posture)
    pose[:3, 3] = [5.0, 0.0, 0.5]
    result = ik.solve(pose)
    assert not result.reached
    assert ik.limits.contains(result.q, 0.0)
    assert ik.pose(result.q)[0, 3] > ik.pose(ik.posture)[0, 3]


@pytest.mark.parametrize('arm', ARMS)
def test_smooth_paths_are_followed(arm: str) -> None:
    ik, rng, errors = solver(arm), np.random.default_rng(4), []
    span = ik.limits.upper - ik.limits.lower
    for _ in range(5):
        middle = ik.posture + rng.uniform(-0.1, 0.1, len(span))
        size = np.minimum(0.1, 0.1 * span)
        joints = [
            ik.limits.clip(middle + size * np.sin(0.2 * 2 * np.pi * k * DT + np.arange(len(span))))
            for k in range(120)
        ]
        q = joints[0]
        ik.reset((joints[1] - joints[0]) / DT)
        for goal in joints[1:]:
            result = ik.step(q, ik.pose(goal), DT)
            q = result.q
            errors.append(result.position_error)
    assert np.percentile(errors, 99) < 1e-5


@pytest.mark.parametrize('arm', ARMS)
@pytest.mark.parametrize('seed', range(20))
def test_limits_hold_for_any_stream(arm: str, seed: int) -> None:
    ik, rng = solver(arm), np.random.default_rng(seed)
    limits = ik.limits
    q, speed = limits.clip(ik.posture), np.zeros(len(ik.posture))
    pose = ik.pose(q)
    for k in range(80):
        if k % int(rng.integers(1, 12)) == 0:
            pose = pose.copy()
            pose[:3, 3] = rng.normal(size=3) * 10.0 ** rng.uniform(-2, 2)
            pose[:3, :3] = Rotation.random(random_state=rng).as_matrix()
        new = ik.step(q, pose, DT, tool=rng.normal(size=3) * 0.1 if seed % 2 else np.zeros(3)).q
        assert limits.contains(new, 0.0)
        moved = (new - q) / DT
        assert (np.abs(moved) <= limits.max_speed * (1 + 1e-9)).all()
        gain = np.abs(moved - speed) / DT
        assert (gain <= limits.max_acceleration * (1 + 1e-6)).all()
        q, speed = new, moved


@pytest.mark.parametrize('arm', ARMS)
def test_a_target_that_stops_is_met_without_swinging(arm: str) -> None:
    ik = solver(arm)
    q, home = ik.posture, ik.pose(ik.posture)
    errors = []
    for k in range(75):
        pose = home.copy()
        pose[:3, 3] += np.array([-0.5, 0.3, 0.3]) * 0.25 * min(k, 12) * DT
        result = ik.step(q, pose, DT)
        q = result.q
        errors.append(result.position_error)
    assert max(errors[40:]) < 5e-5


def test_a_redundant_arm_drifts_to_its_posture_without_moving_the_hand() -> None:
    ik = solver('iiwa14')
    pose = ik.pose(ik.posture)
    q = ik.solve(pose, ik.posture + np.array([0.6, 0, -0.6, 0, 0.5, 0, 0])).q
    away = np.linalg.norm(q - ik.posture)
    ik.reset()
    for k in range(300):
        result = ik.step(q, pose, DT)
        if k > 15:
            assert result.position_error < 1e-5
            assert np.linalg.norm(result.q - q) <= 0.3 * np.sqrt(7) * DT
        q = result.q
    assert np.linalg.norm(q - ik.posture) < 0.2 * away


def test_stretched_arm_stays_calm() -> None:
    """A target that trembles beyond reach moves the joints little: a singularity is damped."""
    ik, rng = solver('iiwa14'), np.random.default_rng(5)
    pose = ik.pose(ik.posture)
    q = ik.posture
    for k in range(200):
        pose[:3, 3] = [1.5, 0.0, 0.5] + rng.normal(size=3) * 0.001
        new = ik.step(q, pose, DT).q
        if k > 120:
            assert (np.abs(new - q) < 0.03).all()
        q = new


def test_same_input_same_output() -> None:
    results = []
    for _ in range(2):
        ik, rng = solver('panda'), np.random.default_rng(6)
        pose = ik.pose(rng.uniform(ik.limits.lower, ik.limits.upper))
        q = ik.solve(pose).q
        results.append([q, ik.step(ik.posture, pose, DT).q])
    np.testing.assert_array_equal(results[0], results[1])


def test_bad_input_is_refused() -> None:
    ik = solver('iiwa14')
    pose = ik.pose(ik.posture)
    with pytest.raises(NotFiniteError, match='q'):
        ik.step(np.full(7, np.nan), pose, DT)
    with pytest.raises(NotFiniteError, match='target'):
        ik.step(ik.posture, pose * np.nan, DT)
    with pytest.raises(ConfigError, match='dt'):
        ik.step(ik.posture, pose, 0.0)
    with pytest.raises(ConfigError, match='not a pose'):
        ik.solve(2.0 * pose)
    with pytest.raises(ConfigError, match='no arm'):
        ArmIK(hand_model('allegro'))
