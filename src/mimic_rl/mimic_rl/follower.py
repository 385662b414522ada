"""How a robot's gate follows a runner, for many robots at once: late, and past sharp turns.

A gate does not know what a policy will ask for next: it carries the last point on at its speed
and moves there smoothly. Near the bounds of its accelerations that costs a centimetre at the
finger tips, so practice has it too.
"""

from typing import Final

import numpy as np

from mimic_control import GateParams
from mimic_control.limiter import HORIZONS, MAX_TARGET_SPEED, OVERSHOOT, SHORTEST_PERIOD
from mimic_control.reference import CARRY, carried_speed
from mimic_core.arrays import FloatArray, IntArray
from mimic_core.limits import JointLimits
from mimic_retargeting.compiled import plain
from mimic_rl.kernels import send
from mimic_rl.motion import curve
from mimic_rl.runner_params import PracticeRunnerParams


class Follower:
    """What B gates send while runners go along the curve between targets. J joints.

    They move as the gate's limiter does. Where no path of its horizons keeps the bounds, theirs is
    only nearly the quickest; what else a gate looks after is left out.
    """

    def __init__(self, limits: JointLimits, rate: float, substeps: int, count: int) -> None:
        """Args: rate: of policy steps [Hz]; substeps: of the physics in one; count: B."""
        self._limits = limits
        self._period = 1.0 / (rate * substeps)  # [s]
        self._substeps = substeps
        share = self._period * PracticeRunnerParams().rate  # commands in a step of the physics
        commands = np.floor(np.arange(substeps) * share + 1e-9)
        self._fresh = np.diff(commands, prepend=-1.0) > 0.5  # (S,) a command comes before it
        offers = np.flatnonzero(self._fresh)
        gaps = np.diff(offers, prepend=offers[-1] - substeps)
        self._interval = dict(zip(offers.tolist(), (gaps * self._period).tolist(), strict=True))
        self._horizons = np.maximum(np.array(HORIZONS) * SHORTEST_PERIOD, self._period)  # [s]
        self._carry = GateParams().max_extrapolation  # [s]
        self._bounds = (
            plain(limits.lower), plain(limits.upper), plain(limits.max_speed),
            plain(limits.max_acceleration), plain(limits.max_jerk),
            plain(MAX_TARGET_SPEED * limits.max_speed),
        )  # fmt: skip
        shape = (count, len(limits.lower))
        self.q: Final = np.zeros(shape)  # what was sent last [rad] or [m]
        self.v: Final = np.zeros(shape)
        self.a: Final = np.zeros(shape)
        self.point: Final = np.zeros(shape)  # what was asked for last
        self.change: Final = np.zeros(shape)  # its speed, from the last two
        self.speed: Final = np.zeros(shape)  # with which it is carried on

    def begin(self, rows: IntArray, q: FloatArray) -> None:
        """Begin at rest with robots (R,) at joints (R, J)."""
        self.q[rows] = self.point[rows] = q
        self.v[rows] = self.a[rows] = self.change[rows] = self.speed[rows] = 0.0

    def follow(self, earlier: FloatArray, before: FloatArray, after: FloatArray) -> FloatArray:
        """Return (B, S, J) what is sent in each step of the physics of a policy step.

        Args:
            earlier: (B, J) targets of the step before the last; see `curve`.
            before: (B, J) of the last step.
            after: (B, J) of this step.
        """
        sent = np.empty((len(self.q), self._substeps, self.q.shape[1]))
        elapsed = carry = 0.0
        for step in range(self._substeps):
            if self._fresh[step]:
                interval = self._interval[step]
                self._offer(curve(earlier, before, after, step / self._substeps), interval)
                elapsed, carry = 0.0, min(CARRY * interval, self._carry)
            self._move(min(elapsed, carry))
            elapsed += self._period
            sent[:, step] = np.clip(self.q, self._limits.lower, self._limits.upper)
        return sent

    def snapshot(self) -> dict[str, FloatArray]:
        """Return the arrays, (B, J) each, that it goes on with; they may be written to."""
        return {
            'sent_q': self.q, 'sent_v': self.v, 'sent_a': self.a, 'asked': self.point,
            'asked_change': self.change, 'asked_speed': self.speed,
        }  # fmt: skip

    def _offer(self, point: FloatArray, interval: float) -> None:
        change = (point - self.point) / interval
        self.speed[:] = carried_speed(change, self.change)
        self.change[:], self.point[:] = change, point

    def _move(self, elapsed: float) -> None:
        send(
            self.q, self.v, self.a, self.point, self.speed, elapsed, self._period, self._horizons,
            *self._bounds, OVERSHOOT,
        )  # fmt: skip
