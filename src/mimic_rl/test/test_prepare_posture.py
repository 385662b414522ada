import dataclasses

import numpy as np
import pytest

from mimic_core.frames import PALM, apply, from_xyz_quat, rotation_angle, transform
from mimic_core.hand import TrackedHand
from mimic_core.keypoints import INDEX
from mimic_description import load_robot
from mimic_retargeting import observe
from mimic_rl.prepare.params import PrepareParams
from mimic_rl.prepare.posture import BlockedStartError, Clearance, Postures, UnreachableStartError
from mimic_rl.prepare.retarget import palms, retarget
from mimic_rl.shown import show
from mimic_sim.demonstrator_motion import grasp_rotation
from mimic_sim.hand_model import HandModel
from mimic_sim.hand_postures import pinch, pinch_center

MODEL = HandModel()
PARAMS = PrepareParams()
HANDS = ('allegro', 'leap', 'robotiq_2f85', 'fin_ray')


def human_at(point, azimuth=0.0, elevation=0.9):
    """Return a hand (in base_link) whose thumb and index tips are around a point."""
    joints = pinch(MODEL, 0.075)
    rotation = grasp_rotation(MODEL, 'right', azimuth, elevation)
    palm = transform(rotation, np.asarray(point) - rotation @ pinch_center(MODEL, joints))
    keypoints = apply(palm, MODEL.keypoints(joints))
    ones = np.ones(21)
    hand = TrackedHand(0, 'right', 'depth', keypoints, ones, np.zeros((21, 2)), 1.0)
    return observe(hand, np.eye(4), 0.0)


@pytest.fixture(scope='module')
def runs():
    return {hand: show('box_push', 'iiwa14', hand) for hand in HANDS}


@pytest.mark.parametrize('hand', HANDS)
def test_the_start_is_near_the_hand_and_touches_nothing(runs, hand):
    run, robot = runs[hand], load_robot('iiwa14', hand)
    postures = Postures(robot, PARAMS)
    human = human_at((0.55, -0.24, 0.08))
    found = postures.start(human, run, robot.home, np.random.default_rng(0))
    assert found.position_error <= PARAMS.accept_distance
    assert found.angle_error <= PARAMS.accept_angle
    assert robot.limits.contains(found.q)
    assert Clearance(robot, run).blocked_by(found.q) == ''
    target = postures.target(human)
    palm = robot.fk(found.q, PALM)
    assert rotation_angle(palm[:3, :3], target[:3, :3]) <= PARAMS.accept_angle + 1e-6
    again = postures.start(human, run, robot.home, np.random.default_rng(0))
    assert np.array_equal(again.q, found.q)


def test_first_the_knuckle_then_the_tips(runs):
    robot = load_robot('iiwa14', 'leap')
    postures = Postures(robot, PARAMS)
    human = human_at((0.55, -0.1, 0.2))
    target = postures.target(human)
    arm, place, angle = postures.arm(target, robot.home[:7], 60, np.random.default_rng(0))
    assert place < 2e-3 and angle < 0.01
    knuckle = human.to_base(human.points[INDEX['middle_mcp']])
    q = np.concatenate([arm, robot.home[7:]])
    parents = {j.child: j for j in robot.tree.joints}
    link = robot.tip_frames()['middle']
    while (
        parents[link].name not in robot.hand_joints
        or parents[parents[link].parent].kind != 'fixed'
    ):
        link = parents[link].parent
    assert np.linalg.norm(robot.fk(q, link)[:3, 3] - knuckle) < 5e-3
    fingers, error = postures.fingers(human, arm, robot.home[7:])
    closer = np.concatenate([arm, fingers])
    for finger in ('index', 'middle'):
        tip = human.to_base(human.points[INDEX[f'{finger}_tip']])
        link = robot.tip_frames()[finger]
        before = np.linalg.norm(robot.fk(q, link)[:3, 3] - tip)
        assert np.linalg.norm(robot.fk(closer, link)[:3, 3] - tip) < before
    assert error < 0.05


def test_a_start_out_of_reach_says_how_far_and_what_to_do(runs):
    robot = load_robot('iiwa14', 'allegro')
    postures = Postures(robot, PrepareParams(starts=4))
    with pytest.raises(
        UnreachableStartError, match=r'out of reach of iiwa14.*mm.*--arm'
    ) as caught:
        postures.start(
            human_at((1.6, 0.0, 0.3)), runs['allegro'], robot.home, np.random.default_rng(0)
        )
    assert not isinstance(caught.value, BlockedStartError)


