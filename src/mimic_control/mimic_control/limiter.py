"""Online limiter: from wherever the joints are, one tick towards a moving target, within limits.

Its promise concerns what is sent: positions at a fixed period whose first, second and third
differences stay within the speed, acceleration and jerk limits, whatever the targets do. It holds
because the samples lie on one curve with continuous acceleration and bounded jerk, and because
every state that is entered can still brake before each bound (`Brake`).
"""

from typing import Final, Protocol

import numpy as np
from ruckig import (
    InputParameter,
    Result,
    Ruckig,
    RuckigError,
    Synchronization,
    Trajectory,
)

from mimic_control.brake import Brake, State
from mimic_core.arrays import BoolArray, FloatArray
from mimic_core.errors import LimitError
from mimic_core.limits import JointLimits

HORIZONS: Final = (7, 10, 15, 22)  # [periods] in which a small error is closed, quickest first
SHORTEST_PERIOD: Final = 0.01  # [s] of horizons: faster devices get finer steps, no harder ones
SAMPLING: Final = 0.005  # [s] of a timed motion, between which it is a cubic
INSIDE: Final = 1.0 - 1e-6  # [1] of every bound, so that rounding stays within it
MAX_TARGET_SPEED: Final = 0.95  # [1] of the speed limit: what is left is for catching up
OVERSHOOT: Final = 0.1  # [1] of the error that a short-horizon path may run past its target
_SAMPLES: Final = np.array([0.0, 0.25, 0.5, 0.75, 1.0])[:, None, None]  # of a path, normalised


