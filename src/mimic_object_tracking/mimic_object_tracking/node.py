"""ROS shell of the object tracker."""

import time
from pathlib import Path

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image

from mimic_core import ros
from mimic_core.camera import Frame, Intrinsics
from mimic_core.errors import MimicError
from mimic_hand_tracking.ros import COLOR, INFO, ColorAndDepth
from mimic_hand_tracking.sync import Pair
from mimic_interfaces.msg import HandArray, ObjectPoseArray
from mimic_object_tracking import conversions
from mimic_object_tracking.mesh import load_object
from mimic_object_tracking.params import ObjectTrackingParams
from mimic_object_tracking.tracker import ObjectTracker

HANDS = 'hand_tracking/hands'
OBJECTS = 'object_tracking/objects'
HAND_AGE = 0.2  # [s] beyond which a tracked hand says nothing about a picture
SILENCE = 1.0  # [s] without a picture, after which diagnostics say so


class ObjectTrackingNode(Node):
    """Turn RGB-D pictures into poses of known objects."""

    def __init__(self) -> None:
        super().__init__('object_tracking')
        self._params = ros.declare_params(self, ObjectTrackingParams)
        p = self._params
        models = [load_object(Path(path), p.mesh_scale, p.symmetry) for path in p.objects]
        for model in models:
            self.get_logger().info(model.describe())
        self._tracker = ObjectTracker(models, p, background=True)
        self._intrinsics: Intrinsics | None = None
        self._hands: HandArray | None = None
        self._fault, self._images, self._last_image = '', 0, float('-inf')
        self._objects_pub = self.create_publisher(
            ObjectPoseArray, OBJECTS, ros.publisher_qos(OBJECTS)
        )
        self.create_subscription(CameraInfo, INFO, self._on_info, ros.subscription_qos(INFO))
        self._pairs = ColorAndDepth(self, p.depth_wait, self._process, depth=True)
        self.create_subscription(HandArray, HANDS, self._on_hands, ros.subscription_qos(HANDS))
        self._diagnostics = ros.Diagnostics(self, self._report)

    def _on_info(self, msg: CameraInfo) -> None:
        try:
            self._intrinsics = ros.intrinsics_from_msg(msg)
        except MimicError as error:
            self._skip(f'camera_info: {error}')

    def _on_hands(self, msg: HandArray) -> None:
        self._hands = msg

    def _process(self, pair: Pair[Image, Image]) -> None:
        self._last_image = time.perf_counter()
        if self._intrinsics is None:
            self._skip(f'no {INFO} yet')
            return
        header = pair.color.header
        try:
            depth = None if pair.depth is None else ros.image_from_msg(pair.depth)
            frame = Frame(
                ros.image_from_msg(pair.color), self._intrinsics, ros.seconds(header.stamp),
                header.frame_id, depth,
            )  # fmt: skip
            objects = self._tracker.process(frame, self._hands_of(frame))
        except MimicError as error:
            self._skip(str(error))
            return
        self._fault = ''
        self._images += 1
        self._objects_pub.publish(conversions.objects_to_msg(objects, header))

    def _hands_of(self, frame: Frame) -> tuple[conversions.TrackedHand, ...]:
        msg = self._hands
        if msg is None or msg.header.frame_id != frame.frame_id:
            return ()
        if abs(frame.stamp - ros.seconds(msg.header.stamp)) > HAND_AGE:
            return ()
        return conversions.hands_from_msg(msg)

    def _skip(self, reason: str) -> None:
        self._fault = reason
        self.get_logger().warning(f'picture skipped: {reason}', throttle_duration_sec=1.0)

    def _report(self) -> tuple[bytes, str, dict[str, object]]:
        timing, tracks = self._tracker.timing, self._tracker.tracks
        values: dict[str, object] = {
            'pictures': self._images,
            'replaced_by_newer': self._pairs.sync.dropped,
            'table': 'found' if self._tracker.plane is not None else 'not found',
            'time': f'{timing.preparation + timing.objects:.4f} s',
        }
        for track in tracks:
            reason = f': {track.reason}' if track.reason else ''
            values[track.model.name] = f'{track.state}{reason}'
        if self._fault:
            return ros.ERROR, self._fault, values
        if time.perf_counter() - self._last_image > SILENCE:
            return ros.STALE, f'no picture on {COLOR}', values
        missing = [track.model.name for track in tracks if track.state != 'tracked']
        if missing:
            return ros.WARN, f'not seen: {", ".join(missing)}', values
        return ros.OK, f'{len(tracks)} objects seen', values

    def destroy_node(self) -> None:
        """End the search in the background, then the node."""
        self._tracker.close()
        super().destroy_node()


def main() -> None:
    """Run the node until it is stopped."""
    ros.run(ObjectTrackingNode)
