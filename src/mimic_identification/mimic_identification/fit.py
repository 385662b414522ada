"""Fits the response of a joint: delay, dynamics, gain, offset, backlash, and how sure they are."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import least_squares

from mimic_core.arrays import BoolArray, FloatArray
from mimic_description.response import (
    MAX_DAMPING,
    MAX_DELAY,
    MAX_TIME_CONSTANT,
    MIN_DELAY,
    ORDERS,
    JointResponse,
)
from mimic_identification.record import JointRecord
from mimic_identification.simulation import lagging, play, simulate

NAMES: Final = ('delay', 'time_constant', 'damping', 'gain', 'offset', 'backlash')
CONFIDENCE: Final = 1.96  # [1] standard deviations in an interval of 95 %

_LAGS: Final = np.arange(-0.04, 0.6, 0.004)  # [s] tried for a first guess
_T_MIN: Final = 1e-4  # [s]
_STEPS: Final = np.array([2e-4, 1e-2, 1e-2, 1e-4, 1e-4, 1e-3])  # of the derivatives, scaled
_FIRST_ROUNDS: Final = 8  # of each start
_ROUNDS: Final = 40
_REFINED: Final = 4  # starts that are followed to the end
_TOLERANCE: Final = 1e-9  # [1]: delay and dynamics make a flat valley
_COARSE: Final = 0.01  # [1] of the excursion: noise, before it is known
_LINEAR: Final = 3.0  # [1] of the noise: residuals beyond count less
_DECISIVE: Final = 10.0  # [1] of the information criterion, for a higher order
_MATTERS: Final = 0.99  # [1] of the variance: steps of an encoder are no noise, and no dynamics
_USUAL: Final = 5.0  # [1] of the noise: residuals beyond are outliers
_FLOOR: Final = 1e-4  # [1] of the excursion: noise is never taken to be less
_DELAY_SCALE: Final = 0.01  # [s]
_PLATEAU: Final = 5e-3  # [1] of the excursion: nearer to the end of the motion is at its end
_BEYOND: Final = 0.04  # [1] of the excursion: a command farther out is not followed
_CLIPPED: Final = 0.05  # [1] share of samples at an end that nobody follows


@dataclass(frozen=True)
class Fit:
    """The response that explains a record best."""

    response: JointResponse
    interval: dict[str, float]  # half widths at 95 %, by the names of the parameters
    lag_interval: float  # [s] of the lag
    predicted: FloatArray  # (N,) [rad] or [m]
    residual: float  # [rad] or [m] rms, of samples that are followed
    explained: float  # [1] 1: all of the motion, 0: no better than its mean
    resolution: float  # [rad] or [m] smallest step between two measured positions
    saturated: str  # 'low', 'high', 'low and high' or ''


def fit_response(record: JointRecord) -> Fit:
    """Return the best response of order 0, 1 or 2, a simple one unless another is clearly better.

    Samples at which the joint stands at an end while its command is far beyond are left out, and
    said in `saturated` when the fitted joint would have gone on.
    """  # fmt: skip
    guess = _guess(record)
    keep = ~_plateau(record)
    first = _best(record, guess, keep)
    predicted = simulate(
        first.response, record.knots, record.targets, record.stamps, float(record.positions[0])
    )
    error = record.positions - predicted
    saturated = _saturated(record, keep, error)
    if not keep.all() and not saturated:
        keep = np.ones_like(keep)
        first = _best(record, guess, keep)
        predicted = simulate(
            first.response, record.knots, record.targets, record.stamps, float(record.positions[0])
        )
        error = record.positions - predicted
    spread = float(np.var(record.positions[keep]))
    residual = float(np.sqrt(np.mean(error[keep] ** 2)))
    return Fit(
        first.response,
        first.interval,
        first.lag_interval,
        predicted,
        residual,
        1.0 - residual**2 / spread if spread > 0.0 else 0.0,
        resolution(record.positions),
        saturated,
    )


def resolution(positions: FloatArray) -> float:
    """Return the smallest step between (N,) measured positions that comes again and again.

    0.0 where there is none that is coarser than a thousandth of the motion.
    """
    values = np.unique(np.round(positions, 9))
    if len(values) < 3 or len(values) > 0.2 * len(positions):
        return 0.0
    return float(np.median(np.diff(values)))


@dataclass(frozen=True)
class _Solution:
    response: JointResponse
    interval: dict[str, float]
    lag_interval: float
    variance: float  # [rad^2] or [m^2] of the residual
    effective: float  # [1] samples that say something new
    parameters: int

    def score(self, effective: float) -> float:
        """Return the Bayesian information criterion for a number of samples; less is better."""
        return float(effective * np.log(self.variance) + self.parameters * np.log(effective))


def _best(record: JointRecord, guess: tuple[float, float], keep: BoolArray) -> _Solution:
    """Return the better of both orders, each from several starts."""
    lag, gain = guess
    size = max(record.excursion, 1e-9)
    solutions = []
    for order in ORDERS:
        tries, problem = [], _Problem(record, order, keep)
        for share in (0.2, 0.7) if order else (0.0,):
            dynamic = max(share * lag, 2e-3) if order else 0.0
            t = (0.0, dynamic, 0.5 * dynamic)[order]
            for width in (0.01, 0.1):
                start = JointResponse(
                    float(np.clip(lag - dynamic, MIN_DELAY, MAX_DELAY)), order, t, 1.0,
                    gain, float(np.mean(record.positions - gain * _shifted(record, lag))),
                    width * size,
                )  # fmt: skip
                tries.append(problem.near(start))
        refined = (problem.solve(x) for _, x in sorted(tries, key=lambda t: t[0])[:_REFINED])
        solutions.append(min(refined, key=lambda s: s.variance))
    # What a poor model leaves is correlated: the number of samples is that of the closest fit.
    effective = min(solutions, key=lambda s: s.variance).effective
    best = solutions[0]
    for solution in solutions[1:]:
        decisive = solution.score(effective) < best.score(effective) - _DECISIVE
        if decisive and solution.variance < _MATTERS * best.variance:
            best = solution
    return best


class _Problem:
    """Least squares of one order. Parameters are scaled so that all are of the order of 1."""

    def __init__(self, record: JointRecord, order: int, keep: BoolArray) -> None:
        self._record, self._order, self._keep = record, order, keep
        self._size = max(record.excursion, 1e-9)
        self._used = np.array([True, order > 0, order == 2, True, True, True])
        self._lower = np.array(
            [MIN_DELAY / _DELAY_SCALE, np.log(_T_MIN), np.log(0.05), 0.02, -50.0, 0.0]
        )
        self._upper = np.array(
            [MAX_DELAY / _DELAY_SCALE, np.log(MAX_TIME_CONSTANT), np.log(MAX_DAMPING),
             50.0, 50.0, 2.0]
        )  # fmt: skip

    def near(self, start: JointResponse) -> tuple[float, FloatArray]:
        """Return the cost [1] and scaled parameters of where a few steps from a start lead."""
        self._base = self._scaled(start)
        x, noise = self._base[self._used], _COARSE * self._size
        return self._descend(x, noise, _FIRST_ROUNDS)

    def solve(self, x: FloatArray) -> _Solution:
        """Return the solution near scaled parameters."""
        for _ in range(2):  # the scale of the noise is known once it fits
            noise = 1.4826 * float(np.median(np.abs(self._residual(x))))
            x = self._descend(x, max(noise, _FLOOR * self._size), _ROUNDS)[1]
        return self._judged(x, self._residual(x))

    def _descend(self, x: FloatArray, noise: float, rounds: int) -> tuple[float, FloatArray]:
        result = least_squares(
            self._residual, x, self._jacobian,
            bounds=(self._lower[self._used], self._upper[self._used]),
            loss='soft_l1', f_scale=_LINEAR * noise, max_nfev=rounds,
            ftol=_TOLERANCE, xtol=_TOLERANCE,
        )  # fmt: skip
        return float(result.cost), result.x

    def _judged(self, x: FloatArray, residual: FloatArray) -> _Solution:
        jacobian = self._jacobian(x)
        count = len(residual)
        repeated = _correlation_time(residual)  # samples that say the same
        floor = _FLOOR * self._size
        noise = max(1.4826 * float(np.median(np.abs(residual))), floor)
        usual = np.clip(residual, -_USUAL * noise, _USUAL * noise)  # outliers aside
        variance = float(np.mean(usual**2)) + (0.1 * floor) ** 2
        information = jacobian.T @ jacobian / variance / repeated
        covariance = np.linalg.pinv(information, rcond=1e-12)
        sigma = np.zeros(6)
        sigma[self._used] = np.sqrt(np.diag(covariance))
        response = self._response(self._full(x))
        t = response.time_constant
        sigma[:3] *= (_DELAY_SCALE, t, response.damping)
        sigma[4:] *= self._size
        # d(lag) by the scaled parameters: delay, log T, log damping
        dynamic = response.lag - response.delay
        slope = np.array([_DELAY_SCALE, dynamic, dynamic, 0.0, 0.0, 0.0])[self._used]
        interval = {
            name: CONFIDENCE * float(s) for name, s in zip(NAMES, sigma, strict=True) if s > 0.0
        }
        lag_interval = CONFIDENCE * float(np.sqrt(max(slope @ covariance @ slope, 0.0)))
        effective = max(count / repeated, 10.0)
        return _Solution(response, interval, lag_interval, variance, effective, len(x))

    def _residual(self, x: FloatArray) -> FloatArray:
        record, response = self._record, self._response(self._full(x))
        moved = lagging(response, record.knots, record.targets, record.stamps)
        rest = response.inverse(float(record.positions[0]))
        q = response.offset + response.gain * play(moved, response.backlash, rest)
        return (q - record.positions)[self._keep]

    def _jacobian(self, x: FloatArray) -> FloatArray:
        columns = []
        for i, step in enumerate(_STEPS[self._used]):
            ahead, behind = x.copy(), x.copy()
            ahead[i] = min(x[i] + step, self._upper[self._used][i])
            behind[i] = max(x[i] - step, self._lower[self._used][i])
            change = self._residual(ahead) - self._residual(behind)
            columns.append(change / (ahead[i] - behind[i]))
        return np.stack(columns, axis=1)

    def _full(self, x: FloatArray) -> FloatArray:
        full = self._base.copy()
        full[self._used] = x
        return full

    def _scaled(self, r: JointResponse) -> FloatArray:
        x = np.array(
            [r.delay / _DELAY_SCALE, np.log(r.time_constant or _T_MIN), np.log(r.damping), r.gain,
             r.offset / self._size, r.backlash / self._size]
        )  # fmt: skip
        margin = 1e-6 * (self._upper - self._lower)
        return np.clip(x, self._lower + margin, self._upper - margin)

    def _response(self, x: FloatArray) -> JointResponse:
        # Rounding may lead a little beyond a bound.
        t = min(float(np.exp(x[1])), MAX_TIME_CONSTANT) if self._order else 0.0
        return JointResponse(
            float(np.clip(x[0] * _DELAY_SCALE, MIN_DELAY, MAX_DELAY)),
            self._order,
            t,
            min(float(np.exp(x[2])), MAX_DAMPING),
            float(x[3]),
            float(np.clip(x[4] * self._size, -10.0, 10.0)),
            float(x[5] * self._size),
        )


def _shifted(record: JointRecord, lag: float) -> FloatArray:
    return np.interp(record.stamps - lag, record.knots, record.targets)


def _guess(record: JointRecord) -> tuple[float, float]:
    """Return the lag [s] and gain [1] of the best pure delay."""
    q = record.positions - np.mean(record.positions)
    best = (np.inf, 0.0, 1.0)
    for lag in _LAGS:
        u = _shifted(record, float(lag))
        u = u - np.mean(u)
        power = float(u @ u)
        gain = float(u @ q) / power if power > 0.0 else 0.0
        error = float(np.sum((q - gain * u) ** 2))
        best = min(best, (error, float(lag), gain))
    return best[1], float(np.clip(best[2], 0.05, 20.0))


def _correlation_time(residual: FloatArray) -> float:
    """Return how many neighbouring (N,) residuals say the same [samples], >= 1."""
    r = residual - np.mean(residual)
    count = len(r)
    spectrum = np.fft.rfft(r, 2 * count)
    auto = np.fft.irfft(np.abs(spectrum) ** 2)[:count]
    if auto[0] <= 0.0:
        return 1.0
    auto = auto / auto[0]
    end = int(np.argmax(auto < 0.05)) or count
    return float(max(1.0, 1.0 + 2.0 * np.sum(auto[1:end])))


def _plateau(record: JointRecord) -> BoolArray:
    """Return (N,) where the joint stands at an end of its motion and the command is beyond."""
    size, q = record.excursion, record.positions
    u = np.interp(record.stamps, record.knots, record.targets)
    low, high = np.percentile(q, (0.5, 99.5))
    near = max(_PLATEAU * size, resolution(q))
    at_high = (q > high - near) & (u - high > _BEYOND * size)
    at_low = (q < low + near) & (low - u > _BEYOND * size)
    found: BoolArray = at_high | at_low
    if np.mean(found) < _CLIPPED:
        return np.zeros(len(q), dtype=bool)
    return found


def _saturated(record: JointRecord, keep: BoolArray, error: FloatArray) -> str:
    """Return at which ends the joint stood although the fitted one would have gone on."""
    beyond = _BEYOND * record.excursion
    middle = float(np.median(record.positions))
    ends = []
    for name, side in (('low', -1.0), ('high', 1.0)):
        part = ~keep & (side * (record.positions - middle) > 0.0)
        if part.any() and float(np.mean(-side * error[part])) > beyond:
            ends.append(name)
    return ' and '.join(ends)
