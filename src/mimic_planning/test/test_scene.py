"""Where a robot may be: margins, the table, the box, and what a start may keep."""

import numpy as np
import pytest

from mimic_description import load_robot
from mimic_planning import Scene, SceneParams

PAIRS = [('iiwa14', 'allegro'), ('panda', 'robotiq_2f85'), ('so101', 'so101_gripper')]


@pytest.fixture(scope='module', params=PAIRS, ids='+'.join)
def scene(request) -> Scene:
    return Scene(load_robot(*request.param))


def test_home_is_free_and_named_as_free(scene: Scene):
    home = scene.robot.home
    assert scene.admit(home, home) == ''
    assert scene.free(home)
    assert scene.blocked_by(home) == ''


def test_the_quick_look_agrees_with_the_distances(scene: Scene):
    rng = np.random.default_rng(0)
    limits, home = scene.robot.limits, scene.robot.home
    scene.admit(home, home)
    count = len(scene.robot.arm_joints)
    both = {True: 0, False: 0}
    for _ in range(300):
        q = home.copy()
        q[:count] = rng.uniform(limits.lower[:count], limits.upper[:count])
        free = scene.free(q)
        both[free] += 1
        assert free == (scene.blocked_by(q) == '')
    assert both[False] > 100


def test_an_arm_through_the_table_is_blocked_and_said():
    scene = Scene(load_robot('panda', 'panda_hand'), SceneParams(check_workspace=False))
    q = scene.robot.home.copy()
    q[1] = 1.6  # [rad], leans far forward
    why = scene.admit(scene.robot.home, q)
    assert why.startswith('goal in collision:') and 'table' in why and 'mm' in why
    scene.admit(scene.robot.home, scene.robot.home)
    assert scene.blocked_by(q).endswith('and table')


def test_a_start_in_collision_says_which_pair():
    scene = Scene(load_robot('panda', 'panda_hand'))
    q = scene.robot.home.copy()
    q[3] = -3.07  # folds the forearm onto the shoulder
    q[5] = 0.0
    assert scene.admit(q, scene.robot.home).startswith('start in collision: panda_')


def test_a_goal_out_of_the_workspace_is_refused():
    scene = Scene(load_robot('iiwa14', 'robotiq_2f85'))
    q = scene.robot.home.copy()
    q[0] = 2.5  # behind
    assert scene.admit(scene.robot.home, q).startswith('goal outside the workspace: ')


def test_a_start_near_an_obstacle_may_leave_but_not_come_nearer():
    scene = Scene(load_robot('iiwa14', 'robotiq_2f85'), SceneParams(check_workspace=False))
    home = scene.robot.home
    low = home.copy()
    table = [i for i in range(len(scene.margins)) if scene._name(i).endswith('table')]
    while scene.distances(low)[table].min() > 0.0006:  # nearer than the margin of 1 mm
        low[1] += 0.0002
    assert scene.distances(low)[table].min() > 0.0
    up, down = low.copy(), low.copy()
    up[1] -= 0.1
    down[1] += 0.002
    assert scene.admit(low, up) == ''
    assert scene.way_is_free(low, up)
    assert 'table' in scene.admit(low, down)
    assert 'table' in scene.admit(up, low), 'the same place is no goal from elsewhere'


def test_no_part_moves_by_more_than_a_step():
    scene = Scene(load_robot('iiwa14', 'allegro'))
    robot, rng = scene.robot, np.random.default_rng(1)
    links = [n for n, link in robot.tree.links.items() if link.shapes]
    for _ in range(20):
        a = rng.uniform(robot.limits.lower, robot.limits.upper)
        b = rng.uniform(robot.limits.lower, robot.limits.upper)
        count = scene.steps(a, b, 0.02)
        i = rng.integers(count)
        p, q = (a + (b - a) * k / count for k in (i, i + 1))
        for link in links[::5]:
            moved = robot.fk(p, link)[:3, 3] - robot.fk(q, link)[:3, 3]
            assert np.linalg.norm(moved) <= 0.02
