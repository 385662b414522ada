"""Noise into chunks and out of them again, by diffusers' schedulers."""

from dataclasses import dataclass
from typing import Final

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from mimic_core.errors import ConfigError
from mimic_core.params import param
from mimic_policy.networks.policy import PolicyNetwork

# Share of noise [1] of the first and the last of so many steps of the linear schedule; with fewer
# steps each adds more, or what inference begins with, noise alone, would never have been trained.
# Source: Ho et al., Denoising Diffusion Probabilistic Models, 2020; Nichol and Dhariwal, 2021.
LINEAR_STEPS: Final = 1000
LINEAR_FIRST, LINEAR_LAST = 1e-4, 0.02
MOST_NOISE: Final = 0.999


@dataclass(frozen=True, kw_only=True)
class DiffusionParams:
    """How chunks are noised and how noise is taken away."""

    train_steps: int = param('Of noise.', 100, low=2, high=1000)
    inference_steps: int = param('Of DDIM for one chunk.', 10, low=1, high=1000)
    schedule: str = param(
        'Of the noise.', 'squaredcos_cap_v2', choices=('squaredcos_cap_v2', 'linear')
    )
    prediction: str = param(
        'What the network predicts.', 'sample', choices=('epsilon', 'sample', 'v_prediction')
    )


class Diffusion:
    """The schedule, its training target, and the way from noise to a chunk."""

    def __init__(self, params: DiffusionParams) -> None:
        if params.inference_steps > params.train_steps:
            raise ConfigError(
                f'inference_steps = {params.inference_steps} is more than train_steps = '
                f'{params.train_steps}'
            )
        self.params = params
        scale = LINEAR_STEPS / params.train_steps
        self.scheduler = DDIMScheduler(
            num_train_timesteps=params.train_steps,
            beta_start=min(LINEAR_FIRST * scale, MOST_NOISE),
            beta_end=min(LINEAR_LAST * scale, MOST_NOISE),
            beta_schedule=params.schedule,
            prediction_type=params.prediction,
            clip_sample=True,
            timestep_spacing='trailing',
        )
        self.scheduler.set_timesteps(params.inference_steps)

    @property
    def timesteps(self) -> Tensor:
        """(S,) diffusion times of inference, from noise to none."""
        timesteps: Tensor = self.scheduler.timesteps
        return timesteps

    def noised(self, chunk: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        """Return (B, T, A) chunks with noise at (B,) times."""
        noised: Tensor = self.scheduler.add_noise(chunk, noise, time)
        return noised

    def target(self, chunk: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        """Return (B, T, A), what the network should predict."""
        if self.params.prediction == 'epsilon':
            return noise
        if self.params.prediction == 'sample':
            return chunk
        velocity: Tensor = self.scheduler.get_velocity(chunk, noise, time)
        return velocity

    def denoise(
        self, network: PolicyNetwork, latent: Tensor, noise: Tensor, time_parts: Tensor
    ) -> Tensor:
        """Return (B, T, A) chunks of latents.

        Args:
            network: What predicts.
            latent: (B, L).
            noise: (B, T, A) normal noise to begin with.
            time_parts: (S, F) from `time_parts`.
        """
        condition = network.unet.condition(latent)
        chunk = noise
        for time, part in zip(self.timesteps, time_parts, strict=True):
            predicted = network.unet(chunk, condition + part)
            chunk = self.scheduler.step(predicted, time, chunk).prev_sample
        return chunk

    def time_parts(self, network: PolicyNetwork) -> Tensor:
        """Return (S, F) what diffusion times contribute to the modulation: always the same."""
        weight = network.unet.film_time.weight
        with torch.no_grad():
            return network.unet.time(self.timesteps.float().to(weight.device))
