"""Where hands hold things, how their fingers close on them, and whether the arm gets there."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from mimic_core.frames import transform
from mimic_core.keypoints import NUM_KEYPOINTS
from mimic_description import RobotModel, hand_model, load_robot
from mimic_retargeting import ArmIK, DexterousRetargeter, HumanHand
from mimic_retargeting.approach import Approach, asked_places, reaches
from mimic_retargeting.grip import Grip, PinchWay, dexterous_grip

DT = 1 / 30
FLOOR = 0.010  # [m] below which the gate lets no tip go
HELD_AT = 0.022  # [m] height of the middle of a cube of 45 mm on the table


def tips(robot: RobotModel, q: np.ndarray) -> dict[str, np.ndarray]:
    return {f: robot.fk(q, link, 'palm')[:3, 3] for f, link in robot.tip_frames().items()}


def depth(grip: Grip, point: np.ndarray) -> float:
    """Return how far a point lies below grasp_center when the grip is level."""
    down = grip.reach - (grip.reach @ grip.closing) * grip.closing
    return float((point - grip.centre) @ down / np.linalg.norm(down))


def human(points: np.ndarray) -> HumanHand:
    return HumanHand(np.eye(4), points, np.ones(NUM_KEYPOINTS), left=False)


@pytest.mark.parametrize(
    ('hand', 'met'),
    [('allegro', ['index', 'middle']), ('leap', ['index']), ('ability', ['index', 'middle'])],
)
def test_the_way_closes_in_proportion(hand: str, met: list[str]) -> None:
    robot = hand_model(hand)
    way = PinchWay(robot)
    widest = min(robot.hand.grasp.aperture_max, way.opening(robot.pinch_way[0]))
    for opening in np.linspace(0.025, widest, 20):
        line = np.mean([way.tip(f, opening) for f in met], axis=0) - way.tip('thumb', opening)
        assert np.linalg.norm(line) == pytest.approx(opening, abs=1e-3)
        assert np.linalg.norm(way.closing(opening)) == pytest.approx(1.0)
    far, near = (way.tip('index', opening) for opening in (1.0, 0.0))
    wide, shut = (tips(robot, posture)['index'] for posture in robot.pinch_way)
    np.testing.assert_allclose(far, wide, atol=1e-9)
    np.testing.assert_allclose(near, shut, atol=2e-3)


@pytest.mark.parametrize('curl', [0.0, 0.5, 1.2])
def test_no_finger_is_in_the_way_of_a_pinch(make_points: Callable, curl: float) -> None:
    """Fingers with one motor cannot be where a person's are: they lay on top of the thing."""
    robot = hand_model('ability')
    retargeter = DexterousRetargeter(robot, smoothing=0.1)
    grip = retargeter.grip
    q, gaps = robot.hand_open, []
    for aperture in np.linspace(0.1, 0.03, 40):
        q = retargeter.solve(human(make_points(curl, aperture)), q).q
        places = tips(robot, q)
        gaps.append(np.linalg.norm(places['thumb'] - places['index']))
        if aperture > 0.085:  # the person's fingers still count
            continue
        for finger in ('thumb', 'index', 'middle'):
            assert HELD_AT - depth(grip, places[finger]) > FLOOR  # off the table
        assert abs(depth(grip, places['thumb']) - depth(grip, places['index'])) < 0.006
        for finger in ('ring', 'little'):
            assert depth(grip, places[finger]) < -0.025  # over the cube
    assert max(gaps) > 0.083  # 45 mm, two pads, and room
    assert gaps[-1] < 0.02
    assert np.abs(np.diff(gaps)).max() < 0.008


@pytest.mark.parametrize('hand', ['allegro', 'ability'])
def test_a_thing_is_held_level_by_three_fingers(hand: str) -> None:
    way = PinchWay(hand_model(hand))
    grip = dexterous_grip(hand_model(hand), way)
    beside = np.cross(grip.reach, grip.closing)
    for opening in (0.05, 0.06, 0.07, 0.08):
        places = {finger: way.tip(finger, opening) for finger in ('thumb', 'index', 'middle')}
        depths = [depth(grip, place) for place in places.values()]
        assert np.ptp(depths) < 0.008
        thumb, index, middle = ((place - grip.centre) @ beside for place in places.values())
        between = sorted((index, middle))
        assert between[0] + 0.003 < thumb < between[1] - 0.003


