"""Push, hammer and flip: what counts as done, what does not, and how a person shows it."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimic_core.frames import transform
from mimic_description import load_robot
from mimic_sim.bare_hand import BareHand, BareHandParams
from mimic_sim.tasks import (
    ObjectState,
    SceneObject,
    Slide,
    Start,
    TaskState,
    WorkArea,
    load_task,
    pose_on_table,
)
from mimic_sim.tasks.flip import LEAN, OVER, PANEL
from mimic_sim.tasks.hammer import DRIVEN, PEG, TOUCHED, TRAVEL
from mimic_sim.tasks.push import BLOCK, GOAL_RADIUS
from mimic_sim.things import checked_objects
from mimic_sim.twin import Twin, work_area

AREA = WorkArea((0.55, 0.0), 0.18)
TASKS = ('push', 'hammer', 'flip')
FAR = np.array([0.0, 1.2, -0.6])  # [m], off the table


@pytest.fixture(scope='module')
def robot():
    return load_robot('iiwa14', 'robotiq_2f85')


def state_of(task, start, **objects):
    """A state of the task at its start, but for some objects."""
    still = {name: ObjectState(pose, np.zeros(3), 0.0) for name, pose in start.objects.items()}
    markers = {m.name: m.position for m in task.markers} | dict(start.markers)
    return TaskState(still | objects, markers, start)


def begun(name, seed=3):
    task = load_task(name, AREA)
    return task, task.start(np.random.default_rng(seed), seed)


def at(pose, velocity=0.0, force=0.0, impulse=0.0):
    return ObjectState(pose, np.array([velocity, 0.0, 0.0]), force, impulse)


@pytest.mark.parametrize('name', TASKS)
@pytest.mark.parametrize('arm', ['iiwa14', 'panda'])
def test_starts_follow_the_seed_and_rest_undone(name, arm):
    task = load_task(name, work_area(load_robot(arm, 'none')))
    for seed in range(10):
        start = task.start(np.random.default_rng(seed), seed)
        again = task.start(np.random.default_rng(seed), seed)
        for obj in task.objects:
            np.testing.assert_array_equal(start.objects[obj.name], again.objects[obj.name])
            off = np.linalg.norm(start.objects[obj.name][:2, 3] - task.area.centre)
            assert off < 1.05 * task.area.radius
        assert not task.success(state_of(task, start))


@pytest.mark.parametrize('name', TASKS)
def test_nothing_happens_by_itself(name, robot):
    twin = Twin(robot, name, seed=4)
    before = twin.objects()
    twin.step(2.0)  # a timeout without any action
    for thing, pose in twin.objects().items():
        np.testing.assert_allclose(pose, before[thing], atol=5e-3)
    assert not twin.success() and not twin.ever_success


def test_push_needs_the_block_on_the_field_at_rest_and_free():
    task, start = begun('push')
    x, y = start.markers['target']
    near, off = 0.9 * GOAL_RADIUS, 1.1 * GOAL_RADIUS

    def done(dx, **changes):
        block = at(pose_on_table(BLOCK, (x + dx, y), 0.4), **changes)
        return task.success(state_of(task, start, block=block))

    assert done(0.0) and done(near)
    assert not done(off)
    assert not done(0.0, velocity=0.05)
    assert not done(0.0, force=0.5)
    lost = at(transform(np.eye(3), FAR))
    assert not task.success(state_of(task, start, block=lost))


def test_hammer_needs_the_peg_driven_by_the_mallet():
    task, start = begun('hammer')

    def driven(depth, **changes):
        pose = start.objects['peg'].copy()
        pose[2, 3] -= depth
        return task.success(state_of(task, start, peg=at(pose, **changes)))

    assert driven(DRIVEN + 1e-6) and driven(TRAVEL)
    assert not driven(0.9 * DRIVEN)
    assert not driven(TRAVEL, impulse=1.1 * TOUCHED)  # pressed in by the fingers
    # A block that fell off the table took its peg along: that is not depth.
    gone = {n: at(transform(np.eye(3), FAR) @ start.objects[n]) for n in ('block', 'peg')}
    assert not task.success(state_of(task, start, **gone))


def test_flip_needs_the_panel_on_its_other_side():
    task, start = begun('flip')
    before = start.objects['panel']

    def turned(angle, **changes):
        turn = transform(Rotation.from_euler('x', -angle).as_matrix(), np.zeros(3))
        return task.success(state_of(task, start, panel=at(before @ turn, **changes)))

    over = LEAN + OVER
    assert turned(over) and turned(over - 0.25)
    assert not turned(over - 0.5) and not turned(LEAN)
    assert not turned(over, force=1.0)
    assert not turned(over, velocity=0.1)
    assert not task.success(state_of(task, start, panel=at(transform(np.eye(3), FAR))))


def test_the_panel_turns_on_its_hinge(robot):
    twin = Twin(robot, 'flip', seed=2)
    start = twin.objects()['panel']
    pivot = np.array(PANEL.hinge.pivot)
    axis = (start @ [*pivot, 1.0])[:3]
    for angle in (0.3, 1.5):
        turn = transform(Rotation.from_euler('x', LEAN - angle).as_matrix(), np.zeros(3))
        stand = twin.objects()['stand']
        upright = stand @ transform(np.eye(3), np.array(PANEL.hinge.at))
        there = transform(np.eye(3), pivot)
        pose = upright @ there @ turn @ np.linalg.inv(there)
        twin.set_state(robot.home, {'panel': pose})
        np.testing.assert_allclose(twin.objects()['panel'], pose, atol=1e-9)
        np.testing.assert_allclose((pose @ [*pivot, 1.0])[:3], axis, atol=1e-9)
    twin.step(1.0)  # past the upright it falls over by itself
    assert twin.success()


def test_the_peg_slides_as_its_block_says(robot):
    twin = Twin(robot, 'hammer', seed=2)
    up = twin.objects()['peg']
    down = up.copy()
    down[2, 3] -= 0.01
    twin.set_state(robot.home, {'peg': down})
    np.testing.assert_allclose(twin.objects()['peg'], down, atol=1e-9)
    twin.step(0.5)  # friction holds it against its weight, and nothing pushes it up
    np.testing.assert_allclose(twin.objects()['peg'][:3, 3], down[:3, 3], atol=5e-4)
    down[2, 3] -= 0.1
    twin.set_state(robot.home, {'peg': down})  # no deeper than its way
    assert up[2, 3] - twin.objects()['peg'][2, 3] == pytest.approx(TRAVEL, abs=1e-5)
    assert twin.success()


def test_a_blow_drives_the_peg_and_its_weight_does_not(robot):
    twin = Twin(robot, 'hammer', seed=2)

    def drop(height, speed):
        twin.reset(2)
        pose = twin.target()
        pose[2, 3] += height
        twin.set_state(robot.home, {'mallet': pose})
        start = twin.objects()['peg'][2, 3]
        twin.data.joint('mallet').qvel[2] = -speed
        twin.step(1.0)
        return start - twin.objects()['peg'][2, 3]

    assert drop(0.0005, 0.0) < 0.002
    assert drop(0.02, 1.0) > 0.006


def test_an_object_slides_in_one_of_the_same_task():
    lonely = SceneObject('rod', 'box', (0.01, 0.01, 0.01), 0.1, (1, 1, 1, 1),
                         slide=Slide('tube', (0, 0, 0), 0.01, 1.0))  # fmt: skip

    class Lonely(type(load_task('push', AREA))):
        objects = (lonely,)

    with pytest.raises(Exception, match='tube'):
        checked_objects(Lonely(AREA))
    start = Start({'rod': np.eye(4)})
    assert start.objects['rod'].shape == (4, 4)
    assert PEG.slide is not None and PEG in checked_objects(load_task('hammer', AREA))


@pytest.mark.parametrize('name', (*TASKS, 'pick_place'))
def test_a_bare_hand_does_it(name):
    """The task's own test holds when the person is done, and the pictures tell nothing else."""
    params = BareHandParams(task=name, seed=1, rate=2.0, width=160, height=120)
    with BareHand(params) as person:
        assert not person.success
        frames = list(person.frames())
        assert person.success
        assert len(frames) == int(np.ceil(person.duration * 2.0))
    assert all(frame.depth is None and frame.color.shape == (120, 160, 3) for frame in frames)
    assert np.ptp([frame.color.mean(axis=(0, 1)) for frame in frames], axis=0).max() > 0.5


