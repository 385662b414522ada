"""Pictures as a lens without distortion would have them."""

from dataclasses import replace
from typing import Any, Final

import cv2
import numpy as np

from mimic_core.camera import Frame, Intrinsics

_NONE: Final = (0.0, 0.0, 0.0, 0.0, 0.0)


class Rectifier:
    """Takes the distortion of a lens out of pictures."""

    def __init__(self) -> None:
        """Know no lens yet."""
        self._optics: Intrinsics | None = None
        self._maps: tuple[Any, Any]

    def rectified(self, frame: Frame) -> Frame:
        """Return a picture without distortion, the same one if it has none; depth is not mixed."""
        optics = frame.intrinsics
        if not any(optics.distortion):
            return frame
        if optics != self._optics:
            self._look_through(optics)
        first, second = self._maps
        color: Any = cv2.remap(frame.color, first, second, cv2.INTER_LINEAR)
        depth: Any = frame.depth
        if depth is not None:
            depth = cv2.remap(depth, first, second, cv2.INTER_NEAREST)
        ideal = replace(optics, distortion=_NONE)
        return replace(frame, color=color, depth=depth, intrinsics=ideal)

    def _look_through(self, optics: Intrinsics) -> None:
        """Compute where each pixel comes from."""
        first, second = cv2.initUndistortRectifyMap(
            optics.matrix, np.array(optics.distortion), np.eye(3), optics.matrix,
            (optics.width, optics.height), cv2.CV_16SC2,
        )  # fmt: skip
        self._optics, self._maps = optics, (first, second)
