"""Bags: a path for each object, a table, a sheet; and bags that are no use."""

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from scipy.spatial.transform import Rotation

from mimic_core.errors import ConfigError, SourceError
from mimic_core.frames import transform
from mimic_object_tracking import ObjectTracker, ObjectTrackingParams, cli
from mimic_object_tracking.cli import main
from mimic_object_tracking.drawing import save_picture
from mimic_object_tracking.recorded import ObjectPath, bag_frames, follow, read_paths, write_paths

STORE = get_typestore(Stores.ROS2_JAZZY)
PARAMS = ObjectTrackingParams(objects=('box.obj',))


def write_bag(path, frames, depth=True, lost=()):
    """Write frames as a camera's driver would be recorded; some have lost their depth."""
    types = STORE.types
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        topics = {}
        for name, kind in (
            ('color/image_raw', 'Image'),
            ('aligned_depth_to_color/image_raw', 'Image'),
            ('color/camera_info', 'CameraInfo'),
        ):
            if depth or 'depth' not in name:
                topics[name] = writer.add_connection(
                    f'/camera/{name}', f'sensor_msgs/msg/{kind}', typestore=STORE
                )
        for row, frame in enumerate(frames):
            ns = round((1e9 + frame.stamp) * 1e9)
            time = types['builtin_interfaces/msg/Time'](ns // 10**9, ns % 10**9)
            header = types['std_msgs/msg/Header'](time, 'camera_color_optical_frame')
            h, w, k = *frame.depth.shape, frame.intrinsics.matrix.ravel()
            roi = types['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False)
            p = np.hstack([k.reshape(3, 3), np.zeros((3, 1))]).ravel()
            info = types['sensor_msgs/msg/CameraInfo'](
                header, h, w, 'plumb_bob', np.zeros(5), k, np.eye(3).ravel(), p, 0, 0, roi
            )
            messages = {'color/camera_info': info}
            for name, encoding, array in (
                ('color/image_raw', 'rgb8', frame.color),
                ('aligned_depth_to_color/image_raw', '16UC1', frame.depth),
            ):
                data = np.frombuffer(array.tobytes(), np.uint8)
                messages[name] = types['sensor_msgs/msg/Image'](
                    header, h, w, encoding, 0, len(data) // h, data
                )
            for name, connection in topics.items():
                if row in lost and 'depth' in name:
                    continue
                raw = STORE.serialize_cdr(messages[name], connection.msgtype)
                writer.write(connection, ns, raw)


def pose(x, yaw=0.5):
    return transform(Rotation.from_euler('z', yaw).as_matrix(), np.array([x, 0.0, 0.03]))


@pytest.fixture(scope='module')
def moving(box_stage):
    return [box_stage.still(pose(0.004 * i), i / 30)[0] for i in range(12)]


@pytest.fixture(scope='module')
def mesh(box, tmp_path_factory):
    path = tmp_path_factory.mktemp('mesh') / 'box.stl'
    box.trimesh().export(path)
    return path


def test_a_bag_becomes_a_table_and_a_sheet(moving, mesh, tmp_path, capsys):
    write_bag(tmp_path / 'bag', moving)
    out = tmp_path / 'out'
    with pytest.raises(SystemExit) as end:
        main([str(tmp_path / 'bag'), '--object', str(mesh), '--out', str(out)])
    said = capsys.readouterr().out
    assert end.value.code == 0, said
    assert 'box moves up to 3' in said
    (path,) = read_paths(out / 'poses.csv')
    assert path.name == 'box' and len(path.stamps) == 12 and path.seen == 1.0
    np.testing.assert_allclose(np.diff(path.stamps), 1 / 30, atol=1e-4)
    assert path.travel()[0] == pytest.approx(0.036, abs=0.003)  # 11 steps less the medians
    assert (out / 'sheet.png').stat().st_size > 20_000


def test_an_object_that_never_moves_is_told(box_stage, mesh, tmp_path, capsys):
    write_bag(tmp_path / 'bag', [box_stage.still(pose(0.0), i / 30)[0] for i in range(5)])
    with pytest.raises(SystemExit) as end:
        main([str(tmp_path / 'bag'), '--object', str(mesh), '--out', str(tmp_path / 'out')])
    assert end.value.code == 1
    assert 'box never moves: 0.' in capsys.readouterr().out


def test_an_object_that_is_not_there_is_told(box_stage, mesh, tmp_path, capsys):
    write_bag(tmp_path / 'bag', [box_stage.still(None, i / 30)[0] for i in range(3)])
    with pytest.raises(SystemExit) as end:
        main([str(tmp_path / 'bag'), '--object', str(mesh), '--out', str(tmp_path / 'out')])
    assert end.value.code == 1
    assert 'box is never seen' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('option', 'value', 'says'),
    [
        ('farthest', '0.2', 'box is never seen'),
        ('estimator', 'magic', "estimator 'magic' is not"),
        ('segmenter', 'magic', "segmenter 'magic' is not"),
        ('markers', 'none.yaml', 'none.yaml cannot be read'),
        ('clearance', '1', 'clearance'),
    ],
)
def test_how_objects_are_found_are_options(moving, mesh, tmp_path, capsys, option, value, says):
    write_bag(tmp_path / 'bag', moving[:2])
    given = [str(tmp_path / 'bag'), '--object', str(mesh), '--out', str(tmp_path / 'out')]
    with pytest.raises(SystemExit) as end:
        main([*given, f'--{option}', value])
    said = capsys.readouterr()
    assert end.value.code == (1 if says == 'box is never seen' else 2)
    assert says in (said.out if end.value.code == 1 else said.err)


def test_a_bag_without_depth(moving, mesh, tmp_path, capsys):
    write_bag(tmp_path / 'bag', moving[:3], depth=False)
    with pytest.raises(SystemExit) as end:
        main([str(tmp_path / 'bag'), '--object', str(mesh), '--out', str(tmp_path / 'out')])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert (
        said.startswith('track: ') and '3 of 3 pictures have no depth, in which the shape' in said
    )
    assert not [*(tmp_path / 'out').iterdir()]


def test_a_folder_that_cannot_be_made_is_told_before_the_work(mesh, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cli, 'follow', None)
    (tmp_path / 'out').write_text('a file')
    with pytest.raises(SystemExit) as end:
        main([str(tmp_path / 'bag'), '--object', str(mesh), '--out', str(tmp_path / 'out')])
    said = capsys.readouterr().err
    assert end.value.code == 2 and said.startswith('track: ') and str(tmp_path / 'out') in said


def test_a_sheet_that_cannot_be_written_is_an_error(tmp_path):
    """No disk is full and nobody is refused here: the folder is not there."""
    picture = np.zeros((4, 6, 3), np.uint8)
    picture[..., 0] = 200  # red
    save_picture(tmp_path / 'sheet.png', picture)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / 'sheet.png'))[..., ::-1], picture)
    with pytest.raises(FileNotFoundError, match=r'none/sheet\.png'):
        save_picture(tmp_path / 'none/sheet.png', picture)