OWN_TASK = """
import numpy as np
from mimic_sim.tasks import Marker, Move, SceneObject, Start, Task, TaskState, pose_on_table

BLOCK = SceneObject('block', 'box', (0.12, 0.05, 0.04), 0.2, (1, 0, 0, 1), friction=0.6)


class Nudge(Task):
    name = 'nudge'
    description = 'Push the block a little to the left.'
    objects = (BLOCK,)
    markers = ()

    def start(self, rng, trial):
        return Start({'block': pose_on_table(BLOCK, self.area.centre, 0.0)})

    def success(self, state):
        return bool(state.objects['block'].pose[1, 3] > self.area.centre[1] + 0.03)

    def show(self, places):
        block, up = places['block'], np.array([0.0, 0.0, 0.1])
        behind, there = block - (0.0, 0.1, 0.0), block + (0.0, 0.02, 0.0)
        return (
            Move('reach', behind + up, 'spread', 'above', heading=0.0),
            Move('reach', behind, 'spread', 'around'),
            Move('push', there, 'spread'),
            Move('retreat', there + up, 'relaxed'),
        )
"""


def test_a_task_of_a_user_is_shown_as_its_file_says(tmp_path, monkeypatch):
    (tmp_path / 'nudge.py').write_text(OWN_TASK)
    monkeypatch.setenv('MIMIC_TASK_PATH', str(tmp_path))
    with BareHand(BareHandParams(task='nudge', rate=1.0, width=64, height=48)) as person:
        assert list(person.frames())
        assert person.success


def test_people_differ_and_a_seed_repeats_one():
    def first(**changes):
        params = BareHandParams(task='flip', rate=1.0, width=96, height=72, **changes)
        with BareHand(params) as person:
            frames = person.frames()
            next(frames)
            return person.duration, person.variation.skin, next(frames).color

    one, again, other = first(seed=5), first(seed=5), first(seed=6)
    assert one[:2] == again[:2]
    np.testing.assert_array_equal(one[2], again[2])
    assert one[0] != other[0] and one[1] != other[1]
    slower, strange = first(seed=5, speed=0.5), first(seed=5, look='strange', motion='strange')
    assert slower[0] > 1.5 * one[0]
    assert strange[0] != one[0]
    assert np.abs(strange[2].astype(int) - one[2]).mean() > 5.0  # another table
