"""Tasks for practice: what counts as done, from scripted states."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimic_core.frames import transform
from mimic_description import load_robot
from mimic_sim.tasks import ObjectState, TaskState, WorkArea, box_pivot, load_task, pitcher_pour
from mimic_sim.twin import Twin

AREA = WorkArea((0.55, 0.0), 0.18)
NAMES = ('box_pivot', 'box_push', 'pitcher_pour', 'plate_push')


def _state(task, pose, speed=0.0):
    start = task.start(np.random.default_rng(0), 0)
    objects = {name: ObjectState(at, np.zeros(3), 0.0) for name, at in start.objects.items()}
    objects[task.objects[0].name] = ObjectState(pose, np.array([speed, 0.0, 0.0]), 0.0)
    marks = {m.name: start.markers.get(m.name, m.position) for m in task.markers}
    return TaskState(objects, marks, start)


def _at(xyz, turn='z', angle=0.0):
    return transform(Rotation.from_euler(turn, angle).as_matrix(), np.array(xyz))


@pytest.mark.parametrize('name', NAMES)
def test_starts_vary_with_the_seed_and_are_not_done(name):
    task = load_task(name, AREA)
    first = task.objects[0].name
    poses = [
        task.start(np.random.default_rng(seed), 0).objects[first][:3, 3] for seed in range(20)
    ]
    assert np.ptp(poses, axis=0)[:2].min() > 0.05
    for seed in range(5):
        pose = task.start(np.random.default_rng(seed), 0).objects[first]
        assert not task.success(_state(task, pose))


@pytest.mark.parametrize('name', ['box_push', 'plate_push'])
def test_push(name):
    task = load_task(name, AREA)
    x, y = next(m.position for m in task.markers)
    z = task.objects[0].height
    assert task.success(_state(task, _at([x, y, z])))
    assert task.success(_state(task, _at([x + 0.03, y, z], angle=0.2)))
    assert not task.success(_state(task, _at([x + 0.05, y, z])))
    assert not task.success(_state(task, _at([x, y, z]), speed=0.1))
    turned = task.success(_state(task, _at([x, y, z], angle=0.4)))
    assert turned == (name == 'plate_push')  # a plate is round
    assert not task.success(_state(task, _at([x, y, z + 0.05], 'x', 1.0)))


def test_pivot():
    task = load_task('box_pivot', AREA)
    x, y = next(m.position for m in task.markers)
    stands = 0.5 * box_pivot.BOX.size[1]
    assert task.success(_state(task, _at([x, y, stands], 'x', -np.pi / 2)))
    assert task.success(_state(task, _at([x, y, stands], 'x', -np.pi / 2 + 0.2)))
    assert not task.success(_state(task, _at([x, y, stands], 'x', np.pi / 2)))  # on the other end
    assert not task.success(_state(task, _at([x, y, stands], 'x', -1.2)))
    assert not task.success(_state(task, _at([x, y, box_pivot.BOX.height])))
    assert not task.success(_state(task, _at([x, y - 0.06, stands], 'x', -np.pi / 2)))


def test_the_pitcher_never_starts_in_the_bowl():
    task = load_task('pitcher_pour', AREA)
    apart = pitcher_pour.PITCHER.radius + pitcher_pour.BOWL.radius
    for seed in range(300):
        start = task.start(np.random.default_rng(seed), 0).objects
        offset = start['pitcher'][:2, 3] - start['bowl'][:2, 3]
        assert np.linalg.norm(offset) > apart


def test_pour():
    task = load_task('pitcher_pour', AREA)
    x, y = next(m.position for m in task.markers)
    reach = 0.5 * pitcher_pour.PITCHER.size[1]

    def pouring(tilt, z=0.2, off=0.0):
        return _at([x, y - reach * np.sin(tilt) + off, z], 'x', -tilt)

    assert task.success(_state(task, pouring(1.2)))
    assert not task.success(_state(task, pouring(0.5)))
    assert not task.success(_state(task, pouring(1.2, off=0.1)))
    assert not task.success(_state(task, pouring(1.9, z=0.04)))  # its mouth is in the bowl


@pytest.mark.parametrize('name', NAMES)
def test_things_stay_where_they_are_put(name):
    twin = Twin(load_robot('iiwa14', 'robotiq_2f85'), task=name, seed=3)
    before = twin.objects()
    twin.step(0.5)
    for thing, pose in twin.objects().items():
        np.testing.assert_allclose(pose, before[thing], atol=2e-3)
    assert not twin.ever_success