def test_a_picture_that_has_lost_its_depth_is_left_out_and_told(moving, mesh, tmp_path, capsys):
    write_bag(tmp_path / 'bag', moving, lost=(0, 5))
    out = tmp_path / 'out'
    with pytest.raises(SystemExit) as end:
        main([str(tmp_path / 'bag'), '--object', str(mesh), '--out', str(out)])
    said = ' '.join(capsys.readouterr().out.split())
    assert end.value.code == 0, said
    assert 'seen in 100 % of 10 pictures; 2 more have no depth and are left out' in said
    (path,) = read_paths(out / 'poses.csv')
    np.testing.assert_allclose(np.diff(path.stamps)[3:5], [2 / 30, 1 / 30], atol=1e-4)


def test_no_bag_and_no_pictures(box, tmp_path):
    with pytest.raises(SourceError, match='there is no bag'):
        next(bag_frames(tmp_path / 'none', 'camera'))
    with pytest.raises(SourceError, match='no pictures'):
        follow(iter(()), ObjectTracker([box], PARAMS))


def test_a_table_comes_back(tmp_path):
    rng = np.random.default_rng(0)
    poses = np.tile(np.eye(4), (5, 1, 1))
    poses[:, :3, :3] = Rotation.random(5, rng=rng).as_matrix()
    poses[:, :3, 3] = rng.normal(size=(5, 3))
    path = ObjectPath('mug', np.arange(5.0), poses, np.array([0.9, 0.8, 0.0, 0.7, 1.0]))
    write_paths((path,), tmp_path / 'poses.csv')
    (back,) = read_paths(tmp_path / 'poses.csv')
    keep = [0, 1, 3, 4]
    np.testing.assert_allclose(back.poses, poses[keep], atol=1e-5)
    np.testing.assert_allclose(back.stamps, path.stamps[keep])
    np.testing.assert_allclose(back.confidence, path.confidence[keep])


def test_tables_that_are_wrong(tmp_path):
    file = tmp_path / 'poses.csv'
    with pytest.raises(ConfigError, match='cannot be read'):
        read_paths(file)
    file.write_text('a,b\n')
    with pytest.raises(ConfigError, match='first line'):
        read_paths(file)
    header = 'stamp,object,x,y,z,qx,qy,qz,qw,confidence\n'
    file.write_text(header + '0,mug,0,0,zero,0,0,0,1,1\n')
    with pytest.raises(ConfigError, match='line 2'):
        read_paths(file)
    file.write_text(header + '0,mug,0,0,0,0,0,0,1,1\n0,mug,0,0\n')
    with pytest.raises(ConfigError, match='line 3: 4 columns'):
        read_paths(file)


def test_travel_does_not_count_single_jumps():
    poses = np.tile(np.eye(4), (9, 1, 1))
    poses[4, 0, 3] = 0.2  # one wrong picture
    still = ObjectPath('mug', np.arange(9.0), poses, np.ones(9))
    assert not still.moves and 'never moves' in still.summary()
    poses[5:, :3, :3] = Rotation.from_euler('x', 0.5).as_matrix()
    assert ObjectPath('mug', np.arange(9.0), poses, np.ones(9)).moves
