"""Image buffers as ROS and bags hold them."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mimic_core.errors import ShapeError

_ENCODINGS: Final[dict[str, tuple[type[np.generic], int]]] = {
    'rgb8': (np.uint8, 3),
    'bgr8': (np.uint8, 3),
    'mono8': (np.uint8, 1),
    '16UC1': (np.uint16, 1),
    'mono16': (np.uint16, 1),
    '32FC1': (np.float32, 1),
}


def decode(encoding: str, width: int, height: int, step: int, data: Any) -> npt.NDArray[Any]:
    """Return (H, W, 3) rgb or (H, W), without a copy where the encoding allows.

    Depth as 32FC1 [m] becomes uint16 [mm], with 0 for NaN and for what does not fit.

    Args:
        encoding: As in sensor_msgs/Image.
        width: [px]
        height: [px]
        step: [B] of one row, padding included.
        data: Buffer of height * step bytes.

    Raises:
        ShapeError: Unknown encoding, or the buffer is not of the size that the header says.
    """
    if encoding not in _ENCODINGS:
        raise ShapeError(f"image encoding '{encoding}' is not one of {', '.join(_ENCODINGS)}")
    kind, channels = _ENCODINGS[encoding]
    row = width * channels * np.dtype(kind).itemsize
    if height == 0 or width == 0 or step < row or len(data) != height * step:
        raise ShapeError(
            f'image of {width}x{height} {encoding} with step {step} holds {len(data)} bytes'
        )
    rows = np.frombuffer(data, np.uint8).reshape(height, step)[:, :row]
    image = np.ascontiguousarray(rows).view(kind)
    if channels == 3:
        image = image.reshape(height, width, 3)
        return image if encoding == 'rgb8' else np.ascontiguousarray(image[..., ::-1])
    if kind is np.float32:
        mm = np.nan_to_num(image * 1e3, nan=0.0, posinf=0.0, neginf=0.0)
        return np.where((mm > 0) & (mm < 65535), mm, 0).astype(np.uint16)
    return image
