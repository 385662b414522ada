"""Limits by differences of what is sent, whatever is asked; and how well a target is met."""

import numpy as np
import pytest

from mimic_control.brake import State
from mimic_control.limiter import JointLimiter, TimedMove
from mimic_control.reference import Fixed
from mimic_core.errors import LimitError
from mimic_core.limits import JointLimits

PERIOD = 0.01
ARM = slice(0, 3)
LIMITS = JointLimits(
    lower=np.array([-2.9, -2.0, -1.0, -0.3, 0.0, -0.1]),
    upper=np.array([2.9, 2.0, 1.5, 1.6, 0.04, 1.0]),
    max_speed=np.array([1.5, 1.3, 2.3, 3.1, 0.2, 6.0]),
    max_acceleration=np.array([10.0, 10.0, 10.0, 100.0, 2.0, 400.0]),
    max_jerk=np.array([500.0, 500.0, 500.0, 5000.0, 100.0, 2e4]),
)


class Moving:
    """A target with a velocity that need not fit."""

    def __init__(self, q: np.ndarray, v: np.ndarray) -> None:
        self.q, self.v = q, v

    def at(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.q + np.outer(times - times[0], self.v), np.tile(self.v, (len(times), 1))


class Wave:
    def at(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        w = 2 * np.pi * 0.5
        size = 0.5 * (LIMITS.upper - LIMITS.lower)
        size = np.minimum(0.4 * size, 0.4 * LIMITS.max_speed / w)
        middle = 0.5 * (LIMITS.upper + LIMITS.lower)
        return (
            middle + np.outer(np.sin(w * times), size),
            np.outer(np.cos(w * times), size * w),
        )


def worst(q: np.ndarray, limits: JointLimits = LIMITS) -> float:
    """Return the largest difference of samples relative to its limit."""
    ratios = [np.max(limits.lower - q), np.max(q - limits.upper)]
    result = 2.0 if max(ratios) > 1e-9 else 0.0
    for order, bound in (
        (1, limits.max_speed),
        (2, limits.max_acceleration),
        (3, limits.max_jerk),
    ):
        result = max(result, (np.abs(np.diff(q, n=order, axis=0)) / PERIOD**order / bound).max())
    return result


def follow(limiter: JointLimiter, reference: object, ticks: int, scale: float = 1.0) -> np.ndarray:
    rows = [limiter.state.q] * 3
    for k in range(ticks):
        limiter.accept(limiter.propose(reference, k * PERIOD, scale))
        rows.append(limiter.state.q)
    return np.array(rows)


def started(q: np.ndarray) -> JointLimiter:
    limiter = JointLimiter(LIMITS, PERIOD)
    limiter.reset(q)
    return limiter


@pytest.mark.parametrize('seed', range(4))
def test_nothing_it_is_asked_breaks_a_limit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    limiter = started(LIMITS.clip(np.zeros(6)))
    rows = [limiter.state.q] * 3
    target: object = Fixed(limiter.state.q)
    for k in range(2000):
        u = rng.random()
        if u < 0.1:
            q = rng.choice([-50.0, 50.0, 0.0, 1.0], 6) * rng.choice([1.0, rng.random()])
            target = Moving(q, rng.normal(size=6) * rng.choice([0.0, 1.0, 10.0, 1e6]))
        elif u < 0.2:
            near = limiter.state.q + rng.normal(size=6) * 10.0 ** rng.uniform(-6, 0)
            target = Moving(near, rng.normal(size=6) * 0.3)
        elif u < 0.25:
            limiter.accept(limiter.stopping())
            rows.append(limiter.state.q)
            continue
        scale = 1.0 if u < 0.9 else float(rng.uniform(0.01, 1.0))
        limiter.accept(limiter.propose(target, k * PERIOD, scale))
        rows.append(limiter.state.q)
    assert worst(np.array(rows)) <= 1.0 + 1e-6


def test_a_step_is_reached_soon_and_not_overshot() -> None:
    start = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    goal = np.array([1.0, -1.0, 1.5, 1.6, 0.04, 1.0])
    q = follow(started(start), Fixed(goal), 250)
    assert worst(q) <= 1.0 + 1e-6
    np.testing.assert_allclose(q[-1], goal, atol=1e-9)
    moved = np.abs(goal - start)
    # the quickest motion: constant speed, and one ramp of acceleration and of jerk
    quickest = (
        moved / LIMITS.max_speed
        + LIMITS.max_speed / LIMITS.max_acceleration
        + LIMITS.max_acceleration / LIMITS.max_jerk
    )
    reached = np.argmax(np.abs(q - goal) < 1e-3, axis=0) * PERIOD
    assert (reached < quickest + 0.12).all(), (reached, quickest)
    overshoot = ((q - goal) * np.sign(goal - start)).max(axis=0)
    assert (overshoot <= 2e-3).all()
    assert (overshoot[[2, 3, 4, 5]] <= 1e-12).all(), 'these goals are on the position bound'


def test_a_smooth_target_is_tracked_without_lag() -> None:
    reference = Wave()
    limiter = started(reference.at(np.zeros(1))[0][0])
    q = follow(limiter, reference, 800)
    assert worst(q) <= 1.0 + 1e-6
    wanted = reference.at((np.arange(800) + 1) * PERIOD)[0]
    error = np.abs(q[3:] - wanted)[100:].max(axis=0)
    assert (error < 0.003 * LIMITS.max_speed).all(), error  # 3 ms at most


def test_a_joint_outside_its_bounds_comes_back_and_stays_in() -> None:
    start = LIMITS.upper + np.array([0.2, 0.1, 0.0, 0.1, 0.0, 0.0])
    limiter = started(start)
    q = follow(limiter, Fixed(LIMITS.upper + 5.0), 100)
    assert (q <= start + 1e-12).all()
    q = follow(limiter, Fixed(np.zeros(6)), 100)
    q = follow(limiter, Fixed(LIMITS.upper + 5.0), 600)
    assert (q[-1] <= LIMITS.upper + 1e-9).all()


def test_the_scale_slows_down() -> None:
    q = follow(started(np.zeros(6)), Fixed(LIMITS.upper), 40, scale=0.2)
    speed = np.abs(np.diff(q, axis=0)).max(axis=0) / PERIOD
    assert (speed <= 0.2 * LIMITS.max_speed * (1 + 1e-6)).all()
    assert (speed[:2] > 0.19 * LIMITS.max_speed[:2]).all()


def test_a_timed_move_arrives_with_all_joints_at_once() -> None:
    start, goal = State.rest(np.zeros(6)), np.array([1.0, -1.0, 1.0, 1.0, 0.04, 1.0])
    slow = LIMITS.scaled(0.3, 0.3, 0.3)
    move = TimedMove(start, goal, slow, begin=5.0)
    assert move.duration >= 1.0 / (0.3 * 1.3)
    q, v = move.at(np.array([4.0, 5.0, 5.0 + move.duration - 1e-6, 99.0]))
    np.testing.assert_allclose(q[:2], 0.0, atol=1e-12)
    np.testing.assert_allclose(q[2:], np.tile(goal, (2, 1)), atol=1e-6)
    np.testing.assert_allclose(v, 0.0, atol=1e-4)
    t = 5.0 + 0.9 * move.duration
    assert (np.abs(move.at(np.array([t]))[0][0] - goal) > 1e-4).all()


def test_a_move_that_cannot_be_is_refused() -> None:
    with pytest.raises(LimitError, match='no motion'):
        TimedMove(State.rest(np.zeros(6)), np.full(6, np.nan), LIMITS, 0.0)
