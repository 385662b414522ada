"""Session, loop and driver before the emulator: faults on the way, and what moves meanwhile."""

import time
from contextlib import contextmanager

import numpy as np
import pytest

from mimic_core.driver import DriverState
from mimic_core.driver.testing import Rig, wait
from mimic_core.params import from_mapping
from mimic_leap_driver import emulator
from mimic_leap_driver.driver import make_device
from mimic_leap_driver.params import LeapParams

# The machine of a test may be busy with others; benchmarks/driver_faults.py takes the times.
PATIENT = {'reconnect_period': 0.1, 'reply_timeout': 0.1, 'lost_after': 0.3}


@contextmanager
def rig(folder, **values):
    with emulator.start(folder / 'port') as running:
        params = from_mapping(LeapParams, {**running.params, **PATIENT, **values})
        with Rig(running, make_device(params), params) as made:
            yield made


def test_the_first_write_is_the_measured_position_and_limits_hold(tmp_path):
    with rig(tmp_path) as made:
        before = made.emulator.plant.position.copy()
        began = time.perf_counter()
        made.follow(made.limits.upper)
        assert np.allclose(made.writes()[0], before, atol=1e-3)
        far = np.full(16, 3.0)
        for _ in range(30):
            made.command(far)
            time.sleep(0.01)
        assert (made.writes() <= made.limits.upper + 8e-4).all()
        assert made.largest_step(began) <= 1.0


@pytest.mark.parametrize(
    ('fault', 'state', 'text'),
    [
        ('checksum', DriverState.LOST, 'damaged reply'),
        ('short', DriverState.LOST, '116 bytes came'),
        ('silent', DriverState.LOST, 'no whole reply of all motors: 0 bytes'),
        ('slow', DriverState.LOST, 'no whole reply'),
        ('disconnect', DriverState.LOST, 'unplugged'),
        ('brown_out', DriverState.FAULT, 'all motors restarted and lost torque'),
        ('over_temperature', DriverState.FAULT, 'too hot'),
    ],
)
def test_faults_are_named_and_left_without_a_jump(tmp_path, fault, state, text):
    with rig(tmp_path) as made:
        home = made.emulator.plant.position.copy()
        away = made.limits.clip(home + 0.3)
        made.follow(away)
        began = time.perf_counter()
        made.emulator.faults.set(fault)
        told = []
        taken = made.stay_until(lambda: told or told.extend(_told(made, state, text)), limit=2.0)
        assert taken < 1.0
        made.emulator.faults.clear()
        if state == DriverState.FAULT:
            made.session.reset(time.perf_counter())
        made.stay_until(lambda: made.status.state == DriverState.ACTIVE, limit=4.0)
        made.follow(home)
        assert made.largest_step(began) <= 1.0
        assert made.limits.contains(made.emulator.plant.position, 1e-3)


def _told(made, state, text):
    return [True for _, said, message in made.changes if said == state and text in message]


def test_noise_is_read_through_and_told(tmp_path):
    with rig(tmp_path) as made:
        made.emulator.faults.set('noise')
        made.stay_until(lambda: made.status.health.warnings, limit=2.0)
        assert 'noise on the bus' in made.status.health.warnings[0]
        made.follow(made.limits.clip(made.emulator.plant.position + 0.1))
        assert made.status.state == DriverState.ACTIVE


def test_a_stuck_motor_is_told(tmp_path):
    with rig(tmp_path, following_time=0.2) as made:
        made.emulator.faults.set('stuck', joint=9)
        goal = made.emulator.plant.position.copy()
        goal[9] = made.limits.upper[9]
        wait(lambda: made.command(goal) or made.status.warnings)
        assert made.status.warnings == ('leap_joint_9 does not follow its command',)


@pytest.mark.parametrize('policy', ['hold', 'limp'])
def test_a_lost_client(tmp_path, policy):
    with rig(tmp_path, on_lost_client=policy, command_timeout=0.1) as made:
        made.follow(made.limits.clip(made.emulator.plant.position + 0.1))
        time.sleep(0.4)
        assert made.status.client == 'lost'
        assert (made.emulator.device.tables[:, 64] == (policy == 'hold')).all()
        made.follow(made.limits.clip(made.emulator.plant.position - 0.1))
        assert (made.emulator.device.tables[:, 64] == 1).all()


@pytest.mark.parametrize('policy', ['hold', 'limp'])
def test_deactivate(tmp_path, policy):
    with rig(tmp_path, on_deactivate=policy) as made:
        made.follow(made.limits.clip(made.emulator.plant.position + 0.1))
        made.session.deactivate()
        assert (made.emulator.device.tables[:, 64] == (policy == 'hold')).all()


def test_moved_by_hand_while_unplugged(tmp_path):
    with rig(tmp_path) as made:
        made.follow(made.limits.clip(made.emulator.plant.position + 0.1))
        made.emulator.faults.set('disconnect')
        made.stay_until(lambda: made.status.state == DriverState.LOST, limit=1.0)
        made.emulator.device.tables[:, 64] = 0
        moved = made.limits.clip(made.emulator.plant.position + 0.2)
        made.emulator.plant.position[:] = moved
        count = len(made.emulator.writes())
        made.emulator.faults.clear()
        wait(lambda: made.status.state == DriverState.ACTIVE)
        wait(lambda: len(made.emulator.writes()) >= count + 5)
        assert np.allclose(made.emulator.writes()[count + 4][1], moved, atol=5e-3)
