"""Anchor points: how far an object is from where it should be, in one number."""

import numpy as np

from mimic_core.arrays import FloatArray


def rotation_matrices(quat_xyzw: FloatArray) -> FloatArray:
    """Return (..., 3, 3) rotations of (..., 4) quaternions of any length but 0."""
    unit = quat_xyzw / np.linalg.norm(quat_xyzw, axis=-1, keepdims=True)
    x, y, z, w = np.moveaxis(unit, -1, 0)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return np.stack(rows, axis=-1).reshape(*x.shape, 3, 3)


def place_anchors(pose: FloatArray, anchors: FloatArray) -> FloatArray:
    """Return places (..., A, 3) [m] of anchors (A, 3) at poses (..., 7): xyz, quaternion xyzw."""
    turned = np.einsum('...ij,aj->...ai', rotation_matrices(pose[..., 3:]), anchors)
    placed: FloatArray = turned + pose[..., None, :3]
    return placed


def anchor_distance(actual: FloatArray, wanted: FloatArray) -> FloatArray:
    """Return (...) the mean distance [m] of anchors (..., A, 3) to where they should be."""
    distance: FloatArray = np.linalg.norm(actual - wanted, axis=-1).mean(axis=-1)
    return distance


def tracking_reward(distance: FloatArray, scale: float) -> FloatArray:
    """Return r = exp(-scale d). Source: Lum et al. 2025, Human2Sim2Robot, equation 1."""
    reward: FloatArray = np.exp(-scale * distance)
    return reward
