"""What is made of a person: frames, confidence, apertures, jumps, pinch point, closing line."""

from collections.abc import Callable

import numpy as np
import pytest

from mimic_core.errors import ConfigError, NotFiniteError, ShapeError
from mimic_core.frames import hand_frame
from mimic_core.keypoints import INDEX
from mimic_description import hand_model
from mimic_retargeting.approach import Approach, ClosingLine
from mimic_retargeting.grip import PinchWay, dexterous_grip
from mimic_retargeting.gripper import Aperture, Gripper
from mimic_retargeting.human import HumanHand, PinchPoint, observe
from mimic_retargeting.jumps import JumpGuard

THUMB, FORE = INDEX['thumb_tip'], INDEX['index_tip']
GRIPPERS = ('robotiq_2f85', 'fin_ray', 'so101_gripper', 'panda_hand')


def human(points: np.ndarray, hidden: tuple[str, ...] = (), confidence: float = 1.0) -> HumanHand:
    trust = np.full(21, confidence)
    trust[[INDEX[name] for name in hidden]] = 0.0
    return HumanHand(np.eye(4), points, trust, left=False)


@pytest.mark.parametrize('side', ['right', 'left'])
def test_a_hand_is_seen_in_its_own_frame(
    side: str, make_points: Callable, make_hand: Callable, make_reach: Callable,
    world_T_camera: np.ndarray,
) -> None:  # fmt: skip
    points, pose = make_points(), make_reach((0.5, 0.1, 0.2), 0.3)
    seen = observe(make_hand(points, pose, side=side), world_T_camera, 0.3)
    frame = hand_frame(points)  # the middle knuckle is not exactly ahead of the wrist
    np.testing.assert_allclose(seen.points, points @ frame[:3, :3], atol=1e-9)
    np.testing.assert_allclose(seen.wrist, pose[:3, 3], atol=1e-9)
    local = points[FORE] * (1.0, -1.0 if side == 'left' else 1.0, 1.0)
    np.testing.assert_allclose(
        seen.to_base(seen.points[FORE]), pose[:3, :3] @ local + pose[:3, 3], atol=1e-9
    )


def test_what_is_not_seen_has_no_confidence(
    make_points: Callable, make_hand: Callable, make_reach: Callable, world_T_camera: np.ndarray
) -> None:
    points, pose = make_points(), make_reach((0.5, 0.0, 0.2))
    points[THUMB] = np.nan
    trust = np.ones(21)
    trust[FORE] = 0.2
    seen = observe(make_hand(points, pose, trust), world_T_camera, 0.3)
    assert seen.confidence[THUMB] == 0.0
    assert seen.confidence[FORE] == 0.0
    assert seen.confidence.sum() == 19
    points[INDEX['middle_mcp']] = np.nan
    with pytest.raises(NotFiniteError, match='palm'):
        observe(make_hand(points, pose), world_T_camera, 0.3)
    with pytest.raises(ShapeError, match='degenerate'):
        observe(make_hand(np.zeros((21, 3)), pose), world_T_camera, 0.3)


def test_aperture_falls_back_in_four_levels(make_points: Callable) -> None:
    aperture, points = Aperture(half=0.06, hold=1.0), make_points(aperture=0.07)
    seen = aperture.update(human(points), 0.0)
    assert (seen.level, seen.value) == ('tips', pytest.approx(0.07))
    for k in range(30):
        aperture.update(human(points), 0.01 * k)
    seen = aperture.update(human(points, ('thumb_tip',)), 0.4)
    assert seen.level == 'joints'
    assert seen.value == pytest.approx(0.07, abs=1e-3)  # the difference was learned
    seen = aperture.update(human(points, ('thumb_tip', 'index_dip')), 0.5)
    assert (seen.level, seen.value) == ('last', pytest.approx(0.07, abs=1e-3))
    assert aperture.update(None, 1.3).level == 'last'
    seen = aperture.update(None, 1.6)
    assert (seen.level, seen.value) == ('half', 0.06)
    assert aperture.update(human(points), 1.7).level == 'tips'
    aperture.reset()
    assert aperture.update(None, 1.8).level == 'half'


