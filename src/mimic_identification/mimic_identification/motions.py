"""Where the test motions of a robot go: free of collisions, inside the workspace."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from mimic_control.collision import CollisionGuard
from mimic_control.params import GateParams
from mimic_control.workspace import WorkspaceBox
from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import UnknownNameError
from mimic_description import RobotModel
from mimic_identification.excitation import Excitation, excite, room

SAMPLES: Final = 25  # postures of a motion that are checked
SHRINK: Final = 0.7  # [1] of the amplitude, from one try to the next
TRIES: Final = 6
CLEARANCE: Final = 0.002  # [m] beyond what the gate keeps


class MotionPlanner:
    """Finds for each joint a motion that the gate lets through, from one posture of all joints."""

    def __init__(self, robot: RobotModel, speed: float = 1.0) -> None:
        """Args: robot: its registry bounds hold; speed: of the usual rates of the motion [1]."""
        params = GateParams()
        self._robot = robot
        self._limits = robot.limits.scaled(speed, speed, speed)
        self._guard = CollisionGuard(robot, params)
        self._box = WorkspaceBox(robot, params) if robot.arm is not None else None

    def plan(self, joint: str, posture: FloatArray) -> Excitation | None:
        """Return the motion of a joint, None where it has no room.

        Args:
            joint: Its name.
            posture: (J,) where all joints are [rad] or [m].

        Raises:
            UnknownNameError: The robot has no such joint.
            ShapeError: `posture` is not (J,).
        """
        names = self._robot.joint_names
        if joint not in names:
            raise UnknownNameError('joint', joint, names)
        q = checked(posture, (len(names),), 'posture')
        index = names.index(joint)
        wanted, amplitude = room(self._limits, index, float(q[index]))
        for _ in range(TRIES):
            low = self._limits.lower[index] + 1.1 * amplitude
            high = self._limits.upper[index] - 1.1 * amplitude
            for shift in (0.0, amplitude, -amplitude):
                centre = float(np.clip(wanted + shift, low, high))
                if self._free(q, index, centre, amplitude):
                    return excite(self._limits, index, float(q[index]), centre, amplitude)
            amplitude *= SHRINK
        return None

    def _free(self, posture: FloatArray, index: int, centre: float, amplitude: float) -> bool:
        start = float(posture[index])
        ends = min(start, centre - amplitude), max(start, centre + amplitude)
        return all(self._allowed(posture, index, value) for value in np.linspace(*ends, SAMPLES))

    def _allowed(self, posture: FloatArray, index: int, value: float) -> bool:
        q = posture.copy()
        q[index] = value
        inside = self._box is None or bool((self._box.margins(q) >= CLEARANCE).all())
        return inside and self._guard.spare(q) >= CLEARANCE


def chosen_joints(robot: RobotModel, wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the joints to test, in the robot's order: all, or those that are named.

    Raises:
        UnknownNameError: The robot has no such joint.
    """
    for name in wanted:
        if name not in robot.joint_names:
            raise UnknownNameError('joint', name, robot.joint_names)
    return tuple(name for name in robot.joint_names if not wanted or name in wanted)
