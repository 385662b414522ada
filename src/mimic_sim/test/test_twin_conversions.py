import numpy as np
import pytest

pytestmark = pytest.mark.ros
pytest.importorskip('mimic_interfaces.msg')

from builtin_interfaces.msg import Time  # noqa: E402

from mimic_core.ros import image_from_msg, pose_from_msg  # noqa: E402
from mimic_description import load_robot  # noqa: E402
from mimic_sim import twin_conversions as conversions  # noqa: E402
from mimic_sim.twin import Twin  # noqa: E402
from mimic_sim.twin_params import TwinParams  # noqa: E402

STAMP = Time(sec=7, nanosec=500_000_000)


@pytest.fixture(scope='module')
def twin():
    twin = Twin(load_robot('iiwa14', 'allegro'), params=TwinParams(width=64, height=48))
    yield twin
    twin.close()


def test_states_round_trip(twin: Twin) -> None:
    joint_state = conversions.joint_state_to_msg(twin, STAMP)
    assert tuple(joint_state.name) == twin.robot.joint_names
    for values, expected in zip(
        (joint_state.position, joint_state.velocity, joint_state.effort),
        twin.joint_state(),
        strict=True,
    ):
        np.testing.assert_array_equal(values, expected)
    status = conversions.status_to_msg(twin, STAMP, 0.9)
    assert (status.task, status.success, status.header.frame_id) == ('pick_place', False, 'world')
    assert status.header.stamp == STAMP
    np.testing.assert_allclose(pose_from_msg(status.grasp_center), twin.grasp_center(), atol=1e-9)
    poses = {o.name: pose_from_msg(o.pose) for o in status.objects}
    np.testing.assert_allclose(poses['cube'], twin.objects()['cube'], atol=1e-9)
    np.testing.assert_allclose(poses['target'], twin.target(), atol=1e-9)
    assert [o.name for o in conversions.object_poses_to_msg(twin, STAMP).objects] == ['cube']
    pads = conversions.tactile_to_msg(twin, STAMP).pads
    assert [pad.name for pad in pads] == list(twin.robot.tip_frames().values())
    assert all(len(pad.force) == 1 for pad in pads)


def test_pictures(twin: Twin) -> None:
    frame = twin.render('wrist')
    msgs = conversions.camera_to_msgs('wrist', frame)
    color = msgs['wrist_camera/color/image_raw']
    depth = msgs['wrist_camera/aligned_depth_to_color/image_raw']
    info = msgs['wrist_camera/color/camera_info']
    np.testing.assert_array_equal(image_from_msg(color), frame.color)
    np.testing.assert_array_equal(image_from_msg(depth), frame.depth)
    assert info.k[0] == pytest.approx(frame.intrinsics.fx)
    assert color.header == depth.header == info.header
