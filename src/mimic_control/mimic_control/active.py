"""A limit that shapes what is sent."""

from typing import NamedTuple


class ActiveLimit(NamedTuple):
    """Which limit, what was wanted against it, and where it lies."""

    name: str  # such as 'iiwa_joint_4 speed', 'workspace z low 0.010 m of palm', 'collision of …'
    value: float  # [rad, rad/s, rad/s^2 or m] wanted, or reached where it is the bound itself
    bound: float  # the same unit

    @property
    def in_the_way(self) -> bool:
        """Whether it is of a place where the robot may not be; all others are of single joints."""
        return self.name.startswith(('workspace', 'collision'))
