"""Follows joint trajectories as ros2_control's joint_trajectory_controller does."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray, checked
from mimic_core.command import NamedPositions
from mimic_core.errors import StaleInputError

_MEMORY: Final = 0.2  # [s] for which the way before a new trajectory is kept


class TrajectoryFollower:
    """The present trajectory of J joints: linear between its points, then the last point holds.

    A new trajectory replaces the old one and starts from where the old one is at that moment.
    Joints that it does not name hold their target.
    """

    def __init__(self, joints: Sequence[str], q: FloatArray) -> None:
        """Args: joints: J names; q: (J,) positions that hold until a trajectory comes."""
        self._joints = tuple(joints)
        self.hold(q)

    @property
    def joints(self) -> tuple[str, ...]:
        """Names of the J joints."""
        return self._joints

    def hold(self, q: FloatArray) -> None:
        """Forget the trajectory and hold (J,) positions."""
        self._times = np.zeros(1)
        self._points = checked(q, (len(self._joints),), 'q').reshape(1, -1).copy()

    def start(self, command: NamedPositions, now: float) -> None:
        """Follow a new trajectory.

        Args:
            command: Its stamp is when it starts [s]; 0: now.
            now: Present time [s].

        Raises:
            UnknownNameError: It names a joint that is not one of these.
            StaleInputError: It ended in the past.
        """
        points = command.ordered(self._joints)
        begin = command.stamp if command.stamp > 0.0 else now
        times = begin + command.times
        if times[-1] < now:
            raise StaleInputError(f'the trajectory ended {now - times[-1]:.3f} s ago')
        here = self.sample(now)
        past = (self._times < now) & (self._times > now - _MEMORY)
        past_times, past_points = self._times[past], self._points[past]
        points = np.where(np.isnan(points), here, points)
        ahead = times > now
        if not ahead.any():  # one point, for now
            self.hold(points[-1])
            return
        knots, where = [now], [here]
        if begin > now and times[0] > begin:  # it starts later: hold until then
            knots, where = [now, begin], [here, here]
        self._times = np.concatenate([past_times, knots, times[ahead]])
        self._points = np.vstack([past_points, *where, points[ahead]])

    def sample(self, now: float) -> FloatArray:
        """Return (J,) positions at a time [s], which may be shortly before the present."""
        times, points = self._times, self._points
        after = int(np.searchsorted(times, now, side='right'))
        if after in (0, len(times)):
            held: FloatArray = points[max(after - 1, 0)].copy()
            return held
        share = (now - times[after - 1]) / (times[after] - times[after - 1])
        q: FloatArray = points[after - 1] + share * (points[after] - points[after - 1])
        return q
