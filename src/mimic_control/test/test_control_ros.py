"""The node over real topics: a robot that goes where it is sent, sources, services, the action."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mimic_description import load_robot

pytestmark = pytest.mark.ros
ROBOT = load_robot('iiwa14', 'allegro')
START_LIMIT = 40.0  # [s] for discovery and imports on a busy machine


class Robot:
    """Plays the drivers and the people: goes where it is sent, and calls services."""

    def __init__(self) -> None:
        import rclpy
        from rclpy.action import ActionClient
        from sensor_msgs.msg import JointState
        from std_srvs.srv import Trigger
        from trajectory_msgs.msg import JointTrajectory

        from mimic_core import ros
        from mimic_interfaces.action import MoveTo
        from mimic_interfaces.msg import ControlStatus
        from mimic_interfaces.srv import SetMode

        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node('robot', context=self.context)
        self.executor = ros.make_executor(self.context)
        self.executor.add_node(self.node)
        self.q = ROBOT.home.copy()
        self.alive = True
        self.sent: dict[str, list[np.ndarray]] = {'arm': [], 'hand': []}
        self.times: list[float] = []
        self.status = ControlStatus()
        self.states = self.node.create_publisher(JointState, 'joint_states', 10)
        self.commands = {
            source: self.node.create_publisher(
                JointTrajectory, f'{source}/command', ros.COMMAND_QOS
            )
            for source in ('shadow', 'policy')
        }
        for part in ('arm', 'hand'):
            self.node.create_subscription(
                JointTrajectory,
                f'{part}_controller/joint_trajectory',
                lambda msg, part=part: self._on_output(part, msg),
                50,
            )
        self.node.create_subscription(
            ControlStatus, 'control/status', self._on_status, ros.LATCHED_QOS
        )
        self.set_mode = self.node.create_client(SetMode, 'control/set_mode')
        self.stop = self.node.create_client(Trigger, 'control/stop')
        self.clear = self.node.create_client(Trigger, 'control/clear')
        self.move = ActionClient(self.node, MoveTo, 'control/move_to')
        self.node.create_timer(0.01, self._publish_state)

    def _on_status(self, msg: object) -> None:
        self.status = msg

    def _on_output(self, part: str, msg: object) -> None:
        names = list(msg.joint_names)
        expected = ROBOT.arm_joints if part == 'arm' else ROBOT.hand_joints
        assert tuple(names) == expected
        assert msg.header.stamp.sec == 0
        assert len(msg.points) == 1
        q = np.array(msg.points[0].positions)
        self.sent[part].append(q)
        if part == 'arm':
            self.times.append(time.monotonic())
            self.q[: len(q)] = q
        else:
            self.q[-len(q) :] = q

    def _publish_state(self) -> None:
        from sensor_msgs.msg import JointState

        if not self.alive:
            return
        msg = JointState(name=list(ROBOT.joint_names), position=self.q.tolist())
        msg.header.stamp = self.node.get_clock().now().to_msg()
        self.states.publish(msg)

    def command(self, source: str, q: np.ndarray, names: tuple[str, ...] = ()) -> None:
        from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

        point = JointTrajectoryPoint(positions=[float(v) for v in q])
        msg = JointTrajectory(joint_names=list(names or ROBOT.joint_names), points=[point])
        msg.header.stamp = self.node.get_clock().now().to_msg()
        self.commands[source].publish(msg)

    def spin(self, duration: float, each: Callable[[], None] | None = None) -> None:
        end = time.monotonic() + duration
        while time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.02)
            if each is not None:
                each()

    def until(self, condition: Callable[[], bool], limit: float = START_LIMIT) -> None:
        end = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < end, f'waited {limit} s; last status: {self.status}'
            self.executor.spin_once(timeout_sec=0.02)

    def call(self, client: object, request: object) -> object:
        assert client.wait_for_service(timeout_sec=START_LIMIT)
        future = client.call_async(request)
        self.until(future.done)
        return future.result()

    def close(self) -> None:
        self.executor.remove_node(self.node)
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def gate_and_robot(ros_domain: int, tmp_path: Path) -> Iterator[tuple[subprocess.Popen, Robot]]:
    log = tmp_path / 'log'
    with log.open('w') as stream:
        process = subprocess.Popen(
            [sys.executable, '-c', 'from mimic_control.node import main; main()'],
            env=dict(os.environ),
            stderr=stream,
        )
    robot = Robot()
    try:
        robot.until(lambda: robot.status.ticks > 0 and bool(robot.sent['arm']))
        yield process, robot
    finally:
        robot.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0
        assert 'leak' not in log.read_text(), 'it ends without complaints'


def test_the_whole_node(gate_and_robot: tuple[subprocess.Popen, Robot]) -> None:
    from std_srvs.srv import Trigger

    from mimic_interfaces.action import MoveTo
    from mimic_interfaces.msg import ControlStatus
    from mimic_interfaces.srv import SetMode

    _, robot = gate_and_robot
    # The first output is where the robot is.
    np.testing.assert_allclose(robot.sent['arm'][0], ROBOT.home[:7], atol=1e-9)
    assert robot.status.mode == ControlStatus.IDLE

    # In idle a source is refused, and the robot stays.
    robot.command('shadow', ROBOT.home + 0.2)
    robot.until(lambda: robot.status.refused == 1)
    assert 'no source is selected' in robot.status.last_refusal
    np.testing.assert_allclose(robot.sent['arm'][-1], ROBOT.home[:7], atol=1e-9)

    # Selected, it moves the robot; the other source does not.
    reply = robot.call(robot.set_mode, SetMode.Request(mode=ControlStatus.SHADOW))
    assert reply.success
    robot.until(lambda: robot.status.state == ControlStatus.HOLD)
    target = ROBOT.home.copy()
    target[0] += 0.2
    target[-16:] += 0.1
    sent, other = 0.0, ROBOT.home - 0.2

    def stream() -> None:
        nonlocal sent
        if time.monotonic() - sent > 1 / 30:
            sent = time.monotonic()
            robot.command('shadow', target)
            robot.command('policy', other)

    robot.spin(2.5, stream)
    assert robot.status.state == ControlStatus.SHADOW, robot.status.reason
    assert robot.status.source == 'shadow/command'
    np.testing.assert_allclose(robot.q, target, atol=1e-3)
    assert robot.status.refused > 5
    assert 'shadow is selected' in robot.status.last_refusal
    assert 0.0 <= robot.status.latency < 0.25

    # Bad commands are refused by name.
    robot.spin(0.5)
    for q, names, text in (
        (np.r_[np.nan, target[1:]], (), 'iiwa_joint_1 is nan'),
        (target[:2], ('iiwa_joint_1', 'elbow'), "unknown joint 'elbow'"),
        (target[:3], ('iiwa_joint_1',), '3 positions for 1 joints'),
    ):
        robot.command('shadow', q, names)
        robot.until(lambda text=text: text in robot.status.last_refusal)

    # A lost source holds.
    robot.until(lambda: robot.status.state == ControlStatus.HOLD)
    assert 'old' in robot.status.reason

    # Stop is latched.
    robot.call(robot.stop, Trigger.Request())
    robot.until(lambda: robot.status.state == ControlStatus.STOPPED)
    assert not robot.call(robot.set_mode, SetMode.Request(mode=ControlStatus.SHADOW)).success
    robot.call(robot.clear, Trigger.Request())
    robot.until(lambda: robot.status.state == ControlStatus.IDLE)
    assert not robot.call(robot.set_mode, SetMode.Request(mode=ControlStatus.HOLD)).success

    # move_to goes home, and refuses what it cannot do.
    assert robot.move.wait_for_server(timeout_sec=START_LIMIT)

    def move(goal: MoveTo.Goal) -> tuple[int, MoveTo.Result]:
        future = robot.move.send_goal_async(goal)
        robot.until(future.done)
        result = future.result().get_result_async()
        robot.until(result.done)
        return result.result().status, result.result().result

    status, result = move(MoveTo.Goal(posture='home'))
    assert (status, result.success, result.message) == (4, True, '')
    np.testing.assert_allclose(robot.q, ROBOT.home, atol=1e-3)
    status, result = move(MoveTo.Goal(joint_names=['iiwa_joint_4'], position=[3.0]))
    assert status == 6
    assert 'iiwa_joint_4 = 3.0000 is outside [-2.0944, 2.0944]' in result.message
    status, result = move(MoveTo.Goal(posture='dance'))
    assert status == 6
    assert "unknown posture of allegro 'dance'" in result.message

    # Cancelled, it brakes.
    goal = MoveTo.Goal(joint_names=['iiwa_joint_1'], position=[0.5], speed_scale=0.2)
    future = robot.move.send_goal_async(goal)
    robot.until(future.done)
    robot.until(lambda: robot.q[0] > 0.05)
    cancelled = future.result().cancel_goal_async()
    robot.until(cancelled.done)
    result = future.result().get_result_async()
    robot.until(result.done)
    assert result.result().status == 5
    robot.spin(0.5)
    rest = robot.q[0]
    robot.spin(0.3)
    assert rest == robot.q[0] < 0.95

    # The rate (a busy machine loses ticks, none may be too many); silence without joint states.
    count, begin = len(robot.times), time.monotonic()
    robot.spin(2.0)
    rate = (len(robot.times) - count) / (time.monotonic() - begin)
    assert 40.0 < rate < 105.0, rate
    robot.alive = False
    robot.until(lambda: robot.status.state == ControlStatus.HOLD)
    robot.spin(0.3)
    count = len(robot.times)
    robot.spin(0.5)
    assert len(robot.times) == count
    assert 'joint state of' in robot.status.reason
    robot.alive = True
    robot.until(lambda: len(robot.times) > count)

    # Every output kept the limits.
    for part, limits in (
        ('arm', ROBOT.limits.select(list(range(7)))),
        ('hand', ROBOT.limits.select(list(range(7, 23)))),
    ):
        q = np.array(robot.sent[part])
        assert limits.contains(q[len(q) // 2])
        assert (np.abs(np.diff(q, axis=0)) <= limits.max_speed * 0.01 * 1.001).all()


def test_unknown_arm_ends_with_a_sentence(ros_domain: int) -> None:
    done = subprocess.run(
        [
            sys.executable,
            '-c',
            'from mimic_control.node import main; main()',
            '--ros-args',
            '-p',
            'arm:=iiwa15',
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "unknown arm 'iiwa15'" in done.stdout + done.stderr
    assert 'iiwa14' in done.stdout + done.stderr
