"""Pictures to features."""

import math
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

_NORM_CHANNELS: Final = 16  # channels of one group of a ResNet's normalisation
_STAGES: Final = (64, 128, 256, 512)  # of a ResNet-18
_SHARPNESS: Final = 2.0  # of a spatial softmax before training
_SMALL_NORM_CHANNELS: Final = 8  # channels of one group of the small encoder's normalisation


class SpatialSoftmax(nn.Module):
    """Where in the picture each of K maps is strongest: expected coordinates, -1..1.

    Maps are brought to zero mean and unit variance before, so that they are peaks from the first
    step on; otherwise all coordinates begin near the middle and take thousands of steps to leave.

    Source: Finn et al., Deep Spatial Autoencoders, 2016.
    """

    def __init__(self, channels: int, keypoints: int) -> None:
        super().__init__()
        self.maps = nn.Conv2d(channels, keypoints, 1, bias=False)
        self.log_sharpness = nn.Parameter(torch.tensor(math.log(_SHARPNESS)))

    def forward(self, x: Tensor, shift: Tensor | None = None) -> Tensor:
        """Return (N, 2 K) coordinates, y before x, of (N, channels, H, W).

        Args:
            x: What the maps are made of.
            shift: (N, 2) where its middle is in the whole picture, for parts of pictures.
        """
        maps = functional.instance_norm(self.maps(x).float())
        height, width = maps.shape[2:]
        weight = functional.softmax(maps.flatten(2) * self.log_sharpness.exp(), -1)
        axes = [
            (torch.arange(n, device=x.device) + 0.5) * (2.0 / n) - 1.0 for n in (height, width)
        ]
        found = weight @ torch.stack(torch.meshgrid(*axes, indexing='ij'), -1).reshape(-1, 2)
        return (found if shift is None else found + shift[:, None]).flatten(1)


class SmallEncoder(nn.Module):
    """One coarse and some wide convolutions, and a spatial softmax: minutes on a processor.

    Maps stay at a quarter of the picture, fine enough for a softmax; convolutions that grow wider
    instead of maps that shrink let them tell things by what is around.
    """

    def __init__(
        self, feature: int, keypoints: int, channels: int, dilations: tuple[int, ...]
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, channels, 6, 4, 1)]
        for reach in dilations:
            layers += [
                _small_norm(channels),
                nn.SiLU(),
                nn.Conv2d(channels, channels, 3, 1, reach, reach),
            ]
        self.body = nn.Sequential(*layers, _small_norm(channels), nn.SiLU())
        self.pool = SpatialSoftmax(channels, keypoints)
        self.head = nn.Linear(2 * keypoints, feature)

    def forward(self, x: Tensor, shift: Tensor | None = None) -> Tensor:
        """Return (N, feature) of pictures (N, 3, H, W); see `SpatialSoftmax` for the shift."""
        features: Tensor = self.head(self.pool(self.body(x), shift))
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

    def forward(self, x: Tensor, shift: Tensor | None = None) -> Tensor:
        """Return (N, feature) of pictures (N, 3, H, W); see `SpatialSoftmax` for the shift."""
        features: Tensor = self.head(self.pool(self.body(x), shift))
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


def _small_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(max(1, channels // _SMALL_NORM_CHANNELS), channels)
