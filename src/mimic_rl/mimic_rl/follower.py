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
from mimic_rl.follower_kernels import send
from mimic_rl.motion import curve
from mimic_rl.runner_params import PracticeRunnerParams


class Follower:
    """What B gates send while runners go along the curve between targets. J joints.

    They move as the gate's limiter does. Where no path of its horizons keeps the bounds, theirs is
    only nearly the quickest; what else a gate looks after is left out.
    """

    def __init__(self, limits: JointLimits, rate: float, substeps: int, count: int) -> None:
        """Args: rate: of policy steps [Hz]; substeps: of the physics in one; count: B."""
        self._period = 1.0 / (rate * substeps)  # [s]
        steps = np.arange(substeps)
        share = self._period * PracticeRunnerParams().rate  # commands in a step of the physics
        commands = np.floor(steps * share + 1e-9)
        offers = np.flatnonzero(np.diff(commands, prepend=-1.0) > 0.5)  # (O,) a command comes then
        self._shares = (offers / substeps)[:, None, None]  # (O, 1, 1) of a policy step [1]
        intervals = np.diff(offers, prepend=offers[-1] - substeps) * self._period
        self._intervals = intervals[:, None, None]  # (O, 1, 1) since the command before [s]
        self._offer = np.searchsorted(offers, steps, side='right') - 1  # (S,) the last command
        carry = np.minimum(CARRY * intervals, GateParams().max_extrapolation)
        since = (steps - offers[self._offer]) * self._period
        self._elapsed = np.minimum(since, carry[self._offer])  # (S,) [s]
        self._horizons = np.maximum(np.array(HORIZONS) * SHORTEST_PERIOD, self._period)  # [s]
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
        points = curve(earlier, before, after, self._shares)  # (O, B, J)
        changes = np.diff(points, axis=0, prepend=self.point[None]) / self._intervals
        speeds = carried_speed(changes, np.concatenate([self.change[None], changes[:-1]]))
        sent = np.empty((len(self.q), len(self._offer), self.q.shape[1]))
        send(
            self.q, self.v, self.a, points, speeds, self._offer, self._elapsed, self._period,
            self._horizons, *self._bounds, OVERSHOOT, sent,
        )  # fmt: skip
        self.point[:], self.change[:], self.speed[:] = points[-1], changes[-1], speeds[-1]
        return sent

    def snapshot(self) -> dict[str, FloatArray]:
        """Return the arrays, (B, J) each, that it goes on with; they may be written to."""
        return {
            'sent_q': self.q, 'sent_v': self.v, 'sent_a': self.a, 'asked': self.point,
            'asked_change': self.change, 'asked_speed': self.speed,
        }  # fmt: skip
