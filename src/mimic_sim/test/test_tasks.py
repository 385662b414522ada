import re
from pathlib import Path

import numpy as np
import pytest

from mimic_core.errors import ConfigError, NotFiniteError, UnknownNameError
from mimic_core.frames import transform
from mimic_description import load_robot
from mimic_sim.scripted import ScriptedOperator
from mimic_sim.tasks import (
    ObjectState,
    Start,
    TaskState,
    WorkArea,
    known_tasks,
    load_task,
    pose_on_table,
    scattered,
)
from mimic_sim.tasks.task import checked_start
from mimic_sim.twin import Twin, work_area

ARMS = {
    'iiwa14': 'allegro',
    'iiwa7': 'robotiq_2f85',
    'panda': 'panda_hand',
    'so101': 'so101_gripper',
}
AREA = WorkArea((0.55, 0.0), 0.18)
TASK_FILE = """
import numpy as np
from mimic_sim.tasks import Marker, SceneObject, Start, Task, TaskState, pose_on_table

BALL = SceneObject('ball', 'sphere', (0.02,), 0.05, (1, 0, 0, 1))


class Push(Task):
    name = 'push'
    description = 'Push the ball.'
    time_limit = 12.0

    @property
    def objects(self) -> tuple[SceneObject, ...]:
        return (BALL,)

    @property
    def markers(self) -> tuple[Marker, ...]:
        return ()

    def start(self, rng: np.random.Generator, trial: int) -> Start:
        return Start({'ball': pose_on_table(BALL, self.area.centre, 0.0)})

    def success(self, state: TaskState) -> bool:
        return bool(state.objects['ball'].pose[0, 3] > self.area.centre[0] + 0.05)
"""


def _state(task, start, name, **changes):
    still = {
        obj.name: ObjectState(start.objects[obj.name], np.zeros(3), 0.0) for obj in task.objects
    }
    pose, velocity, force = (
        changes.get('pose', start.objects[name]),
        changes.get('velocity', np.zeros(3)),
        changes.get('force', 0.0),
    )
    still[name] = ObjectState(pose, velocity, force)
    markers = {m.name: m.position for m in task.markers} | dict(start.markers)
    return TaskState(still, markers, start)


def test_known_tasks() -> None:
    assert {'pick_place', 'tiles', 'clutter'} <= set(known_tasks())


def test_unknown_task_names_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"Did you mean 'tiles'\?.*pick_place"):
        load_task('tile', AREA)


@pytest.mark.parametrize('name', ['pick_place', 'tiles', 'clutter'])
@pytest.mark.parametrize('arm', ARMS)
def test_starts_are_in_reach_apart_and_not_done(arm: str, name: str) -> None:
    area = work_area(load_robot(arm, ARMS[arm]))
    task = load_task(name, area)
    first = task.objects[0]
    for seed in range(20):
        start = task.start(np.random.default_rng(seed), seed)
        again = task.start(np.random.default_rng(seed), seed)
        target = (dict(start.markers) or {m.name: m.position for m in task.markers})['target']
        for obj in task.objects:
            np.testing.assert_array_equal(start.objects[obj.name], again.objects[obj.name])
        xy = start.objects[first.name][:2, 3]
        assert np.linalg.norm(xy - area.centre) <= area.radius * 1.05
        assert np.linalg.norm(np.array(target) - area.centre) <= area.radius * 1.05
        assert not task.success(_state(task, start, first.name))
        places = [start.objects[obj.name][:2, 3] for obj in task.objects]
        for i, a in enumerate(places):
            for j in range(i):
                gap = np.linalg.norm(a - places[j])
                assert gap > 0.9 * (task.objects[i].radius + task.objects[j].radius)


def test_tiles_go_through_the_five_places() -> None:
    task = load_task('tiles', AREA)
    tiles = np.array([m.position for m in task.markers if m.name.startswith('tile_')])
    assert len(tiles) == 5
    for trial in range(10):
        start = task.start(np.random.default_rng(trial), trial)
        distance = np.linalg.norm(tiles - start.objects['cube'][:2, 3], axis=1)
        assert int(np.argmin(distance)) == trial % 5
        assert distance.min() < 0.01


