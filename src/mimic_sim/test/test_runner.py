import threading
from dataclasses import replace

import numpy as np
import pytest

from mimic_core.command import NamedPositions
from mimic_core.errors import UnknownNameError
from mimic_description import RobotModel, load_robot
from mimic_sim.runner import TwinRunner
from mimic_sim.tasks import known_tasks
from mimic_sim.twin_params import TwinNodeParams

PARAMS = TwinNodeParams(hand='robotiq_2f85', width=160, height=120)


@pytest.fixture(scope='module')
def robot() -> RobotModel:
    return load_robot('iiwa14', 'robotiq_2f85')


def _runner(robot: RobotModel, on_frame=lambda camera, frame: None, **changes) -> TwinRunner:
    runner = TwinRunner(robot, replace(PARAMS, **changes), on_frame)
    runner.start(100.0, 0.0)
    return runner


def _run(runner: TwinRunner, seconds: float, wall: float = 0.0) -> int:
    done, end = 0, wall + seconds
    while wall < end - 1e-9:
        wall += 0.01
        done += sum(1 for _ in runner.periods(wall))
    return done


def test_follows_trajectories_at_the_control_rate(robot: RobotModel) -> None:
    runner = _runner(robot)
    goal = robot.home[:7] + 0.1
    runner.command('arm', NamedPositions(robot.arm_joints, goal[None], np.array([0.5])))
    runner.command('hand', NamedPositions(robot.hand_joints, np.array([[0.4]]), np.array([0.2])))
    assert _run(runner, 0.25) == 25
    halfway = runner.twin.commanded
    np.testing.assert_allclose(halfway[:7], robot.home[:7] + 0.05, atol=1e-6)
    assert halfway[7] == pytest.approx(0.4)
    _run(runner, 2.0, 0.25)  # commands stop: the last target holds
    np.testing.assert_allclose(runner.twin.joint_state()[0][:7], goal, atol=0.01)
    assert runner.time == pytest.approx(102.25)


def test_other_control_rates(robot: RobotModel) -> None:
    runner = _runner(robot, rate=200.0)
    assert _run(runner, 0.5) == 100
    assert runner.twin.time == pytest.approx(0.5)


def test_a_joint_of_the_other_part_is_refused(robot: RobotModel) -> None:
    runner = _runner(robot)
    with pytest.raises(UnknownNameError, match='iiwa_joint_1'):
        runner.command(
            'arm', NamedPositions(robot.hand_joints, np.array([[0.4]]), np.array([0.2]))
        )


def test_reset_to_a_seed_to_the_next_and_to_another_task(robot: RobotModel) -> None:
    runner = _runner(robot, seed=3)
    assert runner.twin.seed == 3
    goal = robot.home[:7] + 0.1
    runner.command('arm', NamedPositions(robot.arm_joints, goal[None], np.array([0.1])))
    _run(runner, 0.3)
    runner.reset('', 8)
    assert runner.twin.seed == 8
    np.testing.assert_array_equal(runner.twin.joint_state()[0], robot.home)
    _run(runner, 0.3, 0.3)  # the old trajectory is forgotten
    np.testing.assert_allclose(runner.twin.joint_state()[0], robot.home, atol=0.01)
    runner.reset('', -1)
    assert runner.twin.seed == 9
    runner.reset('tiles', -1)
    assert (runner.twin.task.name, runner.twin.seed) == ('tiles', 10)
    before = runner.twin
    with pytest.raises(UnknownNameError, match=', '.join(known_tasks())):
        runner.reset('tile', 0)
    assert runner.twin is before
    assert runner.time == pytest.approx(100.6)  # time goes on


def test_pictures_at_their_rates(robot: RobotModel) -> None:
    frames, lock = [], threading.Lock()

    def keep(camera, frame):
        with lock:
            frames.append((camera, frame.stamp))

    runner = _runner(robot, keep, agent_camera_rate=20.0, wrist_camera_rate=10.0)
    wall = 0.0
    for _ in range(100):
        wall += 0.01
        for _ in runner.periods(wall):
            pass
        threading.Event().wait(0.004)  # a hundredth of real time is enough to draw 160 x 120
    runner.close()
    asked = {'agent': 20, 'wrist': 10}
    for camera in asked:
        seen = [stamp for name, stamp in frames if name == camera]
        assert len(seen) + runner.dropped + 1 >= asked[camera]
        assert len(seen) <= asked[camera] + 1
        assert np.diff(seen).min() > 0.8 / asked[camera]


def test_an_arm_without_a_hand_has_no_wrist_camera() -> None:
    robot = load_robot('iiwa14', 'none')
    with pytest.raises(UnknownNameError, match='agent'):
        _runner(robot, wrist_camera_rate=10.0)
    assert _run(_runner(robot), 0.1) == 10
