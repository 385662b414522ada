"""Which turns of an object look the same, and one name for each of them."""

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np
import trimesh
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from mimic_core.arrays import FloatArray
from mimic_core.errors import ConfigError
from mimic_core.frames import transform

_SAMPLES: Final = 3000
_SAME: Final = 0.012  # [1] of the diameter, largest distance after a turn that changes nothing
_GENERAL_ANGLE: Final = 0.77  # [rad] of no finite symmetry: what survives it is round
_FOLDS: Final = (2, 3, 4, 6)
_MOST: Final = 64  # turns in a group


@dataclass(frozen=True)
class Symmetry:
    """The turns about `centre` that look the same: a finite group, and perhaps a round axis."""

    turns: FloatArray  # (S, 3, 3) the first is the identity
    axis: FloatArray | None  # (3,) unit, in the object frame: round about it
    centre: FloatArray  # (3,) [m] in the object frame
    name: str
    ball: bool = False  # round about any axis; `axis` is one of them

    def equivalents(self, camera_T_object: FloatArray) -> FloatArray:
        """Return the poses (S, 4, 4) that look the same, but for turns about a round axis."""
        return np.stack([camera_T_object @ self._about_centre(turn) for turn in self.turns])

    def nearest(self, camera_T_object: FloatArray, reference: FloatArray) -> FloatArray:
        """Return the pose (4, 4) that looks the same and is turned least against a reference."""
        poses = self.equivalents(camera_T_object)
        if self.axis is not None:
            poses = np.stack([self._unwound(pose, reference) for pose in poses])
        traces = np.einsum('sij,ij->s', poses[:, :3, :3], reference[:3, :3])
        best: FloatArray = poses[int(np.argmax(traces))]
        return best

    def difference(self, pose: FloatArray, truth: FloatArray) -> tuple[float, float]:
        """Return the distance [m] of the centres and the least angle [rad] between two poses."""
        near = self.nearest(pose, truth)
        centres = (
            near[:3, :3] @ self.centre + near[:3, 3],
            truth[:3, :3] @ self.centre + truth[:3, 3],
        )
        angle = float(Rotation.from_matrix(near[:3, :3].T @ truth[:3, :3]).magnitude())
        return float(np.linalg.norm(centres[0] - centres[1])), angle

    def _about_centre(self, turn: FloatArray) -> FloatArray:
        return transform(turn, self.centre - turn @ self.centre)

    def _unwound(self, pose: FloatArray, reference: FloatArray) -> FloatArray:
        """Turn about the round axis until the pose is nearest to the reference."""
        assert self.axis is not None
        relative = Rotation.from_matrix(pose[:3, :3].T @ reference[:3, :3]).as_quat()
        along = float(relative[:3] @ self.axis)  # swing-twist decomposition
        twist = 2.0 * np.arctan2(along, float(relative[3]))
        return pose @ self._about_centre(Rotation.from_rotvec(twist * self.axis).as_matrix())


def no_symmetry(centre: FloatArray) -> Symmetry:
    """Return that of an object which looks different from everywhere."""
    return Symmetry(np.eye(3)[None], None, centre, 'no symmetry')


def symmetry_of(text: str, centre: FloatArray) -> Symmetry:
    """Return the symmetry that a text names.

    'none'; an axis of the object frame that is round, 'x', 'y' or 'z'; or axes with the number of
    turns that look the same, such as 'z2' or 'x2,z4'. All go through `centre` (3,) [m].

    Raises:
        ConfigError: It names none.
    """
    if text == 'none':
        return no_symmetry(centre)
    axis: FloatArray | None = None
    generators: list[FloatArray] = []
    for part in text.split(','):
        letter, count = part.strip()[:1], part.strip()[1:]
        if letter not in 'xyz' or not letter or not (count == '' or count.isdecimal()):
            raise ConfigError(
                f"symmetry '{text}' is not auto, none, a round axis (x, y, z), "
                "or axes with the number of equal turns ('z2', 'x2,z4')"
            )
        unit = np.eye(3)['xyz'.index(letter)]
        if count == '':
            if axis is not None:
                raise ConfigError(f"symmetry '{text}' has two round axes: that is a sphere")
            axis = unit
        elif not 2 <= int(count) <= 12:
            raise ConfigError(f"symmetry '{text}': {count} equal turns are not 2 to 12")
        else:
            generators.append(_turn(unit, 2.0 * np.pi / int(count)))
    return Symmetry(_group(generators), axis, centre, f'symmetric: {text}')


def find_symmetry(mesh: trimesh.Trimesh) -> Symmetry:
    """Return the symmetry of a mesh's surface about its principal axes and those of its file."""
    samples, _ = trimesh.sample.sample_surface_even(mesh, _SAMPLES, seed=1)
    dense, _ = trimesh.sample.sample_surface(mesh, 12 * _SAMPLES, seed=2)
    centre = np.asarray(dense, np.float64).mean(axis=0)
    box = 0.5 * (mesh.bounds[0] + mesh.bounds[1])
    extent = np.ptp(mesh.bounds, axis=0)
    centre = np.where(np.abs(centre - box) < 0.01 * extent.max(), box, centre)
    points, tree = np.asarray(samples) - centre, cKDTree(np.asarray(dense) - centre)
    limit = _SAME * float(np.linalg.norm(extent))

    def same(turn: FloatArray) -> bool:
        distance, _ = tree.query(points @ turn.T)
        return bool(np.quantile(distance, 0.98) < limit)

    _, principal = np.linalg.eigh(points.T @ points)
    axes = [np.eye(3)[i] for i in range(3)]
    axes += [a for a in principal.T if max(abs(a @ b) for b in axes) < 0.999]
    round_axes = [a for a in axes if same(_turn(a, _GENERAL_ANGLE))]
    if len(round_axes) > 1:  # a sphere: one axis is enough to hold it still
        return Symmetry(np.eye(3)[None], round_axes[0], centre, 'round about any axis', ball=True)
    round_axis = round_axes[0] if round_axes else None
    generators: list[FloatArray] = []
    for axis in axes:
        if round_axis is not None and abs(axis @ round_axis) > 0.99:
            continue
        folds = [n for n in _FOLDS if same(_turn(axis, 2.0 * np.pi / n))]
        if folds:
            generators.append(_turn(axis, 2.0 * np.pi / max(folds)))
        if round_axis is not None and folds:
            generators = generators[:1]  # the others follow from the round axis
            break
    turns = _group(generators)
    name = 'no symmetry' if len(turns) == 1 else f'{len(turns)} equal turns'
    if round_axis is not None:
        name = f'round about [{", ".join(f"{v:.2f}" for v in round_axis)}]' + (
            ', top like bottom' if len(turns) > 1 else ''
        )
    return Symmetry(turns, round_axis, centre, name)


def _turn(axis: FloatArray, angle: float) -> FloatArray:
    matrix: FloatArray = Rotation.from_rotvec(angle * axis).as_matrix()
    return matrix


def _group(generators: list[FloatArray]) -> FloatArray:
    """Return all products of the generators, the identity first."""
    turns = [np.eye(3)]
    grew = True
    while grew and len(turns) < _MOST:
        grew = False
        for a, b in itertools.product(list(turns), generators):
            product = a @ b
            if all(np.abs(product - other).max() > 1e-3 for other in turns):
                turns.append(product)
                grew = True
    return np.stack(turns)
