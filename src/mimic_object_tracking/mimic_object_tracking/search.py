"""Where an object is when nothing is known: what stands on the table, turned in every way.

Whatever stands out of the table is taken apart into pieces. For each piece of about the right
size the object is tried in the poses in which it can stand, at many turns, and in turns spread
evenly over all; the best few are aligned, both ways, and the one that explains the image stays.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from mimic_core.arrays import FloatArray, Image, IntArray
from mimic_object_tracking.align import Look, align, distances, from_centre, look, settle_all
from mimic_object_tracking.colour import ColourModel
from mimic_object_tracking.mesh import ObjectModel
from mimic_object_tracking.scene import OBJECT, Plane, Scene

_TURNS: Final = 36  # about the normal of the table
_STABLE: Final = 8  # poses in which it can stand, at most
_LEAST_STABLE: Final = 0.01  # [1] chance of a pose after a throw
_ANY: Final = 300  # turns spread over all
_PIECES: Final = 5
_LEAST_PIXELS: Final = 80  # of a piece
_SIZES: Final = (0.2, 1.35)  # [1] of the diameter, that a piece may have
_COARSE_POINTS, _FINE_POINTS = 160, 700
_ALIGNED, _FINISHED = 48, 6  # hypotheses of each stage
_CLOSE: Final = 0.004  # [m]
_STEP: Final = 0.02  # [m] between what is joined into a piece, at 1 m


@dataclass(frozen=True)
class Candidate:
    """A pose that was tried."""

    camera_T_object: FloatArray  # (4, 4)
    look: Look
    explained: float  # [1] how closely the piece's points lie on the mesh
    likeness: float  # [1] of the piece's colours

    @property
    def score(self) -> float:
        """How good it is [0..1]."""
        closeness = self.look.sharp * self.explained
        return self.look.confidence * closeness * (0.3 + 0.7 * self.likeness)


@dataclass(frozen=True)
class Piece:
    """Something that stands out of the table."""

    points: FloatArray  # (N, 3) [m] optical frame
    colours: Image  # (N, 3) rgb
    rows: IntArray  # (N,) [px] in the image
    columns: IntArray  # (N,) [px]


class Searcher:
    """Finds one object from nothing."""

    def __init__(self, model: ObjectModel) -> None:
        """Prepare the turns that are tried."""
        self._model = model
        self._stable = _stable_turns(model)
        any_turn = Rotation.random(_ANY, rng=np.random.default_rng(11)).as_matrix()
        self._any: FloatArray = any_turn

    def find(
        self,
        scene: Scene,
        color: Image,
        plane: Plane | None,
        colours: ColourModel,
        last: FloatArray | None = None,
    ) -> Candidate | None:
        """Return the best pose, None when nothing has about the right size.

        Args:
            scene: The whole image.
            color: (H, W, 3) rgb.
            plane: The table.
            colours: Of the object, if it was seen before.
            last: Pose (4, 4) in which it was seen last.
        """
        pieces = self.pieces(scene, color, colours)
        found: list[Candidate] = []
        for piece in pieces:
            likeness = colours.likeness(piece.colours)
            best = self._best(piece.points, scene, plane, last, likeness)
            if best is not None:
                found.append(best)
        if not found:
            return None
        # A handle may fit in many ways; the one that explains the rest too is right.
        seen = np.concatenate([piece.points for piece in pieces])
        seen = np.ascontiguousarray(seen[:: max(1, len(seen) // (2 * _FINE_POINTS))])
        counts = [closeness(distances(self._model, c.camera_T_object, seen)) for c in found]
        return max(zip(found, counts, strict=True), key=lambda pair: pair[0].score * pair[1])[0]

    def pieces(self, scene: Scene, color: Image, colours: ColourModel) -> list[Piece]:
        """Return what has about the right size, the likeliest first."""
        low, high = _SIZES
        ranked: list[tuple[float, int, Piece]] = []
        for row, column in _components(scene):
            z = scene.depth[row, column]
            fx, fy, cx, cy = scene.optics
            rows, columns = row + scene.corner[0], column + scene.corner[1]
            points = np.stack([(columns - cx) / fx * z, (rows - cy) / fy * z, z], axis=1)
            spread = np.quantile(points, 0.98, axis=0) - np.quantile(points, 0.02, axis=0)
            size = float(np.linalg.norm(spread)) / self._model.diameter
            if low < size < high:
                piece = Piece(points, color[rows, columns], rows, columns)
                rank = colours.likeness(piece.colours) * min(1.0, size / 0.6)
                ranked.append((rank, -len(ranked), piece))
        ranked.sort(reverse=True, key=lambda item: item[:2])
        return [piece for _, _, piece in ranked[:_PIECES]]

    def _best(
        self,
        points: FloatArray,
        scene: Scene,
        plane: Plane | None,
        last: FloatArray | None,
        likeness: float,
    ) -> Candidate | None:
        turns = self._any
        if plane is not None:
            turns = np.concatenate([_upright(plane) @ self._stable, turns])
        if last is not None:
            turns = np.concatenate([last[None, :3, :3], turns])
        few = np.ascontiguousarray(points[:: max(1, len(points) // _COARSE_POINTS)])
        some = np.ascontiguousarray(points[:: max(1, len(points) // _FINE_POINTS)])
        turns, centres = turns.copy(), self._centres(points, turns, plane)
        costs = settle_all(self._model, turns, centres, few, wide=0.03, iterations=6, tau=0.012)
        poses: list[tuple[float, int, FloatArray]] = []
        for index in np.argsort(costs)[:_ALIGNED]:
            pose = from_centre(self._model, turns[index], centres[index])
            pose = align(
                self._model, scene, pose, points=few, wide=0.02, iterations=6, samples=200
            )
            near = distances(self._model, pose, few)
            fit = look(self._model, scene, pose)
            poses.append((fit.confidence * fit.sharp * closeness(near), len(poses), pose))
        poses.sort(reverse=True, key=lambda item: item[:2])
        found = []
        for _, _, pose in poses[:_FINISHED]:
            fine = align(
                self._model, scene, pose, points=some, wide=0.008, iterations=10, samples=600
            )
            near = distances(self._model, fine, some)
            found.append(
                Candidate(fine, look(self._model, scene, fine), closeness(near), likeness)
            )
        return max(found, key=lambda c: c.score, default=None)

    def _centres(self, points: FloatArray, turns: FloatArray, plane: Plane | None) -> FloatArray:
        """Return where the centre (P, 3) [m] is when the object, so turned, covers the points."""
        extent = self._model.vertices - self._model.centre
        sight = points.mean(axis=0) / np.linalg.norm(points.mean(axis=0))
        axes = _axes(sight, np.array([0.0, -1.0, 0.0]) if plane is None else plane.normal)
        local = points @ axes
        low, high = np.quantile(local, 0.02, axis=0), np.quantile(local, 0.98, axis=0)
        turned = np.einsum('ji,pjk,vk->pvi', axes, turns, extent[_hull_rows(extent)])
        middle = 0.5 * (low + high) - 0.5 * (turned.min(axis=1) + turned.max(axis=1))
        middle[:, 0] = low[0] - turned[..., 0].min(axis=1)  # of its depth the near side is seen
        if plane is not None:  # and of its height the top
            middle[:, 2] = high[2] - turned[..., 2].max(axis=1)
        centres: FloatArray = middle @ axes.T
        return centres


def closeness(distance: FloatArray) -> float:
    """Return how closely points lie on the mesh: 1 exactly, 0 not at all."""
    return float(np.mean(np.exp(-0.5 * (distance / _CLOSE) ** 2)))


def _components(scene: Scene) -> list[tuple[IntArray, IntArray]]:
    """Return rows and columns of each connected piece of what may be an object, large first."""
    mask = (scene.kind == OBJECT).astype(np.uint8)
    # Neighbours far apart in depth do not belong together.
    z = scene.depth
    limit = _STEP * np.maximum(z, 0.3)
    mask[:, 1:][np.abs(np.diff(z, axis=1)) > limit[:, 1:]] = 0
    mask[1:][np.abs(np.diff(z, axis=0)) > limit[1:]] = 0
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    sizes = stats[1:count, cv2.CC_STAT_AREA]
    order = [int(i) + 1 for i in np.argsort(-sizes) if sizes[i] >= _LEAST_PIXELS]
    found = []
    for label in order[: 4 * _PIECES]:
        left, top = int(stats[label, cv2.CC_STAT_LEFT]), int(stats[label, cv2.CC_STAT_TOP])
        wide, high = int(stats[label, cv2.CC_STAT_WIDTH]), int(stats[label, cv2.CC_STAT_HEIGHT])
        row, column = np.nonzero(labels[top : top + high, left : left + wide] == label)
        found.append((row + top, column + left))
    return found


def _upright(plane: Plane) -> FloatArray:
    """Return a turn (3, 3) that takes z to the normal of the table."""
    return _axes(np.array([0.0, 0.0, 1.0]), plane.normal)


def _axes(forward: FloatArray, up: FloatArray) -> FloatArray:
    """Return axes (3, 3) in columns: level forward, left and up, from two unit vectors (3,)."""
    level = forward - (forward @ up) * up
    if np.linalg.norm(level) < 0.1:  # straight down: any level direction will do
        level = np.array([0.0, -1.0, 0.0]) + up[1] * up
    x = level / np.linalg.norm(level)
    return np.stack([x, np.cross(up, x), up], axis=1)


def _stable_turns(model: ObjectModel) -> FloatArray:
    """Return turns (P, 3, 3) in which it stands on a plane whose normal is z."""
    hull = model.trimesh().convex_hull  # closed whatever the mesh is
    transforms, chances = trimesh.poses.compute_stable_poses(hull, n_samples=1)
    standing = [t[:3, :3] for t, c in zip(transforms, chances, strict=True) if c > _LEAST_STABLE]
    standing = standing[:_STABLE] or [np.eye(3)]
    angles = np.arange(_TURNS)[:, None] * 2.0 * np.pi / _TURNS
    about = Rotation.from_euler('z', angles).as_matrix()
    turns: FloatArray = np.einsum('tij,sjk->stik', about, np.stack(standing)).reshape(-1, 3, 3)
    return turns


def _hull_rows(points: FloatArray) -> IntArray:
    """Return a few rows of points (V, 3) that reach as far as all in most directions."""
    directions = Rotation.random(64, rng=np.random.default_rng(5)).as_matrix()[:, 0]
    rows: IntArray = np.unique(np.argmax(points @ directions.T, axis=0))
    return rows
