"""The motion of the virtual demonstrator, with and without eyes."""

from dataclasses import replace

import numpy as np
import pytest

from mimic_core.errors import ConfigError, StaleInputError, UnknownNameError
from mimic_core.frames import hand_frame
from mimic_core.keypoints import INDEX
from mimic_core.params import from_mapping
from mimic_sim.demonstrator import PROP, Demonstrator, DemoState, Plan, Sight, plan_of
from mimic_sim.demonstrator_motion import grasp_rotation, minimum_jerk
from mimic_sim.demonstrator_params import DemonstratorParams
from mimic_sim.hand_model import HandModel, HandShape

PLAN = Plan(
    workspace=np.array([0.55, 0.0, 0.0]),
    radius=0.18,
    start=np.array([0.58, 0.10, 0.0225]),
    target=np.array([0.52, -0.12, 0.0225]),
)
PARAMS = DemonstratorParams(eyes=False, props=True, start_delay=0.2)
RATE = 30.0  # [Hz]
PHASES = ['rest', 'reach', 'grasp', 'lift', 'carry', 'place', 'release', 'retreat', 'done']


def person(**changes: object) -> Demonstrator:
    return Demonstrator(replace(PARAMS, **changes), PLAN, HandModel())  # type: ignore[arg-type]


def performance(demonstrator: Demonstrator, rate: float = RATE) -> list[DemoState]:
    times = np.arange(0.0, demonstrator.duration + 0.3, 1.0 / rate)
    return [demonstrator.state(float(t)) for t in times]


def test_phases_come_in_order() -> None:
    phases = [state.phase for state in performance(person())]
    assert list(dict.fromkeys(phases)) == PHASES


def test_open_loop_is_a_pure_function_of_time() -> None:
    one, other = person(seed=3), person(seed=3)
    for time in (4.0, 1.0, 2.5):
        other.state(time + 1.0)
        a, b = one.state(time), other.state(time)
        np.testing.assert_array_equal(a.hand.world_T_palm, b.hand.world_T_palm)
        np.testing.assert_array_equal(a.hand.joints, b.hand.joints)


@pytest.mark.parametrize('side', ['right', 'left'])
@pytest.mark.parametrize('faces', [-0.4, 0.0, 0.15, 1.4])
def test_a_box_is_taken_by_two_of_its_sides(side: str, faces: float) -> None:
    plan, params = replace(PLAN, faces=faces), replace(PARAMS, side=side)
    model = HandModel()
    state = Demonstrator(params, plan, model).state(2.5)
    tips = model.world_keypoints(state.hand)[[INDEX['thumb_tip'], INDEX['index_tip']]]
    line = np.subtract(*tips[::-1])
    heading = float(np.arctan2(line[1], line[0]))
    assert abs(np.angle(np.exp(4j * (heading - faces)))) / 4 < 0.08  # as one of four sides
    usual = 0.26 if side == 'left' else -0.26
    assert abs(np.angle(np.exp(1j * (heading - usual)))) < 0.25 * np.pi + 0.08


def test_seeds_differ() -> None:
    a, b = person(seed=0).state(2.0), person(seed=1).state(2.0)
    assert np.linalg.norm(a.pinch_center - b.pinch_center) > 0.003


@pytest.mark.parametrize('side', ['right', 'left'])
@pytest.mark.parametrize('seed', [0, 5])
def test_motion_is_human(side: str, seed: int) -> None:
    states = performance(person(side=side, seed=seed))
    centers = np.array([s.pinch_center for s in states])
    speed = np.linalg.norm(np.diff(centers, axis=0), axis=1) * RATE
    assert 0.2 < speed.max() < 0.5  # [m/s]
    acceleration = np.linalg.norm(np.diff(centers, n=2, axis=0), axis=1) * RATE**2
    assert acceleration.max() < 3.0  # [m/s^2]
    joints = np.array([s.hand.joints for s in states])
    assert np.abs(np.diff(joints, axis=0)).max() * RATE < 6.0  # [rad/s]
    assert centers[:, 2].min() > 0.01  # above the table


def test_pinch_is_at_the_object_and_then_at_the_target() -> None:
    states = performance(person(tremor=0.0))
    grasp = next(s for s in states if s.phase == 'lift')
    np.testing.assert_allclose(grasp.pinch_center, PLAN.start, atol=1e-3)
    release = next(s for s in states if s.phase == 'release')
    np.testing.assert_allclose(release.pinch_center, PLAN.target, atol=1e-3)
    opened = max(s.aperture for s in states if s.phase == 'reach')
    assert opened > 0.08 > 0.055 > grasp.aperture


