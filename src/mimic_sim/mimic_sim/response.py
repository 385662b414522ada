"""Joints of the twin that answer as measured ones do: delay, dynamics, gain, offset, backlash."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.linalg import expm

from mimic_core.arrays import FloatArray
from mimic_description.response import JointResponse

QUICK: Final = 0.003  # [s] added where dynamics are of order 0 or 1, and taken off the delay


class ResponseFilter:
    """Turns commands of J joints into targets of drives that are quick and critically damped.

    The drives of the twin answer as 1/(s/W + 1)^2. A target of x + 2/W x' + x''/W^2 makes them
    follow x, so that the joint moves as its response says, stiff as before. That needs dynamics
    of order 2: to those of order 0 and 1 a short lag is added, and as much taken off the delay.
    """

    def __init__(
        self, responses: Sequence[JointResponse], step: float, natural_frequency: float
    ) -> None:
        """Args: responses: of J joints; step: of the physics [s]; natural_frequency: W [rad/s]."""
        full = [_second_order(r) for r in responses]
        self._gain = np.array([r.gain for r in responses])
        self._offset = np.array([r.offset for r in responses])
        self._half = 0.5 * np.array([r.backlash for r in responses])
        self._omega = np.array([1.0 / t for _, t, _ in full])
        self._damping = np.array([d for _, _, d in full])
        self._speed_lead, self._acceleration_lead = 2.0 / natural_frequency, natural_frequency**-2
        steps = np.array([delay for delay, _, _ in full]) / step
        self._whole = np.floor(steps).astype(int)
        self._part = steps - self._whole
        self._length = int(self._whole.max(initial=0)) + 2
        maps = [_one_step(t, d, step) for _, t, d in full]
        self._a = np.array([a for a, _, _ in maps])  # (J, 2, 2)
        self._b0 = np.array([b for _, b, _ in maps])  # (J, 2), of the input before the step
        self._b1 = np.array([b for _, _, b in maps])  # (J, 2), of the input after it
        self.reset(self._offset)

    def reset(self, q: FloatArray) -> None:
        """Rest at positions (J,) [rad] or [m]."""
        u = (q - self._offset) / self._gain
        self._history = np.tile(u, (self._length, 1))
        self._next = 0
        self._u = u
        self._state = np.stack([u, np.zeros_like(u)], axis=1)  # (J, 2) position, velocity
        self._y = u.copy()  # behind the backlash
        self._target = q.copy()

    def step(self, command: FloatArray) -> FloatArray:
        """Return (J,) the targets of the drives during a step at whose end a command holds.

        Args:
            command: (J,) [rad] or [m]; straight from the one before.
        """
        self._history[self._next] = command
        newest = np.arange(len(command))
        early = self._history[(self._next - self._whole - 1) % self._length, newest]
        late = self._history[(self._next - self._whole) % self._length, newest]
        self._next = (self._next + 1) % self._length
        u = late + self._part * (early - late)
        self._state = (
            np.einsum('jab,jb->ja', self._a, self._state)
            + self._b0 * self._u[:, None]
            + self._b1 * u[:, None]
        )
        self._u = u
        x, v = self._state[:, 0], self._state[:, 1]
        y = np.clip(self._y, x - self._half, x + self._half)
        driven = (y != self._y) | (self._half == 0.0)
        self._y = y
        acceleration = self._omega**2 * (u - x) - 2.0 * self._damping * self._omega * v
        lead = self._speed_lead * v + self._acceleration_lead * acceleration
        # The physics moves a joint within the step by its new speed: the target of the step's
        # beginning is that of its middle.
        before: FloatArray = self._target
        self._target = self._offset + self._gain * (y + np.where(driven, lead, 0.0))
        return before


def _second_order(response: JointResponse) -> tuple[float, float, float]:
    """Return delay [s], time constant [s] and damping [1] of dynamics of order 2."""
    delay, t = response.delay, response.time_constant
    if response.order == 2:
        return max(delay, 0.0), t, response.damping
    if response.order == 1:
        return max(delay - QUICK, 0.0), np.sqrt(t * QUICK), (t + QUICK) / (2 * np.sqrt(t * QUICK))
    return max(delay - 2.0 * QUICK, 0.0), QUICK, 1.0


def _one_step(t: float, damping: float, step: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return what one step makes of position and velocity, and of the input before and after."""
    omega = 1.0 / t
    matrix = np.zeros((4, 4))  # position, velocity, input, slope of the input
    matrix[0, 1] = 1.0
    matrix[1] = -(omega**2), -2.0 * damping * omega, omega**2, 0.0
    matrix[2, 3] = 1.0
    whole = expm(matrix * step)
    slope = whole[:2, 3] / step
    return whole[:2, :2], whole[:2, 2] - slope, slope
