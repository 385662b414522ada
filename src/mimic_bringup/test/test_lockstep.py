"""The whole chain in one process: it works from pixels, repeats itself, and bears lost hands."""

import numpy as np
import pytest

from mimic_bringup import lockstep
from mimic_bringup.lockstep import LockstepParams, Moment, run_trial
from mimic_description import load_robot
from mimic_hand_tracking.tracker import HandTracker
from mimic_sim.demonstrator_params import DemonstratorParams
from mimic_sim.tasks import task_class
from mimic_sim.twin import Twin

PERIOD = 0.01  # [s] of the gate
ROUNDING = 1e-9
LOST = (2.2, 3.2)  # [s], in the middle of the reach
STOPPED = 0.8  # [s] after which a robot that lost its hand is at rest


@pytest.fixture(scope='module')
def robot():
    return load_robot('iiwa14', 'robotiq_2f85')


@pytest.fixture
def commands(monkeypatch):
    """Every command that reaches the twin: (time [s], q), before the twin clips it."""
    seen = []

    class Watched(Twin):
        def command(self, q):
            seen.append((self.time, q.copy()))
            super().command(q)

    monkeypatch.setattr(lockstep, 'Twin', Watched)
    return seen


def check_limits(robot, commands):
    """Positions and speeds of all commands are within the robot's limits."""
    assert len(commands) > 100
    times, q = np.array([t for t, _ in commands]), np.array([q for _, q in commands])
    assert np.isfinite(q).all()
    assert (q >= robot.limits.lower - ROUNDING).all()
    assert (q <= robot.limits.upper + ROUNDING).all()
    in_turn = np.abs(np.diff(times) - PERIOD) < 0.1 * PERIOD
    speed = np.abs(np.diff(q, axis=0))[in_turn] / PERIOD
    assert (speed <= robot.limits.max_speed * (1.0 + 1e-6)).all()


def test_the_robot_does_from_pixels_what_the_person_shows(robot, commands):
    outcome = run_trial(robot, LockstepParams(task='tiles', seed=7919))
    assert outcome.success
    assert outcome.found > 0.95 * outcome.pictures
    assert outcome.followed > 0.95 * outcome.pictures
    check_limits(robot, commands)


@pytest.mark.parametrize(('task', 'hand'), [('push', 'fin_ray'), ('flip', 'ability')])
def test_tasks_are_done_from_pixels_with_other_hands(task, hand, commands):
    """Without a grasp, and with fingers that turn a thing: demonstrations that are recorded."""
    other = load_robot('iiwa14', hand)
    outcome = run_trial(other, LockstepParams(task=task, seed=1))
    assert outcome.success
    assert outcome.followed > 0.95 * outcome.pictures
    check_limits(other, commands)


def test_the_same_seed_gives_the_same_motion(robot):
    def motion():
        rows: list[np.ndarray] = []

        def keep(moment: Moment) -> None:
            keypoints = np.zeros((21, 3)) if moment.hand is None else moment.hand.keypoints
            rows.append(np.concatenate([moment.q, keypoints.ravel()]))

        outcome = run_trial(robot, LockstepParams(task='tiles', seed=31, longest=2.0), keep)
        return np.array(rows), outcome

    (first, outcome), (second, again) = motion(), motion()
    assert np.ptp(first[:, :7], axis=0).max() > 0.05  # it did move
    np.testing.assert_array_equal(first, second)
    assert outcome == again


def test_a_person_has_the_time_of_the_task(robot, monkeypatch):
    monkeypatch.setattr(task_class('tiles'), 'time_limit', 0.5)
    assert run_trial(robot, LockstepParams(task='tiles')).duration == pytest.approx(0.5, abs=0.05)


def test_a_lost_hand_holds_the_robot_and_nothing_leaves_its_limits(robot, commands, monkeypatch):
    class Blinded(HandTracker):
        """Is given no picture for a while, as behind a door."""

        def process_frame(self, frame):
            if LOST[0] <= frame.stamp < LOST[1]:
                return ()
            return super().process_frame(frame)

    monkeypatch.setattr(lockstep, 'HandTracker', Blinded)
    q: dict[float, np.ndarray] = {}
    reasons: dict[float, str] = {}

    def keep(moment: Moment) -> None:
        q[moment.time], reasons[moment.time] = moment.q, moment.result.reason

    run_trial(robot, LockstepParams(task='tiles', seed=104, longest=4.5), keep)
    lost = [t for t in q if LOST[0] <= t < LOST[1]]
    assert {reasons[t] for t in lost} == {'no hand is seen'}
    still = np.array([q[t] for t in lost if t > LOST[0] + STOPPED])
    assert np.ptp(still, axis=0).max() < 2e-3
    after = np.array([q[t] for t in q if t > LOST[1]])
    assert np.ptp(after[:, :7], axis=0).max() > 0.02  # it goes on
    check_limits(robot, commands)


def test_a_post_before_the_hand_makes_nothing_leave_its_limits(commands):
    robot = load_robot('iiwa14', 'allegro')
    look = DemonstratorParams(look='occluded')
    run_trial(robot, LockstepParams(task='tiles', seed=58, demonstrator=look, longest=4.0))
    check_limits(robot, commands)
