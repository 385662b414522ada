"""The demo's video: what the camera saw with the landmarks, beside what the robot did."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np

from mimic_bringup.demo_report import object_pose
from mimic_bringup.streams import METHODS, SIDES, STATES, Streams
from mimic_core.arrays import FloatArray, Image
from mimic_core.errors import SourceError
from mimic_core.hand import TrackedHand
from mimic_core.images import decode
from mimic_description import RobotModel
from mimic_hand_tracking.drawing import draw_hand
from mimic_recording.reader import Episode
from mimic_sim.twin import Twin
from mimic_sim.twin_params import TwinParams

SIZE: Final = (640, 480)  # [px] of each half
BAR: Final = 36  # [px] caption
RATE: Final = 30
_FOVY: Final = 0.95  # [rad] wide enough to show the whole robot
_INK, _PAPER = (235, 235, 240), (28, 30, 36)
_SAME: Final = 0.0005  # [s] between the stamps of a picture and its landmarks, by rounding
_YOUNG: Final = 0.3  # [s]
_TICK: Final = Fraction(1, 90_000)  # [s]


def write_video(
    episode: Path,
    streams: Streams,
    robot: RobotModel,
    seed: int,
    path: Path,
    progress: Callable[[float], None] = lambda share: None,
) -> int:
    """Write the side-by-side video as H.264; return the number of frames.

    Args:
        episode: Folder of the recorded episode.
        streams: Its content.
        robot: Whose joints were recorded.
        seed: Of the twin's start, for the marks on its table.
        path: The file to write.
        progress: Called with the share done, 0..1.

    Raises:
        SourceError: The episode holds no camera picture.
    """
    params = TwinParams(width=SIZE[0], height=SIZE[1], samples=4, fovy=_FOVY)
    twin = Twin(robot, streams.task or 'pick_place', seed, params)
    count = 0
    total = max(len(streams.hands.stamps), 1)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=RATE)
        stream.width, stream.height = 2 * SIZE[0], SIZE[1] + BAR
        stream.pix_fmt = 'yuv420p'
        stream.options = {'crf': '21', 'preset': 'veryfast'}
        start: float | None = None
        for stamp, color in _pictures(episode):
            if not len(streams.joints.stamps) or stamp < streams.joints.stamps[0]:
                continue
            start = stamp if start is None else start
            picture = compose(color, stamp, stamp - start, streams, twin)
            frame = av.VideoFrame.from_ndarray(picture, format='rgb24')
            # A variable rate: each picture is shown when it was taken.
            frame.pts, frame.time_base = round((stamp - start) * 90_000), _TICK
            container.mux(stream.encode(frame))
            count += 1
            progress(min(count / total, 1.0))
        if count == 0:
            raise SourceError(f'{episode} holds no camera picture of a moving robot')
        container.mux(stream.encode())
    twin.close()
    progress(1.0)
    return count


def _pictures(episode: Path) -> Iterator[tuple[float, Image]]:
    with Episode(episode) as bag:
        topic = bag.find('camera/color/image_raw')
        if topic is None:
            return
        for _, msg in bag.read([topic]):
            stamp = msg.header.stamp.sec + msg.header.stamp.nanosec * 1e-9
            yield stamp, decode(msg.encoding, msg.width, msg.height, msg.step, msg.data)


def compose(color: Image, stamp: float, clock: float, streams: Streams, twin: Twin) -> Image:
    """Return one frame (SIZE[1] + BAR, 2 * SIZE[0], 3) of the video."""
    hand, seen = _hand_at(streams, stamp)
    left = draw_hand(color, hand) if hand is not None else color
    q = streams.joints.at(stamp)
    if q is not None and np.isfinite(q).all():
        poses = {n: object_pose(s, stamp) for n, s in streams.objects.items()}
        twin.set_state(q, {n: pose for n, pose in poses.items() if pose is not None})
    right = twin.render().color
    canvas = np.empty((SIZE[1] + BAR, 2 * SIZE[0], 3), np.uint8)
    canvas[BAR:, : SIZE[0]] = _fit(left)
    canvas[BAR:, SIZE[0] :] = right
    canvas[:BAR] = _PAPER
    _write(canvas, 12, seen)
    _write(canvas, SIZE[0] + 12, f'the robot does: {_state(streams, stamp)}')
    _write(canvas, 2 * SIZE[0] - 90, f'{clock:5.1f} s')
    return canvas


def _fit(image: Image) -> Image:
    """Return the image scaled into SIZE, with bars where its shape is another."""
    scale = min(SIZE[0] / image.shape[1], SIZE[1] / image.shape[0])
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    if size != (image.shape[1], image.shape[0]):
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    canvas = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    y, x = (SIZE[1] - size[1]) // 2, (SIZE[0] - size[0]) // 2
    canvas[y : y + size[1], x : x + size[0]] = image
    return canvas


def _write(canvas: Image, x: int, text: str) -> None:
    cv2.putText(canvas, text, (x, BAR - 12), cv2.FONT_HERSHEY_SIMPLEX, 0.55, _INK, 1, cv2.LINE_AA)


def _state(streams: Streams, stamp: float) -> str:
    value = streams.control.at(stamp)
    return 'waiting' if value is None else STATES[int(value[0])]


def _hand_at(streams: Streams, stamp: float) -> tuple[TrackedHand | None, str]:
    """Return the hand to draw into the picture of a time [s], and what to say above it.

    On full cores a newer picture may replace this one before it is tracked; then the landmarks of
    the last tracked one are shown, while they are young.
    """
    stamps = streams.hands.stamps
    index = int(np.searchsorted(stamps, stamp + _SAME)) - 1
    age = stamp - float(stamps[index]) if index >= 0 else np.inf  # [s]
    hand = _hand_of(streams, index) if age <= _YOUNG else None
    if age <= _SAME:
        return hand, 'the camera sees' if hand is not None else 'the camera sees no hand'
    if hand is None:
        return None, 'the camera sees (picture not tracked)'
    return hand, f'the camera sees (landmarks {age * 1e3:.0f} ms older)'


def _hand_of(streams: Streams, index: int) -> TrackedHand | None:
    points: FloatArray = streams.hands.values[index]
    if not np.isfinite(points).any():
        return None
    side, method = streams.kinds.values[index].astype(int)
    return TrackedHand(
        0, SIDES[side], METHODS[method], points, streams.confidence.values[index],
        streams.pixels.values[index], 1.0,
    )  # fmt: skip
