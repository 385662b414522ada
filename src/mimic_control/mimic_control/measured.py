"""Measured joint positions, put together from the messages of several drivers."""

from collections.abc import Sequence

import numpy as np

from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import NotFiniteError, ShapeError, StaleInputError


class Measured:
    """The newest position of each of J joints and its time."""

    def __init__(self, joints: Sequence[str]) -> None:
        self._names = tuple(joints)
        self._index = {name: i for i, name in enumerate(joints)}
        self.q = np.full(len(joints), np.nan)  # (J,) NaN where never seen
        self._stamp = np.full(len(joints), -np.inf)

    def add(self, names: Sequence[str], positions: FloatArray, stamp: float) -> None:
        """Take positions of some joints; names that are not ours are left out.

        Args:
            names: N joints.
            positions: (N,) [rad] or [m].
            stamp: When they were measured [s].

        Raises:
            ShapeError: Not (N,).
            NotFiniteError: A joint of ours is NaN or infinite.
            StaleInputError: Older than what is known.
        """
        q = checked(positions, (len(names),), 'joint positions', finite=False)
        ours = [(self._index[n], i) for i, n in enumerate(names) if n in self._index]
        if not ours:
            raise ShapeError('joint states name none of the joints')
        for joint, i in ours:
            if not np.isfinite(q[i]):
                raise NotFiniteError(f'joint {self._names[joint]} is measured as {q[i]}')
            if stamp < self._stamp[joint]:
                raise StaleInputError(
                    f'joint state of {self._names[joint]} is {self._stamp[joint] - stamp:.3f} s '
                    'older than the last one'
                )
        for joint, i in ours:
            self.q[joint], self._stamp[joint] = q[i], stamp

    def forget_times(self) -> None:
        """Forget how old the positions are, after the clock was set back."""
        self._stamp[:] = -np.inf

    def missing(self, now: float, timeout: float) -> str:
        """Return which joint is not known well enough to move, '' when all are."""
        age = now - self._stamp
        i = int(np.argmax(age))
        if age[i] <= timeout:
            return ''
        if not np.isfinite(self.q[i]):
            return f'no joint state of {self._names[i]} yet'
        if not np.isfinite(age[i]):
            return f'no joint state of {self._names[i]} since the clock was set back'
        return f'joint state of {self._names[i]} is {age[i]:.2f} s old (bound {timeout:g} s)'
