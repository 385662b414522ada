"""Which way gravity points in a hand that an arm carries."""

from collections.abc import Sequence

import numpy as np
import pinocchio as pin

from mimic_core.arrays import FloatArray
from mimic_description import load_robot


class GravityOfArm:
    """Turns gravity into the frame of the flange by the joints of an arm."""

    def __init__(self, arm: str, gravity: FloatArray, prefix: str) -> None:
        """Take the arm.

        Args:
            arm: Name in config/robots.
            gravity: (3,) in the arm's base_link [m/s^2].
            prefix: Of its joints.
        """
        robot = load_robot(arm, 'none', prefix)
        self._gravity = np.array(gravity, float)
        self._names, self._index = robot.joint_names, np.array(robot.q_index)
        self._model = robot.pin_model
        self._data = self._model.createData()
        self._flange = robot.frame('flange')

    def of(self, names: Sequence[str], position: Sequence[float]) -> FloatArray | None:
        """Return (3,) gravity in the flange [m/s^2]; None when it names not all of the arm."""
        where = dict(zip(names, position, strict=False))
        if not all(name in where for name in self._names):
            return None
        q = pin.neutral(self._model)
        q[self._index] = [where[name] for name in self._names]
        pin.framesForwardKinematics(self._model, self._data, q)
        base_R_flange: FloatArray = self._data.oMf[self._flange].rotation
        turned: FloatArray = base_R_flange.T @ self._gravity
        return turned
