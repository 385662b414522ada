"""The workspace box: where flange, palm, grasp centre and finger tips may be."""

from typing import Final

import numpy as np
import pinocchio as pin

from mimic_control.active import ActiveLimit
from mimic_control.brake import Way
from mimic_control.params import GateParams
from mimic_control.reach import reach
from mimic_core.arrays import BoolArray, FloatArray
from mimic_core.frames import BASE, FLANGE, GRASP_CENTER, PALM
from mimic_description import RobotModel

_AXES: Final = 'xyz'
_DAMPING: Final = 1e-4  # [m^2] of the projection
_ROUNDING: Final = 1e-9  # [m]
_TRIES: Final = 5  # of a projection
_CLEAR: Final = 5e-4  # [m] inside the box where a projected target lands


class WorkspaceBox:
    """Margins of some points of the robot to a box that is fixed in base_link."""

    def __init__(self, robot: RobotModel, params: GateParams) -> None:
        """Args: robot: with an arm; params: padding and height offset."""
        if robot.arm is None or robot.arm.workspace is None:
            raise ValueError('a workspace needs an arm')
        box = robot.arm.workspace
        self.lower: Final = np.array(box.box_min) - params.workspace_padding  # (3,) [m]
        self.upper: Final = np.array(box.box_max) + params.workspace_padding
        self.lower[2] = max(box.box_min[2], box.min_height + params.min_height_offset)
        self._robot, self._model = robot, robot.pin_model
        self._data = robot.pin_model.createData()
        names = [FLANGE]
        if robot.hand is not None:
            names += [PALM, GRASP_CENTER, *robot.tip_frames().values()]
        self.points: Final = tuple(names)
        self._frames = [robot.frame(name) for name in names]
        world_T_base = robot.fk(robot.home, BASE)
        self._base_R_world = world_T_base[:3, :3].T
        self._base = world_T_base[:3, 3]
        arms = len(robot.arm_joints)
        self._arm = robot.coupling[:, :arms]
        self._arms = arms
        self._reach = np.array([self._reach_of(frame) for frame in self._frames])  # (P, J)

    def positions(self, q: FloatArray) -> FloatArray:
        """Return (P, 3) [m] the points in base_link at (J,) joint positions."""
        pin.forwardKinematics(self._model, self._data, self._full(q))
        points = np.array(
            [
                pin.updateFramePlacement(self._model, self._data, f).translation
                for f in self._frames
            ]
        )
        positions: FloatArray = (points - self._base) @ self._base_R_world.T
        return positions

    def margins(self, q: FloatArray) -> FloatArray:
        """Return (P, 6) [m] how far inside each point is: x, y, z low, then x, y, z high."""
        p = self.positions(q)
        return np.concatenate([p - self.lower, self.upper - p], axis=1)

    def violation(self, way: Way, present: FloatArray) -> ActiveLimit | None:
        """Return which point would leave the box on a way, None when none does.

        Args:
            way: What will be sent.
            present: (J,) the position now; a point that is outside already may not go further.
        """
        margins = self.margins(way.end)
        spare = (self._reach @ way.travel)[:, None]
        if (margins >= spare).all():
            return None
        margins = self.margins(present)
        floor = np.minimum(margins, 0.0) - _ROUNDING
        points = way.points
        moved = np.abs(np.diff(points, axis=0, prepend=present[None])) @ self._reach.T  # (K, P)
        slack = (margins - floor).min(axis=1)  # (P,) [m] at least, carried from point to point
        for q, by in zip(points, moved, strict=True):
            slack = slack - by
            if (slack >= 0.0).all():
                continue  # no face can have been reached
            margins = self.margins(q)
            low = margins < floor
            if low.any():
                return self._limit(margins, low)
            slack = (margins - floor).min(axis=1)
        return None

    def project(self, q: FloatArray) -> tuple[FloatArray, ActiveLimit | None]:
        """Return a near target inside the box, moved by the arm, and what was outside.

        Where the arm cannot bring all points inside, the least squares solution comes back; the
        gate checks every step anyhow.
        """
        target = q
        outside: ActiveLimit | None = None
        for _ in range(_TRIES):
            margins = self.margins(target)
            low = margins < 0.0
            if not low.any():
                break
            outside = outside or self._limit(margins, low)
            pin.computeJointJacobians(self._model, self._data, self._full(target))
            rows, wanted = [], []
            for point, face in zip(*np.nonzero(low), strict=True):
                jacobian = pin.getFrameJacobian(
                    self._model,
                    self._data,
                    self._frames[point],
                    pin.ReferenceFrame.LOCAL_WORLD_ALIGNED,
                )[:3]
                row = self._base_R_world[face % 3] @ jacobian @ self._arm
                rows.append(row if face < 3 else -row)
                wanted.append(_CLEAR - margins[point, face])
            a, b = np.array(rows), np.array(wanted)
            change = a.T @ np.linalg.solve(a @ a.T + _DAMPING * np.eye(len(b)), b)
            target = target.copy()
            target[: self._arms] += np.clip(change, -0.3, 0.3)
            target = self._robot.limits.clip(target)
        return target, outside

    def _full(self, q: FloatArray) -> FloatArray:
        full: FloatArray = self._robot.coupling @ q + self._robot.coupling_offset
        return full

    def _limit(self, margins: FloatArray, low: BoolArray) -> ActiveLimit:
        point, face = (int(i) for i in np.argwhere(low)[0])
        side = 'low' if face < 3 else 'high'
        bound = float(self.lower[face] if face < 3 else self.upper[face - 3])
        inside = float(margins[point, face])
        name = f'workspace {_AXES[face % 3]} {side} {bound:.3f} m of {self.points[point]}'
        return ActiveLimit(name, bound + inside if face < 3 else bound - inside, bound)

    def _reach_of(self, frame: int) -> FloatArray:
        item = self._model.frames[frame]
        weights = reach(
            self._model, item.parentJoint, float(np.linalg.norm(item.placement.translation))
        )
        bound: FloatArray = weights @ np.abs(self._robot.coupling)
        return bound
