"""The table in a depth image."""

from typing import Final

import numpy as np

from mimic_core.arrays import DepthImage, FloatArray
from mimic_core.camera import Intrinsics
from mimic_object_tracking.scene import Plane

_STRIDE: Final = 8  # [px]
_TRIALS: Final = 120
_INLIER: Final = 0.008  # [m]
_LEAST: Final = 0.15  # [1] of the points, below which a plane is no table
_SEED: Final = 7


def sparse_points(depth: DepthImage, intrinsics: Intrinsics, farthest: float) -> FloatArray:
    """Return (N, 3) [m] every eighth pixel in rows and columns that has depth."""
    mm = depth[::_STRIDE, ::_STRIDE]
    row, column = np.nonzero((mm > 0) & (mm < 1e3 * farthest))
    pixels: FloatArray = np.stack([column, row], axis=1).astype(np.float64) * _STRIDE
    return intrinsics.deproject(pixels, mm[row, column].astype(np.float64) * 1e-3)


def find_plane(points: FloatArray) -> Plane | None:
    """Return the plane of most of the points (N, 3) [m], None where there is none.

    The same points give the same plane.
    """
    if len(points) < 50:
        return None
    rng = np.random.default_rng(_SEED)
    a, b, c = points[rng.integers(len(points), size=(3, _TRIALS))]
    normals = np.cross(b - a, c - a)
    lengths = np.linalg.norm(normals, axis=1)
    keep = lengths > 1e-4
    normals, a = normals[keep] / lengths[keep, None], a[keep]
    if len(normals) == 0:
        return None
    offsets = -(normals * a).sum(axis=1)
    counts = (np.abs(points @ normals.T + offsets) < _INLIER).sum(axis=0)
    best = int(np.argmax(counts))
    if counts[best] < _LEAST * len(points):
        return None
    return refine_plane(points, _towards(normals[best], float(offsets[best])))


def refine_plane(points: FloatArray, plane: Plane) -> Plane:
    """Return the plane fitted to those of the points (N, 3) [m] that lie in it."""
    for width in (_INLIER, 0.5 * _INLIER, 0.5 * _INLIER):
        near = points[np.abs(plane.height(points)) < width]
        if len(near) < 30:
            return plane
        middle = near.mean(axis=0)
        _, vectors = np.linalg.eigh((near - middle).T @ (near - middle))
        normal = vectors[:, 0]
        plane = _towards(normal, -float(normal @ middle))
    return plane


def _towards(normal: FloatArray, offset: float) -> Plane:
    """Return the plane with its normal to the side of the camera, which is the origin."""
    return Plane(normal, offset) if offset > 0.0 else Plane(-normal, -offset)
