import pytest

from mimic_core.statistics import wilson, without_numbers


def test_wilson():
    """Values of the published formula, by hand."""
    assert wilson(20, 20) == pytest.approx((0.8389, 1.0), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson(10, 20) == pytest.approx((0.2993, 0.7007), abs=1e-4)
    assert wilson(45, 50) == pytest.approx((0.786, 0.957), abs=1e-3)


def test_no_trial_says_nothing():
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ('reason', 'counted'),
    [
        ("'box' is 0.32 m from where it should be", "'box' is # m from where it should be"),
        ('iiwa_joint_4 is -0.1 off, at 3.1°', 'iiwa_joint_4 is # off, at #°'),
        ('nothing for 1.2e-05 s, of 60.', 'nothing for # s, of #.'),
        ('panda_joint1 and 4x4_50 (2 of 3)', 'panda_joint1 and 4x4_50 (# of #)'),
        ('waiting for the first chunk', 'waiting for the first chunk'),
    ],
)
def test_reasons_are_counted_without_numbers(reason, counted):
    assert without_numbers(reason) == counted
