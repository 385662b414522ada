"""Compiled loops: local costs, accumulated cost, and the way back through it.

Everything releases the interpreter lock, so that threads align pairs side by side.
"""

import math

import numba
import numpy as np
import numpy.typing as npt

from mimic_core.arrays import FloatArray, IntArray

Steps = npt.NDArray[np.int8]

# 4.4.46 of Abramowitz and Stegun (1964): arc cosine of 0..1, error below 2e-8 rad.
_ACOS = (
    1.5707963050, -0.2145988016, 0.0889789874, -0.0501743046,
    0.0308918810, -0.0170881256, 0.0066700901, -0.0012624911,
)  # fmt: skip


@numba.njit(cache=True, nogil=True, fastmath=True)
def add_l1(x: FloatArray, y: FloatArray, weight: float, cost: FloatArray) -> None:
    """Add `weight` times the L1 distance of (N, D) and (M, D) rows to (N, M) costs."""
    columns = y.T.copy()
    for i in range(x.shape[0]):
        row = cost[i]
        for k in range(x.shape[1]):
            value = x[i, k]
            column = columns[k]
            for j in range(row.size):
                row[j] += weight * abs(value - column[j])


@numba.njit(cache=True, nogil=True, fastmath=True)
def add_l2(x: FloatArray, y: FloatArray, weight: float, cost: FloatArray) -> None:
    """Add `weight` times the Euclidean distance of (N, D) and (M, D) rows to (N, M) costs."""
    columns = y.T.copy()
    squares = np.empty(cost.shape[1])
    for i in range(x.shape[0]):
        squares[:] = 0.0
        whole = x.shape[1] - x.shape[1] % 4
        for k in range(0, whole, 4):  # four at a time: a quarter of the loads and stores of sums
            v0, v1, v2, v3 = x[i, k], x[i, k + 1], x[i, k + 2], x[i, k + 3]
            c0, c1, c2, c3 = columns[k], columns[k + 1], columns[k + 2], columns[k + 3]
            for j in range(squares.size):
                one = (v0 - c0[j]) ** 2 + (v1 - c1[j]) ** 2
                squares[j] += one + (v2 - c2[j]) ** 2 + (v3 - c3[j]) ** 2
        for k in range(whole, x.shape[1]):
            value, column = x[i, k], columns[k]
            for j in range(squares.size):
                squares[j] += (value - column[j]) ** 2
        row = cost[i]
        for j in range(row.size):
            row[j] += weight * math.sqrt(squares[j])


@numba.njit(cache=True, nogil=True, fastmath=True)
def add_angle(x: FloatArray, y: FloatArray, weight: float, cost: FloatArray) -> None:
    """Add `weight` times the rotation angle [rad] between (N, 4) and (M, 4) unit quaternions."""
    columns = y.T.copy()
    a0, a1, a2, a3, a4, a5, a6, a7 = _ACOS
    for i in range(x.shape[0]):
        row = cost[i]
        q0, q1, q2, q3 = x[i, 0], x[i, 1], x[i, 2], x[i, 3]
        c0, c1, c2, c3 = columns[0], columns[1], columns[2], columns[3]
        for j in range(row.size):
            dot = min(abs(q0 * c0[j] + q1 * c1[j] + q2 * c2[j] + q3 * c3[j]), 1.0)
            p = a4 + dot * (a5 + dot * (a6 + dot * a7))
            p = a0 + dot * (a1 + dot * (a2 + dot * (a3 + dot * p)))
            row[j] += weight * 2.0 * math.sqrt(1.0 - dot) * p


@numba.njit(cache=True, nogil=True, inline='always')
def _cheapest(diagonal: float, above: float, left: float) -> tuple[float, int]:
    """Return the least of three, and which: the first of equal ones."""
    best, step = diagonal, 0
    if above < best:
        best, step = above, 1
    if left < best:  # last, since it alone waits for the cell before
        best, step = left, 2
    return best, step


