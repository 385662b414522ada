"""The hand solver: exact derivatives, limits, couplings, no worse than others."""

import numpy as np
import pytest
from scipy.optimize import minimize

from mimic_core.errors import ConfigError, NotFiniteError, ShapeError
from mimic_core.frames import PALM
from mimic_description import RobotModel, hand_model, load_robot
from mimic_retargeting import HandSolver

HANDS = ('allegro', 'leap', 'ability')
LOSSES = ('squared', 'huber', 'huber_components')


def links_of(robot: RobotModel) -> list[tuple[str | None, str]]:
    assert robot.hand is not None and robot.hand.retargeting is not None
    tips = robot.hand.tip_frames
    vectors: list[tuple[str | None, str]] = [
        (None, link) for link in robot.hand.retargeting.keypoints.values()
    ]
    return [*vectors, (tips['thumb'], tips['index'])]


@pytest.mark.parametrize('hand', HANDS)
@pytest.mark.parametrize('loss', LOSSES)
def test_derivatives_are_those_of_finite_differences(hand: str, loss: str) -> None:
    robot = hand_model(hand)
    solver = HandSolver(robot, links_of(robot), beta=1e-3, loss=loss)
    rng = np.random.default_rng(3)
    q, last = rng.uniform(solver.lower, solver.upper, (2, len(solver.lower)))
    target, weight = rng.normal(size=(len(solver), 3)) * 0.1, rng.uniform(0, 1, len(solver))
    weight[0], target[0] = 0.0, np.nan
    _, g, H = solver.objective(q, target, weight, last)
    step = 1e-6
    for c, direction in enumerate(np.eye(len(q)) * step):
        ahead = solver.objective(q + direction, target, weight, last)
        behind = solver.objective(q - direction, target, weight, last)
        assert (ahead[0] - behind[0]) / (2 * step) == pytest.approx(g[c], abs=1e-8)
        np.testing.assert_allclose((ahead[1] - behind[1]) / (2 * step), H[c], atol=1e-7)


@pytest.mark.parametrize('hand', HANDS)
def test_reachable_targets_are_reached(hand: str) -> None:
    robot = hand_model(hand)
    solver = HandSolver(robot, links_of(robot), beta=0.0)
    rng = np.random.default_rng(4)
    for _ in range(20):
        q = rng.uniform(solver.lower, solver.upper)
        near = np.clip(q + rng.normal(size=len(q)) * 0.2, solver.lower, solver.upper)
        solution = solver.solve(solver.vectors(q), np.ones(len(solver)), near)
        assert solution.errors.max() < 1e-4


@pytest.mark.parametrize('hand', HANDS)
@pytest.mark.parametrize('seed', range(20))
def test_limits_hold_whatever_is_asked(hand: str, seed: int) -> None:
    robot = hand_model(hand)
    solver = HandSolver(robot, links_of(robot), beta=1e-4)
    rng = np.random.default_rng(seed)
    size = 10.0 ** rng.uniform(-3, 6)
    target = rng.normal(size=(len(solver), 3)) * size
    start = rng.uniform(solver.lower, solver.upper)
    solution = solver.solve(target, rng.uniform(0, 1, len(solver)), start)
    assert robot.limits.contains(solution.q, 0.0)
    assert np.isfinite(solution.objective)
    low, high = start - 0.05, start + 0.05
    tight = solver.solve(target, np.ones(len(solver)), start, lower=low, upper=high)
    assert (tight.q >= np.maximum(low, solver.lower)).all()
    assert (tight.q <= np.minimum(high, solver.upper)).all()


@pytest.mark.parametrize('hand', HANDS)
@pytest.mark.parametrize('loss', LOSSES)
def test_no_worse_than_a_general_solver_from_the_same_start(hand: str, loss: str) -> None:
    robot = hand_model(hand)
    solver = HandSolver(robot, links_of(robot), beta=1e-3, loss=loss)
    rng = np.random.default_rng(5)
    ours, theirs = [], []
    for _ in range(15):
        q = rng.uniform(solver.lower, solver.upper)
        target = solver.vectors(q) + rng.normal(size=(len(solver), 3)) * 0.02
        weight, last = np.ones(len(solver)), np.clip(q + 0.3, solver.lower, solver.upper)
        ours.append(solver.solve(target, weight, last).objective)
        other = minimize(
            lambda x, t=target, w=weight, p=last: solver.objective(x, t, w, p)[:2], last,
            jac=True, method='SLSQP', bounds=list(zip(solver.lower, solver.upper, strict=True)),
            options={'ftol': 1e-12, 'maxiter': 300},
        )  # fmt: skip
        theirs.append(other.fun)
    assert np.mean(ours) <= np.mean(theirs) * 1.01  # both are local, each may be luckier once


def test_coupled_joints_move_by_their_multiplier() -> None:
    robot = hand_model('ability')
    assert robot.pin_model.nq > len(robot.joint_names)
    assert robot.hand is not None
    solver = HandSolver(robot, [(None, robot.hand.tip_frames['index'])], beta=1e-9)
    goal = robot.posture('closed')
    wanted = robot.fk(goal, robot.hand.tip_frames['index'], PALM)[None, :3, 3]
    q = solver.solve(wanted, np.ones(1), robot.posture('open')).q
    np.testing.assert_allclose(
        robot.fk(q, robot.hand.tip_frames['index'], PALM)[:3, 3], wanted[0], atol=1e-5
    )
    full = robot.full(q)
    for joint in robot.tree.joints:
        if joint.coupling is None:
            continue
        i = robot.pin_model.joints[robot.pin_model.getJointId(joint.name)].idx_q
        source = robot.joint_names.index(joint.coupling.joint)
        assert full[i] == joint.coupling.multiplier * q[source] + joint.coupling.offset


def test_same_input_same_output() -> None:
    robot = hand_model('leap')
    rng = np.random.default_rng(6)
    results = []
    for _ in range(2):
        solver = HandSolver(robot, links_of(robot), beta=1e-4)
        target = np.random.default_rng(7).normal(size=(len(solver), 3)) * 0.1
        results.append(solver.solve(target, np.ones(len(solver)), robot.hand_open).q)
        rng.normal()
    np.testing.assert_array_equal(results[0], results[1])


def test_fingers_of_a_whole_robot_are_those_of_the_hand_alone() -> None:
    whole, alone = load_robot('so101', 'allegro', prefix='b_'), hand_model('allegro')
    links = links_of(alone)
    target = np.random.default_rng(8).normal(size=(len(links), 3)) * 0.1
    q = [
        HandSolver(r, links, beta=1e-4).solve(target, np.ones(len(links)), alone.hand_open).q
        for r in (whole, alone)
    ]
    np.testing.assert_allclose(q[0], q[1], atol=1e-6)


def test_bad_input_is_refused() -> None:
    robot = hand_model('allegro')
    solver = HandSolver(robot, links_of(robot), beta=1e-4)
    good, ones = np.zeros((len(solver), 3)), np.ones(len(solver))
    nan = good.copy()
    nan[2, 1] = np.nan
    with pytest.raises(NotFiniteError, match='targets with a weight'):
        solver.solve(nan, ones, robot.hand_open)
    with pytest.raises(ShapeError, match='weights'):
        solver.solve(good, np.ones(3), robot.hand_open)
    with pytest.raises(ConfigError, match='>= 0'):
        solver.solve(good, -ones, robot.hand_open)
    with pytest.raises(ConfigError, match='vectors'):
        HandSolver(robot, [], beta=1.0)