@pytest.mark.parametrize('name', GRIPPERS)
def test_a_gripper_opens_in_proportion(name: str) -> None:
    robot = hand_model(name)
    gripper, tips = Gripper(robot), robot.tip_frames()

    def opening(aperture: float) -> float:
        q = gripper.joints(aperture)
        assert robot.limits.contains(q, 1e-12)
        a, b = (robot.fk(q, tips[finger])[:3, 3] for finger in ('thumb', 'index'))
        return float(np.linalg.norm(a - b))

    np.testing.assert_allclose(gripper.joints(gripper.human_open + 1.0), robot.hand_open)
    np.testing.assert_allclose(gripper.joints(0.0), robot.hand_closed)
    shut, wide = opening(0.0), opening(1.0)
    assert opening(gripper.human_half) == pytest.approx(0.5 * (shut + wide), abs=5e-4)
    apertures = np.linspace(0.0, 0.15, 50)
    assert (np.diff([opening(a) for a in apertures]) >= -1e-9).all()


def test_a_dexterous_hand_is_no_gripper() -> None:
    with pytest.raises(ConfigError, match='allegro'):
        Gripper(hand_model('allegro'))


def test_pinch_point_follows_what_is_trusted(make_points: Callable) -> None:
    points, place = make_points(), PinchPoint()
    middle = (points[THUMB] + points[FORE]) / 2
    np.testing.assert_allclose(place.update(human(points)), middle)
    wrong = points.copy()
    wrong[FORE] += 0.1
    np.testing.assert_allclose(place.update(human(wrong, ('index_tip',))), middle)
    unsure = place.update(human(wrong, confidence=0.35))
    np.testing.assert_allclose(unsure, middle + 0.5 * 0.05)
    np.testing.assert_allclose(place.update(human(points)), middle)


def test_pinch_point_begins_with_joints_or_not_at_all(make_points: Callable) -> None:
    points = make_points()
    assert PinchPoint().update(human(points, ('thumb_tip', 'index_dip'))) is None
    first = PinchPoint().update(human(points, ('thumb_tip',)))
    np.testing.assert_allclose(first, (points[INDEX['thumb_ip']] + points[INDEX['index_dip']]) / 2)


def test_a_jump_is_refused_until_the_hand_stays() -> None:
    guard = JumpGuard(max_speed=4.0)
    here, there = np.zeros(3), np.array([1.0, 0.0, 0.0])
    stamps = np.arange(40) / 30
    for stamp in stamps[:5]:
        assert not guard.check(here, stamp).reason
    verdicts = [guard.check(there, stamp) for stamp in stamps[5:20]]
    assert verdicts[0].reason == 'the hand jumped by 1.00 m in 0.033 s'
    refused = [bool(v.reason) for v in verdicts]
    assert refused.index(False) == 8  # 0.25 s later
    assert verdicts[8].moved
    assert not any(refused[8:])
    assert not any(v.moved for v in verdicts[9:])


def test_a_hand_that_jumps_back_and_forth_is_never_believed() -> None:
    guard, places = JumpGuard(4.0), (np.zeros(3), np.ones(3), -np.ones(3))
    guard.check(places[0], 0.0)
    for k in range(1, 60):
        assert guard.check(places[1 + k % 2], k / 30).reason or k > 30


def test_a_fast_hand_is_no_jump() -> None:
    guard = JumpGuard(4.0)
    for k in range(60):
        assert not guard.check(np.array([3.5 * k / 30, 0, 0]), k / 30).reason


def test_closing_line_is_kept_while_the_tips_touch(make_points: Callable) -> None:
    line = ClosingLine()
    wide, shut = make_points(aperture=0.08), make_points(aperture=0.01)
    wanted = (wide[FORE] - wide[THUMB]) / 0.08
    for k in range(30):
        seen = line.update(human(wide), k / 30)
    np.testing.assert_allclose(seen, wanted, atol=1e-9)
    shut[FORE], shut[THUMB] = shut[THUMB], shut[FORE].copy()
    np.testing.assert_allclose(line.update(human(shut), 1.5), wanted, atol=1e-9)
    np.testing.assert_allclose(line.update(human(wide, ('thumb_tip',)), 2.0), wanted, atol=1e-9)


