"""The node over real topics: synthetic pictures, faults, shutdown."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytestmark = pytest.mark.ros
NODE = [sys.executable, '-c', 'from mimic_hand_tracking.node import main; main()']


@pytest.fixture
def bench(ros_domain):
    """A node in a process of its own, and another that plays the camera and listens."""
    import rclpy
    from diagnostic_msgs.msg import DiagnosticArray
    from sensor_msgs.msg import CameraInfo, Image

    from mimic_core import ros
    from mimic_core.camera import Intrinsics
    from mimic_interfaces.msg import HandArray

    class Bench:
        def __init__(self):
            self.context = rclpy.Context()
            rclpy.init(context=self.context)
            self.node = rclpy.create_node('bench', context=self.context)
            self.executor = rclpy.executors.SingleThreadedExecutor(context=self.context)
            self.executor.add_node(self.node)
            publish = lambda kind, topic: self.node.create_publisher(  # noqa: E731
                kind, topic, ros.publisher_qos(topic)
            )
            self.color = publish(Image, 'camera/color/image_raw')
            self.depth = publish(Image, 'camera/aligned_depth_to_color/image_raw')
            self.info = publish(CameraInfo, 'camera/color/camera_info')
            self.hands, self.reports = [], []
            self.node.create_subscription(
                HandArray, 'hand_tracking/hands', self.hands.append, ros.STREAM_QOS
            )
            self.node.create_subscription(DiagnosticArray, '/diagnostics', self.reports.append, 10)
            self.camera = Intrinsics.from_fov(640, 480, 0.75)
            self.process = None

        def start(self, *arguments):
            self.process = subprocess.Popen([*NODE, '--ros-args', *arguments])
            self.until(lambda: self.color.get_subscription_count() > 0, 40)
            self.until(lambda: self.info.get_subscription_count() > 0, 10)

        def until(self, ready, seconds):
            end = time.monotonic() + seconds
            while not ready():
                assert time.monotonic() < end, 'timed out'
                assert self.process.poll() is None, 'the node has died'
                self.executor.spin_once(timeout_sec=0.05)

        def send(self, stamp, array=None, depth=None, size=(640, 480)):
            info = CameraInfo(width=size[0], height=size[1], distortion_model='plumb_bob')
            c = self.camera
            info.k = [c.fx, 0.0, c.cx, 0.0, c.fy, c.cy, 0.0, 0.0, 1.0]
            info.header.stamp = ros.to_stamp(stamp)
            info.header.frame_id = 'camera_color_optical_frame'
            if array is None:
                array = np.full((size[1], size[0], 3), 90, dtype=np.uint8)
            self.info.publish(info)
            self.color.publish(self._image(info, array, 'rgb8'))
            if depth is not None:
                self.depth.publish(self._image(info, depth, '16UC1'))

        @staticmethod
        def _image(info, array, encoding):
            message = Image(header=info.header, encoding=encoding, data=array.tobytes())
            message.height, message.width = array.shape[:2]
            message.step = array[0].nbytes
            return message

        def send_until(self, ready, seconds, **images):
            """Send images at 20 Hz until the answer is there."""
            end = time.monotonic() + seconds
            while not ready():
                assert time.monotonic() < end, 'timed out'
                assert self.process.poll() is None, 'the node has died'
                self.send(time.time(), **images)
                pause = time.monotonic() + 0.05
                while time.monotonic() < pause:
                    self.executor.spin_once(timeout_sec=0.01)

        def messages_of_level(self, level):
            return [s.message for a in self.reports for s in a.status if s.level == level]

        def close(self):
            if self.process is not None and self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.executor.shutdown()
            self.node.destroy_node()
            rclpy.shutdown(context=self.context)

    made = Bench()
    yield made
    made.close()


def test_images_without_a_hand_give_empty_messages_and_faults_are_told(bench):
    from mimic_core import ros

    bench.start()
    depth = np.zeros((480, 640), dtype=np.uint16)
    bench.send_until(lambda: len(bench.hands) >= 3, 40, depth=depth)
    message = bench.hands[-1]
    assert message.hands == [] and message.processing_time > 0.0
    assert message.header.frame_id == 'camera_color_optical_frame'
    assert ros.seconds(message.header.stamp) == pytest.approx(time.time(), abs=5.0)

    wrong = np.full((240, 320, 3), 90, dtype=np.uint8)  # not the size of camera_info
    bench.send_until(
        lambda: any('colour image' in m for m in bench.messages_of_level(ros.ERROR)),
        15,
        array=wrong,
    )
    count = len(bench.hands)
    stamps = [ros.seconds(m.header.stamp) for m in bench.hands]
    assert stamps == sorted(set(stamps))
    bench.send_until(lambda: len(bench.hands) > count, 15, depth=depth)  # and it goes on

    bench.process.send_signal(signal.SIGINT)
    assert bench.process.wait(15) == 0


def test_a_real_hand_is_published(bench, shared):
    import cv2

    path = shared / 'data' / 'human_hand_video.mp4'
    if not path.exists():
        pytest.skip('no video of a real hand')
    ok, bgr = cv2.VideoCapture(str(path)).read()
    assert ok
    rgb = cv2.cvtColor(cv2.resize(bgr, (640, 480)), cv2.COLOR_BGR2RGB)
    bench.start('-p', 'filter_cutoff:=3.0')
    bench.send_until(lambda: any(m.hands for m in bench.hands), 40, array=rgb)
    hand = next(m for m in bench.hands if m.hands).hands[0]
    assert hand.side == hand.RIGHT and hand.method == hand.METHOD_PNP
    points = np.array([(p.x, p.y, p.z) for p in hand.keypoints])
    assert np.isfinite(points).all() and (points[:, 2] > 0.1).all()
    back = bench.camera.project(points)
    assert np.abs(back - np.reshape(hand.pixels, (21, 2))).max() < 25.0


@pytest.mark.parametrize(
    ('argument', 'says'),
    [('complexity:=5', 'complexity'), ('detector:=task', 'task_file')],
)
def test_a_bad_parameter_ends_the_node_with_one_line(ros_domain, argument, says):
    result = subprocess.run(
        [*NODE, '--ros-args', '-p', argument], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 1
    assert says in result.stdout + result.stderr
    assert 'Traceback' not in result.stderr
