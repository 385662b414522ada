"""The shadow: from hands to joints, and what it does with bad hands."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from mimic_core.frames import BASE, GRASP_CENTER, PALM
from mimic_core.keypoints import INDEX
from mimic_core.params import check_value
from mimic_description import RobotModel, load_robot
from mimic_retargeting import RetargetingParams, Shadow, ShadowResult

DT = 1 / 30
PAIRS = [
    ('iiwa14', 'allegro'),
    ('iiwa14', 'robotiq_2f85'),
    ('iiwa14', 'fin_ray'),
    ('so101', 'so101_gripper'),
    ('panda', 'leap'),
    ('iiwa7', 'ability'),
]
QUICK = RetargetingParams(engage_time=0.2, engage_speed=2.0)


class Person:
    """Shows a hand over the middle of a robot's workspace, thirty times a second."""

    def __init__(
        self, robot: RobotModel, params: RetargetingParams, camera: np.ndarray, points: Callable,
        hand: Callable, reach: Callable,
    ) -> None:  # fmt: skip
        self.robot, self.shadow = robot, Shadow(robot, params, camera)
        self._points, self._hand, self._reach = points, hand, reach
        self.centre = np.array([0.5, 0.0, 0.25])
        if robot.arm is not None and robot.arm.workspace is not None:
            self.centre = np.add(robot.arm.workspace.centre, (0.0, 0.0, 0.1))
        self.q, self.stamp, self.place = robot.home.copy(), 0.0, self.centre
        self.sent: np.ndarray | None = None

    def show(
        self, offset: tuple[float, float, float] = (0, 0, 0), aperture: float = 0.09,
        hide: tuple[str, ...] = (), nan: tuple[str, ...] = (), side: str = 'right',
        follow: bool = True, engaged: bool = True, wait: float = DT, yaw: float = 0.0,
    ) -> ShadowResult:  # fmt: skip
        points = self._points(0.5, aperture)
        middle = 0.5 * (points[INDEX['thumb_tip']] + points[INDEX['index_tip']])
        pose = self._reach((0, 0, 0), yaw)
        flip = np.array([1.0, -1.0 if side == 'left' else 1.0, 1.0])
        self.place = self.centre + np.array(offset)
        pose[:3, 3] = self.place - pose[:3, :3] @ (middle * flip)
        trust = np.ones(21)
        trust[[INDEX[name] for name in hide]] = 0.0
        points[[INDEX[name] for name in nan]] = np.nan
        return self.step(self._hand(points, pose, trust, side), follow, engaged, wait)

    def step(self, hand, follow: bool = True, engaged: bool = True, wait: float = DT):
        self.stamp += wait
        result = self.shadow.step(hand, self.q, self.stamp, engaged, self.sent)
        if result.q is not None and follow:
            self.q = result.q
        return result

    def grasp_center(self) -> np.ndarray:
        return self.robot.fk(self.q, GRASP_CENTER, BASE)[:3, 3]

    def tips(self) -> float:
        tips = self.robot.tip_frames()
        a, b = (self.robot.fk(self.q, tips[f])[:3, 3] for f in ('thumb', 'index'))
        return float(np.linalg.norm(a - b))


@pytest.fixture
def person(
    make_points: Callable, make_hand: Callable, make_reach: Callable, world_T_camera: np.ndarray
) -> Callable[..., Person]:
    def make(arm='iiwa14', hand='robotiq_2f85', params=QUICK, **changes) -> Person:
        return Person(
            load_robot(arm, hand), dataclasses.replace(params, **changes), world_T_camera,
            make_points, make_hand, make_reach,
        )  # fmt: skip

    return make


@pytest.mark.parametrize(('arm', 'hand'), PAIRS)
@pytest.mark.parametrize('mode', ['relative', 'absolute'])
def test_nothing_moves_when_the_clutch_closes(
    person: Callable, arm: str, hand: str, mode: str
) -> None:
    someone = person(arm, hand, mode=mode)
    rng = np.random.default_rng(0)
    limits = someone.robot.limits
    someone.q = limits.clip(someone.robot.home + rng.normal(size=len(limits)) * 0.05)
    result = someone.show()
    np.testing.assert_array_equal(result.q, someone.q)
    assert result.engaged
    assert result.position_error < 1e-9


