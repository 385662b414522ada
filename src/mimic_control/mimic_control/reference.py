"""Where a source wants the joints over time, made from the commands as they come."""

from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray

MAX_INTERVAL: Final = 0.2  # [s] between two points that still make a stream
CARRY: Final = 1.5  # [1] intervals for which a point is carried on at its speed
DELAY_GAIN: Final = 0.1  # [1] of the running mean of the delay
RETURN: Final = 3.0  # [1] intervals after which a stream that ended goes back to its last point


def minmod(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the smaller of two slopes where they agree in sign, else zero."""
    smaller: FloatArray = np.where(np.abs(a) < np.abs(b), a, b)
    return np.where(a * b > 0.0, smaller, 0.0)


def carried_speed(new: FloatArray, old: FloatArray) -> FloatArray:
    """Return the speed to carry on with, from the last difference [rad/s] and the one before.

    Where it slows down, the slowing goes on, so that a turn is not overshot; where the two
    disagree in sign there is no motion but noise or a turn, and the speed is zero.
    """
    return np.where(new * old > 0.0, minmod(new, 2.0 * new - old), 0.0)


class Stream:
    """Single points, one after the other: each is carried on at its speed until the next.

    Neither noise nor a turn is carried on (`carried_speed`). A difference faster than the joint
    can go counts as a step.
    """

    def __init__(self, q: FloatArray, max_speed: FloatArray, max_extrapolation: float) -> None:
        """Args: q: (J,) where the joints are; max_speed: (J,) [rad/s]; max_extrapolation: [s]."""
        self._q = q.copy()
        self._v = np.zeros_like(q)
        self._difference = np.zeros_like(q)
        self._max_speed, self._max_extrapolation = max_speed, max_extrapolation
        self._interval = 0.0
        self._start = 0.0
        self._delay = 0.0
        self._data_time: float | None = None

    def add(self, q: FloatArray, start: float, data_time: float) -> None:
        """Take the next point.

        Args:
            q: (J,) the point.
            start: When the joints should be there [s].
            data_time: When it was captured, or received where that is unknown [s].
        """
        interval = MAX_INTERVAL if self._data_time is None else data_time - self._data_time
        if 1e-4 < interval < MAX_INTERVAL:
            difference = (q - self._q) / interval
            difference = np.where(np.abs(difference) > self._max_speed, 0.0, difference)
            self._v = carried_speed(difference, self._difference)
            self._interval = interval
        else:
            difference = np.zeros_like(q)
            self._v = np.zeros_like(q)
            self._interval = 0.0
        self._difference, self._q = difference, q.copy()
        # Data come at even times and arrive at uneven ones: only the mean delay counts.
        delay = start - data_time
        steady = self._interval > 0.0 and abs(delay - self._delay) < self._interval
        self._delay = self._delay + DELAY_GAIN * (delay - self._delay) if steady else delay
        self._start, self._data_time = data_time + self._delay, data_time

    def at(self, times: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return positions and velocities (T, J) at times (T,), the first of which is the present.

        The later ones carry the present on at its velocity.
        """
        elapsed = float(times[0]) - self._start
        carry = min(CARRY * self._interval, self._max_extrapolation)
        v = self._v if elapsed < carry else np.zeros_like(self._v)
        q = self._q
        if elapsed < RETURN * max(self._interval, carry):
            q = q + self._v * min(elapsed, carry)
        return q + (times - times[0])[:, None] * v, np.tile(v, (len(times), 1))


class Path:
    """Points over time, joined by cubics whose slopes do not overshoot; ends at rest."""

    def __init__(self, q: FloatArray, begin: float, points: FloatArray, times: FloatArray) -> None:
        """Args: q: (J,) at begin [s]; points: (T, J); times: (T,) of the points [s], absolute."""
        if times[0] > begin + 1e-6:
            points, times = np.vstack([q, points]), np.concatenate([[begin], times])
        self._points, self._times = points, times
        self._slopes = np.zeros_like(points)
        if len(times) > 2:
            steps = np.diff(points, axis=0) / np.diff(times)[:, None]
            self._slopes[1:-1] = np.where(
                steps[1:] * steps[:-1] > 0.0,
                # the harmonic mean, which keeps a cubic monotone
                2.0 * steps[1:] * steps[:-1] / np.where(steps[1:] + steps[:-1] == 0.0, 1.0,
                                                        steps[1:] + steps[:-1]),
                0.0,
            )  # fmt: skip
        self.end = float(times[-1])  # [s]

    def at(self, times: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return positions and velocities (T, J) at times (T,) [s]."""
        if len(self._times) == 1:
            q = np.tile(self._points[0], (len(times), 1))
            return q, np.zeros_like(q)
        inside = (times >= self._times[0]) & (times < self._times[-1])
        t = np.clip(times, self._times[0], self._times[-1])
        i = np.clip(np.searchsorted(self._times, t, side='right') - 1, 0, len(self._times) - 2)
        h = (self._times[i + 1] - self._times[i])[:, None]
        s = (t - self._times[i])[:, None] / h
        p0, p1 = self._points[i], self._points[i + 1]
        m0, m1 = self._slopes[i] * h, self._slopes[i + 1] * h
        c2, c3 = 3.0 * (p1 - p0) - 2.0 * m0 - m1, 2.0 * (p0 - p1) + m0 + m1
        q = p0 + s * (m0 + s * (c2 + s * c3))
        v = (m0 + s * (2.0 * c2 + s * 3.0 * c3)) / h
        return q, np.where(inside[:, None], v, 0.0)


class Fixed:
    """A target that stands still."""

    def __init__(self, q: FloatArray) -> None:
        """Args: q: (J,)."""
        self._q = q

    def at(self, times: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return positions and velocities (T, J) at times (T,) [s]."""
        q = np.tile(self._q, (len(times), 1))
        return q, np.zeros_like(q)