def test_own_object_goes_along_and_stays() -> None:
    states = performance(person(tremor=0.0))
    poses = {s.phase: s.objects[PROP.name][:3, 3] for s in states}
    expected = PLAN.target * (1, 1, 0) + (0, 0, PROP.size[2])
    np.testing.assert_allclose(poses['done'], expected, atol=1e-9)
    np.testing.assert_allclose(poses['reach'][:2], PLAN.start[:2])
    carried = [s for s in states if s.phase == 'carry']
    offsets = np.array([s.objects[PROP.name][:3, 3] - s.pinch_center for s in carried])
    assert np.ptp(offsets, axis=0).max() < 1e-6
    assert not person(props=False).state(2.0).objects


def test_palm_comes_down_on_the_object() -> None:
    model = HandModel()
    for side in ('right', 'left'):
        rotation = grasp_rotation(model, side, -0.26, 1.05)  # type: ignore[arg-type]
        assert rotation[2, 0] < -0.3  # the palm looks down
        assert np.linalg.det(rotation) == pytest.approx(1.0)
    state = person().state(3.0)
    points = model.world_keypoints(state.hand)
    np.testing.assert_allclose(hand_frame(points), state.hand.world_T_palm, atol=1e-9)


def test_minimum_jerk_starts_and_ends_at_rest() -> None:
    step = 1e-4
    assert minimum_jerk(0.0) == 0.0 and minimum_jerk(1.0) == 1.0
    assert minimum_jerk(step) < 1e-10 and 1.0 - minimum_jerk(1.0 - step) < 1e-10


def test_free_motion_never_ends_and_stays_in_view() -> None:
    free = person(task='free')
    assert free.duration == float('inf')
    centers = np.array([free.state(float(t)).pinch_center for t in np.arange(0, 40, 0.5)])
    assert (np.abs(centers - PLAN.workspace) < 0.35).all() and centers[:, 2].min() > 0.02


@pytest.mark.parametrize(
    'change',
    [{'speed': 1.5}, {'tremor': 5.0}, {'start_delay': 1.0}, {'side': 'left'}, {'seed': 9}],
)
def test_each_parameter_of_the_motion_matters(change: dict[str, object]) -> None:
    usual, other = person().state(1.7), person(**change).state(1.7)
    assert np.linalg.norm(usual.pinch_center - other.pinch_center) > 1e-5


# With eyes -----------------------------------------------------------------------------------


class Robot:
    """Follows the pinch point late and beside it; grips what is between its fingers."""

    def __init__(self, offset: tuple[float, float, float], misses: int = 0) -> None:
        self.offset, self.misses = np.array(offset), misses
        self.center = np.array([0.45, -0.07, 0.2])
        self.object = PLAN.start.copy()
        self.held, self.tries, self.closed_for = False, 0, 0.0

    def follow(self, state: DemoState, dt: float) -> Sight:
        before = self.center.copy()
        share = 1.0 - np.exp(-dt / 0.15)  # 0.15 s behind
        self.center = before + share * (state.pinch_center + self.offset - before)
        closed = state.aperture < 0.05
        self.closed_for = self.closed_for + dt if closed else 0.0
        if closed and not self.held and abs(self.closed_for - 0.3) < 0.5 * dt:
            self.tries += 1
            near = np.linalg.norm(self.center - self.object) < 0.015
            self.held = bool(near and self.tries > self.misses)
        if self.held:
            self.object = self.object + self.center - before
            if not closed:
                self.held = False
        if not self.held:
            self.object[2] = PLAN.start[2]
        return Sight(self.center.copy(), self.object.copy(), PLAN.target)


def shadowed(
    robot: Robot, limit: float = 40.0, rate: float = RATE
) -> tuple[Demonstrator, list[DemoState]]:
    demonstrator, states, dt = person(eyes=True, props=False), [], 1.0 / rate
    for time in np.arange(0.0, limit, dt):
        states.append(demonstrator.state(float(time)))
        demonstrator.see(robot.follow(states[-1], dt))
        if states[-1].phase == 'done':
            break
    return demonstrator, states


def test_a_person_corrects_for_the_robot() -> None:
    robot = Robot((0.03, -0.02, 0.01))
    demonstrator, states = shadowed(robot)
    assert states[-1].phase == 'done' and demonstrator.retries == 0
    assert np.linalg.norm(robot.object - PLAN.target) < 0.02
    np.testing.assert_allclose(demonstrator.correction, -robot.offset, atol=0.012)
    centers = np.array([s.pinch_center for s in states])
    assert np.linalg.norm(np.diff(centers, axis=0), axis=1).max() * RATE < 0.5


