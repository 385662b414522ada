"""Dynamic time warping of one (N, M) cost matrix.

Source: Sakoe and Chiba, 1978; open ends and normalisation: Tormene et al., 2009.
"""

from dataclasses import dataclass

import numpy as np

from mimic_alignment import kernels
from mimic_alignment.params import WarpParams
from mimic_alignment.patterns import PATTERNS, StepPattern
from mimic_core.arrays import FloatArray, IntArray, checked
from mimic_core.errors import ConfigError, ShapeError


@dataclass(frozen=True)
class Warp:
    """The cheapest way through a cost matrix."""

    path: IntArray  # (K, 2) row and column of each step, from the begin to the end
    cost: float  # accumulated along the path, with the weights of the step pattern
    normalised: float  # the same over what the step pattern normalises with
    mean: float  # normalised; over the cells of the path where the pattern has nothing for that

    def column_of_rows(self) -> IntArray:
        """Return (N,) the column that each row is matched with: the middle one of several.

        Rows that a step of the pattern skips take the match of the row before.
        """
        rows = int(self.path[-1, 0]) + 1
        first = np.searchsorted(self.path[:, 0], np.arange(rows), side='left')
        last = np.searchsorted(self.path[:, 0], np.arange(rows), side='right') - 1
        middle = np.where(last >= first, (first + last) // 2, np.maximum(last, 0))
        columns: IntArray = self.path[middle, 1]
        return columns


def warp(cost: FloatArray, params: WarpParams | None = None) -> Warp:
    """Return the cheapest warping path through a cost matrix.

    Args:
        cost: (N, M) local costs, >= 0 and finite.
        params: Step pattern, window, open ends.

    Raises:
        ShapeError: There are no rows or no columns.
        NotFiniteError: A cost is NaN or infinite.
        ConfigError: The step pattern cannot have open ends, or no path fits the window.
    """
    p = params or WarpParams()
    pattern = PATTERNS[p.step_pattern]
    matrix = np.ascontiguousarray(checked(cost, (None, None), 'cost'))
    if not matrix.size:
        raise ShapeError(f'cost is {matrix.shape}: nothing to align')
    return warp_checked(matrix, p, pattern)


def warp_checked(cost: FloatArray, p: WarpParams, pattern: StepPattern) -> Warp:
    """Return the path through a matrix that is known to be finite, of doubles, not empty."""
    check_open_ends(p, pattern)
    n, m = cost.shape
    cells, counts = pattern.table
    steps = np.empty((n, m), np.int8)
    if pattern.name == 'symmetric1' and not p.window:
        total = kernels.accumulate_plain(cost, steps)
    else:
        window = p.window * max(n, m) if p.window else np.inf
        total = kernels.accumulate(cost, cells, counts, window, p.open_begin, steps)
    end = m - 1
    if p.open_end:
        end = int(np.argmin(total / [pattern.length(n, j + 1) for j in range(m)]))
    if not np.isfinite(total[end]):
        within = f' with window {p.window}: widen it, or' if p.window else ':'
        raise ConfigError(
            f'no path of {pattern.name} leads through {n} × {m}{within} take a step pattern with '
            'steeper steps'
        )
    path = kernels.backtrack(steps, cells, counts, end)
    whole, columns = float(total[end]), end + 1 - int(path[0, 1])
    normalised = whole / pattern.length(n, columns)
    mean = whole / len(path) if pattern.normalisation == 'none' else normalised
    return Warp(path, whole, normalised, mean)


def check_open_ends(p: WarpParams, pattern: StepPattern) -> None:
    """Raise ConfigError for open ends that the step pattern cannot have."""
    if p.open_end and pattern.normalisation == 'none':
        raise ConfigError(f'open_end: {pattern.name} cannot be normalised; take asymmetric')
    if p.open_begin and pattern.normalisation != 'rows':
        raise ConfigError(f'open_begin: needs a pattern normalised by rows, not {pattern.name}')