class Reference(Protocol):
    """Where J joints should be over time."""

    def at(self, times: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return positions (T, J) [rad] and velocities (T, J) [rad/s] at times (T,) [s]."""
        ...


class JointLimiter:
    """Holds the state of what was sent last and proposes what to send next."""

    def __init__(self, limits: JointLimits, period: float) -> None:
        """Args: period: time between two outputs [s]."""
        self.limits: Final = limits
        self.period: Final = period
        self.state = State.rest(0.5 * (limits.lower + limits.upper))
        self._lower, self._upper = limits.lower.copy(), limits.upper.copy()
        self._v_max = limits.max_speed * INSIDE
        self._a_max = limits.max_acceleration * INSIDE
        self._j_max = limits.max_jerk * INSIDE
        self.horizons: Final = np.array([0.0, *HORIZONS]) * max(period, SHORTEST_PERIOD)
        h = float(self.horizons[-1])
        # Of a quintic from rest to rest: speed 15/8, acceleration 10/sqrt(3), jerk 60 at most.
        self.longest_straight: Final = np.minimum.reduce(
            [
                self._v_max * h * 8.0 / 15.0,
                self._a_max * h**2 * np.sqrt(3.0) / 10.0,
                self._j_max * h**3 / 60.0,
            ]
        )  # (J,) [rad] or [m], the longest way of `straight`
        self._stop: tuple[State, Brake] | None = None  # the last one asked for

    def reset(self, q: FloatArray) -> None:
        """Start anew at rest at (J,) positions.

        A joint outside its position bounds may stay there but not go further out, and the bound
        follows it back in.
        """
        self.state = State.rest(q)
        self._lower = np.minimum(self.limits.lower, q)
        self._upper = np.maximum(self.limits.upper, q)

    def brake(self, state: State | None = None) -> Brake:
        """Return the quickest stop from a state, or from the present one."""
        wanted = state or self.state
        if self._stop is None or self._stop[0] is not wanted:
            self._stop = wanted, Brake(wanted, self._a_max, self._j_max)
        return self._stop[1]

    def accept(self, state: State) -> None:
        """Make a proposed state the present one."""
        self.state = state
        self._lower = np.minimum(self.limits.lower, np.maximum(self._lower, state.q))
        self._upper = np.maximum(self.limits.upper, np.minimum(self._upper, state.q))

    def stopping(self) -> State:
        """Return the next state on the way to rest."""
        return self.brake().at(self.period)

    def propose(self, reference: Reference, now: float, scale: float = 1.0) -> State:
        """Return the next state on the way to a reference.

        Args:
            reference: Where the joints should be.
            now: Time of the present state [s]; the next one is one period later.
            scale: Of the speed limits [1], 0 < scale <= 1; a faster state slows down to it.
        """
        v_max = self._v_max * scale
        p, v = reference.at(now + self.horizons)
        clipped = np.clip(p, self._lower, self._upper)
        v = np.where(
            p == clipped, np.clip(v, -MAX_TARGET_SPEED * v_max, MAX_TARGET_SPEED * v_max), 0.0
        )
        smooth, fine = self._smooth(clipped[1:], v[1:], v_max)
        smooth, found = _first(smooth, fine)
        found = found & self._safe(smooth)
        if found.all():
            return smooth
        quickest, solved = self._quickest(clipped[0], v[0], v_max)
        proposed = smooth.where(found, quickest)
        found = (found | solved) & self._safe(proposed)
        return proposed.where(found, self.stopping())

    def straight(self, goal: FloatArray, scale: float = 1.0) -> State | None:
        """Return the next state on a way to a near goal (J,) on which all joints keep in step.

        From rest it is a straight line in joint space. None where no horizon is long enough.
        """
        count = len(self.horizons) - 1
        p = np.tile(np.clip(goal, self._lower, self._upper), (count, 1))
        steps, fine = self._smooth(p, np.zeros_like(p), self._v_max * scale)
        for i in np.flatnonzero(fine.all(axis=1)):
            step = State(steps.q[i], steps.v[i], steps.a[i])
            if self._safe(step).all():
                return step
        return None

    def _safe(self, state: State) -> BoolArray:
        """Tell which joints of a next state are within bounds and can brake within them."""
        stop = self.brake(state)
        left = state.v + state.a * np.abs(state.a) / (2.0 * self._j_max)
        fine: BoolArray = (
            (stop.low >= self._lower)
            & (stop.high <= self._upper)
            & (np.abs(state.a) <= self._a_max * (1.0 + 1e-9))
            & (np.maximum(np.abs(left), np.abs(state.v)) <= self._v_max * (1.0 + 1e-9))
            & (np.abs(state.q - self.state.q) <= self._v_max * self.period)
        )
        return fine

    def _smooth(self, p: FloatArray, v: FloatArray, v_max: FloatArray) -> tuple[State, BoolArray]:
        """Return the first steps of quintic paths to the reference, and which keep the limits.

        Args:
            p: (H, J) reference at the end of each horizon.
            v: (H, J) its velocity there.
            v_max: (J,) speed bound.

        Returns:
            The (H, J) states one period on, and (H, J) whether the path keeps the limits.
        """
        now, h = self.state, self.horizons[1:, None]
        x0, v0, a0 = now.q - p + v * h, (now.v - v) * h, now.a * h * h  # relative to the target
        # x(s) = x0 + v0 s + a0 s^2 / 2 + c3 s^3 + c4 s^4 + c5 s^5 with x = x' = x'' = 0 at s = 1
        d, e = -x0 - v0 - 0.5 * a0, -v0 - a0
        c3 = 10.0 * d - 4.0 * e - 0.5 * a0
        c4 = -15.0 * d + 7.0 * e + a0
        c5 = 6.0 * d - 3.0 * e - 0.5 * a0
        s = _SAMPLES
        x = x0 + s * (v0 + s * (0.5 * a0 + s * (c3 + s * (c4 + s * c5))))
        speed = (v0 + s * (a0 + s * (3 * c3 + s * (4 * c4 + s * 5 * c5)))) / h + v
        acceleration = (a0 + s * (6 * c3 + s * (12 * c4 + s * 20 * c5))) / (h * h)
        jerk = (6 * c3 + s * (24 * c4 + s * 60 * c5)) / h**3
        past = np.max(-np.sign(x0) * x, axis=0)  # how far beyond the target
        fine = (
            (np.abs(speed[1:]) <= np.maximum(v_max, np.abs(now.v))).all(axis=0)
            & (np.abs(acceleration[1:]) <= self._a_max).all(axis=0)
            & (np.abs(jerk) <= self._j_max).all(axis=0)
            & (past <= OVERSHOOT * np.abs(x0) + v_max * self.period)
        )
        s1 = self.period / h
        first = (6 * c3 + s1 * (24 * c4 + s1 * 60 * c5)) / h**3
        # Within one step a curve exceeds its ends by at most an eighth of (step^2 * curvature).
        bend = np.abs(120.0 * c5) * s1 * s1 / h**3 / 8.0
        fine &= np.maximum(np.abs(jerk[0]), np.abs(first)) + bend <= self._j_max
        x1 = x0 + s1 * (v0 + s1 * (0.5 * a0 + s1 * (c3 + s1 * (c4 + s1 * c5))))
        v1 = (v0 + s1 * (a0 + s1 * (3 * c3 + s1 * (4 * c4 + s1 * 5 * c5)))) / h
        a1 = (a0 + s1 * (6 * c3 + s1 * (12 * c4 + s1 * 20 * c5))) / (h * h)
        bend = np.maximum(np.abs(24.0 * c4), np.abs(24.0 * c4 + 120.0 * c5 * s1)) * s1 * s1 / 8.0
        fine &= np.maximum(np.abs(now.a), np.abs(a1)) + bend / (h * h) <= self._a_max
        steps = State(p - v * h + v * self.period + x1, v1 + v, a1)
        return steps, fine

    def _quickest(
        self, p: FloatArray, v: FloatArray, v_max: FloatArray
    ) -> tuple[State, BoolArray]:
        """Return the first step of the time-optimal path to a point moving at constant velocity.

        Solved in the frame that moves with the point, where it is a path to rest.
        """
        now = self.state
        x, speed = now.q - p, now.v - v
        low, high = -v_max - v, v_max - v
        step = self._solve(x, speed, now.a, low, high)
        solved = np.ones(len(p), dtype=bool)
        if step is None:  # it fails as a whole when one joint is numerically hard: find out which
            step = State(np.zeros_like(p), np.zeros_like(p), np.zeros_like(p))
            for i in range(len(p)):
                one = slice(i, i + 1)
                single = self._solve(x[one], speed[one], now.a[one], low[one], high[one], one)
                solved[i] = single is not None
                if single is not None:
                    step.q[i], step.v[i], step.a[i] = single.q[0], single.v[0], single.a[0]
        return State(step.q + p + v * self.period, step.v + v, step.a), solved

    def _solve(
        self,
        x: FloatArray,
        v: FloatArray,
        a: FloatArray,
        v_low: FloatArray,
        v_high: FloatArray,
        joints: slice = slice(None),
    ) -> State | None:
        """Return the state one period on the quickest way to rest at 0, None if none is found."""
        inputs = InputParameter(len(x))
        inputs.synchronization = Synchronization.No
        inputs.current_position, inputs.current_velocity = x, v
        inputs.current_acceleration = a
        inputs.target_position = np.zeros_like(x)
        inputs.max_velocity, inputs.min_velocity = v_high, v_low
        inputs.max_acceleration, inputs.max_jerk = self._a_max[joints], self._j_max[joints]
        trajectory = _solved(inputs, len(x))
        if trajectory is None:
            return None
        return State(*(np.array(row) for row in trajectory.at_time(self.period)))


class TimedMove:
    """A synchronised motion to rest, as a reference: all joints arrive together."""

    def __init__(self, start: State, goal: FloatArray, limits: JointLimits, begin: float) -> None:
        """Args: start, goal: of J joints; limits: of this motion; begin: time of the start [s].

        Raises:
            LimitError: There is no such motion.
        """
        inputs = InputParameter(len(goal))
        inputs.current_position, inputs.target_position = start.q, goal
        inputs.current_velocity, inputs.current_acceleration = start.v, start.a
        inputs.max_velocity = limits.max_speed
        inputs.max_acceleration = limits.max_acceleration
        inputs.max_jerk = limits.max_jerk
        inputs.synchronization = Synchronization.Time
        trajectory = _solved(inputs, len(goal))
        if trajectory is None:
            raise LimitError('no motion to that position within the limits')
        self.goal, self.begin = np.array(goal), begin
        self.duration = float(trajectory.duration)  # [s]
        count = int(np.ceil(self.duration / SAMPLING)) + 2
        self._times = np.linspace(0.0, max(self.duration, SAMPLING), count)
        rows = [trajectory.at_time(min(float(t), self.duration)) for t in self._times]
        self._q = np.array([row[0] for row in rows])
        self._v = np.array([row[1] for row in rows])

    def at(self, times: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return positions and velocities (T, J) at times (T,) [s]."""
        t = np.clip(times - self.begin, 0.0, self._times[-1])
        i = np.clip(np.searchsorted(self._times, t, side='right') - 1, 0, len(self._times) - 2)
        h = self._times[1]
        s = ((t - self._times[i]) / h)[:, None]
        q0, q1, v0, v1 = self._q[i], self._q[i + 1], self._v[i] * h, self._v[i + 1] * h
        c2, c3 = 3.0 * (q1 - q0) - 2.0 * v0 - v1, 2.0 * (q0 - q1) + v0 + v1
        q = q0 + s * (v0 + s * (c2 + s * c3))
        return q, (v0 + s * (2.0 * c2 + s * 3.0 * c3)) / h


def _first(steps: State, fine: BoolArray) -> tuple[State, BoolArray]:
    """Return for each joint the first of (H, J) states that is fine, and whether there is one."""
    choice = np.argmax(fine, axis=0)
    joints = np.arange(len(choice))
    chosen = State(steps.q[choice, joints], steps.v[choice, joints], steps.a[choice, joints])
    found: BoolArray = np.asarray(fine.any(axis=0))
    return chosen, found


def _solved(inputs: InputParameter, joints: int) -> Trajectory | None:
    """Return the quickest trajectory, None where none is found.

    Nothing of the solver is kept: making it anew takes 20 µs, and what is alive when Python ends
    makes it complain.
    """
    trajectory = Trajectory(joints)
    try:
        result = Ruckig(joints).calculate(inputs, trajectory)
    except RuckigError:
        return None
    return trajectory if result in (Result.Working, Result.Finished) else None
