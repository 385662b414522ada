from pathlib import Path

import pytest
import yaml

from mimic_composition.launcher.errors import LaunchFileError
from mimic_composition.launcher.parameters import ParameterFiles, read_file, typed


@pytest.mark.parametrize(
    ('text', 'kind', 'wanted'),
    [
        ('3', None, 3),
        ('3.0', None, 3.0),
        ('hello', None, 'hello'),
        ("'3'", None, '3'),
        ('true', None, True),
        ('[1.0, 2.0]', None, [1.0, 2.0]),
        ('3', 'str', '3'),
        ('3', 'float', 3.0),
        ('1', 'bool', True),
        ('[a, b]', 'list_of_str', ['a', 'b']),
        ('', None, ''),
        ('~/topic', None, '~/topic'),
        ('a: b: c', None, 'a: b: c'),  # not YAML: a string
    ],
)
def test_typing(text: str, kind: str | None, wanted: object):
    value = typed(text, kind)
    assert value == wanted
    assert type(value) is type(wanted)


@pytest.mark.parametrize(
    ('text', 'kind'),
    [
        ('x', 'int'),
        ('1.5', 'int'),
        ('x', 'bool'),
        ('[1, a]', None),
        ('{a: 1}', None),
        ('null', None),
        ('2026-01-01', None),
        ('[1]', 'list_of_str'),
        ('1', 'list_of_int'),
        ('1', 'number'),
    ],
)
def test_what_no_parameter_can_be(text: str, kind: str | None):
    with pytest.raises(LaunchFileError):
        typed(text, kind)


def test_files_hold_one_node(tmp_path: Path):
    path = ParameterFiles(tmp_path).write('/ns/name', {'a': 1, 'b.c': [1.0]})
    content = yaml.safe_load(Path(path).read_text())
    assert content == {'/ns/name': {'ros__parameters': {'a': 1, 'b.c': [1.0]}}}


def test_reading_what_a_file_has_for_a_node(tmp_path: Path):
    path = tmp_path / 'p.yaml'
    path.write_text(
        '/**:\n  ros__parameters: {a: 1, deep: {b: 2}}\n'
        '/ns/me:\n  ros__parameters: {a: 3}\n'
        '/ns:\n  other:\n    ros__parameters: {a: 4}\n'
    )
    assert read_file(path, '/ns/me') == {'a': 3, 'deep.b': 2}
    assert read_file(path, '/ns/other') == {'a': 4, 'deep.b': 2}
    assert read_file(path, '/else') == {'a': 1, 'deep.b': 2}


@pytest.mark.parametrize('text', [None, '[1', 'just text'])
def test_files_that_are_none(tmp_path: Path, text: str | None):
    path = tmp_path / 'p.yaml'
    if text is not None:
        path.write_text(text)
    with pytest.raises(LaunchFileError, match=r'p\.yaml'):
        read_file(path, '/n')
