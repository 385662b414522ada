"""ROS shell: hands and joint states in, joint commands and status out."""

import time

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Header
from trajectory_msgs.msg import JointTrajectory

from mimic_core import ros
from mimic_core.errors import MimicError
from mimic_core.frames import BASE
from mimic_description import load_robot
from mimic_interfaces.msg import HandArray, ShadowStatus
from mimic_retargeting import conversions
from mimic_retargeting.node_params import RetargetingNodeParams
from mimic_retargeting.shadow import Shadow, ShadowResult


class RetargetingNode(Node):
    """Turns tracked hands into joint commands for one robot."""

    def __init__(self) -> None:
        super().__init__('retargeting')
        self._params = ros.declare_params(self, RetargetingNodeParams)
        robot = load_robot(self._params.arm, self._params.hand, self._params.prefix)
        self._base = self._params.prefix + BASE
        # Compiles now; the camera's place comes with the first hand.
        self._shadow = Shadow(robot, self._params, np.eye(4))
        self._joints = robot.joint_names
        self._measured = np.full(len(self._joints), np.nan)
        self._measured_at = np.full(len(self._joints), -np.inf)  # [s]
        self._by_gate = np.full(len(self._joints), np.nan)  # sent to the hand, whoever drove
        self._enabled_until = -np.inf  # [s]
        self._sent, self._skipped, self._last = 0, 0, 'waiting for hands'
        self._frames = ros.StaticFrames(self)
        # With Servo the arm's part of the command is not made here: its bridge adds it.
        servo = self._params.arm_backend == 'servo'
        self._own = slice(len(robot.arm_joints) if servo else 0, None)
        topic = 'retargeting/hand_command' if servo else 'shadow/command'
        self._command = self._publisher(JointTrajectory, topic)
        self._status = self._publisher(ShadowStatus, 'shadow/status')
        for message, topic, callback in (
            (HandArray, 'hand_tracking/hands', self._on_hands),
            (JointState, 'joint_states', self._on_joint_states),
            (JointTrajectory, 'hand_controller/joint_trajectory', self._on_gate),
            (Bool, 'control/enable', self._on_enable),
        ):
            self.create_subscription(message, topic, callback, ros.subscription_qos(topic))
        self._diagnostics = ros.Diagnostics(self, self._report)
        self.get_logger().info(f'ready: {self._params.arm} with {self._params.hand}')

    def _publisher(self, message: type, topic: str):
        return self.create_publisher(message, topic, ros.publisher_qos(topic))

    def _on_joint_states(self, msg: JointState) -> None:
        try:
            known = np.full(len(self._joints), np.nan)
            q = conversions.positions_from_msg(msg, self._joints, known)
        except MimicError as error:
            self._skip(str(error))
            return
        given = set(msg.name)
        named = np.array([joint in given for joint in self._joints])
        self._measured[named] = q[named]
        self._measured_at[named] = ros.seconds(msg.header.stamp)

    def _on_gate(self, msg: JointTrajectory) -> None:
        try:
            self._by_gate = conversions.positions_from_msg(msg, self._joints, self._by_gate)
        except MimicError as error:
            self._skip(str(error))

    def _on_enable(self, msg: Bool) -> None:
        now = ros.now(self)
        self._enabled_until = now + self._params.enable_timeout if msg.data else -np.inf

    def _on_hands(self, msg: HandArray) -> None:
        started = time.perf_counter()
        stamp = ros.seconds(msg.header.stamp)
        result = self._look(msg, stamp)
        # The command leaves before anything else is made.
        header = Header(stamp=msg.header.stamp, frame_id=self._base)
        if result.q is not None:
            q, names = result.q[self._own], self._joints[self._own]
            self._command.publish(conversions.command_to_msg(q, names, header))
            self._sent += 1
            self._last = ''
        else:
            self._skip(result.reason)
        solve_time = time.perf_counter() - started
        self._status.publish(conversions.status_to_msg(result, header, solve_time))

    def _look(self, msg: HandArray, stamp: float) -> ShadowResult:
        """Return what the core makes of a message, or why it was not asked."""
        now = ros.now(self)
        seen = bool(msg.hands)
        if now - stamp > self._params.max_input_age:
            return self._refuse(f'the hand is {now - stamp:.3f} s old', seen)
        oldest = int(np.argmin(self._measured_at))
        age = now - self._measured_at[oldest]
        if age > self._params.max_input_age:
            since = f'for {age:.3f} s' if np.isfinite(age) else 'yet'
            return self._refuse(f'no joint state of {self._joints[oldest]} {since}', seen)
        base_T_camera = self._frames.lookup(self._base, msg.header.frame_id)
        if base_T_camera is None:
            return self._refuse(
                f"no transform from '{msg.header.frame_id}' to '{self._base}' in /tf_static", seen
            )
        self._shadow.base_T_camera = base_T_camera
        try:
            hand = conversions.select_hand(msg, self._params.side)
        except MimicError as error:
            return self._refuse(str(error), seen)
        enabled = not self._params.require_enable or now <= self._enabled_until
        return self._shadow.step(hand, self._measured, stamp, enabled, self._by_gate)

    def _refuse(self, reason: str, seen: bool) -> ShadowResult:
        return ShadowResult(None, reason, self._shadow.engaged, seen)

    def _skip(self, reason: str) -> None:
        self._skipped += 1
        self._last = reason
        self.get_logger().warning(f'no command sent: {reason}', throttle_duration_sec=1.0)

    def _report(self) -> tuple[bytes, str, dict[str, object]]:
        values = {'sent': self._sent, 'skipped': self._skipped, 'engaged': self._shadow.engaged}
        return (ros.WARN if self._last else ros.OK), self._last or 'following', values


def main() -> None:
    """Run the node until it is stopped."""
    ros.run(RetargetingNode)
