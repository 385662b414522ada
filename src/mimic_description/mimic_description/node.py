"""State publisher: robot_description, /tf and /tf_static, for machines without the ROS package."""

import numpy as np
from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage

from mimic_core.errors import MimicError
from mimic_core.ros import (
    OK,
    STALE,
    Diagnostics,
    declare_params,
    now,
    publisher_qos,
    run,
    seconds,
    subscription_qos,
    transform_to_msg,
)
from mimic_description.params import StatePublisherParams
from mimic_description.transforms import LinkTransforms, RateLimit
from mimic_description.tree import parse_urdf

STALE_AFTER = 1.0  # [s] without joint states


class StatePublisherNode(Node):
    """Publish the URDF and the transforms of all links, as robot_state_publisher does."""

    def __init__(self) -> None:
        super().__init__('state_publisher')
        params = declare_params(self, StatePublisherParams)
        urdf = params.urdf()
        self._transforms = LinkTransforms(parse_urdf(urdf))
        # One limit for each set of joints: arm and hand may come in messages of their own.
        self._rate = RateLimit(params.publish_frequency)
        self._last_input = -np.inf
        self._messages = [_empty(j.parent, j.child) for j in self._transforms.moving]

        self._tf_pub = self.create_publisher(TFMessage, '/tf', publisher_qos('/tf'))
        self._static_pub = self.create_publisher(
            TFMessage, '/tf_static', publisher_qos('/tf_static')
        )
        self._description_pub = self.create_publisher(
            String, 'robot_description', publisher_qos('robot_description')
        )
        self.create_subscription(
            JointState, 'joint_states', self._on_joint_states, subscription_qos('joint_states')
        )
        self._diagnostics = Diagnostics(self, self._report)
        stamp = self.get_clock().now().to_msg()
        self._static_pub.publish(
            TFMessage(
                transforms=[
                    transform_to_msg(j.parent_T_child, j.parent, j.child, stamp)
                    for j in self._transforms.fixed
                ]
            )
        )
        self._description_pub.publish(String(data=urdf))

    def _on_joint_states(self, msg: JointState) -> None:
        if not self._rate.due(tuple(msg.name), seconds(msg.header.stamp)):
            self._last_input = now(self)
            return
        try:
            moved = self._transforms.move(msg.name, msg.position)
        except MimicError as error:
            self.get_logger().warning(f'no transform sent: {error}', throttle_duration_sec=1.0)
            return
        self._last_input = now(self)
        if not moved.links:
            return
        chosen = [self._messages[i] for i in moved.links]
        for item, xyz, quat in zip(
            chosen, moved.translation.tolist(), moved.quat_xyzw.tolist(), strict=True
        ):
            item.header.stamp = msg.header.stamp
            t, r = item.transform.translation, item.transform.rotation
            t.x, t.y, t.z = xyz
            r.x, r.y, r.z, r.w = quat
        self._tf_pub.publish(TFMessage(transforms=chosen))

    def _report(self) -> tuple[bytes, str, dict[str, object]]:
        age = now(self) - self._last_input
        values: dict[str, object] = {'joint states age [s]': round(age, 3)}
        if age > STALE_AFTER:
            return STALE, 'no joint states', values
        return OK, 'transforms are published', values


def _empty(parent: str, child: str) -> TransformStamped:
    msg = TransformStamped()
    msg.header.frame_id, msg.child_frame_id = parent, child
    return msg


def main() -> None:
    """Run the node until it is stopped."""
    run(StatePublisherNode)
