"""A planned motion through the gate: around what is in the way, and what may go wrong."""

import time

import numpy as np
import pytest

from mimic_control import Gate
from mimic_control.params import GateParams
from mimic_control.planned_move import Phase, PlannedMove, scene_of
from mimic_control.testing import Audit
from mimic_core.errors import LimitError
from mimic_description import load_robot
from mimic_planning import Planner, Scene, TimedPath

ROBOT = load_robot('panda', 'robotiq_2f85')


class Loop:
    """A gate whose robot goes where it is sent, ticked as the node does."""

    def __init__(self, start: np.ndarray, **options) -> None:
        self.gate = Gate(ROBOT)
        self.audit = Audit(ROBOT, self.gate.params.rate, self.gate.params.collision_margin)
        self.move = PlannedMove(self.gate, **options)
        self.q, self.now = start.copy(), 0.0
        for _ in range(20):
            self.tick()

    def tick(self) -> None:
        self.now += self.gate.period
        output = self.gate.tick(self.now, self.q)
        self.audit.check(output, self.now)
        if output.publish:
            self.q = output.q

    def run(self, wait: float = 120.0) -> str:
        """Tick until the motion ends; while it is planned, in real time. Returns why it failed."""
        end = time.monotonic() + wait
        while time.monotonic() < end:
            if self.move.phase is Phase.PLANNING:
                time.sleep(0.002)
            self.tick()
            progress, _, failure = self.move.step(self.now)
            if failure or progress >= 1.0:
                return failure
        raise AssertionError('the motion does not end')

    def plan(self, goal: np.ndarray) -> str:
        self.move.begin(ROBOT.joint_names, goal, 1.0, self.now)
        return self.run()


@pytest.fixture(scope='module')
def blocked() -> tuple[np.ndarray, np.ndarray]:
    """Two free postures whose straight way is not, found by the planner's own scene."""
    scene, rng, count = Scene(ROBOT), np.random.default_rng(7), len(ROBOT.arm_joints)
    while True:
        ends = []
        scene.admit(ROBOT.home, ROBOT.home)
        while len(ends) < 2:
            q = ROBOT.home.copy()
            q[:count] = rng.uniform(ROBOT.limits.lower[:count], ROBOT.limits.upper[:count])
            ends += [q] if scene.free(q) else []
        if not scene.way_is_free(*ends):
            return ends[0], ends[1]


@pytest.fixture
def loop(blocked):
    loops = []

    def make(start: np.ndarray, **options) -> Loop:
        loops.append(Loop(start, **options))
        return loops[-1]

    yield make
    for item in loops:
        item.move.close()


def test_gate_and_planner_know_the_same_margins():
    params = GateParams(collision_margin=0.02, table_height=0.03, table_clearance=0.004,
                        workspace_padding=0.05, min_height_offset=0.02)  # fmt: skip
    for pair in (('panda', 'robotiq_2f85'), ('iiwa14', 'allegro'), ('so101', 'so101_gripper')):
        robot = load_robot(*pair)
        gate = Gate(robot, params)
        scene = Scene(robot, scene_of(gate))
        rng = np.random.default_rng(1)
        for _ in range(20):
            q = rng.uniform(robot.limits.lower, robot.limits.upper)
            spare = float((scene.distances(q) - scene.margins).min())
            assert spare == pytest.approx(gate.steering.collision.spare(q), abs=1e-9)
            inside = gate.steering.box.margins(q)
            np.testing.assert_allclose(scene._inside(q), inside, atol=1e-12)


def test_goes_around_what_stops_the_straight_motion(loop, blocked):
    start, goal = blocked
    straight = loop(start, plan=False)
    assert straight.plan(goal).startswith('the goal was not reached because of: ')
    planned = loop(start, timeout=60.0)
    assert planned.plan(goal) == ''
    np.testing.assert_allclose(planned.q, goal, atol=2e-4)
    assert 'sampled' in planned.move.note
    assert planned.audit.violations == []


def test_a_free_way_is_straight(loop):
    goal = ROBOT.home.copy()
    goal[0] += 0.3
    moved = loop(ROBOT.home)
    assert moved.plan(goal) == ''
    assert 'direct, 1 straight line' in moved.move.note
    np.testing.assert_allclose(moved.q, goal, atol=2e-4)


