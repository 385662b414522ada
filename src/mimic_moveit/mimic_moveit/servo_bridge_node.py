"""MoveIt Servo in the place of our arm IK: its output still passes the gate."""

import numpy as np
from geometry_msgs.msg import PoseStamped
from moveit_msgs.msg import ServoStatus
from moveit_msgs.srv import ServoCommandType
from rclpy.node import Node
from rclpy.task import Future
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from mimic_core import ros
from mimic_core.errors import MimicError
from mimic_description import load_robot
from mimic_interfaces.msg import ShadowStatus
from mimic_moveit.moveit import planning_frame
from mimic_moveit.servo_bridge import Look, ServoBridge
from mimic_moveit.servo_params import ServoBridgeParams


class ServoBridgeNode(Node):
    """Gives Servo the wrist's pose and joins its joints with those of the hand."""

    def __init__(self) -> None:
        super().__init__('servo_bridge')
        self._params = ros.declare_params(self, ServoBridgeParams)
        robot = load_robot(self._params.arm, self._params.hand, self._params.prefix)
        self._bridge = ServoBridge(robot, self._params.max_look_age)
        self._frame = planning_frame(robot)
        self._ready, self._said, self._sent = False, 'waiting for Servo', 0
        self._asked: Future | None = None
        self._poses = self._publisher(PoseStamped, 'servo_node/pose_target_cmds')
        self._commands = self._publisher(JointTrajectory, 'shadow/command')
        for message, topic, callback in (
            (ShadowStatus, 'shadow/status', self._on_look),
            (JointTrajectory, 'retargeting/hand_command', self._on_fingers),
            (JointTrajectory, 'servo/joint_trajectory', self._on_output),
            (ServoStatus, 'servo_node/status', self._on_status),
        ):
            self.create_subscription(message, topic, callback, ros.subscription_qos(topic))
        self._type = self.create_client(ServoCommandType, 'servo_node/switch_command_type')
        self._timer = self.create_timer(self._params.retry_period, self._select)
        self._diagnostics = ros.Diagnostics(self, self._report)

    def _publisher(self, message: type, topic: str):
        return self.create_publisher(message, topic, ros.publisher_qos(topic))

    def _select(self) -> None:
        """Make Servo follow poses: at the start, and again when it was started anew."""
        if self._bridge.silent_for(ros.now(self)) > self._params.retry_period:
            self._ready = False
        if self._ready or (self._asked is not None and not self._asked.done()):
            return
        if not self._type.service_is_ready():
            self._said = 'servo_node/switch_command_type is not there'
            self._skip(self._said)
            return
        request = ServoCommandType.Request(command_type=ServoCommandType.Request.POSE)
        self._asked = self._type.call_async(request)
        self._asked.add_done_callback(self._selected)

    def _selected(self, future: Future) -> None:
        self._ready = bool(future.result().success)
        self._said = '' if self._ready else 'Servo does not take poses'
        self.get_logger().info('Servo follows poses' if self._ready else self._said)

    def _on_look(self, msg: ShadowStatus) -> None:
        if not msg.engaged or msg.reason or not self._ready:
            return
        now = ros.now(self)
        try:
            target = ros.pose_from_msg(msg.target)
            why = self._bridge.look(Look(ros.seconds(msg.header.stamp), target), now)
        except MimicError as error:
            why = str(error)
        if why:
            self._skip(why)
            return
        # Servo drops poses that are older than its timeout: the stamp is that of sending.
        pose = PoseStamped(pose=msg.target)
        pose.header.frame_id, pose.header.stamp = self._frame, ros.to_stamp(now)
        self._poses.publish(pose)

    def _on_fingers(self, msg: JointTrajectory) -> None:
        try:
            self._bridge.fingers(msg.joint_names, np.array(msg.points[-1].positions))
        except (MimicError, IndexError, ValueError) as error:
            self._skip(f'hand command not used: {error}')

    def _on_output(self, msg: JointTrajectory) -> None:
        if not msg.points:
            return
        try:
            command = self._bridge.answer(
                msg.joint_names, np.array(msg.points[-1].positions), ros.now(self)
            )
        except MimicError as error:
            self._skip(str(error))
            return
        if command is None:
            return
        out = JointTrajectory(joint_names=list(command.names))
        out.header.stamp, out.header.frame_id = ros.to_stamp(command.stamp), self._frame
        out.points.append(JointTrajectoryPoint(positions=command.points[0].tolist()))
        self._commands.publish(out)
        self._sent += 1

    def _on_status(self, msg: ServoStatus) -> None:
        self._said = '' if msg.code == ServoStatus.NO_WARNING else f'Servo: {msg.message}'
        if self._said:
            self._skip(self._said)

    def _skip(self, reason: str) -> None:
        self.get_logger().warning(reason, throttle_duration_sec=1.0)

    def _report(self) -> tuple[bytes, str, dict[str, object]]:
        values: dict[str, object] = {'follows poses': self._ready, 'sent': self._sent}
        return (ros.WARN if self._said else ros.OK), self._said or 'following', values


def main() -> None:
    """Run the node until it is stopped."""
    ros.run(ServoBridgeNode)
