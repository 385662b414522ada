"""What a depth image shows around a place: table, hand, and what may be an object."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mimic_core.arrays import BoolArray, DepthImage, FloatArray, IntArray
from mimic_core.camera import Intrinsics
from mimic_object_tracking import kernels
from mimic_object_tracking.kernels import BACKGROUND, HAND, OBJECT, UNKNOWN, ByteImage

__all__ = ['BACKGROUND', 'HAND', 'OBJECT', 'UNKNOWN', 'Plane', 'Scene', 'make_scene']


@dataclass(frozen=True)
class Plane:
    """The table: normal · p + offset is the height above it."""

    normal: FloatArray  # (3,) unit, towards the camera
    offset: float  # [m]

    def height(self, points: FloatArray) -> FloatArray:
        """Return the height (...) [m] of points (..., 3) above the plane."""
        above: FloatArray = points @ self.normal + self.offset
        return above


@dataclass(frozen=True)
class Scene:
    """A rectangle of a depth image, each pixel of one kind."""

    depth: FloatArray  # (h, w) [m], 0 where unknown
    kind: ByteImage  # (h, w)
    corner: IntArray  # (2,) row and column of the rectangle in the image [px]
    optics: FloatArray  # (4,) fx, fy, cx, cy [px]
    near_row: IntArray  # (h, w) the nearest pixel that is not background [px]
    near_column: IntArray  # (h, w)

    def points(self, most: int) -> FloatArray:
        """Return (N, 3) [m] what may be of an object, evenly thinned to about `most`."""
        count = int(np.count_nonzero(self.kind == OBJECT))
        stride = max(1, int(np.sqrt(count / most)))
        out = np.empty((count, 3))
        return out[
            : kernels.deproject_objects(
                self.depth, self.kind, self.corner, self.optics, stride, out
            )
        ]

    @property
    def mask(self) -> BoolArray:
        """Where an object may be (h, w)."""
        return self.kind == OBJECT


def make_scene(
    depth: DepthImage,
    intrinsics: Intrinsics,
    *,
    box: tuple[int, int, int, int] | None = None,
    plane: Plane | None,
    clearance: float,
    farthest: float,
    hidden: BoolArray | None = None,
) -> Scene:
    """Return the scene in a rectangle of a depth image.

    Args:
        depth: (H, W) [mm], undistorted.
        intrinsics: Of the image.
        box: First and last row, first and last column [px], the last ones excluded; None: all.
        plane: The table, if there is one.
        clearance: Height above it up to which pixels are of the table [m].
        farthest: Distance beyond which all is background [m].
        hidden: (H, W) where a hand or another thing is.
    """
    height, width = depth.shape
    top, bottom, left, right = box if box is not None else (0, height, 0, width)
    part = np.ascontiguousarray(depth[top:bottom, left:right])
    cover = np.zeros(part.shape, np.uint8)
    if hidden is not None:
        cover[:] = hidden[top:bottom, left:right]
    optics = np.array([intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy])
    corner = np.array([top, left], np.int64)
    metres = np.empty(part.shape)
    kind = np.empty(part.shape, np.uint8)
    normal = np.zeros(3) if plane is None else plane.normal
    offset = 1e9 if plane is None else plane.offset
    kernels.classify(
        part, cover, corner, optics, normal, offset, clearance, farthest, metres, kind
    )
    near_row, near_column = nearest_foreground(kind)
    return Scene(metres, kind, corner, optics, near_row, near_column)


def nearest_foreground(kind: ByteImage) -> tuple[IntArray, IntArray]:
    """Return row and column (h, w) of the nearest pixel that is not background [px]."""
    background = (kind == BACKGROUND).astype(np.uint8)
    if background.all():  # nothing to be near to
        far: IntArray = np.full(kind.shape, -(10**6), np.int64)
        return far, far
    _, labels = cv2.distanceTransformWithLabels(
        background, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    row, column = np.nonzero(background == 0)
    lookup = np.zeros((int(labels.max()) + 1, 2), np.int64)
    lookup[labels[row, column]] = np.stack([row, column], axis=1)
    nearest: npt.NDArray[Any] = lookup[labels]
    return np.ascontiguousarray(nearest[..., 0]), np.ascontiguousarray(nearest[..., 1])
