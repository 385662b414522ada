"""Dexterous hands: what the objectives mean for a person's hand."""

from collections.abc import Callable

import numpy as np
import pytest

from mimic_core.errors import ConfigError
from mimic_core.frames import PALM
from mimic_core.keypoints import INDEX, KEYPOINTS, NUM_KEYPOINTS
from mimic_description import RobotModel, hand_model
from mimic_retargeting import DexterousRetargeter, HumanHand

HANDS = ('allegro', 'leap', 'ability')


def human(points: np.ndarray, hidden: tuple[str, ...] = ()) -> HumanHand:
    trust = np.ones(NUM_KEYPOINTS)
    trust[[INDEX[name] for name in hidden]] = 0.0
    return HumanHand(np.eye(4), points, trust, left=False)


def tips(
    robot: RobotModel, q: np.ndarray, fingers: tuple[str, ...] = ('thumb', 'index')
) -> list[np.ndarray]:
    links = robot.tip_frames()
    return [robot.fk(q, links[finger], PALM)[:3, 3] for finger in fingers]


@pytest.mark.parametrize('hand', HANDS)
@pytest.mark.parametrize('method', ['position', 'vector'])
def test_a_hand_that_the_robot_can_make_is_made(hand: str, method: str) -> None:
    robot = hand_model(hand)
    assert robot.hand is not None and robot.hand.retargeting is not None
    retargeter = DexterousRetargeter(robot, method, smoothing=1e-6)
    q = 0.7 * robot.hand_open + 0.3 * robot.hand_closed
    entry, points = robot.hand.retargeting, np.zeros((NUM_KEYPOINTS, 3))
    links = {v.to_keypoint: v.to_link for v in entry.vectors} | dict(entry.keypoints)
    for keypoint, link in links.items():
        points[INDEX[keypoint]] = robot.fk(q, link, PALM)[:3, 3] / entry.scale
    start = q + 0.1
    solution = retargeter.solve(human(points), np.clip(start, *bounds(robot)))
    assert solution.errors.max() < 1e-4
    assert retargeter.tip_error(solution, human(points)) < 1e-4


def bounds(robot: RobotModel) -> tuple[np.ndarray, np.ndarray]:
    return robot.limits.lower, robot.limits.upper


@pytest.mark.parametrize('hand', ['allegro', 'leap'])
def test_a_pinch_closes_at_grasp_center_in_proportion(hand: str, make_points: Callable) -> None:
    robot = hand_model(hand)
    retargeter = DexterousRetargeter(robot, 'pinch', smoothing=0.1)
    assert robot.hand is not None and robot.hand.grasp is not None
    q, wide, openings = robot.hand_open, robot.hand.grasp.aperture_max, []
    for aperture in np.linspace(0.085, 0.03, 40):
        q = retargeter.solve(human(make_points(0.5, aperture)), q).q
        thumb, index, middle = tips(robot, q, ('thumb', 'index', 'middle'))
        met = (index + middle) / 2 if hand == 'allegro' else index
        openings.append(np.linalg.norm(thumb - met))
        share = min(max((aperture - 0.04) / 0.045, 0.0), 1.0)
        slack = 1.5 if hand == 'allegro' else 1.0  # a way of joints, not of tips, is not straight
        assert openings[-1] == pytest.approx(share * wide, abs=slack * 0.012)
        assert np.linalg.norm(0.5 * (thumb + met) - retargeter.grip.centre) < slack * 0.008
    assert openings[-1] < 0.012  # narrower than any thing that it holds
    # Smooth: no step is much larger than the steady ones.
    assert np.abs(np.diff(openings)).max() < 0.008


def test_a_pinch_holds_while_the_tips_are_hidden(make_points: Callable) -> None:
    robot = hand_model('allegro')
    retargeter, points = DexterousRetargeter(robot, 'pinch'), make_points(0.5, 0.02)
    q = robot.hand_open
    for _ in range(30):
        q = retargeter.solve(human(points), q).q
    before = np.linalg.norm(np.subtract(*tips(robot, q)))
    for _ in range(30):
        q = retargeter.solve(human(points, ('thumb_tip', 'index_tip')), q, aperture=0.02).q
    assert np.linalg.norm(np.subtract(*tips(robot, q))) == pytest.approx(before, abs=2e-3)


def test_what_is_hidden_does_not_count(make_points: Callable) -> None:
    robot = hand_model('allegro')
    retargeter, points = DexterousRetargeter(robot, 'position'), make_points()
    wrong = points.copy()
    wrong[INDEX['ring_tip']] = np.nan
    hidden = human(wrong, ('ring_tip',))
    target, weight = retargeter.targets(hidden)
    assert (weight == 0.0).sum() == 1
    assert np.isfinite(target).all()
    assert np.isfinite(retargeter.solve(hidden, robot.hand_open).q).all()
    nothing = human(points, KEYPOINTS)
    np.testing.assert_allclose(retargeter.solve(nothing, robot.hand_open).q, robot.hand_open)
    assert np.isnan(retargeter.tip_error(retargeter.solve(nothing, robot.hand_open), nothing))


def test_smoothing_holds_the_fingers_back(make_points: Callable) -> None:
    robot = hand_model('leap')
    moved = []
    for smoothing in (0.01, 1.0, 100.0):
        retargeter = DexterousRetargeter(robot, 'position', smoothing=smoothing)
        q = retargeter.solve(human(make_points()), robot.hand_open).q
        moved.append(np.linalg.norm(q - robot.hand_open))
    assert moved[0] > moved[1] > moved[2]


def test_grippers_and_nonsense_are_refused() -> None:
    with pytest.raises(ConfigError, match='fin_ray'):
        DexterousRetargeter(hand_model('fin_ray'))
    with pytest.raises(ConfigError, match='pinch_closed'):
        DexterousRetargeter(hand_model('allegro'), pinch_closed=0.1, pinch_open=0.05)
