"""Where an arm's flange is, and how its joints move it."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pinocchio as pin

from mimic_calibration.errors import CalibrationError
from mimic_core.arrays import FloatArray, checked
from mimic_core.frames import BASE, FLANGE
from mimic_description import RobotModel, load_robot

_BEYOND_LIMITS: Final = 0.05  # [rad] or [m] by which a measured joint may be beyond its limits


class Arm:
    """The kinematics of one arm without its hand, A joints."""

    def __init__(self, name: str, prefix: str = '', model: pin.Model | None = None) -> None:
        """Args: model: instead of that of the registry, with the same joints and frames."""
        self.name = name
        self.robot: RobotModel = load_robot(name, 'none', prefix)
        self._model = self.robot.pin_model if model is None else model
        self._data = self._model.createData()
        self._base = self.robot.frame(BASE)
        self._flange = self.robot.frame(FLANGE)

    @property
    def joints(self) -> tuple[str, ...]:
        """Names of the A joints."""
        return self.robot.arm_joints

    def positions(self, joints: Mapping[str, float], what: str = 'joint state') -> FloatArray:
        """Return (A,) the arm's positions out of named ones; others are ignored.

        Raises:
            CalibrationError: Joints are missing, or beyond the limits: it is another robot.
            NotFiniteError: A position is NaN or infinite.
        """
        missing = [name for name in self.joints if name not in joints]
        if missing:
            raise CalibrationError(
                f'{what} lacks {", ".join(missing)} of the {self.name}; it has '
                f'{", ".join(sorted(joints)) or "no joints"}: is it of another robot?'
            )
        q = checked([joints[name] for name in self.joints], (len(self.joints),), what)
        limits = self.robot.limits
        beyond = np.maximum(limits.lower - q, q - limits.upper)
        worst = int(np.argmax(beyond))
        if beyond[worst] > _BEYOND_LIMITS:
            raise CalibrationError(
                f'{what}: {self.joints[worst]} = {q[worst]:.3f} is outside '
                f'[{limits.lower[worst]:.3f}, {limits.upper[worst]:.3f}]: is it of another robot, '
                'or in degrees?'
            )
        return q

    def flange_pose(self, q: FloatArray) -> FloatArray:
        """Return (4, 4) at (A,) positions."""
        pin.framesForwardKinematics(self._model, self._data, self.robot.full(q))
        pose = self._data.oMf[self._base].actInv(self._data.oMf[self._flange])
        matrix: FloatArray = pose.homogeneous
        return matrix

    def jacobian(self, q: FloatArray) -> FloatArray:
        """Return (6, A): velocity of the flange [m/s; rad/s] in its frame, by joint speed."""
        full = pin.computeFrameJacobian(
            self._model, self._data, self.robot.full(q), self._flange, pin.ReferenceFrame.LOCAL
        )
        columns: FloatArray = full @ self.robot.coupling
        return columns
