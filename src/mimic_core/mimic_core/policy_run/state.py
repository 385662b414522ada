"""What a policy that runs says at each tick. Plain Python."""

import enum
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.command import NamedPositions

NOT_ENABLED: Final = 'control/enable is not held'


class State(enum.IntEnum):
    """What a policy is doing; numbers of mimic_interfaces/PolicyStatus."""

    IDLE = 0
    RUNNING = 1
    HOLD = 2
    PERSON = 3


@dataclass(frozen=True)
class Tick:
    """What one look led to."""

    q: FloatArray | None  # (J,) to command now; None: nothing
    state: State
    reason: str  # why it holds; '' otherwise
    command: NamedPositions | None = None  # the same and what comes next, for the gate


@dataclass
class Counts:
    """What has happened since the start of a run."""

    chunks: int = 0  # predictions that are or were followed
    refused: int = 0  # that were not
    commands: int = 0
    holds: int = 0  # times that it began to hold
    gaps: int = 0  # longer times than one and a half periods between two commands of a motion
    inference: float = np.nan  # [s] of the last prediction
    latency: float = np.nan  # [s] from the picture to the prediction's first command
    age: float = np.nan  # [s] of the observation that is followed


class PolicyRunner(Protocol):
    """Decides what to command. Times are in seconds of one clock."""

    counts: Counts

    @property
    def running(self) -> bool:
        """It was started and not stopped since."""

    @property
    def over(self) -> str | None:
        """Why the run should end: '' after a good end, None while it should not."""

    def start(self, now: float) -> None:
        """Begin to look and to follow."""

    def stop(self) -> None:
        """Command nothing any more."""

    def tick(self, now: float, driving: bool = True, enabled: bool = True) -> Tick:
        """Return what to command now.

        Args:
            now: [s].
            driving: The gate listens; else a person drives.
            enabled: It moves what listens; else it waits for control/enable, and so does the run:
                what was planned or predicted before is not followed after.
        """