def test_without_eyes_the_same_robot_fails() -> None:
    robot, demonstrator = Robot((0.03, -0.02, 0.01)), person(eyes=False)
    for state in performance(demonstrator):
        robot.follow(state, 1.0 / RATE)
    assert np.linalg.norm(robot.object - PLAN.target) > 0.05


def test_a_missed_grasp_is_tried_again() -> None:
    robot = Robot((0.0, 0.01, 0.0), misses=1)
    demonstrator, states = shadowed(robot)
    assert demonstrator.retries == 1 and robot.tries == 2
    assert np.linalg.norm(robot.object - PLAN.target) < 0.02
    centers = np.array([s.pinch_center for s in states])
    assert np.linalg.norm(np.diff(centers, axis=0), axis=1).max() * RATE < 0.5
    phases = [s.phase for s in states]
    assert phases.count('done') == 1


def test_an_object_lost_on_the_way_is_fetched_again() -> None:
    robot = Robot((0.0, 0.01, 0.0))
    demonstrator, states, dt = person(eyes=True, props=False), [], 1.0 / RATE
    for time in np.arange(0.0, 40.0, dt):
        states.append(demonstrator.state(float(time)))
        demonstrator.see(robot.follow(states[-1], dt))
        if robot.held and robot.tries == 1 and robot.object[1] < 0.0:
            robot.held = False  # it falls
        if states[-1].phase == 'done':
            break
    assert demonstrator.retries == 1 and robot.tries == 2
    assert np.linalg.norm(robot.object - PLAN.target) < 0.02
    centers = np.array([s.pinch_center for s in states])
    assert np.linalg.norm(np.diff(centers, axis=0), axis=1).max() * RATE < 0.5


def test_a_hand_does_not_go_into_the_table() -> None:
    robot = Robot((0.0, 0.0, 0.05))  # stays too high whatever the person does
    _, states = shadowed(robot, rate=12.0)
    assert min(s.pinch_center[2] for s in states) > 0.01


def test_a_person_gives_up_in_the_end() -> None:
    robot = Robot((0.0, 0.0, 0.0), misses=99)
    demonstrator, states = shadowed(robot, limit=60.0, rate=12.0)
    assert states[-1].phase == 'done' and demonstrator.retries == 2
    lost = Robot((0.4, 0.0, 0.0))  # a robot that is nowhere near
    demonstrator, states = shadowed(lost, limit=90.0, rate=12.0)
    assert states[-1].phase == 'done'
    assert np.linalg.norm(demonstrator.correction[:2]) <= 0.12 + 1e-9


def test_a_person_corrects_no_faster_than_people_do() -> None:
    demonstrator, dt, last = person(eyes=True), 1.0 / RATE, np.zeros(3)
    robot = Robot((0.1, 0.05, 0.0))
    for time in np.arange(0.0, 12.0, dt):
        demonstrator.see(robot.follow(demonstrator.state(float(time)), dt))
        assert np.linalg.norm(demonstrator.correction - last) <= 0.1 * dt + 1e-9
        last = demonstrator.correction.copy()


def test_the_past_cannot_be_changed() -> None:
    demonstrator = person(eyes=True)
    demonstrator.state(2.0)
    demonstrator.see(Sight(np.zeros(3), np.zeros(3)))
    demonstrator.state(2.5)
    with pytest.raises(StaleInputError, match='after 2'):
        demonstrator.state(1.0)


# What is asked for ---------------------------------------------------------------------------


def test_plan_is_that_of_the_twin() -> None:
    plan = plan_of(DemonstratorParams(arm='iiwa14', task='pick_place', seed=2))
    again = plan_of(DemonstratorParams(arm='iiwa14', task='pick_place'), seed=2)
    np.testing.assert_array_equal(plan.start, again.start)
    assert plan.faces == again.faces and plan.faces is not None and 0.0 < abs(plan.faces) < 0.15
    assert np.linalg.norm((plan.start - plan.target)[:2]) > 0.08
    small = plan_of(DemonstratorParams(arm='so101', task='tiles', seed=2))
    assert small.workspace[0] < plan.workspace[0] and small.radius < plan.radius


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UnknownNameError, match='iiwa14'):
        plan_of(DemonstratorParams(arm='iiwa15'))
    with pytest.raises(UnknownNameError, match='pick_place'):
        plan_of(DemonstratorParams(task='pick_plaice'))
    with pytest.raises(ConfigError, match='look'):
        from_mapping(DemonstratorParams, {'look': 'baroque'})


def test_small_and_large_hands_do_it() -> None:
    for size in (0.165, 0.205):
        shape = HandShape(length=size)
        states = performance(Demonstrator(PARAMS, PLAN, HandModel(shape)), rate=5.0)
        assert states[-1].phase == 'done'
