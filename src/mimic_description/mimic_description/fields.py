"""Strict reading of a mapping: a key that nobody takes is an error."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from mimic_core.errors import ConfigError, UnknownNameError

_REQUIRED: Final = object()


class Fields:
    """The keys of one level of a file. Errors name the file and the key."""

    def __init__(self, data: Any, where: str) -> None:
        if not isinstance(data, Mapping):
            raise ConfigError(f'{where}: must be a mapping, not {data!r}')
        self.where: Final = where
        self._data: Final = data
        self._taken: Final[set[str]] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._data

    def done(self) -> None:
        """Refuse the keys that were not taken.

        Raises:
            UnknownNameError: There is one.
        """
        for key in self._data:
            if key not in self._taken:
                raise UnknownNameError(f'key in {self.where}', str(key), self._taken)

    def string(self, key: str) -> str:
        """Return a text that is not empty."""
        value = self._take(key)
        if not isinstance(value, str) or not value:
            raise ConfigError(f'{self.where}: {key} must be a text, not {value!r}')
        return value

    def choice(self, key: str, choices: Sequence[str]) -> str:
        """Return a text that is one of the choices."""
        value = self.string(key)
        if value not in choices:
            raise UnknownNameError(f'{key} in {self.where}', value, choices)
        return value

    def number(self, key: str, default: Any = _REQUIRED) -> float:
        """Return a finite number."""
        return self.checked_number(key, self._take(key, default))

    def point(self, key: str) -> tuple[float, float, float]:
        """Return three numbers."""
        value = self._take(key)
        if not isinstance(value, list) or len(value) != 3:
            raise ConfigError(f'{self.where}: {key} must be three numbers, not {value!r}')
        x, y, z = (self.checked_number(key, v) for v in value)
        return x, y, z

    def strings(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        value = self._take(key)
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise ConfigError(f'{self.where}: {key} must be a list of texts, not {value!r}')
        return tuple(value)

    def names(self, key: str, default: Any = _REQUIRED) -> Mapping[str, str]:
        """Return a mapping of texts to texts."""
        value = self.mapping(key, default)
        if not all(isinstance(v, str) for v in value.values()):
            raise ConfigError(f'{self.where}: {key} must map names to names')
        return value

    def mapping(self, key: str, default: Any = _REQUIRED) -> Mapping[str, Any]:
        """Return a mapping with text keys, read only."""
        value = self._take(key, default)
        if not isinstance(value, Mapping) or not all(isinstance(k, str) for k in value):
            raise ConfigError(f'{self.where}: {key} must be a mapping with text keys')
        return MappingProxyType(dict(value))

    def child(self, key: str) -> 'Fields':
        """Return the mapping under a key, to be read with the same care."""
        return Fields(self._take(key), f'{self.where}: {key}')

    def rows(self, key: str, width: int) -> tuple[tuple[Any, ...], ...]:
        """Return a list of lists of one width; empty where the key is absent."""
        value = self._take(key, [])
        if not isinstance(value, list) or any(
            not isinstance(row, list) or len(row) != width for row in value
        ):
            raise ConfigError(f'{self.where}: {key} must be a list of lists of {width}')
        return tuple(tuple(row) for row in value)

    def pairs(self, key: str, default: Any = _REQUIRED) -> tuple[tuple[str, str], ...]:
        """Return a list of pairs of names."""
        if key not in self._data and default is not _REQUIRED:
            return tuple(default)
        return tuple((str(a), str(b)) for a, b in self.rows(key, 2))

    def per_joint(self, key: str, joints: Sequence[str]) -> tuple[float, ...]:
        """Return a positive number for each joint, from one number or a mapping of joints."""
        value = self._take(key)
        if isinstance(value, Mapping):
            child = Fields(value, f'{self.where}: {key}')
            numbers = tuple(child.number(joint) for joint in joints)
            child.done()
        else:
            numbers = (self.checked_number(key, value),) * len(joints)
        if min(numbers) <= 0:
            raise ConfigError(f'{self.where}: {key} must be > 0')
        return numbers

    def _take(self, key: str, default: Any = _REQUIRED) -> Any:
        self._taken.add(key)
        if key in self._data:
            return self._data[key]
        if default is _REQUIRED:
            raise ConfigError(f'{self.where}: {key} is missing')
        return default

    def checked_number(self, key: str, value: Any) -> float:
        """Return a value as a float, if it is a finite number."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f'{self.where}: {key} must be a number, not {value!r}')
        if not math.isfinite(value):
            raise ConfigError(f'{self.where}: {key} is {value}')
        return float(value)
