import pytest

from mimic_core.statistics import wilson


def test_wilson():
    """Values of the published formula, by hand."""
    assert wilson(20, 20) == pytest.approx((0.8389, 1.0), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson(10, 20) == pytest.approx((0.2993, 0.7007), abs=1e-4)
    assert wilson(45, 50) == pytest.approx((0.786, 0.957), abs=1e-3)


def test_no_trial_says_nothing():
    assert wilson(0, 0) == (0.0, 1.0)
