"""Distances between the parts of the robot, and to the table, along the way to a stop."""

from typing import Final

import coal
import numpy as np
import pinocchio as pin

from mimic_control.brake import Way
from mimic_control.params import GateParams
from mimic_control.reach import reach
from mimic_core.arrays import FloatArray, IntArray
from mimic_core.frames import BASE, transform
from mimic_description import RobotModel

TABLE: Final = 'table'
_ROUNDING: Final = 1e-7  # [m], what the distance of two shapes is exact to
_TABLE_SIZE: Final = (6.0, 6.0, 1.0)  # [m]


class CollisionGuard:
    """Keeps every pair of bodies apart.

    For each pair a lower bound of its distance is kept and lowered by how far the pair can have
    moved; only pairs whose bound gets too low are measured. So a tick measures a handful of pairs
    and yet none can come too near.
    """

    def __init__(self, robot: RobotModel, params: GateParams) -> None:
        """Args: robot: the fingers of its hand may touch each other; params: margins, table."""
        self._robot, self._model = robot, robot.pin_model
        self._geometry = robot.collision_model(within_hand=False)
        moving = [i for i, o in enumerate(self._geometry.geometryObjects) if o.parentJoint > 0]
        count = len(self._geometry.collisionPairs)
        if robot.arm is not None:
            centre = np.array([0.0, 0.0, params.table_height - 0.5 * _TABLE_SIZE[2]])
            place = robot.fk(robot.home, BASE) @ transform(np.eye(3), centre)
            table = self._geometry.addGeometryObject(
                pin.GeometryObject(TABLE, 0, 0, pin.SE3(place), coal.Box(*_TABLE_SIZE))
            )
            for i in moving:
                self._geometry.addCollisionPair(pin.CollisionPair(i, table))
        self._data = self._model.createData()
        self._geometry_data = self._geometry.createData()
        pairs = self._geometry.collisionPairs
        self._pairs = [(int(p.first), int(p.second)) for p in pairs]
        self._weights = self._pair_weights()  # (P, N) [m/rad]
        margin = np.where(
            np.arange(len(self._pairs)) < count, params.collision_margin, params.table_clearance
        )
        self._all = np.arange(len(self._pairs))
        at_home = self._measure(robot.full(robot.home), self._all)
        self._margin = np.minimum(margin, np.maximum(0.5 * at_home, 0.0))  # (P,) [m]
        self._low = at_home
        self._q = robot.full(robot.home)

    def violation(self, way: Way, present: FloatArray) -> str:
        """Return which pair would come too near on a way, '' when none.

        Args:
            way: What will be sent.
            present: (J,) the position now; a pair that is too near already may not get nearer.
        """
        q = self._full(way.end)
        self._low = self._low - self._weights @ np.abs(q - self._q)
        self._q = q
        need = self._margin + self._weights @ (np.abs(self._robot.coupling) @ way.travel)
        near = np.flatnonzero(self._low < need)
        if len(near) == 0:
            return ''
        self._low[near] = self._measure(q, near)
        near = near[self._low[near] < need[near]]
        if len(near) == 0:
            return ''
        floor = self._margin[near]
        slack = self._low[near] - floor
        if (slack < 0.0).any():  # at the end itself: forbidden, unless it was nearer before
            floor = np.minimum(floor, self._measure(self._full(present), near))
            slack = self._low[near] - floor
            if (slack < -_ROUNDING).any():
                return self._name(near[int(np.argmin(slack))])
        last = q
        for position in way.points[::-1]:
            full = self._full(position)
            if (self._weights[near] @ np.abs(full - last) <= slack).all():
                continue
            slack = self._measure(full, near) - floor
            last = full
            if (slack < -_ROUNDING).any():
                return self._name(near[int(np.argmin(slack))])
        return ''

    def closest(self, q: FloatArray) -> tuple[float, str]:
        """Return the smallest distance [m] between parts of the robot at (J,), and which they are.

        The table is no part of it.
        """
        own = np.array(
            [i for i in range(len(self._pairs)) if TABLE not in self._pair_name(i)], dtype=np.int64
        )
        if len(own) == 0:
            return float('nan'), ''
        distances = self._measure(self._full(q), own)
        i = int(np.argmin(distances))
        return float(distances[i]), self._pair_name(int(own[i]))

    def spare(self, q: FloatArray) -> float:
        """Return the smallest distance beyond its margin [m] of any pair at (J,) and the table."""
        return float(
            np.min(self._measure(self._full(q), self._all) - self._margin, initial=np.inf)
        )

    def _measure(self, q: FloatArray, indices: IntArray) -> FloatArray:
        pin.updateGeometryPlacements(
            self._model, self._data, self._geometry, self._geometry_data, q
        )
        if len(indices) == len(self._pairs):
            pin.computeDistances(self._geometry, self._geometry_data)
            results = self._geometry_data.distanceResults
            return np.array([r.min_distance for r in results])
        return np.array(
            [
                pin.computeDistance(self._geometry, self._geometry_data, int(i)).min_distance
                for i in indices
            ]
        )

    def _full(self, q: FloatArray) -> FloatArray:
        full: FloatArray = self._robot.coupling @ q + self._robot.coupling_offset
        return full

    def _pair_name(self, index: int) -> str:
        objects = self._geometry.geometryObjects
        a, b = (objects[i].name.rsplit(':', 1)[0] for i in self._pairs[index])
        return f'{a} and {b}'

    def _name(self, index: int) -> str:
        return f'collision of {self._pair_name(int(index))}'

    def _pair_weights(self) -> FloatArray:
        rows = []
        for item in self._geometry.geometryObjects:
            box = item.geometry
            box.computeLocalAABB()
            beyond = float(np.linalg.norm(item.placement.translation)) + float(
                np.linalg.norm(box.aabb_center) + box.aabb_radius
            )
            rows.append(reach(self._model, item.parentJoint, beyond))
        weights = np.array(rows)
        carried = weights > 0.0
        table = []
        for a, b in self._pairs:
            # A joint that carries both moves neither against the other.
            table.append(
                np.where(carried[a] & carried[b], 0.0, np.maximum(weights[a], weights[b]))
            )
        return np.array(table).reshape(len(self._pairs), self._model.nq)