def test_approach_from_above_turns_with_the_closing_line() -> None:
    from mimic_description import load_robot

    robot = load_robot('iiwa14', 'robotiq_2f85')
    closing, reach = np.array([-1.0, 0, 0]), np.array([0.0, 0, 1.0])
    approach = Approach(robot, 'yaw_only', 'palm', closing, reach)
    for angle in np.linspace(-3, 3, 13):
        level = np.array([np.cos(angle), np.sin(angle), 0.0])
        R = approach.rotation(np.eye(3), level + np.array([0, 0, 0.4]))
        np.testing.assert_allclose(R.T @ R, np.eye(3), atol=1e-12)
        assert np.linalg.det(R) == pytest.approx(1.0)
        np.testing.assert_allclose(R @ closing, level, atol=1e-12)
        np.testing.assert_allclose(R @ reach, [0, 0, -1], atol=1e-12)
    steep = approach.rotation(np.eye(3), np.array([0.01, 0.0, 1.0]))
    np.testing.assert_allclose(steep, R, atol=1e-12)  # no heading: that of before
    beside = Approach(robot, 'yaw_only', 'palm', closing, reach, 0.5 * np.pi)
    across = np.array([-level[1], level[0], 0.0])
    np.testing.assert_allclose(beside.rotation(np.eye(3), level) @ closing, across, atol=1e-12)
    full = Approach(robot, 'full', 'palm', closing, reach)
    np.testing.assert_array_equal(full.rotation(R, level), R)
    fixed = Approach(robot, 'fixed', 'palm', closing, reach)
    np.testing.assert_allclose(fixed.rotation(R, level), robot.fk(robot.home, 'palm')[:3, :3])


@pytest.mark.parametrize('hand', ['allegro', 'leap', 'ability'])
def test_relative_approach_turns_by_as_much_as_the_person(hand: str) -> None:
    from mimic_description import load_robot

    robot = load_robot('iiwa14', hand)
    grip = dexterous_grip(robot, PinchWay(robot))
    closing, reach = grip.closing, grip.reach - (grip.reach @ grip.closing) * grip.closing
    reach /= np.linalg.norm(reach)
    approach = Approach(robot, 'yaw_relative', 'palm', closing, reach)
    home = robot.fk(robot.home, 'palm')[:3, :3]
    at_home = (home @ closing) * (1.0, 1.0, 0.0)
    if hand == 'allegro':  # its line stands upright there
        assert np.linalg.norm(at_home) < 0.1
        at_home = np.cross((home @ np.cross(reach, closing)) * (1.0, 1.0, 0.0), [0.0, 0.0, -1.0])
    at_home /= np.linalg.norm(at_home)

    def level(angle: float) -> np.ndarray:
        return np.array([np.cos(angle), np.sin(angle), 0.0])

    for begin in (-0.3, 2.0):  # wherever the person stands
        approach.engage(home, level(begin) + np.array([0.0, 0.0, 0.3]))
        for turn in (-0.8, 0.0, 0.5):
            R = approach.rotation(np.eye(3), level(begin + turn))
            c, s = np.cos(turn), np.sin(turn)
            wanted = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]) @ at_home
            np.testing.assert_allclose(R @ closing, wanted, atol=1e-12)
            np.testing.assert_allclose(R @ reach, [0.0, 0.0, -1.0], atol=1e-12)
    absolute = Approach(robot, 'yaw_only', 'palm', closing, reach)
    absolute.engage(home, level(-0.3))  # changes nothing there
    np.testing.assert_allclose(
        absolute.rotation(np.eye(3), level(1.0)) @ closing, level(1.0), atol=1e-12
    )
