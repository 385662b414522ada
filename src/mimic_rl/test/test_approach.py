"""Ways to the start, looked at again with the physics of practice, in smaller steps."""

import dataclasses

import mujoco
import numpy as np
import pytest

from mimic_core.errors import LimitError
from mimic_core.frames import PALM
from mimic_core.primitives import Primitive
from mimic_retargeting import ArmIK
from mimic_rl.approach import way_to_start
from mimic_rl.shown import show
from mimic_rl.surroundings import Surroundings
from mimic_rl.world import build_world, overlap

FAST = 0.5  # [1]


class Scene:
    """A run, and where its robot goes."""

    def __init__(self, run):
        self.run, self.robot = run, run.robot()
        self.ik = ArmIK(self.robot, PALM)
        self.around = Surroundings(run, self.robot)
        self.place = run.trajectory[0, :3]
        self._world = build_world(run, self.robot)
        self._data = mujoco.MjData(self._world.model)
        first, pose = self._world.object_qpos, run.trajectory[0]
        self._data.qpos[first : first + 7] = pose[[0, 1, 2, 6, 3, 4, 5]]

    def moved(self, q, *by):
        """Return (J,) the posture whose palm is moved by three numbers [m]."""
        arm = len(self.robot.arm_joints)
        target = self.ik.pose(q[:arm])
        target[:3, 3] += by
        found = self.ik.solve(target, q[:arm], max_starts=20)
        assert found.position_error < 0.01
        return np.concatenate([found.q, q[arm:]])

    def overlaps(self, q):
        self._world.robot.place(self.robot, self._data, q)
        return overlap(self._world, self._world.model, self._data)

    def way(self, q, clearance=0.1):
        return way_to_start(
            self.robot, self.ik, self.around, q, self.run.start, self.place, clearance=clearance,
            speed=FAST,
        )  # fmt: skip

    def clean(self, way):
        return not any(self.overlaps(way.at(t)) for t in np.arange(0.0, way.duration, 0.01))


@pytest.fixture(scope='module')
def push():
    return Scene(show('box_push', 'iiwa14', 'allegro'))


def test_distances_are_those_of_all_shapes(push):
    robot, run = push.robot, push.run
    tip = robot.fk(run.start, next(iter(robot.tip_frames().values())))[:3, 3]
    # A finger tip within a corner of the box is farther from its origin than its side is.
    corner = push.place + np.array([0.065, 0.03, 0.0])
    assert push.around.touched(push.moved(run.start, *(corner - tip))) == 'the object'
    assert push.around.touched(push.moved(run.start, 0.0, 0.0, -0.06)) == 'the table'
    assert push.around.touched(run.start) == ''
    np.testing.assert_array_equal(push.around.distances(robot.home), [0.02] * 3)


def test_a_distance_is_in_metres(push):
    """The hand comes down on the table: what is told falls as the hand does."""
    tips = list(push.robot.tip_frames().values())
    heights, told = [], []
    for down in np.arange(-0.05, 0.0, 0.002):
        q = push.moved(push.run.start, 0.0, -0.1, down)
        heights.append(min(push.robot.fk(q, tip)[2, 3] for tip in tips))
        told.append(push.around.distances(q)[1])
    near = np.array(told) < 0.0199
    assert 3 < near.sum() < len(told)
    np.testing.assert_allclose(np.diff(told)[near[1:]], np.diff(heights)[near[1:]], atol=1e-3)


@pytest.mark.parametrize('hand', ['allegro', 'robotiq_2f85'])
@pytest.mark.parametrize('task', ['box_push', 'box_pivot', 'plate_push'])
@pytest.mark.parametrize('where', ['home', 'end', 'beyond', 'aside', 'low'])
def test_ways_touch_nothing(task, hand, where):
    scene = Scene(show(task, 'iiwa14', hand))
    start = scene.run.start
    q = {
        'home': lambda: scene.robot.home,
        'end': lambda: scene.run.demonstration[-1],  # where a run ended
        'beyond': lambda: scene.moved(start, 0.0, 0.45, 0.02),  # behind box and wall
        'aside': lambda: scene.moved(start, 0.2, 0.1, 0.0),
        'low': lambda: scene.moved(start, -0.1, 0.3, 0.0),
    }[where]()
    if scene.overlaps(q):
        pytest.skip('there is something where the hand would be')
    way = scene.way(q)
    assert scene.clean(way)
    np.testing.assert_array_equal(way.points[0], q)
    np.testing.assert_array_equal(way.points[-1], start)


def test_over_a_wall_and_over_a_bowl(push):
    """What stands between the hand and the start is gone over; straight on would go through."""
    start = push.run.start
    x, y, _ = push.ik.pose(start[:7])[:3, 3]
    wall = Primitive('box', (0.5, 0.04, 0.16), (float(x), float(y) - 0.2, 0.08))
    bowl = Primitive('cylinder', (0.09, 0.12), (float(x), float(y) - 0.25, 0.06))
    for part, back in ((wall, -0.35), (bowl, -0.45)):
        scene = Scene(dataclasses.replace(push.run, fixtures=(part,)))
        q = scene.moved(start, 0.0, back, 0.0)
        assert not scene.overlaps(q)
        straight = np.linspace(q, start, 100)
        assert any(scene.overlaps(row) for row in straight)
        way = scene.way(q)
        assert scene.clean(way)


def test_down_to_a_start_that_cannot_be_come_to_from_its_side(push):
    """Something hangs where the palm would come from: the hand comes down from above."""
    start = push.run.start
    palm = push.ik.pose(start[:7])[:3, 3]
    x, y, z = palm + np.array([0.0, -0.15, 0.15])
    block = Primitive('box', (0.04, 0.04, 0.04), (float(x), float(y), float(z)))
    scene = Scene(dataclasses.replace(push.run, fixtures=(block,)))
    away = palm - push.place
    beside = scene.moved(start, *(0.1 * away / np.linalg.norm(away)))
    assert scene.around.touched(beside) and not scene.around.touched(start)
    way = scene.way(push.robot.home)
    assert scene.clean(way)
    above = scene.ik.pose(way.points[-2][:7])[:3, 3] - palm
    assert above[2] > 0.07 and np.abs(above[:2]).max() < 0.02


def test_no_way_and_no_free_start_are_told(push, monkeypatch):
    x, y, _ = push.ik.pose(push.run.start[:7])[:3, 3]
    wall = Primitive('box', (0.5, 0.04, 0.16), (float(x), float(y) - 0.2, 0.08))
    block = Primitive('box', (0.3, 0.1, 0.1), (float(x), float(y) - 0.02, 0.05))
    with pytest.raises(LimitError, match='touch what stands on the table at the start'):
        Scene(dataclasses.replace(push.run, fixtures=(block,))).way(push.robot.home)
    monkeypatch.setattr('mimic_rl.approach.RISES', ())  # it may not go higher
    scene = Scene(dataclasses.replace(push.run, fixtures=(wall,)))
    with pytest.raises(LimitError, match=r'no way to the start is free.*control/move_to'):
        scene.way(scene.moved(push.run.start, 0.0, -0.35, 0.0))
