import numpy as np
import pytest

from mimic_core.command import NamedPositions
from mimic_core.errors import StaleInputError, UnknownNameError
from mimic_sim.trajectory import TrajectoryFollower


def _command(points, times, names=('a', 'b'), stamp=0.0):
    return NamedPositions(tuple(names), np.array(points, dtype=float), np.array(times), stamp)


@pytest.fixture
def follower() -> TrajectoryFollower:
    return TrajectoryFollower(('a', 'b'), np.array([0.0, 1.0]))


def test_holds_without_commands(follower: TrajectoryFollower) -> None:
    np.testing.assert_array_equal(follower.sample(0.0), [0.0, 1.0])
    np.testing.assert_array_equal(follower.sample(1e9), [0.0, 1.0])


def test_goes_in_a_line_from_where_it_is_and_stays(follower: TrajectoryFollower) -> None:
    follower.start(_command([[1.0, 1.0], [1.0, 3.0]], [0.5, 1.0]), 10.0)
    np.testing.assert_allclose(follower.sample(10.25), [0.5, 1.0])
    np.testing.assert_allclose(follower.sample(10.75), [1.0, 2.0])
    np.testing.assert_allclose(follower.sample(12.0), [1.0, 3.0])


def test_a_point_for_now_holds_at_once(follower: TrajectoryFollower) -> None:
    follower.start(_command([[2.0, 2.0]], [0.0]), 5.0)
    np.testing.assert_array_equal(follower.sample(5.0), [2.0, 2.0])


def test_a_new_trajectory_starts_without_a_jump(follower: TrajectoryFollower) -> None:
    follower.start(_command([[1.0, 1.0]], [1.0]), 0.0)
    before = follower.sample(0.4)
    follower.start(_command([[-1.0, 0.0]], [0.1]), 0.4)
    np.testing.assert_allclose(follower.sample(0.4), before)
    np.testing.assert_allclose(follower.sample(0.45), 0.5 * (before + np.array([-1.0, 0.0])))


def test_names_in_any_order_and_unnamed_joints_hold(follower: TrajectoryFollower) -> None:
    follower.start(_command([[5.0, 6.0]], [1.0], ('b', 'a')), 0.0)
    np.testing.assert_allclose(follower.sample(1.0), [6.0, 5.0])
    follower.start(_command([[7.0]], [1.0], ('b',)), 2.0)
    np.testing.assert_allclose(follower.sample(3.0), [6.0, 7.0])


def test_a_stamp_in_the_future_is_waited_for(follower: TrajectoryFollower) -> None:
    follower.start(_command([[1.0, 1.0]], [1.0], stamp=20.0), 10.0)
    np.testing.assert_allclose(follower.sample(19.99), [0.0, 1.0])
    np.testing.assert_allclose(follower.sample(20.5), [0.5, 1.0])
    follower.start(_command([[3.0, 3.0]], [0.0], stamp=40.0), 30.0)
    assert follower.sample(39.0)[0] < follower.sample(40.0)[0] == 3.0


def test_a_trajectory_that_is_over_is_refused(follower: TrajectoryFollower) -> None:
    with pytest.raises(StaleInputError, match='ended 4'):
        follower.start(_command([[1.0, 1.0]], [1.0], stamp=5.0), 10.0)
    np.testing.assert_array_equal(follower.sample(11.0), [0.0, 1.0])


def test_an_unknown_joint_is_named(follower: TrajectoryFollower) -> None:
    with pytest.raises(UnknownNameError, match=r"'c'.*Known: a, b"):
        follower.start(_command([[1.0, 1.0]], [1.0], ('a', 'c')), 0.0)
    np.testing.assert_array_equal(follower.sample(2.0), [0.0, 1.0])
