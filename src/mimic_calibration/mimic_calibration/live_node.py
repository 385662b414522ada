"""A live robot and its camera through topics, for the calibration tool."""

from collections.abc import Callable

import numpy as np
import rclpy
from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo, Image, JointState

from mimic_calibration.joints import JointHistory
from mimic_calibration.samples import MAX_SKEW, RawSample
from mimic_core import ros
from mimic_core.arrays import FloatArray
from mimic_core.camera import Intrinsics
from mimic_core.errors import DeviceError, MimicError, SourceError, StaleInputError
from mimic_interfaces.action import MoveTo

PICTURE_TIMEOUT = 5.0  # [s]
STILL_TIMEOUT = 5.0  # [s]
STILL_WINDOW = 0.15  # [s]
STILL_SPEED = 0.005  # [rad/s]
MOVE_TIMEOUT = 60.0  # [s]
MOVE_SPEED = 0.3  # [1] of the joint speed limits


class LiveCell(Node):
    """Pictures and joint states of topics; moves the robot through control/move_to."""

    def __init__(self, camera: str, joints: tuple[str, ...], namespace: str = '') -> None:
        """Args: camera: prefix of its topics; joints: of the arm; none: the camera alone."""
        super().__init__('calibrate', namespace=namespace)
        self._joints, self._camera = joints, camera
        self._history = JointHistory()
        self._frame: tuple[float, Image] | None = None
        self._optics: Intrinsics | None = None
        self._trouble = ''
        for message, topic, callback in (
            (Image, f'{camera}/color/image_raw', self._on_image),
            (CameraInfo, f'{camera}/color/camera_info', self._on_info),
            (JointState, 'joint_states', self._on_joints),
        ):
            self.create_subscription(message, topic, callback, qos_profile_sensor_data)
        self._move = ActionClient(self, MoveTo, 'control/move_to')

    def _on_image(self, msg: Image) -> None:
        self._frame = (ros.seconds(msg.header.stamp), msg)

    def _on_info(self, msg: CameraInfo) -> None:
        try:
            self._optics = ros.intrinsics_from_msg(msg)
        except MimicError as error:
            self._trouble = str(error)

    def _on_joints(self, msg: JointState) -> None:
        try:
            positions = dict(zip(msg.name, map(float, msg.position), strict=True))
            self._history.add(ros.seconds(msg.header.stamp), positions)
        except (MimicError, ValueError) as error:
            self._trouble = f'joint_states: {error}'

    def _spin_until(self, done: Callable[[], bool], timeout: float) -> bool:
        end = self.get_clock().now().nanoseconds + timeout * 1e9
        while not done():
            if self.get_clock().now().nanoseconds > end or not self.context.ok():
                return False
            rclpy.spin_once(self, timeout_sec=0.05)
        return True

    def intrinsics(self) -> Intrinsics | None:
        """Return those of camera_info, waiting for a while."""
        self._spin_until(lambda: self._optics is not None, PICTURE_TIMEOUT)
        return self._optics

    def grab(self) -> RawSample:
        """Return a picture taken while the robot stands, with its joints."""
        rclpy.spin_once(self, timeout_sec=0.0)
        self._frame = None
        if not self._spin_until(lambda: self._frame is not None, PICTURE_TIMEOUT):
            topic = f'{self._camera}/color/image_raw'
            raise SourceError(f'no picture on {topic} in {PICTURE_TIMEOUT:.0f} s{self._why()}')
        if not self._joints:  # the camera alone
            stamp, msg = self._frame
            return RawSample('', ros.image_from_msg(msg), None, stamp, np.nan)
        if not self._history.names:
            self._spin_until(lambda: bool(self._history.names), 1.0)
        if not self._history.names:
            raise StaleInputError(f'nothing on joint_states{self._why()}')

        def still() -> bool:
            stamp = self._frame[0]
            return self._history.speed(stamp, STILL_WINDOW) < STILL_SPEED

        if not self._spin_until(still, STILL_TIMEOUT):
            raise StaleInputError(
                'the robot does not stand still, or picture and joint states have different '
                f'clocks{self._why()}'
            )
        stamp, msg = self._frame
        joints, joint_stamp = self._history.at(stamp, MAX_SKEW)
        return RawSample('', ros.image_from_msg(msg), joints, stamp, joint_stamp)

    def positions(self) -> FloatArray:
        """Return (A,) where the arm stands."""
        sample = self.grab()
        return np.array([sample.joints[name] for name in self._joints])

    def _why(self) -> str:
        return f' ({self._trouble})' if self._trouble else ''

    def move_to(self, q: FloatArray) -> None:
        """Move through the gate; raises DeviceError."""
        if not self._move.wait_for_server(timeout_sec=5.0):
            raise DeviceError('nobody offers control/move_to: start a mode, or move by hand')
        goal = MoveTo.Goal(
            joint_names=list(self._joints), position=[float(v) for v in q], speed_scale=MOVE_SPEED
        )
        sent = self._move.send_goal_async(goal)
        self._spin_until(sent.done, 5.0)
        handle = sent.result() if sent.done() else None
        if handle is None or not handle.accepted:
            raise DeviceError('control/move_to refuses: is the gate idle and not stopped?')
        result = handle.get_result_async()
        if not self._spin_until(result.done, MOVE_TIMEOUT):
            self._spin_until(handle.cancel_goal_async().done, 2.0)
            raise DeviceError(f'not there after {MOVE_TIMEOUT:.0f} s')
        if not result.result().result.success:
            raise DeviceError(result.result().result.message)

    def close(self) -> None:
        """Leave ROS."""
        self.destroy_node()
        rclpy.try_shutdown()


def open_live(camera: str, joints: tuple[str, ...], namespace: str = '') -> LiveCell:
    """Join ROS and return the live cell; Ctrl-C stays that of the caller."""
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    return LiveCell(camera, joints, namespace)
