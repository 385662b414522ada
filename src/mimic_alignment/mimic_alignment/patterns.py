"""Step patterns: which steps a warping path may take, and what they cost.

Names and weights are those of Sakoe and Chiba (1978), as dtw-python and R's dtw list them.
"""

import functools
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

from mimic_core.arrays import FloatArray, IntArray

Normalisation = Literal['none', 'rows', 'both']
Cell = tuple[int, int, float]  # rows back, columns back, weight


@dataclass(frozen=True)
class StepPattern:
    """A set of steps over an (N, M) cost."""

    name: str
    steps: tuple[tuple[Cell, ...], ...]  # each from where it comes to its end, (0, 0, weight)
    normalisation: Normalisation  # what the length of a path adds up to: nothing fixed, N, N + M

    @functools.cached_property
    def table(self) -> tuple[FloatArray, IntArray]:
        """Return (P, S, 3) cells, padded, and (P,) how many each step has."""
        longest = max(len(step) for step in self.steps)
        cells = np.zeros((len(self.steps), longest, 3))
        for i, step in enumerate(self.steps):
            cells[i, : len(step)] = step
        return cells, np.array([len(step) for step in self.steps], np.int64)

    def length(self, rows: int, columns: int) -> float:
        """Return what the cost of a path is divided by; 1 when nothing fixed."""
        return {'none': 1.0, 'rows': float(rows), 'both': float(rows + columns)}[
            self.normalisation
        ]


def _pattern(name: str, normalisation: Normalisation, *steps: tuple[Cell, ...]) -> StepPattern:
    return StepPattern(name, steps, normalisation)


PATTERNS: Final = MappingProxyType(
    {
        pattern.name: pattern
        for pattern in (
            _pattern(
                'symmetric1', 'none',
                ((1, 1, 0), (0, 0, 1)), ((1, 0, 0), (0, 0, 1)), ((0, 1, 0), (0, 0, 1)),
            ),
            _pattern(
                'symmetric2', 'both',
                ((1, 1, 0), (0, 0, 2)), ((0, 1, 0), (0, 0, 1)), ((1, 0, 0), (0, 0, 1)),
            ),
            _pattern(
                'asymmetric', 'rows',
                ((1, 0, 0), (0, 0, 1)), ((1, 1, 0), (0, 0, 1)), ((1, 2, 0), (0, 0, 1)),
            ),
            _pattern(
                'symmetricP1', 'both',
                ((1, 2, 0), (0, 1, 2), (0, 0, 1)),
                ((1, 1, 0), (0, 0, 2)),
                ((2, 1, 0), (1, 0, 2), (0, 0, 1)),
            ),
            _pattern(
                'asymmetricP1', 'rows',
                ((1, 2, 0), (0, 1, 0.5), (0, 0, 0.5)),
                ((1, 1, 0), (0, 0, 1)),
                ((2, 1, 0), (1, 0, 1), (0, 0, 1)),
            ),
        )
    }
)  # fmt: skip
