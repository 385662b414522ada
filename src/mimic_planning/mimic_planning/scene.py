"""Where a robot may be: apart from itself and the table, inside its workspace."""

from dataclasses import dataclass
from typing import Final

import coal
import numpy as np
import pinocchio as pin

from mimic_core.arrays import FloatArray
from mimic_core.frames import BASE, FLANGE, GRASP_CENTER, PALM, transform
from mimic_core.params import param
from mimic_description import RobotModel

TABLE: Final = 'table'
_TABLE_SIZE: Final = (6.0, 6.0, 1.0)  # [m]
_HAIR: Final = 1e-4  # [m] below a distance that a posture has, so that it counts as free itself
_TOUCH: Final = 0.005  # [m] overlap that a start may have: shapes fit their parts no better


@dataclass(frozen=True, kw_only=True)
class SceneParams:
    """The rules of the gate, with some room on top."""

    check_collision: bool = param('Keep the parts of the robot apart, and off the table.', True)
    collision_margin: float = param(
        'Smallest distance between parts [m]; half their distance at home where that is less.',
        0.01, low=0.0, high=0.2,
    )  # fmt: skip
    table_height: float = param('Of the table in base_link [m].', 0.0, low=-5.0, high=5.0)
    table_clearance: float = param('Distance to the table [m].', 0.001, low=0.0, high=0.2)
    check_workspace: bool = param('Keep flange, palm and tips in the workspace box.', True)
    workspace_padding: float = param('Grows the box [m].', 0.0, low=-0.3, high=5.0)
    min_height_offset: float = param('Added to the least height [m].', 0.0, low=-5.0, high=1.0)
    padding: float = param(
        'On top of every margin, so that it holds between the samples of a way too [m].',
        0.002, low=0.0005, high=0.05,
    )  # fmt: skip


