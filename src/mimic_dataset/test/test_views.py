import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from mimic_bringup.human_video import write_camera
from mimic_core.errors import ConfigError
from mimic_core.frames import BASE, from_xyz_quat, inverse, to_quat_xyzw
from mimic_dataset.command import ingest_parser
from mimic_dataset.views import default_file, file_of_video, view_of_bag, view_of_file
from mimic_description import load_robot
from mimic_sim.bare_hand import BareHandParams
from mimic_sim.scene import agent_camera_pose
from mimic_sim.twin import Twin

from .conftest import ROOT

ROBOT = load_robot('iiwa14', 'robotiq_2f85')
FRAME = 'agent_camera_color_optical_frame'
POSE = from_xyz_quat(np.array([1.0, 0.5, 0.6]), np.array([0.0, 0.6, 0.0, 0.8]))


@pytest.mark.parametrize(
    ('arm', 'hand'),
    [('iiwa14', 'robotiq_2f85'), ('iiwa7', 'allegro'), ('panda', 'panda_hand'),
     ('so101', 'so101_gripper')],
)  # fmt: skip
def test_the_agent_camera_of_the_files_is_that_of_the_twin(arm, hand, tmp_path):
    robot = load_robot(arm, hand)
    twin = Twin(robot, 'pick_place', 0)
    world_T_camera = agent_camera_pose(twin.area)
    twin.close()
    base_T_world = inverse(robot.fk(robot.home, BASE))
    write_camera(tmp_path, BareHandParams(arm=arm))
    view = view_of_file(file_of_video(tmp_path / 'a.mp4', arm), robot)
    np.testing.assert_allclose(view.base_T_camera, base_T_world @ world_T_camera, atol=3e-6)
    if arm == 'iiwa14':  # episodes that were made without the file beside them stay as they are
        default = view_of_file(ROOT / 'config' / 'cameras' / 'agent.yaml', robot)
        np.testing.assert_array_equal(default.base_T_camera, view.base_T_camera)


def test_the_default_camera_is_not_taken_for_that_of_another_arm(monkeypatch, tmp_path):
    default = tmp_path / 'agent.yaml'
    default.write_bytes((ROOT / 'config' / 'cameras' / 'agent.yaml').read_bytes())
    monkeypatch.setenv('MIMIC_CAMERA_PATH', str(tmp_path))
    video = tmp_path / 'videos' / 'a.mp4'
    assert file_of_video(video, 'iiwa14') == default
    for arm in ('iiwa7', 'panda', 'so101'):
        words = (
            rf'a\.mp4: .*agent\.yaml, record\.twin: .*iiwa14 has it, not that of {arm}.*--camera'
        )
        with pytest.raises(ConfigError, match=words):
            file_of_video(video, arm)
    text = 'parent: base_link\nxyz: [1, 0, 1]\nlook_at: [0, 0, 0]\n'
    for own in (
        text,
        text + 'record: {twin: iiwa14, hand_eye: {}}\n',
    ):  # written by hand, measured
        default.write_text(own)
        assert file_of_video(video, 'panda') == default


def test_a_file_without_a_pose_is_refused(tmp_path):
    file = tmp_path / 'camera.yaml'
    for text in ('parent: world\n', 'parent: table\nxyz: [1, 0, 1]\nlook_at: [0, 0, 0]\n'):
        file.write_text(text)
        with pytest.raises(ConfigError, match=r'camera\.yaml: needs the pose'):
            view_of_file(file, ROBOT)


def test_the_default_file_is_where_cameras_are(monkeypatch, tmp_path):
    monkeypatch.setenv('MIMIC_CAMERA_PATH', str(tmp_path))
    assert default_file() == tmp_path / 'agent.yaml'


def bag(path, edges):
    """A bag with one picture and /tf_static of (parent, child, pose)."""
    store = get_typestore(Stores.ROS2_JAZZY)
    make = {name.rsplit('/', 1)[-1]: kind for name, kind in store.types.items()}
    stamp = make['Time'](sec=1, nanosec=0)

    def transform(parent, child, pose):
        x, y, z = pose[:3, 3].tolist()
        qx, qy, qz, qw = to_quat_xyzw(pose).tolist()
        return make['TransformStamped'](
            header=make['Header'](stamp=stamp, frame_id=parent),
            child_frame_id=child,
            transform=make['Transform'](
                translation=make['Vector3'](x=x, y=y, z=z),
                rotation=make['Quaternion'](x=qx, y=qy, z=qz, w=qw),
            ),
        )

    rows = [
        ('/agent_camera/color/image_raw', 'sensor_msgs/msg/Image', make['Image'](
            header=make['Header'](stamp=stamp, frame_id=FRAME), height=1, width=1,
            encoding='rgb8', is_bigendian=0, step=3, data=np.zeros(3, np.uint8))),
        ('/tf_static', 'tf2_msgs/msg/TFMessage', make['TFMessage'](
            transforms=[transform(*edge) for edge in edges])),
    ]  # fmt: skip
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for topic, kind, message in rows:
            connection = writer.add_connection(topic, kind, typestore=store)
            writer.write(connection, 10**9, store.serialize_cdr(message, kind))
    return path


BASE_POSE = from_xyz_quat(np.array([0.1, 0.2, 0.0]), np.array([0.0, 0.0, 1.0, 0.0]))


@pytest.mark.parametrize(
    ('edges', 'wanted'),
    [
        ([('base_link', FRAME, POSE)], POSE),
        ([('world', FRAME, POSE)], inverse(ROBOT.fk(ROBOT.home, BASE)) @ POSE),
        ([('world', 'stand', POSE), ('stand', FRAME, POSE), ('world', 'base_link', BASE_POSE)],
         inverse(BASE_POSE) @ POSE @ POSE),
        ([('elsewhere', FRAME, POSE)], None),
        ([('world', 'base_link', BASE_POSE)], None),
    ],
)  # fmt: skip
def test_a_bag_tells_where_its_camera_was(tmp_path, edges, wanted):
    view = view_of_bag(bag(tmp_path / 'bag', edges), ROBOT, 'agent_camera')
    if wanted is None:
        assert view is None
    else:
        np.testing.assert_allclose(view.base_T_camera, wanted, atol=1e-9)


def test_options_of_ingest_are_the_parameters():
    given = ingest_parser().parse_args(['v.mp4', '--task', 't', '--hand', 'h', '--max-gap', '0.5'])
    assert given.max_gap == 0.5 and given.fps == 10
