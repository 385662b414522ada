"""Where the camera of a demonstration stands, by the fixed transforms of its bag."""

import numpy as np
import pytest
from rosbags.rosbag2 import Writer
from rosbags.typesys import Stores, get_typestore

from mimic_core.errors import ConfigError
from mimic_core.frames import from_xyz_rpy, inverse, to_quat_xyzw
from mimic_rl.prepare.video import camera_pose

STORE = get_typestore(Stores.ROS2_JAZZY)


def placed(x, z=0.0, tilt=0.0):
    return from_xyz_rpy(np.array([x, 0.1, z]), np.array([tilt, 0.0, 0.4]))


def bag(path, *edges):
    """Write a bag that knows some transforms: parent, child and pose of each."""
    types, kind = STORE.types, 'tf2_msgs/msg/TFMessage'
    time = types['builtin_interfaces/msg/Time'](1, 0)
    items = [
        types['geometry_msgs/msg/TransformStamped'](
            types['std_msgs/msg/Header'](time, parent), child,
            types['geometry_msgs/msg/Transform'](
                types['geometry_msgs/msg/Vector3'](*pose[:3, 3].tolist()),
                types['geometry_msgs/msg/Quaternion'](*to_quat_xyzw(pose).tolist()),
            ),
        )
        for parent, child, pose in edges
    ]  # fmt: skip
    with Writer(path, version=9) as writer:
        connection = writer.add_connection('/tf_static', kind, typestore=STORE)
        writer.write(connection, 0, STORE.serialize_cdr(types[kind](items), kind))
    return path


@pytest.mark.parametrize('parent', ['world', 'base_link', 'left_base_link'])
def test_it_is_known_in_world_or_after_a_hand_eye_calibration_in_base_link(tmp_path, parent):
    path = bag(tmp_path / 'bag', (parent, 'table', placed(0.2)), ('table', 'camera', placed(1.0)))
    np.testing.assert_allclose(camera_pose(path, 'camera'), placed(0.2) @ placed(1.0), atol=1e-9)


@pytest.mark.parametrize('parent', ['world', 'base_link'])
def test_the_base_is_the_origin_of_a_run_wherever_it_stands_on_the_table(tmp_path, parent):
    base = ('world', 'base_link', placed(0.3))
    path = bag(tmp_path / 'bag', base, (parent, 'camera', placed(1.0, 0.5)))
    wanted = placed(1.0, 0.5) if parent == 'base_link' else inverse(placed(0.3)) @ placed(1.0, 0.5)
    np.testing.assert_allclose(camera_pose(path, 'camera'), wanted, atol=1e-9)


@pytest.mark.parametrize('pose', [placed(0.3, 0.1), placed(0.3, 0.0, 0.1)])
def test_a_base_that_does_not_stand_on_the_table_is_refused(tmp_path, pose):
    camera = ('base_link', 'camera', placed(1.0))
    path = bag(tmp_path / 'bag', ('world', 'base_link', pose), camera)
    with pytest.raises(
        ConfigError, match=r"bag: topic 'tf_static': base_link is .* above the tab"
    ):
        camera_pose(path, 'camera')


def test_a_tree_that_ends_elsewhere_or_in_itself_is_refused(tmp_path):
    for number, parent in enumerate(('map', 'camera')):
        path = bag(tmp_path / str(number), (parent, 'camera', placed(1.0)))
        with pytest.raises(ConfigError, match="'world' or 'base_link' to 'camera': calibrate"):
            camera_pose(path, 'camera')
