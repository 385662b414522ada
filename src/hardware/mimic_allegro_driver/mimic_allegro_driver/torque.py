"""Torques that bring an Allegro Hand to a position: it has no position loop of its own."""

import numpy as np
import pinocchio as pin

from mimic_allegro_driver.params import AllegroParams
from mimic_allegro_driver.protocol import JOINTS
from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import ConfigError, MimicError
from mimic_description.model import RobotModel


class TorqueLaw:
    """Stiffness and damping around a set-point, and the weight of the fingers if asked."""

    def __init__(self, params: AllegroParams, robot: RobotModel) -> None:
        """Take gains and limits.

        Args:
            params: Of the driver.
            robot: The hand alone.

        Raises:
            ConfigError: A list is not of 16 numbers, or a number makes no sense.
        """
        self._kp, self._kd = _sixteen(params, 'kp'), _sixteen(params, 'kd')
        limits = _sixteen(params, 'pwm_limits')
        if (self._kp < 0).any() or (self._kd < 0).any():
            raise ConfigError('kp and kd must be >= 0')
        if (limits < 0).any() or (limits > 1200).any():
            raise ConfigError('pwm_limits must be in [0, 1200]')
        self._scale = params.pwm_per_newton_metre
        self._caps = np.floor(limits)
        self._model = robot.pin_model.copy()
        self._data = self._model.createData()
        self._index = np.array(robot.q_index)
        self._compensate = params.gravity_compensation
        self.set_gravity(checked(params.gravity, (3,), 'gravity'))

    def set_gravity(self, gravity: FloatArray) -> None:
        """Take gravity (3,) in the hand's base_link [m/s^2]."""
        self._model.gravity = pin.Motion(np.asarray(gravity, float), np.zeros(3))

    def pwm(self, setpoint: FloatArray, position: FloatArray, velocity: FloatArray) -> FloatArray:
        """Return (16,) whole PWM values within the limits.

        Args:
            setpoint: (16,) wanted positions [rad].
            position: (16,) measured positions [rad].
            velocity: (16,) measured velocities [rad/s].
        """
        torque = self._kp * (setpoint - position) - self._kd * velocity
        if self._compensate:
            torque = torque + self.weight(position)
        pwm: FloatArray = np.rint(torque * self._scale)
        np.minimum(pwm, self._caps, out=pwm)
        np.maximum(pwm, -self._caps, out=pwm)
        return pwm

    def weight(self, position: FloatArray) -> FloatArray:
        """Return (16,) torques that carry the fingers [N m]."""
        q = np.zeros(self._model.nq)
        q[self._index] = position
        torque: FloatArray = pin.computeGeneralizedGravity(self._model, self._data, q)
        return torque[self._index]

    def effort(self, pwm: FloatArray) -> FloatArray:
        """Return (16,) torques [N m] of PWM values."""
        return pwm / self._scale


def _sixteen(params: AllegroParams, name: str) -> FloatArray:
    try:
        return checked(getattr(params, name), (JOINTS,), name)
    except MimicError as error:
        raise ConfigError(f"parameter '{name}' must be 16 numbers: {error}") from error
