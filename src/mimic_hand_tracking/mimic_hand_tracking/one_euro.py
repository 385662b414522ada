"""The One Euro filter for the joints of a hand: smooth at rest, quick in motion.

Source: Casiez, Roussel, Vogel, '1 € Filter', CHI 2012, eq. 1 to 5.
"""

import numpy as np

from mimic_core.arrays import FloatArray

SPEED_CUTOFF = 3.0  # [Hz] of the speed that opens the filter


class OneEuroFilter:
    """A low-pass of N points whose cut-off grows with the speed of each."""

    def __init__(self, cutoff: float, beta: float) -> None:
        """Args: cutoff: at rest [Hz], 0 for no filter; beta: growth with speed [Hz per m/s]."""
        self._cutoff, self._beta = cutoff, beta
        self._value: FloatArray | None = None  # (N, 3) [m]
        self._velocity: FloatArray = np.zeros(0)
        self._raw: FloatArray = np.zeros(0)
        self._stamp = 0.0
        self.delay = 0.0  # [s] that the last step adds to a steady motion, mean of the points

    def step(self, points: FloatArray, stamp: float) -> FloatArray:
        """Return the filtered points (N, 3) [m] of an image taken at `stamp` [s], which grows."""
        if self._value is None or self._cutoff <= 0.0:
            self._value, self._raw = points.copy(), points.copy()
            self._velocity, self._stamp, self.delay = np.zeros_like(points), stamp, 0.0
            return points.copy()
        dt = stamp - self._stamp
        self._velocity += _alpha(SPEED_CUTOFF, dt) * ((points - self._raw) / dt - self._velocity)
        speed = np.sqrt((self._velocity**2).sum(axis=1))
        alpha = _alpha(self._cutoff + self._beta * speed, dt)  # (N,)
        self._value = self._value + alpha[:, None] * (points - self._value)
        self._raw, self._stamp = points.copy(), stamp
        # A first-order low-pass follows a ramp this much later.
        self.delay = float((dt * (1.0 - alpha) / alpha).mean())
        return self._value.copy()


def _alpha(cutoff: FloatArray | float, dt: float) -> FloatArray:
    tau = 1.0 / (2.0 * np.pi * np.asarray(cutoff, dtype=np.float64))
    alpha: FloatArray = 1.0 / (1.0 + tau / dt)
    return alpha
