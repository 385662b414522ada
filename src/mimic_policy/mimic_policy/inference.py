"""A trained policy at work: pictures and joints in, a chunk of actions out."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mimic_core.arrays import FloatArray, checked
from mimic_core.errors import NotFiniteError, ShapeError
from mimic_description import RobotModel
from mimic_policy.diffusion import Diffusion
from mimic_policy.interface import Images, Observation
from mimic_policy.meta import AGENT, WRIST, PolicyMeta
from mimic_policy.networks.policy import PolicyNetwork, View, view
from mimic_policy.poses import encode_state
from mimic_policy.windows import Batch


class DiffusionPolicy:
    """A network with its facts; one call is one chunk. Holds no state between calls."""

    def __init__(
        self, meta: PolicyMeta, network: PolicyNetwork, diffusion: Diffusion, device: torch.device
    ) -> None:
        self._meta = meta
        self._device = device
        self.network = network.to(device).eval()
        self._diffusion = diffusion
        self._time_parts = diffusion.time_parts(self.network)

    @property
    def meta(self) -> PolicyMeta:
        """Which robot and cameras it is for, its rates and its normalisation."""
        return self._meta

    def check(self, robot: RobotModel, cameras: Mapping[str, tuple[int, int]]) -> None:
        """Refuse another robot or other cameras: see `PolicyMeta.check`."""
        self._meta.check(robot, cameras)

    def predict(self, observation: Observation, rng: np.random.Generator) -> FloatArray:
        """Return (horizon, 6 + J) actions: see `interface.Policy`."""
        meta = self._meta
        agent = self._frames(AGENT, observation.agent)
        wrist = self._frames(WRIST, observation.wrist) if WRIST in meta.cameras else None
        steps, joints = meta.observation_steps, len(meta.joint_names)
        state = checked(observation.state, (steps, 7 + joints), 'state')
        actions = self._actions(agent, wrist, meta.state.scale(encode_state(state))[None], rng)[0]
        if not np.isfinite(actions).all():
            raise NotFiniteError('the network gave actions that are not finite')
        return actions

    def actions_of(self, batch: Batch, rng: np.random.Generator) -> FloatArray:
        """Return (B, horizon, 6 + J) actions for windows of robot episodes, as `predict` does."""
        assert batch.state is not None
        agent = self._view(batch.agent)
        wrist = None if batch.wrist is None else self._view(batch.wrist)
        return self._actions(agent, wrist, batch.state.astype(np.float64), rng)

    def _actions(
        self, agent: View, wrist: View | None, state: FloatArray, rng: np.random.Generator
    ) -> FloatArray:
        """Return (B, horizon, 6 + J) actions for scaled states (B, N, 9 + J)."""
        meta = self._meta
        noise = rng.standard_normal((len(state), meta.horizon, 6 + len(meta.joint_names)))
        with torch.inference_mode():
            latent = self.network.latent(agent, wrist, self._tensor(state))
            chunk = self._diffusion.denoise(
                self.network, latent, self._tensor(noise), self._time_parts
            )
        return meta.action.unscale(chunk.double().cpu().numpy())

    def features(self, agent: Images) -> npt.NDArray[np.float32]:
        """Return (T, D) features of (T, H, W, 3) pictures of the agent view: for alignment."""
        batches = []
        with torch.inference_mode():
            for start in range(0, len(agent), 64):
                frames = self._frames(AGENT, agent[start : start + 64], free=True)
                batches.append(self.network.agent(frames.pixels[0]).float().cpu().numpy())
        features: npt.NDArray[np.float32] = np.concatenate(batches)
        return features

    def _tensor(self, values: FloatArray) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(self._device)

    def _frames(self, name: str, frames: Images | None, *, free: bool = False) -> View:
        """Return a view of (1, N, 3, H, W), checked."""
        size = self._meta.cameras[name]
        count = self._meta.observation_steps
        if frames is None:
            raise ShapeError(f'{name}: no pictures, and the policy was trained with them')
        if frames.dtype != np.uint8:
            raise ShapeError(f'{name}: pictures of {frames.dtype}, not of uint8')
        if frames.shape[1:] != (*size, 3) or not (free or len(frames) == count):
            raise ShapeError(f'{name} has shape {frames.shape}, not {(count, *size, 3)}')
        return self._view(np.array(frames)[None])

    def _view(self, frames: Images) -> View:
        """Return a view of (B, N, H, W, 3) pictures."""
        return view(torch.from_numpy(frames).to(self._device), self.network.params.crop)
