import dataclasses
import json

import numpy as np
import pytest

from mimic_core.errors import ConfigError, ShapeError
from mimic_core.primitives import Primitive
from mimic_rl import PracticeRun, WrongRobotError, load_run, save_run
from mimic_rl.run_folder import axes_anchors


def test_round_trip(run, tmp_path):
    save_run(run, tmp_path)
    again = load_run(tmp_path)
    for field in dataclasses.fields(PracticeRun):
        a, b = getattr(run, field.name), getattr(again, field.name)
        if isinstance(a, np.ndarray):
            np.testing.assert_allclose(a, b, atol=1e-6)
        else:
            assert a == b, field.name


@pytest.mark.parametrize(
    ('field', 'value', 'words'),
    [
        ('format', 'another', 'format'),
        ('version', 99, 'version 99'),
        ('trajectory', [[0, 0, 0, 0, 0, 0, 1]], 'trajectory has 1'),
        ('trajectory', [[0, 0, 0, 0, 0, 0, 2]] * 3, r'trajectory\[0\].*unit length'),
        ('trajectory', [[0, 0, float('nan'), 0, 0, 0, 1]] * 3, r'trajectory\[0, 2\] is nan'),
        ('start', [0.0], 'start has shape'),
        ('rate', 0, 'rate = 0.0'),
        ('rate', 1e9, r'rate = 1000000000\.0 Hz must be'),
        ('rate', float('nan'), 'rate = nan'),
        ('joint_names', [1, 2, 3], r'joint_names = \[1, 2, 3\] are no names'),
        ('anchors', [], 'anchors'),
        ('joint_names', 'x', "field 'joint_names'"),
        ('fixtures', [{'form': 'cone'}], r'fixtures\[0\].form'),
        ('fixtures', [{'form': 'box', 'size': [1, 1, 0]}], r'fixtures\[0\].size must be > 0'),
        ('start_box', [1, 0, 0, 0], 'start_box'),
        ('object', None, "field 'object' is None"),
    ],
)
def test_a_wrong_field_is_named_with_its_file(run, tmp_path, field, value, words):
    path = save_run(run, tmp_path)
    document = json.loads(path.read_text())
    document[field] = value
    path.write_text(json.dumps(document))
    with pytest.raises(ConfigError, match=words) as error:
        load_run(tmp_path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ('field', 'value', 'words'),
    [
        ('mass', float('inf'), r'object\.mass = inf'),
        ('friction', float('nan'), r'object\.friction = nan must be'),
        ('friction', -0.1, r'object\.friction = -0\.1 must be'),
        ('symmetry', 'w', r"object\.symmetry: symmetry 'w' is not"),
        ('symmetry', 3, r"field 'object\.symmetry' is 3"),
    ],
)
def test_a_wrong_field_of_the_object_is_named_with_its_file(run, tmp_path, field, value, words):
    path = save_run(run, tmp_path)
    document = json.loads(path.read_text())
    document['object'][field] = value
    path.write_text(json.dumps(document))
    with pytest.raises(ConfigError, match=words) as error:
        load_run(tmp_path)
    assert str(path) in str(error.value)


def test_a_run_of_before_says_nothing_of_symmetry_and_mesh(run, tmp_path):
    path = save_run(run, tmp_path)
    document = json.loads(path.read_text())
    del document['object']['symmetry']
    path.write_text(json.dumps(document))
    assert load_run(tmp_path).object == run.object


@pytest.mark.parametrize('field', ['arm', 'start', 'object', 'trajectory', 'anchors'])
def test_a_missing_field_is_named(run, tmp_path, field):
    path = save_run(run, tmp_path)
    document = json.loads(path.read_text())
    del document[field]
    path.write_text(json.dumps(document))
    with pytest.raises(ConfigError, match=f"field '{field}' is missing"):
        load_run(tmp_path)


def test_no_run_folder(tmp_path):
    with pytest.raises(ConfigError, match='is no run folder'):
        load_run(tmp_path)


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / 'run.json').write_text('{"format"')
    with pytest.raises(ConfigError, match='no valid JSON'):
        load_run(tmp_path)


def test_a_mesh_that_is_gone(run, tmp_path):
    thing = dataclasses.replace(run.object, mesh='gone.obj')
    save_run(dataclasses.replace(run, object=thing), tmp_path)
    with pytest.raises(ConfigError, match=r'no file gone\.obj'):
        load_run(tmp_path)


def test_the_mesh_of_a_training_is_known_by_its_digest(run, tmp_path):
    thing = dataclasses.replace(run.object, mesh='box.obj')
    (tmp_path / 'box.obj').write_text('v 0 0 0')
    save_run(dataclasses.replace(run, object=thing), tmp_path)
    save_run(load_run(tmp_path), tmp_path / 'training')
    assert load_run(tmp_path / 'training', files=tmp_path) is not None
    (tmp_path / 'box.obj').write_text('v 0 0 1')
    assert load_run(tmp_path).object.mesh == 'box.obj'  # the folder itself may change
    with pytest.raises(ConfigError, match=r'training.run\.json: object\.mesh: .*box\.obj is not'):
        load_run(tmp_path / 'training', files=tmp_path)


def test_another_robot_is_refused(run):
    with pytest.raises(WrongRobotError, match='not of panda with leap'):
        run.check_robot('panda', 'leap')
    names = ('other', *run.joint_names[1:])
    with pytest.raises(WrongRobotError, match='other'):
        dataclasses.replace(run, joint_names=names).robot()
    beyond = run.start.copy()
    beyond[3] = 9.0
    with pytest.raises(WrongRobotError, match=run.joint_names[3]):
        dataclasses.replace(run, start=beyond).robot()


def test_no_parts_and_wrong_demonstration(run):
    with pytest.raises(ConfigError, match='parts'):
        dataclasses.replace(run, object=dataclasses.replace(run.object, parts=()))
    with pytest.raises(ShapeError, match='demonstration'):
        dataclasses.replace(run, demonstration=run.demonstration[1:])
    with pytest.raises(ConfigError, match='mass'):
        dataclasses.replace(run, object=dataclasses.replace(run.object, mass=0.0))


def test_anchors_of_symmetric_objects():
    assert axes_anchors().shape == (3, 3)
    np.testing.assert_array_equal(axes_anchors(('z',)), [[0, 0, 0], [0, 0, 0.2]])
    assert axes_anchors(('x', 'y', 'z')).shape == (1, 3)
    assert Primitive('box', (1, 1, 1)).quat_xyzw == (0, 0, 0, 1)


def test_a_run_that_does_not_fit_on_the_disk_is_named_and_nothing_is_left(run, tmp_path):
    part = tmp_path / 'run.part'
    part.symlink_to('/dev/full')
    with pytest.raises(ConfigError, match=f'{part}: not written: the disk is full'):
        save_run(run, tmp_path)
    assert not list(tmp_path.iterdir())
