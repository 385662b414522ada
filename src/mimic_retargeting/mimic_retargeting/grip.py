"""Where and how a hand holds things, and the way on which its fingers close on them."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.frames import GRASP_CENTER, PALM
from mimic_description import RobotModel

_GRIP_OPENING: Final = 0.06  # [m] of the tips around a usual thing
_MEETS: Final = 0.03  # [m] from the thumb's tip, of a tip that meets it in the posture pinch
_SAMPLES: Final = 101


@dataclass(frozen=True)
class Grip:
    """Where and along which line a hand holds things, in its palm frame."""

    centre: FloatArray  # (3,) origin of grasp_center [m]
    closing: FloatArray  # (3,) unit vector from thumb tip to the tips that it meets
    reach: FloatArray  # (3,) unit vector from which it approaches things


class PinchWay:
    """The tips of a hand on the way from its posture wide (open, where it has none) to pinch.

    It opens and closes along the line from the thumb's tip to the middle of the tips that meet it
    in the posture pinch: the index finger's, and those of others.
    """

    def __init__(self, robot: RobotModel) -> None:
        """Sample the way. Args: robot: with a hand that has a thumb and an index finger."""
        self._robot: Final = robot
        links, count = robot.tip_frames(), len(robot.arm_joints)
        wide, shut = robot.pinch_way
        q = robot.home.copy()
        tips: dict[str, list[FloatArray]] = {finger: [] for finger in links}
        for part in np.linspace(0.0, 1.0, _SAMPLES):
            q[count:] = shut + part * (wide - shut)
            for finger, link in links.items():
                tips[finger].append(robot.fk(q, link, PALM)[:3, 3])
        self._tips: Final = {finger: np.array(places) for finger, places in tips.items()}
        thumb = self._tips['thumb']
        self._met: Final = [
            finger
            for finger, places in self._tips.items()
            if finger == 'index' or (finger != 'thumb' and _distance(places, thumb) < _MEETS)
        ]
        self._lines: Final = np.mean([self._tips[finger] for finger in self._met], axis=0) - thumb
        self._lengths: Final = np.linalg.norm(self._lines, axis=1)
        # Only where it grows: tips that pass each other come no nearer.
        self._openings: Final = np.maximum.accumulate(self._lengths)

    def closing(self, opening: float) -> FloatArray:
        """Return (3,) the unit vector along which it closes, in palm, at an opening [m]."""
        at = int(np.argmax(self._lengths >= min(opening, float(self._lengths.max()))))
        line: FloatArray = self._lines[at] / self._lengths[at]
        return line

    def opening(self, fingers: FloatArray) -> float:
        """Return the opening [m] of a hand with its joints at (J of the hand,)."""
        links, q = self._robot.tip_frames(), self._robot.home.copy()
        q[len(self._robot.arm_joints) :] = fingers
        met = [self._robot.fk(q, links[finger], PALM)[:3, 3] for finger in self._met]
        line = np.mean(met, axis=0) - self._robot.fk(q, links['thumb'], PALM)[:3, 3]
        return float(np.linalg.norm(line))

    def tip(self, finger: str, opening: float) -> FloatArray:
        """Return (3,) [m] of a tip in palm at an opening [m]."""
        at = float(np.interp(opening, self._openings, np.arange(_SAMPLES)))
        low = min(int(at), _SAMPLES - 2)
        places = self._tips[finger]
        place: FloatArray = places[low] + (at - low) * (places[low + 1] - places[low])
        return place


def _distance(a: FloatArray, b: FloatArray) -> float:
    """Return how far apart [m] two tips are in the posture pinch, the first of their places."""
    return float(np.linalg.norm(a[0] - b[0]))


def dexterous_grip(robot: RobotModel) -> Grip:
    """Return the grip of a dexterous hand: it reaches out of the palm, across its closing line.

    The closing line is that of its tips on their way when they are 60 mm apart.
    """
    centre = robot.fk(robot.home, GRASP_CENTER, PALM)[:3, 3]
    return Grip(centre, PinchWay(robot).closing(_GRIP_OPENING), np.array([1.0, 0.0, 0.0]))
