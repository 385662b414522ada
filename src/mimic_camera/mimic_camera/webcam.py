"""Frames of a webcam, through OpenCV."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mimic_camera.source import Clock
from mimic_core.camera import Frame, Intrinsics
from mimic_core.errors import SourceError


class WebcamSource:
    """A webcam by index (0, 1, …) or device path; colour only."""

    live = True

    def __init__(
        self,
        device: str,
        clock: Clock,
        frame_id: str,
        intrinsics: Intrinsics | None = None,
        *,
        size: tuple[int, int] = (640, 480),
        rate: float = 30.0,
        fovy: float = 0.75,
    ) -> None:
        """Keep the settings: size (width, height) [px], rate [Hz], fovy [rad] if uncalibrated."""
        self._device, self._clock, self._frame_id = device, clock, frame_id
        self._intrinsics, self._size, self._rate, self._fovy = intrinsics, size, rate, fovy
        self._capture: Any = None

    def open(self) -> None:
        """Open the device and ask for size and rate."""
        name: int | str = int(self._device) if self._device.isdigit() else self._device
        path = Path(f'/dev/video{name}' if isinstance(name, int) else name)
        if not path.exists():
            present = sorted(str(p) for p in Path('/dev').glob('video*'))
            raise SourceError(
                f'there is no camera {path}; present: {", ".join(present) or "none"}'
            )
        capture = cv2.VideoCapture(name)
        if not capture.isOpened():
            raise SourceError(
                f'{path} cannot be opened: is it in use, or is this user not in group video?'
            )
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._size[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._size[1])
        capture.set(cv2.CAP_PROP_FPS, self._rate)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._capture = capture

    def read(self) -> Frame:
        """Return the next picture, stamped when it arrives."""
        if self._capture is None:
            raise SourceError(f'camera {self._device} is not open')
        ok, picture = self._capture.read()
        stamp = self._clock()
        if not ok:
            raise SourceError(f'camera {self._device} stopped: unplugged?')
        color = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        height, width = color.shape[:2]
        intrinsics = self._intrinsics or Intrinsics.from_fov(width, height, self._fovy)
        if (intrinsics.width, intrinsics.height) != (width, height):
            raise SourceError(
                f'camera {self._device} gives {width}x{height}, its calibration is for '
                f'{intrinsics.width}x{intrinsics.height}'
            )
        return Frame(np.asarray(color, np.uint8), intrinsics, stamp, self._frame_id)

    def close(self) -> None:
        """Release the device."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None
