"""Windows of episodes: what was seen at a moment, and what was done from then on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mimic_core.arrays import IntArray
from mimic_dataset import EpisodeArrays
from mimic_dataset.arrays import AXIS_ANGLE
from mimic_dataset.axis_angle import continuous
from mimic_policy.meta import WRIST, PolicyMeta
from mimic_policy.poses import known_states

Float32 = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Batch:
    """B windows of one domain."""

    agent: Bytes  # (B, N, H, W, 3)
    wrist: Bytes | None  # (B, N, H, W, 3)
    state: Float32 | None  # (B, N, S) scaled
    chunk: Float32  # (B, T, A) scaled


class Windows:
    """Every frame of the episodes of a domain is the beginning of a window.

    Rows are `stride` frames apart; between frames they are interpolated, after the end the last
    action holds. Observations are as far apart, at the nearest frames; before the beginning the
    first frame stands.
    """

    def __init__(self, episodes: Sequence[EpisodeArrays], meta: PolicyMeta, stride: float) -> None:
        """Prepare numbers; pictures stay where they are.

        Args:
            episodes: Of one domain, E > 0, pictures at the sizes of the meta.
            meta: Scales, steps and horizon.
            stride: Frames between two rows, > 0.
        """
        self._horizon, self._steps, self._stride = meta.horizon, meta.observation_steps, stride
        reference = np.array(meta.rotation_reference)
        self._agent = [episode.agent for episode in episodes]
        robot = all(e.state is not None for e in episodes)
        wrist = [e.wrist for e in episodes if e.wrist is not None] if WRIST in meta.cameras else []
        self._wrist = wrist if len(wrist) == len(episodes) else None
        self.lengths = np.array([len(episode) for episode in episodes])
        self._first = np.concatenate([[0], np.cumsum(self.lengths)[:-1]])
        actions, states = [], []
        for episode in episodes:
            action = episode.action.copy()
            action[:, AXIS_ANGLE] = continuous(action[:, AXIS_ANGLE], reference)
            actions.append(meta.action.scale(action))
            if robot and episode.state is not None:
                states.append(meta.state.scale(known_states(episode.state, episode.action)))
        self._action = np.concatenate(actions).astype(np.float32)
        self._state = np.concatenate(states).astype(np.float32) if robot else None

    def __len__(self) -> int:
        """Frames of all episodes."""
        return int(self.lengths.sum())

    def locate(self, frames: IntArray) -> tuple[IntArray, IntArray]:
        """Return episode and frame in it, (B,) each, of frames counted over all episodes."""
        episode = np.searchsorted(self._first, frames, side='right') - 1
        return episode, frames - self._first[episode]

    def batch(self, episode: IntArray, frame: IntArray) -> Batch:
        """Return the windows that begin at (B,) frames of (B,) episodes."""
        first, last = self._first[episode], self.lengths[episode] - 1
        back = np.arange(1 - self._steps, 1) * self._stride
        seen = np.rint(frame[:, None] + back).astype(np.int64).clip(0, last[:, None])
        wrist = None if self._wrist is None else _gather(self._wrist, episode, seen)
        state = None if self._state is None else self._state[first[:, None] + seen]
        rows = frame[:, None] + np.arange(self._horizon) * self._stride
        rows = np.minimum(rows, last[:, None])
        below = np.floor(rows).astype(np.int64)
        above = np.minimum(below + 1, last[:, None])
        part = (rows - below)[:, :, None].astype(np.float32)
        low, high = self._action[first[:, None] + below], self._action[first[:, None] + above]
        chunk = low + part * (high - low)
        return Batch(_gather(self._agent, episode, seen), wrist, state, chunk)


def _gather(frames: Sequence[Bytes], episode: IntArray, seen: IntArray) -> Bytes:
    pairs = zip(episode.tolist(), seen.tolist(), strict=True)
    return np.stack([frames[e][indices] for e, indices in pairs])
