"""Who drove the robot in an episode, and when: from control/status."""

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

Driver = Literal['person', 'policy', 'replay', 'nobody']

STATUS_TOPIC: Final = 'control/status'
_BY_SOURCE: Final = MappingProxyType[str, Driver](
    {'shadow/command': 'person', 'policy/command': 'policy', 'replay/command': 'replay'}
)
HOLD: Final = 4  # of ControlStatus.state
STOPPED: Final = 5


@dataclass(frozen=True)
class Drive:
    """A time in which one drove."""

    driver: Driver  # nobody: the gate held, stopped, or moved to a posture
    start: int  # [ns] log time
    end: int  # [ns] log time, of the next one's start

    @property
    def duration(self) -> float:
        """Length [s]."""
        return (self.end - self.start) * 1e-9


def drives(statuses: Iterable[tuple[int, str, int]], end: int) -> tuple[Drive, ...]:
    """Return who drove, without gaps.

    A person who took over and is lost or stale is still the source of the gate, which holds.

    Args:
        statuses: Log time [ns], followed topic and state of each control/status, in order.
        end: Log time [ns] of the end of the last.
    """
    found: list[Drive] = []
    for time, source, state in statuses:
        holds = state in (HOLD, STOPPED)
        driver: Driver = 'nobody' if holds else _BY_SOURCE.get(source, 'nobody')
        if found and found[-1].driver == driver:
            continue
        if found:
            found[-1] = Drive(found[-1].driver, found[-1].start, time)
        found.append(Drive(driver, time, time))
    if found:
        found[-1] = Drive(found[-1].driver, found[-1].start, end)
    return tuple(found)
