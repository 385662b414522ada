"""How the robot's palm is turned for a human palm."""

import math
from typing import Final, Literal

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_description import RobotModel

Orientation = Literal['full', 'yaw_only', 'fixed']


class Approach:
    """Orientation of the robot's palm in base_link that stands for an orientation of the hand.

    full: the same. fixed: that of the home posture. yaw_only: that of the home posture, turned
    about the vertical until it heads where the hand heads. A palm heads along z − x, flattened:
    the way of the fingers for a flat hand, and the back of the hand for one that points down, as
    in a pinch; so it stays defined, and does not depend on the finger tips, over all poses in
    which people grasp from above.
    """

    def __init__(self, robot: RobotModel, orientation: Orientation, frame: str) -> None:
        """Read the reference from the home posture.

        Args:
            robot: The robot.
            orientation: Which of the three.
            frame: Frame of the robot that stands for the palm.
        """
        self._kind: Final = orientation
        self._reference: Final = robot.fk(robot.home, frame, 'base_link')[:3, :3]
        heading = _heading(self._reference)
        self._reference_heading: Final = 0.0 if heading is None else heading
        self._last_heading = self._reference_heading

    def rotation(self, hand_R: FloatArray) -> FloatArray:
        """Return (3, 3) for the orientation (3, 3) of the hand."""
        if self._kind == 'full':
            return hand_R
        if self._kind == 'fixed':
            return self._reference
        heading = _heading(hand_R)
        if heading is not None:
            self._last_heading = heading
        turn = self._last_heading - self._reference_heading
        c, s = math.cos(turn), math.sin(turn)
        about_z = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
        rotation: FloatArray = about_z @ self._reference
        return rotation


def _heading(rotation: FloatArray) -> float | None:
    """Return the angle about z [rad] of z − x of a palm; None where that is vertical."""
    x, y = rotation[0, 2] - rotation[0, 0], rotation[1, 2] - rotation[1, 0]
    return math.atan2(y, x) if math.hypot(x, y) > 0.2 else None
