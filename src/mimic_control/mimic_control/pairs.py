"""Distances of pairs of bodies along the way to a stop."""

from typing import Final

import numpy as np
import pinocchio as pin

from mimic_control.active import ActiveLimit
from mimic_control.brake import Way
from mimic_control.reach import reach
from mimic_core.arrays import BoolArray, FloatArray, IntArray
from mimic_description import RobotModel

_ROUNDING: Final = 1e-7  # [m], what the distance of two shapes is exact to
_CLEAR: Final = 2e-3  # [m] beyond its margin, where a projected target lands
_CLEAR_MOST: Final = 8e-3  # [m] the same on the way to a target that is far off
_DAMPING: Final = 1e-4  # [m^2] of the projection
_TRIES: Final = 3  # of a projection
_MANY: Final = 40  # pairs from which a look at their bounding spheres comes first
_MOST: Final = 12  # pairs that a projection moves apart at once
_ALIGNED: Final = pin.ReferenceFrame.LOCAL_WORLD_ALIGNED


class _Bounds:
    """A lower bound of the distance of each pair at some posture, carried from one to the next."""

    def __init__(self, guard: 'PairGuard', q: FloatArray, distances: FloatArray) -> None:
        """Args: q: (N,); distances: (P,) [m] there."""
        self._guard, self._q, self.low = guard, q, distances.copy()

    def go(self, q: FloatArray) -> None:
        """Carry the bounds to (N,)."""
        self.low -= self._guard.weights @ np.abs(q - self._q)
        self._q = q

    def nearer(self, need: FloatArray, most: int | None = None) -> IntArray:
        """Return pairs that are nearer than (P,) [m], measured; all, or the first `most` found.

        Those that may be nearest to what they need come first.
        """
        near = np.flatnonzero(self.low < need)
        if len(near) > _MANY:
            self.low = np.maximum(self.low, self._guard.spheres(self._q))
            near = np.flatnonzero(self.low < need)
        if most is None or len(near) <= most:
            return self._measured(near, need)
        near = near[np.argsort(self.low[near] - need[near])]
        found: list[IntArray] = []
        for i in range(0, len(near), most):
            found.append(self._measured(near[i : i + most], need))
            if sum(len(some) for some in found) >= most // 2:
                break
        return np.concatenate(found)

    def _measured(self, near: IntArray, need: FloatArray) -> IntArray:
        if len(near) == 0:
            return near
        self.low[near] = self._guard.measure(self._q, near)
        return near[self.low[near] < need[near]]


