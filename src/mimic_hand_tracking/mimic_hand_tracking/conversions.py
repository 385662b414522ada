"""Messages to arrays and back."""

import numpy as np
from geometry_msgs.msg import Point
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image as ImageMsg
from std_msgs.msg import Header

from mimic_core.arrays import DepthImage, Image
from mimic_core.camera import Intrinsics
from mimic_core.errors import ConfigError, ShapeError
from mimic_core.hand import TrackedHand
from mimic_interfaces.msg import Hand, HandArray

_CHANNELS = {'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4, 'mono8': 1}
_DEPTHS = {'16UC1': np.uint16, 'mono16': np.uint16, '32FC1': np.float32}
_SIDES = {'left': Hand.LEFT, 'right': Hand.RIGHT}
_METHODS = {'depth': Hand.METHOD_DEPTH, 'pnp': Hand.METHOD_PNP}


def color_from_msg(msg: ImageMsg) -> Image:
    """Return (H, W, 3) rgb; raises ShapeError for another encoding or too little data."""
    if msg.encoding not in _CHANNELS:
        raise ShapeError(f"colour image has encoding '{msg.encoding}', not {', '.join(_CHANNELS)}")
    channels = _CHANNELS[msg.encoding]
    pixels = _rows(msg, msg.width * channels, np.dtype(np.uint8)).reshape(
        msg.height, msg.width, channels
    )
    if msg.encoding == 'mono8':
        return np.ascontiguousarray(np.broadcast_to(pixels, (msg.height, msg.width, 3)))
    if msg.encoding.startswith('bgr'):
        pixels = pixels[..., 2::-1]
    return np.ascontiguousarray(pixels[..., :3])


def depth_from_msg(msg: ImageMsg) -> DepthImage:
    """Return (H, W) [mm], 0 where unknown; 32FC1 is in metres, and NaN there is unknown."""
    if msg.encoding not in _DEPTHS:
        raise ShapeError(f"depth image has encoding '{msg.encoding}', not {', '.join(_DEPTHS)}")
    dtype = np.dtype(_DEPTHS[msg.encoding]).newbyteorder('>' if msg.is_bigendian else '<')
    values = _rows(msg, msg.width, dtype)
    if msg.encoding == '32FC1':
        mm = np.nan_to_num(values * 1e3, nan=0.0, posinf=0.0, neginf=0.0)
        return np.where((mm > 0) & (mm < 65535), np.rint(mm), 0).astype(np.uint16)
    return values.astype(np.uint16, copy=False)


def _rows(msg: ImageMsg, width: int, dtype: np.dtype) -> np.ndarray:
    """Return (H, width) of an image whose rows may be padded."""
    row = width * dtype.itemsize
    step = msg.step or row
    if step < row or len(msg.data) < step * msg.height or not msg.height or not msg.width:
        raise ShapeError(
            f'image of {msg.width}x{msg.height} {msg.encoding} has {len(msg.data)} bytes, '
            f'{msg.step} a row'
        )
    data = np.frombuffer(msg.data, dtype=np.uint8, count=step * msg.height)
    return np.ascontiguousarray(data.reshape(msg.height, step)[:, :row]).view(dtype)


def intrinsics_from_msg(msg: CameraInfo) -> Intrinsics:
    """Return the intrinsics; raises ConfigError for a distortion that is not plumb_bob."""
    if msg.distortion_model not in ('', 'plumb_bob') and any(msg.d):
        raise ConfigError(f"distortion model '{msg.distortion_model}' is not plumb_bob")
    distortion = (*msg.d, 0.0, 0.0, 0.0, 0.0, 0.0)[:5]
    return Intrinsics(
        msg.width, msg.height, msg.k[0], msg.k[4], msg.k[2], msg.k[5],
        tuple(float(d) for d in distortion),
    )  # fmt: skip


def hands_to_msg(
    hands: tuple[TrackedHand, ...], header: Header, processing_time: float
) -> HandArray:
    """Return the message of all hands in one image; `processing_time` [s]."""
    return HandArray(
        header=header,
        hands=[_hand_to_msg(hand) for hand in hands],
        processing_time=processing_time,
    )


def _hand_to_msg(hand: TrackedHand) -> Hand:
    return Hand(
        track_id=hand.track_id,
        side=_SIDES[hand.side],
        method=_METHODS[hand.method],
        keypoints=[Point(x=x, y=y, z=z) for x, y, z in hand.keypoints.tolist()],
        confidence=hand.confidence.astype(np.float32),
        pixels=hand.pixels.ravel().astype(np.float32),
        score=float(np.clip(hand.score, 0.0, 1.0)),
        filter_delay=hand.filter_delay,
    )
