import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimic_dataset import ConvertParams, EpisodeError, resample


def test_the_grid_has_every_frame_that_fits():
    np.testing.assert_allclose(resample.grid(1.0, 1.5, 10.0), [1.0, 1.1, 1.2, 1.3, 1.4, 1.5])
    assert len(resample.grid(1.0, 0.5, 10.0)) == 0 and len(resample.grid(1.0, 1.0, 10.0)) == 1


def test_the_nearest_is_chosen_and_a_hole_named():
    stamps = np.array([0.0, 0.09, 0.35])
    chosen = resample.nearest(stamps, np.array([0.0, 0.1, 0.2, 0.3]), 0.15, 'x')
    assert chosen.tolist() == [0, 1, 1, 2]
    with pytest.raises(EpisodeError, match=r'camera: nothing within 0.1 s .* of 0.20 s'):
        resample.nearest(stamps, np.array([0.0, 0.1, 0.2]), 0.1, 'camera')
    with pytest.raises(EpisodeError, match='camera: empty'):
        resample.nearest(np.zeros(0), np.zeros(1), 0.1, 'camera')


def test_straight_lines_and_steady_turns_are_exact():
    times, at = np.array([0.0, 0.5, 0.7, 1.0]), np.linspace(-0.2, 1.2, 30)
    inside = np.clip(at, 0.0, 1.0)
    values = resample.linear(times, np.stack([2 * times, 1 - times], axis=1), at)
    np.testing.assert_allclose(values, np.stack([2 * inside, 1 - inside], axis=1))
    axis = np.array([0.6, 0.0, 0.8])
    turned = resample.slerp(times, Rotation.from_rotvec(times[:, None] * axis).as_quat(), at)
    np.testing.assert_allclose(
        Rotation.from_quat(turned).as_rotvec(), inside[:, None] * axis, atol=1e-12
    )
    assert resample.left_out_linear(times, values[:4]) is None  # too few to tell


def test_the_error_of_left_out_samples_is_that_of_the_curve():
    """A parabola with second derivative a, sampled every h, is off by a h^2 / 2 at twice h."""
    h, a = 0.01, 3.0
    times = np.arange(101) * h
    error = resample.left_out_linear(times, 0.5 * a * times[:, None] ** 2)
    assert error.largest == pytest.approx(0.5 * a * h**2, rel=1e-6)
    turning = Rotation.from_rotvec(0.5 * a * times[:, None] ** 2 * np.array([0, 0, 1.0]))
    error = resample.left_out_slerp(times, turning.as_quat())
    assert error.median == pytest.approx(0.5 * a * h**2, rel=1e-4)


def test_what_moves_and_when():
    times = np.arange(50) / 10
    pose, joints = np.zeros((50, 6)), np.zeros((50, 2))
    assert resample.moving(times, pose, joints) is None
    pose[20:, 0] = 0.1
    begin, end = resample.moving(times, pose, joints)
    assert begin == pytest.approx(1.9) and end == pytest.approx(2.0)
    joints[30:, 1] = 0.3
    assert resample.moving(times, pose, joints)[1] == pytest.approx(3.0)


@pytest.mark.parametrize(('way', 'back', 'moves'), [
    (0.004, 0.0, None), (0.006, 0.0, None), (0.0095, 0.0, None), (0.02, 0.0, (2.5, 7.5)),
    (0.006, 0.003, None), (0.02, 0.02, (1.2, 8.8)),
])  # fmt: skip
def test_a_drift_is_no_motion(way, back, moves):
    """It is near its end before it is away from its start."""
    times = np.arange(101) / 10
    pose, joints = np.zeros((101, 6)), np.zeros((101, 2))
    pose[:, 0] = np.interp(times, [0.0, 5.0, 10.0] if back else [0.0, 10.0],
                           [0.0, way, way - back] if back else [0.0, way])  # fmt: skip
    span = resample.moving(times, pose, joints)
    assert span == (None if moves is None else pytest.approx(moves, abs=0.11))
    pose[:, 0] = way * (times > 5.0)  # a step of it is a motion, if it is large enough
    assert resample.moving(times, pose, joints) == (None if way < 0.005 else (5.0, 5.1))


@pytest.mark.parametrize(
    ('idle', 'least', 'left'),
    [(0.5, 3.0, 31), (0.5, 3.1, None), (5.0, 4.0, 41), (0.0, 2.1, None)],
)
def test_an_episode_is_as_long_as_what_is_left_of_it(idle, least, left):
    times = np.arange(41) / 10
    pose = np.tile(np.interp(times, [1.0, 3.0], [0.0, 1.0])[:, None], (1, 6))
    params = ConvertParams(task='t', hand='h', max_idle=idle, min_duration=least)
    if left is None:
        words = (
            r'a bag, commands: .* s are left when \d\.\d0 s of standing still are cut off before '
            rf'and \d\.\d0 s after the motion; {least} s \(min_duration\) are needed'
        )
        with pytest.raises(EpisodeError, match=words):
            resample.without_idle(times, pose, np.zeros((41, 0)), params, 'a bag, commands')
    else:
        kept = resample.without_idle(times, pose, np.zeros((41, 0)), params, 'a bag')
        assert kept.sum() == left
