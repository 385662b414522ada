"""Encoders and U-Net together: what is trained."""

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from mimic_core.errors import ConfigError
from mimic_policy.networks.encoders import ResNet18, SmallEncoder
from mimic_policy.networks.params import NetworkParams
from mimic_policy.networks.unet import ConditionalUnet

MOST_DILATION: Final = 16


class View(NamedTuple):
    """Pictures of one camera as encoders want them."""

    pixels: Tensor  # (B, N, 3, H, W) about -1..1
    shift: Tensor | None = None  # (B, 2) of a crop's middle from the picture's, in half crops


class PolicyNetwork(nn.Module):
    """Latents of what a robot or a human stream sees, and noise of chunks given latents."""

    def __init__(
        self, params: NetworkParams, *, action: int, state: int, steps: int, wrist: bool
    ) -> None:
        """Make it.

        Args:
            params: Sizes.
            action: A, numbers of an action.
            state: S, numbers of an encoded state.
            steps: N, moments of an observation.
            wrist: Whether there is a wrist view.

        Raises:
            ConfigError: Sizes do not fit each other; names the parameter.
        """
        super().__init__()
        if params.kernel % 2 == 0:
            raise ConfigError(f'kernel = {params.kernel} must be odd')
        if params.time_width % 2:
            raise ConfigError(f'time_width = {params.time_width} must be even')
        if not params.widths or any(w < 8 or w % 8 for w in params.widths):
            raise ConfigError(f'widths = {params.widths} must be multiples of 8')
        if any(not 1 <= d <= MOST_DILATION for d in params.dilations):
            raise ConfigError(f'dilations = {params.dilations} must be 1..{MOST_DILATION}')
        self.params = params
        self.agent = _encoder(params)
        self.wrist = _encoder(params) if wrist else None
        self.state = nn.Sequential(
            nn.Linear(state, params.state_feature),
            nn.SiLU(),
            nn.Linear(params.state_feature, params.state_feature),
        )
        learned = params.missing == 'token'
        self.no_wrist = nn.Parameter(torch.zeros(params.feature), requires_grad=learned and wrist)
        self.no_state = nn.Parameter(torch.zeros(params.state_feature), requires_grad=learned)
        if learned:
            nn.init.normal_(self.no_wrist, std=0.1)
            nn.init.normal_(self.no_state, std=0.1)
        views = 2 if wrist else 1
        self.latent_size = steps * (views * params.feature + params.state_feature)
        self.unet = ConditionalUnet(
            action, self.latent_size, params.widths, params.kernel, params.time_width
        )

    def latent(
        self,
        agent: View,
        wrist: View | None,
        state: Tensor | None,
        absent: Tensor | None = None,
    ) -> Tensor:
        """Return (B, L) latents of B observations.

        Args:
            agent: From `view`.
            wrist: The same of the wrist view; None where the stream has none.
            state: (B, N, S) scaled states; None where the stream has none.
            absent: (B,) whose state is taken as missing.
        """
        size, steps = agent.pixels.shape[:2]
        parts = [_encoded(self.agent, agent)]
        if self.wrist is not None:
            parts.append(
                self.no_wrist.expand(size, steps, -1)
                if wrist is None
                else _encoded(self.wrist, wrist)
            )
        missing = self.no_state.expand(size, steps, -1)
        felt = missing if state is None else self.state(state)
        parts.append(felt if absent is None else torch.where(absent[:, None, None], missing, felt))
        return torch.cat([part.float() for part in parts], -1).flatten(1)

    def forward(self, chunk: Tensor, time: Tensor, latent: Tensor) -> Tensor:
        """Return (B, T, A), what is to be known of noisy chunks (B, T, A) at times (B,)."""
        predicted: Tensor = self.unet(chunk, self.unet.condition(latent) + self.unet.time(time))
        return predicted


def view(
    frames: Tensor, crop: int, gain: Tensor | None = None, corner: Tensor | None = None
) -> View:
    """Return pictures as encoders want them, and where they are cut from.

    Args:
        frames: (B, N, H, W, 3) uint8.
        crop: Rows and columns to lose [pixels].
        gain: (B, 3) factors of the colours [1]; None: 1.
        corner: (B, 2) first row and column, 0..crop; None: the middle.

    Returns:
        (B, N, 3, H - crop, W - crop) pixels, channels last in memory.
    """
    height, width = frames.shape[2] - crop, frames.shape[3] - crop
    shift = None
    if corner is None:
        first = crop // 2
        cut = frames[:, :, first : first + height, first : first + width]
    elif crop:
        shift = (2.0 * corner - crop) / torch.tensor([height, width])
        corners: list[list[int]] = corner.tolist()
        cut = torch.stack(
            [frames[i, :, y : y + height, x : x + width] for i, (y, x) in enumerate(corners)]
        )
    else:
        cut = frames
    scaled = cut.float()
    if gain is None:
        scaled = scaled.mul_(2.0 / 255.0).sub_(1.0)
    else:
        scaled = scaled.mul_((gain * (2.0 / 255.0))[:, None, None, None]).sub_(1.0)
    return View(scaled.movedim(-1, 2), None if shift is None else shift.to(frames.device))


def _encoded(encoder: nn.Module, view: View) -> Tensor:
    """Return (B, N, D) features of a view."""
    size, steps = view.pixels.shape[:2]
    shift = None if view.shift is None else view.shift.repeat_interleave(steps, 0)
    features: Tensor = encoder(view.pixels.flatten(0, 1), shift)
    return features.view(size, steps, -1)


def _encoder(params: NetworkParams) -> nn.Module:
    if params.encoder == 'resnet18':
        return ResNet18(params.feature, params.keypoints)
    return SmallEncoder(params.feature, params.keypoints, params.channels, params.dilations)
