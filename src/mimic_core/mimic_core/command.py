"""A command: positions of named joints over a short time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import ShapeError, StaleInputError, UnknownNameError


@dataclass(frozen=True)
class NamedPositions:
    """T points of J named joints, as a JointTrajectory message holds them."""

    names: tuple[str, ...]
    points: FloatArray  # (T, J) [rad] or [m]
    times: FloatArray  # (T,) [s] from the start, strictly increasing
    stamp: float = 0.0  # [s] capture time of the data behind it; 0 unknown; in the future: start
    velocities: FloatArray | None = None  # (T, J) [rad/s] or [m/s]; None: not given

    def __post_init__(self) -> None:
        if not self.names or len(set(self.names)) != len(self.names):
            raise ShapeError(f'joint names are empty or repeat: {list(self.names)}')
        object.__setattr__(self, 'points', checked(self.points, (None, len(self.names)), 'points'))
        object.__setattr__(self, 'times', checked(self.times, (len(self.points),), 'times'))
        if len(self.points) == 0:
            raise ShapeError('a command has no points')
        if (np.diff(self.times) <= 0).any() or self.times[0] < 0:
            raise StaleInputError(f'times go backwards: {self.times.tolist()}')
        if self.velocities is not None:
            velocities = checked(self.velocities, self.points.shape, 'velocities')
            object.__setattr__(self, 'velocities', velocities)

    @classmethod
    def single(cls, names: Sequence[str], q: FloatArray, stamp: float = 0.0) -> 'NamedPositions':
        """Return a command of one point that holds now."""
        return cls(tuple(names), np.atleast_2d(q), np.zeros(1), stamp)

    def ordered(self, joints: Sequence[str]) -> FloatArray:
        """Return (T, len(joints)) points in the given order, NaN for joints that are not named.

        Raises:
            UnknownNameError: A name is not one of `joints`.
        """
        index = {name: i for i, name in enumerate(joints)}
        columns = []
        for name in self.names:
            if name not in index:
                raise UnknownNameError('joint', name, joints)
            columns.append(index[name])
        result = np.full((len(self.points), len(joints)), np.nan)
        result[:, columns] = self.points
        return result
