"""The camera node over real topics."""

import time
from pathlib import Path

import av
import numpy as np
import pytest
from node_process import start_node

pytestmark = pytest.mark.ros
NODE, IN_PLACE = 'mimic_camera.node', ('-r', '__ns:=/camera')


def write_video(path: Path, frames: int) -> None:
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        for i in range(frames):
            picture = np.full((48, 64, 3), 4 * i % 250, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format='rgb24')))
        container.mux(stream.encode())


@pytest.fixture
def listener(ros_domain):
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros_domain)
    node = Node('listener', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)

    def spin_until(done, timeout=20.0):
        end = time.monotonic() + timeout
        while not done() and time.monotonic() < end:
            executor.spin_once(timeout_sec=0.05)
        return done()

    yield node, spin_until
    node.destroy_node()
    rclpy.try_shutdown(context=context)


def test_a_video_becomes_images_with_camera_info_of_the_same_stamp(listener, tmp_path):
    from sensor_msgs.msg import CameraInfo, Image

    from mimic_core.ros import SENSOR_QOS

    node, spin_until = listener
    images, infos = [], []
    node.create_subscription(Image, 'camera/color/image_raw', images.append, SENSOR_QOS)
    node.create_subscription(CameraInfo, 'camera/color/camera_info', infos.append, SENSOR_QOS)
    write_video(tmp_path / 'v.mp4', frames=60)
    process = start_node(NODE, *IN_PLACE, source='video', path=tmp_path / 'v.mp4', loop='true')
    try:
        assert spin_until(lambda: len(images) > 10 and len(infos) > 10)
    finally:
        process.terminate()
    assert process.wait(timeout=10) == 0
    stamps = {(i.header.stamp.sec, i.header.stamp.nanosec) for i in infos}
    matched = [(i.header.stamp.sec, i.header.stamp.nanosec) in stamps for i in images]
    assert sum(matched) >= len(matched) - 2  # the first and last may be cut off
    assert images[0].encoding == 'rgb8' and infos[0].k[0] > 0


def test_an_unreadable_video_ends_the_node_with_exit_code_1(ros_domain, tmp_path):
    (tmp_path / 'bad.mp4').write_bytes(b'nothing')
    process = start_node(NODE, *IN_PLACE, source='video', path=tmp_path / 'bad.mp4')
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert 'bad.mp4 cannot be read as a video' in errors and 'Traceback' not in errors


def test_a_missing_device_is_an_error_in_diagnostics_and_sends_no_picture(listener):
    from diagnostic_msgs.msg import DiagnosticArray
    from sensor_msgs.msg import Image

    from mimic_core.ros import DEFAULT_QOS, ERROR, SENSOR_QOS

    node, spin_until = listener
    images, reports = [], []
    node.create_subscription(Image, 'camera/color/image_raw', images.append, SENSOR_QOS)
    node.create_subscription(DiagnosticArray, '/diagnostics', reports.append, DEFAULT_QOS)
    process = start_node(NODE, *IN_PLACE, source='webcam', device="'77'")
    try:
        found = lambda: any(  # noqa: E731
            s.level == ERROR and 'there is no camera' in s.message
            for r in reports
            for s in r.status
        )
        assert spin_until(found)
    finally:
        process.terminate()
        process.communicate(timeout=10)
    assert not images
