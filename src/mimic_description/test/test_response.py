"""The response of a joint: what it means, and its file."""

import math

import pytest

from mimic_core.errors import ConfigError, UnknownNameError
from mimic_description.response import (
    JointResponse,
    load_responses,
    save_responses,
    select_responses,
)


def test_a_file_gives_back_what_was_written(tmp_path):
    given = {
        'a': JointResponse(0.0125, 2, 0.0125, 0.8, 0.99, -0.01, 0.02),
        'b': JointResponse(-0.004, 1, 0.05),
        'c': JointResponse(),
    }
    path = tmp_path / 'new' / 'response.yaml'
    save_responses(path, given, {'arm': 'iiwa14'}, 'first line\nsecond line')
    assert load_responses(path) == given
    assert path.read_text().startswith('# first line\n# second line\n')


def test_bandwidth_is_where_the_amplitude_is_half_power():
    assert JointResponse(0.0, 1, 0.1).bandwidth == pytest.approx(1.0 / (2 * math.pi * 0.1))
    for damping in (0.3, 1.0, 3.0):
        response = JointResponse(0.0, 2, 0.02, damping)
        s = 2j * math.pi * response.bandwidth * response.time_constant
        assert abs(1.0 / (s * s + 2 * damping * s + 1.0)) == pytest.approx(math.sqrt(0.5))
    assert JointResponse().bandwidth == math.inf


def test_lag_is_the_delay_of_slow_motions():
    assert JointResponse(0.01, 1, 0.05).lag == pytest.approx(0.06)
    assert JointResponse(0.01, 2, 0.05, 0.7).lag == pytest.approx(0.08)


@pytest.mark.parametrize(
    'values',
    [
        {'delay': 2.0}, {'delay': math.nan}, {'order': 3}, {'order': 1}, {'time_constant': 0.1},
        {'gain': 0.0}, {'backlash': -0.1}, {'order': 2, 'time_constant': 0.1, 'damping': 0.0},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(values):
    with pytest.raises(ConfigError):
        JointResponse(**values)


@pytest.mark.parametrize(
    ('text', 'error', 'says'),
    [
        ('joints: {a: {delay: 2.0}}', ConfigError, 'a: delay = 2.0 is outside'),
        ('joints: {a: {delay: .nan}}', ConfigError, 'delay is nan'),
        ('joints: {a: {order: 1.5}}', ConfigError, 'order is 1.5'),
        ('joints: {a: {dely: 0.1}}', UnknownNameError, "Did you mean 'delay'"),
        ('joints: {}\nextra: 1', UnknownNameError, 'extra'),
        ('joints: [', ConfigError, 'no YAML'),
        ('3', ConfigError, "must be a mapping with 'joints'"),
    ],
)
def test_a_wrong_file_says_where(tmp_path, text, error, says):
    path = tmp_path / 'response.yaml'
    path.write_text(text)
    with pytest.raises(error, match=says):
        load_responses(path)


def test_a_missing_file_and_one_that_cannot_be_written(tmp_path):
    with pytest.raises(ConfigError, match='cannot be read'):
        load_responses(tmp_path / 'none.yaml')
    (tmp_path / 'file').write_text('')
    with pytest.raises(ConfigError, match='cannot be written'):
        save_responses(tmp_path / 'file' / 'response.yaml', {})


def test_the_file_of_another_robot_is_refused():
    responses = {'b': JointResponse(0.1)}
    assert select_responses(responses, ('a', 'b')) == (JointResponse(), JointResponse(0.1))
    with pytest.raises(UnknownNameError, match="'b'"):
        select_responses(responses, ('x', 'y'))