class PairGuard:
    """Keeps pairs of bodies apart, of which the robot carries one or both.

    For each pair a lower bound of its distance is kept and lowered by how far the pair can have
    moved; only pairs whose bound gets too low are measured. So a tick measures a handful of pairs
    and yet none can come too near.
    """

    def __init__(self, robot: RobotModel, geometry: pin.GeometryModel, wanted: FloatArray) -> None:
        """Args: robot; geometry: bodies and P pairs; wanted: (P,) [m] smallest distances.

        Where two bodies are nearer than twice that at home, half their distance there counts.
        """
        self._robot, self._model, self._geometry = robot, robot.pin_model, geometry
        self._data = self._model.createData()
        self._geometry_data = geometry.createData()
        self._pairs = [(int(p.first), int(p.second)) for p in geometry.collisionPairs]
        self._first, self._second = np.array(self._pairs, dtype=np.int64).reshape(-1, 2).T
        self._flat: BoolArray = np.zeros(len(self._pairs), dtype=bool)  # (P,) with the table
        self._flat_point, self._flat_normal = np.zeros(3), np.array([0.0, 0.0, 1.0])
        self._centres, radii = [], []
        for item in geometry.geometryObjects:
            item.geometry.computeLocalAABB()
            self._centres.append(np.array(item.geometry.aabb_center))
            radii.append(float(item.geometry.aabb_radius))
        self._radii = np.array(radii)
        self.weights: Final = self._pair_weights()  # (P, N) [m/rad]
        home = robot.full(robot.home)
        at_home = self.measure(home, np.arange(len(self._pairs)))
        self._margin = np.minimum(wanted, np.maximum(0.5 * at_home, 0.0))  # (P,) [m]
        self._ends = _Bounds(self, home, at_home)
        self._targets = _Bounds(self, home, at_home)
        self._goals = _Bounds(self, home, at_home)

    def margins(self, way: Way) -> FloatArray:
        """Return (P,) the distances [m] to be kept on a way."""
        return self._margin

    def violation(self, way: Way, present: FloatArray) -> ActiveLimit | None:
        """Return which pair would come too near on a way, None when none does.

        Args:
            way: What will be sent.
            present: (J,) the position now; a pair that is too near already may not get nearer.
        """
        q = self._full(way.end)
        margin = self.margins(way)
        need = margin + self.weights @ (np.abs(self._robot.coupling) @ way.travel)
        self._ends.go(q)
        here = self._full(present)
        first = self._ends.nearer(margin, _MOST)
        if len(first):  # most ways that are forbidden end where they may not
            floor = np.minimum(margin[first], self.measure(here, first))
            slack = self._ends.low[first] - floor
            if (slack < -_ROUNDING).any():
                return self._limit(first, slack, margin)
        near = self._ends.nearer(need)
        if len(near) == 0:
            return None
        floor = margin[near]
        slack = self._ends.low[near] - floor
        compared = np.zeros(len(near), dtype=bool)  # with how near the pair is now

        def too_near(some: IntArray) -> IntArray:
            some = some[slack[some] < -_ROUNDING]
            new = some[~compared[some]]
            if len(new):  # forbidden, unless it was nearer before
                compared[new] = True
                lower = np.minimum(floor[new], self.measure(here, near[new]))
                slack[new] += floor[new] - lower
                floor[new] = lower
            return some[slack[some] < -_ROUNDING]

        if len(bad := too_near(np.arange(len(near)))):
            return self._limit(near[bad], slack[bad], margin)
        last = q
        for position in way.points[::-1]:
            full = self._full(position)
            slack -= self.weights[near] @ np.abs(full - last)
            last = full
            low = np.flatnonzero(slack < 0.0)
            if len(low) == 0:
                continue
            slack[low] = self.measure(full, near[low]) - floor[low]
            if len(bad := too_near(low)):
                return self._limit(near[bad], slack[bad], margin)
        return None

    def project(
        self, q: FloatArray, *, local: bool = False
    ) -> tuple[FloatArray, ActiveLimit | None]:
        """Return a near target (J,) at which all pairs are apart, and which were not.

        Where there is none near, the last try comes back; the gate checks every step anyhow.

        Args:
            q: (J,) wanted.
            local: It is near the robot; such targets and others come by turns.
        """
        target = q
        found: ActiveLimit | None = None
        bounds, clear = self._targets, _CLEAR
        if local:  # as far off as the target itself allows, to leave what is in the way
            spare = float(np.min(bounds.low - self._margin, initial=_CLEAR_MOST))
            bounds, clear = self._goals, float(np.clip(spare, _CLEAR, _CLEAR_MOST))
        for _ in range(_TRIES):
            bounds.go(self._full(target))
            near = bounds.nearer(self._margin + (clear - _CLEAR), _MOST)
            if len(near) == 0:
                break
            slack = bounds.low[near] - self._margin[near]
            found = found or self._limit(near, slack, self._margin)
            near = near[np.argsort(bounds.low[near])[:_MOST]]
            short = self._margin[near] + clear - bounds.low[near]
            rows = self._gradients(self._full(target), near)
            change = rows.T @ np.linalg.solve(rows @ rows.T + _DAMPING * np.eye(len(near)), short)
            target = self._robot.limits.clip(target + np.clip(change, -0.3, 0.3))
        return target, found

    def closest(self, q: FloatArray) -> tuple[float, str]:
        """Return the smallest distance [m] between bodies at (J,), and which they are.

        The table is no part of it.
        """
        if self._flat.all():
            return float('nan'), ''
        full = self._full(q)
        bounds = np.where(self._flat, np.inf, self.spheres(full))
        first = np.argsort(bounds)[: min(_MANY, int((~self._flat).sum()))]
        best = float(np.min(self.measure(full, first)))
        near = np.flatnonzero(bounds <= best)
        distances = self.measure(full, near)
        i = int(np.argmin(distances))
        return float(distances[i]), self._pair_name(int(near[i]))

    def spare(self, q: FloatArray) -> float:
        """Return the smallest distance beyond its margin [m] of any pair at (J,) and the table."""
        distances = self.measure(self._full(q), np.arange(len(self._pairs)))
        return float(np.min(distances - self._margin, initial=np.inf))

    def measure(self, q: FloatArray, pairs: IntArray) -> FloatArray:
        """Return the distances [m] of some pairs at (N,); negative where they overlap."""
        pin.updateGeometryPlacements(
            self._model, self._data, self._geometry, self._geometry_data, q
        )
        geometry, data = self._geometry, self._geometry_data
        return np.array([pin.computeDistance(geometry, data, int(i)).min_distance for i in pairs])

    def spheres(self, q: FloatArray) -> FloatArray:
        """Return (P,) lower bounds of the distances [m] at (N,), from bounding spheres."""
        pin.updateGeometryPlacements(
            self._model, self._data, self._geometry, self._geometry_data, q
        )
        centres = np.array([place.act(c) for place, c in zip(
            self._geometry_data.oMg, self._centres, strict=True)])  # fmt: skip
        bounds: FloatArray = (
            np.linalg.norm(centres[self._first] - centres[self._second], axis=1)
            - self._radii[self._first]
            - self._radii[self._second]
        )
        height = (centres - self._flat_point) @ self._flat_normal - self._radii
        bounds[self._flat] = height[self._first[self._flat]]  # the table is no ball
        return bounds

    def _gradients(self, q: FloatArray, pairs: IntArray) -> FloatArray:
        """Return (len(pairs), J) [m/rad] how the distances, measured last at q (N,), change."""
        pin.computeJointJacobians(self._model, self._data, q)
        rows = []
        for i in pairs:
            result = self._geometry_data.distanceResults[int(i)]
            first, second = result.getNearestPoint1(), result.getNearestPoint2()
            apart = second - first
            length = float(np.linalg.norm(apart))
            normal = apart / length if length > 1e-6 else result.normal
            if result.min_distance < 0.0 and length > 1e-6:
                normal = -normal
            a, b = (self._geometry.geometryObjects[g].parentJoint for g in self._pairs[int(i)])
            rows.append(normal @ (self._motion(b, second) - self._motion(a, first)))
        gradients: FloatArray = np.array(rows) @ self._robot.coupling
        return gradients

    def _motion(self, joint: int, point: FloatArray) -> FloatArray:
        """Return (3, N) the velocity of a point [m, world] that a joint carries."""
        if joint == 0:
            return np.zeros((3, self._model.nv))
        jacobian = pin.getJointJacobian(self._model, self._data, joint, _ALIGNED)
        arm = point - self._data.oMi[joint].translation
        motion: FloatArray = jacobian[:3] - pin.skew(arm) @ jacobian[3:]
        return motion

    def _full(self, q: FloatArray) -> FloatArray:
        full: FloatArray = self._robot.coupling @ q + self._robot.coupling_offset
        return full

    def _pair_name(self, index: int) -> str:
        objects = self._geometry.geometryObjects
        a, b = (objects[i].name.rsplit(':', 1)[0] for i in self._pairs[index])
        return f'{a} and {b}'

    def _limit(self, pairs: IntArray, slack: FloatArray, margins: FloatArray) -> ActiveLimit:
        """Args: pairs: some; slack: (len(pairs),) [m] over their margins; margins: (P,) [m]."""
        i = int(np.argmin(slack))
        margin = float(margins[pairs[i]])
        name = f'collision of {self._pair_name(int(pairs[i]))}'
        return ActiveLimit(name, margin + float(slack[i]), margin)

    def _pair_weights(self) -> FloatArray:
        rows = []
        for item, centre, radius in zip(
            self._geometry.geometryObjects, self._centres, self._radii, strict=True
        ):
            beyond = float(np.linalg.norm(item.placement.act(centre)) + radius)
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
