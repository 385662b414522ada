"""Where samples come from while a person calibrates: a camera, the twin, or a live robot."""

from typing import Protocol

import numpy as np

from mimic_calibration.hand_eye import HandEye
from mimic_calibration.samples import RawSample
from mimic_calibration.twin import TwinCell
from mimic_camera import Source
from mimic_core.arrays import FloatArray
from mimic_core.camera import Intrinsics


class Cell(Protocol):
    """A camera, and mostly a robot."""

    def intrinsics(self) -> Intrinsics | None:
        """Return those of the device, None before the first picture."""

    def grab(self) -> RawSample:
        """Return the next picture with the joints at that moment.

        Raises:
            SourceError: There is no picture.
            StaleInputError: There are no joint states, or they are of another time.
        """

    def move_to(self, q: FloatArray) -> None:
        """Move the arm to (A,) positions, and wait; raises DeviceError when it does not."""

    def close(self) -> None:
        """Release everything."""


class CameraCell:
    """A camera without a robot."""

    def __init__(self, source: Source) -> None:
        """Open the source; raises SourceError."""
        self._source = source
        self._intrinsics: Intrinsics | None = None
        source.open()

    def intrinsics(self) -> Intrinsics | None:
        """Return those of the last picture."""
        return self._intrinsics

    def grab(self) -> RawSample:
        """Return the next picture."""
        frame = self._source.read()
        self._intrinsics = frame.intrinsics
        return RawSample('', frame.color, None, frame.stamp, np.nan)

    def move_to(self, q: FloatArray) -> None:
        """There is nothing to move."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the source."""
        self._source.close()


class TwinSession:
    """The twin, for practice: the robot stands where it was sent."""

    def __init__(self, cell: TwinCell, q: FloatArray) -> None:
        self._cell, self._q = cell, np.array(q)

    def intrinsics(self) -> Intrinsics | None:
        """Return the true ones."""
        return self._cell.intrinsics

    @property
    def truth(self) -> HandEye:
        """Where camera and board are."""
        return self._cell.truth

    def grab(self) -> RawSample:
        """Return a picture with what the encoders say."""
        names = self._cell.arm.joints
        joints = dict(zip(names, map(float, self._cell.measure(self._q)), strict=True))
        return RawSample('', self._cell.see(self._q), joints, 0.0, 0.0)

    def move_to(self, q: FloatArray) -> None:
        """Stand there at once."""
        self._q = np.array(q)

    def close(self) -> None:
        """Free the graphics memory."""
        self._cell.close()
