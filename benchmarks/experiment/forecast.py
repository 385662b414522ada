"""How long it still takes: units of work that are left, times what such a unit took."""

from collections.abc import Mapping
from typing import Final

# What a unit took on two cores at 2.5 GHz without an accelerator, until it is measured [s of one
# process].
PRIOR: Final[Mapping[str, float]] = {
    'demonstration': 12.0,
    'video': 4.5,
    'ingest': 3.0,
    'step robot_only': 0.2,
    'step': 0.4,
    'rollout': 4.5,
}


class Forecast:
    """Work that is left, by kind; kinds without a measurement take what they usually take."""

    def __init__(self, processes: int) -> None:
        """Args: processes: that work at once."""
        self._processes = processes
        self._left: dict[str, float] = {}
        self._done: dict[str, tuple[float, float]] = {}  # units, seconds of one process

    def plan(self, kind: str, units: float) -> None:
        """Add work that has to be done."""
        self._left[kind] = self._left.get(kind, 0.0) + units

    def did(self, kind: str, units: float, seconds: float) -> None:
        """Count work that was done, and the time of one process that it took [s]."""
        self._left[kind] = max(self._left.get(kind, 0.0) - units, 0.0)
        before = self._done.get(kind, (0.0, 0.0))
        self._done[kind] = (before[0] + units, before[1] + seconds)

    def drop(self, kind: str, units: float) -> None:
        """Take work away that need not be done, or was done before."""
        self._left[kind] = max(self._left.get(kind, 0.0) - units, 0.0)

    def cost(self, kind: str) -> float:
        """Return what a unit takes one process [s]."""
        units, seconds = self._done.get(kind, (0.0, 0.0))
        return seconds / units if units else PRIOR[kind]

    @property
    def seconds(self) -> float:
        """Until all is done [s]."""
        return sum(left * self.cost(kind) for kind, left in self._left.items()) / self._processes

    @property
    def text(self) -> str:
        """For people."""
        minutes = self.seconds / 60.0
        if minutes < 90.0:
            return f'about {max(minutes, 1.0):.0f} min to go'
        return f'about {minutes / 60.0:.1f} h to go'
