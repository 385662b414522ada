"""Both trackers over a video: where the object and the person's hand are in each frame."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from mimic_core.arrays import BoolArray, FloatArray
from mimic_core.errors import ConfigError, MimicError
from mimic_core.hand import Side, TrackedHand
from mimic_core.keypoints import NUM_KEYPOINTS
from mimic_core.params import types_of
from mimic_hand_tracking import HandTracker, TrackingParams
from mimic_object_tracking import (
    ObjectModel,
    ObjectTracker,
    ObjectTrackingParams,
    SightParams,
)
from mimic_object_tracking.recorded import LEAST_DEPTH
from mimic_rl.prepare.path import ObjectNotSeenError, smooth, within
from mimic_rl.prepare.video import DemonstrationVideo

_FEWEST: Final = 10  # frames of a demonstration
_USUAL: Final = SightParams()


class HandNotSeenError(MimicError):
    """The hand of a demonstration is not seen, or not when it matters."""


@dataclass(frozen=True)
class Watched:
    """What the trackers saw, in the optical frame of the camera."""

    stamps: FloatArray  # (N,) [s]
    objects: FloatArray  # (N, 4, 4) camera_T_object, NaN where it was not seen
    keypoints: FloatArray  # (N, 21, 3) [m], NaN where they were not seen
    confidence: FloatArray  # (N, 21) [1]
    by_depth: BoolArray  # (N,) the hand was fitted to the depth image
    left_out: int  # frames of the video that are not among the N: they have no depth

    @property
    def with_hand(self) -> BoolArray:
        """(N,) the hand was seen."""
        there: BoolArray = self.confidence.max(axis=1) > 0.0
        return there


def watch(
    video: DemonstrationVideo,
    model: ObjectModel,
    side: Side,
    progress: Callable[[int], None] = lambda frames: None,
    sight: SightParams = _USUAL,
) -> Watched:
    """Track object and hand through a video; a frame whose depth was lost is left out.

    Args:
        video: Of the demonstration.
        model: Of the object.
        side: The person's hand.
        progress: Is told how many frames are done.
        sight: How the object is found.

    Raises:
        ConfigError: Fewer than ten frames have depth, or hardly any of many.
        HandNotSeenError: The hand is never seen.
        ObjectNotSeenError: The object is never seen.
    """
    # The model is loaded; the parameter only tells the node where from.
    said = {name: getattr(sight, name) for name in types_of(SightParams)}
    object_tracker = ObjectTracker([model], ObjectTrackingParams(objects=(model.name,), **said))
    # Smoothing is done afterwards, without delay: no filter here.
    hand_tracker = HandTracker(TrackingParams(filter_cutoff=0.0, confirm_frames=1))
    stamps, objects, keypoints, confidence, by_depth = [], [], [], [], []
    others: set[str] = set()
    left_out = 0
    for frame in video.frames():
        if frame.depth is None:
            left_out += 1
            continue
        hands = hand_tracker.process_frame(frame)
        found = object_tracker.process(frame, hands)
        hand = next((h for h in hands if h.side == side), None)
        others |= {h.side for h in hands}
        stamps.append(frame.stamp)
        objects.append(found[0].camera_T_object if found else np.full((4, 4), np.nan))
        keypoints.append(np.full((NUM_KEYPOINTS, 3), np.nan) if hand is None else hand.keypoints)
        confidence.append(np.zeros(NUM_KEYPOINTS) if hand is None else hand.confidence)
        by_depth.append(hand is not None and hand.method == 'depth')
        progress(len(stamps))
    hand_tracker.close()
    if len(stamps) < max(_FEWEST, LEAST_DEPTH * (len(stamps) + left_out)):
        raise ConfigError(
            f'{video.path}: {len(stamps)} frames with depth are no demonstration, {left_out} more '
            'have none within half a frame period of their stamp: record aligned depth at the '
            'rate of the colour'
        )
    watched = Watched(
        np.array(stamps), np.array(objects), np.array(keypoints), np.array(confidence),
        np.array(by_depth), left_out,
    )  # fmt: skip
    if not watched.with_hand.any():
        other = next(iter(others), '')
        seen = f', only a {other} one: try --side {other}, else it' if other else ': it'
        raise HandNotSeenError(
            f'{video.path}: no {side} hand is seen in any of {len(stamps)} frames{seen} must be '
            'bare and whole in the picture'
        )
    if not np.isfinite(watched.objects).all(axis=(1, 2)).any():
        raise ObjectNotSeenError(
            f'{video.path}: {model.name} is not seen in any of {len(stamps)} frames: it must be '
            f'in the picture, of the size of the mesh ({model.describe()}), and {within(sight)}'
        )
    return watched


def hand_motion(
    watched: Watched, window: float, longest_gap: float
) -> tuple[FloatArray, FloatArray]:
    """Return keypoints (N, 21, 3) [m] smoothed over time, and confidence (N, 21).

    A keypoint that is hidden for no longer than `longest_gap` [s] is interpolated, with half the
    confidence; else it stays NaN, of confidence 0.
    """
    stamps, points = watched.stamps, watched.keypoints.copy()
    confidence = np.where(np.isfinite(points).all(axis=2), watched.confidence, 0.0)
    for k in range(NUM_KEYPOINTS):
        known = confidence[:, k] > 0.0
        if known.sum() < 2:
            points[:, k], confidence[:, k] = np.nan, 0.0
            continue
        there = stamps[known]
        before = np.searchsorted(there, stamps, side='right') - 1
        after = np.searchsorted(there, stamps)
        inside = (before >= 0) & (after < len(there))
        gap = there[np.clip(after, 0, len(there) - 1)] - there[np.clip(before, 0, None)]
        filled = ~known & inside & (gap <= longest_gap)
        whole = np.stack(
            [np.interp(stamps, there, points[known, k, axis]) for axis in range(3)], axis=1
        )
        usable = known | filled
        smoothed = smooth(stamps, whole, window)
        points[:, k] = np.where(usable[:, None], smoothed, np.nan)
        confidence[filled, k] = 0.5 * np.interp(stamps[filled], there, confidence[known, k])
    return points, confidence


def hand_at(
    watched: Watched,
    motion: tuple[FloatArray, FloatArray],
    stamp: float,
    side: Side,
    longest_gap: float,
) -> TrackedHand | None:
    """Return the smoothed hand at the frame nearest to a stamp [s] that has all of a palm."""
    points, confidence = motion
    palm = np.isfinite(points[:, [0, 5, 9, 17]]).all(axis=(1, 2))
    if not palm.any():
        return None
    rows = np.flatnonzero(palm)
    row = int(rows[np.argmin(np.abs(watched.stamps[rows] - stamp))])
    if abs(watched.stamps[row] - stamp) > longest_gap:
        return None
    return TrackedHand(
        track_id=0,
        side=side,
        method='depth' if watched.by_depth[row] else 'pnp',
        keypoints=points[row],
        confidence=confidence[row],
        pixels=np.full((NUM_KEYPOINTS, 2), np.nan),
        score=float(confidence[row].mean()),
    )
