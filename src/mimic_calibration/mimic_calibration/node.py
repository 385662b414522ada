"""ROS shell: pictures and joint states in, a diagnosis of the calibration out."""

from collections import deque
from pathlib import Path

from rclpy.node import Node
from sensor_msgs.msg import Image, JointState

from mimic_calibration.check import Drift, check_drift
from mimic_calibration.detection import Detector
from mimic_calibration.errors import DetectionError
from mimic_calibration.files import stored_hand_eye
from mimic_calibration.joints import JointHistory
from mimic_calibration.kinematics import Arm
from mimic_calibration.params import WatchParams
from mimic_calibration.samples import MAX_SKEW, RawSample, hand_eye_sample
from mimic_core import ros
from mimic_core.errors import MimicError

STILL_WINDOW = 0.15  # [s]
STILL_SPEED = 0.02  # [rad/s]
LEVELS = {'ok': ros.OK, 'drifting': ros.WARN, 'moved': ros.ERROR}


class WatchNode(Node):
    """Looks for the board now and then, and warns when the calibration no longer fits."""

    def __init__(self) -> None:
        super().__init__('calibration_watch')
        self._params = ros.declare_params(self, WatchParams)
        self._stored = stored_hand_eye(Path(self._params.calibration))
        self._arm = Arm(self._stored.robot.arm, self._stored.robot.prefix)
        self._detector = Detector(self._stored.board)
        self._history = JointHistory(1000)
        self._views = deque(maxlen=self._params.views)
        self._image: Image | None = None
        self._drift: Drift | None = None
        self._last = 'no picture yet'
        for message, topic, callback in (
            (Image, 'camera/color/image_raw', self._on_image),
            (JointState, 'joint_states', self._on_joints),
        ):
            self.create_subscription(message, topic, callback, ros.subscription_qos(topic))
        self.create_timer(self._params.period, self._look)
        self._diagnostics = ros.Diagnostics(self, self._report)

    def _on_image(self, msg: Image) -> None:
        self._image = msg

    def _on_joints(self, msg: JointState) -> None:
        try:
            joints = dict(zip(msg.name, map(float, msg.position), strict=True))
            self._history.add(ros.seconds(msg.header.stamp), joints)
        except (MimicError, ValueError) as error:
            self._last = str(error)

    def _look(self) -> None:
        msg, self._image = self._image, None
        if msg is None:
            self._last = 'no picture'
            return
        stamp = ros.seconds(msg.header.stamp)
        try:
            if self._history.speed(stamp, STILL_WINDOW) > STILL_SPEED:
                self._last = 'waiting for the robot to stand still'
                return
            joints, joint_stamp = self._history.at(stamp, MAX_SKEW)
            raw = RawSample('view', ros.image_from_msg(msg), joints, stamp, joint_stamp)
            self._views.append(hand_eye_sample(raw, self._detector, self._arm))
            drift = check_drift(self._stored, self._views, self._arm)
        except DetectionError as error:
            self._last = str(error)  # no board in view is no fault
            return
        except MimicError as error:
            self._last = str(error)
            self.get_logger().warning(self._last, throttle_duration_sec=10.0)
            return
        self._last = drift.sentence
        if drift.state != 'ok' and (self._drift is None or self._drift.state != drift.state):
            self.get_logger().warning(drift.sentence)
        self._drift = drift

    def _report(self) -> tuple[bytes, str, dict[str, object]]:
        if self._drift is None:
            return ros.OK, self._last, {'views': 0}
        drift = self._drift
        values = {
            'state': drift.state,
            'shift [m]': f'{drift.shift:.4f}',
            'turn [rad]': f'{drift.turn:.4f}',
            'error [px]': f'{drift.pixels:.2f}',
            'views': drift.views,
        }
        return LEVELS[drift.state], drift.sentence, values


def main() -> None:
    """Run the node until it is stopped."""
    ros.run(WatchNode)
