import numpy as np
import pytest

from mimic_hand_tracking.one_euro import OneEuroFilter


def run(filter_, points, rate=30.0):
    return np.array([filter_.step(p, i / rate) for i, p in enumerate(points)])


def test_noise_at_rest_is_smoothed():
    rng = np.random.default_rng(0)
    noisy = rng.normal(0, 0.002, (300, 21, 3))
    smooth = run(OneEuroFilter(2.0, 40.0), noisy)
    assert smooth[50:].std() < 0.6 * noisy[50:].std()


@pytest.mark.parametrize('speed', [0.05, 0.3, 1.0])
def test_published_delay_is_the_lag_of_a_steady_motion(speed):
    ramp = np.arange(200)[:, None, None] / 30.0 * speed * np.ones((1, 21, 3)) / np.sqrt(3)
    filter_ = OneEuroFilter(2.0, 40.0)
    smooth = run(filter_, ramp)
    lag = (ramp[-1] - smooth[-1]).mean() / (speed / np.sqrt(3))
    assert filter_.delay == pytest.approx(lag, rel=0.01)
    assert filter_.delay < 0.5 / (2 * np.pi * 2.0)


def test_delay_shrinks_with_speed():
    delays = []
    for speed in (0.0, 0.2, 1.0):
        filter_ = OneEuroFilter(2.0, 40.0)
        run(filter_, np.arange(60)[:, None, None] / 30 * speed * np.ones((1, 21, 3)))
        delays.append(filter_.delay)
    assert delays == sorted(delays, reverse=True)
    assert delays[-1] < 0.006


def test_off_is_off():
    points = np.random.default_rng(1).normal(size=(5, 21, 3))
    np.testing.assert_array_equal(run(OneEuroFilter(0.0, 40.0), points), points)


def test_uneven_stamps_are_used():
    filter_ = OneEuroFilter(2.0, 0.0)
    filter_.step(np.zeros((1, 3)), 0.0)
    near = filter_.step(np.ones((1, 3)), 0.001)
    late = OneEuroFilter(2.0, 0.0)
    late.step(np.zeros((1, 3)), 0.0)
    assert (late.step(np.ones((1, 3)), 1.0) > near).all()
