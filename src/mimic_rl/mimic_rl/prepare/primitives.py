"""Primitives for the physics of a mesh: each connected piece becomes a box, cylinder or sphere."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import trimesh
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError
from mimic_core.primitives import Form, Primitive
from mimic_rl.shapes import part_mesh

_SAMPLES: Final = 800  # points on a piece
_AXES: Final = (
    np.eye(3),
    np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]),
    np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]),
)  # turns that bring the cylinder's z to z, x and y
_SIMPLER: Final = 1.02  # [1] of the best error, by which an earlier form may be worse
_MOST_PIECES: Final = 24


@dataclass(frozen=True)
class Fit:
    """Primitives of a mesh and how well they fit."""

    parts: tuple[Primitive, ...]
    error: float  # [m] mean distance between the surfaces, of the worst piece


def fit_primitives(vertices: FloatArray, faces: np.ndarray, source: str) -> Fit:
    """Return primitives for vertices (V, 3) [m] and triangles (F, 3).

    Raises:
        ConfigError: The mesh falls into too many pieces.
    """
    mesh = trimesh.Trimesh(vertices, faces, process=True)
    pieces = mesh.split(only_watertight=False)
    if len(pieces) > _MOST_PIECES:
        raise ConfigError(
            f'{source} falls into {len(pieces)} pieces, {_MOST_PIECES} at most can be practised '
            'with: simplify the mesh'
        )
    fits = [_best(piece) for piece in pieces]
    return Fit(tuple(part for part, _ in fits), max(error for _, error in fits))


def _best(piece: trimesh.Trimesh) -> tuple[Primitive, float]:
    samples, _ = trimesh.sample.sample_surface_even(piece, _SAMPLES, seed=0)
    points = np.asarray(samples, np.float64)
    candidates = [
        *(_box(piece, frame) for frame in _frames(piece)),
        *(_cylinder(piece, frame @ turn) for frame in _frames(piece) for turn in _AXES),
        _sphere(piece),
    ]
    errors = [_error(part, points) for part in candidates]
    least = min(errors)
    for part, error in zip(candidates, errors, strict=True):
        if error <= _SIMPLER * least + 1e-5:
            return part, error
    raise AssertionError('one of them is the least')


def _frames(piece: trimesh.Trimesh) -> list[FloatArray]:
    """Return the axes (3, 3) of the mesh's own frame and of its tightest box."""
    own = np.eye(3)
    tight = np.linalg.inv(trimesh.bounds.oriented_bounds(piece)[0])[:3, :3]
    if np.linalg.det(tight) < 0:
        tight[:, 2] *= -1.0
    return [own, tight]


def _box(piece: trimesh.Trimesh, frame: FloatArray) -> Primitive:
    low, high = _extent(piece, frame)
    return _part('box', tuple(high - low), frame, frame @ (0.5 * (low + high)))


def _cylinder(piece: trimesh.Trimesh, frame: FloatArray) -> Primitive:
    low, high = _extent(piece, frame)
    middle = 0.5 * (low + high)
    local = np.asarray(piece.vertices) @ frame - middle
    radius = float(np.linalg.norm(local[:, :2], axis=1).max())
    return _part('cylinder', (radius, float(high[2] - low[2])), frame, frame @ middle)


def _sphere(piece: trimesh.Trimesh) -> Primitive:
    middle = 0.5 * (piece.bounds[0] + piece.bounds[1])
    radius = float(np.linalg.norm(np.asarray(piece.vertices) - middle, axis=1).max())
    return _part('sphere', (radius,), np.eye(3), middle)


def _extent(piece: trimesh.Trimesh, frame: FloatArray) -> tuple[FloatArray, FloatArray]:
    local = np.asarray(piece.vertices) @ frame
    return local.min(axis=0), local.max(axis=0)


def _part(form: Form, size: tuple[float, ...], frame: FloatArray, middle: FloatArray) -> Primitive:
    x, y, z, w = Rotation.from_matrix(frame).as_quat()
    u, v, s = middle
    return Primitive(
        form,
        tuple(round(float(edge), 6) for edge in size),
        (round(float(u), 6), round(float(v), 6), round(float(s), 6)),
        (float(x), float(y), float(z), float(w)),
    )


def _error(part: Primitive, points: FloatArray) -> float:
    """Return the mean distance [m] between a primitive's surface and points (N, 3) of a piece."""
    samples, _ = trimesh.sample.sample_surface_even(part_mesh(part), _SAMPLES, seed=0)
    there = np.asarray(samples, np.float64)
    forth, _ = cKDTree(there).query(points)
    back, _ = cKDTree(points).query(there)
    return float(0.5 * (forth.mean() + back.mean()))
