"""Bounds of joints, and how a lab's own, tighter bounds are laid over them."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import ConfigError, LimitError, UnknownNameError

_SLACK: Final = 1e-9  # [1] of rounding that is no loosening
SiteLimits = Mapping[str, Mapping[str, float]]  # joint -> some of the fields of JointLimits


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


_FIELDS: Final = tuple(field.name for field in dataclasses.fields(JointLimits))


def tighten(
    limits: JointLimits,
    joint_names: Sequence[str],
    overrides: SiteLimits,
    *,
    known: Iterable[str] = (),
    prefix: str = '',
) -> JointLimits:
    """Return limits with the bounds of a site laid over them; a site can only tighten.

    Args:
        limits: J bounds, as the registry has them.
        joint_names: J names in their order, with the prefix.
        overrides: For each joint some of lower, upper [rad] or [m], max_speed, max_acceleration,
            max_jerk. A joint may be named with or without the prefix.
        known: Joints of other devices, without prefix, that may be named here and do not count.
        prefix: Of the joint names.

    Raises:
        UnknownNameError: A joint is neither one of these nor one of `known`.
        ConfigError: A field is unknown, is no number, or loosens a bound, or nothing is left
            between lower and upper; says which joint, field, value and bound.
    """
    values = {field: getattr(limits, field).copy() for field in _FIELDS}
    index = {name: i for i, name in enumerate(joint_names)}
    others = set(known)
    for joint, fields in overrides.items():
        i = index.get(prefix + joint, index.get(joint))
        if i is None and joint not in others:
            own = {name.removeprefix(prefix) for name in joint_names}
            raise UnknownNameError('joint in limits', joint, own | others)
        for field, value in fields.items():
            number = _site_value(joint, field, value)
            if i is not None:
                _check_tighter(joint, field, number, float(getattr(limits, field)[i]))
                values[field][i] = number
        if i is not None and values['lower'][i] > values['upper'][i]:
            raise ConfigError(
                f'limits.{joint}: lower = {values["lower"][i]:g} is above '
                f'upper = {values["upper"][i]:g}'
            )
    return JointLimits(**values)


def _site_value(joint: str, field: str, value: object) -> float:
    where = f'limits.{joint}.{field}'
    if field not in _FIELDS:
        raise ConfigError(f'{where} is unknown; known fields: {", ".join(_FIELDS)}')
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise ConfigError(f'{where} must be a number, not {value!r}')
    if field.startswith('max_') and value <= 0:
        raise ConfigError(f'{where} = {value:g} must be > 0')
    return float(value)


def _check_tighter(joint: str, field: str, value: float, bound: float) -> None:
    slack = _SLACK * max(1.0, abs(bound))
    if field == 'lower' and value < bound - slack:
        relation = 'below'
    elif field != 'lower' and value > bound + slack:
        relation = 'above'
    else:
        return
    raise ConfigError(
        f'limits.{joint}.{field} = {value:g} is {relation} {bound:g} of the robot itself; '
        'a site file can only tighten'
    )
