"""How the robot's palm is turned for a human hand.

Both have a grip: the line from thumb tip to index tip (of a robot, to the middle of all tips that
meet the thumb) along which they close, and the direction out of the palm (for parallel grippers:
along the fingers) across that line, from which they approach things.
"""

import itertools
import math
from typing import Final, Literal

import numpy as np
from scipy.spatial.transform import Rotation

from mimic_core.arrays import FloatArray
from mimic_core.frames import cross, transform
from mimic_core.keypoints import INDEX
from mimic_description import RobotModel
from mimic_retargeting.arm_ik import ArmIK
from mimic_retargeting.human import HumanHand

Orientation = Literal['full', 'yaw_only', 'yaw_relative', 'fixed']
_THUMB_TIP: Final = INDEX['thumb_tip']
_INDEX_TIP: Final = INDEX['index_tip']
_DOWN: Final = np.array([0.0, 0.0, -1.0])
# Where an arm is asked whether it reaches, from the middle of its workspace, and what it may miss.
_AHEAD, _ASIDE, _HEIGHTS = 0.08, 0.13, (0.2, 0.025)  # [m]
_MISS, _MISS_ANGLE = 0.005, 0.1  # [m], [rad]
_STEP, _FIRST_STEPS, _STEPS = 1 / 30, 200, 60  # [s], [1], [1]
_FLAT: Final = 0.2  # [1] a closing line with a shorter shadow on the table has no direction there


class ClosingLine:
    """The direction from thumb tip to index tip of a person, in the hand's frame.

    It is learned while the tips are apart and well seen, slowly enough to be free of noise, and
    kept while they touch or hide, so that it turns with the palm then.
    """

    TYPICAL: Final = np.array([0.0, -0.45, 0.89])  # of a relaxed pinch
    APART: Final = (0.04, 0.08)  # [m] between the tips: nothing is learned below, all above
    TRUSTED: Final = 0.5  # confidence from where
    TIME: Final = 0.25  # [s] time constant

    def __init__(self) -> None:
        self._line = self.TYPICAL / np.linalg.norm(self.TYPICAL)
        self._stamp: float | None = None

    def update(self, human: HumanHand, stamp: float) -> FloatArray:
        """Return the unit vector (3,) in base_link at a stamp [s]."""
        vector = human.points[_INDEX_TIP] - human.points[_THUMB_TIP]
        trust = min(human.confidence[_INDEX_TIP], human.confidence[_THUMB_TIP])
        length = float(np.linalg.norm(vector)) if trust >= self.TRUSTED else 0.0
        near, far = self.APART
        if length > near:
            dt = 0.0 if self._stamp is None else max(stamp - self._stamp, 0.0)
            share = 1.0 if self._stamp is None else 1.0 - math.exp(-dt / self.TIME)
            share *= min((length - near) / (far - near), 1.0)
            line = self._line + share * (vector / length - self._line)
            norm = float(np.linalg.norm(line))
            if norm > 0.1:  # else it flipped over: keep what was
                self._line = line / norm
            self._stamp = stamp
        direction: FloatArray = human.to_base(self._line) - human.wrist
        return direction


