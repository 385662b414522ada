"""From a trajectory to a set-point at any time, as ros2_control's joint_trajectory_controller."""

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from mimic_core.arrays import FloatArray, IntArray, checked
from mimic_core.command import NamedPositions
from mimic_core.errors import StaleInputError, UnknownNameError


class Follower:
    """The set-point of J joints while they follow trajectories of all or some of them.

    A new trajectory begins at the set-point and speed of the moment in which it arrives, so the
    set-point never jumps; joints that it does not name stay with what they had.
    """

    def __init__(self, joints: Sequence[str]) -> None:
        self.joints = tuple(joints)
        self._index = {name: i for i, name in enumerate(self.joints)}
        self._tracks: list[_Track] = []
        self._rest = np.zeros(len(self.joints))

    def reset(self, position: FloatArray) -> None:
        """Forget every trajectory and stay at (J,) positions."""
        self._rest = checked(position, (len(self.joints),), 'position').copy()
        self._tracks = []

    def follow(self, command: NamedPositions, now: float) -> None:
        """Take a command at a time [s]; its stamp is when it starts, 0 on receipt.

        Raises:
            UnknownNameError: A joint is not of this device.
            StaleInputError: It ended in the past.
        """
        for name in command.names:
            if name not in self._index:
                raise UnknownNameError('joint', name, self.joints)
        begin = command.stamp or now
        late = now - begin - command.times[-1]
        if late > 0.0:
            raise StaleInputError(f'a trajectory that ended {late:.3f} s ago')
        columns = np.array([self._index[name] for name in command.names])
        position, velocity = self.sample(now)
        track = _Track(command, columns, begin, now, position[columns], velocity[columns])
        self._rest = position
        self._tracks = [old for old in self._tracks if not set(old.columns) <= set(columns)]
        self._tracks.append(track)

    def sample(self, now: float) -> tuple[FloatArray, FloatArray]:
        """Return the (J,) set-point and its velocity at a time [s]."""
        position, velocity = self._rest.copy(), np.zeros(len(self.joints))
        for track in self._tracks:  # the later one wins where two name the same joint
            position[track.columns], velocity[track.columns] = track.sample(now)
        return position, velocity

    def ends(self) -> float:
        """Return when the last trajectory ends [s]; -inf without one."""
        return max((track.times[-1] for track in self._tracks), default=-np.inf)


class _Track:
    """One trajectory of N joints from the moment of its arrival on."""

    def __init__(
        self,
        command: NamedPositions,
        columns: IntArray,
        begin: float,
        now: float,
        position: FloatArray,
        velocity: FloatArray,
    ) -> None:
        # Points before now were for then. A point at time zero gives no time to reach it: the
        # session's speed limit spreads it.
        times = begin + command.times
        keep = times > now
        keep[-1] = True
        waits = int(begin > now)
        self.columns = columns
        self.times = [now, *[begin] * waits, *np.maximum(times[keep], now).tolist()]
        self._position = np.vstack([*[position] * (1 + waits), command.points[keep]])
        self._velocity: FloatArray | None = None
        if command.velocities is not None:
            still = [np.zeros_like(velocity)] * waits
            begins = np.zeros_like(velocity) if waits else velocity  # waiting is standing still
            self._velocity = np.vstack([begins, *still, command.velocities[keep]])

    def sample(self, now: float) -> tuple[FloatArray, FloatArray]:
        i = bisect_right(self.times, now)
        if i >= len(self.times):
            return self._position[-1], np.zeros(len(self.columns))
        if i == 0:
            return self._position[0], np.zeros(len(self.columns))
        length = self.times[i] - self.times[i - 1]
        s = (now - self.times[i - 1]) / length
        a, b = self._position[i - 1], self._position[i]
        if self._velocity is None:
            return a + s * (b - a), (b - a) / length
        va, vb = length * self._velocity[i - 1], length * self._velocity[i]
        c = 3.0 * (b - a) - 2.0 * va - vb  # cubic Hermite polynomial
        d = va + vb - 2.0 * (b - a)
        return a + s * (va + s * (c + s * d)), (va + s * (2.0 * c + 3.0 * s * d)) / length
