"""Where the gate begins: at the measured position, and anew where the robot went its own way."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from mimic_control.measured import Measured
from mimic_control.params import GateParams
from mimic_core.arrays import FloatArray
from mimic_description import RobotModel

STEADY: Final = 0.02  # [rad] or [m] motion of a robot that counts as standing
SETTLE: Final = 0.2  # [s] that a robot which went its own way must stand before a new beginning
HAIR: Final = 0.005  # [rad] or [m] beyond a bound that a sensor may err
BRAKE_TIME: Final = 0.05  # [s] of being away from its command before the gate falls silent


class Anchor:
    """Compares what is measured with what was sent."""

    def __init__(self, robot: RobotModel, params: GateParams) -> None:
        self.measured: Final = Measured(robot.joint_names)
        self._names = robot.joint_names
        self._arms = len(robot.arm_joints)
        self._lower, self._upper = robot.limits.lower, robot.limits.upper
        self._params = params
        self._away_since: float | None = None
        self._standing: tuple[float, FloatArray] | None = None

    def missing(self, now: float) -> str:
        """Return which joint is not known well enough to move, '' when all are."""
        return self.measured.missing(now, self._params.state_timeout)

    def begins(self, now: float, sent: FloatArray | None) -> tuple[bool, str]:
        """Tell whether to begin at the measured position now, and why not to move.

        Args:
            now: [s].
            sent: (J,) the last output, None before the first.
        """
        q = self.measured.q
        outside = self._outside(q)
        if sent is None:
            return not outside, outside
        away = self._away(q, sent)
        if not away:
            self._away_since = self._standing = None
            return False, ''
        if self._away_since is None:
            self._away_since = now
        if outside or not self.off_track(now) or not self._stands(now, q):
            return False, away
        self._away_since = self._standing = None
        return True, away

    def start(self) -> FloatArray:
        """Return (J,) the measured position, on the bound where it is a hair beyond it."""
        q = self.measured.q
        inside = np.clip(q, self._lower, self._upper)
        return np.where(np.abs(q - inside) <= HAIR, inside, q)

    def off_track(self, now: float) -> bool:
        """Tell whether the robot is away from its command for so long that nothing is sent."""
        return self._away_since is not None and now - self._away_since > BRAKE_TIME

    def clock_was_set_back(self) -> None:
        """Forget every time."""
        self.measured.forget_times()
        self._away_since = self._standing = None

    def of(self, names: Sequence[str]) -> FloatArray:
        """Return (N,) the last measured positions of joints, NaN where there are none."""
        return np.array([self.measured.q[self._names.index(name)] for name in names])

    def _outside(self, q: FloatArray) -> str:
        beyond = np.maximum(self._lower - q, q - self._upper)
        i = int(np.argmax(beyond))
        if beyond[i] <= self._params.max_tracking_error:
            return ''
        return (
            f'{self._names[i]} is measured at {q[i]:.3f}, '
            f'outside [{self._lower[i]:.3f}, {self._upper[i]:.3f}]'
        )

    def _away(self, q: FloatArray, sent: FloatArray) -> str:
        """Return which arm joint is not where it was sent; fingers may be held up by an object."""
        if not self._arms:
            return ''
        error = np.abs(q - sent)[: self._arms]
        i, bound = int(np.argmax(error)), self._params.max_tracking_error
        if error[i] <= bound:
            return ''
        return f'{self._names[i]} is {error[i]:.2f} away from its command (bound {bound:g})'

    def _stands(self, now: float, q: FloatArray) -> bool:
        if self._standing is None or np.abs(q - self._standing[1]).max() > STEADY:
            self._standing = (now, q.copy())
        return now - self._standing[0] >= SETTLE
