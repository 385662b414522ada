import itertools

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimic_control import GateParams
from mimic_control.collision import CollisionGuard
from mimic_control.workspace import WorkspaceBox
from mimic_core.errors import ConfigError
from mimic_description import hand_model, load_robot
from mimic_rl.bounds import GateBounds
from mimic_rl.motion import PALM_ACTIONS, Motion, curve, euler_matrices
from mimic_rl.params import PracticeParams
from mimic_rl.shown import show
from mimic_rl.synergies import find_synergies, finger_groups, hand_postures, robot_synergies

HANDS = ('allegro', 'leap', 'robotiq_2f85')


@pytest.mark.parametrize('hand', HANDS)
def test_synergies_span_most_postures(hand):
    robot = hand_model(hand)
    found = robot_synergies(robot)
    size = min(5, len(robot.hand_joints))
    assert found.components.shape == (size, len(robot.hand_joints))
    np.testing.assert_allclose(found.components @ found.components.T, np.eye(size), atol=1e-9)
    assert found.explained > 0.85
    again = robot_synergies(robot)
    np.testing.assert_array_equal(found.components, again.components)
    joints = sorted(j for group in finger_groups(robot) for j in group)
    assert joints == list(range(len(robot.hand_joints)))
    postures = hand_postures(robot, np.random.default_rng(1))
    assert (postures >= robot.limits.lower).all() and (postures <= robot.limits.upper).all()


def test_synergies_find_the_directions_that_are_there():
    rng = np.random.default_rng(0)
    true = np.linalg.qr(rng.normal(size=(8, 2)))[0].T
    postures = rng.normal(size=(500, 2)) * [1.0, 0.3] @ true + 0.2
    found = find_synergies(postures, 2)
    assert found.explained == pytest.approx(1.0)
    np.testing.assert_allclose(np.abs(found.components @ true.T), np.eye(2), atol=0.1)
    with pytest.raises(ConfigError, match='at least 2'):
        find_synergies(postures[:1])


def test_euler_angles_are_about_fixed_axes():
    angles = np.random.default_rng(0).uniform(-1.5, 1.5, size=(40, 3))
    np.testing.assert_allclose(
        euler_matrices(angles), Rotation.from_euler('xyz', angles).as_matrix(), atol=1e-12
    )


@pytest.fixture(scope='module')
def robot():
    return load_robot('iiwa14', 'allegro')


def _motion(robot, count, **kwargs):
    motion = Motion(robot, PracticeParams(**kwargs), robot_synergies(robot), count)
    motion.begin(np.arange(count), np.tile(robot.home, (count, 1)))
    return motion


def test_places_are_those_of_the_model(robot):
    motion = _motion(robot, 3)
    rng = np.random.default_rng(0)
    lower, upper = robot.limits.lower, robot.limits.upper
    q = lower + (upper - lower) * rng.random((3, len(lower)))
    places = motion.places(q)
    for row in range(3):
        palm = robot.fk(q[row], 'palm', 'base_link')
        np.testing.assert_allclose(places.palm[row], palm[:3, 3], atol=1e-9)
        np.testing.assert_allclose(places.palm_R[row], palm[:3, :3], atol=1e-9)
        for finger, link in enumerate(robot.tip_frames().values()):
            tip = robot.fk(q[row], link, 'base_link')[:3, 3]
            np.testing.assert_allclose(places.tips[row, finger], tip, atol=1e-9)


def test_the_palm_goes_where_it_is_told(robot):
    motion = _motion(robot, 4)
    start = motion.places(motion.q)
    action = np.zeros((4, motion.actions))
    action[1, 0] = action[2, 2] = -1.0
    action[3, 5] = 1.0
    palm = start.palm
    for _ in range(10):
        q = motion.act(action, palm)
        palm = motion.places(q).palm
    moved = palm - start.palm
    seconds = 10 / 15
    np.testing.assert_allclose(moved[0], 0.0, atol=2e-3)
    np.testing.assert_allclose(moved[1], [-0.25 * seconds, 0, 0], atol=0.02)
    np.testing.assert_allclose(moved[2], [0, 0, -0.25 * seconds], atol=0.02)
    for _ in range(10):  # a turn that ends at once runs past its end, and comes back
        q = motion.act(action * [[0], [0], [0], [1]], motion.places(q).palm)
    turn = motion.places(q).palm_R[3] @ start.palm_R[3].T
    np.testing.assert_allclose(Rotation.from_matrix(turn).as_rotvec(), [0, 0, 0.8], atol=0.1)


def test_limits_hold_whatever_is_asked(robot):
    for seed in range(20):
        motion = _motion(robot, 8)
        rng = np.random.default_rng(seed)
        q = motion.q.copy()
        for _ in range(30):
            action = np.sign(rng.normal(size=(8, motion.actions)))
            after = motion.act(action, motion.places(q).palm).copy()
            assert (after >= robot.limits.lower - 1e-9).all()
            assert (after <= robot.limits.upper + 1e-9).all()
            speed = np.abs(after - q) * 15.0
            assert (speed <= robot.limits.max_speed + 1e-6).all()
            q = after


