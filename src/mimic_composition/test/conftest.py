"""A package for launch files to start: `show`, whose executable prints its arguments."""

import stat
from pathlib import Path

import pytest


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """An installation with the package `show`."""
    folder = tmp_path / 'prefix'
    (folder / 'share/ament_index/resource_index/packages').mkdir(parents=True)
    (folder / 'share/ament_index/resource_index/packages/show').touch()
    (folder / 'share/show').mkdir()
    executable = folder / 'lib/show/show'
    executable.parent.mkdir(parents=True)
    executable.write_text('#!/bin/sh\necho "$@"\n')
    executable.chmod(executable.stat().st_mode | stat.S_IXUSR)
    return folder
