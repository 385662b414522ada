"""What the gate says of each control period."""

import enum
from dataclasses import dataclass

from mimic_control.active import ActiveLimit
from mimic_core.arrays import FloatArray


class Mode(enum.IntEnum):
    """What is asked for, and what is happening; numbers of mimic_interfaces/ControlStatus."""

    IDLE = 0
    SHADOW = 1
    POLICY = 2
    REPLAY = 3
    HOLD = 4
    STOPPED = 5


@dataclass(frozen=True)
class GateOutput:
    """One control period."""

    q: FloatArray  # (J,) [rad] or [m] to be reached one period from now
    v: FloatArray  # (J,) [rad/s] or [m/s] there
    publish: bool  # send it; else the robot must get nothing now
    restart: bool  # the first output of a new sequence, at the measured position
    state: Mode
    reason: str  # why it holds, stopped or limits; '' when nothing is wrong
    limits: tuple[ActiveLimit, ...]  # that are active

    @property
    def limited(self) -> tuple[str, ...]:
        """Names of the limits that are active."""
        return tuple(limit.name for limit in self.limits)


@dataclass(frozen=True)
class GateStatus:
    """What the gate did and why; the fields of mimic_interfaces/ControlStatus."""

    mode: Mode
    state: Mode
    source: str  # topic whose commands are followed
    reason: str
    enable_missing: bool  # control/enable is required and not held
    limited: tuple[str, ...]
    position: FloatArray  # (J,)
    velocity: FloatArray  # (J,)
    collision_distance: float  # [m] NaN when not checked
    command_stamp: float  # [s] 0 when none
    latency: float  # [s] NaN when none
    command_age: float  # [s] NaN when none
    accepted: int
    refused: int
    last_refusal: str
    ticks: int
    missed_ticks: int

    def counters(self) -> dict[str, object]:
        """Return what diagnostics show."""
        keys = ('source', 'accepted', 'refused', 'last_refusal', 'ticks', 'missed_ticks')
        return {'mode': self.mode.name.lower()} | {key: getattr(self, key) for key in keys}