@pytest.mark.parametrize('hand', HANDS)
def test_what_is_commanded_stays_where_the_gate_lets_it(hand):
    """Also in its own words: its box, and its shapes over the table."""
    run = show('box_push', 'iiwa14', hand)
    robot, gate = run.robot(), GateParams()
    motion = Motion(robot, PracticeParams(), robot_synergies(robot), 16)
    motion.begin(np.arange(16), np.tile(run.start, (16, 1)))
    bounds, box, guard = (
        GateBounds(robot, 0.008),
        WorkspaceBox(robot, gate),
        CollisionGuard(robot, gate),
    )
    rng = np.random.default_rng(0)
    lowest = np.inf
    for step in range(40):
        if step % 5 == 0:
            action = rng.uniform(-1.0, 1.0, size=(16, motion.actions))
            action[:, 2] = -1.0  # down
        q = motion.act(action, motion.places(motion.q).palm)
        assert np.abs(bounds.missing(q)).max() < 0.5 * 0.008 + 2e-4
        for row in range(0, 16, 5):
            margins = box.margins(q[row])
            assert margins.min() > 0.0
            lowest = min(lowest, margins[:, 2].min())
            table = guard.measure(robot.full(q[row]), np.flatnonzero(guard._flat))
            assert table.min() >= gate.table_clearance
    assert lowest < 0.012  # it went down to the floor


def test_what_is_missing_is_what_the_gate_misses(robot):
    """To its box: the largest of its own margins on each side."""
    rng = np.random.default_rng(3)
    q = robot.home + 0.5 * rng.normal(size=(50, len(robot.home)))
    bounds, box = GateBounds(robot, 0.005), WorkspaceBox(robot, GateParams())
    for row, missing in zip(q, bounds.missing(q), strict=True):
        margins = box.margins(row) - 0.005
        low, high = np.maximum(-margins, 0.0).max(axis=0).reshape(2, 3)
        np.testing.assert_allclose(missing[:2], (low - high)[:2], atol=1e-9)
        assert missing[2] >= (low - high)[2] - 1e-9


def test_arms_speed_up_no_faster_than_they_may(robot):
    motion = _motion(robot, 8)
    rng, before = np.random.default_rng(0), np.zeros((8, 7))
    limit = robot.limits.max_acceleration[:7] / 15**2
    for _ in range(30):
        q = motion.q.copy()
        after = motion.act(rng.uniform(-1, 1, (8, motion.actions)), motion.places(q).palm)
        change = after[:, :7] - q[:, :7]
        inside = np.abs(change).max(axis=1) > 0  # it did not stop at a bound
        assert (np.abs(change - before) <= limit + 1e-9)[inside].all()
        before = change


def test_the_hand_follows_its_synergies(robot):
    motion = _motion(robot, 1)
    action = np.zeros((1, motion.actions))
    action[0, PALM_ACTIONS] = 0.5
    palm = motion.places(motion.q).palm
    for _ in range(40):
        q = motion.act(action, palm)
    arm = len(robot.arm_joints)
    wanted = robot.home[arm:] + 0.5 * robot_synergies(robot).directions[0]
    np.testing.assert_allclose(
        q[0, arm:], np.clip(wanted, robot.limits.lower[arm:], robot.limits.upper[arm:]), atol=1e-9
    )


def test_solve_reaches_poses_nearby(robot):
    motion = _motion(robot, 16)
    rng = np.random.default_rng(0)
    start = motion.places(motion.q)
    palm = start.palm + rng.uniform(-0.1, 0.1, size=(16, 3))
    turn = Rotation.from_rotvec(rng.uniform(-0.4, 0.4, size=(16, 3))).as_matrix()
    q, errors = motion.solve(motion.q[:, :7].copy(), palm, turn @ start.palm_R)
    assert errors[:, 0].max() < 1e-3 and errors[:, 1].max() < 5e-3
    full = np.concatenate([q, motion.q[:, 7:]], axis=1)
    np.testing.assert_allclose(motion.places(full).palm, palm, atol=1e-3)


def test_an_arm_without_hand_is_refused():
    robot = hand_model('allegro')
    with pytest.raises(ConfigError, match='an arm with a hand'):
        Motion(robot, PracticeParams(), robot_synergies(robot), 1)


def test_the_way_between_targets_has_no_corners():
    targets = np.cumsum(np.random.default_rng(0).normal(size=(8, 3)), axis=0)
    shares = np.linspace(0.0, 1.0, 101)[:, None]
    steps = [curve(*targets[k : k + 3], shares) for k in range(6)]
    for before, after in itertools.pairwise(steps):
        np.testing.assert_allclose(before[-1], after[0], atol=1e-12)
        np.testing.assert_allclose(
            np.diff(before, axis=0)[-1], np.diff(after, axis=0)[0], atol=1e-3
        )
    # At a steady speed it is half a step late, and it stays between the targets.
    line = curve(np.zeros(1), np.ones(1), 2.0 * np.ones(1), shares)
    np.testing.assert_allclose(line[:, 0], 0.5 + shares[:, 0], atol=1e-12)
    for k, path in enumerate(steps):
        near = targets[k : k + 3]
        assert (path >= near.min(axis=0) - 1e-12).all()
        assert (path <= near.max(axis=0) + 1e-12).all()
