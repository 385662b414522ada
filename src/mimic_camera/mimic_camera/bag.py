"""Frames of a recorded bag, through the rosbags library (rosbag2 directories, MCAP, ROS 1)."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import apsw
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

# What rosbags lets out of a damaged file: its own errors, and those of what it reads with.
_DAMAGE: Final = (
    AnyReaderError, Ros1Error, Ros2Error, ZstdError, apsw.Error, struct.error, OSError, EOFError,
    ValueError, LookupError, TypeError, RuntimeError, OverflowError, MemoryError, AssertionError,
)  # fmt: skip


class BagSource:
    """Colour, depth and intrinsics of one camera in a bag, joined by equal stamps."""

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
        pending: dict[int, dict[str, Any]] = {}
        for topic, msg in self._messages(reader, [c for c in connections.values() if c]):
            if topic == info_c.topic:
                intrinsics = _intrinsics(msg)
                continue
            stamp = msg.header.stamp.sec * 10**9 + msg.header.stamp.nanosec
            parts = pending.setdefault(stamp, {})
            kind = 'color' if topic == color_c.topic else 'depth'
            parts[kind] = decode(msg.encoding, msg.width, msg.height, msg.step, msg.data)
            # Complete with its depth, superseded by a later one that is, or not waited for longer.
            complete = 'color' in parts and (depth_c is None or 'depth' in parts)
            due = [t for t in pending if (complete and t <= stamp) or abs(stamp - t) > WAIT]
            yield from self._taken(pending, due, intrinsics)
        yield from self._taken(pending, list(pending), intrinsics)

    def _taken(
        self, pending: dict[int, dict[str, Any]], stamps: list[int], intrinsics: Intrinsics
    ) -> Iterator[Frame]:
        for stamp in sorted(stamps):
            parts = pending.pop(stamp)
            if 'color' in parts:
                yield Frame(
                    parts['color'], intrinsics, stamp * 1e-9, self._frame_id, parts.get('depth')
                )

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


def _intrinsics(msg: Any) -> Intrinsics:
    k, d = msg.k, (*map(float, msg.d), 0.0, 0.0, 0.0, 0.0, 0.0)[:5]
    return Intrinsics(int(msg.width), int(msg.height), k[0], k[4], k[2], k[5], d)


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
