from pathlib import Path

import pytest
import yaml

from mimic_composition.launcher.errors import LaunchFileError
from mimic_composition.launcher.parameters import ParameterFiles, load_file, read_file, typed


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


@pytest.mark.parametrize(
    ('text', 'says'),
    [
        (b'/**: [', 'is no YAML: .* in line'),
        (b'/**:\n  ros__parameters:\n', 'holds no parameters'),
        (b'limits: {a: 1.0}', 'holds no parameters: it needs'),
        (b'just words', 'holds no parameters'),
        (b'/**: {ros__parameters: {box: [0.0, 1]}}', 'box = .* mixes .*decimals'),
        (b'\xff\xfe\x00', 'is no text|is no YAML'),
    ],
)
def test_a_file_that_is_no_parameter_file_is_told_in_one_sentence(tmp_path, text, says):
    path = tmp_path / 'site.yaml'
    path.write_bytes(text)
    with pytest.raises(LaunchFileError, match=says) as error:
        load_file(path)
    assert str(path) in str(error.value) and '\n' not in str(error.value)


def test_a_folder_no_file_and_no_permission(tmp_path, monkeypatch):
    with pytest.raises(LaunchFileError, match='directory'):
        load_file(tmp_path)
    with pytest.raises(LaunchFileError, match='no parameter file'):
        load_file(tmp_path / 'none.yaml')

    def refuse(*_, **__):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr(Path, 'read_text', refuse)  # root may read everything
    with pytest.raises(LaunchFileError, match='Permission denied'):
        load_file(tmp_path / 'site.yaml')


def test_a_file_of_comments_holds_nothing(tmp_path):
    path = tmp_path / 'site.yaml'
    path.write_text('# nothing yet\n')
    assert load_file(path) == {}
