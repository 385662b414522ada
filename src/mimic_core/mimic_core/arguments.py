"""Params dataclasses on a command line: one option for each field."""

import argparse
import dataclasses
from typing import Any, TypeVar, get_args, get_origin

from mimic_core.params import from_mapping, info_of, types_of

T = TypeVar('T')


def add_arguments(parser: argparse._ActionsContainer, cls: type[Any]) -> None:
    """Add an option for each field of a params dataclass: `--max-gap` for `max_gap`.

    A bool is a pair `--use-depth` and `--no-use-depth`; a tuple takes several values.
    """
    kinds = types_of(cls)
    for field in dataclasses.fields(cls):
        info, kind = info_of(field), kinds[field.name]
        required = field.default is dataclasses.MISSING
        text = info.description if required else f'{info.description} Default: {field.default}.'
        options: dict[str, Any] = {'dest': field.name, 'help': text.replace('%', '%%')}
        if required:
            options['required'] = True
        else:
            options['default'] = field.default
        if kind is bool:
            options['action'] = argparse.BooleanOptionalAction
        elif get_origin(kind) is tuple:
            options |= {'type': get_args(kind)[0], 'nargs': '*'}
        else:
            options['type'] = kind
        parser.add_argument(f'--{field.name.replace("_", "-")}', **options)


def from_arguments(cls: type[T], given: argparse.Namespace) -> T:
    """Return the params of parsed options.

    Raises:
        ConfigError: A value is out of range.
    """
    names = types_of(cls)
    return from_mapping(cls, {name: getattr(given, name) for name in names})
