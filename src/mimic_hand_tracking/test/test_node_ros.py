"""The node over real topics: synthetic pictures, faults, shutdown."""

import signal
import time

import numpy as np
import pytest
from camera_bench import CameraBench, check_one_line

from mimic_core.camera import Intrinsics

pytestmark = pytest.mark.ros
NODE = 'mimic_hand_tracking.node'
CAMERA = Intrinsics.from_fov(640, 480, 0.75)
GREY = np.full((480, 640, 3), 90, dtype=np.uint8)


@pytest.fixture
def bench(ros_domain):
    from mimic_interfaces.msg import HandArray

    made = CameraBench(NODE, HandArray, 'hand_tracking/hands', period=0.05)
    yield made
    made.close()


def test_images_without_a_hand_give_empty_messages_and_faults_are_told(bench):
    from mimic_core import ros

    bench.start()
    depth = np.zeros((480, 640), dtype=np.uint16)

    def sound():
        bench.send(CAMERA, GREY, depth)

    bench.until(lambda: len(bench.messages) >= 3, 40, sound)
    message = bench.messages[-1]
    assert message.hands == [] and message.processing_time > 0.0
    assert message.header.frame_id == 'camera_color_optical_frame'
    assert ros.seconds(message.header.stamp) == pytest.approx(time.time(), abs=5.0)

    wrong = np.full((240, 320, 3), 90, dtype=np.uint8)  # not the size of camera_info
    bench.until(
        lambda: any('colour image' in m for m in bench.said(ros.ERROR)),
        15,
        lambda: bench.send(CAMERA, wrong),
    )
    count = len(bench.messages)
    stamps = [ros.seconds(m.header.stamp) for m in bench.messages]
    assert stamps == sorted(set(stamps))
    bench.until(lambda: len(bench.messages) > count, 15, sound)  # and it goes on

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
    bench.until(lambda: any(m.hands for m in bench.messages), 40, lambda: bench.send(CAMERA, rgb))
    hand = next(m for m in bench.messages if m.hands).hands[0]
    assert hand.side == hand.RIGHT and hand.method == hand.METHOD_PNP
    points = np.array([(p.x, p.y, p.z) for p in hand.keypoints])
    assert np.isfinite(points).all() and (points[:, 2] > 0.1).all()
    back = CAMERA.project(points)
    assert np.abs(back - np.reshape(hand.pixels, (21, 2))).max() < 25.0


@pytest.mark.parametrize(
    ('argument', 'says'),
    [('complexity:=5', 'complexity'), ('detector:=task', 'task_file')],
)
def test_a_bad_parameter_ends_the_node_with_one_line(ros_domain, argument, says):
    check_one_line(NODE, ['-p', argument], says)
