"""The other arm: where its joints may be before it stands, and the distance to keep from it.

Two gates guard two arms that move at once, each knowing the other from joint states that are a
little old. Neither may come near to what the other can still reach while it brakes. Since both
may have set out for the gap between them before they saw each other do so, each also keeps off by
what its own reach has grown in the time of which the other may not know yet: if one has grown by
a, the other by b, the distance left is at least the margin plus a - b by the one check and the
margin plus b - a by the other, so never less than the margin. An arm at rest takes no room.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

import coal
import numpy as np
import pinocchio as pin

from mimic_control.brake import Brake, State, Way
from mimic_control.measured import Measured
from mimic_control.pairs import PairGuard
from mimic_control.params import GateParams
from mimic_control.reach import reach
from mimic_core.arrays import FloatArray, checked
from mimic_core.limits import JointLimits
from mimic_description import RobotModel

_SHORTEST: Final = 1e-3  # [s] between joint states of which every one makes a difference


class Neighbour:
    """What is known of the other arm: position, speed and what it may reach while it brakes."""

    def __init__(
        self, robot: RobotModel, base_T_neighbour: FloatArray, params: GateParams
    ) -> None:
        """Args: robot: the other one, J joints; base_T_neighbour: (4, 4) of its base in ours."""
        self.robot: Final = robot
        self.base_T_neighbour: Final = checked(base_T_neighbour, (4, 4), 'base_T_neighbour')
        self.measured: Final = Measured(robot.joint_names)
        self._params = params
        p = params
        self._limits: JointLimits = robot.limits.scaled(
            p.speed_scale, p.acceleration_scale, p.jerk_scale
        )
        count = len(robot.joint_names)
        self._index = {name: i for i, name in enumerate(robot.joint_names)}
        self._stamps = np.full(count, -np.inf)
        self._q, self._v, self._a = np.zeros(count), np.zeros(count), np.zeros(count)

    def measure(
        self, names: Sequence[str], positions: FloatArray, stamp: float, now: float
    ) -> None:
        """Take measured joint positions of the neighbour; see `Gate.measure`.

        Raises:
            MimicError: They are not usable; it gets stale once no usable ones come.
        """
        time = min(stamp, now) if stamp else now
        self.measured.add(names, positions, time)
        joints = np.array([self._index[name] for name in names if name in self._index])
        q, limits = self.measured.q[joints], self._limits
        dt = time - self._stamps[joints]
        known = (dt > _SHORTEST) & (dt <= self._params.neighbour_timeout)
        step = np.where(known, dt, 1.0)
        bound = limits.max_speed[joints]
        v = np.where(known, np.clip((q - self._q[joints]) / step, -bound, bound), 0.0)
        bound = limits.max_acceleration[joints]
        a = np.where(known, np.clip((v - self._v[joints]) / step, -bound, bound), 0.0)
        fresh = dt > _SHORTEST
        for array, value in ((self._q, q), (self._v, v), (self._a, a)):
            array[joints] = np.where(fresh, value, array[joints])
        self._stamps[joints] = np.where(fresh, time, self._stamps[joints])

    def stale(self, now: float) -> str:
        """Return why its place is not known, '' while it is."""
        why = self.measured.missing(now, self._params.neighbour_timeout)
        return f'neighbour: {why}' if why else ''

    def clock_was_set_back(self) -> None:
        """Forget every time."""
        self.measured.forget_times()
        self._stamps[:] = -np.inf

    def look(self, now: float) -> tuple[FloatArray, FloatArray]:
        """Return (J,) where it was measured, and (J,) how far each joint may get from there.

        It goes on for the lag of its measurement, then brakes.
        """
        q, limits, params = self.measured.q.copy(), self._limits, self._params
        late = np.clip(now - self._stamps, 0.0, params.neighbour_timeout) + params.neighbour_lag
        v = np.clip(self._v + self._a * late, -limits.max_speed, limits.max_speed)
        reached = q + 0.5 * (self._v + v) * late
        stop = Brake(State(reached, v, self._a), limits.max_acceleration, limits.max_jerk)
        away = np.maximum(np.abs(stop.high - q), np.abs(stop.low - q))
        return q, away


def coarse(robot: RobotModel) -> pin.GeometryModel:
    """Return the shapes of a robot without pairs, each part of its fingers as one box around it.

    Two dexterous hands are thousands of pairs of shapes; of boxes there are a few hundred.
    """
    fine, model = robot.collision_model(within_hand=False), robot.pin_model
    geometry = pin.GeometryModel()
    parts: dict[str, list[pin.GeometryObject]] = {}
    for item in fine.geometryObjects:
        parts.setdefault(item.name.rsplit(':', 1)[0], []).append(item)
    for name, items in parts.items():
        joint = items[0].parentJoint
        if joint == 0 or model.names[joint] in robot.arm_joints:
            for item in items:
                geometry.addGeometryObject(item)
            continue
        corners = np.concatenate([_corners(item) for item in items])
        low, high = corners.min(axis=0), corners.max(axis=0)
        place = pin.SE3(np.eye(3), 0.5 * (low + high))
        box = coal.Box(*(high - low))
        geometry.addGeometryObject(
            pin.GeometryObject(f'{name}:0', joint, items[0].parentFrame, place, box)
        )
    return geometry


def _corners(item: pin.GeometryObject) -> FloatArray:
    """Return (8, 3) [m] the corners of a box around a shape, in the frame of its joint."""
    item.geometry.computeLocalAABB()
    around = item.geometry.aabb_local
    ends = np.array([around.min_, around.max_])
    corners = np.array([[ends[i, 0], ends[j, 1], ends[k, 2]] for i, j, k in np.ndindex(2, 2, 2)])
    turned: FloatArray = corners @ item.placement.rotation.T + item.placement.translation
    return turned


class NeighbourGuard(PairGuard):
    """Keeps the robot off another arm that moves."""

    def __init__(self, robot: RobotModel, neighbour: Neighbour, params: GateParams) -> None:
        """Args: robot: ours; neighbour: the other; params: margin, timeout and lag."""
        self._other, self._params = neighbour, params
        other = neighbour.robot
        geometry = coarse(robot)
        self._count = len(geometry.geometryObjects)
        moving = [i for i, o in enumerate(geometry.geometryObjects) if o.parentJoint > 0]
        self._other_geometry = coarse(other)
        self._other_model = other.pin_model
        self._other_data = self._other_model.createData()
        self._other_geometry_data = self._other_geometry.createData()
        world_T_base = robot.fk(robot.home, 'base_link')
        other_T_base = other.fk(other.home, 'base_link')
        self._world_T_other = pin.SE3(
            world_T_base @ neighbour.base_T_neighbour @ np.linalg.inv(other_T_base)
        )
        rows = []
        for item in self._other_geometry.geometryObjects:
            added = geometry.addGeometryObject(
                pin.GeometryObject(f'neighbour {item.name}', 0, 0, pin.SE3(), item.geometry)
            )
            for i in moving:
                geometry.addCollisionPair(pin.CollisionPair(i, added))
            item.geometry.computeLocalAABB()
            centre = item.placement.act(np.array(item.geometry.aabb_center))
            beyond = float(np.linalg.norm(centre) + item.geometry.aabb_radius)
            rows.append(reach(self._other_model, item.parentJoint, beyond))
        self._other_reach = np.array(rows)  # (G, N of the other) [m/rad]
        self._placed = other.full(other.home)
        self._place(geometry, self._placed)
        super().__init__(robot, geometry, np.full(len(geometry.collisionPairs), np.inf))
        self._wanted = np.full(len(self._pairs), params.neighbour_margin)
        self._margin = self._wanted.copy()
        self._of = self._second - self._count  # (P,) the neighbour's body of each pair
        window = 2.0 * (params.neighbour_timeout + params.neighbour_lag + 1.0 / params.rate)
        self._past: deque[tuple[FloatArray, FloatArray]] = deque(
            maxlen=max(int(np.ceil(window * params.rate)), 1)
        )

    def look(self, now: float, stop: Brake) -> float:
        """See where the neighbour is; returns how far a part of it has moved at most [m].

        Args:
            now: [s].
            stop: Of the way that is gone now.
        """
        self._past.append((stop.low, stop.high))
        q, away = self._other.look(now)
        if not np.isfinite(q).all():
            return 0.0  # never seen: the gate holds
        full = self._other.robot.full(q)
        moved = (self._other_reach @ np.abs(full - self._placed))[self._of]
        if moved.any():
            for bounds in (self._ends, self._targets, self._goals):
                bounds.low -= moved
            self._place(self._geometry, full)
            self._placed = full
        coupled = np.abs(self._other.robot.coupling) @ away
        self._margin = self._wanted + (self._other_reach @ coupled)[self._of]
        return float(np.max(moved, initial=0.0))

    def margins(self, way: Way) -> FloatArray:
        """Return (P,) the distances [m] to be kept on a way."""
        if not self._past:
            return self._margin
        low = np.max([row[0] for row in self._past], axis=0)
        high = np.min([row[1] for row in self._past], axis=0)
        grown = np.maximum(np.maximum(way.high - high, low - way.low), 0.0)
        if not grown.any():
            return self._margin
        taken: FloatArray = self._margin + self.weights @ (np.abs(self._robot.coupling) @ grown)
        return taken

    def _place(self, geometry: pin.GeometryModel, full: FloatArray) -> None:
        pin.updateGeometryPlacements(
            self._other_model,
            self._other_data,
            self._other_geometry,
            self._other_geometry_data,
            full,
        )
        for i, place in enumerate(self._other_geometry_data.oMg):
            geometry.geometryObjects[self._count + i].placement = self._world_T_other * place
