"""Time along a way: each straight piece from rest to rest, as fast as the limits permit."""

import itertools
from typing import Final

import numpy as np
from ruckig import InputParameter, Result, Ruckig, RuckigError, Synchronization, Trajectory

from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import LimitError
from mimic_core.limits import JointLimits

SAMPLING: Final = 0.005  # [s] between which the way is a cubic
STILL: Final = 1e-9  # [rad] or [m] of a piece that is none


class TimedPath:
    """Postures over time on straight lines in joint space, all joints in step.

    The robot stops in every corner, so it never leaves the lines that were checked.
    """

    def __init__(self, points: FloatArray, limits: JointLimits, begin: float) -> None:
        """Make the times.

        Args:
            points: (K, J) [rad] or [m], K >= 2.
            limits: Of the J joints, for this motion.
            begin: When it starts [s].

        Raises:
            ShapeError: Not (K, J) with two points or more.
            LimitError: A piece has no motion within the limits.
        """
        way = checked(points, (None, len(limits)), 'points')
        pieces = [_piece(a, b, limits) for a, b in itertools.pairwise(way)]
        self.goal: Final = way[-1].copy()
        self.begin: Final = begin
        times, rows, speeds, at = [0.0], [way[0]], [np.zeros(len(limits))], 0.0
        for piece in pieces:
            if piece is None:
                continue
            t, q, v = piece
            times += (at + t[1:]).tolist()
            rows += list(q[1:])
            speeds += list(v[1:])
            at = times[-1]
        if at == 0.0:  # nothing moves
            times, rows, speeds = [0.0, SAMPLING], [way[0], way[-1]], speeds * 2
        self.duration: Final = at  # [s]
        self._times, self._q, self._v = np.array(times), np.array(rows), np.array(speeds)

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
    duration = float(trajectory.duration)
    times = np.linspace(0.0, duration, int(np.ceil(duration / SAMPLING)) + 2)
    rows = [trajectory.at_time(float(t)) for t in times]
    s, v = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    return times, a + s * (b - a), v * (b - a)
