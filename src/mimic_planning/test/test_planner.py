"""Ways between postures: straight where free, around what is in the way, and reasons."""

import builtins
import itertools

import numpy as np
import pinocchio as pin
import pytest

from mimic_core.errors import ShapeError
from mimic_description import load_robot
from mimic_planning import Planner, PlanningError, SceneParams, TimedPath

FINE = 0.002  # [rad] of any joint between two looks of the check


def smallest_spare(planner: Planner, points: np.ndarray) -> float:
    """Return the least distance of any pair beyond its margin [m], looked at finely.

    Its own loop over pinocchio's distances; only the margins are the planner's.
    """
    robot, least = planner.robot, np.inf
    geometry = planner.scene._geometry
    data, geometry_data = robot.pin_model.createData(), geometry.createData()
    ends = []
    for q in (points[0], points[-1]):
        pin.computeDistances(robot.pin_model, data, geometry, geometry_data, robot.full(q))
        ends.append([r.min_distance for r in geometry_data.distanceResults])
    floor = np.minimum(planner.scene.margins, np.min(ends, axis=0))
    for a, b in itertools.pairwise(points):
        count = int(np.ceil(np.abs(b - a).max() / FINE)) + 1
        for s in np.linspace(0.0, 1.0, count)[:: max(count // 150, 1)]:
            full = robot.full(a + s * (b - a))
            pin.computeDistances(robot.pin_model, data, geometry, geometry_data, full)
            apart = np.array([r.min_distance for r in geometry_data.distanceResults])
            least = min(least, float((apart - floor).min()))
    return least


def over_a_wall(robot):
    """Return two postures with the folded elbow between them, free each."""
    a, b = robot.home.copy(), robot.home.copy()
    a[0], b[0] = -0.4, 0.4
    return a, b


def test_a_free_way_is_straight():
    planner = Planner(load_robot('iiwa14', 'allegro'))
    a, b = over_a_wall(planner.robot)
    plan = planner.plan(a, b)
    assert plan.kind == 'direct'
    np.testing.assert_array_equal(plan.points, [a, b])
    assert planner.check(plan.points) == ''


@pytest.fixture(scope='module')
def blocked() -> tuple[Planner, np.ndarray, np.ndarray]:
    """A robot with two free postures whose straight way is not."""
    pytest.importorskip('ompl')
    planner = Planner(load_robot('panda', 'robotiq_2f85'))
    robot, rng = planner.robot, np.random.default_rng(5)
    scene = planner.scene
    while True:
        ends = []
        scene.admit(robot.home, robot.home)
        while len(ends) < 2:
            q = robot.home.copy()
            q[:7] = rng.uniform(robot.limits.lower[:7], robot.limits.upper[:7])
            if scene.free(q):
                ends.append(q)
        if not scene.way_is_free(*ends):
            return planner, ends[0], ends[1]


def test_a_blocked_way_goes_around(blocked):
    planner, a, b = blocked
    plan = planner.plan(a, b, timeout=60.0)
    assert plan.kind == 'sampled'
    assert len(plan.points) > 2
    np.testing.assert_array_equal(plan.points[[0, -1]], [a, b])
    assert planner.robot.limits.contains(plan.points.min(axis=0))
    assert planner.robot.limits.contains(plan.points.max(axis=0))
    assert smallest_spare(planner, plan.points) > -1e-6
    assert planner.check(plan.points) == ''
    assert planner.check(np.stack([a, b])).startswith(('collision of', 'workspace of'))


def test_too_little_time_says_what_is_in_the_way(blocked):
    planner, a, b = blocked
    with pytest.raises(PlanningError, match=r'no path found in 0\.001 s: the direct way is block'):
        planner.plan(a, b, timeout=0.001)


def test_without_ompl_only_the_straight_way_goes(blocked, monkeypatch: pytest.MonkeyPatch):
    planner, a, b = blocked
    original = builtins.__import__

    def no_ompl(name: str, *args, **kwargs):
        if name.startswith('ompl'):
            raise ImportError('no module of that name')
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', no_ompl)
    with pytest.raises(PlanningError, match=r"blocked by .*; .*needs the package 'ompl'"):
        planner.plan(a, b)
    near = a.copy()
    near[6] += 0.01 if a[6] < 0 else -0.01
    assert planner.plan(a, near).kind == 'direct'


def test_the_hand_moves_too():
    planner = Planner(load_robot('iiwa14', 'allegro'))
    robot = planner.robot
    a, b = over_a_wall(robot)
    b[7:] = robot.hand_closed
    plan = planner.plan(a, b)
    np.testing.assert_array_equal(plan.points[-1], b)
    assert smallest_spare(planner, plan.points) > -1e-6


def test_goals_that_may_not_be():
    planner = Planner(load_robot('panda', 'panda_hand'), SceneParams(check_workspace=False))
    q = planner.robot.home.copy()
    q[1] = 1.6
    with pytest.raises(PlanningError, match=r'goal in collision: .*table'):
        planner.plan(planner.robot.home, q)
    q[1] = 5.0
    with pytest.raises(PlanningError, match=r'panda_joint_2 = 5.0000 is outside its limits'):
        planner.plan(planner.robot.home, q)


def test_time_keeps_every_limit_and_the_lines():
    robot = load_robot('iiwa14', 'allegro')
    rng = np.random.default_rng(2)
    points = np.array([rng.uniform(robot.limits.lower, robot.limits.upper) for _ in range(4)])
    limits = robot.limits.scaled(0.3, 0.3, 0.3)
    path = TimedPath.lines(points, limits, begin=2.0)
    times = np.arange(2.0, 2.0 + path.duration + 0.02, 0.001)
    q, v = path.at(times)
    np.testing.assert_allclose(q[[0, -1]], points[[0, -1]], atol=1e-9)
    np.testing.assert_allclose(v[[0, -1]], 0.0, atol=1e-9)
    assert (np.abs(v) <= limits.max_speed * (1.0 + 1e-9)).all()
    assert (np.abs(np.diff(v, axis=0)) / 0.001 <= limits.max_acceleration * (1.0 + 1e-6)).all()
    third = np.diff(v, n=2, axis=0) / 0.001**2
    assert (np.abs(third) <= limits.max_jerk * (1.0 + 1e-3)).all()
    np.testing.assert_allclose(np.diff(q, axis=0), 0.001 * 0.5 * (v[1:] + v[:-1]), atol=2e-6)
    for row in q[::50]:  # each lies on one of the lines
        apart = []
        for a, b in itertools.pairwise(points):
            s = np.clip((row - a) @ (b - a) / ((b - a) @ (b - a)), 0.0, 1.0)
            apart.append(np.abs(a + s * (b - a) - row).max())
        assert min(apart) < 1e-6


def test_samples_with_their_own_times():
    times = np.linspace(0.0, 2.0, 41)
    q = np.stack([np.sin(times), times**2], axis=1)
    v = np.stack([np.cos(times), 2.0 * times], axis=1)
    path = TimedPath(times, q, v, begin=10.0)
    found, speed = path.at(np.array([10.0, 11.033, 12.0, 50.0]))
    np.testing.assert_allclose(found[1], [np.sin(1.033), 1.033**2], atol=1e-6)
    np.testing.assert_allclose(speed[1], [np.cos(1.033), 2.066], atol=1e-4)
    np.testing.assert_array_equal(found[3], q[-1])
    for wrong in (times[::-1], times[:-1], times + 0.1):
        with pytest.raises(ShapeError):
            TimedPath(wrong, q, v, begin=0.0)


def test_a_path_that_goes_nowhere():
    robot = load_robot('so101', 'so101_gripper')
    path = TimedPath.lines(np.stack([robot.home, robot.home]), robot.limits, 0.0)
    assert path.duration < 0.01
    np.testing.assert_array_equal(path.at(np.array([0.0, 5.0]))[0], [robot.home] * 2)
