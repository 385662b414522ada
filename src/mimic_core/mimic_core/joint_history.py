"""Measured joints of the last seconds, whoever measures them."""

from collections import deque
from collections.abc import Sequence

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.errors import NotFiniteError, ShapeError, StaleInputError


class JointHistory:
    """Measured positions of J joints over the last seconds, from any number of drivers."""

    def __init__(self, names: Sequence[str], kept: float) -> None:
        """Args: names: J joints; kept: how long they are remembered [s]."""
        self._names, self._kept = tuple(names), kept
        self._index = {name: i for i, name in enumerate(self._names)}
        # Joints that come together -> (stamp, positions) of each message
        self._groups: dict[tuple[str, ...], deque[tuple[float, FloatArray]]] = {}

    def add(self, names: Sequence[str], positions: FloatArray, stamp: float) -> None:
        """Take a message of N joints; those of other robots are left out.

        Args:
            names: N joints.
            positions: (N,) [rad] or [m].
            stamp: [s].

        Raises:
            ShapeError: Not N positions.
            NotFiniteError: NaN; says of which joint.
            StaleInputError: The stamp is not after that of the last message.
        """
        if len(positions) != len(names):
            raise ShapeError(f'joint_states: {len(positions)} positions of {len(names)} joints')
        own = tuple(name for name in names if name in self._index)
        if not own:
            return
        values = np.array([positions[i] for i, name in enumerate(names) if name in self._index])
        if not np.isfinite(values).all():
            raise NotFiniteError(
                f'joint_states: {own[int(np.argmin(np.isfinite(values)))]} is NaN'
            )
        group = self._groups.setdefault(own, deque())
        if group and stamp <= group[-1][0]:
            if stamp > group[-1][0] - self._kept:
                raise StaleInputError(
                    f'joint_states: stamp of {own[0]} goes back by {group[-1][0] - stamp:.3f} s'
                )
            group.clear()  # the clock was set back
        group.append((stamp, values))
        while group[0][0] < stamp - self._kept:
            group.popleft()

    def at(self, time: float) -> FloatArray:
        """Return (J,) positions at a time [s], between two messages; held at the ends.

        Raises:
            StaleInputError: A joint was never measured; says which.
        """
        q = np.full(len(self._names), np.nan)
        for names, group in self._groups.items():
            stamps = [stamp for stamp, _ in group]
            right = int(np.searchsorted(stamps, time))
            if right == 0 or right == len(group):
                value = group[min(right, len(group) - 1)][1]
            else:
                (t0, before), (t1, after) = group[right - 1], group[right]
                share = (time - t0) / (t1 - t0)
                value = (1.0 - share) * before + share * after
            q[[self._index[name] for name in names]] = value
        if np.isnan(q).any():
            raise StaleInputError(f'no joint state of {self._names[int(np.argmax(np.isnan(q)))]}')
        return q

    def latest(self, now: float, max_age: float) -> FloatArray:
        """Return (J,) the last positions.

        Raises:
            StaleInputError: Those of a joint are older than `max_age` [s], or as far ahead of the
                clock, or there are none.
        """
        for names, group in self._groups.items():
            age = now - group[-1][0]
            if age > max_age:
                raise StaleInputError(
                    f'joint_states: {names[0]} is {age:.2f} s old (bound {max_age:g} s)'
                )
            if age < -max_age:  # it would never grow old
                raise StaleInputError(
                    f'joint_states: the stamp of {names[0]} is {-age:.2f} s ahead of the clock'
                )
        return self.at(now)

    def speed(self, window: float) -> FloatArray:
        """Return (J,) mean speeds [rad/s] or [m/s] over the last moments; 0 of what came once.

        Args:
            window: How long these moments are [s].

        Raises:
            StaleInputError: A joint was never measured; says which.
        """
        speed = np.full(len(self._names), np.nan)
        for names, group in self._groups.items():
            last, q = group[-1]
            before, q_before = next(
                (old for old in reversed(group) if old[0] <= last - window + 1e-9), group[0]
            )
            moved = (q - q_before) / (last - before) if last > before else np.zeros_like(q)
            speed[[self._index[name] for name in names]] = moved
        if np.isnan(speed).any():
            name = self._names[int(np.argmax(np.isnan(speed)))]
            raise StaleInputError(f'no joint state of {name}')
        return speed

    def clear(self) -> None:
        """Forget everything."""
        self._groups.clear()
