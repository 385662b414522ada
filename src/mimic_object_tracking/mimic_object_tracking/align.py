"""Point-to-plane ICP between a mesh and a depth image, both ways.

Three kinds of residuals move a pose:

    points      a point of the image to the nearest triangle of the mesh that faces the camera
    samples     a point of the mesh that faces the camera to the surface seen at its pixel
    outline     a point of the mesh where the image shows what is behind it to the nearest pixel
                that does not: the mesh may not stick out of what is seen

and a weak pull to the prediction holds what none of them sees. The kernel of all is that of
Geman and McClure; it narrows from iteration to iteration.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.frames import transform
from mimic_object_tracking import kernels
from mimic_object_tracking.kernels import SIGMA
from mimic_object_tracking.mesh import ObjectModel
from mimic_object_tracking.scene import Scene

ENOUGH: Final = 0.35  # [1] of the points that face the camera, that agree: to be sure


@dataclass(frozen=True)
class Look:
    """How a pose looks in a depth image, by shares of the points that face the camera [1]."""

    agree: float  # the mesh is where a surface is seen
    contradict: float  # what is seen lies behind the mesh
    hidden: float  # something is before the mesh
    unknown: float  # no depth there
    outside: float  # not in the picture
    sharp: float  # how closely what agrees agrees: 1 exactly, 0 not at all

    @property
    def fit(self) -> float:
        """Share of what can be told that agrees [1]."""
        told = self.agree + self.contradict
        return self.agree / told if told > 0.0 else 0.0

    @property
    def confidence(self) -> float:
        """How sure the pose is [0..1]: it fits, and enough of the object is seen."""
        return self.fit**2 * min(1.0, self.agree / ENOUGH)


def to_centre(model: ObjectModel, camera_T_object: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return R (3, 3) and m (3,) [m] of a pose (4, 4)."""
    R = np.ascontiguousarray(camera_T_object[:3, :3])
    return R, R @ model.centre + camera_T_object[:3, 3]


def from_centre(model: ObjectModel, R: FloatArray, m: FloatArray) -> FloatArray:
    """Return the pose (4, 4) of R (3, 3) and m (3,) [m]."""
    return transform(R, m - R @ model.centre)


def align(
    model: ObjectModel,
    scene: Scene,
    camera_T_object: FloatArray,
    *,
    points: FloatArray,
    wide: float,
    iterations: int,
    samples: int,
    both_ways: bool = True,
) -> FloatArray:
    """Return the pose (4, 4) near a given one that fits the image best.

    Args:
        model: The object.
        scene: What is seen.
        camera_T_object: (4, 4) prediction.
        points: (N, 3) [m] that may be of the object, in the optical frame.
        wide: Width of the kernel at the start [m].
        iterations: At most.
        samples: Points of the mesh that are used, at most.
        both_ways: Use the mesh's points and the outline too.
    """
    grid, (R0, m0) = model.grid, to_centre(model, camera_T_object)
    R, m = R0.copy(), m0.copy()
    step = max(1, len(model.points) // samples)
    kernels.settle(
        R, m, R0, m0, model.centre, points,
        grid.origin, grid.voxel, grid.face, grid.corners, grid.normals,
        model.points[::step], model.point_normals[::step], both_ways, model.two_sided,
        scene.depth, scene.kind, scene.corner, scene.optics, scene.near_row, scene.near_column,
        wide, iterations, _frozen(model),
    )  # fmt: skip
    return from_centre(model, R, m)


def look(model: ObjectModel, scene: Scene, camera_T_object: FloatArray) -> Look:
    """Return how a pose looks in the image."""
    R, m = to_centre(model, camera_T_object)
    counts = np.zeros(6)
    width = soft_width(float(camera_T_object[2, 3]))
    kernels.count_looks(
        R, m, model.centre, model.points, model.point_normals, model.two_sided, scene.depth,
        scene.kind, scene.corner, scene.optics, scene.near_row, scene.near_column, width, counts,
    )  # fmt: skip
    total = max(counts[:5].sum(), 1.0)
    sharp = float(counts[5] / max(counts[0], 1.0))
    agree, contradict, hidden, unknown, outside = (counts[:5] / total).tolist()
    return Look(agree, contradict, hidden, unknown, outside, sharp)


def soft_width(distance: float) -> float:
    """Return how far [m] a surface at a distance [m] may be off and still agree well."""
    return max(0.003, 1.5 * SIGMA * distance * distance)


def distances(model: ObjectModel, camera_T_object: FloatArray, points: FloatArray) -> FloatArray:
    """Return the distance (N,) [m] of points (N, 3) to the mesh; infinite when far from it."""
    local = (points - camera_T_object[:3, 3]) @ camera_T_object[:3, :3]
    return model.grid.query(np.ascontiguousarray(local))[1]


def settle_all(
    model: ObjectModel,
    rotations: FloatArray,
    centres: FloatArray,
    points: FloatArray,
    *,
    wide: float,
    iterations: int,
    tau: float,
) -> FloatArray:
    """Settle many poses on points, in place; return a cost (P,) [1] of each.

    The cost is the mean of squared distances to the mesh in units of tau, each at most one.

    Args:
        model: The object.
        rotations: (P, 3, 3) changed in place.
        centres: (P, 3) [m] where the object's centre is; changed in place.
        points: (N, 3) [m] in the optical frame.
        wide: Width of the kernel at the start [m].
        iterations: For each pose.
        tau: Distance [m] beyond which all are equally far.
    """
    costs = np.zeros(len(rotations))
    g, none = model.grid, np.zeros((0, 3))
    empty, nowhere = np.zeros((1, 1)), np.zeros((1, 1), np.int64)
    kernels.settle_all(
        rotations, centres, model.centre, points, g.origin, g.voxel, g.face, g.corners,
        g.normals, none, model.two_sided, empty, np.zeros((1, 1), np.uint8),
        np.zeros(2, np.int64), np.ones(4), nowhere, wide, iterations, _frozen(model), tau, costs,
    )  # fmt: skip
    return costs


def _frozen(model: ObjectModel) -> FloatArray:
    return np.zeros(3) if model.symmetry.axis is None else model.symmetry.axis
