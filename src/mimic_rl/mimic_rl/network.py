"""The networks: a policy with memory, and a critic that knows the truth and needs none."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

_NORM_CLIP: Final = 5.0  # [1], of normalised inputs
_LOG_STD: Final = (-3.0, 0.5)


class Normaliser(nn.Module):
    """Brings inputs to zero mean and unit variance, as they were up to now."""

    mean: Tensor
    variance: Tensor
    weight: Tensor

    def __init__(self, size: int) -> None:
        """Args: size: O, numbers in an input."""
        super().__init__()
        self.register_buffer('mean', torch.zeros(size))
        self.register_buffer('variance', torch.ones(size))
        self.register_buffer('weight', torch.tensor(1e-4, dtype=torch.float64))

    @torch.no_grad()
    def update(self, inputs: Tensor) -> None:
        """Take more inputs (..., O) into account."""
        rows = inputs.reshape(-1, inputs.shape[-1])
        count, total = float(len(rows)), float(self.weight) + len(rows)
        mean, variance = rows.mean(dim=0), rows.var(dim=0, unbiased=False)
        offset = mean - self.mean
        share = count / total
        self.variance.copy_(
            (1 - share) * self.variance + share * variance + share * (1 - share) * offset**2
        )
        self.mean += share * offset
        self.weight.fill_(total)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (..., O) normalised."""
        scaled = (inputs - self.mean) / torch.sqrt(self.variance + 1e-5)
        return scaled.clamp(-_NORM_CLIP, _NORM_CLIP)


class Actor(nn.Module):
    """Layers, then an LSTM, then the mean of the actions from both; one spread for all states."""

    def __init__(
        self, inputs: int, actions: int, layers: Sequence[int], memory: int, spread: float
    ) -> None:
        """Args: inputs: O; actions: C; layers, memory: widths; spread: of actions at first."""
        super().__init__()
        self.normaliser = Normaliser(inputs)
        self.body, width = _layers(inputs, layers)
        self.into = nn.Linear(width, 4 * memory)
        self.back = nn.Linear(memory, 4 * memory, bias=False)
        self.mean = nn.Linear(memory + width, actions)
        self.log_std = nn.Parameter(torch.full((actions,), float(torch.tensor(spread).log())))
        self.memory: Final = memory
        for weight in (self.into.weight, self.back.weight):
            nn.init.orthogonal_(weight)
        with torch.no_grad():
            self.into.bias.zero_()
            self.into.bias[memory : 2 * memory] = 1.0  # remember, at first
            self.mean.weight *= 0.01
            self.mean.bias.zero_()

    def forward(self, inputs: Tensor, state: Tensor, begins: Tensor) -> tuple[Tensor, Tensor]:
        """Return the means of actions (T, B, C) and the state after them (2, B, M).

        Args:
            inputs: (T, B, O) what is seen.
            state: (2, B, M) of the memory before it.
            begins: (T, B) 1 where an episode begins: the memory is blank there.
        """
        features = self.body(self.normaliser(inputs))
        gates = self.into(features)
        hidden, cell = state[0], state[1]
        outputs = []
        for t in range(len(inputs)):
            keep = (1.0 - begins[t])[:, None]
            hidden, cell = keep * hidden, keep * cell
            i, f, g, o = (gates[t] + self.back(hidden)).chunk(4, dim=1)
            cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
            hidden = torch.sigmoid(o) * torch.tanh(cell)
            outputs.append(hidden)
        means = self.mean(torch.cat([torch.stack(outputs), features], dim=2))
        return means, torch.stack([hidden, cell])

    def std(self) -> Tensor:
        """Return (C,) the standard deviation of actions."""
        return self.log_std.clamp(*_LOG_STD).exp()

    def blank(self, count: int) -> Tensor:
        """Return (2, B, M) the memory of B policies that have seen nothing."""
        return torch.zeros(2, count, self.memory)


class Critic(nn.Module):
    """The value of a state that is fully known."""

    def __init__(self, inputs: int, layers: Sequence[int]) -> None:
        """Args: inputs: P; layers: widths."""
        super().__init__()
        self.normaliser = Normaliser(inputs)
        self.body, width = _layers(inputs, layers)
        self.value = nn.Linear(width, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (...) the values of (..., P)."""
        value: Tensor = self.value(self.body(self.normaliser(inputs)))[..., 0]
        return value


def _layers(inputs: int, widths: Sequence[int]) -> tuple[nn.Sequential, int]:
    """Return layers, perhaps none, and how many numbers come out of them."""
    parts: list[nn.Module] = []
    for width in widths:
        parts += [nn.Linear(inputs, width), nn.ELU()]
        inputs = width
    return nn.Sequential(*parts), inputs


def log_probability(action: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Return (...) the logarithm of the density of actions (..., C)."""
    scaled = (action - mean) / std
    constant = 0.9189385332046727  # log(2 pi) / 2
    return (-0.5 * scaled**2 - std.log() - constant).sum(dim=-1)