@numba.njit(cache=True, nogil=True)
def accumulate_plain(cost: FloatArray, steps: Steps) -> FloatArray:
    """Return the last row of the accumulated (N, M) cost: steps of weight one, no window.

    Args:
        cost: (N, M) >= 0.
        steps: (N, M), filled with the step that leads to each cell: 0 diagonal, 1 down (N), 2
            right (M); 3 at the start.
    """
    n, m = cost.shape
    total = np.full(m + 1, np.inf)  # of the last row that is done, after what is left of it
    total[0] = 0.0  # before the first cell
    for i in range(0, n - 1, 2):  # two at once, the lower a column behind: neither waits
        upper, lower = cost[i], cost[i + 1]
        before, above, total[0] = total[0], total[1], np.inf
        value, steps[i, 0] = _cheapest(before, above, np.inf)
        here, before = value + upper[0], above
        corner, there = np.inf, np.inf  # of the lower row: before it and to its left
        for j in range(1, m):
            above = total[j + 1]
            value, steps[i, j] = _cheapest(before, above, here)
            below, steps[i + 1, j - 1] = _cheapest(corner, here, there)
            corner, here, before = here, value + upper[j], above
            there = below + lower[j - 1]
            total[j] = there
        below, steps[i + 1, m - 1] = _cheapest(corner, here, there)
        total[m] = below + lower[m - 1]
    if n % 2:
        before, here = total[0], np.inf
        for j in range(m):
            above = total[j + 1]
            value, steps[n - 1, j] = _cheapest(before, above, here)
            here, before = value + cost[n - 1, j], above
            total[j + 1] = here
    steps[0, 0] = 3
    return total[1:]


@numba.njit(cache=True, nogil=True)
def accumulate(
    cost: FloatArray,
    pattern: FloatArray,
    counts: IntArray,
    window: float,
    open_begin: bool,
    steps: Steps,
) -> FloatArray:
    """Return the last row of the accumulated cost for any step pattern; inf where none leads.

    Args:
        cost: (N, M) >= 0.
        pattern: (P, S, 3): for each of P steps up to S cells back from the end of the step (rows,
            columns, weight); the first is where it comes from and its weight is not used.
        counts: (P,) how many of the S cells a step has.
        window: Farthest column from the diagonal between the corners, as dtw-python's
            slantedband; inf: any.
        open_begin: The way may start at any column of the first row, and with any step from a
            row before it that costs nothing, as dtw-python's.
        steps: (N, M), filled with the number of the step; P at a start, -1 where none leads.
    """
    n, m = cost.shape
    total = np.full((n, m), np.inf)
    for i in range(n):
        middle = i * ((m - 1) / max(n - 1, 1))
        low = max(0, math.ceil(middle - window)) if window < m else 0
        high = min(m - 1, math.floor(middle + window)) if window < m else m - 1
        for j in range(m):
            steps[i, j] = -1
        for j in range(low, high + 1):
            best, chosen = np.inf, -1
            if i == 0 and (j == 0 or open_begin):
                best, chosen = cost[i, j], counts.size
            for p in range(counts.size):
                a, b = i - int(pattern[p, 0, 0]), j - int(pattern[p, 0, 1])
                if b < 0 or a < -1 or (a < 0 and not open_begin):
                    continue
                value = total[a, b] if a >= 0 else 0.0
                for s in range(1, counts[p]):
                    a, b = i - int(pattern[p, s, 0]), j - int(pattern[p, s, 1])
                    value += pattern[p, s, 2] * cost[a, b]
                if value < best:
                    best, chosen = value, p
            total[i, j] = best
            steps[i, j] = chosen
    return total[n - 1]


@numba.njit(cache=True, nogil=True)
def backtrack(steps: Steps, pattern: FloatArray, counts: IntArray, end: int) -> IntArray:
    """Return the (K, 2) cells of the way to (N - 1, end), from its start on."""
    n, m = steps.shape
    path = np.empty((2 * (n + m), 2), np.int64)
    i, j, size = n - 1, end, 0
    while i >= 0:
        path[size] = i, j
        size += 1
        step = steps[i, j]
        if step == counts.size:
            break
        for s in range(counts[step] - 2, -1, -1):  # cells of the step, from its end back
            a, b = i - int(pattern[step, s, 0]), j - int(pattern[step, s, 1])
            if s == 0:
                i, j = a, b
            else:
                path[size] = a, b
                size += 1
    return path[:size][::-1].copy()
