"""The node over real topics: a box in pictures, hands, faults, shutdown."""

import signal

import numpy as np
import pytest
from camera_bench import CameraBench, check_one_line
from scipy.spatial.transform import Rotation

from mimic_core.frames import transform

pytestmark = pytest.mark.ros
NODE = 'mimic_object_tracking.node'
HERE = transform(Rotation.from_euler('z', 0.5).as_matrix(), np.array([0.02, 0.0, 0.03]))


@pytest.fixture
def bench(ros_domain):
    from mimic_interfaces.msg import ObjectPoseArray

    made = CameraBench(NODE, ObjectPoseArray, 'object_tracking/objects', period=0.08)
    yield made
    made.close()


def test_a_box_is_published_and_faults_are_told(bench, box, box_stage, tmp_path):
    from mimic_core import ros

    mesh = tmp_path / 'box.stl'
    box.trimesh().export(mesh)
    frame, truth = box_stage.still(HERE)
    bench.start('-p', f'objects:=[{mesh}]')

    def send(frame):
        bench.send(frame.intrinsics, frame.color, frame.depth)

    bench.until(lambda: any(m.objects for m in bench.messages), 60, lambda: send(frame))
    message = next(m for m in bench.messages if m.objects)
    assert message.header.frame_id == 'camera_color_optical_frame'
    (found,) = message.objects
    assert found.name == 'box' and 0.5 < found.confidence <= 1.0
    pose = ros.pose_from_msg(found.pose)
    distance, angle = box.symmetry.difference(pose, truth.objects['box'])
    assert distance < 0.003 and angle < 0.02
    bench.until(lambda: '1 objects seen' in bench.said(ros.OK), 15, lambda: send(frame))

    empty, _ = box_stage.still(None)
    bench.reports.clear()  # while it was searched for at first it was not seen either
    bench.until(lambda: 'not seen: box' in bench.said(ros.WARN), 15, lambda: send(empty))
    assert bench.messages[-1].objects == []
    bench.until(
        lambda: any('no depth' in m for m in bench.said(ros.ERROR)),
        20,
        lambda: bench.send(frame.intrinsics, frame.color),
    )
    bench.until(lambda: bench.messages[-1].objects, 20, lambda: send(frame))  # it goes on
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


def test_hands_before_another_camera_hide_nothing():
    from types import SimpleNamespace

    from mimic_interfaces.msg import Hand, HandArray
    from mimic_object_tracking.node import ObjectTrackingNode

    msg = HandArray(hands=[Hand()])
    msg.header.frame_id = 'camera_color_optical_frame'  # of the person's camera
    node = SimpleNamespace(_hands=msg)
    for frame, hands in ((msg.header.frame_id, 1), ('agent_camera_color_optical_frame', 0)):
        seen = ObjectTrackingNode._hands_of(node, SimpleNamespace(frame_id=frame, stamp=0.0))
        assert len(seen) == hands


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        ([], 'objects'),
        (['-p', 'objects:=[none.obj]'], 'there is no mesh none.obj'),
        (['-p', 'objects:=[none.obj]', '-p', 'farthest:=99.0'], 'farthest'),
    ],
)
def test_a_bad_parameter_ends_the_node_with_one_line(ros_domain, arguments, says):
    check_one_line(NODE, arguments, says)
