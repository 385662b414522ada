"""The simulated joint is the one that the response describes."""

import numpy as np
import pytest
from scipy.signal import cont2discrete

from mimic_description.response import JointResponse
from mimic_identification.simulation import STEP, _discrete, play, simulate


def loop_play(x, width, start):
    y, out = start, []
    for value in x:
        y = max(value - width / 2, min(value + width / 2, y))
        out.append(y)
    return np.array(out)


@pytest.mark.parametrize('seed', range(5))
def test_play_is_the_loop_over_samples(seed):
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.normal(size=rng.integers(1, 700)))
    for width in (0.0, 0.3, 5.0, 1e3):
        start = float(rng.normal())
        np.testing.assert_array_equal(play(x, width, start), loop_play(x, width, start))


def test_first_order_step_response():
    knots = np.array([0.0, 1.0, 1.0 + 1e-9, 3.0])
    stamps = np.linspace(0.0, 3.0, 301)
    q = simulate(JointResponse(0.05, 1, 0.1), knots, np.array([0.0, 0.0, 1.0, 1.0]), stamps)
    t = np.maximum(stamps - 1.05, 0.0)
    # A step falls between two points of the simulation: 1 ms of a slope of 1/T.
    np.testing.assert_allclose(q, 1.0 - np.exp(-t / 0.1), atol=0.011)


@pytest.mark.parametrize('damping', [0.4, 1.0, 2.0])
def test_second_order_follows_a_ramp_behind_by_the_lag(damping):
    response = JointResponse(0.03, 2, 0.02, damping, 1.1, 0.2)
    knots, stamps = np.array([0.0, 0.5, 2.0]), np.linspace(0.0, 2.0, 201)
    q = simulate(response, knots, np.array([0.0, 0.0, 1.5]), stamps)
    late = stamps > 1.5
    np.testing.assert_allclose(q[late], 0.2 + 1.1 * (stamps[late] - 0.5 - response.lag), atol=1e-5)


def test_order_zero_is_a_pure_delay():
    knots = np.linspace(0.0, 4.0, 401)
    stamps = np.linspace(0.5, 4.0, 999)
    q = simulate(JointResponse(0.2), knots, np.sin(3.0 * knots), stamps)
    np.testing.assert_allclose(q, np.sin(3.0 * (stamps - 0.2)), atol=2e-4)


def test_arguments_are_not_changed():
    knots, targets, stamps = np.linspace(0, 1, 11), np.linspace(0, 1, 11), np.linspace(0, 1, 50)
    copies = knots.copy(), targets.copy(), stamps.copy()
    simulate(JointResponse(0.01, 1, 0.05, backlash=0.1), knots, targets, stamps)
    for array, copy in zip((knots, targets, stamps), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize('t', [2e-4, 0.003, 0.05, 2.0])
@pytest.mark.parametrize('damping', [None, 0.1, 1.0, 8.0])
def test_the_filter_is_that_of_scipy(t, damping):
    if damping is None:
        response, denominator = JointResponse(0.0, 1, t), [t, 1.0]
    else:
        response, denominator = JointResponse(0.0, 2, t, damping), [t * t, 2 * damping * t, 1.0]
    b, a, _ = cont2discrete(([1.0], denominator), STEP, method='foh')
    numerator, denominator = _discrete(response)
    np.testing.assert_allclose(denominator, a, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(numerator, np.ravel(b), rtol=1e-6, atol=1e-9)