@pytest.mark.parametrize(('arm', 'hand'), PAIRS)
def test_grasp_center_goes_where_the_person_pinches(person: Callable, arm: str, hand: str) -> None:
    someone = person(arm, hand)
    q, speeds = someone.q, []
    for k in range(120):
        offset = (0.03 * np.sin(k * DT), 0.04 * np.sin(0.7 * k * DT), 0.02 * np.sin(1.3 * k * DT))
        result = someone.show(offset)
        assert result.q is not None
        assert someone.robot.limits.contains(result.q, 0.0)
        speeds.append(np.abs(result.q - q) / DT)
        q = result.q
        if k > 75:
            # At the edge of its reach (panda with leap) an arm lags behind a moving hand.
            assert np.linalg.norm(someone.grasp_center() - someone.place) < 2.5e-3
    assert (np.max(speeds, axis=0) <= someone.robot.limits.max_speed * (1 + 1e-6)).all()


@pytest.mark.parametrize(('arm', 'hand'), PAIRS)
def test_the_robot_opens_and_closes_with_the_person(person: Callable, arm: str, hand: str) -> None:
    someone = person(arm, hand)
    for _ in range(60):
        someone.show(aperture=0.09)
    wide, place = someone.tips(), someone.grasp_center()
    for _ in range(60):
        result = someone.show(aperture=0.015)
    assert result.aperture == pytest.approx(0.015)
    assert wide > 0.05
    assert someone.tips() < 0.03
    np.testing.assert_allclose(someone.grasp_center(), place, atol=1e-3)  # the arm rests


def test_relative_follows_the_change(person: Callable) -> None:
    someone = person(mode='relative')
    someone.show()
    begin = someone.grasp_center()
    for _ in range(60):
        someone.show((-0.03, 0.05, 0.04))
    np.testing.assert_allclose(someone.grasp_center() - begin, (-0.03, 0.05, 0.04), atol=1e-3)


def test_a_lost_hand_opens_the_clutch_and_nothing_moves_when_it_is_back(person: Callable) -> None:
    someone = person(mode='relative', lost_timeout=0.3)
    for _ in range(10):
        someone.show()
    result = someone.step(None)
    assert result.q is None
    assert result.reason == 'no hand is seen'
    assert result.engaged
    assert someone.show().q is not None  # a short loss changes nothing
    for _ in range(10):
        result = someone.step(None)
    assert not result.engaged
    before = someone.q
    result = someone.show((0.2, 0.1, 0.1))
    np.testing.assert_array_equal(result.q, before)


def test_a_long_gap_without_looks_also_opens_it(person: Callable) -> None:
    someone = person(mode='relative')
    for _ in range(5):
        someone.show()
    before = someone.q
    result = someone.show((0.2, 0.0, 0.0), wait=3.0)
    np.testing.assert_array_equal(result.q, before)


def test_a_hand_that_jumps_is_refused_then_followed_anew(person: Callable) -> None:
    someone = person(mode='relative')
    for _ in range(10):
        someone.show()
    reasons, moved = [], []
    for _ in range(12):
        before = someone.q
        result = someone.show((0.0, 1.0, 0.0))
        reasons.append(result.reason)
        moved.append(np.abs(someone.q - before).max())
    assert reasons[0].startswith('the hand jumped by 1.00 m')
    assert reasons[-1] == ''
    assert max(moved) < 1e-3


def test_palm_nan_gives_no_command_and_other_nan_does_not_matter(person: Callable) -> None:
    someone = person('iiwa14', 'allegro')
    for _ in range(30):
        someone.show()
    result = someone.show(nan=('wrist',))
    assert result.q is None
    assert 'palm keypoints' in result.reason
    result = someone.show(nan=('ring_tip', 'little_pip'))
    assert result.q is not None
    assert np.isfinite(result.q).all()
    before = someone.grasp_center()
    result = someone.show(nan=('thumb_tip', 'index_tip'))
    assert result.q is not None
    np.testing.assert_allclose(someone.grasp_center(), before, atol=2e-3)


def test_everything_nan(person: Callable) -> None:
    someone = person()
    result = someone.show(nan=tuple(INDEX))
    assert result.q is None
    assert not result.tracking


def test_a_hidden_pinch_keeps_its_aperture_then_half_opens(person: Callable) -> None:
    someone = person(aperture_hold=0.5)
    for _ in range(10):
        someone.show(aperture=0.02)
    hidden = ('thumb_tip', 'thumb_ip')
    assert someone.show(hide=hidden).aperture == pytest.approx(0.02)
    for _ in range(20):
        result = someone.show(hide=hidden)
    retargeting = someone.robot.hand.retargeting
    half = 0.5 * (retargeting.aperture_open + retargeting.aperture_closed)
    assert result.aperture == pytest.approx(half)


