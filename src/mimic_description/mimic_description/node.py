"""State publisher: robot_description, /tf and /tf_static, for machines without the ROS package."""

import numpy as np
from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage

from mimic_core.arrays import checked
from mimic_core.errors import ConfigError, MimicError
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
from mimic_description.transforms import LinkTransforms
from mimic_description.tree import parse_urdf
from mimic_description.urdf import render_urdf

STALE_AFTER = 1.0  # [s] without joint states


class StatePublisherNode(Node):
    """Publish the URDF and the transforms of all links, as robot_state_publisher does."""

    def __init__(self) -> None:
        super().__init__('state_publisher')
        params = declare_params(self, StatePublisherParams)
        urdf = params.robot_description or render_from(params)
        self._transforms = LinkTransforms(parse_urdf(urdf))
        self._period = 1.0 / params.publish_frequency  # [s]
        # When each joint was last sent: arm and hand may come in messages of their own.
        self._sent: dict[tuple[int, ...], float] = {}
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
        try:
            moved = self._transforms.move(msg.name, msg.position)
        except MimicError as error:
            self.get_logger().warning(f'no transform sent: {error}', throttle_duration_sec=1.0)
            return
        self._last_input = now(self)
        stamp = seconds(msg.header.stamp)
        since = stamp - self._sent.get(moved.links, -np.inf)
        # A stamp that goes back (a new bag, a reset twin) is sent at once.
        if not moved.links or 0.0 <= since < self._period - 1e-4:
            return
        self._sent[moved.links] = stamp
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


def render_from(params: StatePublisherParams) -> str:
    """Return the URDF that the parameters name."""
    x, y, z = checked(params.base_xyz, (3,), 'base_xyz').tolist()
    roll, pitch, yaw = checked(params.base_rpy, (3,), 'base_rpy').tolist()
    if params.arm == params.hand == 'none':
        raise ConfigError("arm and hand are both 'none': there is no robot to publish")
    return render_urdf(
        params.arm,
        params.hand,
        prefix=params.prefix,
        base_xyz=(x, y, z),
        base_rpy=(roll, pitch, yaw),
    )


def _empty(parent: str, child: str) -> TransformStamped:
    msg = TransformStamped()
    msg.header.frame_id, msg.child_frame_id = parent, child
    return msg


def main() -> None:
    """Run the node until it is stopped."""
    run(StatePublisherNode)
