"""Grippers: how far a person's thumb and index are apart, and the joint that opens as far."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError
from mimic_core.keypoints import INDEX
from mimic_description import RobotModel
from mimic_retargeting.human import HumanHand

Level = Literal['tips', 'joints', 'last', 'half']
_THUMB_TIP: Final = INDEX['thumb_tip']
_INDEX_TIP: Final = INDEX['index_tip']
_THUMB_IP: Final = INDEX['thumb_ip']
_INDEX_DIP: Final = INDEX['index_dip']


@dataclass(frozen=True)
class ApertureReading:
    """An aperture and where it came from."""

    value: float  # [m] thumb tip to index tip
    level: Level


class Aperture:
    """The distance of thumb tip and index tip, with a fallback in four levels.

    tips: as seen. joints: thumb IP to index DIP, less what the two distances differed by when both
    were seen. last: the last value for a while. half: half open.
    """

    TYPICAL_DIFFERENCE: Final = 0.012  # [m], joints over tips in a half closed pinch

    def __init__(self, half: float, hold: float) -> None:
        """Set up.

        Args:
            half: Aperture when nothing is known [m].
            hold: How long the last value is used [s].
        """
        self._half, self._hold = half, hold
        self._difference = self.TYPICAL_DIFFERENCE
        self._last: tuple[float, float] | None = None  # value [m], stamp [s]

    def reset(self) -> None:
        """Forget the last value."""
        self._last = None

    def update(self, human: HumanHand | None, stamp: float) -> ApertureReading:
        """Return the aperture at a stamp [s]; `human` is None when no hand is seen."""
        tips = human.distance(_THUMB_TIP, _INDEX_TIP) if human else float('nan')
        joints = human.distance(_THUMB_IP, _INDEX_DIP) if human else float('nan')
        if np.isfinite(tips):
            if np.isfinite(joints):
                self._difference += 0.2 * (joints - tips - self._difference)
            self._last = (tips, stamp)
            return ApertureReading(tips, 'tips')
        if np.isfinite(joints):
            value = max(joints - self._difference, 0.0)
            self._last = (value, stamp)
            return ApertureReading(value, 'joints')
        if self._last is not None and stamp - self._last[1] <= self._hold:
            return ApertureReading(self._last[0], 'last')
        return ApertureReading(self._half, 'half')


class Gripper:
    """Maps a human aperture to the joints of a gripper, along its way from open to closed."""

    SAMPLES: Final = 65

    def __init__(self, robot: RobotModel) -> None:
        """Measure the opening along the way.

        Raises:
            ConfigError: The hand is no gripper.
        """
        hand = robot.hand
        if hand is None or hand.retargeting is None or hand.retargeting.aperture_open is None:
            raise ConfigError(f'{hand.name if hand else "none"} has no retargeting.aperture')
        self.human_open: Final = float(hand.retargeting.aperture_open)
        self.human_closed: Final = float(hand.retargeting.aperture_closed or 0.0)
        self._open, self._closed = robot.hand_open.copy(), robot.hand_closed.copy()
        tips = robot.tip_frames()
        parts = np.linspace(0.0, 1.0, self.SAMPLES)
        openings = []
        for part in parts:
            q = robot.home.copy()
            q[len(robot.arm_joints) :] = self._blend(part)
            thumb, index = (robot.fk(q, tips[finger])[:3, 3] for finger in ('thumb', 'index'))
            openings.append(float(np.linalg.norm(thumb - index)))
        # Only where it grows: a jaw that swings by may come nearer again.
        self._openings: Final = np.maximum.accumulate(openings)
        self._parts: Final = parts

    @property
    def human_half(self) -> float:
        """The human aperture that half opens the gripper [m]."""
        return 0.5 * (self.human_open + self.human_closed)

    def joints(self, aperture: float) -> FloatArray:
        """Return (J of the hand,) joints for a human aperture [m].

        The opening between the robot's tips is proportional: `human_closed` closes it,
        `human_open` opens it as far as it goes.
        """
        share = (aperture - self.human_closed) / (self.human_open - self.human_closed)
        share = min(max(share, 0.0), 1.0)
        opening = self._openings[0] + share * (self._openings[-1] - self._openings[0])
        return self._blend(float(np.interp(opening, self._openings, self._parts)))

    def _blend(self, part: float) -> FloatArray:
        blend: FloatArray = self._closed + part * (self._open - self._closed)
        return blend
