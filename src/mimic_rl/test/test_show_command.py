"""`practise mesh`: what a virtual person moves, as a file for `prepare`."""

import argparse

import numpy as np
import pytest
import trimesh

from mimic_core.errors import ConfigError
from mimic_rl.shapes import object_mesh
from mimic_rl.show_command import add_commands
from mimic_rl.shown import shown_task


def call(*words):
    parser = argparse.ArgumentParser()
    actions = add_commands(parser.add_subparsers(dest='command'))
    given = parser.parse_args([str(word) for word in words])
    actions[given.command](given)


def test_the_mesh_of_what_is_shown(tmp_path):
    file = tmp_path / 'meshes' / 'box.obj'
    call('mesh', file, '--task', 'box_pivot')
    box = trimesh.load(file, force='mesh')
    assert box.is_watertight
    wanted = object_mesh(shown_task('box_pivot').object)
    np.testing.assert_allclose(box.extents, wanted.extents, atol=1e-6)


def test_a_mesh_that_cannot_be_written(tmp_path):
    with pytest.raises(ConfigError, match=r'box\.foo cannot be written'):
        call('mesh', tmp_path / 'box.foo')
    (tmp_path / 'file').touch()
    with pytest.raises(ConfigError, match=r'box\.obj cannot be written'):
        call('mesh', tmp_path / 'file' / 'box.obj')
