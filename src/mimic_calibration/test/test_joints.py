import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from mimic_calibration.bag import bag_samples
from mimic_calibration.errors import CalibrationError
from mimic_calibration.joints import JointHistory
from mimic_core.errors import NotFiniteError, SourceError, StaleInputError

STORE = get_typestore(Stores.ROS2_JAZZY)


def history(speed: float = 0.0) -> JointHistory:
    rows = JointHistory()
    for i in range(100):
        rows.add(0.01 * i, {'a': speed * 0.01 * i, 'b': 1.0})
    return rows


def test_positions_are_interpolated():
    joints, stamp = history(2.0).at(0.505, 0.05)
    assert joints == pytest.approx({'a': 1.01, 'b': 1.0})
    assert stamp == pytest.approx(0.505)


def test_joints_of_another_time():
    with pytest.raises(StaleInputError, match=r'4\.01 s apart'):
        history().at(5.0, 0.05)
    with pytest.raises(StaleInputError, match='no joint states'):
        JointHistory().at(0.0, 1.0)


def test_speed_tells_whether_the_robot_stands():
    assert history().speed(0.5, 0.1) == pytest.approx(0.0)
    assert history(0.3).speed(0.5, 0.1) == pytest.approx(0.3)
    assert history().speed(9.0, 0.1) == np.inf
    assert JointHistory().speed(0.0, 0.1) == np.inf


def test_a_state_without_numbers():
    with pytest.raises(NotFiniteError, match='elbow'):
        history().add(2.0, {'elbow': float('nan')})


def test_a_clock_that_is_set_back():
    rows = history()
    rows.add(0.2, {'a': 5.0, 'b': 1.0})
    assert rows.at(0.2, 0.05)[0]['a'] == pytest.approx(5.0)
    assert rows.speed(0.9, 0.05) == np.inf


def write_bag(path, *, still: bool, joints: bool = True) -> None:
    types = STORE.types

    def header(time: float):
        whole = round(time * 1e9)
        stamp = types['builtin_interfaces/msg/Time'](whole // 10**9, whole % 10**9)
        return types['std_msgs/msg/Header'](stamp, 'camera')

    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:

        def add(topic: str, kind: str):
            return writer.add_connection(topic, f'sensor_msgs/msg/{kind}', typestore=STORE)

        states = add('/joint_states', 'JointState') if joints else None
        color, info = (
            add('/camera/color/image_raw', 'Image'),
            add('/camera/color/camera_info', 'CameraInfo'),
        )
        for i in range(400):
            time = 100.0 + 0.01 * i
            # Four rests of half a second, each at another place.
            q = (
                time - 100.0
                if not still
                else float(int(time - 100.0)) + max(0.0, (time % 1.0) - 0.5)
            ) * 0.4
            rows = []
            if states is not None:
                empty = np.zeros(0)
                rows.append((states, types['sensor_msgs/msg/JointState'](
                    header(time), ['a'], np.array([q]), empty, empty), 'JointState'))  # fmt: skip
            if i % 5 == 0:
                k = np.array([30.0, 0, 16, 0, 30.0, 12, 0, 0, 1])
                roi = types['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False)
                rows.append((info, types['sensor_msgs/msg/CameraInfo'](
                    header(time), 24, 32, 'plumb_bob', np.zeros(5), k, np.eye(3).ravel(),
                    np.zeros(12), 0, 0, roi), 'CameraInfo'))  # fmt: skip
                data = np.full(24 * 32 * 3, i % 250, np.uint8)
                rows.append((color, types['sensor_msgs/msg/Image'](
                    header(time), 24, 32, 'rgb8', 0, 96, data), 'Image'))  # fmt: skip
            for connection, msg, kind in rows:
                raw = STORE.serialize_cdr(msg, f'sensor_msgs/msg/{kind}')
                writer.write(connection, round(time * 1e9), raw)


def test_a_bag_gives_one_sample_for_each_rest(tmp_path):
    write_bag(tmp_path / 'bag', still=True)
    samples, optics = bag_samples(tmp_path / 'bag', 'camera')
    assert [round(s.joints['a'] / 0.4) for s in samples] == [0, 1, 2, 3]
    assert optics.fx == 30.0
    assert all(abs(s.stamp - s.joint_stamp) < 0.05 for s in samples)


def test_bags_that_give_none(tmp_path):
    write_bag(tmp_path / 'moving', still=False)
    with pytest.raises(CalibrationError, match='never stands still'):
        bag_samples(tmp_path / 'moving', 'camera')
    write_bag(tmp_path / 'blind', still=True, joints=False)
    with pytest.raises(SourceError, match='no joint_states'):
        bag_samples(tmp_path / 'blind', 'camera')
    with pytest.raises(SourceError, match='cannot be read'):
        bag_samples(tmp_path / 'gone', 'camera')
