import numpy as np
import pytest

from mimic_core.command import NamedPositions
from mimic_core.driver import Follower
from mimic_core.errors import StaleInputError, UnknownNameError

JOINTS = ('a', 'b', 'c')


def _command(names, points, times, velocities=None, stamp=0.0):
    points = np.array(points, float)
    return NamedPositions(tuple(names), points, np.array(times, float), stamp, velocities)


@pytest.fixture
def follower():
    follower = Follower(JOINTS)
    follower.reset(np.array([0.1, 0.2, 0.3]))
    return follower


def test_rests_where_it_was_reset(follower):
    position, velocity = follower.sample(5.0)
    np.testing.assert_array_equal(position, [0.1, 0.2, 0.3])
    np.testing.assert_array_equal(velocity, 0.0)


def test_straight_lines_between_points(follower):
    follower.follow(_command(JOINTS, [[1.1, 0.2, 0.3], [1.1, 2.2, 0.3]], [1.0, 2.0]), now=10.0)
    np.testing.assert_allclose(follower.sample(10.5)[0], [0.6, 0.2, 0.3])
    np.testing.assert_allclose(follower.sample(10.5)[1], [1.0, 0.0, 0.0])
    np.testing.assert_allclose(follower.sample(11.5)[0], [1.1, 1.2, 0.3])
    np.testing.assert_allclose(follower.sample(99.0)[0], [1.1, 2.2, 0.3])
    np.testing.assert_allclose(follower.sample(99.0)[1], 0.0)


def test_a_cubic_keeps_position_and_velocity_at_its_points(follower):
    velocities = np.array([[0.5, 0.0, -0.5], [0.0, 0.0, 0.0]])
    points = [[1.0, 0.2, 0.0], [1.2, 0.2, -0.2]]
    follower.follow(_command(JOINTS, points, [1.0, 2.0], velocities), now=0.0)
    np.testing.assert_allclose(follower.sample(1.0 - 1e-9)[1], velocities[0], atol=1e-6)
    np.testing.assert_allclose(follower.sample(1.0 + 1e-9)[1], velocities[0], atol=1e-6)
    np.testing.assert_allclose(follower.sample(1.0)[0], points[0])
    for now in np.linspace(0.05, 1.95, 20):  # the velocity is that of the position
        step = 1e-6
        slope = (follower.sample(now + step)[0] - follower.sample(now - step)[0]) / (2 * step)
        np.testing.assert_allclose(follower.sample(now)[1], slope, atol=1e-6)


def test_a_new_command_begins_where_the_last_one_is(follower):
    follower.follow(_command(JOINTS, [[1.1, 0.2, 0.3]], [1.0]), now=0.0)
    before = follower.sample(0.4)[0]
    follower.follow(_command(JOINTS, [[-1.0, 0.2, 0.3]], [1.0]), now=0.4)
    np.testing.assert_allclose(follower.sample(0.4)[0], before)
    np.testing.assert_allclose(follower.sample(1.4)[0], [-1.0, 0.2, 0.3])


def test_two_streams_each_own_their_joints(follower):
    follower.follow(_command(['a', 'b'], [[1.0, 1.0]], [1.0]), now=0.0)
    follower.follow(_command(['c'], [[2.0]], [0.5]), now=0.2)
    np.testing.assert_allclose(follower.sample(5.0)[0], [1.0, 1.0, 2.0])
    follower.follow(_command(['b'], [[0.0]], [0.1]), now=6.0)
    np.testing.assert_allclose(follower.sample(7.0)[0], [1.0, 0.0, 2.0])
    for i in range(50):  # old commands do not pile up
        follower.follow(_command(['a', 'b'], [[i, i]], [0.1]), now=7.0 + i)
    assert len(follower._tracks) <= 2


def test_waits_for_a_start_in_the_future(follower):
    follower.follow(_command(JOINTS, [[1.1, 0.2, 0.3]], [1.0], stamp=20.0), now=18.0)
    np.testing.assert_allclose(follower.sample(19.9)[0], [0.1, 0.2, 0.3])
    np.testing.assert_allclose(follower.sample(20.5)[0], [0.6, 0.2, 0.3])


def test_waits_where_it_is_however_fast_it_came(follower):
    command = _command(JOINTS, [[1.1, 0.2, 0.3]], [1.0])
    moving = NamedPositions(JOINTS, command.points, command.times, 0.0, np.full((1, 3), 1.0))
    follower.follow(moving, now=10.0)
    here = follower.sample(10.9)[0]
    later = NamedPositions(JOINTS, command.points, command.times, 20.0, np.zeros((1, 3)))
    follower.follow(later, now=10.9)
    for now in (11.0, 13.0, 17.0, 19.9):
        np.testing.assert_allclose(follower.sample(now)[0], here)


def test_joins_a_trajectory_that_began(follower):
    points = [[5.0, 0.2, 0.3], [1.1, 0.2, 0.3]]
    follower.follow(_command(JOINTS, points, [1.0, 3.0], stamp=20.0), now=22.0)
    np.testing.assert_allclose(follower.sample(22.5)[0], [0.6, 0.2, 0.3])  # not to the first point


def test_a_point_without_time_is_reached_at_once(follower):
    follower.follow(NamedPositions.single(JOINTS, np.ones(3)), now=1.0)
    np.testing.assert_allclose(follower.sample(1.0)[0], 1.0)


def test_refuses_what_is_over_and_what_is_unknown(follower):
    with pytest.raises(StaleInputError, match=r'ended 4\.000 s ago'):
        follower.follow(_command(JOINTS, [[0, 0, 0]], [1.0], stamp=5.0), now=10.0)
    with pytest.raises(UnknownNameError, match="unknown joint 'd'"):
        follower.follow(_command(['d'], [[0]], [1.0]), now=10.0)
