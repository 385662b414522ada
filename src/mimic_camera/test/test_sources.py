"""Files, devices that are missing, and what the reader does when a source fails."""

import threading
import time
from pathlib import Path

import av
import numpy as np
import pytest

from mimic_camera import (
    BagSource,
    CameraParams,
    EndOfStreamError,
    Reader,
    VideoSource,
    WebcamSource,
    load_calibration,
    open_source,
)
from mimic_camera.source import FreezeDetector
from mimic_core.camera import Frame, Intrinsics
from mimic_core.errors import ConfigError, SourceError, UnknownNameError

CAMERA = Intrinsics.from_fov(64, 48, 0.8)


def write_video(path: Path, frames: int = 12, rate: int = 30, size=(64, 48)) -> None:
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, 'yuv420p'
        for i in range(frames):
            picture = np.full((size[1], size[0], 3), 20 * i % 250, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format='rgb24')))
        container.mux(stream.encode())


class FakeClock:
    def __init__(self):
        self.time = 100.0

    def __call__(self):
        return self.time


class ScriptedSource:
    """A device whose life is a list of frames and errors."""

    live = True

    def __init__(self, script):
        self.script, self.opened, self.closed = list(script), 0, 0

    def open(self):
        self.opened += 1
        if self.script and self.script[0] == 'missing':
            self.script.pop(0)
            raise SourceError('no camera')

    def read(self):
        if not self.script:
            raise EndOfStreamError('over')
        item = self.script.pop(0)
        if item == 'unplug':
            raise SourceError('unplugged')
        return item

    def close(self):
        self.closed += 1


def picture(stamp, value=0):
    return Frame(np.full((48, 64, 3), value, np.uint8), CAMERA, stamp, 'c')


def read_all(source, monkeypatch):
    monkeypatch.setattr('mimic_camera.source.FIRST_RETRY', 0.01)
    monkeypatch.setattr('mimic_camera.source.LAST_RETRY', 0.02)
    frames, states, done = [], [], threading.Event()

    def on_status():
        states.append(reader.status.state)
        if reader.status.state == 'ended':
            done.set()

    reader = Reader(source, frames.append, on_status)
    reader.start()
    assert done.wait(5.0)
    reader.stop()
    return frames, states, reader.status


def test_video_delivers_every_frame_as_fast_as_possible(tmp_path):
    write_video(tmp_path / 'v.mp4')
    source = VideoSource(tmp_path / 'v.mp4', FakeClock(), 'c', real_time=False)
    source.open()
    frames = []
    with pytest.raises(EndOfStreamError):
        while True:
            frames.append(source.read())
    assert len(frames) == 12
    stamps = np.array([f.stamp for f in frames])
    np.testing.assert_allclose(stamps, 100.0 + np.arange(12) / 30, atol=1e-3)
    assert frames[0].intrinsics.width == 64
    assert abs(int(frames[5].color.mean()) - 100) < 6


def test_video_loops_with_stamps_that_go_on(tmp_path):
    write_video(tmp_path / 'v.mp4', frames=5)
    source = VideoSource(tmp_path / 'v.mp4', FakeClock(), 'c', real_time=False, loop=True)
    source.open()
    stamps = [source.read().stamp for _ in range(12)]
    assert np.all(np.diff(stamps) > 0.02)
    source.close()


def test_video_follows_a_clock_that_jumps(tmp_path):
    write_video(tmp_path / 'v.mp4', frames=20)
    clock = FakeClock()
    source = VideoSource(tmp_path / 'v.mp4', clock, 'c')
    source.open()
    assert source.read().stamp == 100.0
    for moment in (1.8e9, 20.0):  # the first message of /clock; a clock that was set back
        clock.time = moment
        assert source.read().stamp == pytest.approx(moment, abs=1e-6)
        clock.time = moment + 1 / 30
        assert source.read().stamp == pytest.approx(moment + 1 / 30, abs=1e-6)
    assert source.dropped == 0


def test_video_in_real_time_keeps_its_pace(tmp_path):
    write_video(tmp_path / 'v.mp4', frames=10)
    source = VideoSource(tmp_path / 'v.mp4', time.time, 'c')
    source.open()
    first = source.read().stamp
    started = time.time()
    late = [-source.read().stamp + time.time() for _ in range(5)]
    assert min(late) > -0.01  # never delivered before it is due
    assert source.read().stamp - first >= 5.9 / 30 and time.time() - started >= 0.15
    source.close()


@pytest.mark.parametrize('content', [b'', b'this is no video', b'\x00' * 4096])
def test_unreadable_video_says_so(tmp_path, content):
    path = tmp_path / 'bad.mp4'
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r'bad\.mp4'):
        VideoSource(path, FakeClock(), 'c').open()
    with pytest.raises(SourceError, match='no video file'):
        VideoSource(tmp_path / 'none.mp4', FakeClock(), 'c').open()