class Scene:
    """Tells whether J joints may be at some posture, and along a straight line in joint space.

    Margins are those of the gate (`mimic_control`), which a test of that package compares. What a
    start breaks already may stay as it is there but not get worse.
    """

    def __init__(self, robot: RobotModel, params: SceneParams | None = None) -> None:
        """Args: robot: the fingers of its hand may touch each other; params: margins, table."""
        self.robot: Final = robot
        self.params: Final = params or SceneParams()
        self._model = robot.pin_model
        self._data = self._model.createData()
        self._geometry = robot.collision_model(within_hand=False)
        own = len(self._geometry.collisionPairs)
        if robot.arm is not None:
            self._add_table()
        self._geometry_data = self._geometry.createData()
        # A tree of boxes first: a quarter of the time of looking at all pairs.
        self._broad = pin.BroadPhaseManager_DynamicAABBTreeCollisionManager(
            self._model, self._geometry, self._geometry_data
        )
        self._pairs = [(int(p.first), int(p.second)) for p in self._geometry.collisionPairs]
        wanted = np.full(len(self._pairs), self.params.table_clearance)
        wanted[:own] = self.params.collision_margin
        at_home = self.distances(robot.home)
        self.margins: Final = np.minimum(wanted, np.maximum(0.5 * at_home, 0.0))  # (P,) [m]
        self._floors = self.margins.copy()
        self._set_floors(self.margins + self.params.padding)
        self._add_box()
        self.reach: Final = self._joint_reach()  # (J,) [m/rad] that any part moves at most

    # Postures -------------------------------------------------------------------------------

    def admit(self, start: FloatArray, goal: FloatArray) -> str:
        """Prepare for ways between two postures (J,); returns why one of them may not be.

        Margins shrink to what start and goal have, where that is less than margin and padding.
        """
        limits = self.robot.limits
        for what, q in (('start', start), ('goal', goal)):
            beyond = np.maximum(limits.lower - q, q - limits.upper)
            i = int(np.argmax(beyond))
            if beyond[i] > 1e-6 and what == 'goal':
                return f'{what}: {self.robot.joint_names[i]} = {q[i]:.4f} is outside its limits'
        if self.params.check_collision:
            begin, end = self.distances(start), self.distances(goal)
            if len(begin) and (begin + _TOUCH < np.minimum(self.margins, 0.0)).any():
                i = int(np.argmin(begin))
                return f'start in collision: {self._name(i)} overlap by {-begin[i] * 1e3:.1f} mm'
            least = np.minimum(self.margins, begin)
            if (end < least - _HAIR).any():
                i = int(np.argmin(end - least))
                return (
                    f'goal in collision: {self._name(i)} would be {end[i] * 1e3:.1f} mm apart '
                    f'(bound {self.margins[i] * 1e3:.1f} mm)'
                )
            room = np.minimum(begin, end) - _HAIR
            self._set_floors(np.minimum(self.margins + self.params.padding, room))
        if self._with_box:
            begin, end = self._inside(start), self._inside(goal)
            self._box_floor = np.minimum(begin, 0.0) - 1e-6
            if (end < self._box_floor).any():
                point, face = (int(i) for i in np.argwhere(end < self._box_floor)[0])
                return (
                    f'goal outside the workspace: {self._points[point]} by '
                    f'{-end[point, face] * 1e3:.1f} mm in {"xyz"[face % 3]}'
                )
        return ''

    def free(self, q: FloatArray) -> bool:
        """Tell whether the robot may be at (J,)."""
        if self._with_box and (self._inside(q) < self._box_floor).any():
            return False
        return not self.params.check_collision or not pin.computeCollisions(
            self._model, self._data, self._broad, self._full(q), True
        )

    def blocked_by(self, q: FloatArray) -> str:
        """Return what forbids (J,), '' when nothing does."""
        if self.params.check_collision:
            short = self.distances(q) - self._floors
            if len(short) and short.min() < 0.0:
                return f'collision of {self._name(int(np.argmin(short)))}'
        if self._with_box and (self._inside(q) < self._box_floor).any():
            point = int(np.argwhere(self._inside(q) < self._box_floor)[0][0])
            return f'workspace of {self._points[point]}'
        return ''

    def distances(self, q: FloatArray) -> FloatArray:
        """Return (P,) [m] the distances of all pairs at (J,), negative where they overlap."""
        pin.computeDistances(
            self._model, self._data, self._geometry, self._geometry_data, self._full(q)
        )
        return np.array([r.min_distance for r in self._geometry_data.distanceResults])

    # Ways -----------------------------------------------------------------------------------

    def steps(self, a: FloatArray, b: FloatArray, step: float) -> int:
        """Return into how many parts a way (J,) to (J,) falls, so that none moves by more [m]."""
        return max(int(np.ceil(float(self.reach @ np.abs(b - a)) / step)), 1)

    def way_is_free(self, a: FloatArray, b: FloatArray, step: float | None = None) -> bool:
        """Tell whether a straight way may be gone; coarse looks come first.

        Args:
            a: (J,) from.
            b: (J,) to.
            step: Distance that any part moves at most between two looks [m]; None: twice the
                padding, with which the margins without padding hold all along the way.
        """
        return self.first_block(a, b, step) is None

    def first_block(
        self, a: FloatArray, b: FloatArray, step: float | None = None
    ) -> FloatArray | None:
        """Return a posture (J,) on a straight way that may not be, None when all may."""
        count = self.steps(a, b, step or 2.0 * self.params.padding)
        for i in _coarse_to_fine(count):
            q = a + (b - a) * (i / count)
            if not self.free(q):
                return q
        return None

    # Parts ----------------------------------------------------------------------------------

    def _add_table(self) -> None:
        moving = [i for i, o in enumerate(self._geometry.geometryObjects) if o.parentJoint > 0]
        world_T_base = self.robot.fk(self.robot.home, BASE)
        centre = np.array([0.0, 0.0, self.params.table_height - 0.5 * _TABLE_SIZE[2]])
        place = pin.SE3(world_T_base @ transform(np.eye(3), centre))
        table = self._geometry.addGeometryObject(
            pin.GeometryObject(TABLE, 0, 0, place, coal.Box(*_TABLE_SIZE))
        )
        for i in moving:
            self._geometry.addCollisionPair(pin.CollisionPair(i, table))

    def _add_box(self) -> None:
        arm = self.robot.arm
        self._with_box = self.params.check_workspace and arm is not None
        self._points: list[str] = []
        if arm is None or arm.workspace is None or not self._with_box:
            self._with_box = False
            return
        p = self.params
        box = arm.workspace
        self._lower = np.array(box.box_min) - p.workspace_padding
        self._upper = np.array(box.box_max) + p.workspace_padding
        self._lower[2] = max(box.box_min[2], box.min_height + p.min_height_offset)
        self._points = [FLANGE]
        if self.robot.hand is not None:
            self._points += [PALM, GRASP_CENTER, *self.robot.tip_frames().values()]
        self._frames = [self.robot.frame(name) for name in self._points]
        world_T_base = self.robot.fk(self.robot.home, BASE)
        self._base, self._base_R_world = world_T_base[:3, 3], world_T_base[:3, :3].T
        self._box_floor = np.full((len(self._points), 6), -1e-6)

    def _inside(self, q: FloatArray) -> FloatArray:
        """Return (points, 6) [m] how far inside the box each point is, low sides first."""
        pin.forwardKinematics(self._model, self._data, self._full(q))
        places = [
            pin.updateFramePlacement(self._model, self._data, frame).translation
            for frame in self._frames
        ]
        p = (np.array(places) - self._base) @ self._base_R_world.T
        return np.concatenate([p - self._lower, self._upper - p], axis=1)

    def _set_floors(self, floors: FloatArray) -> None:
        self._floors = floors
        for request, floor in zip(
            self._geometry_data.collisionRequests, floors.tolist(), strict=True
        ):
            request.security_margin = floor

    def _full(self, q: FloatArray) -> FloatArray:
        full: FloatArray = self.robot.coupling @ q + self.robot.coupling_offset
        return full

    def _name(self, pair: int) -> str:
        objects = self._geometry.geometryObjects
        a, b = (objects[i].name.rsplit(':', 1)[0] for i in self._pairs[pair])
        return f'{a} and {b}'

    def _joint_reach(self) -> FloatArray:
        model = self._model
        beyond = np.zeros(model.njoints)  # [m] from a joint to the farthest part that it carries
        for item in self._geometry.geometryObjects:
            item.geometry.computeLocalAABB()
            far = float(np.linalg.norm(item.placement.act(np.array(item.geometry.aabb_center))))
            far += float(item.geometry.aabb_radius)
            beyond[item.parentJoint] = max(beyond[item.parentJoint], far)
        per_joint = np.zeros(model.nq)
        for joint in range(model.njoints - 1, 0, -1):
            slides = model.joints[joint].shortname().startswith('JointModelP')
            row = model.joints[joint].idx_q
            per_joint[row] = 1.0 if slides else beyond[joint]
            stroke = max(abs(model.lowerPositionLimit[row]), abs(model.upperPositionLimit[row]))
            offset = float(np.linalg.norm(model.jointPlacements[joint].translation))
            parent = model.parents[joint]
            beyond[parent] = max(
                beyond[parent], offset + beyond[joint] + (stroke if slides else 0.0)
            )
        reach: FloatArray = per_joint @ np.abs(self.robot.coupling)
        return reach


def _coarse_to_fine(count: int) -> list[int]:
    """Return 0…count so that early entries are spread over the whole."""
    order, seen = [count, 0], {0, count}
    stride = 1 << max(count.bit_length() - 1, 0)
    while stride:
        order += [i for i in range(stride, count, stride) if i not in seen]
        seen.update(range(stride, count, stride))
        stride //= 2
    return order
