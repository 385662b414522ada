"""What the emulated joint_trajectory_controller and its stack do."""

import time

import numpy as np
import pytest

from mimic_core.jtc.emulated import EmulatedStack, StackOptions, TrajectoryController
from mimic_core.jtc.emulated.stack import FriSession
from mimic_core.limits import JointLimits

JOINTS = ('a', 'b')
ONE = np.ones(2)
PERIOD = 0.01


def limits():
    return JointLimits(-2 * ONE, 2 * ONE, 1.5 * ONE, 10 * ONE, 100 * ONE)


def refusal(points, times, names=JOINTS, velocities=None, late=0.0):
    controller = TrajectoryController(JOINTS)
    v = None if velocities is None else np.array(velocities, float)
    return controller.refusal(names, np.array(points, float), np.array(times, float), v, late)


def test_what_it_refuses():
    assert refusal([[0, 0]], [0.1]) == ''
    assert 'do not match' in refusal([[0]], [0.1], names=('a',))
    assert 'strictly increasing' in refusal([[0, 0], [1, 1]], [0.2, 0.2])
    assert 'ended in the past' in refusal([[0, 0]], [0.1], late=0.2)
    assert refusal([[0, 0]], [0.3], late=0.2) == ''
    assert 'velocity of last' in refusal([[0, 0]], [0.1], velocities=[[0.1, 0]])
    assert 'not finite' in refusal([[0, np.nan]], [0.1])


def test_it_goes_straight_to_a_point_in_its_time_and_stays():
    controller = TrajectoryController(JOINTS)
    start = np.array([0.2, -0.2])
    controller.take(('b', 'a'), np.array([[1.0, 0.6]]), np.array([0.4]), None, 0.0, start)
    for k in range(60):
        q = controller.update(k * PERIOD, PERIOD, start)
        share = min((k + 1) * PERIOD / 0.4, 1.0)
        assert q == pytest.approx(start + share * (np.array([0.6, 1.0]) - start), abs=1e-6)


def test_a_cubic_keeps_the_given_velocities():
    controller = TrajectoryController(JOINTS)
    points, speeds = np.array([[0.5, 0.5], [1.0, 1.0]]), np.array([[0.8, 0.8], [0.0, 0.0]])
    controller.take(JOINTS, points, np.array([0.5, 1.0]), speeds, 0.0, np.zeros(2))
    dt = 1e-3  # so small that its acceleration changes no speed by more than the tolerance
    path = np.array([controller.update(k * dt, dt, np.zeros(2)) for k in range(1001)])
    assert path[499] == pytest.approx(0.5, abs=1e-6)
    assert (path[500] - path[498]) / (2 * dt) == pytest.approx(0.8, abs=0.01)
    assert path[-1] == pytest.approx(1.0)


def test_a_stream_of_one_period_is_followed_whatever_the_motors_do():
    """From the measured position, as by default: the set-point is reached within the period."""
    controller = TrajectoryController(JOINTS)
    for k in range(50):
        goal = np.full(2, 0.01 * k)
        controller.take(JOINTS, goal[None], np.array([PERIOD]), None, k * PERIOD, np.zeros(2))
        assert controller.update(k * PERIOD, PERIOD, np.zeros(2)) == pytest.approx(goal)


def test_a_path_tolerance_aborts_and_holds_until_the_next_trajectory():
    controller = TrajectoryController(JOINTS, path_tolerance=0.1)
    controller.take(JOINTS, ONE[None], np.array([1.0]), None, 0.0, np.zeros(2))
    stuck = np.zeros(2)
    path = [controller.update(k * PERIOD, PERIOD, stuck).copy() for k in range(50)]
    assert controller.aborts == 1
    assert path[-1] == pytest.approx(stuck)
    assert np.max(path) < 0.13
    controller.take(JOINTS, 0.05 * ONE[None], np.array([PERIOD]), None, 0.6, stuck)
    assert controller.update(0.6, PERIOD, stuck) == pytest.approx(0.05 * ONE)


def stack(**options):
    return EmulatedStack(JOINTS, limits(), np.zeros(2), 'jtc', StackOptions(**options))


def run(one, seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        one.step()
        time.sleep(PERIOD)


def test_commands_count_only_while_the_controller_is_active():
    one = stack()
    assert one.switch([], ['jtc'])
    one.take(JOINTS, ONE[None], np.array([PERIOD]))
    run(one, 0.05)
    assert list(one.refused) == ['controller is not active']
    assert not one.plant.position.any()
    assert not one.switch(['jtc2'], [])
    assert one.switch(['jtc'], [])
    one.take(JOINTS, 0.1 * ONE[None], np.array([PERIOD]))
    run(one, 0.3)
    assert one.plant.position == pytest.approx(0.1 * ONE, abs=1e-3)


def test_the_guard_refuses_a_leap_and_the_session_falls_back():
    one = stack(has_session=True, guard=1.5)
    one.take(JOINTS, 0.5 * ONE[None], np.array([PERIOD]))
    run(one, 0.03)
    assert one.trips == 1
    assert one.states['jtc'] == 'inactive'
    assert one.session < FriSession.COMMANDING_ACTIVE
    assert not one.switch(['jtc'], []), 'not before the session is back'
    run(one, 0.6)
    assert one.session == FriSession.COMMANDING_ACTIVE
    assert one.switch(['jtc'], [])
    assert np.abs(one.plant.position).max() < 0.01
