"""A U-Net over the time of an action chunk, conditioned by FiLM.

Source: Janner et al., Planning with Diffusion, 2022; Chi et al., Diffusion Policy, 2023.

Every residual block is modulated by the same vector (time of diffusion and observation), so the
projections of all blocks are one matrix product here, and its part that depends on the
observation is computed once for all steps of a diffusion.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

_GROUPS: Final = 8  # of group normalisation
_TIME_PERIOD: Final = 10_000.0  # longest period of the embedding of diffusion time


class Residual(nn.Module):
    """Two convolutions over time, the first modulated by scale and shift."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int) -> None:
        super().__init__()
        pad = kernel // 2
        self.first = nn.Conv1d(channels_in, channels_out, kernel, padding=pad)
        self.norm_first = nn.GroupNorm(_GROUPS, channels_out)
        self.second = nn.Conv1d(channels_out, channels_out, kernel, padding=pad)
        self.norm_second = nn.GroupNorm(_GROUPS, channels_out)
        self.skip: nn.Module = (
            nn.Identity()
            if channels_in == channels_out
            else nn.Conv1d(channels_in, channels_out, 1)
        )

    def forward(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """Return (B, channels_out, T) of (B, channels_in, T) and (B, channels_out, 1) twice."""
        y = functional.silu(self.norm_first(self.first(x)))
        y = torch.addcmul(shift, y, scale)
        y = functional.silu(self.norm_second(self.second(y)))
        return y + self.skip(x)


class Level(nn.Module):
    """Two residual blocks."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int) -> None:
        super().__init__()
        self.first = Residual(channels_in, channels_out, kernel)
        self.second = Residual(channels_out, channels_out, kernel)

    def forward(self, x: Tensor, film: Iterator[Tensor]) -> Tensor:
        """Return (B, channels_out, T); takes two scales and shifts in turn."""
        y = self.first(x, next(film), next(film))
        z: Tensor = self.second(y, next(film), next(film))
        return z


class ConditionalUnet(nn.Module):
    """Predicts what a diffusion step needs from a noisy chunk, its time and a condition."""

    def __init__(
        self, action: int, condition: int, widths: Sequence[int], kernel: int, time_width: int
    ) -> None:
        """Make it.

        Args:
            action: A, numbers of an action.
            condition: C, numbers of the condition.
            widths: Channels of each level; each level but the last halves the length.
            kernel: Of the convolutions, odd.
            time_width: Numbers of the embedding of diffusion time, even.
        """
        super().__init__()
        self.levels = len(widths)
        self.time_width = time_width
        self.time_mlp = nn.Sequential(
            nn.Linear(time_width, 4 * time_width), nn.SiLU(), nn.Linear(4 * time_width, time_width)
        )
        sizes = [action, *widths]
        down = list(itertools.pairwise(sizes))
        up = [(2 * b, a) for a, b in reversed(down[1:])]
        last = widths[-1]
        self.down = nn.ModuleList(Level(a, b, kernel) for a, b in down)
        self.middle = Level(last, last, kernel)
        self.up = nn.ModuleList(Level(a, b, kernel) for a, b in up)
        self.shrink = nn.ModuleList(nn.Conv1d(b, b, 3, 2, 1) for _, b in down[:-1])
        self.grow = nn.ModuleList(nn.ConvTranspose1d(b, b, 4, 2, 1) for _, b in up)
        self.last = nn.Conv1d(widths[0], widths[0], kernel, padding=kernel // 2)
        self.norm_last = nn.GroupNorm(_GROUPS, widths[0])
        self.head = nn.Conv1d(widths[0], action, 1)
        blocks = [*down, (last, last), *up]  # each of two residuals
        self.film_sizes = [b for _, b in blocks for _ in range(4)]  # scale and shift, two blocks
        self.film_time = nn.Linear(time_width, sum(self.film_sizes), bias=False)
        self.film_condition = nn.Linear(condition, sum(self.film_sizes))
        with torch.no_grad():  # scales start near 1
            start = 0
            for i, size in enumerate(self.film_sizes):
                if i % 2 == 0:
                    self.film_condition.bias[start : start + size] += 1.0
                start += size

    def condition(self, condition: Tensor) -> Tensor:
        """Return (B, F), the observation's part of the modulation, of (B, C)."""
        projected: Tensor = self.film_condition(functional.silu(condition))
        return projected

    def time(self, time: Tensor) -> Tensor:
        """Return (B, F), the part of (B,) diffusion times."""
        half = self.time_width // 2
        steps = torch.arange(half, device=time.device, dtype=torch.float32)
        angles = time[:, None] * torch.exp(steps * (-math.log(_TIME_PERIOD) / (half - 1)))
        embedded = self.time_mlp(torch.cat([angles.sin(), angles.cos()], -1))
        projected: Tensor = self.film_time(functional.silu(embedded))
        return projected

    def forward(self, chunk: Tensor, modulation: Tensor) -> Tensor:
        """Return (B, T, A) of a noisy (B, T, A) and `condition(...) + time(...)`.

        T is a multiple of 2 to the number of levels less one.
        """
        film = iter(modulation[:, :, None].split(self.film_sizes, 1))
        x = chunk.transpose(1, 2)
        kept = []
        for i, level in enumerate(self.down):
            x = level(x, film)
            kept.append(x)
            if i < self.levels - 1:
                x = self.shrink[i](x)
        x = self.middle(x, film)
        for level, grow in zip(self.up, self.grow, strict=True):
            x = grow(level(torch.cat([x, kept.pop()], 1), film))
        x = functional.silu(self.norm_last(self.last(x)))
        predicted: Tensor = self.head(x).transpose(1, 2)
        return predicted
