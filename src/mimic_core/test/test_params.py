from dataclasses import dataclass

import pytest

from mimic_core.errors import ConfigError, UnknownNameError
from mimic_core.params import from_mapping, info_of, param


@dataclass(frozen=True, kw_only=True)
class Params:
    name: str = param('Required name.')
    rate: float = param('Rate [Hz].', 10.0, low=1.0, high=100.0)
    count: int = param('Count.', 3, low=0)
    mode: str = param('Mode.', 'a', choices=('a', 'b'))
    weights: tuple[float, ...] = param('Weights.', (1.0,), low=0.0)
    loop: bool = param('Loop.', False, live=True)


def test_defaults_and_conversions():
    params = from_mapping(Params, {'name': 'x', 'rate': 20, 'weights': [1, 2]})
    assert params == Params(name='x', rate=20.0, weights=(1.0, 2.0))
    assert isinstance(params.rate, float)


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({}, "'name' of Params is required"),
        ({'name': 3}, 'must be str'),
        ({'name': 'x', 'rate': 1000}, 'outside'),
        ({'name': 'x', 'rate': float('nan')}, 'outside'),
        ({'name': 'x', 'rate': '10'}, 'must be float'),
        ({'name': 'x', 'count': True}, 'must be int'),
        ({'name': 'x', 'count': 1.5}, 'must be int'),
        ({'name': 'x', 'mode': 'c'}, 'one of a, b'),
        ({'name': 'x', 'weights': 'abc'}, 'must be a list'),
        ({'name': 'x', 'weights': [-1.0]}, 'outside'),
        ({'name': 'x', 'loop': 1}, 'must be bool'),
    ],
)
def test_bad_values_say_what_is_wrong(values, message):
    with pytest.raises(ConfigError, match=message):
        from_mapping(Params, values)


def test_unknown_parameter_names_the_known_ones():
    with pytest.raises(UnknownNameError, match="Did you mean 'rate'"):
        from_mapping(Params, {'name': 'x', 'rat': 3})


def test_a_plain_field_is_refused():
    @dataclass(frozen=True)
    class Plain:
        x: int = 1

    with pytest.raises(ConfigError, match='param'):
        info_of(next(iter(Plain.__dataclass_fields__.values())))
