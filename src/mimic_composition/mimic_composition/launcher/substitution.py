"""Text with `$(name arguments)` in it: parsing, and what each name gives.

The grammar is that of ros2 launch: arguments are separated by one space; a value with spaces
stands in single or double quotes; calls nest; a backslash takes the next character as it is.
"""

import os
import random
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mimic_composition.launcher import expression
from mimic_composition.launcher.errors import LaunchFileError
from mimic_composition.launcher.packages import Packages
from mimic_core.errors import UnknownNameError

_NAME = re.compile(r'[A-Za-z][A-Za-z0-9_-]*')


@dataclass(frozen=True)
class Call:
    """One `$(name arguments)`."""

    name: str
    arguments: tuple['Template', ...]


Template = tuple[str | Call, ...]


class _Parser:
    """Recursive descent over one text."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def parse(self) -> Template:
        return self._template('')

    def _peek(self, what: str) -> bool:
        return self._text.startswith(what, self._at)

    def _fail(self, why: str) -> LaunchFileError:
        return LaunchFileError(f"cannot read '{self._text}': {why}")

    def _template(self, end: str) -> Template:
        """Read up to the quote `end`, or up to the end of the text."""
        parts: list[str | Call] = []
        while self._at < len(self._text):
            if end and self._peek(end):
                self._at += 1
                return _joined(parts)
            parts.append(self._call() if self._peek('$(') else self._character())
        if end:
            raise self._fail(f'a {end} is not closed')
        return _joined(parts)

    def _character(self) -> str:
        if self._peek('\\') and self._at + 1 < len(self._text):
            self._at += 1
        self._at += 1
        return self._text[self._at - 1]

    def _call(self) -> Call:
        self._at += 2
        match = _NAME.match(self._text, self._at)
        if match is None:
            raise self._fail("a name must follow '$('")
        self._at = match.end()
        arguments = []
        while self._peek(' '):
            self._at += 1
            arguments.append(self._value())
        if not self._peek(')'):
            raise self._fail(f"'$({match.group()}' is not closed")
        self._at += 1
        return Call(match.group(), tuple(arguments))

    def _value(self) -> Template:
        for quote in '\'"':
            if self._peek(quote):
                self._at += 1
                return self._template(quote)
        parts: list[str | Call] = []
        while self._at < len(self._text) and self._text[self._at] not in ' )':
            if self._peek('$('):
                parts.append(self._call())
                continue
            if self._text[self._at] in '\'"(':
                raise self._fail(f"'{self._text[self._at]}' inside a word: quote the whole word")
            parts.append(self._character())
        if not parts:
            raise self._fail('an argument is missing: one space separates arguments')
        return _joined(parts)


def _joined(parts: Sequence[str | Call]) -> Template:
    """Merge neighbouring text."""
    result: list[str | Call] = []
    for part in parts:
        if isinstance(part, str) and result and isinstance(result[-1], str):
            result[-1] += part
        else:
            result.append(part)
    return tuple(result)


def parse(text: str) -> Template:
    """Return the parts of a text.

    Raises:
        LaunchFileError: A substitution is not written as the grammar wants it.
    """
    return _Parser(text).parse()


@dataclass
class Context:
    """What substitutions look at."""

    configurations: dict[str, str]
    environment: dict[str, str]
    file: Path
    anonymous: dict[str, str] = field(default_factory=dict)

    @property
    def packages(self) -> Packages:
        """The packages of the present environment."""
        return Packages(self.environment)


def perform(template: Template, context: Context) -> str:
    """Return the text with every substitution replaced."""
    return ''.join(p if isinstance(p, str) else _call(p, context) for p in template)


def substitute(text: str, context: Context) -> str:
    """Parse and perform in one step."""
    return perform(parse(text), context)


def split_command(text: str, context: Context) -> list[str]:
    """Split a command line as a shell does, each substitution being part of one word."""
    template = parse(text)
    marks = {chr(0xE000 + i): part for i, part in enumerate(template) if isinstance(part, Call)}
    marked = ''.join(
        part if isinstance(part, str) else chr(0xE000 + i) for i, part in enumerate(template)
    )
    try:
        words = shlex.split(marked)
    except ValueError as error:
        raise LaunchFileError(f"cannot split '{text}': {error}") from error
    return [''.join(_call(marks[c], context) if c in marks else c for c in w) for w in words]


def to_bool(text: str) -> bool:
    """Return what `if` makes of a text: true, false, 1 or 0 in any case."""
    word = text.strip().lower()
    if word in ('true', '1'):
        return True
    if word in ('false', '0'):
        return False
    raise LaunchFileError(f"'{text}' is not one of true, false, 1, 0")


# What each name gives ---------------------------------------------------------------------------


def _var(context: Context, name: str, default: str | None = None) -> str:
    if name in context.configurations:
        return context.configurations[name]
    if default is None:
        error = UnknownNameError('launch argument', name, context.configurations)
        raise LaunchFileError(str(error))
    return default


def _env(context: Context, name: str, default: str | None = None) -> str:
    value = context.environment.get(name, default)
    if value is None:
        raise LaunchFileError(f"the environment has no '{name}'")
    return value


def _anon(context: Context, name: str) -> str:
    if name not in context.anonymous:
        number = random.randint(0, sys.maxsize)
        full = f'{name}_{socket.gethostname()}_{os.getpid()}_{number}'
        context.anonymous[name] = re.sub(r'[.:-]', '_', full)
    return context.anonymous[name]


def _command(context: Context, command: str, on_stderr: str = 'fail') -> str:
    if on_stderr not in ('fail', 'ignore'):
        raise LaunchFileError(f"$(command) takes 'fail' or 'ignore', not '{on_stderr}'")
    try:
        done = subprocess.run(
            shlex.split(command), capture_output=True, text=True, env=context.environment
        )
    except (OSError, ValueError) as error:
        raise LaunchFileError(f"cannot run '{command}': {error}") from error
    if done.returncode != 0 or (done.stderr and on_stderr == 'fail'):
        raise LaunchFileError(
            f"'{command}' ended with exit code {done.returncode}: {done.stderr.strip()}"
        )
    return done.stdout


def _equal(a: str, b: str) -> bool:
    words = ('true', 'false', '1', '0')
    if a.lower() in words and b.lower() in words:
        return (a.lower() in words[::2]) == (b.lower() in words[::2])
    try:
        return abs(float(a) - float(b)) <= 1e-9 * max(abs(float(a)), abs(float(b)))
    except ValueError:
        return a == b


def _find_exec(context: Context, name: str) -> str:
    path = shutil.which(name, path=context.environment.get('PATH'))
    if path is None:
        raise LaunchFileError(f"no executable '{name}' in PATH")
    return path


def _lower(value: bool) -> str:
    return str(value).lower()


_TABLE: Final[dict[str, tuple[int, int, Callable[..., str]]]] = {  # least, most arguments
    'var': (1, 2, _var),
    'env': (1, 2, _env),
    'anon': (1, 1, _anon),
    'command': (1, 2, _command),
    'dirname': (0, 0, lambda c: str(c.file.parent)),
    'filename': (0, 0, lambda c: str(c.file)),
    'eval': (1, 1, lambda c, text: expression.evaluate(text)),
    'find-pkg-share': (1, 1, lambda c, name: str(c.packages.share(name))),
    'find-pkg-prefix': (1, 1, lambda c, name: str(c.packages.prefix(name))),
    'exec-in-pkg': (2, 2, lambda c, exe, pkg: str(c.packages.executable(pkg, exe))),
    'find-exec': (1, 1, _find_exec),
    'not': (1, 1, lambda c, a: _lower(not to_bool(a))),
    'and': (2, 2, lambda c, a, b: _lower(to_bool(a) and to_bool(b))),
    'or': (2, 2, lambda c, a, b: _lower(to_bool(a) or to_bool(b))),
    'equals': (2, 2, lambda c, a, b: _lower(_equal(a, b))),
    'not-equals': (2, 2, lambda c, a, b: _lower(not _equal(a, b))),
    'if': (3, 3, lambda c, test, a, b: a if to_bool(test) else b),
}

NAMES: Final = frozenset(_TABLE)


def _call(call: Call, context: Context) -> str:
    if call.name not in _TABLE:
        raise LaunchFileError(str(UnknownNameError('substitution', call.name, _TABLE)))
    least, most, function = _TABLE[call.name]
    if not least <= len(call.arguments) <= most:
        wanted = f'{least}' if least == most else f'{least} to {most}'
        raise LaunchFileError(
            f'$({call.name}) takes {wanted} arguments, not {len(call.arguments)}'
        )
    if call.name in ('equals', 'not-equals') and () in call.arguments:
        # ros2 launch takes an empty text for '[]' here.
        raise LaunchFileError(f'$({call.name}) cannot compare with nothing: write x$(var a) x')
    return function(context, *(perform(argument, context) for argument in call.arguments))
