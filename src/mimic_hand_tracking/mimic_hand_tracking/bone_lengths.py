"""The bone lengths of one hand, learned while it is followed until they are constant."""

from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_hand_tracking.hand_model import (
    AVERAGE_HAND_LENGTH,
    EDGES,
    LENGTHS,
    MIDDLE_FINGER,
    RADII,
)

FIRST_GAIN: Final = 0.2  # [1] of the first images; then 1/n
LAST_GAIN: Final = 0.005  # [1]
MAX_DEVIATION: Final = 0.35  # [1] of a bone from the average hand of that size
LOOSE, TIGHT = 0.10, 0.02  # [1] uncertainty of a length, new and known
SETTLING: Final = 15.0  # images until a length is known
HAND_LENGTHS: Final = (0.13, 0.25)  # [m] children to very large


class BoneLengths:
    """Lengths (E,) of the edges of one hand [m], and how well they are known."""

    def __init__(self, hand_length: float, *, fixed_scale: bool = False) -> None:
        """Start with the average hand of a size.

        Args:
            hand_length: Wrist to middle finger tip [m].
            fixed_scale: The size is known: only proportions are learned.
        """
        self._count = np.zeros(len(EDGES))
        self._scale_count = 0
        self._fixed_scale = fixed_scale
        self._measured_scale = False
        self.lengths: FloatArray = LENGTHS * np.clip(hand_length, *HAND_LENGTHS)

    @property
    def hand_length(self) -> float:
        """Wrist to tip of the straight middle finger [m]."""
        return float(self.lengths[MIDDLE_FINGER].sum())

    @property
    def radii(self) -> FloatArray:
        """(21,) [m] of the hand at its joints."""
        return RADII * self.hand_length

    @property
    def sigma(self) -> FloatArray:
        """(E,) [m] uncertainty of the lengths."""
        return self.lengths * (TIGHT + (LOOSE - TIGHT) * np.exp(-self._count / SETTLING))

    @property
    def scale_sigma(self) -> float:
        """Uncertainty of the size of the hand [1]."""
        if self._fixed_scale:
            return 0.03
        return 0.05 if self._measured_scale and self._scale_count > SETTLING else 0.12

    def rescale(self, factor: float) -> None:
        """Change the size, as when depth shows it for the first time; not if it is fixed."""
        if not self._fixed_scale:
            self.lengths = self.lengths * self._limited(factor)

    def learn(self, joints: FloatArray, confidence: FloatArray, *, metric: bool) -> None:
        """Move the lengths towards those of a fit.

        Args:
            joints: (21, 3) [m] in the optical frame.
            confidence: (21,) [1] of the joints.
            metric: The fit saw depth over most of the hand; without, it only shows proportions.
        """
        bones = joints[EDGES[:, 1]] - joints[EDGES[:, 0]]
        measured = np.linalg.norm(bones, axis=1)
        weight = np.minimum(confidence[EDGES[:, 0]], confidence[EDGES[:, 1]]) ** 2
        if not metric:
            # Without depth, only what lies across the line of sight is seen.
            along = joints / np.linalg.norm(joints, axis=1, keepdims=True)
            cosine = (bones * along[EDGES[:, 0]]).sum(axis=1) / np.maximum(measured, 1e-6)
            weight = weight * np.maximum(1.0 - cosine**2, 0.0) ** 2
        gain = np.maximum(LAST_GAIN, 1.0 / (self._count + 1.0 / FIRST_GAIN)) * weight
        new = self.lengths + gain * (measured - self.lengths)
        if metric and not self._fixed_scale:
            self._measured_scale = True
            self._scale_count += 1
        else:
            # The same size as before: only proportions change.
            new *= self.lengths.sum() / new.sum()
        usual = LENGTHS * (new.sum() / LENGTHS.sum())
        self.lengths = np.clip(new, (1 - MAX_DEVIATION) * usual, (1 + MAX_DEVIATION) * usual)
        self._count = self._count + weight

    def learn_size(self, hand_length: float) -> None:
        """Move the size towards a guess [m] of the detector, while depth has not shown it."""
        if self._fixed_scale or self._measured_scale:
            return
        self._scale_count += 1
        factor = (hand_length / self.hand_length) ** max(LAST_GAIN, 1.0 / (1 + self._scale_count))
        self.lengths = self.lengths * self._limited(factor)

    def _limited(self, factor: float) -> float:
        low, high = HAND_LENGTHS
        return float(np.clip(self.hand_length * factor, low, high)) / self.hand_length


def detected_hand_length(world: FloatArray) -> float:
    """Return the hand length [m] that a detector's shape (21, 3) [m] stands for."""
    edges = np.linalg.norm(world[EDGES[:, 1]] - world[EDGES[:, 0]], axis=1)
    return float(edges.sum() / LENGTHS.sum())


def initial_lengths(hand_length: float, world: FloatArray) -> BoneLengths:
    """Return the lengths of a new hand, of a known size [m] or (0) of the detector's guess."""
    if hand_length > 0.0:
        return BoneLengths(hand_length, fixed_scale=True)
    guess = 0.5 * (AVERAGE_HAND_LENGTH + detected_hand_length(world))
    return BoneLengths(guess)
