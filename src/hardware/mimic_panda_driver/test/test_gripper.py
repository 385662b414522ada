"""Which set-points become goals of the gripper's action."""

import time

import numpy as np
import pytest

from mimic_core.driver.device import Health, Reading
from mimic_core.errors import ConfigError, NoReplyError
from mimic_core.params import from_mapping
from mimic_description import load_robot
from mimic_panda_driver import driver, emulator
from mimic_panda_driver.gripper import Gripper
from mimic_panda_driver.params import PandaParams


class Motor:
    """A gripper that is at once where it shall be."""

    def __init__(self):
        self.goals, self.served, self.heard = [], True, 0.0
        self.position = 0.04

    def finger(self):
        return self.position, time.perf_counter() - self.heard

    def bad(self):
        return 3

    def send_goal(self, position, effort):
        if self.served:
            self.goals.append((position, effort))
        return self.served


def make(**changes):
    motor = Motor()
    gripper = Gripper(motor, from_mapping(PandaParams, {'gripper_min_period': 0.02, **changes}))
    gripper.reset()
    return motor, gripper


def stream(gripper, wishes, period=0.005):
    for wish in wishes:
        gripper.write(float(wish))
        time.sleep(period)


def test_no_goal_where_it_is():
    motor, gripper = make()
    stream(gripper, [0.04] * 10)
    assert motor.goals == []


def test_a_stream_becomes_few_goals_and_ends_exactly():
    motor, gripper = make(gripper_effort=12.0)
    stream(gripper, np.linspace(0.04, 0.01, 60))
    stream(gripper, [0.01] * 40)
    positions = [position for position, _ in motor.goals]
    assert 3 < len(positions) < 25
    assert (np.diff(positions) < 0).all() and positions[-1] == 0.01
    assert {effort for _, effort in motor.goals} == {12.0}


def test_trembling_is_no_goal_but_a_small_change_that_stays_is():
    motor, gripper = make()
    stream(gripper, 0.04 - 0.0004 * (np.arange(30) % 2))
    assert motor.goals == []
    stream(gripper, [0.0397] * 40)
    assert motor.goals == [(0.0397, 20.0)]


def test_silence_is_told():
    motor, gripper = make()
    motor.heard = 0.6
    with pytest.raises(NoReplyError, match=r'panda_gripper/joint_states for 0\.60 s'):
        gripper.read()
    motor.served = False
    with pytest.raises(NoReplyError, match='nobody serves panda_gripper/gripper_action'):
        stream(gripper, [0.0])


class Arm:
    """An arm whose controller answers at once."""

    joints = tuple(f'panda_joint{i}' for i in range(1, 8))

    def read(self):
        return Reading(np.zeros(7), np.ones(7), np.full(7, 2.0), stamp=5.0)

    def health(self):
        return Health(details={'controller: arm': 'active'})


def test_an_old_finger_is_not_published_and_nothing_is_made_up():
    motor, gripper = make()
    panda = driver.Panda(Arm(), gripper, 'panda_finger_joint_1', PandaParams())
    reading = panda.read()
    assert reading.position[7] == 0.04 and reading.stamp == 5.0
    assert np.isnan([reading.velocity[7], reading.effort[7]]).all()
    assert (reading.velocity[:7] == 1.0).all() and (reading.effort[:7] == 2.0).all()
    motor.heard = 0.2
    with pytest.raises(NoReplyError, match=r'panda_gripper/joint_states for 0\.20 s'):
        panda.read()


def test_damaged_states_of_the_fingers_are_counted():
    _, gripper = make()
    panda = driver.Panda(Arm(), gripper, 'panda_finger_joint_1', PandaParams())
    details = panda.health().details
    assert details == {'controller: arm': 'active', 'damaged states of the fingers': '3'}


def test_the_emulator_has_its_own_copy_of_the_names():
    assert (emulator._JOINTS, emulator._CONTROLLER) == (driver.JOINTS, driver.CONTROLLER)
    assert len(driver.JOINTS) == len(load_robot('panda', 'none').joint_names)


def test_bad_parameters():
    with pytest.raises(ConfigError, match='hand'):
        from_mapping(PandaParams, {'hand': 'allegro'})
