"""Motors of an emulated device: first-order motion within limits, and an object to grasp."""

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.limits import JointLimits


class Plant:
    """J joints that follow their targets with a lag, a top speed and end stops."""

    def __init__(
        self, limits: JointLimits, start: FloatArray, time_constant: float = 0.03
    ) -> None:
        """Make joints at rest.

        Args:
            limits: Bounds and top speeds of the J joints.
            start: (J,) [rad] or [m].
            time_constant: Of the first-order lag [s], > 0.
        """
        self.limits, self.time_constant = limits, time_constant
        self.position = np.array(start, float)
        self.velocity = np.zeros(len(limits))
        self.target = self.position.copy()
        self.effort = np.zeros(len(limits))  # (J,) [1] share of the largest, signed
        self.torque = np.zeros(len(limits), bool)  # (J,) whether a motor is powered
        self.stuck = np.zeros(len(limits), bool)
        self.obstacle_lower = np.full(len(limits), -np.inf)  # an object: joints stop there
        self.obstacle_upper = np.full(len(limits), np.inf)

    def step(self, dt: float) -> None:
        """Move for `dt` seconds, however long: the lag is solved exactly."""
        if dt <= 0.0:
            return
        goal = np.where(self.torque, self.limits.clip(self.target), self.position)
        wish = (goal - self.position) * (1.0 - np.exp(-dt / self.time_constant))
        reach = self.limits.max_speed * dt
        free = self.position + np.clip(wish, -reach, reach)
        stopped = np.clip(free, self.obstacle_lower, self.obstacle_upper)
        stopped = np.where(self.stuck, self.position, stopped)
        self.velocity = (stopped - self.position) / dt
        self.position = stopped
        span = np.maximum(self.limits.upper - self.limits.lower, 1e-9)
        self.effort = np.where(
            self.torque, np.clip(10.0 * (goal - stopped) / span, -1.0, 1.0), 0.0
        )

    def blocked(self) -> FloatArray:
        """Return (J,) the side on which an object stops a joint: -1, 0 or 1."""
        low = (self.position <= self.obstacle_lower) & (self.target < self.position)
        high = (self.position >= self.obstacle_upper) & (self.target > self.position)
        return high.astype(float) - low.astype(float)
