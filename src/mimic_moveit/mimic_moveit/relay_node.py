"""From the topics of ros2_control's topic-based plugin to those of our drivers and the twin."""

from functools import partial

from builtin_interfaces.msg import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from mimic_core import process, ros
from mimic_core.errors import MimicError
from mimic_description import load_robot
from mimic_moveit.relay import CommandRelay
from mimic_moveit.relay_params import RelayParams


class RelayNode(Node):
    """Turns joint commands into the trajectories that drivers take."""

    def __init__(self) -> None:
        super().__init__('joint_command_relay')
        params = ros.declare_params(self, RelayParams)
        robot = load_robot(params.arm, params.hand, params.prefix)
        self._relays: dict[str, CommandRelay] = {}
        for part, joints, wanted in (
            ('arm', robot.arm_joints, params.relay_arm),
            ('hand', robot.hand_joints, params.relay_hand),
        ):
            if not wanted or not joints:
                continue
            self._relays[part] = CommandRelay(joints, params.max_start_error, params.state_timeout)
            out, topic = f'{part}_driver/joint_trajectory', f'{part}_controller/joint_commands'
            publisher = self.create_publisher(JointTrajectory, out, ros.publisher_qos(out))
            take = partial(self._on_command, part, publisher)
            self.create_subscription(JointState, topic, take, ros.subscription_qos(topic))
        self.create_subscription(JointState, 'joint_states', self._on_state, ros.SENSOR_QOS)
        self._diagnostics = ros.Diagnostics(self, self._report)

    def _on_state(self, msg: JointState) -> None:
        for relay in self._relays.values():
            relay.measure(msg.name, msg.position, ros.now(self))

    def _on_command(self, part: str, publisher: Publisher, msg: JointState) -> None:
        relay = self._relays[part]
        try:
            q = relay.command(msg.name, msg.position, ros.now(self))
        except MimicError as error:
            self._skip(part, str(error))
            return
        if q is None:
            self._skip(part, relay.reason)
            return
        point = JointTrajectoryPoint(positions=q.tolist(), time_from_start=Duration())
        publisher.publish(JointTrajectory(joint_names=list(relay.joints), points=[point]))

    def _skip(self, part: str, reason: str) -> None:
        self.get_logger().warning(f'{part} gets nothing: {reason}', throttle_duration_sec=1.0)

    def _report(self) -> tuple[bytes, str, dict[str, object]]:
        values = {part: relay.reason or 'passes' for part, relay in self._relays.items()}
        closed = [
            f'{part}: {relay.reason}' for part, relay in self._relays.items() if relay.reason
        ]
        return (ros.WARN if closed else ros.OK), '; '.join(closed) or 'commands pass', values


def main() -> None:
    """Run the node until it is stopped."""
    ros.run(RelayNode, first=process.CONTROL)
