"""When messages arrived in simulated time: DDS tells only the time of day."""

from bisect import bisect_right
from typing import Final

_KEPT: Final = 4096  # messages of the clock: seconds of them


class ArrivalTimes:
    """What the simulated clock said, and when."""

    def __init__(self) -> None:
        self._arrived: list[int] = []  # [ns] time of day
        self._said: list[int] = []  # [ns] simulated

    def hear(self, arrived: int, said: int) -> None:
        """Take a message of the clock: its arrival by the time of day, what it says [ns]."""
        if self._arrived and arrived < self._arrived[-1]:  # the time of day was set back
            self._arrived.clear()
            self._said.clear()
        self._arrived.append(arrived)
        self._said.append(said)
        if len(self._arrived) > 2 * _KEPT:
            del self._arrived[:_KEPT]
            del self._said[:_KEPT]

    def of(self, arrived: int, otherwise: int) -> int:
        """Return what the clock said last at a time of day [ns].

        Args:
            arrived: Time of day [ns].
            otherwise: Returned where that is not known [ns].
        """
        index = bisect_right(self._arrived, arrived) - 1
        return self._said[index] if index >= 0 else otherwise