def test_the_other_hand_is_not_followed(person: Callable) -> None:
    someone = person()
    result = someone.show(side='left')
    assert result.q is None
    assert result.reason == 'the hand is the left one, not the right'
    other = person(side='left')
    for _ in range(60):
        result = other.show(side='left')
    assert np.linalg.norm(other.grasp_center() - other.place) < 1e-3


def test_time_must_grow(person: Callable) -> None:
    someone = person()
    someone.show()
    for wait in (0.0, -0.5, np.nan):
        stamp = someone.stamp
        result = someone.show(wait=wait)
        someone.stamp = stamp
        assert result.q is None
        assert 'is not after' in result.reason
    assert someone.show().q is not None


def test_a_clock_that_was_set_back_closes_the_clutch_anew_without_a_motion(
    person: Callable,
) -> None:
    someone = person(mode='relative')
    for _ in range(10):
        someone.show()
    before = someone.q.copy()
    result = someone.show((0.2, 0.1, 0.1), wait=-100.0)
    assert result.reason == ''
    np.testing.assert_array_equal(result.q, before)
    begin = someone.grasp_center()
    for _ in range(60):
        someone.show((0.2, 0.1, 0.14))
    np.testing.assert_allclose(someone.grasp_center() - begin, (0.0, 0.0, 0.04), atol=2e-3)


def test_bad_joint_states_open_the_clutch(person: Callable) -> None:
    someone = person()
    someone.show()
    someone.q = np.full(8, np.nan)
    result = someone.show()
    assert result.q is None
    assert 'measured joints[0] is nan' in result.reason
    assert not result.engaged
    someone.q = np.zeros(3)
    assert 'shape' in someone.show().reason


def test_a_robot_that_does_not_follow_is_anchored_anew(person: Callable) -> None:
    someone = person(max_lead=0.1)
    reasons = set()
    for k in range(90):
        result = someone.show((0.0, 0.003 * k, 0.0), follow=False)
        reasons.add(result.reason)
        if result.q is not None:
            assert np.abs(result.q - someone.q)[:7].max() < 0.3
    assert any('behind its command' in reason for reason in reasons)


def test_fingers_press_no_harder_than_allowed(person: Callable) -> None:
    someone = person('iiwa14', 'allegro', max_finger_lead=0.2)
    for _ in range(60):
        someone.show(aperture=0.09)
    stuck = someone.q.copy()
    for _ in range(60):
        result = someone.show(aperture=0.015, follow=False)
        assert np.abs(result.q - stuck)[7:].max() <= 0.2 + 1e-9


@pytest.mark.parametrize('hand', ['allegro', 'robotiq_2f85'])
def test_a_clutch_that_closes_anew_does_not_let_go(person: Callable, hand: str) -> None:
    someone = person('iiwa14', hand)
    for _ in range(60):
        someone.show(aperture=0.065)
    held = someone.q.copy()  # by a thing between the fingers
    for _ in range(15):
        pressing = someone.show(aperture=0.015, follow=False).q
    assert np.abs(pressing - held)[7:].max() > 0.1
    someone.show(engaged=False)
    someone.sent = np.where(np.arange(len(held)) < 7, np.nan, pressing)
    someone.show(aperture=0.015, follow=False, engaged=False)
    again = someone.show(aperture=0.015, follow=False).q
    np.testing.assert_array_equal(again, np.concatenate([held[:7], pressing[7:]]))
    someone.show(engaged=False)
    someone.sent[7:] = np.nan  # nothing is known: where it is
    np.testing.assert_array_equal(someone.show(follow=False).q, held)


def test_targets_stay_in_the_workspace(person: Callable) -> None:
    someone = person()
    box = someone.robot.arm.workspace
    for k in range(150):
        someone.show((0.0, min(0.01 * k, 1.0), -0.004 * k))
    place = someone.grasp_center()
    assert (place >= np.array(box.box_min) - 1e-3).all()
    assert (place <= np.array(box.box_max) + 1e-3).all()


def test_open_clutch_sends_nothing(person: Callable) -> None:
    someone = person()
    someone.show()
    result = someone.show(engaged=False)
    assert (result.q, result.reason, result.engaged) == (None, 'the clutch is open', False)


