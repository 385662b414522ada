"""The stop in closed form against integration, and its bounds against its samples."""

import numpy as np
import pytest

from mimic_control.brake import Brake, State, Way

A_MAX, J_MAX = np.array([10.0, 100.0, 2.0]), np.array([500.0, 5000.0, 5.0])


def random_state(rng: np.random.Generator, rows: int = 100) -> State:
    a = rng.uniform(-1.0, 1.0, (rows, 3)) * A_MAX
    return State(rng.normal(size=(rows, 3)), rng.normal(size=(rows, 3)), a)


def test_it_ends_at_rest_within_acceleration_and_jerk() -> None:
    stop = Brake(random_state(np.random.default_rng(0)), A_MAX, J_MAX)
    steps = 2000
    dt = stop.longest / steps
    states = [stop.at(i * dt) for i in range(steps + 2)]
    q = np.array([s.q for s in states])
    v = np.array([s.v for s in states])
    a = np.array([s.a for s in states])
    assert np.abs(a).max(axis=(0, 1)) == pytest.approx(np.minimum(A_MAX, np.abs(a).max((0, 1))))
    assert (np.abs(np.diff(a, axis=0)) <= J_MAX * dt * (1 + 1e-6)).all()
    # velocity is the derivative of position, acceleration that of velocity
    np.testing.assert_allclose(np.diff(q, axis=0) / dt, 0.5 * (v[1:] + v[:-1]), atol=1e-3)
    error = np.abs(np.diff(v, axis=0) / dt - 0.5 * (a[1:] + a[:-1]))
    assert (error <= 0.5 * J_MAX * dt).all()
    assert not v[-1].any()
    assert not a[-1].any()
    np.testing.assert_allclose(q[-1], stop.end)
    assert (q >= stop.low - 1e-12).all()
    assert (q <= stop.high + 1e-12).all()
    np.testing.assert_allclose(q.min(axis=0), stop.low, atol=2e-3)


def test_going_on_from_the_middle_is_the_same_stop() -> None:
    start = random_state(np.random.default_rng(1))
    stop = Brake(start, A_MAX, J_MAX)
    for t in (0.01, 0.05, 0.3):
        later = Brake(stop.at(t), A_MAX, J_MAX)
        np.testing.assert_allclose(later.end, stop.end, atol=1e-9)
        assert (later.high <= stop.high + 1e-9).all()
        assert (later.low >= stop.low - 1e-9).all()


def test_nothing_stops_sooner() -> None:
    """Against the shortest stop that a fine search over jerk profiles finds."""
    rng = np.random.default_rng(2)
    for _ in range(20):
        v, a = rng.uniform(-1, 1), rng.uniform(-10, 10)
        state = State(np.zeros(1), np.array([v]), np.array([a]))
        stop = Brake(state, A_MAX[:1], J_MAX[:1])
        left = v + a * abs(a) / 1000.0
        # the area under |acceleration| that is needed bounds the time from below
        bound = abs(left) / 10.0
        assert stop.longest >= bound - 1e-9
        assert stop.longest <= bound + 2 * (10.0 + abs(a)) / 500.0 + 1e-9


def test_rest_stays() -> None:
    stop = Brake(State.rest(np.array([1.0, 2.0, 3.0])), A_MAX, J_MAX)
    assert stop.longest == 0.0
    np.testing.assert_array_equal(stop.at(1.0).q, [1.0, 2.0, 3.0])


def test_a_way_is_what_the_ticks_send() -> None:
    state = State(np.zeros(3), np.array([1.0, -1.0, 0.3]), np.array([5.0, 20.0, 0.0]))
    stop = Brake(state, A_MAX, J_MAX)
    way = Way(stop, 0.01)
    np.testing.assert_allclose(way.points[0], state.q)
    np.testing.assert_allclose(way.points[-1], stop.end)
    assert (np.abs(way.points - way.end) <= way.travel + 1e-12).all()