@pytest.mark.parametrize('hand', ['allegro', 'leap', 'ability'])
def test_a_pinch_closes_though_joint_states_come_late(make_points: Callable, hand: str) -> None:
    robot = hand_model(hand)
    way, retargeter = PinchWay(robot), DexterousRetargeter(robot, smoothing=0.1, max_squeeze=0.03)
    sent = [robot.pinch_way[0]] * 4  # three pictures late
    for _ in range(20):
        points = human(make_points(0.5, 0.02))
        sent.append(retargeter.solve(points, sent[-1], measured=sent[-4]).q)
    assert way.opening(sent[-1]) < 0.015


def test_a_thing_stays_in_the_middle_of_a_pinch(make_points: Callable) -> None:
    """All fingers are sent equally far into what they hold, though a thumb is weaker than two."""
    robot = hand_model('allegro')
    way = PinchWay(robot)
    wide, shut = robot.pinch_way
    held = shut + 0.6 * (wide - shut)
    retargeter = DexterousRetargeter(robot, smoothing=0.1, max_squeeze=0.03)
    q = held
    for _ in range(30):
        q = retargeter.solve(human(make_points(0.5, 0.02)), q, measured=held).q
    assert way.opening(q) == pytest.approx(way.opening(held) - 0.03, abs=3e-3)
    for finger, place in tips(robot, q).items():
        if finger != 'ring':
            moved = np.linalg.norm(place - tips(robot, held)[finger])
            assert moved == pytest.approx(0.015, abs=5e-3), finger


@pytest.mark.parametrize('curl', [0.1, 0.5])
def test_a_pinch_closes_without_a_wide_posture(make_points: Callable, curl: float) -> None:
    """Only thumb and index are sent then: a middle finger that stays away held them open."""
    robot = hand_model('allegro')
    postures = {k: v for k, v in robot.hand.postures.items() if k != 'wide'}
    robot = dataclasses.replace(robot, hand=dataclasses.replace(robot.hand, postures=postures))
    retargeter = DexterousRetargeter(robot, smoothing=0.1, max_squeeze=0.03)
    q = robot.hand_open
    for _ in range(60):
        q = retargeter.solve(human(make_points(curl, 0.02)), q, measured=q).q
    found = tips(robot, q)
    assert np.linalg.norm(found['thumb'] - found['index']) < 0.02


@pytest.mark.parametrize('arm', ['iiwa14', 'iiwa7', 'panda'])
@pytest.mark.parametrize('hand', ['allegro', 'ability'])
def test_a_turn_counts_where_the_arm_can_make_it(arm: str, hand: str) -> None:
    robot = load_robot(arm, hand)
    grip = dexterous_grip(robot, PinchWay(robot))
    turn = robot.hand.retargeting.turn
    absolute = Approach(robot, 'yaw_only', 'palm', grip.closing, grip.reach, turn)
    rotation = absolute.rotation(np.eye(3), np.array([1.0, 0.0, 0.0]))
    assert reaches(robot, rotation, 'palm', grip.centre) == (arm != 'panda')


@pytest.mark.parametrize(
    ('hand', 'heading'),
    [(h, a) for h in ('allegro', 'ability') for a in (-0.3, 0.0, 0.1)]
    + [('ability', -0.4), ('ability', 0.15)],
)
def test_the_arm_holds_the_grip_level_over_the_table(hand: str, heading: float) -> None:
    """The palm straight down with the fingers to the front was beyond elbow and wrist."""
    robot = load_robot('iiwa14', hand)
    grip, ik = dexterous_grip(robot, PinchWay(robot)), ArmIK(robot)
    turn = robot.hand.retargeting.turn
    approach = Approach(robot, 'yaw_only', 'palm', grip.closing, grip.reach, turn)
    level = np.array([np.cos(heading), np.sin(heading), 0.0])
    rotation = approach.rotation(np.eye(3), level)
    q, scale = robot.home[:7].copy(), np.repeat([1.0, 0.3], 3)[:, None]
    for place in asked_places(np.array(robot.arm.workspace.centre)):
        target = transform(rotation, place)
        for _ in range(60):
            result = ik.step(q, target, DT, tool=grip.centre)
            q = result.q
        assert result.position_error < 1e-3
        assert result.rotation_error < 2e-2
        weakest = np.linalg.svd(scale * ik.jacobian(q, grip.centre))[1][-1]
        assert weakest > 0.06  # [m], as far from singular as a gripper's home
