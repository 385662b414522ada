import argparse
from dataclasses import dataclass

import pytest

from mimic_core.arguments import add_arguments, at_least, from_arguments, guarded
from mimic_core.errors import ConfigError
from mimic_core.params import param


@dataclass(frozen=True, kw_only=True)
class Some:
    name: str = param('A name, 100 % required.')
    max_gap: float = param('A time [s].', 0.5, low=0.0, high=1.0)
    use_depth: bool = param('A choice.', True)
    sizes: tuple[int, ...] = param('Some numbers.', (1, 2))


def parse(*words: str) -> Some:
    parser = argparse.ArgumentParser()
    add_arguments(parser, Some)
    parser.format_help()
    return from_arguments(Some, parser.parse_args(words))


def test_each_field_is_an_option():
    assert parse('--name', 'a') == Some(name='a')
    wanted = Some(name='a', max_gap=1.0, use_depth=False, sizes=(3,))
    assert parse('--name', 'a', '--max-gap', '1', '--no-use-depth', '--sizes', '3') == wanted


def test_what_is_missing_or_out_of_range_is_refused():
    with pytest.raises(SystemExit):
        parse()
    with pytest.raises(ConfigError, match='max_gap'):
        parse('--name', 'a', '--max-gap', '2')


def test_help_says_the_defaults_that_hold():
    parser = argparse.ArgumentParser(formatter_class=argparse.RawTextHelpFormatter)
    add_arguments(parser, Some)
    parser.set_defaults(max_gap=0.75)
    assert 'A time [s]. Default: 0.75.' in parser.format_help()
    assert 'A name, 100 % required.' in parser.format_help()


@pytest.mark.parametrize(
    ('low', 'kind', 'text', 'value'), [(1, int, '1', 1), (0, float, '0.5', 0.5)]
)
def test_a_number_may_have_a_lower_bound(low, kind, text, value):
    number = at_least(low, kind)
    assert number(text) == value and isinstance(number(text), kind)
    for wrong in ('-1', 'nan', 'inf') if kind is float else ('0', '-1'):
        with pytest.raises(argparse.ArgumentTypeError, match=f'{wrong} is not at least {low}'):
            number(wrong)


@pytest.mark.parametrize(
    ('error', 'code', 'said'),
    [
        (ConfigError('x is wrong'), 2, 'do: x is wrong\n'),
        (PermissionError(13, 'Permission denied', 'out'), 2, "Permission denied: 'out'\n"),
        (KeyboardInterrupt(), 130, 'do: stopped; half of it is there\n'),
    ],
)
def test_a_command_ends_in_a_sentence(capsys, error, code, said):
    def run():
        raise error

    assert guarded('do', run, 'half of it is there') == code
    assert capsys.readouterr().err.endswith(said)
    assert guarded('do', lambda: 5, '') == 5
