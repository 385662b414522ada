"""Tasks that are JSON files: what the twin makes of them, and what is wrong with some."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimic_core.errors import ConfigError
from mimic_core.frames import transform
from mimic_core.primitives import Primitive
from mimic_description import load_robot
from mimic_sim.tasks import TaskFile, WorkArea, load_task, save_task_file, task_class
from mimic_sim.twin import Twin

AREA = WorkArea((0.55, 0.0), 0.18)
QUARTER = (0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5))  # a quarter turn about z
STARTS = [[0.5, 0.1, 0.06, 0, 0, 0, 1], [0.6, 0.12, 0.06, *QUARTER]]
MUG = TaskFile(
    name='my_mug',
    thing='mug',
    parts=(
        Primitive('cylinder', (0.03, 0.08), (0.0, 0.0, -0.02)),
        Primitive('box', (0.06, 0.01, 0.02), (0.03, 0.03, -0.02), QUARTER),
    ),
    mass=0.3,
    friction=0.7,
    fixtures=(Primitive('box', (0.3, 0.04, 0.1), (0.55, -0.2, 0.05)),),
    starts=np.array(STARTS),
    target=np.array([0.55, -0.05, 0.06, *QUARTER]),
    axes=0.2 * np.eye(3),
    near=0.04,
    turned=0.26,
)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / 'task.json'
    save_task_file(MUG, path)
    return path


def test_the_file_keeps_everything(path):
    task = task_class(str(path)).content
    for name in ('name', 'thing', 'mass', 'friction', 'near', 'turned', 'fixtures'):
        assert getattr(task, name) == getattr(MUG, name)
    for name in ('starts', 'target', 'axes'):
        np.testing.assert_allclose(getattr(task, name), getattr(MUG, name), atol=1e-6)
    assert [p.form for p in task.parts] == ['cylinder', 'box']


def test_the_twin_has_it_on_its_table(path):
    twin = Twin(load_robot('iiwa14', 'allegro'), str(path), seed=3)
    body, table = twin.model.body('mug').id, twin.model.body('table').id
    geoms = np.flatnonzero(twin.model.geom_bodyid == body)
    assert twin.model.body_mass[body] == pytest.approx(0.3)
    np.testing.assert_allclose(twin.model.geom_pos[geoms], [p.xyz for p in MUG.parts])
    np.testing.assert_allclose(twin.model.geom_quat[geoms[1]], [QUARTER[3], 0, 0, QUARTER[2]])
    walls = np.flatnonzero(twin.model.geom_bodyid == table)
    assert any(np.allclose(twin.model.geom_pos[g], MUG.fixtures[0].xyz) for g in walls)
    places = []
    for seed in range(8):
        twin.reset(seed)
        places.append(twin.objects()['mug'][:3, 3].copy())
        assert min(np.linalg.norm(np.array(STARTS)[:, :3] - places[-1], axis=1)) < 1e-6
    assert np.ptp(places, axis=0)[0] == pytest.approx(0.1)  # both starts came
    np.testing.assert_allclose(twin.target()[:3, 3], MUG.target[:3], atol=1e-9)


def test_it_stands_and_what_is_beside_it_stays(path):
    twin = Twin(load_robot('iiwa14', 'allegro'), str(path))
    before = twin.objects()['mug'].copy()
    against = before.copy()
    against[:3, 3] = [0.55, -0.14, 0.06]
    twin.step(0.5)
    np.testing.assert_allclose(twin.objects()['mug'], before, atol=2e-3)
    twin.set_state(twin.robot.home, {'mug': against})
    first = twin.model.jnt_dofadr[twin.model.body_jntadr[twin.model.body('mug').id]]
    twin.data.qvel[first : first + 2] = [0.0, -2.0]
    twin.step(0.4)
    assert twin.objects()['mug'][1, 3] > -0.18 + 0.025  # the wall stopped it


@pytest.mark.parametrize(
    ('shift', 'angle', 'round_', 'done'),
    [
        ((0, 0, 0), 0.0, False, True),
        ((0.03, 0, 0), 0.2, False, True),
        ((0.05, 0, 0), 0.0, False, False),
        ((0, 0, 0), 0.4, False, False),
        ((0, 0, 0), 0.4, True, True),
    ],
)
def test_it_is_done_where_the_thing_rests_at_its_target(tmp_path, shift, angle, round_, done):
    path = tmp_path / 'task.json'
    save_task_file(replace(MUG, axes=np.array([[0, 0, 0.2]])) if round_ else MUG, path)
    twin = Twin(load_robot('iiwa14', 'allegro'), str(path))
    assert not twin.success()
    turn = Rotation.from_quat(MUG.target[3:]) * Rotation.from_euler('z', angle)
    twin.set_state(
        twin.robot.home, {'mug': transform(turn.as_matrix(), MUG.target[:3] + np.array(shift))}
    )
    twin.step(0.1)
    assert twin.success() is done


@pytest.mark.parametrize(
    ('field', 'value', 'message'),
    [
        ('format', 'other', "format is not 'mimic task'"),
        ('version', 2, 'version 2 is not 1'),
        ('mass', 0, r'mass = 0\.0 must be > 0'),
        ('mass', None, 'mass is None'),
        ('name', 3, 'name is 3'),
        ('starts', [], 'starts'),
        ('starts', [[0, 0, 0, 0, 0, 0, 2]], 'starts: a quaternion is not of unit length'),
        ('target', [0, 0, 0], 'target'),
        ('target', [0, 0, float('nan'), 0, 0, 0, 1], 'target'),
        ('parts', [], 'parts is empty'),
        ('parts', [{'form': 'cone'}], r'parts\[0\]\.form must be one of'),
        ('fixtures', [{'form': 'box', 'size': [1, 1]}], r'fixtures\[0\]\.size'),
        ('friction', -1, r'friction = -1\.0 must be >= 0'),
    ],
)
def test_what_is_wrong_is_named(path, field, value, message):
    document = json.loads(path.read_text())
    document[field] = value
    path.write_text(json.dumps(document))
    with pytest.raises(ConfigError, match=rf'task file .*task\.json: {message}'):
        load_task(str(path), AREA)


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(ConfigError, match='cannot be read'):
        load_task(str(tmp_path / 'none.json'), AREA)
    (tmp_path / 'torn.json').write_text('{"format"')
    with pytest.raises(ConfigError, match='cannot be read'):
        load_task(str(tmp_path / 'torn.json'), AREA)
