"""The node over real topics: a box in pictures, hands, faults, shutdown."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimic_core.frames import transform

pytestmark = pytest.mark.ros
NODE = [sys.executable, '-c', 'from mimic_object_tracking.node import main; main()']
HERE = transform(Rotation.from_euler('z', 0.5).as_matrix(), np.array([0.02, 0.0, 0.03]))


@pytest.fixture
def bench(ros_domain):
    """A node in a process of its own, and another that plays the camera and listens."""
    import rclpy
    from diagnostic_msgs.msg import DiagnosticArray
    from sensor_msgs.msg import CameraInfo, Image

    from mimic_core import ros
    from mimic_interfaces.msg import ObjectPoseArray

    class Bench:
        def __init__(self):
            self.context = rclpy.Context()
            rclpy.init(context=self.context)
            self.node = rclpy.create_node('bench', context=self.context)
            self.executor = rclpy.executors.SingleThreadedExecutor(context=self.context)
            self.executor.add_node(self.node)
            topics = {
                'color': (Image, 'camera/color/image_raw'),
                'depth': (Image, 'camera/aligned_depth_to_color/image_raw'),
                'info': (CameraInfo, 'camera/color/camera_info'),
            }
            self.publishers = {
                name: self.node.create_publisher(kind, topic, ros.publisher_qos(topic))
                for name, (kind, topic) in topics.items()
            }
            self.messages, self.reports = [], []
            self.node.create_subscription(
                ObjectPoseArray, 'object_tracking/objects', self.messages.append, ros.STREAM_QOS
            )
            self.node.create_subscription(DiagnosticArray, '/diagnostics', self.reports.append, 10)
            self.process = None

        def start(self, *arguments):
            self.process = subprocess.Popen([*NODE, '--ros-args', *arguments])
            for publisher in self.publishers.values():
                self.until(lambda p=publisher: p.get_subscription_count() > 0, 60)

        def until(self, ready, seconds, each=lambda: None):
            end = time.monotonic() + seconds
            while not ready():
                assert time.monotonic() < end, 'timed out'
                assert self.process.poll() is None, 'the node has died'
                each()
                pause = time.monotonic() + 0.08
                while time.monotonic() < pause:
                    self.executor.spin_once(timeout_sec=0.02)

        def send(self, frame, *, depth=True):
            stamp, name = ros.to_stamp(time.time()), 'camera_color_optical_frame'
            self.publishers['info'].publish(ros.intrinsics_to_msg(frame.intrinsics, stamp, name))
            if depth:
                self.publishers['depth'].publish(ros.image_to_msg(frame.depth, stamp, name))
            self.publishers['color'].publish(ros.image_to_msg(frame.color, stamp, name))

        def said(self, level):
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


def test_a_box_is_published_and_faults_are_told(bench, box, box_stage, tmp_path):
    from mimic_core import ros

    mesh = tmp_path / 'box.stl'
    box.trimesh().export(mesh)
    frame, truth = box_stage.still(HERE)
    bench.start('-p', f'objects:=[{mesh}]')
    bench.until(lambda: any(m.objects for m in bench.messages), 60, lambda: bench.send(frame))
    message = next(m for m in bench.messages if m.objects)
    assert message.header.frame_id == 'camera_color_optical_frame'
    (found,) = message.objects
    assert found.name == 'box' and 0.5 < found.confidence <= 1.0
    pose = ros.pose_from_msg(found.pose)
    distance, angle = box.symmetry.difference(pose, truth.objects['box'])
    assert distance < 0.003 and angle < 0.02
    bench.until(lambda: '1 objects seen' in bench.said(ros.OK), 15, lambda: bench.send(frame))

    empty, _ = box_stage.still(None)
    bench.reports.clear()  # while it was searched for at first it was not seen either
    bench.until(lambda: 'not seen: box' in bench.said(ros.WARN), 15, lambda: bench.send(empty))
    assert bench.messages[-1].objects == []
    bench.until(
        lambda: any('no depth' in m for m in bench.said(ros.ERROR)),
        20,
        lambda: bench.send(frame, depth=False),
    )
    bench.until(lambda: bench.messages[-1].objects, 20, lambda: bench.send(frame))  # it goes on
    bench.process.send_signal(signal.SIGINT)
    assert bench.process.wait(15) == 0


def test_hands_survive_the_message():
    from std_msgs.msg import Header

    from mimic_core.hand import TrackedHand
    from mimic_hand_tracking.conversions import hands_to_msg
    from mimic_object_tracking.conversions import hands_from_msg

    points = np.random.default_rng(0).random((21, 3))
    points[4] = np.nan
    hand = TrackedHand(3, 'left', 'pnp', points, np.full(21, 0.5), np.ones((21, 2)), 0.75)
    (back,) = hands_from_msg(hands_to_msg((hand,), Header(), 0.01))
    np.testing.assert_array_equal(back.keypoints, points)
    np.testing.assert_array_equal(back.pixels, hand.pixels)
    assert (back.track_id, back.side, back.method, back.score) == (3, 'left', 'pnp', 0.75)


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        ([], 'objects'),
        (['-p', 'objects:=[none.obj]'], 'there is no mesh none.obj'),
        (['-p', 'objects:=[none.obj]', '-p', 'farthest:=99.0'], 'farthest'),
    ],
)
def test_a_bad_parameter_ends_the_node_with_one_line(ros_domain, arguments, says):
    result = subprocess.run(
        [*NODE, '--ros-args', *arguments], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 1
    assert says in result.stdout + result.stderr
    assert 'Traceback' not in result.stderr
