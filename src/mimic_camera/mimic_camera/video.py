"""Frames of a video file, in real time or as fast as they are read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

from mimic_camera.source import Clock, EndOfStreamError, clock_jump, sleep_until
from mimic_core.arrays import Image
from mimic_core.camera import Frame, Intrinsics
from mimic_core.errors import SourceError


class VideoSource:
    """A video file, decoded with FFmpeg through PyAV."""

    live = False

    def __init__(
        self,
        path: Path,
        clock: Clock,
        frame_id: str,
        intrinsics: Intrinsics | None = None,
        *,
        fovy: float = 0.75,
        real_time: bool = True,
        loop: bool = False,
    ) -> None:
        """Keep the settings.

        Args:
            path: The file.
            clock: Of the stamps [s].
            frame_id: Of the frames.
            intrinsics: Of the camera; None: an ideal one with `fovy`.
            fovy: Vertical field of view [rad] assumed without intrinsics.
            real_time: Deliver each frame when it is due, and drop those that are late by more
                than a frame; otherwise deliver every frame as soon as it is asked for.
            loop: Begin again at the end; stamps go on.
        """
        self._path, self._clock, self._frame_id = Path(path), clock, frame_id
        self._intrinsics, self._fovy = intrinsics, fovy
        self._real_time, self._loop = real_time, loop
        self._container: Any = None
        self._frames: Iterator[Any] = iter(())
        self._size: tuple[int, int] | None = None
        self._start = 0.0  # [s] stamp of the first picture of this round
        self._last = 0.0  # [s] from the start to the last picture
        self.period = 1 / 30  # [s]
        self.dropped = 0

    def open(self) -> None:
        """Open the file and find its video stream."""
        if not self._path.is_file():
            raise SourceError(f'there is no video file {self._path}')
        try:
            self._container = av.open(str(self._path))
        except (av.error.FFmpegError, OSError) as error:
            raise SourceError(f'{self._path} cannot be read as a video: {error}') from error
        if not self._container.streams.video:
            self.close()
            raise SourceError(f'{self._path} holds no video stream')
        stream = self._container.streams.video[0]
        stream.thread_type = 'AUTO'
        if stream.average_rate:
            self.period = float(1 / stream.average_rate)
        self._frames = self._container.decode(stream)
        self._start, self._last = self._clock(), -self.period

    def read(self) -> Frame:
        """Return the next picture."""
        if self._container is None:
            raise SourceError(f'{self._path} is not open')
        while True:
            picture = self._next()
            # Files without times are read at their nominal rate.
            offset = self._last + self.period if picture.time is None else float(picture.time)
            before = self._start + self._last
            self._last = max(offset, self._last + 1e-6)
            if self._real_time:
                self._start += clock_jump(self._start + self._last, before, self._clock)
            stamp = self._start + self._last
            if self._real_time and sleep_until(stamp, self._clock) > self.period:
                self.dropped += 1
                continue
            # By itself FFmpeg would begin and end a pool of threads for each picture.
            color = picture.to_ndarray(format='rgb24', threads=1)
            return self._frame(_upright(color, picture.rotation), stamp)

    def _next(self) -> Any:
        for _ in range(2):
            try:
                return next(self._frames)
            except StopIteration:
                if not self._loop or self._last < 0:
                    break
                start = self._start + self._last + self.period
                self.close()
                self.open()
                self._start = max(start, self._clock()) if self._real_time else start
            except (av.error.FFmpegError, OSError) as error:
                raise SourceError(f'{self._path} is damaged: {error}') from error
        if self._last < 0:
            raise SourceError(f'{self._path} holds no picture')
        raise EndOfStreamError(f'end of {self._path}')

    def _frame(self, color: Image, stamp: float) -> Frame:
        size = (color.shape[1], color.shape[0])
        if self._size is not None and size != self._size:
            raise SourceError(f'{self._path} changes its size from {self._size} to {size}')
        self._size = size
        if self._intrinsics is None:
            self._intrinsics = Intrinsics.from_fov(*size, self._fovy)
        elif (self._intrinsics.width, self._intrinsics.height) != size:
            raise SourceError(
                f'{self._path} is {size[0]}x{size[1]}, its calibration is for '
                f'{self._intrinsics.width}x{self._intrinsics.height}'
            )
        return Frame(color, self._intrinsics, stamp, self._frame_id)

    def close(self) -> None:
        """Close the file."""
        if self._container is not None:
            self._container.close()
            self._container = None


def _upright(color: Image, rotation: int) -> Image:
    """Return a picture as players show it: telephones store how they were held beside it.

    Args:
        color: (H, W, 3) as it was stored.
        rotation: Counterclockwise [deg], a multiple of 90.
    """
    return np.ascontiguousarray(np.rot90(color, round(rotation / 90)))
