"""One detection as the camera sees it: rays, shape in the axes of the camera, depth samples."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from mimic_core.arrays import BoolArray, DepthImage, FloatArray
from mimic_core.camera import Intrinsics
from mimic_hand_tracking.bone_lengths import BoneLengths
from mimic_hand_tracking.detector import Detection
from mimic_hand_tracking.fit import fit_joints
from mimic_hand_tracking.hand_model import EDGES
from mimic_hand_tracking.start import (
    agreed_distance,
    built,
    pnp_translation,
    towards,
    translation_at,
)
from mimic_hand_tracking.surface import NEAREST, NO_SAMPLES, NUM_SITES, read_surface

SIGMA_PIXELS: Final = 0.012  # [1] of a landmark, in sizes of the hand in the image
LEAST_SITES: Final = 5.0  # sites that must agree on a distance before depth is believed


@dataclass(frozen=True)
class View:
    """What the fit needs of one detection."""

    detection: Detection
    inside: BoolArray  # (21,) the landmark is in the image
    rays: FloatArray  # (21, 2) [1] normalised, undistorted
    sigma_rays: FloatArray  # (21,) [1]
    shape: FloatArray  # (21, 3) [m] of the detector, in the axes of the camera
    directions: FloatArray  # (E, 3) [1] of its edges


@dataclass(frozen=True)
class Guess:
    """The first guess of where the hand is."""

    joints: FloatArray  # (21, 3) [m] optical frame
    surface: FloatArray | None  # (S, P) [m] depth samples; None without depth
    valid: FloatArray  # (S,) [1] share of valid samples
    size_ratio: float  # [1] distance by depth over distance by the size of the hand
    agreement: float  # [1] share of the sites that agree on the distance


def look(detection: Detection, intrinsics: Intrinsics) -> View:
    """Return the view of a detection."""
    pixels = detection.pixels
    size = np.array([intrinsics.width, intrinsics.height])
    margin = np.minimum(pixels + 0.5, size - 0.5 - pixels).min(axis=1)  # (21,) [px]
    inside: BoolArray = margin > 0.0
    focal = (intrinsics.fx, intrinsics.fy)
    rays = (pixels - (intrinsics.cx, intrinsics.cy)) / focal
    if any(intrinsics.distortion):
        # Points far outside the image have no undistorted place: those are not used.
        distorted = pixels[inside].reshape(-1, 1, 2)
        if len(distorted):
            matrix, distortion = intrinsics.matrix, np.array(intrinsics.distortion)
            rays[inside] = cv2.undistortPoints(distorted, matrix, distortion).reshape(-1, 2)
    extent = np.ptp(pixels, axis=0).max() / intrinsics.fx
    # A landmark outside the image is a guess of the detector.
    sigma = SIGMA_PIXELS * extent * np.where(inside, 1.0, 4.0) + 0.5 / intrinsics.fx
    shape = detection.world @ towards(rays.mean(axis=0)).T
    edges = shape[EDGES[:, 1]] - shape[EDGES[:, 0]]
    norms = np.maximum(np.linalg.norm(edges, axis=1, keepdims=True), 1e-6)
    return View(detection, inside, rays, sigma, shape, edges / norms)


def guess_by_size(view: View, bones: BoneLengths) -> FloatArray:
    """Return where a hand of those bones is (21, 3) [m] by its landmarks alone.

    The closed form trusts the detector's shape, whose tilt is often wrong; the fit to bone
    lengths corrects it.
    """
    shape = built(view.directions, bones.lengths)
    translation = pnp_translation(shape, view.rays)
    translation[2] = max(translation[2], NEAREST)
    start = shape + translation
    joints, _, _, _ = fit_joints(
        start, view.rays, view.sigma_rays, NO_SAMPLES, bones.lengths, bones.sigma,
        view.directions, start, np.inf, bones.radii,
    )  # fmt: skip
    return joints


def first_guess(
    view: View,
    depth: DepthImage | None,
    intrinsics: Intrinsics,
    bones: BoneLengths,
    size_bias: float,
    predicted_z: float | None,
) -> Guess:
    """Return where a hand of those bones is, by its size and by the depth image.

    Args:
        view: What the camera sees.
        depth: (H, W) [mm] or None.
        intrinsics: Of the image.
        bones: Of this hand.
        size_bias: Distance over the distance by size, as depth has shown for this hand [1].
        predicted_z: Distance of the middle of the hand by its motion so far [m], if known.
    """
    by_size = guess_by_size(view, bones) * size_bias
    nothing = np.zeros(0)
    if depth is None:
        return Guess(by_size, None, nothing, 1.0, 0.0)
    size_z = max(float(by_size[:, 2].mean()), NEAREST)
    shape = by_size - by_size.mean(axis=0)
    sigma = bones.scale_sigma * size_z
    near = size_z if predicted_z is None else predicted_z
    surface = read_surface(depth, view.detection.pixels, bones.hand_length, intrinsics.fx / near)
    z, votes = agreed_distance(shape, surface, size_z, sigma, predicted_z)
    if votes < LEAST_SITES:
        return Guess(by_size, None, nothing, 1.0, 0.0)
    joints = shape + translation_at(shape, view.rays, z)
    return Guess(joints, surface.z, surface.valid, z / size_z * size_bias, votes / NUM_SITES)
