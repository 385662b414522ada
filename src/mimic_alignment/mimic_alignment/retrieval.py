"""Finding a short trajectory in a long one: subsequence DTW."""

from dataclasses import dataclass

from mimic_alignment.dtw import Warp, warp
from mimic_alignment.params import WarpParams
from mimic_core.arrays import FloatArray


@dataclass(frozen=True)
class Match:
    """Where a query was found."""

    begin: int  # first frame of the long trajectory
    end: int  # frame after the last
    cost: float  # mean cost of a frame of the query
    warp: Warp


def find(cost: FloatArray, step_pattern: str = 'asymmetric') -> Match:
    """Return where a query of N frames fits best in a trajectory of M frames.

    Args:
        cost: (N, M) local costs, query by long trajectory.
        step_pattern: One that is normalised by rows: asymmetric (each frame of the query once, up
            to twice the speed) or asymmetricP1.

    Raises:
        ConfigError: The step pattern cannot have open ends, or the query is too long for it.
    """
    result = warp(cost, WarpParams(step_pattern=step_pattern, open_begin=True, open_end=True))
    begin, end = int(result.path[0, 1]), int(result.path[-1, 1]) + 1
    return Match(begin, end, result.normalised, result)


def overlap(a: tuple[int, int], b: tuple[int, int]) -> float:
    """Return the intersection over union [1] of two intervals, ends not included."""
    shared = max(0, min(a[1], b[1]) - max(a[0], b[0]))
    union = (a[1] - a[0]) + (b[1] - b[0]) - shared
    return shared / union if union else 0.0
