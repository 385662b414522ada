"""Streams of points and paths as references."""

import numpy as np
import pytest

from mimic_control.reference import Path, Stream, carried_speed, minmod

FAST = np.array([10.0, 10.0])


def test_minmod_takes_the_smaller_and_nothing_where_signs_differ() -> None:
    a, b = np.array([1.0, -3.0, 2.0, 0.0]), np.array([2.0, -1.0, -2.0, 1.0])
    np.testing.assert_array_equal(minmod(a, b), [1.0, -1.0, 0.0, 0.0])


def test_the_carried_speed_goes_on_slowing_and_never_turns_or_grows() -> None:
    new, old = np.array([2.0, 2.0, 2.0, 1.0, -1.0]), np.array([2.0, 1.0, 3.0, 3.0, 1.0])
    np.testing.assert_array_equal(carried_speed(new, old), [2.0, 2.0, 1.0, 0.0, 0.0])


def test_a_turn_is_hardly_overshot() -> None:
    stream = Stream(np.zeros(2), FAST, 0.06)
    peak = 0.0
    for k in range(90):
        t = k / 30
        stream.add(np.full(2, 0.3 * np.sin(2 * np.pi * t)), t, t)
        for ahead in (0.0, 0.01, 0.02, 0.03):
            peak = max(peak, float(stream.at(np.array([t + ahead]))[0][0, 0]))
    assert peak < 1.02 * 0.3


def test_a_steady_stream_is_carried_on_between_its_points() -> None:
    stream = Stream(np.zeros(2), FAST, 0.06)
    rng = np.random.default_rng(0)
    for k in range(60):  # 30 Hz with uneven arrival, 20 ms after the capture on average
        data = 100.0 + k / 30
        stream.add(np.array([1.0, -0.5]) * k / 30, data + 0.02 + rng.uniform(-0.004, 0.004), data)
    for ahead in (0.0, 0.01, 0.02, 0.03):
        q, v = stream.at(np.array([100.0 + 59 / 30 + 0.02 + ahead]))
        expected = np.array([1.0, -0.5]) * (59 / 30 + ahead)
        np.testing.assert_allclose(q[0], expected, atol=0.002)
        np.testing.assert_allclose(v[0], [1.0, -0.5], atol=1e-6)


def test_a_stream_that_ends_comes_back_to_its_last_point() -> None:
    stream = Stream(np.zeros(2), FAST, 0.06)
    for k in range(10):
        stream.add(np.full(2, 0.1 * k), k / 30, k / 30)
    q, v = stream.at(np.array([9 / 30 + 0.5]))
    np.testing.assert_allclose(q[0], 0.9)
    np.testing.assert_allclose(v, 0.0)


def test_a_step_and_noise_are_not_carried_on() -> None:
    stream = Stream(np.zeros(2), FAST, 0.06)
    stream.add(np.zeros(2), 0.0, 0.0)
    stream.add(np.array([1.0, 0.001]), 0.033, 0.033)  # 30 rad/s: a step; then noise
    stream.add(np.array([1.0, 0.0]), 0.066, 0.066)
    q, v = stream.at(np.array([0.08]))
    np.testing.assert_allclose(q[0], [1.0, 0.0])
    np.testing.assert_allclose(v[0], 0.0)


def test_a_path_goes_through_its_points_without_overshoot() -> None:
    points = np.array([[0.5, 0.0], [1.0, 1.0], [1.0, 3.0], [0.0, 3.5]])
    times = 10.0 + np.array([0.1, 0.2, 0.3, 0.5])
    path = Path(np.zeros(2), 10.0, points, times)
    np.testing.assert_allclose(path.at(times)[0], points, atol=1e-12)
    t = np.linspace(9.9, 10.7, 801)
    q, v = path.at(t)
    np.testing.assert_allclose(q[0], 0.0)
    np.testing.assert_allclose(q[-1], points[-1])
    np.testing.assert_allclose(np.gradient(q, t, axis=0)[5:-5], v[5:-5], atol=0.4)
    assert q[:, 0].max() <= 1.0 + 1e-12
    assert (np.diff(q[:, 1]) >= -1e-12).all()
    assert not v[-1].any()
    assert path.end == pytest.approx(10.5)
