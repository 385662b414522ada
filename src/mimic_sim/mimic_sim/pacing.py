"""When to simulate the next control period, and which time it has."""

import math
from collections import deque
from typing import Final

_BACKLOG_MAX: Final = 0.2  # [s], a machine that is later than this has lost the time between
_WINDOW: Final = 1.0  # [s], of the measured real-time factor


class Pacer:
    """Turns wall time into control periods.

    The published time starts at `origin` and advances by a period with each one simulated. At
    factor 1 the origin is the time of day, so that stamps fit those of nodes that do not use
    /clock; when the machine cannot keep up, the time that it lost is skipped in both.
    """

    def __init__(self, period: float, factor: float, origin: float, wall: float) -> None:
        """Start now.

        Args:
            period: Simulated time of one step of control [s].
            factor: Simulated over wall time [1]; 0: as fast as possible.
            origin: Published time at the start [s].
            wall: Steady wall time now [s].
        """
        self._period, self._factor = period, factor
        self._origin, self._wall_origin = origin, wall
        self._periods = 0
        self._lost = 0.0  # [s] of wall time
        self._history: deque[tuple[float, int]] = deque([(wall, 0)])

    @property
    def time(self) -> float:
        """Published time of the state after all periods simulated so far [s]."""
        skipped = self._lost if self._factor == 1.0 else 0.0
        return self._origin + skipped + self._periods * self._period

    def at(self, wall: float) -> float:
        """Return the published time [s] of a steady wall time [s], at or after `time`."""
        ahead = (wall - self._wall_origin - self._lost) * self._factor
        return self.time + max(ahead - self._periods * self._period, 0.0)

    @property
    def lost(self) -> float:
        """Wall time that the machine could not keep up with, in all [s]."""
        return self._lost

    def due(self, wall: float) -> int:
        """Return how many periods to simulate now.

        Args:
            wall: Steady wall time [s].
        """
        if self._factor == 0.0:
            return 1
        behind = (wall - self._wall_origin - self._lost) - (
            self._periods * self._period / self._factor
        )
        if behind > _BACKLOG_MAX:
            self._lost += behind - self._period / self._factor
            behind = self._period / self._factor
        return max(0, math.floor(behind * self._factor / self._period + 1e-6))

    def advance(self, wall: float) -> None:
        """Count one simulated period."""
        self._periods += 1
        self._history.append((wall, self._periods))
        while len(self._history) > 2 and self._history[1][0] < wall - _WINDOW:
            self._history.popleft()

    def real_time_factor(self, wall: float) -> float:
        """Return simulated over wall time in the last second [1]."""
        since, periods = self._history[0]
        elapsed = wall - since
        return (self._periods - periods) * self._period / elapsed if elapsed > 0 else 0.0
