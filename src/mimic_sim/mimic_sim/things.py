"""The task's objects in a MuJoCo model: where they are, where they are put, what touches them."""

import math
from collections.abc import Mapping, Set
from typing import Final

import mujoco
import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.errors import UnknownNameError
from mimic_core.frames import inverse, to_quat_xyzw, transform
from mimic_sim.tasks import ObjectState, SceneObject, Start, Task, TaskState


class Things:
    """Objects and marks of one model and the state of it."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, task: Task) -> None:
        """Args: model: with the task's scene; data: its state; task."""
        self._model, self._data, self._task = model, data, task
        self._objects: Final = {obj.name: obj for obj in task.objects}
        self._body: Final = {name: model.body(name).id for name in self._objects}
        joints = {name: model.body_jntadr[body] for name, body in self._body.items()}
        self._qpos: Final = {name: int(model.jnt_qposadr[j]) for name, j in joints.items()}
        self._mocap: Final = {
            mark.name: int(model.body_mocapid[model.body(mark.name).id]) for mark in task.markers
        }
        self._name: Final = {body: name for name, body in self._body.items()}
        self._still: Final = frozenset({0, int(model.body('table').id)})
        self._impulse: dict[str, float] = dict.fromkeys(self._objects, 0.0)
        self.start: Start = Start({})

    @property
    def bodies(self) -> frozenset[int]:
        """Of the objects."""
        return frozenset(self._name)

    def reset(self, start: Start) -> None:
        """Put everything where a trial begins; kinematics are not brought up to date."""
        self.start = start
        for name, xy in start.markers.items():
            self._data.mocap_pos[self._mocap[name], :2] = xy
        self._put(start.objects)
        self._impulse = dict.fromkeys(self._objects, 0.0)

    def show(self, poses: Mapping[str, FloatArray]) -> None:
        """Put objects and marks where a recording says; those not named stay.

        Args:
            poses: name -> world_T_object (4, 4).

        Raises:
            UnknownNameError: There is no such object or mark.
        """
        for name, pose in poses.items():
            if name in self._mocap:
                self._data.mocap_pos[self._mocap[name], :2] = pose[:2, 3]
        self._put({name: pose for name, pose in poses.items() if name not in self._mocap})

    def poses(self) -> dict[str, FloatArray]:
        """Return world_T_object (4, 4) of every object."""
        return {name: self._pose(body) for name, body in self._body.items()}

    def markers(self) -> dict[str, tuple[float, float]]:
        """Return the middle (x, y) [m] of every mark in world."""
        return {
            name: (float(self._data.mocap_pos[i, 0]), float(self._data.mocap_pos[i, 1]))
            for name, i in self._mocap.items()
        }

    def target(self) -> FloatArray:
        """Return world_T_target (4, 4): where the centre of the task's first object should go.

        It is the mark named 'target'; without one, the object's start.
        """
        obj = self._task.objects[0]
        marks = self.markers()
        if 'target' not in marks:
            return self.start.objects[obj.name].copy()
        height = next(m.height for m in self._task.markers if m.name == 'target')
        return transform(np.eye(3), np.array([*marks['target'], height + obj.height]))

    def forces(self) -> dict[str, float]:
        """Return the sum of the contact forces on each object [N] of the robot or the person."""
        forces = dict.fromkeys(self._objects, 0.0)
        for bodies, force in contacts(self._model, self._data, self._still | self.bodies):
            for body in bodies:
                if body in self._name:
                    forces[self._name[body]] += force
        return forces

    def pass_time(self, forces: Mapping[str, float], dt: float) -> None:
        """Count the impulses of forces [N] that acted for some time [s]."""
        for name, force in forces.items():
            self._impulse[name] += force * dt

    def success(self, forces: Mapping[str, float]) -> bool:
        """Tell whether the task is done now.

        Args:
            forces: [N] on each object of the robot or person.
        """
        states = {
            name: ObjectState(
                self._pose(body), self._velocity(name), forces[name], self._impulse[name]
            )
            for name, body in self._body.items()
        }
        return self._task.success(TaskState(states, self.markers(), self.start))

    def _put(self, poses: Mapping[str, FloatArray]) -> None:
        for name in poses:
            if name not in self._objects:
                raise UnknownNameError('object', name, self._objects)
        for name, pose in poses.items():
            if not self._objects[name].within:
                x, y, z, w = to_quat_xyzw(pose)
                start = self._qpos[name]
                self._data.qpos[start : start + 7] = (*pose[:3, 3], w, x, y, z)
        for name, pose in poses.items():
            if within := self._objects[name].within:
                parent = poses.get(within)
                world_T_parent = self._pose(self._body[within]) if parent is None else parent
                self._data.qpos[self._qpos[name]] = self._along(
                    name, inverse(world_T_parent) @ pose
                )

    def _along(self, name: str, parent_T_object: FloatArray) -> float:
        """Return where on its way an object is: [m] or [rad]."""
        obj = self._objects[name]
        if obj.slide is not None:
            rise = float(parent_T_object[2, 3]) - obj.slide.at[2]
            return min(max(rise, -obj.slide.travel), 0.0)
        assert obj.hinge is not None  # the caller asks for objects that are not free
        angle = float(np.arctan2(parent_T_object[2, 1], parent_T_object[2, 2]))
        return min(max(angle, obj.hinge.low), obj.hinge.high)

    def _velocity(self, name: str) -> FloatArray:
        """Return the velocity of the centre (3,) [m/s] in world."""
        both, body = np.empty(6), mujoco.mjtObj.mjOBJ_XBODY
        mujoco.mj_objectVelocity(self._model, self._data, body, self._body[name], both, 0)
        return both[3:]

    def _pose(self, body: int) -> FloatArray:
        return transform(self._data.xmat[body].reshape(3, 3), self._data.xpos[body])


def contacts(
    model: mujoco.MjModel, data: mujoco.MjData, among: Set[int]
) -> list[tuple[tuple[int, int], float]]:
    """Return the bodies and the force [N] of each contact, but those among some bodies only.

    Args:
        model: The model.
        data: Its state.
        among: Bodies whose contacts with each other do not count.
    """
    found: list[tuple[tuple[int, int], float]] = []
    if data.ncon == 0:
        return found
    wrench = np.empty(6)
    for i, (first, second) in enumerate(model.geom_bodyid[data.contact.geom].tolist()):
        if first in among and second in among:
            continue
        mujoco.mj_contactForce(model, data, i, wrench)
        x, y, z = wrench[:3].tolist()
        found.append(((first, second), math.sqrt(x * x + y * y + z * z)))
    return found


def checked_objects(task: Task) -> tuple[SceneObject, ...]:
    """Return the objects of a task, free ones before those that move on them.

    Raises:
        UnknownNameError: An object moves on one that the task does not have.
    """
    free = {obj.name: obj for obj in task.objects if not obj.within}
    others = tuple(obj for obj in task.objects if obj.within)
    for obj in others:
        if obj.within not in free:
            raise UnknownNameError(f'free object of task {task.name}', obj.within, free)
    return (*free.values(), *others)
