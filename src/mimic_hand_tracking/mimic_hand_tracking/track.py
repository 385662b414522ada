"""One hand that is followed: its bone lengths, its side, its motion and its filter."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mimic_core.arrays import DepthImage, FloatArray
from mimic_core.camera import Intrinsics
from mimic_core.hand import Method, Side
from mimic_core.keypoints import NUM_KEYPOINTS
from mimic_hand_tracking.bone_lengths import BoneLengths
from mimic_hand_tracking.fit import fit_joints
from mimic_hand_tracking.one_euro import OneEuroFilter
from mimic_hand_tracking.params import TrackingParams
from mimic_hand_tracking.sides import SideEvidence
from mimic_hand_tracking.surface import NO_SAMPLES
from mimic_hand_tracking.view import View, first_guess

MOTION_SIGMA: Final = 0.025  # [m] of the predicted joints
FORGET_MOTION: Final = 0.12  # [s] without an image, after which nothing is predicted
BIAS_GAIN: Final = 0.1  # [1] of an image
VELOCITY_GAIN: Final = 0.5  # [1] of an image
HIDDEN_CONFIDENCE: Final = 0.1  # [1] of a joint that only the model knows
UNKNOWN_CONFIDENCE: Final = 0.5  # [1] of a joint whose depth the sensor did not see
WHOLE_HAND: Final = 0.5  # [1] share of the hand that must have depth to learn its size
LEAST_SUPPORT: Final = 2.0  # joints with depth behind them, below which a fit is without depth
SIZE_RATIOS: Final = (0.55, 1.8)  # [1] depth over size: outside, it is not a hand


@dataclass(frozen=True)
class Fit:
    """A detection in metres, by the bone lengths of one hand."""

    view: View
    stamp: float  # [s]
    joints: FloatArray  # (21, 3) [m] optical frame, unfiltered
    confidence: FloatArray  # (21,) [1]
    method: Method
    size_ratio: float  # [1] distance by depth over distance by size
    whole: bool  # most of the hand has depth: fit to learn from

    seen_at: FloatArray  # (3,) [m] the middle of the palm by this image alone, not drawn to motion


def palm_center(joints: FloatArray) -> FloatArray:
    """Return the middle (3,) [m] of wrist and knuckles of (21, 3) [m]."""
    center: FloatArray = 0.5 * joints[0] + 0.125 * joints[[5, 9, 13, 17]].sum(axis=0)
    return center


class Track:
    """One hand over time."""

    def __init__(self, track_id: int, params: TrackingParams) -> None:
        self.id = track_id
        self.side: Side | None = None
        self.evidence = SideEvidence()
        self.images = 0  # in which it was seen
        self.last: Fit | None = None
        self._params = params
        self._bones = BoneLengths(params.hand_length)
        self._velocity: FloatArray = np.zeros(3)  # [m/s] of the palm
        # The detector's tilt of a hand is wrong in a way that lasts, and with it the distance by
        # size: what depth shows of it is used while there is no depth.
        self._size_bias = 1.0  # [1]
        self._filter = OneEuroFilter(params.filter_cutoff, params.filter_beta)

    @property
    def hand_length(self) -> float:
        """Wrist to middle finger tip [m] as far as known."""
        return self._bones.hand_length

    @property
    def filter_delay(self) -> float:
        """Delay of the last filtered joints [s]."""
        return self._filter.delay

    @property
    def last_seen(self) -> float:
        """Stamp of its last image [s]."""
        return -np.inf if self.last is None else self.last.stamp

    def predicted(self, stamp: float) -> FloatArray | None:
        """Return where the joints (21, 3) [m] are going to be; None if that is not known."""
        if self.last is None or stamp - self.last.stamp > FORGET_MOTION:
            return None
        return self.last.joints + self._velocity * (stamp - self.last.stamp)

    def fit(
        self, view: View, depth: DepthImage | None, intrinsics: Intrinsics, stamp: float
    ) -> Fit:
        """Return a detection in metres, as a view of this hand; changes nothing but a new hand."""
        predicted = self.predicted(stamp)
        predicted_z = None if predicted is None else float(predicted[:, 2].mean())
        guess = first_guess(view, depth, intrinsics, self._bones, self._size_bias, predicted_z)
        if self.last is None and guess.surface is not None:
            low, high = SIZE_RATIOS
            if low < guess.size_ratio < high and guess.agreement > WHOLE_HAND:
                self._bones.rescale(guess.size_ratio)
        if predicted is None or np.linalg.norm(
            palm_center(predicted) - palm_center(guess.joints)
        ) > self._reach(stamp):
            predicted, sigma = guess.joints, np.inf
        else:
            sigma = MOTION_SIGMA
        joints, support, hidden, inlier = fit_joints(
            guess.joints,
            view.rays,
            view.sigma_rays,
            NO_SAMPLES if guess.surface is None else guess.surface,
            self._bones.lengths * (self._size_bias if guess.surface is None else 1.0),
            self._bones.sigma,
            view.directions,
            predicted,
            sigma,
            self._bones.radii,
        )
        has_depth = (
            guess.surface is not None and float(support[:NUM_KEYPOINTS].sum()) > LEAST_SUPPORT
        )
        confidence = inlier * (1.0 - (1.0 - HIDDEN_CONFIDENCE) * hidden)
        if has_depth:
            known = guess.valid[:NUM_KEYPOINTS] > 0.2
            visible = np.minimum(1.0, 1.5 * support[:NUM_KEYPOINTS])
            confidence *= np.where(
                known, HIDDEN_CONFIDENCE + (1.0 - HIDDEN_CONFIDENCE) * visible, UNKNOWN_CONFIDENCE
            )
        confidence = np.where(view.inside, confidence * min(1.0, view.detection.score), 0.0)
        return Fit(
            view,
            stamp,
            joints,
            confidence,
            'depth' if has_depth else 'pnp',
            guess.size_ratio,
            bool(has_depth and support.mean() > WHOLE_HAND),
            palm_center(guess.joints),
        )

    def accept(self, fit: Fit) -> FloatArray:
        """Take a fit as this hand's next image; return its filtered joints (21, 3) [m]."""
        last = self.last
        if last is None or fit.stamp - last.stamp > FORGET_MOTION:
            self._velocity = np.zeros(3)
            self._filter = OneEuroFilter(self._params.filter_cutoff, self._params.filter_beta)
        else:
            measured = (palm_center(fit.joints) - palm_center(last.joints)) / (
                fit.stamp - last.stamp
            )
            self._velocity = self._velocity + VELOCITY_GAIN * (measured - self._velocity)
        # From the landmarks as they were seen, at the fitted distance: lengths that were learned
        # from joints that follow those lengths would drift.
        seen = np.column_stack([fit.view.rays, np.ones(NUM_KEYPOINTS)]) * fit.joints[:, 2:]
        if fit.whole:
            self._size_bias += BIAS_GAIN * (fit.size_ratio - self._size_bias)
        self._bones.learn(seen, fit.confidence, metric=fit.whole)
        self.evidence.add(fit.view.detection.right_probability)
        self.images += 1
        self.last = fit
        return self._filter.step(fit.joints, fit.stamp)

    def reaches(self, fit: Fit) -> bool:
        """Tell whether this hand can have come to a fit since it was last seen."""
        if self.last is None:
            return True
        moved = np.abs(fit.seen_at - self.last.seen_at - self._coasted(fit.stamp))
        reach = self._reach(fit.stamp)
        # The distance is only as good as the size of the hand where depth comes or goes.
        slack = 0.0 if fit.method == self.last.method == 'depth' else 0.2 * fit.seen_at[2]
        return bool(np.hypot(moved[0], moved[1]) < reach and moved[2] < reach + slack)

    def distance(self, fit: Fit) -> float:
        """Return how far [m] a fit is from where this hand was going."""
        if self.last is None:
            return 0.0
        return float(np.linalg.norm(fit.seen_at - self.last.seen_at - self._coasted(fit.stamp)))

    def _coasted(self, stamp: float) -> FloatArray:
        if self.last is None or stamp - self.last.stamp > FORGET_MOTION:
            return np.zeros(3)
        return self._velocity * (stamp - self.last.stamp)

    def _reach(self, stamp: float) -> float:
        assert self.last is not None
        return 0.08 + self._params.max_speed * (stamp - self.last.stamp)
