"""A gripper that is not there: one motor, two fingers, an object between them."""

import time
from collections import deque

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.emulator import Plant
from mimic_core.limits import JointLimits

_ARRIVED = 1e-4  # [m]
_LONGEST_STEP = 0.1  # [s]


class EmulatedGripper:
    """Moves to the last goal at its top speed; stops at an object, as a grasp does."""

    def __init__(self, limits: JointLimits, start: FloatArray, keep: int | None) -> None:
        """Make a gripper at rest.

        Args:
            limits: Of one finger [m].
            start: (1,) [m].
            keep: How many goals are kept; None: all.
        """
        self.plant = Plant(limits, start)
        self.plant.torque[:] = True
        self.goals: deque[tuple[float, float]] = deque(maxlen=keep)  # perf_counter [s], [m]
        self._last = time.perf_counter()

    @property
    def position(self) -> float:
        """Of one finger [m]."""
        return float(self.plant.position[0])

    @property
    def stalled(self) -> bool:
        """Whether an object stops it."""
        return bool(self.plant.blocked().any())

    @property
    def arrived(self) -> bool:
        """Whether it is where it shall be."""
        return bool(
            np.abs(self.plant.position - self.plant.limits.clip(self.plant.target)) < _ARRIVED
        )

    def take(self, position: float, _effort: float) -> None:
        """Take a goal [m], [N]; the force of the object is not modelled."""
        self.goals.append((time.perf_counter(), position))
        self.plant.target = np.array([position])

    def step(self) -> None:
        """Let the time since the last step pass."""
        now = time.perf_counter()
        self.plant.step(min(now - self._last, _LONGEST_STEP))
        self._last = now
