"""What joint_trajectory_controller does with a topic, as its documentation describes it."""

from collections.abc import Sequence

import numpy as np

from mimic_core.arrays import FloatArray


class TrajectoryController:
    """Interpolates trajectories of all its joints, and aborts what does not stay near them."""

    def __init__(
        self,
        joints: Sequence[str],
        path_tolerance: float = 0.0,
        interpolate_from_desired: bool = False,
    ) -> None:
        """Make a controller that is active and has nothing to do.

        Args:
            joints: J names.
            path_tolerance: `constraints.<joint>.trajectory` of each [rad], 0: none.
            interpolate_from_desired: A new trajectory begins at the last set-point, not at the
                measured position (`interpolate_from_desired_state`).
        """
        self.joints = tuple(joints)
        self.path_tolerance, self._from_desired = path_tolerance, interpolate_from_desired
        self.aborts = 0
        self._desired: FloatArray | None = None
        self._times: FloatArray = np.zeros(0)
        self._points: FloatArray = np.zeros((0, len(self.joints)))
        self._speeds: FloatArray | None = None

    def reset(self) -> None:
        """Begin anew, as after an activation: hold where the joints are."""
        self._desired, self._times = None, np.zeros(0)

    def refusal(
        self,
        names: Sequence[str],
        points: FloatArray,
        times: FloatArray,
        velocities: FloatArray | None,
        late: float,
    ) -> str:
        """Return why a trajectory is refused, '' when it is taken.

        Args:
            names: Of the N joints in it.
            points: (T, N) [rad].
            times: (T,) [s] from its start.
            velocities: (T, N) [rad/s] or None.
            late: How long ago it began [s]; 0 with a zero stamp.
        """
        if set(names) != set(self.joints) or len(names) != len(self.joints):
            return 'joints on incoming trajectory do not match the controller joints'
        if len(times) == 0:
            return 'empty trajectory'
        if (np.diff(times) <= 0.0).any():
            return 'time between points is not strictly increasing'
        if late > times[-1] and late > 0.0:
            return 'trajectory has ended in the past'
        if velocities is not None and np.abs(velocities[-1]).max() > np.finfo(np.float32).eps:
            return 'velocity of last trajectory point is not zero'
        if not np.isfinite(points).all():
            return 'a position is not finite'
        return ''

    def take(
        self,
        names: Sequence[str],
        points: FloatArray,
        times: FloatArray,
        velocities: FloatArray | None,
        now: float,
        measured: FloatArray,
    ) -> None:
        """Follow a trajectory that was not refused, from a time [s] on."""
        order = [list(names).index(joint) for joint in self.joints]
        begin = self._desired if self._from_desired and self._desired is not None else measured
        start = now if times[0] > 0.0 else now - 1e-9
        self._times = np.concatenate([[start], now + times])
        self._points = np.vstack([begin, points[:, order]])
        self._speeds = None
        if velocities is not None:
            self._speeds = np.vstack([np.zeros(len(order)), velocities[:, order]])

    def update(self, now: float, period: float, measured: FloatArray) -> FloatArray:
        """Return the (J,) set-point for the end of the control period that begins now [s]."""
        if self._desired is None:
            self._desired = measured.copy()
        if len(self._times):
            if self.path_tolerance and now < self._times[-1]:
                away = np.abs(self._sample(now) - measured)
                if (away > self.path_tolerance).any():
                    self.aborts += 1
                    self._times = np.zeros(0)
                    self._desired = measured.copy()
                    return self._desired
            self._desired = self._sample(now + period)
        return self._desired

    def _sample(self, at: float) -> FloatArray:
        i = int(np.searchsorted(self._times, at, side='right'))
        if i >= len(self._times):
            return self._points[-1].copy()
        if i == 0:
            return self._points[0].copy()
        length = self._times[i] - self._times[i - 1]
        s = (at - self._times[i - 1]) / length
        a, b = self._points[i - 1], self._points[i]
        if self._speeds is None:
            return np.asarray(a + s * (b - a))
        va, vb = length * self._speeds[i - 1], length * self._speeds[i]
        c, d = 3.0 * (b - a) - 2.0 * va - vb, va + vb - 2.0 * (b - a)
        return np.asarray(a + s * (va + s * (c + s * d)))
