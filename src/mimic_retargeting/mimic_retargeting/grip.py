"""Where and how a hand holds things, and the way on which its fingers close on them."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.frames import GRASP_CENTER, PALM
from mimic_description import RobotModel
from mimic_retargeting.hand_solver import point_positions
from mimic_retargeting.tables import build_chain

_GRIP_OPENING: Final = 0.06  # [m] of the tips around a usual thing
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
    (`RobotModel.pinch_fingers`).
    """

    def __init__(self, robot: RobotModel) -> None:
        """Sample the way. Args: robot: with a hand that has a thumb and an index finger."""
        links = robot.tip_frames()
        self._fingers: Final = tuple(links)
        self._met: Final = [self._fingers.index(finger) for finger in robot.pinch_fingers]
        self._chain: Final = build_chain(robot, robot.hand_joints, PALM, list(links.values()))
        wide, shut = robot.pinch_way
        shares = np.linspace(0.0, 1.0, _SAMPLES)
        self._places: Final = np.array(
            [point_positions(self._chain, shut + share * (wide - shut)) for share in shares]
        )  # (S, F, 3)
        self._lines: Final = np.array([self._line(places) for places in self._places])
        self._lengths: Final = np.linalg.norm(self._lines, axis=1)
        # Only where it grows: tips that pass each other come no nearer.
        self._openings: Final = np.maximum.accumulate(self._lengths)

    def _line(self, places: FloatArray) -> FloatArray:
        """Return (3,) from the thumb's tip to the middle of those that meet it; places (F, 3)."""
        line: FloatArray = places[self._met].mean(axis=0) - places[self._fingers.index('thumb')]
        return line

    def closing(self, opening: float) -> FloatArray:
        """Return (3,) the unit vector along which it closes, in palm, at an opening [m]."""
        at = int(np.argmax(self._lengths >= min(opening, float(self._lengths.max()))))
        line: FloatArray = self._lines[at] / self._lengths[at]
        return line

    def opening(self, fingers: FloatArray) -> float:
        """Return the opening [m] of a hand with its joints at (J of the hand,)."""
        return float(np.linalg.norm(self._line(point_positions(self._chain, fingers))))

    def tip(self, finger: str, opening: float) -> FloatArray:
        """Return (3,) [m] of a tip in palm at an opening [m]."""
        at = float(np.interp(opening, self._openings, np.arange(_SAMPLES)))
        low = min(int(at), _SAMPLES - 2)
        places = self._places[:, self._fingers.index(finger)]
        place: FloatArray = places[low] + (at - low) * (places[low + 1] - places[low])
        return place


def dexterous_grip(robot: RobotModel, way: PinchWay) -> Grip:
    """Return the grip of a dexterous hand: it reaches out of the palm, across its closing line.

    The closing line is that of its tips on their way when they are 60 mm apart.
    """
    centre = robot.fk(robot.home, GRASP_CENTER, PALM)[:3, 3]
    return Grip(centre, way.closing(_GRIP_OPENING), np.array([1.0, 0.0, 0.0]))
