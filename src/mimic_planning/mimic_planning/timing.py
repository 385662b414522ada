"""Time along a way: straight pieces from rest to rest, or samples with their own times."""

import itertools
from typing import Final

import numpy as np
from ruckig import InputParameter, Result, Ruckig, RuckigError, Synchronization, Trajectory

from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import LimitError, ShapeError
from mimic_core.limits import JointLimits

SHORTEST: Final = 1e-9  # [s] of a part of constant jerk that is none
NOTHING: Final = 0.005  # [s] duration of a motion that goes nowhere
STILL: Final = 1e-9  # [rad] or [m] of a piece that is none


class TimedPath:
    """Postures over time, as a reference of the gate."""

    def __init__(
        self, times: FloatArray, points: FloatArray, speeds: FloatArray, begin: float
    ) -> None:
        """Take samples, between which the way is a cubic.

        Args:
            times: (T,) [s] from the start, strictly increasing from 0.
            points: (T, J) [rad] or [m].
            speeds: (T, J) [rad/s] or [m/s].
            begin: When it starts [s].

        Raises:
            ShapeError: The arrays do not fit together, or times go backwards.
            NotFiniteError: An array holds NaN or infinity.
        """
        self._times = checked(times, (None,), 'times')
        self._q = checked(points, (len(self._times), None), 'points')
        self._v = checked(speeds, self._q.shape, 'speeds')
        if len(self._times) < 2 or self._times[0] != 0.0 or (np.diff(self._times) <= 0.0).any():
            raise ShapeError('times must grow from 0, two or more')
        self.goal: Final = self._q[-1].copy()
        self.begin: Final = begin  # [s]
        self.duration: Final = float(self._times[-1])  # [s]

    @classmethod
    def lines(cls, points: FloatArray, limits: JointLimits, begin: float) -> 'TimedPath':
        """Return the quickest motion on straight lines in joint space, all joints in step.

        The robot stops in every corner, so it never leaves the lines that were checked.

        Args:
            points: (K, J) [rad] or [m], K >= 2.
            limits: Of the J joints, for this motion.
            begin: When it starts [s].

        Raises:
            ShapeError: Not (K, J) with two points or more.
            LimitError: A piece has no motion within the limits.
        """
        way = checked(points, (None, len(limits)), 'points')
        times, rows, speeds = [0.0], [way[0]], [np.zeros(len(limits))]
        for a, b in itertools.pairwise(way):
            piece = _piece(a, b, limits)
            if piece is not None:
                t, q, v = piece
                times += (times[-1] + t[1:]).tolist()
                rows += list(q[1:])
                speeds += list(v[1:])
        if len(times) == 1:  # nothing moves
            times, rows, speeds = [0.0, NOTHING], [way[0], way[-1]], speeds * 2
        return cls(np.array(times), np.array(rows), np.array(speeds), begin)

    def at(self, times: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return positions and velocities (T, J) at times (T,) [s]."""
        t = np.clip(times - self.begin, 0.0, self._times[-1])
        i = np.clip(np.searchsorted(self._times, t, side='right') - 1, 0, len(self._times) - 2)
        h = (self._times[i + 1] - self._times[i])[:, None]
        s = (t - self._times[i])[:, None] / h
        q0, q1, v0, v1 = self._q[i], self._q[i + 1], self._v[i] * h, self._v[i + 1] * h
        c2, c3 = 3.0 * (q1 - q0) - 2.0 * v0 - v1, 2.0 * (q0 - q1) + v0 + v1
        q = q0 + s * (v0 + s * (c2 + s * c3))
        return q, (v0 + s * (2.0 * c2 + s * 3.0 * c3)) / h


def _piece(
    a: FloatArray, b: FloatArray, limits: JointLimits
) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """Return times (T,), positions and velocities (T, J) of one straight piece."""
    way = np.abs(b - a)
    if way.max() < STILL:
        return None
    # One number, the share of the way, moves within the tightest of all joints' limits.
    share = way > STILL
    inputs = InputParameter(1)
    inputs.current_position, inputs.target_position = [0.0], [1.0]
    inputs.max_velocity = [float((limits.max_speed[share] / way[share]).min())]
    inputs.max_acceleration = [float((limits.max_acceleration[share] / way[share]).min())]
    inputs.max_jerk = [float((limits.max_jerk[share] / way[share]).min())]
    inputs.synchronization = Synchronization.No
    trajectory = Trajectory(1)
    try:
        result = Ruckig(1).calculate(inputs, trajectory)
    except RuckigError as error:
        raise LimitError(f'no motion within the limits: {error}') from error
    if result not in (Result.Working, Result.Finished):
        raise LimitError('no motion within the limits')
    # Its jerk is constant between these times, so that the cubic between them is exact.
    parts = np.array(trajectory.profiles[0][0].t)
    times = np.concatenate([[0.0], np.cumsum(parts[parts > SHORTEST])])
    rows = [trajectory.at_time(float(t)) for t in times]
    s, v = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    s[-1], v[-1] = 1.0, 0.0
    return times, a + s * (b - a), v * (b - a)