def test_a_start_inside_something_says_what_is_touched(runs):
    robot = load_robot('iiwa14', 'allegro')
    postures = Postures(robot, PrepareParams(starts=4, accept_distance=0.005))
    with pytest.raises(BlockedStartError, match=r'not free.*(object|fixed|table).*check the mesh'):
        postures.start(
            human_at((0.55, -0.1, -0.02)), runs['allegro'], robot.home, np.random.default_rng(0)
        )


def test_the_motion_skips_jumps_and_keeps_to_the_speed(runs):
    robot, run = load_robot('iiwa14', 'allegro'), runs['allegro']
    postures = Postures(robot, PARAMS)
    humans = [human_at((0.55, -0.24 + 0.01 * i, 0.12)) for i in range(12)]
    start = postures.start(humans[0], run, robot.home, np.random.default_rng(0))
    humans[5] = human_at((0.3, 0.3, 0.5))  # another hand for one frame
    humans[8] = None
    moved = retarget(postures, humans, start.q, PARAMS)
    assert moved.q.shape == (12, len(robot.joint_names))
    assert np.array_equal(moved.q[0], start.q)
    assert not moved.used[5] and not moved.used[8] and moved.used.sum() >= 8
    steps = np.abs(np.diff(moved.q[:, :7], axis=0))
    assert steps.max() <= PARAMS.joint_speed / PARAMS.rate + 1e-9
    slow = retarget(postures, humans, start.q, dataclasses.replace(PARAMS, joint_speed=0.06))
    assert np.abs(np.diff(slow.q[:, :7], axis=0)).max() <= 0.06 / PARAMS.rate + 1e-9
    assert slow.slowed > moved.slowed
    wild = retarget(postures, humans, start.q, dataclasses.replace(PARAMS, max_jump=3.0))
    assert wild.used.sum() >= moved.used.sum()


def test_an_arm_that_does_not_reach_a_palm_gives_up_its_place_and_not_its_turn():
    """As a hand that pours was shown: 24 deg off, where the place is kept, and 41 mm otherwise."""
    robot = load_robot('iiwa14', 'allegro')
    postures = Postures(robot, PARAMS)
    quat_xyzw = np.array([-0.505, 0.713, -0.181, 0.451])
    target = from_xyz_quat(np.array([0.472, 0.05, 0.32]), quat_xyzw)
    _, place, angle = postures.arm(target, robot.home[:7], 24, np.random.default_rng(0))
    assert postures.accepted(place, angle)


def test_a_hand_that_is_too_fast_is_followed_late_but_turned_as_shown(runs):
    robot = load_robot('iiwa14', 'allegro')
    postures = Postures(robot, PARAMS)
    humans = [human_at((0.55, -0.24 + 0.03 * i, 0.12)) for i in range(8)]
    start = postures.start(humans[0], runs['allegro'], robot.home, np.random.default_rng(0))
    moved = retarget(postures, humans, start.q, PARAMS)
    assert moved.used.all() and moved.slowed > 3
    for human, q in zip(humans, moved.q, strict=True):
        assert postures.errors(postures.target(human), q[:7])[1] <= PARAMS.accept_angle


def test_a_start_is_chosen_from_which_the_motion_can_be_followed(runs):
    robot = load_robot('iiwa14', 'robotiq_2f85')
    postures = Postures(robot, PARAMS)
    args = (human_at((0.55, -0.24, 0.12)), runs['robotiq_2f85'], robot.home)

    def start(skipped):
        return postures.start(*args, np.random.default_rng(0), skipped).q[:7]

    nearest = start(lambda arm: 0.0)
    assert np.array_equal(start(lambda arm: 1.0), nearest)
    other = start(lambda arm: float(np.abs(arm - nearest).max() < 0.5))
    assert np.abs(other - nearest).max() >= 0.5


def test_a_gripper_keeps_its_place_in_a_hand_whose_tips_are_guessed():
    postures = Postures(load_robot('iiwa14', 'robotiq_2f85'), PARAMS)
    seen = human_at((0.55, -0.24, 0.12))
    points, confidence = seen.points.copy(), seen.confidence.copy()
    points[INDEX['index_tip']], confidence[INDEX['index_tip']] = points[INDEX['wrist']], 0.1
    guessed = dataclasses.replace(seen, points=points, confidence=confidence)
    first, hidden, none = palms(postures, [seen, guessed, None])
    assert np.allclose(hidden, first) and none is None
    assert not np.allclose(postures.target(guessed), first)
