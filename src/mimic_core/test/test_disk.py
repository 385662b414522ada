import errno
import os
from pathlib import Path

import pytest

from mimic_core.disk import removed_on_error, writing
from mimic_core.errors import ConfigError


def _write_to_a_full_disk():
    Path('/dev/full').write_bytes(b'something')


def test_a_full_disk_is_said_with_the_file_and_what_to_do(tmp_path):
    with pytest.raises(ConfigError) as caught, writing(tmp_path / 'a', ConfigError, 'make room'):
        _write_to_a_full_disk()
    assert str(caught.value) == f'{tmp_path}/a: not written: the disk is full; make room'


def test_the_file_of_the_error_is_the_one_that_is_named(tmp_path):
    file = tmp_path / 'folder'
    file.mkdir()
    with pytest.raises(ConfigError) as caught, writing(tmp_path, ConfigError):
        file.write_text('')
    assert str(caught.value) == f'{file}: not written: {os.strerror(errno.EISDIR)}'


def test_nothing_is_left_of_what_could_not_be_written(tmp_path):
    file, folder = tmp_path / 'file', tmp_path / 'folder'
    with pytest.raises(OSError, match='No space left'), removed_on_error(file):
        file.write_bytes(b'half')
        _write_to_a_full_disk()
    with pytest.raises(OSError, match='No space left'), removed_on_error(folder):
        folder.mkdir()
        (folder / 'file').write_bytes(b'half')
        _write_to_a_full_disk()
    with pytest.raises(OSError, match='No space left'), removed_on_error(tmp_path / 'none'):
        _write_to_a_full_disk()
    assert not list(tmp_path.iterdir())
