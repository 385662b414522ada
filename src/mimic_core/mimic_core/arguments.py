"""Command lines: an option for each field of a params dataclass, errors in a sentence."""

import argparse
import dataclasses
import math
import sys
from collections.abc import Callable
from typing import Any, TypeVar, get_args, get_origin

from mimic_core.errors import MimicError
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
        text = info.description.replace('%', '%%') + ('' if required else ' Default: %(default)s.')
        options: dict[str, Any] = {'dest': field.name, 'help': text}
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


def at_least(low: float, kind: type[int] | type[float] = int) -> Callable[[str], float]:
    """Return the type of an argument that is a finite number with a lower bound."""

    def number(text: str) -> float:
        value = kind(text)
        if not low <= value < math.inf:  # NaN too
            raise argparse.ArgumentTypeError(f'{text} is not at least {low}')
        return value

    return number


def guarded(name: str, run: Callable[[], int], stays: str) -> int:
    """Run a command; an error is one sentence and exit code 2, Ctrl-C is 130.

    Args:
        name: Of the command.
        run: Returns the exit code.
        stays: What is there after Ctrl-C, and how to go on: the end of a sentence.
    """
    try:
        return run()
    except KeyboardInterrupt:
        sys.stderr.write(f'{name}: stopped; {stays}\n')
        return 130
    except (MimicError, OSError) as error:
        sys.stderr.write(f'{name}: {error}\n')
        return 2
