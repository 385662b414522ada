"""A demonstration's actions, followed chunk by chunk, do the task again."""

import numpy as np
import pytest
from scripted_policy import Recorded, actions_of

from mimic_description import load_robot
from mimic_policy.meta import WrongRobotError
from mimic_policy.rollout import RolloutParams, roll_out
from mimic_sim.scripted import ScriptedOperator
from mimic_sim.twin import Twin
from mimic_sim.twin_params import TwinParams

SMALL = TwinParams(width=160, height=120, depth=False)  # pictures are what takes the time


class Noted(Twin):
    """Keeps what it is commanded."""

    def __init__(self, *args) -> None:
        self.noted: list = []
        super().__init__(*args)

    def command(self, q) -> None:
        super().command(q)
        self.noted.append((self.time, np.array(q)))


def demonstration(seed: int):
    """Return a robot and the actions of a scripted demonstration."""
    robot = load_robot('iiwa14', 'robotiq_2f85')
    twin = Noted(robot, 'pick_place', seed)
    assert ScriptedOperator(twin).pick_and_place()
    times, q = zip(*twin.noted, strict=True)
    return robot, actions_of(robot, np.array(times), np.array(q))


@pytest.fixture(scope='module')
def shown():
    return demonstration(3)


def follow(shown, delay: float, longest: float = 25.0, seed: int = 3):
    robot, rows = shown
    policy = Recorded(robot, rows)
    params = RolloutParams('pick_place', seed, delay=delay, longest=longest, twin=SMALL)

    def tell_time(moment) -> None:
        policy.time = np.floor((moment.time - params.camera_delay) * 30.0) / 30.0

    return roll_out(robot, policy, params, tell_time), policy


def test_actions_of_a_palm_that_points_down_have_no_jumps(shown):
    """It is turned by pi, where an axis-angle flips; `Recorded` interpolates, so none may."""
    _, rows = shown
    assert np.linalg.norm(rows[:, 3:6], axis=1).max() > 3.0
    assert np.abs(np.diff(rows[:, 3:6], axis=0)).max() < 0.5


@pytest.mark.parametrize(('seed', 'delay'), [(3, 0.0), (4, 0.2), (5, 0.0), (5, 0.2)])
def test_the_actions_of_demonstrations_do_it_again(seed, delay):
    result, policy = follow(demonstration(seed), delay, 15.0, seed)
    assert result.success and result.duration < 9.0
    assert result.holds == 1 and result.refused == 0
    assert -12.0 < result.sparc < -2.0
    views = np.array([seen.agent[-1] for seen in policy.seen], int)
    assert np.abs(np.diff(views, axis=0)).max() > 30  # it saw the robot move
    assert policy.seen[0].wrist.shape == (2, 24, 32, 3)


def test_the_same_seed_gives_the_same_rollout(shown):
    first, _ = follow(shown, 0.1, 3.0)
    second, _ = follow(shown, 0.1, 3.0)
    assert first.as_map() == second.as_map()


def test_another_start_is_missed(shown):
    """The check can fail: the object is elsewhere."""
    robot, rows = shown
    policy = Recorded(robot, rows)
    params = RolloutParams('pick_place', 4, longest=4.0)
    result = roll_out(robot, policy, params)
    assert not result.success and result.duration == pytest.approx(4.0, abs=0.02)


@pytest.mark.parametrize(('begin', 'done'), [(0.2, True), (0.5, False), (0.7, False)])
def test_a_success_that_begins_too_late_takes_all_of_the_time(shown, monkeypatch, begin, done):
    class Late(Twin):
        def success(self) -> bool:
            return self.time >= begin

    monkeypatch.setattr('mimic_policy.rollout.Twin', Late)
    result, _ = follow(shown, 0.1, 0.8)
    assert result.success == done
    assert result.duration == pytest.approx(begin if done else 0.8, abs=0.02)


def test_another_robot_is_refused(shown):
    _, rows = shown
    policy = Recorded(load_robot('iiwa14', 'robotiq_2f85'), rows)
    with pytest.raises(WrongRobotError, match='hand'):
        roll_out(load_robot('iiwa14', 'fin_ray'), policy, RolloutParams('pick_place', 0))
