"""Bags written with the rosbags library, read by the source."""

import struct
import zlib

import numpy as np
import pytest
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from mimic_camera import BagSource, EndOfStreamError
from mimic_core.errors import SourceError

STORE = get_typestore(Stores.ROS2_JAZZY)
WIDTH, HEIGHT = 32, 24


def header(stamp_ns):
    time = STORE.types['builtin_interfaces/msg/Time'](stamp_ns // 10**9, stamp_ns % 10**9)
    return STORE.types['std_msgs/msg/Header'](time, 'camera_color_optical_frame')


def image(stamp_ns, encoding, array):
    cls = STORE.types['sensor_msgs/msg/Image']
    data = np.frombuffer(array.tobytes(), np.uint8)
    return cls(header(stamp_ns), HEIGHT, WIDTH, encoding, 0, len(data) // HEIGHT, data)


def info(stamp_ns):
    roi = STORE.types['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False)
    k = np.array([30.0, 0, 16, 0, 30.0, 12, 0, 0, 1])
    p = np.array([30.0, 0, 16, 0, 0, 30.0, 12, 0, 0, 0, 1, 0])
    cls = STORE.types['sensor_msgs/msg/CameraInfo']
    return cls(
        header(stamp_ns), HEIGHT, WIDTH, 'plumb_bob', np.zeros(5), k, np.eye(3).ravel(), p, 0, 0,
        roi,
    )  # fmt: skip


def write_bag(path, frames=5, skip_depth=(), prefix='', depth_late=0, calibrated=True, zstd=False):
    writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
    if zstd:
        writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    with writer:
        add = lambda name, kind: writer.add_connection(  # noqa: E731
            f'{prefix}/camera/{name}', f'sensor_msgs/msg/{kind}', typestore=STORE
        )
        color = add('color/image_raw', 'Image')
        depth = add('aligned_depth_to_color/image_raw', 'Image')
        infos = add('color/camera_info', 'CameraInfo')
        for i in range(frames):
            stamp = 10**18 + i * 33_000_000
            rgb = np.full((HEIGHT, WIDTH, 3), i, np.uint8)
            mm = np.full((HEIGHT, WIDTH), 500 + i, np.uint16)
            messages = [(infos, info(stamp), 'CameraInfo')] if calibrated else []
            messages.append((color, image(stamp, 'rgb8', rgb), 'Image'))
            if i not in skip_depth:
                messages.append((depth, image(stamp + depth_late, '16UC1', mm), 'Image'))
            for k, (connection, msg, kind) in enumerate(messages):
                raw = STORE.serialize_cdr(msg, f'sensor_msgs/msg/{kind}')
                writer.write(connection, stamp + k * 1000, raw)


def read(path, **options):
    source = BagSource(path, lambda: 50.0, 'c', real_time=False, **options)
    source.open()
    frames = []
    with pytest.raises(EndOfStreamError):
        while True:
            frames.append(source.read())
    source.close()
    return frames


def test_frames_come_with_the_depth_of_their_stamp(tmp_path):
    write_bag(tmp_path / 'bag')
    frames = read(tmp_path / 'bag')
    assert len(frames) == 5
    for i, frame in enumerate(frames):
        assert frame.color[0, 0, 0] == i and frame.depth[0, 0] == 500 + i
        assert frame.stamp == pytest.approx(50.0 + 0.033 * i, abs=1e-5)
    assert frames[0].intrinsics.fx == 30.0


def test_a_bag_follows_a_clock_that_jumps(tmp_path):
    write_bag(tmp_path / 'bag')
    time = [50.0]
    source = BagSource(tmp_path / 'bag', lambda: time[0], 'c')
    source.open()
    for time[0] in (50.0, 1.8e9, 20.0):
        assert source.read().stamp == pytest.approx(time[0], abs=1e-6)
    source.close()


def test_a_frame_without_depth_is_delivered_without_it(tmp_path):
    write_bag(tmp_path / 'bag', skip_depth={2})
    frames = read(tmp_path / 'bag')
    assert [f.depth is None for f in frames] == [False, False, True, False, False]
    assert [f.color[0, 0, 0] for f in frames] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize('late', [-16_000_000, -1_000_000, 1_000_000, 16_000_000])  # [ns]
def test_depth_of_the_nearest_stamp_is_taken_within_half_a_period(tmp_path, late):
    """Of pictures 33 ms apart; the depth of one is not given to its neighbour."""
    write_bag(tmp_path / 'bag', skip_depth={2}, depth_late=late)
    frames = read(tmp_path / 'bag')
    assert [f.color[0, 0, 0] for f in frames] == [0, 1, 2, 3, 4]
    seen = [f.depth is not None and int(f.depth[0, 0]) for f in frames]
    assert seen == [500, 501, False, 503, 504]
    assert frames[4].stamp - frames[0].stamp == pytest.approx(4 * 0.033, abs=1e-5)


def test_the_first_picture_may_come_before_the_first_depth(tmp_path):
    write_bag(tmp_path / 'bag', skip_depth={0}, depth_late=1_000_000)
    frames = read(tmp_path / 'bag')
    assert [f.depth is None for f in frames] == [True, False, False, False, False]
    assert frames[1].depth[0, 0] == 501


@pytest.mark.parametrize('odd', [{'skip_depth': range(3, 99)}, {'depth_late': 10**10}])
def test_depth_that_ends_or_never_fits_loses_no_picture(tmp_path, odd):
    """And pictures are not kept for it: memory stays flat."""
    write_bag(tmp_path / 'bag', frames=99, **odd)
    frames = read(tmp_path / 'bag')
    assert [f.color[0, 0, 0] for f in frames] == list(range(99))
    with_depth = 3 if 'skip_depth' in odd else 0
    assert [f.depth is not None for f in frames] == [i < with_depth for i in range(99)]
    source = BagSource(tmp_path / 'bag', lambda: 0.0, 'c', real_time=False)
    source.open()
    seen = [source.read() for _ in range(50)]
    waiting = source._frames.gi_frame.f_locals
    kept = len(waiting['colors']) + len(waiting['depths'])
    assert len(seen) == 50 and kept <= 2 * 0.5 / 0.033 + 2
    source.close()


def test_pictures_whose_intrinsics_the_bag_does_not_hold(tmp_path):
    write_bag(tmp_path / 'bag', calibrated=False)
    source = BagSource(tmp_path / 'bag', lambda: 0.0, 'c')
    source.open()
    with pytest.raises(SourceError, match='bag: /camera/color/camera_info is empty'):
        source.read()


def test_topics_under_a_namespace_are_found(tmp_path):
    write_bag(tmp_path / 'bag', prefix='/left')
    assert len(read(tmp_path / 'bag')) == 5


def test_a_bag_of_ros_1(tmp_path):
    store = get_typestore(Stores.ROS1_NOETIC)
    head = store.types['std_msgs/msg/Header'](
        0, store.types['builtin_interfaces/msg/Time'](7, 0), 'c'
    )
    new, rgb = info(0), np.full((HEIGHT, WIDTH, 3), 9, np.uint8)
    messages = {
        'camera_info': store.types['sensor_msgs/msg/CameraInfo'](
            head, HEIGHT, WIDTH, 'plumb_bob', new.d, new.k, new.r, new.p, 0, 0,
            store.types['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False),
        ),
        'image_raw': store.types['sensor_msgs/msg/Image'](
            head, HEIGHT, WIDTH, 'rgb8', 0, 3 * WIDTH, rgb.ravel()
        ),
    }  # fmt: skip
    with Ros1Writer(tmp_path / 'one.bag') as writer:
        for name, msg in messages.items():
            kind = msg.__msgtype__
            connection = writer.add_connection(f'/camera/color/{name}', kind, typestore=store)
            writer.write(connection, 7 * 10**9, store.serialize_ros1(msg, kind))
    (frame,) = read(tmp_path / 'one.bag')
    assert frame.intrinsics.fx == 30.0 and frame.color[0, 0, 0] == 9


def test_a_camera_that_is_not_in_the_bag(tmp_path):
    write_bag(tmp_path / 'bag')
    with pytest.raises(SourceError, match='its images: /camera/color/image_raw'):
        BagSource(tmp_path / 'bag', lambda: 0.0, 'c', camera='wrist_camera').open()


def test_a_bag_cut_in_the_middle_is_an_error_that_names_it(tmp_path):
    write_bag(tmp_path / 'bag', frames=40)
    file = next((tmp_path / 'bag').glob('*.mcap'))
    file.write_bytes(file.read_bytes()[:3000])
    source = BagSource(tmp_path / 'bag', lambda: 0.0, 'c', real_time=False)
    with pytest.raises(SourceError, match='bag'):
        source.open()
        while True:
            source.read()


def chunk_of(data):
    """Where the chunk is, and where and how long its messages are [B]."""
    start = 8 + 9 + struct.unpack_from('<Q', data, 9)[0]
    assert data[start] == 6
    name = struct.unpack_from('<I', data, start + 37)[0]
    return start, start + 49 + name, struct.unpack_from('<Q', data, start + 41 + name)[0]


@pytest.mark.parametrize('harm', ['checksum', 'zstd'])
def test_one_flipped_byte_is_an_error_that_names_the_bag(tmp_path, harm):
    """The footer is whole: the bag opens, and breaks in the middle."""
    write_bag(tmp_path / 'bag', zstd=harm == 'zstd')
    file = next((tmp_path / 'bag').glob('*.mcap'))
    data = bytearray(file.read_bytes())
    start, begin, size = chunk_of(data)
    if harm == 'checksum':  # rosbags writes none of its chunks, recorders do
        struct.pack_into('<I', data, start + 33, zlib.crc32(data[begin : begin + size]))
    data[begin + (size // 2 if harm == 'checksum' else 0)] ^= 0x40
    file.write_bytes(data)
    source = BagSource(tmp_path / 'bag', lambda: 0.0, 'c', real_time=False)
    source.open()
    with pytest.raises(SourceError, match=r'bag: damaged: \w'):
        source.read()
    source.close()
