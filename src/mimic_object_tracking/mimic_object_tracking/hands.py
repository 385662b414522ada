"""Where tracked hands are in the picture, so that they are not taken for an object."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import cv2
import numpy as np

from mimic_core.arrays import BoolArray, DepthImage, FloatArray
from mimic_core.camera import Intrinsics
from mimic_core.hand import TrackedHand
from mimic_core.keypoints import CHAINS, INDEX, WRIST
from mimic_object_tracking.kernels import ByteImage

_FLESH: Final = 0.014  # [m] around bones, of the thickest finger with some slack
_PALM: Final = 0.020  # [m] around the outline of the palm
_FOREARM: Final = (0.30, 0.048)  # [m] length and half width
_REACH: Final = 0.030  # [m] along the line of sight: what lies farther from the hand is not of it
_NEAREST: Final = 0.1  # [m] what is nearer to the camera is not drawn
_KNUCKLES: Final = tuple(
    INDEX[f'{finger}_mcp'] for finger in ('index', 'middle', 'ring', 'little')
)


def hand_mask(
    hands: Sequence[TrackedHand], depth: DepthImage, intrinsics: Intrinsics
) -> BoolArray:
    """Return the pixels (H, W) that are of a hand or its forearm.

    A pixel counts when it is near the projected hand and not behind it: what a hand holds lies
    behind or between the fingers, and is kept.

    Args:
        hands: In the optical frame of the depth image, perhaps of a moment before.
        depth: (H, W) [mm].
        intrinsics: Of the image.
    """
    mask = np.zeros(depth.shape, bool)
    for hand in hands:
        points = hand.keypoints
        known = np.asarray(np.isfinite(points).all(axis=1))
        if known.sum() < 3 or not known[WRIST]:
            continue
        cover = np.zeros(depth.shape, np.uint8)
        _draw(cover, points, known, intrinsics)
        z = points[known, 2]
        mm = depth.astype(np.float32)
        near = (mm < 1e3 * (float(z.max()) + _REACH)) & (mm > 0.0)
        mask |= (cover > 0) & (near | (mm == 0.0))
    return mask


def _draw(cover: ByteImage, points: FloatArray, known: BoolArray, optics: Intrinsics) -> None:
    for chain in CHAINS:
        for a, b in pairwise(chain):
            if known[a] and known[b]:
                _stroke(cover, points[a], points[b], _FLESH, optics)
    palm = [k for k in (WRIST, *_KNUCKLES) if known[k]]
    for a, b in zip(palm, palm[1:] + palm[:1], strict=True):
        _stroke(cover, points[a], points[b], _PALM, optics)
    if len(palm) > 2 and (points[palm, 2] > _NEAREST).all():
        corners = np.rint(np.clip(optics.project(points[palm]), -1e4, 1e4)).astype(np.int32)
        cv2.fillConvexPoly(cover, cv2.convexHull(corners), (255,))
    middle = _KNUCKLES[1]
    if known[middle]:
        back = points[WRIST] - points[middle]
        length = float(np.linalg.norm(back))
        if length > 0.02:
            elbow = points[WRIST] + back / length * _FOREARM[0]
            _stroke(cover, points[WRIST], elbow, _FOREARM[1], optics)


def _stroke(
    cover: ByteImage, a: FloatArray, b: FloatArray, radius: float, optics: Intrinsics
) -> None:
    ends = np.stack([a, b])
    if (ends[:, 2] < _NEAREST).any():
        return
    pixels = optics.project(ends)
    if np.abs(pixels).max() > 1e4:
        return
    width = max(1, round(2.0 * radius * optics.fx / float(ends[:, 2].mean())))
    (u0, v0), (u1, v1) = np.rint(pixels).astype(int).tolist()
    cv2.line(cover, (u0, v0), (u1, v1), (255,), width)
