"""Transforms of all links from joint positions: what a robot state publisher sends."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.errors import NotFiniteError, ShapeError
from mimic_core.frames import to_quat_xyzw
from mimic_description.tree import Joint, Tree


@dataclass(frozen=True)
class Moved:
    """M links whose joints have a new position."""

    links: tuple[int, ...]  # rows of LinkTransforms.moving
    translation: FloatArray  # (M, 3) [m], in the parent link
    quat_xyzw: FloatArray  # (M, 4)


class LinkTransforms:
    """Turns named joint positions into the pose of each moving link in its parent."""

    def __init__(self, tree: Tree) -> None:
        self.fixed: tuple[Joint, ...] = tuple(j for j in tree.joints if j.kind == 'fixed')
        self.moving: tuple[Joint, ...] = tuple(j for j in tree.joints if j.kind != 'fixed')
        self._row = {joint.name: i for i, joint in enumerate(self.moving)}
        # Rows that follow each joint: itself and those coupled to it.
        self._followers: dict[str, list[tuple[int, float, float]]] = {}
        for row, joint in enumerate(self.moving):
            if joint.coupling is None:
                self._followers.setdefault(joint.name, []).append((row, 1.0, 0.0))
            else:
                follower = (row, joint.coupling.multiplier, joint.coupling.offset)
                self._followers.setdefault(joint.coupling.joint, []).append(follower)
        self._origin_xyz = np.array([j.parent_T_child[:3, 3] for j in self.moving]).reshape(-1, 3)
        self._origin_quat = np.array(
            [to_quat_xyzw(j.parent_T_child) for j in self.moving]
        ).reshape(-1, 4)
        self._axis = np.array([j.axis for j in self.moving]).reshape(-1, 3)
        self._axis_in_parent = np.array(
            [j.parent_T_child[:3, :3] @ j.axis for j in self.moving]
        ).reshape(-1, 3)
        self._slides = np.array([j.kind == 'prismatic' for j in self.moving], dtype=bool)

    def move(self, names: Sequence[str], positions: Sequence[float]) -> Moved:
        """Return the poses of the links that the given joints move, coupled ones included.

        Names of other robots are left out, and so are positions of coupled joints: they follow.

        Args:
            names: Joint names.
            positions: As many positions [rad] or [m].

        Raises:
            ShapeError: Not as many positions as names.
            NotFiniteError: A position of one of our joints is NaN or infinite; names it.
        """
        if len(names) != len(positions):
            raise ShapeError(f'{len(names)} joint names but {len(positions)} positions')
        values = self._values(dict(zip(names, positions, strict=True)))
        rows = np.array(sorted(values), dtype=np.int64)
        q = np.array([values[int(row)] for row in rows])
        slides = self._slides[rows]
        shift, angle = np.where(slides, q, 0.0), np.where(slides, 0.0, q)
        return Moved(
            tuple(int(row) for row in rows),
            self._origin_xyz[rows] + self._axis_in_parent[rows] * shift[:, None],
            _turned(self._origin_quat[rows], self._axis[rows], angle),
        )

    def _values(self, positions: Mapping[str, float]) -> dict[int, float]:
        values: dict[int, float] = {}
        for name, position in positions.items():
            if name not in self._row:
                continue
            if not np.isfinite(position):
                raise NotFiniteError(f"position of joint '{name}' is {position}")
            for row, multiplier, offset in self._followers.get(name, ()):
                values[row] = multiplier * position + offset
        return values


class RateLimit:
    """Lets events through at most at one rate, for each key by itself."""

    def __init__(self, frequency: float) -> None:
        """Args: frequency: Most events in a second [Hz], > 0."""
        # A little slack, so that a stream of the same rate passes whole.
        self._period = 1.0 / frequency - 1e-4  # [s]
        self._last: dict[Hashable, float] = {}

    def due(self, key: Hashable, time: float) -> bool:
        """Tell whether an event at a time [s] passes; one whose time went back always does."""
        since = time - self._last.get(key, -np.inf)
        if 0.0 <= since < self._period:
            return False
        self._last[key] = time
        return True


def _turned(quat_xyzw: FloatArray, axis: FloatArray, angle: FloatArray) -> FloatArray:
    """Return (M, 4) quaternions followed by turns of (M,) angles [rad] about (M, 3) axes."""
    vector, scalar = axis * np.sin(angle / 2)[:, None], np.cos(angle / 2)[:, None]
    first, w = quat_xyzw[:, :3], quat_xyzw[:, 3:]
    turned: FloatArray = np.hstack(
        [
            w * vector + scalar * first + np.cross(first, vector),
            w * scalar - np.sum(first * vector, axis=1, keepdims=True),
        ]
    )
    return turned
