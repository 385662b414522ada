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
TRUST: Final = 0.75  # [1] in measured lengths, against the average hand
MAX_DEVIATION: Final = 0.25  # [1] of a bone from the average hand of that size
LOOSE, TIGHT = 0.10, 0.02  # [1] uncertainty of a length, new and known
SETTLING: Final = 15.0  # images until a length is known
HAND_LENGTHS: Final = (0.13, 0.25)  # [m] children to very large


class BoneLengths:
    """Lengths (E,) of the edges of one hand [m], and how well they are known."""

    def __init__(self, hand_length: float = 0.0) -> None:
        """Start with the average hand of a size.

        Args:
            hand_length: Wrist to middle finger tip [m], then only proportions are learned; 0 if
                it is not known.
        """
        size = hand_length if hand_length > 0.0 else AVERAGE_HAND_LENGTH
        self._count = np.zeros(len(EDGES))
        self._scale_count = 0
        self._fixed_scale = hand_length > 0.0
        self._measured_scale = False
        self.lengths: FloatArray = LENGTHS * np.clip(size, *HAND_LENGTHS)
        self._average: FloatArray = self.lengths

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
        return 0.05 if self._measured_scale and self._scale_count > SETTLING else 0.2

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
        # Noise along the line of sight only ever makes a bone longer, so what lies across counts.
        along = joints / np.linalg.norm(joints, axis=1, keepdims=True)
        cosine = (bones * along[EDGES[:, 0]]).sum(axis=1) / np.maximum(measured, 1e-6)
        weight = weight * np.maximum(1.0 - cosine**2, 0.0) ** 2
        # What the camera shows has errors that do not average out: it counts with the usual hand.
        expected = TRUST * measured + (1.0 - TRUST) * self._average
        gain = np.maximum(LAST_GAIN, 1.0 / (self._count + 1.0 / FIRST_GAIN)) * weight
        new = self.lengths + gain * (expected - self.lengths)
        if metric and not self._fixed_scale:
            self._measured_scale = True
            self._scale_count += 1
        else:
            # The same size as before: only proportions change.
            new *= self.lengths.sum() / new.sum()
        usual = LENGTHS * (new.sum() / LENGTHS.sum())
        self.lengths = np.clip(new, (1 - MAX_DEVIATION) * usual, (1 + MAX_DEVIATION) * usual)
        self._count = self._count + weight

    def _limited(self, factor: float) -> float:
        low, high = HAND_LENGTHS
        return float(np.clip(self.hand_length * factor, low, high)) / self.hand_length
