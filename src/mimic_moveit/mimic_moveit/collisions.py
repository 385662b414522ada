"""Which pairs of links need no look for collisions, found by sampling; reasons as MoveIt's."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pinocchio as pin

from mimic_description import RobotModel

Reason = Literal['Adjacent', 'Default', 'Always', 'Never', 'User']
Pair = tuple[str, str]  # links, sorted

SAMPLES: Final = 10_000
SEED: Final = 0
ALWAYS: Final = 0.95  # [1] of the samples, as MoveIt's setup assistant counts


@dataclass(frozen=True)
class CollisionMatrix:
    """What is known of each pair of links that have shapes."""

    disabled: dict[Pair, Reason]  # pairs that are not looked at, with the reason
    enabled: tuple[Pair, ...]  # pairs that are
    counts: dict[Pair, int]  # samples in which a sampled pair overlapped
    samples: int

    @property
    def pairs(self) -> set[Pair]:
        """All pairs."""
        return {*self.disabled, *self.enabled}


def pair_of(a: str, b: str) -> Pair:
    """Return two links in the order in which all pairs are written."""
    return (a, b) if a < b else (b, a)


def collision_matrix(
    robot: RobotModel, samples: int = SAMPLES, seed: int = SEED
) -> CollisionMatrix:
    """Return the matrix of a robot.

    Neighbours are 'Adjacent'; what the registry ignores, and the links of the hand with each other
    (fingers touch in every grasp, and the gate permits it too), are 'User'. The rest is sampled
    uniformly within the joint limits, coupled joints coupled: 'Default' overlaps at home, 'Always'
    in almost all samples, 'Never' in none.

    Args:
        robot: Of the registry.
        samples: How many postures.
        seed: Of the postures.
    """
    links = [name for name, link in robot.tree.links.items() if link.shapes]
    all_pairs = {pair_of(a, b) for i, a in enumerate(links) for b in links[:i]}
    disabled: dict[Pair, Reason] = {}
    by_registry = _registry_pairs(robot)
    for pair in all_pairs:
        if frozenset(pair) in robot.ignored_pairs:
            disabled[pair] = 'User' if pair in by_registry else 'Adjacent'
    geometry = robot.collision_model(within_hand=False)
    sampled = _link_pairs(geometry)
    for pair in all_pairs - set(sampled) - set(disabled):
        disabled[pair] = 'User'
    names = sorted(set(sampled))
    index = {pair: i for i, pair in enumerate(names)}
    owner = np.array([index[pair] for pair in sampled], dtype=np.int64)
    counts = np.zeros(len(names), dtype=np.int64)
    home = _overlaps(robot, geometry, robot.home, owner, len(names))
    rng = np.random.default_rng(seed)
    model, data, found = robot.pin_model, robot.pin_model.createData(), geometry.createData()
    lower, upper = robot.limits.lower, robot.limits.upper
    for q in rng.uniform(lower, upper, (samples, len(lower))):
        if pin.computeCollisions(model, data, geometry, found, robot.full(q), False):
            hits = [i for i, r in enumerate(found.collisionResults) if r.isCollision()]
            counts[np.unique(owner[hits])] += 1
    enabled = []
    for pair, count, at_home in zip(names, counts.tolist(), home.tolist(), strict=True):
        if at_home:
            disabled[pair] = 'Default'
        elif count >= ALWAYS * samples:
            disabled[pair] = 'Always'
        elif count == 0:
            disabled[pair] = 'Never'
        else:
            enabled.append(pair)
    by_pair = dict(zip(names, counts.tolist(), strict=True))
    return CollisionMatrix(dict(sorted(disabled.items())), tuple(enabled), by_pair, samples)


def _registry_pairs(robot: RobotModel) -> set[Pair]:
    return {
        pair_of(robot.prefix + a, robot.prefix + b)
        for device in (robot.arm, robot.hand)
        if device is not None
        for a, b in device.self_collision_ignore
    }


def _link_pairs(geometry: pin.GeometryModel) -> list[Pair]:
    names = [item.name.rsplit(':', 1)[0] for item in geometry.geometryObjects]
    return [pair_of(names[p.first], names[p.second]) for p in geometry.collisionPairs]


def _overlaps(
    robot: RobotModel,
    geometry: pin.GeometryModel,
    q: 'np.typing.NDArray[np.float64]',
    owner: 'np.typing.NDArray[np.int64]',
    count: int,
) -> 'np.typing.NDArray[np.bool_]':
    """Return (count,) which pairs of links overlap at q (J,)."""
    found = geometry.createData()
    data = robot.pin_model.createData()
    pin.computeCollisions(robot.pin_model, data, geometry, found, robot.full(q), False)
    result = np.zeros(count, dtype=bool)
    hits = [i for i, r in enumerate(found.collisionResults) if r.isCollision()]
    result[owner[hits]] = True
    return result
