"""Videos as a dataset holds them: H.264, every second frame a key frame, one tick a frame."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import av
import cv2
import numpy as np

from mimic_core.arrays import Image
from mimic_core.errors import ConfigError, ShapeError
from mimic_dataset.errors import DatasetError

CODEC: Final = 'libx264'
KEY_FRAMES: Final = 2  # [frames] between key frames: training reads at random


@dataclass(frozen=True)
class Region:
    """The part of a picture that is looked at: edges as shares of its width and height [1]."""

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0

    def __post_init__(self) -> None:
        for low, high in (('left', 'right'), ('top', 'bottom')):
            first, last = getattr(self, low), getattr(self, high)
            if not 0.0 <= first < last <= 1.0:
                raise ConfigError(
                    f'region: {low} {first:g} and {high} {last:g} are not 0 <= {low} < {high} <= 1'
                )

    def cut(self, image: Image) -> Image:
        """Return the part of an (H, W, 3) picture, to whole pixels, at least one; a view of it."""
        height, width = image.shape[:2]
        y, x = round(self.top * height), round(self.left * width)
        rows, columns = round(self.bottom * height), round(self.right * width)
        y, x = min(y, height - 1), min(x, width - 1)
        return image[y : max(rows, y + 1), x : max(columns, x + 1)]


WHOLE: Final = Region()


class VideoWriter:
    """Writes frames of one size at a fixed rate."""

    def __init__(
        self,
        path: Path,
        fps: int,
        size: tuple[int, int],
        quality: int,
        key_frames: int = KEY_FRAMES,
    ) -> None:
        """Open the file.

        Args:
            path: To write.
            fps: [Hz].
            size: Height and width [px], even.
            quality: x264 crf.
            key_frames: From one key frame to the next [frames].
        """
        self._size, self.count = size, 0
        self._file: Any = av.open(str(path), 'w', format='mp4')
        # The same bytes every time: one thread, and no looking ahead, whose assembly code reads
        # memory that was never written (2 of 100 files differed). Without B-frames files can be
        # joined.
        options = {
            'crf': str(quality),
            'preset': 'veryfast',
            'g': str(key_frames),
            'bf': '0',
            'threads': '1',
            'rc-lookahead': '0',
            'x264-params': 'mbtree=0:scenecut=0:weightp=0',
        }
        self._stream = self._file.add_stream(CODEC, rate=fps, options=options)
        self._stream.height, self._stream.width = size
        self._stream.pix_fmt = 'yuv420p'
        self._stream.codec_context.time_base = Fraction(1, fps)

    def add(self, image: Image) -> None:
        """Append an (H, W, 3) rgb frame.

        Raises:
            ShapeError: It has another size than the first.
        """
        if image.shape != (*self._size, 3):
            raise ShapeError(f'picture of {image.shape}, the video is {(*self._size, 3)}')
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format='rgb24')
        frame.pts, frame.time_base = self.count, self._stream.codec_context.time_base
        self.count += 1
        self._file.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Complete the file."""
        if self._file is not None:
            self._file.mux(self._stream.encode(None))
            self._file.close()
            self._file = None

    def __enter__(self) -> 'VideoWriter':
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        elif self._file is not None:
            self._file.close()


def stored_size(height: int, size: tuple[int, int]) -> tuple[int, int]:
    """Return even height and width [px] of pictures of `size` that are stored with `height`."""
    rows = size[0] if height == 0 else min(height, size[0])
    columns = round(size[1] * rows / size[0])
    return max(rows - rows % 2, 2), max(columns - columns % 2, 2)


def resized(image: Image, size: tuple[int, int], region: Region = WHOLE) -> Image:
    """Return an (H, W, 3) picture, or a part of it, in another height and width."""
    image = region.cut(image)
    if image.shape[:2] == size:
        return image
    way = cv2.INTER_AREA if size[0] < image.shape[0] else cv2.INTER_LINEAR
    result: Image = cv2.resize(image, (size[1], size[0]), interpolation=way).astype(np.uint8)
    return result


def read_frames(path: Path, first: int, count: int, fps: float) -> Iterator[Image]:
    """Yield `count` (H, W, 3) rgb frames of a video from number `first` on.

    Raises:
        DatasetError: The file is missing, damaged or too short.
    """
    given = 0
    try:
        with av.open(str(path)) as file:
            if not file.streams.video:
                raise DatasetError(f'{path}: holds no video stream')
            stream = file.streams.video[0]
            stream.thread_type = 'SLICE'  # of whole frames it would decode ahead
            base = stream.time_base
            if base is None:
                raise DatasetError(f'{path}: the video has no time base')
            if first:
                file.seek(int((first - 0.5) / fps / base), stream=stream)
            for frame in file.decode(stream):
                if given == count:
                    return
                if frame.pts is None or round(float(frame.pts * base) * fps) < first:
                    continue
                # By itself FFmpeg would begin and end a pool of threads for each picture.
                image: Any = frame.to_ndarray(format='rgb24', threads=1)
                yield image
                given += 1
    except (av.error.FFmpegError, OSError) as error:
        raise DatasetError(
            f'{path}: the video is damaged at frame {first + given}: {error}'
        ) from error
    if given < count:
        raise DatasetError(f'{path}: ends at frame {first + given}, {first + count} are needed')


def join(paths: Sequence[Path], target: Path) -> None:
    """Write one video of several of the same size and rate, without encoding them again.

    Raises:
        DatasetError: One of them cannot be read, or was encoded otherwise than the first.
    """
    with av.open(str(target), 'w', format='mp4') as out:
        stream: Any = None
        offset, header = 0, b''
        for path in paths:
            try:
                with av.open(str(path)) as file:
                    source = file.streams.video[0]
                    if stream is None:
                        stream = out.add_stream_from_template(source)
                        stream.time_base = source.time_base
                        header = bytes(source.codec_context.extradata or b'')
                    if bytes(source.codec_context.extradata or b'') != header:
                        raise DatasetError(
                            f'{path}: encoded otherwise than {paths[0]}; convert it again'
                        )
                    end = offset
                    for packet in file.demux(source):
                        if packet.dts is None:
                            continue
                        assert packet.pts is not None  # encoded by VideoWriter
                        packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                        packet.stream = stream
                        end = packet.pts + int(packet.duration or 0)
                        out.mux(packet)
                    offset = end
            except (av.error.FFmpegError, IndexError) as error:
                raise DatasetError(f'{path}: cannot be read as a video: {error}') from error


def frames_of(path: Path) -> int:
    """Return how many frames a video of `VideoWriter` says that it has; none is decoded.

    Raises:
        DatasetError: It cannot be read.
    """
    try:
        with av.open(str(path)) as file:
            return int(file.streams.video[0].frames)
    except (av.error.FFmpegError, OSError, IndexError) as error:
        raise DatasetError(f'{path}: cannot be read as a video: {error}') from error


def describe(path: Path) -> dict[str, Any]:
    """Return what info.json says about a video.

    Raises:
        DatasetError: It cannot be read.
    """
    try:
        with av.open(str(path)) as file:
            stream = file.streams.video[0]
            return {
                'video.height': stream.height,
                'video.width': stream.width,
                'video.codec': stream.codec.canonical_name,
                'video.pix_fmt': stream.pix_fmt,
                'video.is_depth_map': False,
                'video.fps': int(stream.base_rate or 0),
                'video.channels': 3,
                'has_audio': False,
            }
    except (av.error.FFmpegError, OSError, IndexError) as error:
        raise DatasetError(f'{path}: cannot be read as a video: {error}') from error
