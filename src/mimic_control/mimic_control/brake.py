"""The quickest stop of joints with bounded acceleration and jerk, in closed form."""

import functools
from dataclasses import dataclass

import numpy as np

from mimic_core.arrays import BoolArray, FloatArray


@dataclass(frozen=True)
class State:
    """Position, velocity and acceleration of J joints at one moment; arrays may be (..., J)."""

    q: FloatArray  # [rad] or [m]
    v: FloatArray  # [rad/s]
    a: FloatArray  # [rad/s^2]

    @classmethod
    def rest(cls, q: FloatArray) -> 'State':
        """Return (J,) joints at rest."""
        return cls(np.array(q), np.zeros_like(q), np.zeros_like(q))

    def where(self, mask: BoolArray, other: 'State') -> 'State':
        """Return this state where mask holds, the other elsewhere."""
        return State(
            np.where(mask, self.q, other.q),
            np.where(mask, self.v, other.v),
            np.where(mask, self.a, other.a),
        )


class Brake:
    """The time-optimal way of each joint from a state to rest.

    Three phases: jerk against the motion, constant deceleration, jerk back to zero. Times and
    places are exact, so that a stop begun at one tick goes on unchanged from any later one.
    """

    def __init__(self, start: State, max_acceleration: FloatArray, max_jerk: FloatArray) -> None:
        """Args: start: (..., J), with |a| <= max_acceleration; limits: (J,)."""
        j = max_jerk
        # Velocity that would be left if only the acceleration went to zero: its sign says whither.
        left = start.v + start.a * np.abs(start.a) / (2.0 * j)
        self._sign = np.where(left >= 0.0, 1.0, -1.0)
        self._q = start.q
        self._jerk = j
        v, a = self._sign * start.v, self._sign * start.a
        self._v, self._a = v, a
        wanted = np.sqrt(np.maximum(j * v + 0.5 * a * a, 0.0))
        peak = np.minimum(np.maximum(wanted, -a), max_acceleration)
        self._t1 = np.maximum(a + peak, 0.0) / j
        self._t3 = peak / j
        surplus = v + a * a / (2.0 * j) - peak * peak / j
        self._t2 = np.where(wanted > peak, surplus / np.maximum(peak, 1e-12), 0.0)
        self.duration = self._t1 + self._t2 + self._t3  # (..., J) [s]
        self.longest = float(np.max(self.duration, initial=0.0))
        self.end = self._position(self._t1, self._t2, self._t3)[0]  # (..., J) rest position
        # Going the other way first (v < 0): the turning point lies in phase 1.
        turn = np.where(v < 0.0, (a - np.sqrt(np.maximum(a * a + 2.0 * j * v, 0.0))) / j, 0.0)
        turning = self._position(np.clip(turn, 0.0, self._t1), 0.0, 0.0)[0]
        self.low = np.minimum(np.minimum(self._q, self.end), turning)  # (..., J) lowest position
        self.high = np.maximum(np.maximum(self._q, self.end), turning)
        self.travel = self.high - self.low  # (..., J) [rad] bound of |q - end| on the way

    def at(self, t: float | FloatArray) -> State:
        """Return the state at times [s] from the start; arrays broadcast against (..., J)."""
        t1 = np.minimum(t, self._t1)
        t2 = np.clip(t - self._t1, 0.0, self._t2)
        t3 = np.clip(t - self._t1 - self._t2, 0.0, self._t3)
        q, v, a = self._position(t1, t2, t3)
        over = t >= self.duration
        zero = np.zeros_like(v)
        return State(np.where(over, self.end, q), np.where(over, zero, v), np.where(over, zero, a))

    def _position(
        self, t1: FloatArray, t2: FloatArray | float, t3: FloatArray | float
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        j, v, a = self._jerk, self._v, self._a
        v1 = v + t1 * (a - 0.5 * j * t1)
        x1 = t1 * (v + t1 * (0.5 * a - j * t1 / 6.0))
        a1 = a - j * t1
        v2 = v1 + a1 * t2
        x2 = x1 + t2 * (v1 + 0.5 * a1 * t2)
        v3 = v2 + t3 * (a1 + 0.5 * j * t3)
        x3 = x2 + t3 * (v2 + t3 * (0.5 * a1 + j * t3 / 6.0))
        s = self._sign
        return self._q + s * x3, s * v3, s * (a1 + j * t3)


class Way:
    """What will be sent if nothing else may be: a state and the stop from there."""

    def __init__(self, stop: Brake, period: float) -> None:
        """Args: stop: of (J,) joints; period: between two outputs [s]."""
        self._stop, self._period = stop, period
        self.end = stop.end  # (J,)
        self.travel = stop.travel  # (J,) bound of the distance of any point from the end
        self.low, self.high = stop.low, stop.high  # (J,) bounds of all points

    @functools.cached_property
    def points(self) -> FloatArray:
        """(K, J) positions that are sent, the last at rest."""
        count = int(np.ceil(self._stop.longest / self._period)) + 1
        times: FloatArray = np.arange(count, dtype=np.float64) * self._period
        return self._stop.at(times[:, None]).q
