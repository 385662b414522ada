"""Bounds of joints, and the step towards a target that respects them."""

from dataclasses import dataclass

import numpy as np

from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import LimitError


@dataclass(frozen=True)
class JointLimits:
    """Bounds of J joints, in the joint order of the device registry."""

    lower: FloatArray  # (J,) [rad], prismatic joints [m]
    upper: FloatArray  # (J,) [rad] or [m]
    max_speed: FloatArray  # (J,) [rad/s] or [m/s], > 0
    max_acceleration: FloatArray  # (J,) [rad/s^2] or [m/s^2], > 0
    max_jerk: FloatArray  # (J,) [rad/s^3] or [m/s^3], > 0

    def __post_init__(self) -> None:
        size = len(np.atleast_1d(self.lower))
        for name in ('lower', 'upper', 'max_speed', 'max_acceleration', 'max_jerk'):
            object.__setattr__(self, name, checked(getattr(self, name), (size,), name).copy())
            getattr(self, name).setflags(write=False)
        if (self.lower > self.upper).any():
            raise LimitError(f'lower > upper at joint {int(np.argmax(self.lower > self.upper))}')
        for name in ('max_speed', 'max_acceleration', 'max_jerk'):
            if (getattr(self, name) <= 0).any():
                raise LimitError(f'{name} must be > 0')

    def __len__(self) -> int:
        return len(self.lower)

    def clip(self, q: FloatArray) -> FloatArray:
        """Return (J,) positions inside the bounds."""
        return np.clip(q, self.lower, self.upper)

    def contains(self, q: FloatArray, tolerance: float = 1e-9) -> bool:
        """Tell whether every joint of (J,) lies within its bounds."""
        return bool(((q >= self.lower - tolerance) & (q <= self.upper + tolerance)).all())

    def scaled(
        self, speed: float = 1.0, acceleration: float = 1.0, jerk: float = 1.0
    ) -> 'JointLimits':
        """Return limits with their rates multiplied by factors [1], > 0."""
        return JointLimits(
            self.lower,
            self.upper,
            self.max_speed * speed,
            self.max_acceleration * acceleration,
            self.max_jerk * jerk,
        )

    def select(self, indices: list[int]) -> 'JointLimits':
        """Return the limits of some joints, in the given order."""
        return JointLimits(
            self.lower[indices],
            self.upper[indices],
            self.max_speed[indices],
            self.max_acceleration[indices],
            self.max_jerk[indices],
        )