def test_a_goal_in_collision_is_refused_with_the_pair(loop):
    goal = ROBOT.home.copy()
    goal[1] = 1.6
    why = loop(ROBOT.home).plan(goal)
    assert why.startswith(('goal in collision: ', 'goal outside the workspace: '))


def test_ticks_go_on_while_it_plans(loop, blocked):
    start, goal = blocked
    moved = loop(start, timeout=60.0)
    moved.move.begin(ROBOT.joint_names, goal, 1.0, moved.now)
    took = []
    while moved.move.phase is Phase.PLANNING:
        began = time.perf_counter()
        moved.move.step(moved.now)
        took.append(time.perf_counter() - began)
        time.sleep(0.002)
        moved.tick()
    assert len(took) > 20
    assert np.median(took) < 0.001  # [s]
    with pytest.raises(LimitError, match='another motion is under way'):
        moved.move.begin(ROBOT.joint_names, goal, 1.0, moved.now)


def test_cancelled_while_planning_and_while_moving(loop, blocked):
    start, goal = blocked
    moved = loop(start)
    moved.move.begin(ROBOT.joint_names, goal, 1.0, moved.now)
    moved.move.cancel()
    assert moved.run() == 'cancelled'
    np.testing.assert_array_equal(moved.q, start)
    near = start + np.array([0.05, *[0.0] * (len(start) - 1)])
    moved.move.begin(ROBOT.joint_names, near, 1.0, moved.now)
    while moved.move.phase is not Phase.MOVING:
        time.sleep(0.002)
        moved.tick()
        moved.move.step(moved.now)
    moved.move.cancel()
    assert moved.run() == 'cancelled'


def test_a_mode_ends_planning(loop, blocked):
    start, goal = blocked
    moved = loop(start)
    moved.move.begin(ROBOT.joint_names, goal, 1.0, moved.now)
    moved.gate.set_mode('shadow')
    assert moved.run() == 'mode shadow was chosen'


def test_too_little_time(loop, blocked):
    start, goal = blocked
    why = loop(start, timeout=0.001).plan(goal)
    assert why.startswith('no path found in 0.001 s: the direct way is blocked by ')


def test_a_robot_that_was_moved_meanwhile_stays(loop):
    moved = loop(ROBOT.home)
    away = np.stack([ROBOT.home + 0.1, ROBOT.home])
    with pytest.raises(LimitError, match=r'moved by 0\.1000 while the motion was planned'):
        moved.gate.move_along(TimedPath.lines(away, ROBOT.limits, moved.now))


def test_the_way_of_another_planner_is_checked_and_gone(loop, blocked):
    start, goal = blocked
    way = Planner(ROBOT).plan(start, goal, timeout=60.0).points
    times, rows = np.arange(len(way)) * 2.0, np.zeros_like(way)
    moved = loop(start, timeout=60.0)
    moved.move.begin(ROBOT.joint_names, goal, 1.0, moved.now, elsewhere=True)
    assert moved.move.phase is Phase.ASKED
    moved.move.take(times, way, rows, moved.now)
    assert moved.run() == ''
    assert 'a way of MoveIt' in moved.move.note
    assert moved.audit.violations == []

    through = loop(start, timeout=60.0)  # one that is not free: our own planner takes over
    through.move.begin(ROBOT.joint_names, goal, 1.0, through.now, elsewhere=True)
    through.move.take(np.array([0.0, 9.0]), np.stack([start, goal]), np.zeros((2, len(goal))), 0.0)
    assert through.run() == ''
    assert through.move.note.startswith('the plan of MoveIt is not free: ')
    np.testing.assert_allclose(through.q, goal, atol=2e-4)

    refused = loop(ROBOT.home, timeout=60.0)
    near = ROBOT.home + np.array([0.1, *[0.0] * (len(goal) - 1)])
    refused.move.begin(ROBOT.joint_names, near, 1.0, refused.now, elsewhere=True)
    refused.move.refuse('MoveIt: PLANNING_FAILED', refused.now)
    assert refused.run() == ''
    assert refused.move.note.startswith('MoveIt: PLANNING_FAILED; direct')