@pytest.mark.parametrize('name', ['pick_place', 'tiles', 'clutter'])
def test_success_needs_place_rest_and_release(name: str) -> None:
    task = load_task(name, AREA)
    start = task.start(np.random.default_rng(3), 3)
    markers = {m.name: m.position for m in task.markers} | dict(start.markers)
    cube = task.objects[0]
    there = pose_on_table(cube, markers['target'], 0.3)
    off = pose_on_table(cube, (markers['target'][0] + 0.06, markers['target'][1]), 0.0)
    above = transform(np.eye(3), there[:3, 3] + (0, 0, 0.1))
    assert task.success(_state(task, start, 'cube', pose=there))
    assert not task.success(_state(task, start, 'cube', pose=off))
    assert not task.success(_state(task, start, 'cube', pose=above))
    assert not task.success(_state(task, start, 'cube', pose=there, force=1.0))
    assert not task.success(
        _state(task, start, 'cube', pose=there, velocity=np.array([0.05, 0.0, 0.0]))
    )


def test_a_folder_of_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'push.py').write_text(TASK_FILE)
    monkeypatch.setenv('MIMIC_TASK_PATH', str(tmp_path))
    assert 'push' in known_tasks()
    task = load_task('push', AREA)
    assert (task.description, task.time_limit) == ('Push the ball.', 12.0)


def test_a_broken_task_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'broken.py').write_text('import no_such_module_at_all\n')
    monkeypatch.setenv('MIMIC_TASK_PATH', str(tmp_path))
    with pytest.raises(ConfigError, match=r'broken\.py.*no_such_module_at_all'):
        known_tasks()


@pytest.mark.parametrize('field', ['name', 'description', 'success'])
def test_a_task_that_is_not_complete_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    (tmp_path / 'mine.py').write_text(
        'from mimic_sim.tasks import Task\nclass Base(Task):\n    pass\nclass Mine(Base):\n'
        + ''.join(
            {'name': "    name = 'mine'\n", 'description': "    description = 'Mine.'\n"}.get(
                f, f'    def {f}(self, *_):\n        return ()\n'
            )
            for f in ('name', 'description', 'objects', 'markers', 'start', 'success')
            if f != field
        )
    )
    monkeypatch.setenv('MIMIC_TASK_PATH', str(tmp_path))
    with pytest.raises(ConfigError, match=rf'mine\.py: class Mine has no {field}$'):
        known_tasks()


def test_no_room() -> None:
    with pytest.raises(ConfigError, match='no room'):
        scattered(np.random.default_rng(0), WorkArea((0.0, 0.0), 0.05), 6, 0.1)


def test_a_start_is_checked() -> None:
    task = load_task('pick_place', AREA)
    good = task.start(np.random.default_rng(0), 0)
    assert checked_start(task, good) is good
    with pytest.raises(UnknownNameError, match='cub'):
        checked_start(task, Start({'cub': np.eye(4)}))
    with pytest.raises(ConfigError, match='leaves out'):
        checked_start(task, Start({}))
    with pytest.raises(NotFiniteError):
        checked_start(task, Start({'cube': np.full((4, 4), np.nan)}))
    with pytest.raises(UnknownNameError, match='marker'):
        checked_start(task, Start(good.objects, {'goal': (0.0, 0.0)}))


def test_the_worked_example_of_the_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = Path(__file__).parents[3] / 'docs' / 'adding_a_task.md'
    blocks = re.findall(r'```python\n(.*?)```', document.read_text(), re.S)
    assert len(blocks) == 1
    (tmp_path / 'stack.py').write_text(blocks[0])
    monkeypatch.setenv('MIMIC_TASK_PATH', str(tmp_path))
    for arm in ('iiwa14', 'so101'):
        twin = Twin(load_robot(arm, ARMS[arm] if arm == 'so101' else 'robotiq_2f85'), 'stack')
        for seed in range(2):
            twin.reset(seed)
            assert not twin.success()
            assert ScriptedOperator(twin).pick_and_place(), (arm, seed)
