import numpy as np
import pytest

from mimic_policy.smoothness import sparc


def reach(duration: float, rate: float = 100.0):
    """A straight way of minimal jerk."""
    s = np.linspace(0.0, 1.0, round(duration * rate) + 1)
    x = 0.3 * (10 * s**3 - 15 * s**4 + 6 * s**5)
    return np.stack([x, 0 * x, 0 * x], axis=1)


def test_sparc_of_one_reach_does_not_depend_on_size_and_duration():
    values = [sparc(scale * reach(t), 100.0) for t in (0.8, 2.0) for scale in (0.1, 1.0)]
    assert values == pytest.approx([-1.41] * 4, abs=0.05)


def test_sparc_falls_with_tremor_and_pauses():
    smooth = reach(1.0)
    time = np.arange(len(smooth)) / 100.0
    shaken = smooth + 0.005 * np.sin(2 * np.pi * 6.0 * time)[:, None]
    parts = np.concatenate([0.5 * reach(0.5), np.repeat(0.5 * reach(0.5)[-1:], 30, 0),
                            0.15 + 0.5 * reach(0.5)])  # fmt: skip
    assert sparc(shaken, 100.0) < sparc(smooth, 100.0) - 0.3
    assert sparc(parts, 100.0) < sparc(smooth, 100.0) - 0.3


def test_sparc_of_nothing():
    assert np.isnan(sparc(np.zeros((50, 3)), 100.0))
