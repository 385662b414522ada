"""Parameters of nodes: typing of values as ros2 launch does it, and parameter files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from mimic_composition.launcher.errors import LaunchFileError
from mimic_composition.launcher.substitution import Context, parse, perform
from mimic_composition.launcher.xml_reader import Element

_SCALARS: Final[dict[str, type]] = {'int': int, 'float': float, 'bool': bool, 'str': str}
_TYPES: Final = (*_SCALARS, *(f'list_of_{name}' for name in _SCALARS))

Value = bool | int | float | str | list[Any]


def typed(text: str, kind: str | None = None) -> Value:
    """Return the value of a text: of the named type, else what YAML takes it for.

    Args:
        text: `3` is an int, `3.0` a float, `'3'` a string, `[1.0, 2.0]` a list.
        kind: One of int, float, bool, str, list_of_int and so on, or None.

    Raises:
        LaunchFileError: The text is not of that type, or of none that a parameter can have.
    """
    if kind is not None and kind not in _TYPES:
        raise LaunchFileError(f"unknown type '{kind}'; known: {', '.join(_TYPES)}")
    if kind == 'str' or not text:
        return text
    if kind in ('int', 'float'):
        try:
            return _SCALARS[kind](text)
        except ValueError as error:
            raise LaunchFileError(f"'{text}' is not {kind}") from error
    if kind == 'bool':
        text = {'1': 'true', '0': 'false'}.get(text, text)
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        if kind is None:
            return text
        raise LaunchFileError(f"'{text}' is not {kind}") from error
    _check(value, kind, text)
    return value


def _check(value: Any, kind: str | None, text: str) -> None:
    """Refuse what no parameter can be: mappings, nothing, dates, lists of mixed types."""
    items = value if isinstance(value, list) else [value]
    wanted = tuple(_SCALARS.values())
    if kind is not None:
        is_list = kind.startswith('list_of_')
        if is_list != isinstance(value, list):
            raise LaunchFileError(f"'{text}' is not {kind}")
        wanted = (_SCALARS[kind.removeprefix('list_of_')],)
    kinds = {type(item) for item in items}
    if not kinds <= set(wanted) or len(kinds) > 1:
        raise LaunchFileError(f"'{text}' is not {kind or 'a parameter value: a scalar or a list'}")


def value_of(element: Element, context: Context) -> Value:
    """Return the value of a `<param name value type value-sep>`.

    As in ros2 launch the text is typed first, and what comes out of a substitution is typed again.
    """
    text, kind = element.attributes['value'], element.attributes.get('type')
    separator = element.attributes.get('value-sep')
    if separator is not None:
        item_kind = kind.removeprefix('list_of_') if kind else None
        values = [typed(perform(parse(t), context), item_kind) for t in text.split(separator)]
        _check(values, kind, text)
        return values
    if '$(' in text and kind is not None:
        return typed(perform(parse(text), context), kind)
    value = typed(text, kind) if '$(' not in text else _untyped(text)
    if isinstance(value, list):
        values = [_item(item, context) for item in value]
        _check(values, kind, text)
        return values
    return _item(value, context)


def _untyped(text: str) -> Any:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return value if isinstance(value, str | list) else text


def _item(value: Any, context: Context) -> Any:
    """Perform the substitutions of a text; only what they give is typed again."""
    if not isinstance(value, str):
        return value
    template = parse(value)
    text = perform(template, context)
    return text if all(isinstance(part, str) for part in template) else typed(text)


def nested(element: Element, context: Context) -> dict[str, Value]:
    """Return one `<param>` tag as parameters; nested ones get dotted names."""
    name = perform(parse(element.attributes['name']), context)
    if bool(element.children) == ('value' in element.attributes):
        raise LaunchFileError(f"parameter '{name}' needs either a value or parameters inside")
    if not element.children:
        return {name: value_of(element, context)}
    return {
        f'{name}.{key}': value
        for child in element.children
        for key, value in nested(child, context).items()
    }


class ParameterFiles:
    """Writes one file for each `<param>`, under names that ros2 launch uses too."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def write(self, node: str, values: Mapping[str, Value]) -> str:
        """Write parameters for a node (its full name, or `/**`) and return the path."""
        text = yaml.dump({node: {'ros__parameters': dict(values)}}, default_flow_style=False)
        return self.write_text(text)

    def write_text(self, text: str) -> str:
        """Write a file and return its path."""
        self._count += 1
        path = self._folder / f'launch_params_{self._count:04d}'
        path.write_text(text, encoding='utf-8')
        return str(path)


def load_file(path: Path) -> dict[str, Any]:
    """Return what a parameter file holds; one with comments only holds nothing.

    It is read before any process starts, so that a wrong one is told in one sentence.

    Raises:
        LaunchFileError: The file cannot be read or is no parameter file; says why and where.
    """
    try:
        content: Any = yaml.safe_load(path.read_text(encoding='utf-8'))
    except FileNotFoundError as error:
        raise LaunchFileError(f"there is no parameter file '{path}'") from error
    except OSError as error:
        raise LaunchFileError(f"cannot read parameter file '{path}': {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise LaunchFileError(f"parameter file '{path}' is no text: {error.reason}") from error
    except yaml.YAMLError as error:
        raise LaunchFileError(f"parameter file '{path}' is no YAML: {_sentence(error)}") from error
    if content is None:
        return {}
    found: dict[str, dict[str, Any]] = {}
    if isinstance(content, dict):
        _collect(content, (), found)
    if not isinstance(content, dict) or not found:
        raise LaunchFileError(
            f"'{path}' holds no parameters: it needs a node or /**, below it ros__parameters, "
            'below that names and values'
        )
    for values in found.values():
        for name, value in values.items():
            _check_item(path, name, value)
    return content


def _check_item(path: Path, name: str, value: Any) -> None:
    items = value if isinstance(value, list) else [value]
    if len({type(item) for item in items}) > 1:
        raise LaunchFileError(
            f"'{path}': {name} = {value} mixes kinds of values; write all as {_mixed(items)}"
        )


def _mixed(items: list[Any]) -> str:
    numbers = all(type(item) in (int, float) for item in items)
    return 'decimals, such as 1.0' if numbers else 'one kind'


def _sentence(error: yaml.YAMLError) -> str:
    """Return what is wrong with a YAML text, and in which line."""
    mark = getattr(error, 'problem_mark', None)
    problem = getattr(error, 'problem', None) or str(error).splitlines()[0]
    return f'{problem} in line {mark.line + 1}' if mark is not None else problem


def read_file(path: Path, node: str) -> dict[str, Value]:
    """Return the parameters that a file has for a node, by full name; `/**` is for all.

    Raises:
        LaunchFileError: The file cannot be read or is no parameter file.
    """
    content = load_file(path)
    found: dict[str, dict[str, Any]] = {}
    _collect(content, (), found)
    return {**found.get('**', {}), **found.get(node.strip('/'), {})}


def _collect(
    content: Mapping[str, Any], keys: tuple[str, ...], found: dict[str, dict[str, Any]]
) -> None:
    for key, value in content.items():
        if key == 'ros__parameters' and isinstance(value, dict):
            found.setdefault('/'.join(keys), {}).update(_flat(value))
        elif isinstance(value, dict):
            _collect(value, (*keys, key.strip('/')), found)


def _flat(values: Mapping[str, Any], prefix: str = '') -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f'{prefix}{key}.'))
        else:
            flat[f'{prefix}{key}'] = value
    return flat
