"""`practise show` and `mesh`: the video of a virtual person, and what it moves, for `prepare`."""

import argparse

import numpy as np
import pytest
import trimesh

from mimic_core.errors import ConfigError
from mimic_rl.prepare import DemonstrationVideo
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


def test_a_shown_task_is_a_video_that_prepare_reads(tmp_path, capsys):
    bag, mesh = tmp_path / 'bag', tmp_path / 'box.obj'
    call(
        'show', bag, '--mesh', mesh, '--task', 'box_push', '--width', 160, '--height', 120,
        '--rate', 5,
    )  # fmt: skip
    assert f'mesh: {mesh}' in capsys.readouterr().out and mesh.is_file()
    frames = list(DemonstrationVideo(bag).frames())
    assert len(frames) > 20 and frames[0].color.shape == (120, 160, 3)
    assert 300 < np.median(frames[0].depth) < 3000  # [mm]
    changed = np.abs(frames[-1].color.astype(int) - frames[0].color).max(axis=2) > 40
    assert changed.mean() > 0.005  # the box is elsewhere in the end


def test_a_mesh_that_cannot_be_written(tmp_path):
    with pytest.raises(ConfigError, match=r'box\.foo cannot be written'):
        call('mesh', tmp_path / 'box.foo')
    (tmp_path / 'file').touch()
    with pytest.raises(ConfigError, match=r'box\.obj cannot be written'):
        call('mesh', tmp_path / 'file' / 'box.obj')
