"""Reads the depth image where the hand should be: sites on joints and in the middle of bones."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mimic_core.arrays import DepthImage, FloatArray, IntArray
from mimic_core.keypoints import BONES, NUM_KEYPOINTS
from mimic_hand_tracking.hand_model import RADII

_BONES = np.array(BONES, dtype=np.int64)
_JOINTS = np.arange(NUM_KEYPOINTS, dtype=np.int64)
# A site lies on the line between two joints: (1 - t) a + t b. The joints come first.
SITE_A: Final[IntArray] = np.concatenate([_JOINTS, _BONES[:, 0]])  # (S,)
SITE_B: Final[IntArray] = np.concatenate([_JOINTS, _BONES[:, 1]])  # (S,)
SITE_T: Final[FloatArray] = np.repeat([0.0, 0.5], [NUM_KEYPOINTS, len(BONES)])  # (S,) [1]
# The middle of a bone is as thick as its far end: the palm's are thinner than the wrist.
SITE_RADII: Final[FloatArray] = np.concatenate([RADII, RADII[_BONES[:, 1]]])  # (S,) [1]
NUM_SITES: Final = len(SITE_A)

# Samples around a site, in radii of the finger: the middle and two rings inside its outline.
_ANGLES = np.arange(4) * np.pi / 2
_RING = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_TURNED = np.stack([np.cos(_ANGLES + np.pi / 4), np.sin(_ANGLES + np.pi / 4)], axis=1)
PATTERN: Final[FloatArray] = np.concatenate([np.zeros((1, 2)), 0.3 * _RING, 0.6 * _TURNED])
# From the surface back to the joint, in radii. A finger is a cylinder in a direction that is not
# known: the mean of a sample along it (1) and of one across it (sqrt(1 - f²)).
INSET: Final[FloatArray] = 0.5 * (1.0 + np.sqrt(1.0 - (PATTERN**2).sum(axis=1)))  # (P,) [1]
NO_SAMPLES: Final[FloatArray] = np.full((NUM_SITES, len(PATTERN)), np.nan)

NEAREST, FARTHEST = 0.10, 4.0  # [m] a depth outside is not a hand's


@dataclass(frozen=True)
class Surface:
    """Where the joints of a hand would be if what the depth image shows were its skin."""

    z: FloatArray  # (S, P) [m] depth of the site by each sample, NaN where there is none
    valid: FloatArray  # (S,) [1] share of the samples that have a depth


def read_surface(
    depth: DepthImage, pixels: FloatArray, hand_length: float, radius_px_at: float
) -> Surface:
    """Return the depth samples around the landmarks of a hand.

    Args:
        depth: (H, W) [mm], 0 where unknown, aligned to the colour image.
        pixels: (21, 2) [px] landmarks in the image.
        hand_length: Of this hand [m].
        radius_px_at: Focal length over distance of the hand [px/m].
    """
    height, width = depth.shape
    sites = (1.0 - SITE_T)[:, None] * pixels[SITE_A] + SITE_T[:, None] * pixels[SITE_B]
    radii = SITE_RADII * hand_length  # (S,) [m]
    spread = np.clip(radii * radius_px_at, 1.0, 60.0)  # (S,) [px]
    where = np.rint(sites[:, None] + spread[:, None, None] * PATTERN).astype(np.int64)
    u, v = where[..., 0], where[..., 1]
    inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
    value = depth[np.where(inside, v, 0), np.where(inside, u, 0)] * 1e-3  # (S, P) [m]
    good = inside & (value > NEAREST) & (value < FARTHEST)
    z = np.where(good, value + radii[:, None] * INSET, np.nan)
    return Surface(z=z, valid=good.mean(axis=1))
