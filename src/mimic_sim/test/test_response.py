"""The twin's joints answer as a file says."""

import numpy as np
import pytest

from mimic_core.command import NamedPositions
from mimic_core.errors import ConfigError, UnknownNameError
from mimic_description import load_robot
from mimic_description.mujoco_model import NATURAL_FREQUENCY
from mimic_description.response import JointResponse, save_responses
from mimic_sim.pacing import Pacer
from mimic_sim.response import ResponseFilter
from mimic_sim.runner import TwinRunner
from mimic_sim.trajectory import TrajectoryFollower
from mimic_sim.twin import Twin
from mimic_sim.twin_params import TwinNodeParams, TwinParams

STEP = 0.002


@pytest.fixture(scope='module')
def robot():
    return load_robot('iiwa14', 'robotiq_2f85')


def twin_with(robot, tmp_path, **responses) -> Twin:
    path = tmp_path / 'response.yaml'
    save_responses(path, responses)
    return Twin(robot, params=TwinParams(response=str(path)))


def ramp(twin: Twin, joint: int, speed: float, seconds: float) -> np.ndarray:
    """Return (T, 2) targets and positions of a joint that is commanded along a ramp."""
    q, rows = twin.robot.home.copy(), []
    for number in range(1, round(seconds / STEP) + 1):
        q[joint] = twin.robot.home[joint] + speed * number * STEP
        twin.command(q)
        twin.step(STEP)
        rows.append((q[joint], twin.joint_state()[0][joint]))
    return np.array(rows)


@pytest.mark.parametrize(
    'response',
    [
        JointResponse(0.04, 2, 0.03, 0.7),
        JointResponse(0.03, 1, 0.05),
        JointResponse(0.1),
        JointResponse(0.03, 2, 0.006, 1.0),
    ],
)
def test_a_ramp_is_followed_behind_by_the_lag(robot, tmp_path, response):
    twin = twin_with(robot, tmp_path, iiwa_joint_1=response)
    rows = ramp(twin, 0, 0.3, 1.0)
    lag = (rows[-1, 0] - rows[-1, 1]) / 0.3
    assert lag == pytest.approx(response.lag, abs=0.0005)
    others = twin.joint_state()[0][1:] - robot.home[1:]
    assert np.abs(others).max() < 0.01


def test_delay_gain_offset_and_backlash(robot, tmp_path):
    response = JointResponse(0.1, 1, 0.02, 1.0, 0.9, 0.05, 0.04)
    home = float(robot.home[3])
    twin = twin_with(robot, tmp_path, iiwa_joint_4=response)
    q = robot.home.copy()
    begin = q[3] = response.inverse(home)  # the command that rests at home
    moved = []
    for number in range(1000):
        q[3] = begin + 0.2 * min(max(number * STEP - 0.5, 0.0), 1.0)
        twin.command(q)
        twin.step(STEP)
        moved.append(twin.joint_state()[0][3] - home)
    started = np.flatnonzero(np.abs(moved) > 1e-3)[0] * STEP
    # The play is first in its middle, then the joint is pushed by one side.
    assert started == pytest.approx(0.5 + 0.1 + 0.02 / 0.2 + 0.02, abs=0.02)
    assert moved[-1] == pytest.approx(0.9 * (0.2 - 0.02), abs=1e-3)


def test_without_a_file_nothing_changes(robot, tmp_path):
    plain, ideal = Twin(robot), twin_with(robot, tmp_path)
    assert not plain.responds and ideal.responds
    target = robot.home + 0.05
    plain.command(target)
    for twin in (plain, ideal):
        twin.command(target)
        twin.step(1.0)
    np.testing.assert_allclose(plain.joint_state()[0], ideal.joint_state()[0], atol=2e-3)


def test_the_same_commands_give_the_same_states(robot, tmp_path):
    twin = twin_with(robot, tmp_path, iiwa_joint_1=JointResponse(0.03, 2, 0.02, 0.6, 1, 0, 0.01))
    first = ramp(twin, 0, 0.5, 0.4)
    twin.reset(0)
    np.testing.assert_array_equal(ramp(twin, 0, 0.5, 0.4), first)


def test_a_file_of_another_robot_or_a_broken_one_is_refused(robot, tmp_path):
    with pytest.raises(UnknownNameError, match='panda_joint1'):
        twin_with(robot, tmp_path, panda_joint1=JointResponse())
    with pytest.raises(ConfigError, match='cannot be read'):
        Twin(robot, params=TwinParams(response=str(tmp_path / 'none.yaml')))


def test_the_filter_is_stable_for_every_response():
    rng = np.random.default_rng(0)
    responses = [
        JointResponse(
            float(rng.uniform(-0.05, 0.5)), 2, float(np.exp(rng.uniform(-9, -2))),
            float(np.exp(rng.uniform(-1, 1))), backlash=float(rng.uniform(0, 0.1)),
        )
        for _ in range(50)
    ]  # fmt: skip
    joints = ResponseFilter(responses, STEP, NATURAL_FREQUENCY)
    joints.reset(np.zeros(50))
    for _ in range(5000):
        out = joints.step(np.ones(50))
    assert np.isfinite(out).all()
    half = 0.5 * np.array([r.backlash for r in responses])
    assert (np.abs(out - 1.0) <= half + 2e-3).all()


def test_a_command_counts_when_it_comes(robot, tmp_path):
    path = tmp_path / 'response.yaml'
    save_responses(path, {'iiwa_joint_1': JointResponse(0.05, 2, 0.01)})
    params = TwinNodeParams(hand='robotiq_2f85', response=str(path))
    goal = robot.home[:7] + 0.2
    began = []
    for late in (0.0, 0.009):
        runner = TwinRunner(robot, params, lambda camera, frame: None)
        runner.start(100.0, 0.0)
        arrival = 0.1 + late
        stamps = []
        for tick in range(1, 41):
            wall = 0.01 * tick
            if wall > arrival and not stamps:
                command = NamedPositions(robot.arm_joints, goal[None], np.array([0.1]))
                runner.command('arm', command, arrival)
            for _ in runner.periods(wall):
                moved = runner.twin.joint_state()[0][0] - robot.home[0]
                if wall > arrival:
                    stamps.append((runner.time, moved))
        times, moved = np.array(stamps).T
        began.append(np.interp(0.1, moved, times))
    assert began[1] - began[0] == pytest.approx(0.009, abs=0.0015)


def test_the_pacer_tells_the_time_of_a_moment():
    pacer = Pacer(0.01, 1.0, 100.0, 50.0)
    assert pacer.at(50.004) == pytest.approx(100.004)
    pacer.advance(50.01)
    assert pacer.at(50.004) == pytest.approx(100.01)  # that period is simulated already
    assert pacer.at(50.017) == pytest.approx(100.017)
    assert Pacer(0.01, 0.0, 0.0, 50.0).at(60.0) == 0.0


def test_a_follower_remembers_the_way_before_a_new_trajectory():
    follower = TrajectoryFollower(['a'], np.array([0.0]))
    follower.start(NamedPositions(('a',), np.array([[1.0]]), np.array([1.0])), 0.0)
    follower.start(NamedPositions(('a',), np.array([[0.0]]), np.array([0.5])), 0.5)
    assert follower.sample(0.45)[0] == pytest.approx(0.5)  # knots older than 0.2 s are gone
    follower.start(NamedPositions(('a',), np.array([[0.0]]), np.array([0.5])), 0.6)
    assert follower.sample(0.55)[0] == pytest.approx(0.45)
