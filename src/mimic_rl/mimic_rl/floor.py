"""Finger tips stay over the height below which the gate would stop the whole arm."""

from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_description import RobotModel
from mimic_retargeting import ArmIK

MARGIN: Final = 0.01  # [m] over that height
STEPS: Final = 3
DAMPING: Final = 1e-5  # [m^2]


class Floor:
    """Lifts postures whose finger tips are too low; the palm keeps its orientation."""

    def __init__(self, robot: RobotModel, ik: ArmIK) -> None:
        """Args: robot: with arm and hand; ik: of its palm."""
        assert robot.arm is not None and robot.arm.workspace is not None  # practice demands it
        space = robot.arm.workspace
        self.height: Final = max(space.box_min[2], space.min_height) + MARGIN  # [m]
        self._robot, self._ik = robot, ik
        self._links = tuple(robot.tip_frames().values())
        self._arm = len(robot.arm_joints)

    def lifted(self, q: FloatArray) -> FloatArray:
        """Return (J,) the posture q, or the nearest found whose finger tips are high enough."""
        raised, limits = q.copy(), self._robot.limits
        for _ in range(STEPS):
            lowest = min(self._robot.fk(raised, link)[2, 3] for link in self._links)
            missing = self.height - lowest
            if missing <= 0.0:
                break
            jacobian = self._ik.jacobian(raised[: self._arm])
            move = np.array([0.0, 0.0, missing, 0.0, 0.0, 0.0])
            square = jacobian @ jacobian.T + DAMPING * np.eye(6)
            raised[: self._arm] += jacobian.T @ np.linalg.solve(square, move)
            raised = limits.clip(raised)
        return raised
