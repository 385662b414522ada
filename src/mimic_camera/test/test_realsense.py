"""The RealSense source on the SDK's own software device."""

import threading
import time

import numpy as np
import pytest

from mimic_camera import Reader, RealSenseSource
from mimic_core.errors import SourceError

rs = pytest.importorskip(
    'pyrealsense2', reason='libusb-1.0-0 is not installed', exc_type=ImportError
)
WIDTH, HEIGHT = 64, 48


class SoftwareCamera:
    """Two streams whose frames the test pushes; unplugged it raises as the pipeline does."""

    def __init__(self, domain=rs.timestamp_domain.system_time):
        self.domain = domain
        self.device = rs.software_device()
        sensor = self.device.add_sensor('camera')
        self.sensor, self.number, self.plugged = sensor, 0, True
        intrinsics = rs.intrinsics()
        intrinsics.width, intrinsics.height = WIDTH, HEIGHT
        intrinsics.fx = intrinsics.fy = 60.0
        intrinsics.ppx, intrinsics.ppy = 31.5, 23.5
        intrinsics.model, intrinsics.coeffs = rs.distortion.brown_conrady, [0.0] * 5
        self.color = self._stream(rs.stream.color, rs.format.rgb8, 3, 0, intrinsics)
        self.depth = self._stream(rs.stream.depth, rs.format.z16, 2, 1, intrinsics)
        sensor.add_read_only_option(rs.option.depth_units, 0.001)
        extrinsics = rs.extrinsics()
        extrinsics.rotation, extrinsics.translation = [1, 0, 0, 0, 1, 0, 0, 0, 1], [0, 0, 0]
        self.depth.register_extrinsics_to(self.color, extrinsics)
        self.device.create_matcher(rs.matchers.default)
        self.syncer = rs.syncer()
        sensor.open([self.color, self.depth])
        sensor.start(self.syncer)

    def _stream(self, kind, form, bpp, uid, intrinsics):
        stream = rs.video_stream()
        stream.type, stream.fmt, stream.bpp, stream.uid = kind, form, bpp, uid
        stream.width, stream.height, stream.fps, stream.index = WIDTH, HEIGHT, 30, 0
        stream.intrinsics = intrinsics
        return self.sensor.add_video_stream(stream)

    def push(self, value):
        self.number += 1
        for profile, pixels, bpp in (
            (self.color, np.full((HEIGHT, WIDTH, 3), value, np.uint8), 3),
            (self.depth, np.full((HEIGHT, WIDTH), 1000 + value, np.uint16), 2),
        ):
            frame = rs.software_video_frame()
            frame.pixels, frame.stride, frame.bpp = pixels, WIDTH * bpp, bpp
            frame.timestamp, frame.domain = (self.number - 1) * 33.0, self.domain
            frame.frame_number = self.number
            frame.profile = profile.as_video_stream_profile()
            if bpp == 2:
                frame.depth_units = 0.001
            self.sensor.on_video_frame(frame)

    def wait_for_frames(self, timeout_ms):
        if not self.plugged:
            raise RuntimeError("Frame didn't arrive within 1000")
        for _ in range(10):  # the first sets of the syncer may lack a stream
            self.push(self.number % 200)
            frames = self.syncer.wait_for_frames(timeout_ms)
            if frames.size() == 2:
                return frames
        raise RuntimeError('no pair of frames')


def test_colour_depth_intrinsics_and_stamp_come_from_one_capture():
    camera = SoftwareCamera()
    source = RealSenseSource('', lambda: 0.0, 'c', start=lambda: (camera, 0.001))
    source.open()
    frames = [source.read() for _ in range(4)]
    for frame in frames:
        assert frame.depth[20, 30] == 1000 + int(frame.color[20, 30, 0])
        assert frame.intrinsics.fx == 60.0 and frame.intrinsics.cx == 31.5
        assert 0.0 < frame.stamp < 1.0
    assert np.all(np.diff([f.stamp for f in frames]) > 0.03)
    source.close()


def test_another_depth_scale_is_turned_into_millimetres():
    camera = SoftwareCamera()
    source = RealSenseSource('', lambda: 0.0, 'c', start=lambda: (camera, 0.00025))
    source.open()
    frame = source.read()
    assert frame.depth[20, 30] == (1000 + int(frame.color[20, 30, 0])) // 4


def test_unplugging_is_reported_and_mended(monkeypatch):
    monkeypatch.setattr('mimic_camera.source.FIRST_RETRY', 0.01)
    cameras = []

    def start():
        if len(cameras) == 1:
            cameras.append(None)
            raise RuntimeError('No device connected')
        cameras.append(SoftwareCamera(rs.timestamp_domain.hardware_clock))
        return cameras[-1], 0.001

    frames, errors, back = [], [], threading.Event()

    def on_frame(frame):
        frames.append(frame)
        if len(frames) == 3:
            cameras[0].plugged = False
        if len(frames) > 5:
            back.set()

    source = RealSenseSource('', time.monotonic, 'c', start=start)
    reader = Reader(source, on_frame, lambda: errors.append(reader.status.error))
    reader.start()
    assert back.wait(10.0)
    reader.stop()
    assert any('stopped' in e for e in errors) and any('does not start' in e for e in errors)


def test_no_camera_connected_says_so():
    if rs.context().query_devices().size() > 0:
        pytest.skip('a RealSense camera is connected')
    with pytest.raises(SourceError, match='no RealSense camera is connected'):
        RealSenseSource('', lambda: 0.0, 'c').open()
