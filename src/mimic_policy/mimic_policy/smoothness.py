"""Smoothness of a path."""

import math
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray, checked

_PADDING: Final = 4  # [1] powers of two beyond the length of the signal
_CUTOFF: Final = 10.0  # [Hz]
_THRESHOLD: Final = 0.05  # [1] of the largest amplitude


def sparc(positions: FloatArray, rate: float) -> float:
    """Return the smoothness of a path, the spectral arc length of its speed: 0 and below.

    The nearer to 0 the smoother; one reach of minimal jerk has about -1.4. NaN for a path that
    does not move.

    Source: Balasubramanian et al. 2015, On the analysis of movement smoothness, equation 5.

    Args:
        positions: (T, 3) [m], T > 1.
        rate: Of the samples [Hz].
    """
    path = checked(positions, (None, 3), 'positions')
    speed = np.linalg.norm(np.diff(path, axis=0), axis=1) * rate
    if len(speed) == 0 or speed.max() < 1e-6:
        return math.nan
    size = 2 ** (math.ceil(math.log2(len(speed))) + _PADDING)
    frequency = np.arange(size) * rate / size
    amplitude = np.abs(np.fft.fft(speed, size))
    amplitude /= amplitude.max()
    inside = frequency <= _CUTOFF
    frequency, amplitude = frequency[inside], amplitude[inside]
    last = int(np.flatnonzero(amplitude >= _THRESHOLD)[-1])
    frequency, amplitude = frequency[: last + 1], amplitude[: last + 1]
    if last == 0:
        return 0.0
    steps = np.diff(frequency) / (frequency[-1] - frequency[0])
    return -float(np.sum(np.hypot(steps, np.diff(amplitude))))
