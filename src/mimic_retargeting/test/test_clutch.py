"""The clutch: nothing moves when it closes, whatever the two poses are."""

import itertools

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimic_core.errors import ConfigError
from mimic_core.frames import transform
from mimic_retargeting import Clutch


def pose(rng: np.random.Generator) -> np.ndarray:
    return transform(Rotation.random(random_state=rng).as_matrix(), rng.normal(size=3))


@pytest.mark.parametrize('mode', ['relative', 'absolute'])
@pytest.mark.parametrize('seed', range(20))
def test_nothing_moves_when_it_closes(mode: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    clutch = Clutch(mode, scale=float(rng.uniform(0.2, 3)), centre=rng.normal(size=3))
    hand, robot = pose(rng), pose(rng)
    clutch.engage(hand, robot, 7.0)
    np.testing.assert_allclose(clutch.target(hand, 7.0), robot, atol=1e-12)


def test_relative_makes_the_changes_of_the_hand() -> None:
    rng = np.random.default_rng(0)
    clutch = Clutch('relative', scale=0.5)
    hand, robot = pose(rng), pose(rng)
    clutch.engage(hand, robot, 0.0)
    turn = Rotation.from_rotvec([0.1, -0.2, 0.3]).as_matrix()
    moved = transform(turn @ hand[:3, :3], hand[:3, 3] + [0.1, 0.2, -0.3])
    target = clutch.target(moved, 5.0)
    np.testing.assert_allclose(target[:3, 3], robot[:3, 3] + [0.05, 0.1, -0.15], atol=1e-12)
    np.testing.assert_allclose(target[:3, :3], turn @ robot[:3, :3], atol=1e-12)


@pytest.mark.parametrize('seed', range(10))
def test_absolute_gets_there_smoothly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    clutch = Clutch('absolute', min_duration=1.0, speed=0.25)
    hand, robot = pose(rng), pose(rng)
    clutch.engage(hand, robot, 0.0)
    step, path = 1 / 30, []
    for k in range(2000):
        path.append(clutch.target(hand, k * step))
        if clutch.progress(k * step) >= 1.0:
            break
    np.testing.assert_allclose(path[-1], hand, atol=1e-9)
    places = np.array([p[:3, 3] for p in path])
    speed = np.linalg.norm(np.diff(places, axis=0), axis=1) / step
    assert speed.max() < 1.875 * 0.25 + 1e-6  # peak over mean of a minimum-jerk motion
    assert speed[0] < 0.02
    turns = [
        Rotation.from_matrix(a[:3, :3].T @ b[:3, :3]).magnitude()
        for a, b in itertools.pairwise(path)
    ]
    assert max(turns) < 4 * 1.875 * 0.25 * step + 1e-6


def test_absolute_follows_a_moving_hand_on_the_way() -> None:
    clutch = Clutch('absolute', min_duration=1.0)
    clutch.engage(np.eye(4), transform(np.eye(3), np.array([0.1, 0, 0])), 0.0)
    for k in range(100):
        hand = transform(np.eye(3), np.array([0.0, 0.3 * k / 30, 0.0]))
        target = clutch.target(hand, k / 30)
        np.testing.assert_allclose(target[1, 3], hand[1, 3], atol=1e-12)
    np.testing.assert_allclose(target, hand, atol=1e-12)


def test_scale_about_the_centre() -> None:
    clutch = Clutch('absolute', scale=2.0, centre=np.array([1.0, 0, 0]), min_duration=0.0)
    hand = transform(np.eye(3), np.array([1.1, 0.2, 0]))
    clutch.engage(hand, hand, 0.0)
    np.testing.assert_allclose(clutch.target(hand, 60.0)[:3, 3], [1.2, 0.4, 0])


def test_open_clutch_has_no_target() -> None:
    clutch = Clutch('relative')
    with pytest.raises(ConfigError, match='open'):
        clutch.target(np.eye(4), 0.0)
    clutch.engage(np.eye(4), np.eye(4), 0.0)
    clutch.disengage()
    assert not clutch.engaged
    with pytest.raises(ConfigError, match='scale'):
        Clutch('relative', scale=0.0)
