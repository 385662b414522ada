"""The camera node: publishes what a source delivers."""

from pathlib import Path

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

from mimic_camera.calibration import load_calibration
from mimic_camera.params import CameraParams
from mimic_camera.source import Reader
from mimic_camera.sources import open_source
from mimic_core import ros
from mimic_core.camera import Frame


class CameraNode(Node):
    """Publish colour, aligned depth and intrinsics with one capture stamp."""

    def __init__(self, **options: object) -> None:
        super().__init__('camera', **options)
        self._params = ros.declare_params(self, CameraParams)
        calibration = (
            load_calibration(Path(self._params.calibration)) if self._params.calibration else None
        )
        qos = ros.SENSOR_PUBLISHER_QOS
        self._color = self.create_publisher(Image, 'color/image_raw', qos)
        self._depth = self.create_publisher(Image, 'aligned_depth_to_color/image_raw', qos)
        self._info = self.create_publisher(CameraInfo, 'color/camera_info', qos)
        if calibration and calibration.parent_T_optical is not None:
            transform = ros.transform_to_msg(
                calibration.parent_T_optical,
                calibration.parent,
                self._params.frame_id,
                self.get_clock().now().to_msg(),
            )
            self._static = self.create_publisher(TFMessage, '/tf_static', ros.LATCHED_QOS)
            self._static.publish(TFMessage(transforms=[transform]))
        else:
            self.get_logger().info(f'where {self._params.frame_id} stands is not known')
        self._logged = ''
        self._last_count, self._last_time = 0, ros.now(self)
        source = open_source(self._params, calibration, lambda: ros.now(self))
        self._reader = Reader(source, self._publish, self._on_status)
        self._diagnostics = ros.Diagnostics(self, self._report)
        self._end = self.create_timer(0.2, self._exit_at_end)
        self._reader.start()

    def _publish(self, frame: Frame) -> None:
        stamp = ros.to_stamp(frame.stamp)
        self._info.publish(ros.intrinsics_to_msg(frame.intrinsics, stamp, frame.frame_id))
        if frame.depth is not None:
            self._depth.publish(ros.image_to_msg(frame.depth, stamp, frame.frame_id))
        self._color.publish(ros.image_to_msg(frame.color, stamp, frame.frame_id))

    def _on_status(self) -> None:
        status = self._reader.status
        if status.state == 'failed' and status.error != self._logged:
            self.get_logger().error(f'no picture: {status.error}')
        elif status.state == 'streaming' and self._logged:
            self.get_logger().info('the source delivers again')
        elif status.state == 'ended':
            self.get_logger().info(f'the source ended after {status.frames} frames')
        self._logged = status.error if status.state == 'failed' else ''

    def _report(self) -> tuple[bytes, str, dict[str, object]]:
        status, time = self._reader.status, ros.now(self)
        rate = (status.frames - self._last_count) / max(time - self._last_time, 1e-3)
        self._last_count, self._last_time = status.frames, time
        values = {
            'source': self._params.source,
            'state': status.state,
            'rate [Hz]': f'{rate:.1f}',
            'frames': status.frames,
            'failures': status.failures,
        }
        if status.state == 'failed':
            return ros.ERROR, status.error, values
        if status.state == 'streaming' and rate == 0.0:
            return ros.STALE, 'no picture for a second', values
        return ros.OK, status.state, values

    def _exit_at_end(self) -> None:
        if self._params.exit_at_end and self._reader.status.state == 'ended':
            self.context.try_shutdown()

    def destroy_node(self) -> None:
        """Stop the reader before the publishers go."""
        self._reader.stop()
        super().destroy_node()


def main() -> None:
    """Run the node until it is stopped."""
    ros.run(CameraNode)
