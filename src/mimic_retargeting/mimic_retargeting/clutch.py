"""The clutch: what the robot should follow, without a jump when it closes."""

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy.spatial.transform import Rotation

from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError
from mimic_core.frames import transform

Mode = Literal['relative', 'absolute']


@dataclass(frozen=True)
class _Anchor:
    hand: FloatArray  # (4, 4) pose of the hand when the clutch closed
    robot: FloatArray  # (4, 4) pose of the robot at that moment
    stamp: float  # [s]
    duration: float  # [s] of the way to the absolute pose


class Clutch:
    """Maps poses of the hand to poses of the robot, both in base_link.

    When it closes, the target is where the robot is. In relative mode the robot then makes the
    changes that the hand makes. In absolute mode it also goes, with a smooth start and end, to
    where the hand is.
    """

    def __init__(
        self,
        mode: Mode,
        *,
        scale: float = 1.0,
        centre: FloatArray | None = None,
        min_duration: float = 1.0,
        speed: float = 0.25,
    ) -> None:
        """Set up.

        Args:
            mode: relative or absolute.
            scale: Robot path over human path [1].
            centre: (3,) [m] what stays in place under the scale in absolute mode.
            min_duration: Least time of the way to the absolute pose [s].
            speed: Mean speed of that way at most [m/s] and [rad/s].

        Raises:
            ConfigError: A number is out of range.
        """
        if not scale > 0 or min_duration < 0 or not speed > 0:
            raise ConfigError('the clutch needs scale > 0, min_duration >= 0 and speed > 0')
        self._absolute: Final = mode == 'absolute'
        self._scale, self._min_duration, self._speed = scale, min_duration, speed
        self._centre: Final = np.zeros(3) if centre is None else np.array(centre, dtype=float)
        self._anchor: _Anchor | None = None

    @property
    def engaged(self) -> bool:
        """The clutch is closed."""
        return self._anchor is not None

    @property
    def engaged_at(self) -> float:
        """When the clutch closed [s]; 0 while it is open."""
        return 0.0 if self._anchor is None else self._anchor.stamp

    def disengage(self) -> None:
        """Open the clutch."""
        self._anchor = None

    def engage(self, hand_T: FloatArray, robot_T: FloatArray, stamp: float) -> None:
        """Close the clutch: the target is now `robot_T` (4, 4), the hand is at `hand_T` (4, 4)."""
        goal = self._absolute_target(hand_T)
        distance = float(np.linalg.norm(goal[:3, 3] - robot_T[:3, 3]))
        turn = _angle(robot_T[:3, :3], goal[:3, :3])
        duration = max(self._min_duration, distance / self._speed, turn / (4.0 * self._speed))
        self._anchor = _Anchor(hand_T.copy(), robot_T.copy(), stamp, duration)

    def progress(self, stamp: float) -> float:
        """Return how far the way to the absolute pose is gone at a stamp [s]: 0 to 1."""
        if self._anchor is None:
            return 0.0
        if self._anchor.duration <= 0.0:
            return 1.0 if stamp > self._anchor.stamp else 0.0
        t = min(max((stamp - self._anchor.stamp) / self._anchor.duration, 0.0), 1.0)
        return t * t * t * (10.0 - 15.0 * t + 6.0 * t * t)

    def target(self, hand_T: FloatArray, stamp: float) -> FloatArray:
        """Return (4, 4) where the robot should be.

        Args:
            hand_T: (4, 4) the hand now.
            stamp: [s].

        Raises:
            ConfigError: The clutch is open.
        """
        anchor = self._anchor
        if anchor is None:
            raise ConfigError('the clutch is open')
        moved = anchor.robot[:3, 3] + self._scale * (hand_T[:3, 3] - anchor.hand[:3, 3])
        turned = hand_T[:3, :3] @ anchor.hand[:3, :3].T @ anchor.robot[:3, :3]
        if not self._absolute:
            return transform(turned, moved)
        share = self.progress(stamp)
        goal = self._absolute_target(hand_T)
        if share >= 1.0:
            return goal
        # Hand and anchor turn together, so what is left to turn is constant and has no branch cut.
        left = Rotation.from_matrix(turned.T @ goal[:3, :3]).as_rotvec()
        rotation = turned @ Rotation.from_rotvec(share * left).as_matrix()
        return transform(rotation, (1.0 - share) * moved + share * goal[:3, 3])

    def _absolute_target(self, hand_T: FloatArray) -> FloatArray:
        position = self._centre + self._scale * (hand_T[:3, 3] - self._centre)
        return transform(hand_T[:3, :3], position)


def _angle(a: FloatArray, b: FloatArray) -> float:
    """Return the angle [rad] between two (3, 3) rotations."""
    return math.acos(min(max(0.5 * (float(np.trace(a.T @ b)) - 1.0), -1.0), 1.0))
