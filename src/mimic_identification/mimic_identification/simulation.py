"""What a joint with a given response does: commands in their times in, positions at stamps out."""

from typing import Final

import numpy as np
from scipy.signal import lfilter

from mimic_core.arrays import FloatArray
from mimic_description.response import JointResponse

STEP: Final = 1e-3  # [s] of the simulation
TAYLOR: Final = 11  # terms, exact to rounding for norms below a half
SHORT: Final = 1e-2  # [1] of the step: a time constant below is none


def simulate(
    response: JointResponse, knots: FloatArray, targets: FloatArray, stamps: FloatArray,
    start: float | None = None,
) -> FloatArray:  # fmt: skip
    """Return (N,) positions [rad] or [m] at stamps, of a joint that rests before the first knot.

    Args:
        response: Of the joint.
        knots: (K,) [s] when each target is to be reached, increasing; straight in between.
        targets: (K,) [rad] or [m].
        stamps: (N,) [s], increasing.
        start: Position before the first stamp [rad] or [m], which says on which side of the
            backlash the joint is; default: in the middle.
    """
    moved = lagging(response, knots, targets, stamps)
    rest = float(moved[0]) if start is None else response.inverse(start)
    return response.offset + response.gain * play(moved, response.backlash, rest)


def lagging(
    response: JointResponse, knots: FloatArray, targets: FloatArray, stamps: FloatArray
) -> FloatArray:
    """Return (N,) the input of the backlash: delayed and filtered commands at stamps."""
    if response.time_constant < SHORT * STEP:
        return np.interp(stamps - response.delay, knots, targets)
    begin = min(float(stamps[0]), float(knots[0]) + response.delay) - STEP
    count = int(np.ceil((float(stamps[-1]) - begin) / STEP)) + 2
    grid = begin + STEP * np.arange(count)
    u = np.interp(grid - response.delay, knots, targets)
    numerator, denominator = _discrete(response)
    filtered = lfilter(numerator, denominator, u - u[0]) + u[0]
    return np.interp(stamps, grid, filtered)


def _discrete(response: JointResponse) -> tuple[FloatArray, FloatArray]:
    """Return the filter of one step for an input that is straight within each."""
    ratio = STEP / response.time_constant
    if response.order == 1:
        kept = float(np.exp(-ratio))
        new = (1.0 - kept) / ratio
        return np.array([1.0 - new, new - kept]), np.array([1.0, -kept])
    # Position, velocity * T, input, change of the input in the step
    matrix = np.zeros((4, 4))
    matrix[0, 1] = ratio
    matrix[1, :3] = -ratio, -2.0 * response.damping * ratio, ratio
    matrix[2, 3] = 1.0
    step = _exponential(matrix)
    a, after = step[:2, :2], step[:2, 3]
    before = step[:2, 2] - after
    numerator = np.array(
        [
            after[0],
            before[0] - a[1, 1] * after[0] + a[0, 1] * after[1],
            a[0, 1] * before[1] - a[1, 1] * before[0],
        ]
    )
    return numerator, np.array([1.0, -np.trace(a), np.linalg.det(a)])


def _exponential(matrix: FloatArray) -> FloatArray:
    """Return e to a small matrix; scipy's is ten times slower at this size."""
    halvings = max(0, int(np.ceil(np.log2(np.abs(matrix).sum(axis=1).max() / 0.5))))
    scaled = matrix / 2.0**halvings
    term = np.eye(len(matrix))
    total = term.copy()
    for order in range(1, TAYLOR + 1):
        term = term @ scaled / order
        total += term
    for _ in range(halvings):
        total = total @ total
    return total


def play(x: FloatArray, width: float, start: float) -> FloatArray:
    """Return (N,) the output of a backlash of a whole width [rad] or [m] for (N,) inputs.

    Each sample keeps the output within half the width of the input: a clamp, and clamps compose,
    so that log2(N) rounds over the array do what a loop over the samples does.

    Args:
        x: (N,) inputs.
        width: >= 0.
        start: Output before the first input.
    """
    low, high = x - 0.5 * width, x + 0.5 * width
    distance = 1
    while distance < len(x):
        early_low, early_high = low[:-distance], high[:-distance]
        late_low, late_high = low[distance:], high[distance:]
        joined_low = np.minimum(np.maximum(early_low, late_low), late_high)
        joined_high = np.minimum(np.maximum(early_high, late_low), late_high)
        low = np.concatenate([low[:distance], joined_low])
        high = np.concatenate([high[:distance], joined_high])
        distance *= 2
    return np.minimum(np.maximum(start, low), high)
