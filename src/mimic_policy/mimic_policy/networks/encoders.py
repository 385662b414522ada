"""Pictures to features."""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

_NORM_CHANNELS: Final = 16  # channels of one group of a ResNet's normalisation
_STAGES: Final = (64, 128, 256, 512)  # of a ResNet-18


class SpatialSoftmax(nn.Module):
    """Where in the picture each of K maps is strongest: expected coordinates, -1..1.

    Source: Finn et al., Deep Spatial Autoencoders, 2016.
    """

    def __init__(self, channels: int, keypoints: int) -> None:
        super().__init__()
        self.maps = nn.Conv2d(channels, keypoints, 1)
        self.log_temperature = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, 2 K) coordinates of (N, channels, H, W)."""
        maps = self.maps(x)
        height, width = maps.shape[2:]
        weight = functional.softmax(maps.flatten(2).float() * self.log_temperature.exp(), -1)
        ys = torch.linspace(-1.0, 1.0, height, device=x.device)
        xs = torch.linspace(-1.0, 1.0, width, device=x.device)
        grid = torch.stack(torch.meshgrid(ys, xs, indexing='ij'), -1).reshape(-1, 2)
        return (weight @ grid).flatten(1)


class SmallEncoder(nn.Module):
    """Three convolutions and a spatial softmax: what a processor can train in minutes."""

    def __init__(self, feature: int, keypoints: int, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, channels, 6, 4, 1),
            nn.SiLU(),
            nn.Conv2d(channels, 2 * channels, 3, 2, 1),
            nn.SiLU(),
            nn.Conv2d(2 * channels, 2 * channels, 3, 1, 1),
            nn.SiLU(),
        )
        self.pool = SpatialSoftmax(2 * channels, keypoints)
        self.head = nn.Linear(2 * keypoints, feature)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, feature) of pictures (N, 3, H, W)."""
        features: Tensor = self.head(self.pool(self.body(x)))
        return features


class ResNet18(nn.Module):
    """ResNet-18 with group normalisation and a spatial softmax.

    Source: He et al., Deep Residual Learning, 2016; Chi et al., Diffusion Policy, 2023.
    """

    def __init__(self, feature: int, keypoints: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(3, _STAGES[0], 7, 2, 3, bias=False),
            _norm(_STAGES[0]),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        ]
        channels = _STAGES[0]
        for i, width in enumerate(_STAGES):
            layers += [_Block(channels, width, 2 if i else 1), _Block(width, width, 1)]
            channels = width
        self.body = nn.Sequential(*layers)
        self.pool = SpatialSoftmax(channels, keypoints)
        self.head = nn.Linear(2 * keypoints, feature)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, feature) of pictures (N, 3, H, W)."""
        features: Tensor = self.head(self.pool(self.body(x)))
        return features


class _Block(nn.Module):
    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False),
            _norm(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            _norm(channels),
        )
        self.skip: nn.Module = nn.Identity()
        if stride > 1 or channels_in != channels:
            self.skip = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), _norm(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.body(x) + self.skip(x))


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(channels // _NORM_CHANNELS, channels)