class Approach:
    """Orientation of the robot's palm in base_link that stands for an orientation of the hand.

    full: the same as the person's palm. yaw_only: the grip straight down, its closing line level
    and heading where the person's heads, or at a fixed angle to it. yaw_relative: the grip
    straight down, turned by as much as the person's hand since the clutch closed, from where the
    robot's was. fixed: that of the home posture.
    """

    def __init__(
        self,
        robot: RobotModel,
        orientation: Orientation,
        frame: str,
        closing: FloatArray,
        reach: FloatArray,
        turn: float = 0.0,
    ) -> None:
        """Work out the robot's grip.

        Args:
            robot: The robot.
            orientation: Which of the four.
            frame: Frame of the robot that stands for the palm.
            closing: (3,) from thumb tip to the tips that it meets, in that frame.
            reach: (3,) from where it approaches things, in that frame.
            turn: Heading of the robot's closing line for yaw_only, from the person's [rad].
        """
        self._kind: Final = orientation
        self._home: Final = robot.fk(robot.home, frame, 'base_link')[:3, :3]
        self._grip_R_palm: Final = _axes(closing, reach).T
        self._heading: FloatArray = self._grip_heading(self._home)
        # From the person's heading to the robot's.
        self._turn = np.eye(3)
        if orientation == 'yaw_only':
            self._turn = Rotation.from_euler('z', turn).as_matrix()

    def engage(self, palm_R: FloatArray, closing: FloatArray) -> None:
        """Let the robot's heading stand for the person's from now on, if the kind is relative.

        Args:
            palm_R: (3, 3) of the robot's palm in base_link.
            closing: (3,) from the person's thumb tip to index tip in base_link.
        """
        there = _level(closing)
        if self._kind == 'yaw_relative' and there is not None:
            self._turn = _axes(self._grip_heading(palm_R), _DOWN) @ _axes(there, _DOWN).T

    def _grip_heading(self, palm_R: FloatArray) -> FloatArray:
        """Return the level unit vector (3,) along which the grip of a palm (3, 3) closes.

        Where that line stands upright, as of fingers that point down, it is the line that would be
        level if the palm faced down: across the axis beside it.
        """
        x, y, _ = (palm_R @ self._grip_R_palm.T).T
        level = _level(x)
        if level is None:
            level = _level(np.array([-y[1], y[0], 0.0]))
        assert level is not None  # one of two axes across each other is not upright
        return level

    def rotation(self, hand_R: FloatArray, closing: FloatArray) -> FloatArray:
        """Return (3, 3) for a hand.

        Args:
            hand_R: (3, 3) of the hand in base_link.
            closing: (3,) from thumb tip to index tip in base_link.
        """
        if self._kind == 'full':
            return hand_R
        if self._kind == 'fixed':
            return self._home
        level = _level(closing)
        if level is not None:
            self._heading = self._turn @ level
        return _axes(self._heading, _DOWN) @ self._grip_R_palm


def asked_places(middle: FloatArray) -> list[FloatArray]:
    """Return places (3,) [m] over a table around its middle (2,), along which an arm is asked."""
    ahead, aside = (-_AHEAD, 0.0, _AHEAD), (_ASIDE, 0.0, -_ASIDE)
    return [
        np.array([middle[0] + x, middle[1] + y, z])
        for x, y, z in itertools.product(ahead, aside, _HEIGHTS)
    ]


def reaches(robot: RobotModel, rotation: FloatArray, frame: str, tool: FloatArray) -> bool:
    """Tell whether an arm turns its palm like that around the middle of its workspace.

    Args:
        robot: With an arm.
        rotation: (3, 3) of a frame of the robot in base_link.
        frame: That frame.
        tool: (3,) [m] what is over the places, in that frame.
    """
    if robot.arm is None or robot.arm.workspace is None:
        return True
    ik, q = ArmIK(robot, frame), robot.home[: len(robot.arm_joints)].copy()
    steps = _FIRST_STEPS
    for place in asked_places(np.array(robot.arm.workspace.centre)):
        target = transform(rotation, place)
        for _ in range(steps):
            result = ik.step(q, target, _STEP, tool=tool)
            q = result.q
        if result.position_error > _MISS or result.rotation_error > _MISS_ANGLE:
            return False
        steps = _STEPS
    return True


def _axes(closing: FloatArray, reach: FloatArray) -> FloatArray:
    """Return (3, 3) with columns along the closing line, beside it, and along the approach."""
    x = closing / np.linalg.norm(closing)
    z = reach - (reach @ x) * x
    z = z / np.linalg.norm(z)
    return np.stack([x, cross(z, x), z], axis=1)


def _level(direction: FloatArray) -> FloatArray | None:
    """Return the unit vector (3,) of a direction's shadow on the table, None if it has none."""
    shadow = direction * (1.0, 1.0, 0.0)
    length = float(np.linalg.norm(shadow))
    return shadow / length if length > _FLAT * float(np.linalg.norm(direction)) else None