def test_video_cut_in_the_middle_ends_with_an_error_or_an_end(tmp_path):
    write_video(tmp_path / 'v.mp4', frames=60)
    data = (tmp_path / 'v.mp4').read_bytes()
    (tmp_path / 'cut.mp4').write_bytes(data[: len(data) // 2])
    source = VideoSource(tmp_path / 'cut.mp4', FakeClock(), 'c', real_time=False)
    with pytest.raises(SourceError):
        source.open()
        while True:
            source.read()


def test_video_of_another_size_than_its_calibration(tmp_path):
    write_video(tmp_path / 'v.mp4')
    other = Intrinsics.from_fov(640, 480, 0.8)
    source = VideoSource(tmp_path / 'v.mp4', FakeClock(), 'c', other, real_time=False)
    source.open()
    with pytest.raises(SourceError, match='calibration is for 640x480'):
        source.read()


def test_a_video_that_changes_its_size_on_the_way(tmp_path):
    """Transport streams may be put one after the other."""
    for name, size in (('a', (64, 48)), ('b', (96, 64))):
        write_video(tmp_path / f'{name}.ts', size=size)
    both = (tmp_path / 'a.ts').read_bytes() + (tmp_path / 'b.ts').read_bytes()
    (tmp_path / 'v.ts').write_bytes(both)
    source = VideoSource(tmp_path / 'v.ts', FakeClock(), 'c', real_time=False)
    source.open()
    frames = []
    with pytest.raises(SourceError, match=r'changes its size from \(64, 48\) to \(96, 64\)'):
        while len(frames) < 30:
            frames.append(source.read())
    assert len(frames) >= 10 and {f.color.shape for f in frames} == {(48, 64, 3)}


ONE = 0x10000  # 1 in the matrix of a track
SHOWN = {  # matrix of a telephone that was turned -> what of the stored picture is above then
    (ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30): 'top',
    (0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30): 'left',
    (-ONE, 0, 0, 0, -ONE, 0, 0, 0, 1 << 30): 'bottom',
    (0, -ONE, 0, ONE, 0, 0, 0, 0, 1 << 30): 'right',
}


@pytest.mark.parametrize(('matrix', 'above'), SHOWN.items(), ids=SHOWN.values())
def test_a_video_of_a_turned_telephone_is_upright(tmp_path, matrix, above):
    path = tmp_path / 'v.mp4'
    stored = np.zeros((48, 64, 3), np.uint8)
    edges = {
        'top': np.s_[:8], 'bottom': np.s_[-8:], 'left': np.s_[:, :8], 'right': np.s_[:, -8:],
    }  # fmt: skip
    stored[edges[above]] = 250
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        container.mux(stream.encode(av.VideoFrame.from_ndarray(stored, format='rgb24')))
        container.mux(stream.encode())

    def packed(numbers):
        return b''.join((number & 0xFFFFFFFF).to_bytes(4, 'big') for number in numbers)

    upright, data = packed(next(iter(SHOWN))), path.read_bytes()
    at = data.index(upright, data.index(b'tkhd'))
    path.write_bytes(data[:at] + packed(matrix) + data[at + len(upright) :])
    source = VideoSource(path, FakeClock(), 'camera', real_time=False)
    source.open()
    frame = source.read()
    source.close()
    turned = above in ('left', 'right')
    assert frame.color.shape == ((64, 48, 3) if turned else (48, 64, 3))
    assert (frame.intrinsics.width, frame.intrinsics.height) == ((48, 64) if turned else (64, 48))
    assert frame.color[:6].mean() > 200 and frame.color[10:].mean() < 40


def test_the_real_video_is_read_to_its_end(shared):
    path = shared / 'data' / 'human_hand_video.mp4'
    source = VideoSource(path, FakeClock(), 'c', real_time=False)
    source.open()
    count = 0
    with pytest.raises(EndOfStreamError):
        while True:
            source.read()
            count += 1
    assert count == 621


def test_missing_webcam_lists_what_is_there():
    with pytest.raises(SourceError, match='there is no camera /dev/video77'):
        WebcamSource('77', FakeClock(), 'c').open()


def test_unknown_source_and_missing_path():
    with pytest.raises(UnknownNameError, match="Did you mean 'webcam'"):
        open_source(CameraParams(source='webcan'), None, FakeClock())
    with pytest.raises(ConfigError, match="'path'"):
        open_source(CameraParams(source='video'), None, FakeClock())
    with pytest.raises(ConfigError, match='cannot be loaded'):
        open_source(CameraParams(source='no.such:Thing'), None, FakeClock())


def test_a_device_that_is_missing_is_tried_again(monkeypatch):
    source = ScriptedSource(['missing', 'missing', picture(1.0, 1), picture(1.1, 2)])
    frames, states, status = read_all(source, monkeypatch)
    assert [f.stamp for f in frames] == [1.0, 1.1]
    assert states == ['failed', 'failed', 'streaming', 'ended'] and status.failures == 2


def test_an_unplugged_device_delivers_nothing_until_it_is_back(monkeypatch):
    source = ScriptedSource([picture(1.0, 1), 'unplug', 'missing', picture(5.0, 2)])
    frames, states, status = read_all(source, monkeypatch)
    assert [f.stamp for f in frames] == [1.0, 5.0]
    assert states == ['streaming', 'failed', 'failed', 'streaming', 'ended']
    assert status.failures == 2 and source.closed >= 2


def test_the_same_picture_is_not_delivered_twice(monkeypatch):
    script = [picture(1.0, 1), picture(1.0, 1), picture(0.5, 3), picture(1.2, 2)]
    frames, _, _ = read_all(ScriptedSource(script), monkeypatch)
    assert [f.stamp for f in frames] == [1.0, 1.2]


def test_pictures_go_on_after_the_clock_was_set_back(monkeypatch):
    script = [picture(1000.0, 1), picture(5.0, 2), picture(4.9, 3), picture(5.1, 4)]
    frames, _, status = read_all(ScriptedSource(script), monkeypatch)
    assert [f.stamp for f in frames] == [1000.0, 5.0, 5.1]
    assert status.last_stamp == 5.1


def test_a_picture_that_froze_while_the_clock_was_set_back_is_a_fault(monkeypatch):
    frozen = [picture(1000.0 + 0.1 * i, 7) for i in range(5)]
    frozen += [picture(5.0 + 0.1 * i, 7) for i in range(30)]
    _, states, _ = read_all(ScriptedSource(frozen), monkeypatch)
    assert 'failed' in states


@pytest.mark.parametrize('calibrated', [False, True])
def test_a_webcam_that_comes_back_with_another_size(monkeypatch, tmp_path, calibrated):
    class Capture:
        def __init__(self, _):
            self.size = sizes[0]

        def isOpened(self):
            return True

        def set(self, *_):
            return True

        def read(self):
            return True, np.zeros((self.size[1], self.size[0], 3), np.uint8)

        def release(self):
            sizes.pop(0)

    sizes = [(64, 48), (80, 60)]
    (tmp_path / 'video').touch()
    monkeypatch.setattr('cv2.VideoCapture', Capture)
    intrinsics = CAMERA if calibrated else None
    source = WebcamSource(str(tmp_path / 'video'), FakeClock(), 'c', intrinsics)
    source.open()
    assert source.read().intrinsics.width == 64
    source.close()
    source.open()
    if calibrated:
        with pytest.raises(SourceError, match='gives 80x60, its calibration is for 64x48'):
            source.read()
    else:
        assert source.read().intrinsics == Intrinsics.from_fov(80, 60, 0.75)


def test_a_frozen_picture_with_fresh_stamps_is_a_fault(monkeypatch):
    frozen = [picture(1.0 + 0.1 * i, 7) for i in range(30)]
    frames, states, _ = read_all(ScriptedSource([*frozen, picture(9.0, 8)]), monkeypatch)
    assert 'failed' in states
    stamps = np.array([f.stamp for f in frames])
    assert not np.any((stamps > 2.15) & (stamps < 9.0)) and stamps[-1] == 9.0


def test_freeze_detector_accepts_a_moving_picture():
    detector = FreezeDetector(limit=0.5)
    for i in range(100):
        detector.check(np.full((48, 64, 3), i, np.uint8), i / 30)


def test_a_file_that_fails_is_not_tried_again(tmp_path):
    path = tmp_path / 'bad.mp4'
    path.write_bytes(b'no video')
    reader = Reader(VideoSource(path, FakeClock(), 'c'), lambda f: None, lambda: None)
    with pytest.raises(SourceError):
        reader.start()


def test_calibration_file(tmp_path):
    path = tmp_path / 'camera.yaml'
    path.write_text('parent: world\nxyz: [1, 0, 0.5]\nlook_at: [0, 0, 0]\n')
    calibration = load_calibration(path)
    assert calibration.parent_T_optical[:3, 3].tolist() == [1, 0, 0.5]
    path.write_text('parnt: world\n')
    with pytest.raises(ConfigError, match='parnt'):
        load_calibration(path)
    path.write_text('xyz: [1, 0]\nquat_xyzw: [0, 0, 0, 1]\n')
    with pytest.raises(ConfigError, match='position'):
        load_calibration(path)
    with pytest.raises(ConfigError, match='cannot be read'):
        load_calibration(tmp_path / 'none.yaml')


def test_every_shipped_calibration_loads():
    folder = Path(__file__).parents[3] / 'config' / 'cameras'
    files = sorted(folder.glob('*.yaml'))
    assert files
    for file in files:
        load_calibration(file)


def test_missing_bag_and_bag_without_pictures(tmp_path):
    with pytest.raises(SourceError, match='there is no bag'):
        BagSource(tmp_path / 'none', FakeClock(), 'c').open()
    (tmp_path / 'empty').mkdir()
    with pytest.raises(SourceError, match='cannot be read as a bag'):
        BagSource(tmp_path / 'empty', FakeClock(), 'c').open()
