"""Hand synergies: the few directions in which most postures of a hand differ."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import ConfigError
from mimic_description import RobotModel

COMPONENTS: Final = 5
_SAMPLES: Final = 2000
_MAX_MIX: Final = 3  # postures that are mixed in one sample


@dataclass(frozen=True)
class Synergies:
    """Postures as mean + components · amplitudes · z, z in [-1, 1]."""

    mean: FloatArray  # (H,) [rad] or [m]
    components: FloatArray  # (C, H) of unit length
    amplitude: FloatArray  # (C,) [rad] or [m]: two standard deviations of the postures
    explained: float  # [1], share of the variance

    @property
    def directions(self) -> FloatArray:
        """(C, H): the change of the joints by z = 1 of each component [rad] or [m]."""
        return self.components * self.amplitude[:, None]


def find_synergies(
    postures: FloatArray, count: int = COMPONENTS, floor: FloatArray | None = None
) -> Synergies:
    """Return the principal components of postures (N, H).

    A hand of fewer joints than `count` has as many components as joints.

    Args:
        postures: (N, H) [rad] or [m].
        count: How many components.
        floor: (H,) standard deviation below which no component falls, along it [rad] or [m].

    Raises:
        ConfigError: Fewer than two postures.
    """
    if len(postures) < 2:
        raise ConfigError(f'{len(postures)} postures: at least 2 are needed')
    values = checked(postures, (None, postures.shape[1]), 'postures')
    mean = values.mean(axis=0)
    _, singular, rows = np.linalg.svd(values - mean, full_matrices=False)
    size = min(count, rows.shape[0], rows.shape[1])
    components = rows[:size]
    # SVD leaves the sign open: the largest part of a component is positive.
    sign = np.sign(components[np.arange(size), np.abs(components).argmax(axis=1)])
    components = components * sign[:, None]
    deviation = singular[:size] / np.sqrt(len(values))
    if floor is not None:
        deviation = np.maximum(deviation, np.abs(components) @ floor / np.sqrt(rows.shape[1]))
    variance = float((singular**2).sum())
    explained = float((singular[:size] ** 2).sum()) / variance if variance > 0 else 1.0
    return Synergies(mean, components, 2.0 * deviation, explained)


def hand_postures(robot: RobotModel, rng: np.random.Generator) -> FloatArray:
    """Return (N, H) postures of a hand: mixtures of those of its registry entry, finger by finger.

    Each finger takes its own mixture of the named postures, half of
    the time that of the whole hand: fingers move mostly together, at times alone. A little of each
    joint's range is added.

    Raises:
        ConfigError: The robot has no hand.
    """
    if robot.hand is None:
        raise ConfigError('a robot without a hand has no synergies')
    named = np.array([robot.hand_posture(name) for name in robot.hand.postures])
    groups = finger_groups(robot)
    postures = np.empty((_SAMPLES, named.shape[1]))
    for row in range(_SAMPLES):
        together = _mixture(rng, len(named))
        for joints in groups:
            share = together if rng.random() < 0.5 else _mixture(rng, len(named))
            postures[row, joints] = share @ named[:, joints]
    count = len(robot.arm_joints)
    lower, upper = robot.limits.lower[count:], robot.limits.upper[count:]
    postures += rng.normal(0.0, 0.05, size=postures.shape) * (upper - lower)
    return np.clip(postures, lower, upper)


def finger_groups(robot: RobotModel) -> list[list[int]]:
    """Return the joints of each finger, as indices into those of the hand."""
    tree = robot.tree
    parent = {joint.child: joint for joint in tree.joints}
    groups: list[list[int]] = []
    for tip in robot.tip_frames().values():
        link, found = tip, []
        while link in parent:
            joint = parent[link]
            name = joint.coupling.joint if joint.coupling is not None else joint.name
            if joint.kind != 'fixed' and name in robot.hand_joints:
                found.append(robot.hand_joints.index(name))
            link = joint.parent
        group = sorted(set(found) - {j for g in groups for j in g})
        if group:
            groups.append(group)
    return groups


def robot_synergies(robot: RobotModel, seed: int = 0) -> Synergies:
    """Return the synergies of a robot's hand. The same robot and seed give the same numbers."""
    rng = np.random.default_rng(seed)
    count = len(robot.arm_joints)
    span = robot.limits.upper[count:] - robot.limits.lower[count:]
    return find_synergies(hand_postures(robot, rng), floor=0.05 * span)


def _mixture(rng: np.random.Generator, size: int) -> FloatArray:
    count = int(rng.integers(1, min(_MAX_MIX, size) + 1))
    chosen = rng.choice(size, count, replace=False)
    shares = np.zeros(size)
    shares[chosen] = rng.dirichlet(np.ones(count))
    return shares
