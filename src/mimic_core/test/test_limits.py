import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimic_core.errors import ConfigError, UnknownNameError
from mimic_core.limits import JointLimits, tighten

NAMES = ('left_a', 'left_b')


@pytest.fixture
def limits():
    one = np.ones(2)
    return JointLimits(-one, one, 2 * one, 10 * one, 100 * one)


def test_a_site_tightens_the_joints_it_names(limits):
    site = {'a': {'lower': -0.5, 'max_speed': 1}, 'left_b': {'max_jerk': 50.0}, 'finger': {}}
    tight = tighten(limits, NAMES, site, known=('finger',), prefix='left_')
    np.testing.assert_array_equal(tight.lower, [-0.5, -1.0])
    np.testing.assert_array_equal(tight.upper, limits.upper)
    np.testing.assert_array_equal(tight.max_speed, [1.0, 2.0])
    np.testing.assert_array_equal(tight.max_jerk, [100.0, 50.0])
    np.testing.assert_array_equal(limits.lower, [-1.0, -1.0])  # not changed


@pytest.mark.parametrize(
    ('site', 'words'),
    [
        ({'a': {'lower': -1.1}}, ['limits.a.lower', '-1.1', '-1', 'tighten']),
        ({'a': {'upper': 1.1}}, ['limits.a.upper', '1.1', 'above 1 ']),
        ({'b': {'max_speed': 2.5}}, ['limits.b.max_speed', '2.5', 'above 2 ']),
        ({'b': {'max_speed': 0.0}}, ['limits.b.max_speed', '> 0']),
        ({'b': {'max_sped': 1.0}}, ['limits.b.max_sped', 'max_speed']),
        ({'a': {'lower': 0.5, 'upper': 0.2}}, ['limits.a', '0.5', '0.2']),
        ({'a': {'lower': float('nan')}}, ['limits.a.lower', 'nan']),
        ({'a': {'lower': True}}, ['limits.a.lower', 'True']),
        ({'finger': {'max_sped': 1.0}}, ['limits.finger.max_sped', 'unknown']),
    ],
)
def test_what_does_not_tighten_is_refused_with_joint_field_value_and_bound(limits, site, words):
    with pytest.raises(ConfigError) as error:
        tighten(limits, NAMES, site, known=('finger',), prefix='left_')
    for word in words:
        assert word in str(error.value)


def test_an_unknown_joint_is_named_with_the_nearest(limits):
    with pytest.raises(UnknownNameError, match=r"'finge'.*Did you mean 'finger'"):
        tighten(limits, NAMES, {'finge': {'lower': 0.0}}, known=('finger',), prefix='left_')


@given(st.lists(st.floats(-2.0, 2.0), min_size=4, max_size=4), st.floats(0.01, 5.0))
def test_whatever_is_taken_is_inside(bounds, speed):
    one = np.ones(2)
    limits = JointLimits(-one, one, 2 * one, 10 * one, 100 * one)
    site = {
        name: {'lower': bounds[2 * i], 'upper': bounds[2 * i + 1], 'max_speed': speed}
        for i, name in enumerate(('a', 'b'))
    }
    try:
        tight = tighten(limits, ('a', 'b'), site)
    except ConfigError:
        return
    assert (tight.lower >= limits.lower - 1e-8).all()
    assert (tight.upper <= limits.upper + 1e-8).all()
    assert (tight.max_speed <= limits.max_speed + 1e-8).all()
