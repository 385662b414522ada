"""Commands in README.md and docs/ exist, with the options and arguments that they are given."""

import argparse
import importlib
import re
import shlex
import sys
from dataclasses import dataclass

import pytest
from workspace import ROOT, python_packages

DOCUMENTS = sorted(
    {ROOT / 'README.md', *ROOT.glob('docs/**/*.md'), *ROOT.glob('src/**/README.md')}
)
PACKAGES = {package.name: package for package in python_packages()}
SCRIPT = (ROOT / 'mimic').read_text()
# What a shell would do with the rest of a line, and what stands for anything.
REST = re.compile(r'(\s#.*|\s+;.*|\s&&.*|\\)$')


@dataclass(frozen=True)
class Line:
    """One command of a document."""

    where: str
    words: tuple[str, ...]  # after ./mimic


def commands() -> list[Line]:
    """Return every command at the beginning of a line, in a block of code."""
    found = []
    for document in DOCUMENTS:
        for number, line in enumerate(document.read_text().splitlines(), 1):
            for part in re.split(r'\s;\s+(?=\./mimic )', line):
                match = re.match(r'\s*(?:[A-Z_]+=\S+ )*\./mimic (.+)', part)
                if match is None or line.startswith('|'):
                    continue
                text = match[1]
                while REST.search(text):
                    text = REST.sub('', text)
                where = f'{document.relative_to(ROOT)}:{number}'
                found.append(Line(where, tuple(shlex.split(text))))
    return found


LINES = commands()


def of(*names: str) -> list[Line]:
    return [line for line in LINES if line.words[0] in names]


def test_there_are_commands():
    assert len(LINES) > 80
    assert {'demo', 'launch', 'film', 'ingest', 'train', 'practise'} <= {x.words[0] for x in LINES}


def test_every_command_exists():
    known = set(re.findall(r'^  ([a-z]+)(?: \|.*)?\)', SCRIPT, re.MULTILINE))
    assert [line for line in LINES if line.words[0] not in known] == []


def test_modes_have_their_arguments():
    wrong = []
    for line in of('launch'):
        mode, given = line.words[1], line.words[2:]
        if mode == 'MODE':
            continue
        path = ROOT / 'launch' / f'{mode}.launch.xml'
        if not path.is_file():
            wrong.append(f'{line.where}: no mode {mode}')
            continue
        text = path.read_text()
        for name in re.findall(r'launch/(\w+)\.launch\.xml', text):
            text += (ROOT / 'launch' / f'{name}.launch.xml').read_text()
        known = set(re.findall(r'<arg name="(\w+)"', text))
        names = [word.split(':=')[0] for word in given if ':=' in word]
        wrong += [f'{line.where}: {mode} takes no {name}' for name in names if name not in known]
        rest = [word for word in given if ':=' not in word and word not in ('--show-args', '…')]
        wrong += [f'{line.where}: {word} is no argument' for word in rest]
    assert wrong == []


def test_executables_exist():
    wrong = [
        line
        for line in of('run')
        if line.words[1].isupper() is False
        and line.words[2] not in PACKAGES[line.words[1]].executables
    ]
    assert wrong == []


class Caught(Exception):  # noqa: N818  no error: it carries a parser out of a main function
    """The parser of a command."""


def parser_of(name: str, monkeypatch: pytest.MonkeyPatch) -> argparse.ArgumentParser:
    """Return the parser that a command makes, by asking the command itself."""

    def catch(parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        raise Caught(parser)

    match = re.search(rf'^  {name}\)(?:(?!;;)[\s\S])*?run_executable (\w+) (\w+)', SCRIPT, re.M)
    assert match is not None, name
    module_name = PACKAGES[match[1]].executables[match[2]]
    monkeypatch.setattr(argparse.ArgumentParser, 'parse_args', catch)
    monkeypatch.setattr(argparse.ArgumentParser, 'parse_known_args', catch)
    monkeypatch.setattr(sys, 'argv', [name])
    try:
        importlib.import_module(module_name).main()
    except ModuleNotFoundError as error:
        pytest.skip(f'{name} needs {error.name}, which is not installed')
    except Caught as caught:
        parser: argparse.ArgumentParser = caught.args[0]
        return parser
    raise AssertionError(f'{name} parses no arguments')


def options_of(parser: argparse.ArgumentParser, words: list[str]) -> tuple[set[str], list[str]]:
    """Return the options that a command takes, and its words after the names of subcommands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            assert words, f'one of {sorted(action.choices)} is missing'
            assert words[0] in action.choices, f'{words[0]} is none of {sorted(action.choices)}'
            return options_of(action.choices[words[0]], words[1:])
    return set(parser._option_string_actions), words


@pytest.mark.parametrize(
    'name',
    ['calibrate', 'demo', 'train', 'evaluate', 'identify', 'film', 'ingest', 'dataset', 'align',
     'practise'],
)  # fmt: skip
def test_options(name: str, monkeypatch: pytest.MonkeyPatch):
    lines = of(name)
    assert lines, f'no document tells of ./mimic {name}'
    parser = parser_of(name, monkeypatch)
    for line in lines:
        known, words = options_of(parser, [word.strip('[]') for word in line.words[1:]])
        given = [word for word in words if word.startswith('-')]
        assert [word for word in given if word not in known] == [], line.where


def test_folders_between_commands_agree():
    """What a line of the README reads is what a line before it writes."""
    text = (ROOT / 'README.md').read_text()
    assert './mimic film videos ' in text and './mimic ingest videos ' in text
    trained = re.search(r'train --task (\w+) --hand (\w+) --method (\w+)', text)
    assert trained is not None
    folder = 'out/policies/' + '_'.join(trained.groups())
    assert f'./mimic evaluate {folder} ' in text and f'checkpoint:={folder} ' in text
    assert './mimic practise mesh box.obj' in text and '--object box.obj' in text


def test_no_command_reads_what_it_prints_as_markup():
    """A path or an error may have brackets in it."""
    files = [*sorted(ROOT.glob('src/**/*.py')), *sorted(ROOT.glob('benchmarks/**/*.py'))]
    found = [
        (file, call)
        for file in files
        if 'test' not in file.parts and 'from rich' in file.read_text()
        for call in re.findall(r"\b(?:Console\(.*|TextColumn\('\{[^)]*\))", file.read_text())
    ]
    assert len(found) > 20
    assert not [where for where in found if 'markup=False' not in where[1]]
