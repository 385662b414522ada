"""A history of joint states: positions at the time of a picture, and whether the robot stood."""

from collections import deque
from collections.abc import Mapping
from typing import Final

import numpy as np

from mimic_core.errors import NotFiniteError, StaleInputError

_LENGTH: Final = 2000


class JointHistory:
    """The last joint states, by name."""

    def __init__(self, length: int = _LENGTH) -> None:
        self._rows: dict[str, deque[tuple[float, float]]] = {}
        self._length = length

    def add(self, stamp: float, joints: Mapping[str, float]) -> None:
        """Keep a state; raises NotFiniteError, and forgets what is newer than the stamp [s]."""
        if not np.isfinite(stamp) or not all(np.isfinite(v) for v in joints.values()):
            bad = [name for name, value in joints.items() if not np.isfinite(value)]
            raise NotFiniteError(
                f'joint state holds no number for {", ".join(bad) or "its stamp"}'
            )
        for name, value in joints.items():
            row = self._rows.setdefault(name, deque(maxlen=self._length))
            while row and row[-1][0] >= stamp:  # the clock was set back
                row.pop()
            row.append((stamp, float(value)))

    @property
    def names(self) -> tuple[str, ...]:
        """Joints seen so far."""
        return tuple(self._rows)

    def at(self, stamp: float, max_gap: float) -> tuple[dict[str, float], float]:
        """Return positions at a time, interpolated, and the time of the oldest that was needed.

        Raises:
            StaleInputError: A joint has no state within the gap [s] of that time.
        """
        if not self._rows:
            raise StaleInputError('there are no joint states')
        found, used = {}, stamp
        for name, row in self._rows.items():
            times = np.array([t for t, _ in row])
            nearest = int(np.argmin(np.abs(times - stamp)))
            if abs(times[nearest] - stamp) > max_gap:
                raise StaleInputError(
                    f'joint state of {name} and picture are {abs(times[nearest] - stamp):.2f} s '
                    'apart: are the clocks the same?'
                )
            found[name] = float(np.interp(stamp, times, [v for _, v in row]))
            if not times[0] <= stamp <= times[-1]:
                used = float(times[nearest])
        return found, used

    def speed(self, stamp: float, window: float) -> float:
        """Return the largest speed of a joint [rad/s] within a window [s] around a time.

        Infinite where there is too little to tell.
        """
        fastest = 0.0 if self._rows else np.inf
        for row in self._rows.values():
            near = [(t, v) for t, v in row if abs(t - stamp) <= window]
            if len(near) < 2 or near[-1][0] - near[0][0] < 0.3 * window:
                return float('inf')
            values = [v for _, v in near]
            fastest = max(fastest, (max(values) - min(values)) / (near[-1][0] - near[0][0]))
        return float(fastest)
