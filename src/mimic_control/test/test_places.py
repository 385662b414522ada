"""Workspace box and collisions agree with a check of every sample that would be sent."""

import dataclasses

import numpy as np
import pinocchio as pin
import pytest

from mimic_control import Gate
from mimic_control.brake import Brake, State, Way
from mimic_control.collision import CollisionGuard
from mimic_control.params import GateParams
from mimic_control.reach import reach
from mimic_control.workspace import WorkspaceBox
from mimic_description import RobotModel, load_robot

ROBOT = load_robot('iiwa14', 'allegro')
PARAMS = GateParams()


def random_way(
    robot: RobotModel, rng: np.random.Generator, spread: float
) -> tuple[Way, np.ndarray]:
    limits = robot.limits
    size = len(limits)
    q = limits.clip(robot.home + rng.normal(size=size) * spread)
    v = rng.uniform(-1, 1, size) * limits.max_speed
    stop = Brake(State(q, v, np.zeros(size)), limits.max_acceleration, limits.max_jerk)
    return Way(stop, 0.01), q


def test_the_box_agrees_with_a_check_of_every_sample() -> None:
    box = WorkspaceBox(ROBOT, PARAMS)
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(300):
        way, q = random_way(ROBOT, rng, 0.3)
        floor = np.minimum(box.margins(q), 0.0) - 1e-9
        truth = any((box.margins(p) < floor).any() for p in way.points)
        assert bool(box.violation(way, q)) == truth
        found += truth
    assert 20 < found < 280


def test_margins_are_those_of_the_points() -> None:
    box = WorkspaceBox(ROBOT, PARAMS)
    workspace = ROBOT.arm.workspace
    margins = box.margins(ROBOT.home)
    for name, row in zip(box.points, margins, strict=True):
        p = ROBOT.fk(ROBOT.home, name, 'base_link')[:3, 3]
        np.testing.assert_allclose(row[3:], np.array(workspace.box_max) - p, atol=1e-9)
        np.testing.assert_allclose(row[:2], p[:2] - np.array(workspace.box_min)[:2], atol=1e-9)
    lifted = WorkspaceBox(ROBOT, dataclasses.replace(PARAMS, min_height_offset=0.05))
    np.testing.assert_allclose(lifted.margins(ROBOT.home)[:, 2], margins[:, 2] - 0.05)
    wider = WorkspaceBox(ROBOT, dataclasses.replace(PARAMS, workspace_padding=0.1))
    np.testing.assert_allclose(wider.margins(ROBOT.home)[:, 3:], margins[:, 3:] + 0.1)


def test_a_target_outside_is_projected_into_the_box() -> None:
    box = WorkspaceBox(ROBOT, PARAMS)
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(50):
        q = ROBOT.limits.clip(ROBOT.home + rng.normal(size=len(ROBOT.home)) * 0.3)
        target, why = box.project(q)
        assert bool(why) == bool((box.margins(q) < 0.0).any())
        if not why:
            np.testing.assert_array_equal(target, q)
        inside += (box.margins(target) >= 0.0).all()
        np.testing.assert_array_equal(target[7:], q[7:])
    assert inside >= 48


@pytest.mark.parametrize(
    ('arm', 'hand'), [('iiwa14', 'allegro'), ('panda', 'panda_hand'), ('so101', 'so101_gripper')]
)
def test_collisions_agree_with_a_check_of_every_sample(arm: str, hand: str) -> None:
    robot = load_robot(arm, hand)
    wide = dataclasses.replace(PARAMS, collision_margin=0.08, table_clearance=0.15)
    guard = CollisionGuard(robot, wide)
    other = CollisionGuard(robot, wide)  # only measures, and keeps no bounds
    rng = np.random.default_rng(2)
    found = 0
    for _ in range(80):
        way, q = random_way(robot, rng, 0.5)
        if other.spare(q) < 0.0:
            continue
        truth = min(other.spare(p) for p in way.points) < -1e-7
        assert bool(guard.violation(way, q)) == truth
        found += truth
    assert found >= 3


def test_what_is_too_near_may_only_get_farther() -> None:
    guard = CollisionGuard(ROBOT, PARAMS)
    q = ROBOT.home.copy()
    while guard.spare(q) > -0.005:  # fold the forearm down
        q[1] += 0.01
        q[3] -= 0.01
    limits = ROBOT.limits
    for direction, allowed in ((1.0, False), (-1.0, True)):
        v = np.zeros(len(q))
        v[1], v[3] = 0.2 * direction, -0.2 * direction
        way = Way(Brake(State(q, v, 0 * v), limits.max_acceleration, limits.max_jerk), 0.01)
        why = guard.violation(way, q)
        assert bool(why) != allowed, why


def test_the_distance_is_that_of_the_nearest_pair() -> None:
    guard = CollisionGuard(ROBOT, PARAMS)
    distance, pair = guard.closest(ROBOT.home)
    geometry = ROBOT.collision_model(within_hand=False)
    data, geometry_data = ROBOT.pin_model.createData(), geometry.createData()
    pin.computeDistances(ROBOT.pin_model, data, geometry, geometry_data, ROBOT.full(ROBOT.home))
    truth = min(r.min_distance for r in geometry_data.distanceResults)
    assert distance == pytest.approx(truth, abs=1e-6)
    assert ' and ' in pair


@pytest.mark.parametrize('arm', ['iiwa14', 'panda', 'so101'])
def test_reach_bounds_every_motion(arm: str) -> None:
    robot = load_robot(arm, 'panda_hand')
    model, data = robot.pin_model, robot.pin_model.createData()
    joint = model.njoints - 1
    weights = reach(model, joint, 0.0)
    rng = np.random.default_rng(3)
    for _ in range(300):
        q = rng.uniform(model.lowerPositionLimit, model.upperPositionLimit)
        step = rng.normal(size=model.nq) * 0.05
        pin.forwardKinematics(model, data, q)
        before = data.oMi[joint].translation.copy()
        pin.forwardKinematics(model, data, q + step)
        moved = np.linalg.norm(data.oMi[joint].translation - before)
        assert moved <= weights @ np.abs(step) + 1e-12


@pytest.mark.parametrize(
    ('arm', 'hand', 'seed'), [('panda', 'leap', 0), ('so101', 'so101_gripper', 0)]
)
def test_a_wish_that_wanders_outside_does_not_make_the_target_hop(arm, hand, seed) -> None:
    robot = load_robot(arm, hand)
    steering = Gate(robot).steering
    rng = np.random.default_rng(seed)
    arms = len(robot.arm_joints)
    phase, size = rng.uniform(0.0, 6.28, arms), rng.uniform(0.2, 0.9, arms)
    wishes = np.tile(robot.home, (400, 1))
    swing = size * (np.sin(np.arange(400)[:, None] / 60.0 + phase) - np.sin(phase))
    wishes[:, :arms] += swing
    wishes = robot.limits.clip(wishes)
    alone = [steering._projected(wish, False)[0] for wish in wishes]
    found = [steering._allowed(wish) for wish in wishes]
    outside = sum(bool(why) for _, why in found)
    assert outside > 100

    def hops(targets: list[np.ndarray]) -> int:
        return int((np.abs(np.diff(targets, axis=0)).max(axis=1) > 0.1).sum())

    targets = [target for target, _ in found]
    assert hops(alone) > 20 and hops(targets) < 0.25 * hops(alone)
    away = np.linalg.norm(np.array(targets) - wishes, axis=1).mean()
    assert away < np.linalg.norm(np.array(alone) - wishes, axis=1).mean()
