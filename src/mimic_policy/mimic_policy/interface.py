"""What a policy is to those who run one: observations in, chunks of actions out. No torch here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mimic_core.arrays import FloatArray
from mimic_description import RobotModel
from mimic_policy.meta import PolicyMeta

Images = npt.NDArray[np.uint8]  # (N, H, W, 3) rgb


@dataclass(frozen=True)
class Observation:
    """What was seen at N moments, 1 / fps apart, the last one now."""

    agent: Images  # (N, H, W, 3) rgb of the camera that sees the scene
    wrist: Images | None  # (N, H, W, 3) rgb of the camera at the wrist, where the policy uses one
    state: FloatArray  # (N, 7 + J) palm position [m] and quaternion xyzw in base_link, hand joints


class Policy(Protocol):
    """Predicts actions; `inference.DiffusionPolicy` is the one that training makes."""

    @property
    def meta(self) -> PolicyMeta:
        """Which robot and cameras it is for, its rates and its normalisation."""

    def check(self, robot: RobotModel, cameras: Mapping[str, tuple[int, int]]) -> None:
        """Refuse another robot or other cameras: see `PolicyMeta.check`."""

    def predict(self, observation: Observation, rng: np.random.Generator) -> FloatArray:
        """Return (horizon, 6 + J) actions: row i is for i / fps after the last observation.

        A row is the palm's position [m] and axis-angle [rad] in base_link, then the hand joints
        [rad] or [m]: where to be, not how far to go.

        Args:
            observation: `meta.observation_steps` moments, pictures of `meta.cameras` sizes.
            rng: The noise that the diffusion starts from.

        Raises:
            ShapeError: The observation has other shapes; names the field.
            NotFiniteError: The state holds NaN, or the network gave some.
        """