@pytest.mark.parametrize('seed', range(20))
def test_limits_hold_for_any_hand(person: Callable, seed: int) -> None:
    rng = np.random.default_rng(seed)
    arm, hand = PAIRS[seed % len(PAIRS)]
    someone = person(arm, hand, mode=('relative', 'absolute')[seed % 2], max_hand_speed=100.0)
    limits, last, last_stamp = someone.robot.limits, None, 0.0
    for _ in range(60):
        wait = float(rng.choice([DT, DT, DT, 0.01, 0.2]))
        hide = tuple(rng.choice(list(INDEX), size=int(rng.integers(0, 8))))
        nan = tuple(rng.choice(list(INDEX), size=int(rng.integers(0, 3))))
        offset = tuple(rng.normal(size=3) * rng.choice([0.02, 0.5]))
        result = someone.show(offset, float(rng.uniform(0.0, 0.2)), hide, nan, wait=wait)
        if result.q is None:
            assert result.reason
            last = None
            continue
        assert limits.contains(result.q, 0.0)
        if last is not None:
            reach = limits.max_speed * (someone.stamp - last_stamp)
            assert (np.abs(result.q - last) <= reach * (1 + 1e-6) + 1e-9).all()
        last, last_stamp = result.q, someone.stamp


def test_same_input_same_output(person: Callable) -> None:
    results = []
    for _ in range(2):
        someone = person('iiwa14', 'allegro')
        for k in range(30):
            result = someone.show((0.001 * k, 0.0, 0.0), 0.09 - 0.002 * k)
        results.append(result.q)
    np.testing.assert_array_equal(results[0], results[1])


def test_arm_alone_and_hand_alone(person: Callable) -> None:
    for arm, hand in (('iiwa14', 'none'), ('none', 'allegro'), ('none', 'robotiq_2f85')):
        someone = person(arm, hand)
        for _ in range(20):
            result = someone.show()
        assert result.q is not None
        assert len(result.q) == len(someone.robot.joint_names)


def test_status_tells_the_palm(person: Callable) -> None:
    someone = person()
    for _ in range(90):
        result = someone.show()
    here = someone.robot.fk(someone.q, PALM, BASE)
    assert result.position_error == pytest.approx(
        np.linalg.norm(here[:3, 3] - result.target[:3, 3]), abs=1e-9
    )
    assert result.orientation_error < 1e-2


def test_with_servo_the_arm_is_where_it_is_measured(person: Callable) -> None:
    someone = person('iiwa14', 'allegro', RetargetingParams(arm_backend='servo'))
    target = None
    for k in range(60):
        result = someone.show((0.002 * k, 0.0, 0.0))
        np.testing.assert_array_equal(result.q[:7], someone.robot.home[:7])
        if target is not None:
            assert np.linalg.norm(result.target[:3, 3] - target) < 0.03
        target = result.target[:3, 3]
    assert result.position_error > 0.05, 'nobody moves this arm here'


CHANGES = {
    'side': 'left', 'mode': 'relative', 'orientation': 'full', 'method': 'vector',
    'orientation_time': 1.5, 'position_scale': 2.0, 'smoothing': 50.0, 'pinch_closed': 0.0,
    'pinch_open': 0.2, 'pinch_weight': 0.1, 'min_confidence': 0.9, 'aperture_hold': 0.0,
    'max_hand_speed': 0.1, 'lost_timeout': 0.0, 'engage_time': 0.01, 'engage_speed': 0.05,
    'posture_speed': 0.0, 'max_finger_lead': 0.03, 'max_squeeze': 0.01, 'max_lead': 0.05,
    'arm_backend': 'servo',
}  # fmt: skip


def play(someone: Person) -> list[object]:
    """Return all that a person's motion with every kind of trouble leads to."""
    results = [someone.show(wait=0.1)]
    for k in range(45):
        hide = ('thumb_tip', 'thumb_ip') if 20 < k < 30 else ()
        offset = (0.002 * k, 0.003 * k + (0.1 if k > 35 else 0.0), 0.0)
        aperture, yaw = max(0.1 - 0.004 * k, 0.04), 0.01 * k
        results.append(someone.show(offset, aperture, hide, follow=k < 40, yaw=yaw))
        if k == 15:
            results.append(someone.step(None))
    return [None if r.q is None else tuple(np.round(r.q, 9)) for r in results]


@pytest.mark.parametrize('name', [f.name for f in dataclasses.fields(RetargetingParams)])
def test_every_parameter_changes_something(person: Callable, name: str) -> None:
    check_value(RetargetingParams, name, CHANGES[name])
    hand = 'robotiq_2f85' if name == 'aperture_hold' else 'allegro'
    before, after = (person('iiwa14', hand, QUICK, **c) for c in ({}, {name: CHANGES[name]}))
    if name == 'min_confidence':
        for someone in (before, after):
            keep = someone._hand
            someone._hand = lambda p, T, c, s, keep=keep: keep(p, T, np.minimum(c, 0.8), s)
    assert play(before) != play(after)
