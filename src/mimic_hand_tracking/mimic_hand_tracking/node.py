"""ROS shell of the hand tracker."""

import time

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image

from mimic_core import ros
from mimic_core.camera import Intrinsics
from mimic_core.errors import MimicError
from mimic_hand_tracking import conversions
from mimic_hand_tracking.params import TrackingParams
from mimic_hand_tracking.ros import COLOR, INFO, ColorAndDepth
from mimic_hand_tracking.sync import Pair
from mimic_hand_tracking.tracker import HandTracker
from mimic_interfaces.msg import HandArray

HANDS = 'hand_tracking/hands'
SILENCE = 1.0  # [s] without an image, after which diagnostics say so


class HandTrackingNode(Node):
    """Turn camera images into hands in metres."""

    def __init__(self) -> None:
        super().__init__('hand_tracking')
        self._params = ros.declare_params(self, TrackingParams)
        self._tracker = HandTracker(self._params)
        self._intrinsics: Intrinsics | None = None
        self._fault = ''
        self._images, self._last_hands, self._last_image = 0, 0, float('-inf')
        self._hands_pub = self.create_publisher(HandArray, HANDS, ros.publisher_qos(HANDS))
        self.create_subscription(CameraInfo, INFO, self._on_info, ros.subscription_qos(INFO))
        self._pairs = ColorAndDepth(
            self, self._params.depth_wait, self._process, depth=self._params.use_depth
        )
        self._diagnostics = ros.Diagnostics(self, self._report)

    def _on_info(self, msg: CameraInfo) -> None:
        try:
            self._intrinsics = conversions.intrinsics_from_msg(msg)
        except MimicError as error:
            self._skip(f'camera_info: {error}')

    def _process(self, pair: Pair[Image, Image]) -> None:
        self._last_image = time.perf_counter()
        if self._intrinsics is None:
            self._skip(f'no {INFO} yet')
            return
        msg = pair.color
        try:
            hands = self._tracker.process(
                conversions.color_from_msg(msg),
                None if pair.depth is None else conversions.depth_from_msg(pair.depth),
                self._intrinsics,
                ros.seconds(msg.header.stamp),
            )
        except MimicError as error:
            self._skip(str(error))
            return
        self._fault = ''
        self._images += 1
        self._last_hands = len(hands)
        took = time.perf_counter() - pair.arrived
        self._hands_pub.publish(conversions.hands_to_msg(hands, msg.header, took))

    def _skip(self, reason: str) -> None:
        self._fault = reason
        self.get_logger().warning(f'image skipped: {reason}', throttle_duration_sec=1.0)

    def _report(self) -> tuple[bytes, str, dict[str, object]]:
        timing = self._tracker.timing
        values: dict[str, object] = {
            'images': self._images,
            'replaced_by_newer': self._pairs.sync.dropped,
            'depth_too_late': self._pairs.sync.without_depth,
            'detector_time': f'{timing.detector:.4f} s',
            'rest_time': f'{timing.rest:.4f} s',
            'tracks': ', '.join(
                f'{t.id} {t.side}, hand length {t.hand_length:.3f} m' for t in self._tracker.tracks
            ),
        }
        if self._fault:
            return ros.ERROR, self._fault, values
        if time.perf_counter() - self._last_image > SILENCE:
            return ros.STALE, f'no image on {COLOR}', values
        return ros.OK, f'{self._last_hands} hands', values

    def destroy_node(self) -> None:
        """Release the detector, then the node."""
        self._tracker.close()
        super().destroy_node()


def main() -> None:
    """Run the node until it is stopped."""
    ros.run(HandTrackingNode)
