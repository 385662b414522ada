"""The node of `identify`: a source of commands that plays test motions and keeps what comes."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import rclpy
from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from mimic_core import ros
from mimic_core.errors import MimicError
from mimic_identification.conversions import STATUS_NAMES, point_to_msg, seconds_of
from mimic_identification.errors import IdentificationError
from mimic_identification.excitation import PERIOD
from mimic_identification.session import MotionTest, Watch
from mimic_interfaces.action import MoveTo
from mimic_interfaces.msg import ControlStatus
from mimic_interfaces.srv import SetMode
from mimic_recording.replay import GATE_TOPICS

WAIT = 10.0  # [s] for gate, drivers and services
MOVE_TIMEOUT = 60.0  # [s] of the motion home
SOURCE = 'replay/command'


class IdentifyNode(Node):
    """Plays one motion at a time; the methods spin, so it needs no executor of its own."""

    def __init__(self, namespace: str) -> None:
        super().__init__('identify', namespace=namespace)
        self.watch = Watch('REPLAY')
        self.measured: dict[str, float] = {}
        self._test: MotionTest | None = None
        self._publisher = self.create_publisher(JointTrajectory, SOURCE, ros.publisher_qos(SOURCE))
        self.create_subscription(JointState, 'joint_states', self._on_state, ros.SENSOR_QOS)
        self.create_subscription(ControlStatus, 'control/status', self._on_status, ros.LATCHED_QOS)
        for topic in GATE_TOPICS:
            self.create_subscription(JointTrajectory, topic, self._on_output, ros.COMMAND_QOS)
        self._simulated = self.get_parameter('use_sim_time').value
        self._modes = self.create_client(SetMode, 'control/set_mode')
        self._mover = ActionClient(self, MoveTo, 'control/move_to')

    def _on_state(self, msg: JointState) -> None:
        self.watch.on_joint_state(ros.now(self))
        self.measured.update(zip(msg.name, msg.position, strict=False))
        if self._test is not None:
            self._test.on_joint_state(msg.name, msg.position, ros.seconds(msg.header.stamp))

    def _on_status(self, msg: ControlStatus) -> None:
        mode, state = STATUS_NAMES[msg.mode], STATUS_NAMES[msg.state]
        self.watch.on_status(mode, state, msg.reason, ros.now(self))

    def _on_output(self, msg: JointTrajectory, info: dict[str, int]) -> None:
        if self._test is None or not msg.points:
            return
        sent = info['source_timestamp'] * 1e-9  # by the time of day, as the stamps of states
        point, received = msg.points[0], ros.now(self) if self._simulated or not sent else sent
        ahead = seconds_of(point.time_from_start)
        self._test.on_command(msg.joint_names, point.positions, ahead, received)

    def wait(self, ready: Callable[[], bool], why: str, timeout: float = WAIT) -> None:
        """Spin until something is so; raises IdentificationError with the reason if it is not."""
        end = time.monotonic() + timeout
        while not ready():
            if time.monotonic() > end:
                raise IdentificationError(why)
            rclpy.spin_once(self, timeout_sec=0.02)

    def _result(self, future: Future, why: str, timeout: float = WAIT) -> Any:
        self.wait(future.done, why, timeout)
        return future.result()

    def connect(self, joints: Sequence[str], timeout: float) -> None:
        """Wait up to a timeout [s] for the robot; it must be complete, and idle."""
        self.wait(
            lambda: bool(self.watch.mode), 'there is no gate: ./mimic launch identify', timeout
        )
        self.wait(lambda: bool(self.measured), 'nobody publishes joint_states', timeout)
        try:
            self.wait(lambda: set(joints) <= set(self.measured), '', 2.0)
        except IdentificationError:
            missing = ', '.join(name for name in joints if name not in self.measured)
            raise IdentificationError(f'joint_states lack {missing}: another robot?') from None
        if self.watch.mode != 'IDLE':
            raise IdentificationError(f'the gate is not idle: its mode is {self.watch.mode}')

    def set_mode(self, mode: int) -> None:
        """Choose who commands."""
        self.wait(self._modes.service_is_ready, 'nobody offers control/set_mode')
        answer = self._result(
            self._modes.call_async(SetMode.Request(mode=mode)), 'the gate does not answer'
        )
        if not answer.success:
            raise IdentificationError(f'the gate refuses: {answer.message}')

    def go_home(self) -> None:
        """Move all joints home."""
        self.wait(self._mover.server_is_ready, 'nobody offers control/move_to')
        sent = self._mover.send_goal_async(MoveTo.Goal(posture='home'))
        handle = self._result(sent, 'control/move_to does not answer')
        try:
            done = self._result(handle.get_result_async(), 'home is not reached', MOVE_TIMEOUT)
        except (KeyboardInterrupt, MimicError):
            rclpy.spin_until_future_complete(self, handle.cancel_goal_async(), timeout_sec=2.0)
            raise
        if not done.result.success:
            raise IdentificationError(f'the robot does not go home: {done.result.message}')

    def play(self, test: MotionTest) -> None:
        """Send the points of a motion; raises IdentificationError when it must end."""
        self._test = test
        self.watch.begin(ros.now(self))
        timer = self.create_timer(PERIOD, lambda: self._send(test))
        try:
            while test.point(ros.now(self)) is not None:
                rclpy.spin_once(self, timeout_sec=0.02)
                if problem := self.watch.problem(ros.now(self)):
                    raise IdentificationError(f'{test.name}: {problem}')
        finally:
            self._test = None
            self.destroy_timer(timer)

    def _send(self, test: MotionTest) -> None:
        now = ros.now(self)
        if (point := test.point(now)) is not None:
            self._publisher.publish(point_to_msg(test.name, point, now))
