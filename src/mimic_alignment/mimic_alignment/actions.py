"""Actions of a hand or a robot over time, and the distance between two of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mimic_alignment import kernels
from mimic_alignment.params import AlignmentParams
from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import ShapeError


@dataclass(frozen=True)
class Actions:
    """T frames: where the wrist is, how it is turned, and how the (retargeted) hand is bent."""

    position: FloatArray  # (T, 3) [m] in the robot's base, or normalised [1]
    quat_xyzw: FloatArray  # (T, 4) unit
    hand: FloatArray  # (T, J) joints of the robot's hand [rad] or [m], or normalised [1]

    def __post_init__(self) -> None:
        position = checked(self.position, (None, 3), 'position')
        size = len(position)
        quat = checked(self.quat_xyzw, (size, 4), 'quat_xyzw')
        norm = np.linalg.norm(quat, axis=1)
        if (np.abs(norm - 1.0) > 1e-3).any():
            worst = int(np.argmax(np.abs(norm - 1.0)))
            raise ShapeError(f'quat_xyzw[{worst}] has norm {norm[worst]:.4f}, not 1')
        object.__setattr__(self, 'position', position)
        object.__setattr__(self, 'quat_xyzw', quat / norm[:, None])
        object.__setattr__(self, 'hand', checked(self.hand, (size, None), 'hand'))

    def __len__(self) -> int:
        return len(self.position)

    def window(self, begin: int, end: int) -> 'Actions':
        """Return the frames begin..end - 1."""
        part = slice(begin, end)
        return Actions(self.position[part], self.quat_xyzw[part], self.hand[part])


STILL: Final = 1e-3  # [m] or [rad]; what changes by less over all episodes only trembles


@dataclass(frozen=True)
class Normaliser:
    """Maps positions and hand joints to -1..1 by their smallest and largest values.

    What changes by less than `STILL` would be noise as large as a motion: it counts as constant.
    """

    position_low: FloatArray  # (3,)
    position_high: FloatArray  # (3,)
    hand_low: FloatArray  # (J,)
    hand_high: FloatArray  # (J,)

    @classmethod
    def fit(cls, data: Sequence[Actions]) -> 'Normaliser':
        """Return the normaliser of all frames of all trajectories.

        Raises:
            ShapeError: There is none, or their hands differ in size.
        """
        frames = [item for item in data if len(item)]
        if not frames:
            raise ShapeError('no frames to normalise by')
        sizes = {item.hand.shape[1] for item in frames}
        if len(sizes) > 1:
            raise ShapeError(f'hands with {sorted(sizes)} joints: one dataset, one hand')
        position = np.concatenate([item.position for item in frames])
        hand = np.concatenate([item.hand for item in frames])
        return cls(position.min(0), position.max(0), hand.min(0), hand.max(0))

    def apply(self, actions: Actions) -> Actions:
        """Return the normalised actions; what does not change becomes 0."""
        return Actions(
            _scaled(actions.position, self.position_low, self.position_high),
            actions.quat_xyzw,
            _scaled(actions.hand, self.hand_low, self.hand_high),
        )


def _scaled(values: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    span = high - low
    flat = span < STILL
    scaled = 2.0 * (values - low) / np.where(flat, 1.0, span) - 1.0
    return np.where(flat, 0.0, scaled)


def action_cost(human: Actions, robot: Actions, params: AlignmentParams) -> FloatArray:
    """Return (N, M) distances of normalised actions of N human and M robot frames.

    L1 of the translation + λ1 · L1 of the hand + λ2 · rotation angle, with λ1 = hand_weight / J of
    a hand with J joints and λ2 = rotation_weight.  Source: Liu et al., ImMimic, 2025, equation 2.

    Raises:
        ShapeError: The hands differ in size.
    """
    if human.hand.shape[1] != robot.hand.shape[1]:
        raise ShapeError(
            f'hands of {human.hand.shape[1]} and {robot.hand.shape[1]} joints: retarget the human '
            'to this robot first'
        )
    cost = np.zeros((len(human), len(robot)))
    kernels.add_l1(human.position, robot.position, 1.0, cost)
    joints = human.hand.shape[1]
    if params.hand_weight and joints:
        kernels.add_l1(human.hand, robot.hand, params.hand_weight / joints, cost)
    if params.rotation_weight:
        kernels.add_angle(human.quat_xyzw, robot.quat_xyzw, params.rotation_weight, cost)
    return cost


def feature_cost(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return (N, M) Euclidean distances of (N, D) and (M, D) features of pictures.

    Raises:
        ShapeError: They differ in D.
    """
    x = checked(a, (None, None), 'features')
    y = checked(b, (None, x.shape[1]), 'features')
    cost = np.zeros((len(x), len(y)))
    kernels.add_l2(x, y, 1.0, cost)
    return cost
