"""Message definitions as bags keep them: text with all dependencies, type hash, stamp position.

They come from the `.msg` files that every interface package installs below its `share` folder.
"""

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from mimic_recording.errors import RecordingError

BUILTIN: Final = frozenset(
    f'{kind}{bits}' for kind in ('int', 'uint') for bits in (8, 16, 32, 64)
) | {'bool', 'byte', 'char', 'float32', 'float64', 'string', 'wstring'}
SEPARATOR: Final = '=' * 80
CDR_HEADER: Final = 4  # [B] before the first field of a serialized message
SEQUENCE_LENGTH: Final = 4  # [B] before the elements of an unbounded array

_FIELD: Final = re.compile(r'^([A-Za-z][\w/]*)(<=\d+)?(\[[^\]]*\])?\s+[A-Za-z]\w*(?!\w|\s*=)')
_TYPE: Final = re.compile(r'^([a-z]\w*)/msg/([A-Z]\w*)$')


@dataclass(frozen=True)
class Definition:
    """One message type."""

    name: str  # pkg/msg/Type
    text: str  # as a bag's schema holds it: own fields, then each dependency once
    type_hash: str  # RIHS01_…, empty when the package does not tell

    @cached_property
    def parts(self) -> Mapping[str, str]:
        """Text of each type in it, by pkg/Type."""
        own, *others = re.split(rf'^{SEPARATOR}\n', self.text, flags=re.MULTILINE)
        parts = {self.name.replace('/msg/', '/'): own}
        for other in others:
            head, _, body = other.partition('\n')
            parts[head.removeprefix('MSG:').strip()] = body
        return parts

    @cached_property
    def stamp_offset(self) -> int | None:
        """Position [B] of the capture stamp in a serialized message; None without a header.

        A header that is the first field has a fixed position, and so has that of the first
        element when the first field is an array (as in TFMessage).
        """
        own = next(iter(self.parts))
        first = next(iter(fields(self.parts[own], own.split('/')[0])), None)
        if first is None:
            return None
        kind, array = first
        if kind == 'std_msgs/Header' and not array:
            return CDR_HEADER
        if array == '[]' and kind in self.parts:
            inner = next(iter(fields(self.parts[kind], kind.split('/')[0])), None)
            if inner == ('std_msgs/Header', ''):
                return CDR_HEADER + SEQUENCE_LENGTH
        return None


def fields(text: str, package: str) -> list[tuple[str, str]]:
    """Return (type, array suffix) of each field of one definition; types as pkg/Type."""
    found = []
    for line in text.splitlines():
        match = _FIELD.match(line.split('#', 1)[0].strip())
        if match is None:
            continue
        kind, array = match.group(1), match.group(3) or ''
        if kind not in BUILTIN:
            if kind == 'Header':
                kind = 'std_msgs/Header'
            elif '/' not in kind:
                kind = f'{package}/{kind}'
            kind = kind.replace('/msg/', '/')
        found.append((kind, array))
    return found


class Definitions:
    """Looks definitions up in installation prefixes."""

    def __init__(self, prefixes: Iterable[str | Path] | None = None) -> None:
        """Args: prefixes: folders that hold share/<package>/msg; default: this environment's."""
        if prefixes is None:
            given = os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
            prefixes = [p for p in [*given, sys.prefix] if p]
        self._prefixes = [Path(p) for p in prefixes]
        self._known: dict[str, Definition] = {}

    def find(self, name: str) -> Definition:
        """Return the definition of a type `pkg/msg/Type`.

        Raises:
            RecordingError: It, or a type that it uses, is not installed.
        """
        if name not in self._known:
            match = _TYPE.match(name)
            if match is None:
                raise RecordingError(f"'{name}' is no message type: pkg/msg/Type")
            own = f'{match.group(1)}/{match.group(2)}'
            parts: dict[str, str] = {}
            self._collect(own, parts)
            text = parts.pop(own)
            for other, body in parts.items():
                text = f'{text.rstrip()}\n{SEPARATOR}\nMSG: {other}\n{body}'
            self._known[name] = Definition(name, text.rstrip() + '\n', self._hash(name))
        return self._known[name]

    def _collect(self, name: str, parts: dict[str, str]) -> None:
        parts[name] = self._file(name, '.msg').read_text()
        for kind, _ in fields(parts[name], name.split('/')[0]):
            if kind not in BUILTIN and kind not in parts:
                self._collect(kind, parts)

    def _file(self, name: str, suffix: str) -> Path:
        package, kind = name.split('/')
        for prefix in self._prefixes:
            path = prefix / 'share' / package / 'msg' / f'{kind}{suffix}'
            if path.is_file():
                return path
        raise RecordingError(f"the definition of '{package}/msg/{kind}' is not installed")

    def _hash(self, name: str) -> str:
        try:
            described = json.loads(self._file(name.replace('/msg/', '/'), '.json').read_text())
        except RecordingError:
            return ''
        for entry in described.get('type_hashes', []):
            if entry['type_name'] == name:
                return str(entry['hash_string'])
        return ''
