"""Frames of a recorded bag, through the rosbags library (rosbag2 directories, MCAP, ROS 1)."""

import struct
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import apsw
import numpy as np
from backports.zstd import ZstdError
from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.rosbag1 import ReaderError as Ros1Error
from rosbags.rosbag2 import ReaderError as Ros2Error
from rosbags.typesys import Stores, get_typestore

from mimic_camera.source import Clock, EndOfStreamError, clock_jump, sleep_until
from mimic_core.camera import Frame, Intrinsics
from mimic_core.errors import MimicError, SourceError
from mimic_core.images import decode

COLOR = 'color/image_raw'
DEPTH = 'aligned_depth_to_color/image_raw'
INFO = 'color/camera_info'
WAIT: Final = 500_000_000  # [ns] by which a picture's depth may come later; then it comes without
_MEASURED: Final = 16  # pictures from which the frame period is told

# What rosbags lets out of a damaged file: its own errors, and those of what it reads with.
_DAMAGE: Final = (
    AnyReaderError, Ros1Error, Ros2Error, ZstdError, apsw.Error, struct.error, OSError, EOFError,
    ValueError, LookupError, TypeError, RuntimeError, OverflowError, MemoryError, AssertionError,
)  # fmt: skip


class BagSource:
    """Colour, depth and intrinsics of one camera in a bag.

    A picture gets the depth image of the nearest stamp, if that is within half a frame period of
    its own and not nearer to another picture; else it has no depth.
    """

    live = False

    def __init__(
        self,
        path: Path,
        clock: Clock,
        frame_id: str,
        *,
        camera: str = 'camera',
        real_time: bool = True,
        loop: bool = False,
    ) -> None:
        """Keep the settings; `camera` is the prefix of the topics in the bag."""
        self._path, self._clock, self._frame_id = Path(path), clock, frame_id
        self._camera, self._real_time, self._loop = camera.strip('/'), real_time, loop
        self._reader: AnyReader | None = None
        self._frames: Iterator[Frame] = iter(())
        self._shift: float | None = None  # [s] from the bag's time to the clock
        self._last = 0.0

    def open(self) -> None:
        """Open the bag and find the camera's topics."""
        if not self._path.exists():
            raise SourceError(f'there is no bag {self._path}')
        try:
            reader = AnyReader([self._path], default_typestore=get_typestore(Stores.ROS2_JAZZY))
            reader.open()
        except _DAMAGE as error:
            raise SourceError(f'{self._path} cannot be read as a bag: {_said(error)}') from error
        self._reader = reader
        wanted = [f'{self._camera}/{name}' for name in (COLOR, DEPTH, INFO)]
        connections = {
            name: next((c for c in reader.connections if f'/{c.topic}'.endswith(f'/{name}')), None)
            for name in wanted
        }
        if connections[wanted[0]] is None or connections[wanted[2]] is None:
            images = [c.topic for c in reader.connections if c.msgtype.endswith('/Image')]
            self.close()
            raise SourceError(
                f"{self._path} has no '{wanted[0]}' with '{wanted[2]}'; its images: "
                f'{", ".join(images) or "none"}'
            )
        self._frames = self._join(reader, connections)

    def _join(self, reader: AnyReader, connections: dict[str, Any]) -> Iterator[Frame]:
        color_c, depth_c, info_c = connections.values()
        first = next(self._messages(reader, [info_c]), None)
        if first is None:
            raise SourceError(f'{info_c.topic} is empty')
        intrinsics = _intrinsics(first[1])
        half = 0 if depth_c is None else self._half_period(reader, color_c)
        colors: dict[int, Any] = {}  # by their stamps [ns], what waits for the other
        depths: dict[int, Any] = {}
        for topic, msg in self._messages(reader, [c for c in connections.values() if c]):
            if topic == info_c.topic:
                intrinsics = _intrinsics(msg)
                continue
            stamp = _stamp(msg)
            waiting = colors if topic == color_c.topic else depths
            waiting[stamp] = decode(msg.encoding, msg.width, msg.height, msg.step, msg.data)
            depths = {t: depth for t, depth in depths.items() if abs(stamp - t) <= WAIT}
            # No nearer depth will come, nor a picture to which the depth is nearer; or it is late.
            due = [
                t
                for t in colors
                if depth_c is None
                or t in depths
                or (t < max(colors) and t <= max(depths, default=-1))
                or abs(stamp - t) > WAIT
            ]
            yield from self._taken(colors, depths, due, intrinsics, half)
        yield from self._taken(colors, depths, list(colors), intrinsics, half)

    def _taken(
        self,
        colors: dict[int, Any],
        depths: dict[int, Any],
        stamps: list[int],
        intrinsics: Intrinsics,
        half: int,
    ) -> Iterator[Frame]:
        """Take pictures of these stamps [ns] and their depth out of what waits."""
        for stamp in sorted(stamps):
            color = colors.pop(stamp)
            near = min(depths, key=lambda t: abs(t - stamp), default=None)
            if near is not None:
                apart = min((abs(near - t) for t in colors), default=half + 1)
                if abs(near - stamp) > min(half, apart):
                    near = None
            depth = None if near is None else depths.pop(near)
            yield Frame(color, intrinsics, stamp * 1e-9, self._frame_id, depth)

    def _half_period(self, reader: AnyReader, color_c: Any) -> int:
        """Return half the time between pictures [ns], by the first of them."""
        first = islice(self._messages(reader, [color_c]), _MEASURED)
        periods = np.diff(sorted({_stamp(msg) for _, msg in first}))
        return int(np.median(periods)) // 2 if len(periods) else 0

    def _messages(self, reader: AnyReader, connections: list[Any]) -> Iterator[tuple[str, Any]]:
        """Yield topic and message; raises SourceError where the file is damaged."""
        try:
            for connection, _, raw in reader.messages(connections):
                yield connection.topic, reader.deserialize(raw, connection.msgtype)
        except _DAMAGE as error:
            raise SourceError(f'damaged: {_said(error)}') from error

    def read(self) -> Frame:
        """Return the next picture."""
        if self._reader is None:
            raise SourceError(f'{self._path} is not open')
        try:
            frame = next(self._frames)
        except StopIteration:
            if not self._loop or self._shift is None:
                raise EndOfStreamError(f'end of {self._path}') from None
            self.close()
            self.open()
            self._shift = None
            return self.read()
        except MimicError as error:
            raise SourceError(f'{self._path}: {error}') from error
        if self._shift is None:
            self._shift = max(self._clock(), self._last + 1e-3) - frame.stamp
        elif self._real_time:
            self._shift += clock_jump(frame.stamp + self._shift, self._last, self._clock)
        self._last = frame.stamp + self._shift
        if self._real_time:
            sleep_until(self._last, self._clock)
        return Frame(frame.color, frame.intrinsics, self._last, self._frame_id, frame.depth)

    def close(self) -> None:
        """Close the bag."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def _stamp(msg: Any) -> int:
    """Return the stamp of a message [ns]."""
    return int(msg.header.stamp.sec) * 10**9 + int(msg.header.stamp.nanosec)


def _intrinsics(msg: Any) -> Intrinsics:
    k, lens = (msg.K, msg.D) if hasattr(msg, 'K') else (msg.k, msg.d)  # ROS 1 names them so
    d = (*map(float, lens), 0.0, 0.0, 0.0, 0.0, 0.0)[:5]
    return Intrinsics(int(msg.width), int(msg.height), k[0], k[4], k[2], k[5], d)


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
