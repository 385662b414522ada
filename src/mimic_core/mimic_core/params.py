"""Parameters as frozen dataclasses: each field knows its description, range and choices.

`mimic_core.ros.declare_params` declares them on a node; `from_mapping` builds them without ROS.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar, get_origin, get_type_hints

from mimic_core.errors import ConfigError, UnknownNameError

_KEY: Final = 'mimic_param'
T = TypeVar('T')


@dataclass(frozen=True)
class ParamInfo:
    """What a parameter means and which values it takes."""

    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = False  # may be changed while the node runs


def param(
    description: str,
    default: Any = dataclasses.MISSING,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[str] = (),
    live: bool = False,
) -> Any:
    """Declare a field of a params dataclass; without a default it is required."""
    info = ParamInfo(description, low, high, tuple(choices), live)
    return dataclasses.field(default=default, metadata={_KEY: info})


def info_of(field: 'dataclasses.Field[Any]') -> ParamInfo:
    """Return the ParamInfo of a dataclass field made with `param`."""
    info = field.metadata.get(_KEY)
    if not isinstance(info, ParamInfo):
        raise ConfigError(f"field '{field.name}' is not declared with param()")
    return info


def types_of(cls: type[Any]) -> dict[str, type[Any]]:
    """Return the type of each field: bool, int, float, str, or list for tuples of one of them."""
    hints = get_type_hints(cls)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls)}


def check_value(cls: type[Any], name: str, value: Any) -> Any:
    """Return `value` converted to the field's type, or raise ConfigError.

    An int is taken for a float; a tuple field takes any sequence. Nothing else is converted.
    """
    fields = {f.name: f for f in dataclasses.fields(cls)}
    if name not in fields:
        raise UnknownNameError(f'parameter of {cls.__name__}', name, fields)
    info = info_of(fields[name])
    hint = types_of(cls)[name]
    where = f"parameter '{name}'"
    if get_origin(hint) is tuple:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise ConfigError(f'{where} must be a list, not {value!r}')
        element = hint.__args__[0]
        return tuple(_scalar(element, v, info, where) for v in value)
    return _scalar(hint, value, info, where)


def _scalar(kind: type[Any], value: Any, info: ParamInfo, where: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise ConfigError(f'{where} must be {kind.__name__}, not {value!r}')
    if info.choices and value not in info.choices:
        raise ConfigError(f'{where} must be one of {", ".join(info.choices)}, not {value!r}')
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = info.low, info.high
        if not ((low is None or value >= low) and (high is None or value <= high)):  # NaN fails
            raise ConfigError(f'{where} = {value} is outside [{low}, {high}]')
    return value


def from_mapping(cls: type[T], values: Mapping[str, Any]) -> T:
    """Build a params dataclass from a mapping.

    Raises:
        ConfigError: A value is missing, of the wrong type or out of range.
        UnknownNameError: A key is not a parameter.
    """
    given = {name: check_value(cls, name, value) for name, value in values.items()}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        if field.name not in given and field.default is dataclasses.MISSING:
            raise ConfigError(f"parameter '{field.name}' of {cls.__name__} is required")
    return cls(**given)
