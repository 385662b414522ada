"""Speaks the topics and services of MoveIt Servo (ROS 2 Jazzy) and moves: pose tracking by our IK.

For tests, and by hand where there is no MoveIt:

    python src/mimic_moveit/test/servo_stand_in.py --arm iiwa14 --hand allegro

What it keeps of Servo: no command type is set at the start and inputs are dropped until one is;
a pose whose stamp is older than the timeout is dropped; the pose is approached no faster than
`scale`; it goes on from what it commanded last; without a fresh pose it publishes nothing and
forgets what it commanded; joint limits have a margin, and the status says when one is reached.
"""

import argparse

import numpy as np
import rclpy
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import PoseStamped
from moveit_msgs.msg import ServoStatus
from moveit_msgs.srv import ServoCommandType
from rclpy.node import Node
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from mimic_core import ros
from mimic_description import load_robot
from mimic_moveit.moveit import servo
from mimic_retargeting.arm_ik import ArmIK


class ServoStandIn(Node):
    """Node servo_node."""

    def __init__(self, arm: str, hand: str, prefix: str = '', **options: object) -> None:
        super().__init__('servo_node', **options)
        robot = load_robot(arm, hand, prefix)
        self._p = servo(robot)['moveit_servo']
        self._frame, self._joints = f'{prefix}base_link', list(robot.arm_joints)
        self._ik = ArmIK(robot)
        margin = self._p['joint_limit_margins'][0]
        count = len(self._joints)
        self._low = robot.limits.lower[:count] + margin
        self._high = robot.limits.upper[:count] - margin
        self._measured = np.full(count, np.nan)
        self._q: np.ndarray | None = None
        self._target: np.ndarray | None = None
        self._target_at, self._type, self._paused, self.dropped = -np.inf, None, False, 0
        self._out = self.create_publisher(JointTrajectory, self._p['command_out_topic'], 10)
        self._status = self.create_publisher(ServoStatus, '~/status', 10)
        self.create_subscription(PoseStamped, '~/pose_target_cmds', self._on_pose, 10)
        self.create_subscription(
            JointState, self._p['joint_topic'], self._on_state, ros.SENSOR_QOS
        )
        self.create_service(ServoCommandType, '~/switch_command_type', self._on_type)
        self.create_service(SetBool, '~/pause_servo', self._on_pause)
        self.create_timer(self._p['publish_period'], self._cycle)

    def _on_type(self, request, response):
        response.success = request.command_type in (0, 1, 2)
        if response.success:
            self._type = request.command_type
        return response

    def _on_pause(self, request, response):
        self._paused, self._q, response.success = request.data, None, True
        return response

    def _on_state(self, msg: JointState) -> None:
        for name, position in zip(msg.name, msg.position, strict=True):
            if name in self._joints:
                self._measured[self._joints.index(name)] = position

    def _on_pose(self, msg: PoseStamped) -> None:
        age = ros.now(self) - ros.seconds(msg.header.stamp)
        known = msg.header.frame_id == self._frame
        if self._type != ServoCommandType.Request.POSE or not known or age > self._timeout:
            self.dropped += 1
            self.get_logger().warning('pose dropped', throttle_duration_sec=1.0)
            return
        self._target, self._target_at = ros.pose_from_msg(msg.pose), ros.now(self)

    @property
    def _timeout(self) -> float:
        return self._p['incoming_command_timeout']

    def _cycle(self) -> None:
        code, text = ServoStatus.NO_WARNING, 'No warnings'
        fresh = ros.now(self) - self._target_at <= self._timeout
        if not fresh or self._paused or np.isnan(self._measured).any():
            self._q = None
            self._status.publish(ServoStatus(code=code, message=text))
            return
        if self._q is None:
            self._q = self._measured.copy()
            self._ik.reset()
        dt = self._p['publish_period']
        before = self._q
        q = self._ik.step(before, self._next_pose(before, dt), dt).q
        clipped = np.clip(q, self._low, self._high)
        if np.abs(clipped - q).max() > 1e-9:
            code, text = ServoStatus.JOINT_BOUND, 'Close to a joint bound (position or velocity)'
        self._q = clipped
        point = JointTrajectoryPoint(
            positions=clipped.tolist(),
            velocities=((clipped - before) / dt).tolist(),
            time_from_start=Duration(nanosec=round(dt * 1e9)),
        )
        out = JointTrajectory(joint_names=self._joints, points=[point])
        out.header.frame_id, out.header.stamp = self._frame, self.get_clock().now().to_msg()
        self._out.publish(out)
        self._status.publish(ServoStatus(code=code, message=text))

    def _next_pose(self, q: np.ndarray, dt: float) -> np.ndarray:
        """Return the pose (4, 4) one period on, no faster than `scale`."""
        here, goal = self._ik.pose(q), self._target
        way = goal[:3, 3] - here[:3, 3]
        turn = Rotation.from_matrix(here[:3, :3].T @ goal[:3, :3]).as_rotvec()
        pose = np.eye(4)
        for step, most in (
            (way, self._p['scale']['linear']),
            (turn, self._p['scale']['rotational']),
        ):
            step *= min(1.0, most * dt / max(float(np.linalg.norm(step)), 1e-9))
        pose[:3, 3] = here[:3, 3] + way
        pose[:3, :3] = here[:3, :3] @ Rotation.from_rotvec(turn).as_matrix()
        return pose


def main() -> None:
    """Run it until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--arm', default='iiwa14')
    parser.add_argument('--hand', default='allegro')
    parser.add_argument('--prefix', default='')
    given, _ = parser.parse_known_args(rclpy.utilities.remove_ros_args()[1:])
    ros.run(lambda: ServoStandIn(given.arm, given.hand, given.prefix))


if __name__ == '__main__':
    main()
