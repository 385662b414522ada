"""Whether a motor does not go where it is told."""

import time


class StallWatch:
    """Tells when fingers stand still away from their set-point, without contact."""

    def __init__(self, distance: float, duration: float) -> None:
        """Watch nothing yet.

        Args:
            distance: So far from the set-point they must move [m].
            duration: So long they may stand still there [s].
        """
        self.distance, self.duration = distance, duration
        self._position = float('nan')
        self._since = 0.0  # [s] when they last moved or had no reason to

    def see(self, position: float, setpoint: float | None, contact: bool) -> None:
        """Take a measured position [m] and where it should be; None: it need not move."""
        idle = setpoint is None or contact or abs(setpoint - position) <= self.distance
        if idle or not abs(position - self._position) <= 0.1 * self.distance:  # also when NaN
            self._position, self._since = position, time.perf_counter()

    @property
    def stalled(self) -> bool:
        """Return whether they stand still."""
        return time.perf_counter() - self._since > self.duration
