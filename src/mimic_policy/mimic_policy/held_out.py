"""How far a policy is from demonstrations that it is not trained on."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from mimic_core.errors import ConfigError
from mimic_dataset import EpisodeArrays
from mimic_dataset.arrays import ACTION_POSE, AXIS_ANGLE, POSITION
from mimic_policy.inference import DiffusionPolicy
from mimic_policy.meta import PolicyMeta
from mimic_policy.windows import Windows

WINDOWS: Final = 64  # that are looked at, evenly over all frames


class HeldOut:
    """Robot episodes that nothing is learned from."""

    def __init__(self, episodes: Sequence[EpisodeArrays], meta: PolicyMeta, stride: float) -> None:
        """Prepare what is looked at.

        Args:
            episodes: Of a robot, at least one, with pictures at the sizes of the meta.
            meta: Of the policy.
            stride: Frames of an episode between two rows of a chunk.

        Raises:
            ConfigError: One has no state; names it.
        """
        for episode in episodes:
            if episode.state is None:
                raise ConfigError(f'robot episode {episode.name}, which is held out: no state')
        windows = Windows(episodes, meta, stride)
        frames = np.linspace(0, len(windows) - 1, min(WINDOWS, len(windows)))
        self._batch = windows.batch(*windows.locate(frames.round().astype(np.int64)))
        self._done = meta.action.unscale(self._batch.chunk.astype(np.float64))
        self.count = len(episodes)

    def errors(self, policy: DiffusionPolicy) -> dict[str, float]:
        """Return how far a policy's chunks are from what was done, the mean of all their rows.

        Returns:
            `held_out_position` [m], `held_out_rotation` [rad], and `held_out_hand`, the mean of
            its joints [rad] or [m].
        """
        said = policy.actions_of(self._batch, np.random.default_rng(0))
        turned = [
            Rotation.from_rotvec(actions[..., AXIS_ANGLE].reshape(-1, 3))
            for actions in (said, self._done)
        ]
        apart = said - self._done
        return {
            'held_out_position': float(np.linalg.norm(apart[..., POSITION], axis=-1).mean()),
            'held_out_rotation': float((turned[0] * turned[1].inv()).magnitude().mean()),
            'held_out_hand': float(np.abs(apart[..., ACTION_POSE:]).mean()),
        }
