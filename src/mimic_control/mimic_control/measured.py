"""Measured joint positions, put together from the messages of several drivers."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray, IntArray, checked
from mimic_core.errors import NotFiniteError, ShapeError, StaleInputError

_DRIVERS: Final = 16  # whose names are kept


class Measured:
    """The newest position of each of J joints and its time."""

    def __init__(self, joints: Sequence[str]) -> None:
        self._names = tuple(joints)
        self._index = {name: i for i, name in enumerate(joints)}
        self._places: dict[tuple[str, ...], IntArray] = {}  # of the names of each driver
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
        joints, given = self._ours(tuple(names))
        if not len(joints):
            raise ShapeError('joint states name none of the joints')
        ours, stamps = q[given], self._stamp[joints]
        if not np.isfinite(ours).all():
            i = int(np.flatnonzero(~np.isfinite(ours))[0])
            raise NotFiniteError(f'joint {self._names[joints[i]]} is measured as {ours[i]}')
        if (stamp < stamps).any():
            i = int(np.flatnonzero(stamp < stamps)[0])
            raise StaleInputError(
                f'joint state of {self._names[joints[i]]} is {stamps[i] - stamp:.3f} s '
                'older than the last one'
            )
        self.q[joints], self._stamp[joints] = ours, stamp

    def _ours(self, names: tuple[str, ...]) -> tuple[IntArray, IntArray]:
        """Return which of our joints are named, and at which places of the names."""
        known = self._places.get(names)
        if known is None:
            ours = [(self._index[n], i) for i, n in enumerate(names) if n in self._index]
            known = np.array(ours, dtype=np.int64).reshape(-1, 2).T
            if len(self._places) >= _DRIVERS:
                self._places.clear()
            self._places[names] = known
        return known[0], known[1]

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
