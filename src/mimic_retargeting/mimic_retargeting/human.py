"""A human hand as retargeting sees it: its frame in the robot's base, its points in that frame."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.frames import apply, hand_frame, inverse
from mimic_core.hand import TrackedHand
from mimic_core.keypoints import INDEX

_THUMB_TIP: Final = INDEX['thumb_tip']
_INDEX_TIP: Final = INDEX['index_tip']
_THUMB_IP: Final = INDEX['thumb_ip']
_INDEX_DIP: Final = INDEX['index_dip']


@dataclass(frozen=True)
class HumanHand:
    """One look at a hand. A left hand is mirrored in `points`, so that it reads as a right one."""

    base_T_hand: FloatArray  # (4, 4) hand_frame in base_link
    points: FloatArray  # (21, 3) in the hand frame [m], NaN where unknown
    confidence: FloatArray  # (21,) 0 where unknown or below the least confidence
    left: bool

    @property
    def wrist(self) -> FloatArray:
        """(3,) [m] in base_link."""
        wrist: FloatArray = self.base_T_hand[:3, 3]
        return wrist

    def to_base(self, point: FloatArray) -> FloatArray:
        """Return (3,) [m] in base_link of a point (3,) as in `points`."""
        flip = np.array([1.0, -1.0 if self.left else 1.0, 1.0])
        return apply(self.base_T_hand, point * flip)

    def distance(self, a: int, b: int) -> float:
        """Return the distance of two keypoints [m]; NaN if one is not seen."""
        if self.confidence[a] <= 0.0 or self.confidence[b] <= 0.0:
            return float('nan')
        return float(np.linalg.norm(self.points[a] - self.points[b]))


def observe(hand: TrackedHand, base_T_camera: FloatArray, min_confidence: float) -> HumanHand:
    """Return a tracked hand in the robot's base.

    Raises:
        ShapeError: The palm is degenerate.
        NotFiniteError: A palm keypoint is NaN.
    """
    left = hand.side == 'left'
    keypoints = apply(base_T_camera, np.asarray(hand.keypoints, dtype=np.float64))
    base_T_hand = hand_frame(keypoints, left=left)
    points = apply(inverse(base_T_hand), keypoints)
    if left:
        points[:, 1] *= -1.0
    confidence = np.clip(np.asarray(hand.confidence, dtype=np.float64), 0.0, 1.0)
    seen = np.isfinite(points).all(axis=1) & (confidence >= min_confidence)
    return HumanHand(base_T_hand, points, np.where(seen, confidence, 0.0), left)


class PinchPoint:
    """Where the person holds or would hold something: between thumb tip and index tip.

    It is kept in the hand's frame, so it moves with the wrist while the finger tips are hidden,
    and takes up what is seen in proportion to the confidence. Fully trusted tips give their exact
    midpoint.
    """

    TRUSTED: Final = 0.7  # confidence from which a look counts fully

    def __init__(self) -> None:
        self._point: FloatArray | None = None

    def reset(self) -> None:
        """Forget what was seen."""
        self._point = None

    def update(self, human: HumanHand) -> FloatArray | None:
        """Return (3,) [m] in base_link, or None while neither tips nor joints were ever seen."""
        tips = (human.points[_THUMB_TIP] + human.points[_INDEX_TIP]) / 2
        trust = min(human.confidence[_THUMB_TIP], human.confidence[_INDEX_TIP]) / self.TRUSTED
        if trust > 0.0:
            if self._point is None:
                self._point = tips
            self._point = self._point + min(trust, 1.0) * (tips - self._point)
        elif self._point is None:
            if min(human.confidence[_THUMB_IP], human.confidence[_INDEX_DIP]) <= 0.0:
                return None
            return human.to_base((human.points[_THUMB_IP] + human.points[_INDEX_DIP]) / 2)
        return human.to_base(self._point)
