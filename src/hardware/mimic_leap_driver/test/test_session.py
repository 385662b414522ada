"""Session, loop and driver before the emulator: faults on the way, and what moves meanwhile."""

import time
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from mimic_core.command import NamedPositions
from mimic_core.driver import DriverSession, DriverState, Loop
from mimic_core.params import from_mapping
from mimic_leap_driver import emulator
from mimic_leap_driver.driver import make_device
from mimic_leap_driver.params import LeapParams

# The machine of a test may be busy with others; benchmarks/driver_faults.py takes the times.
PATIENT = {'reconnect_period': 0.1, 'reply_timeout': 0.1, 'lost_after': 0.3}


class Rig:
    def __init__(self, running, **values):
        params = from_mapping(LeapParams, {**running.params, **PATIENT, **values})
        device, self.limits, rate = make_device(params)
        self.said: list[tuple[DriverState, str]] = []  # every one, however short
        self.session = DriverSession(device, self.limits, replace(params, rate=rate), self._note)
        self.loop = Loop(self.session, time.perf_counter, lambda reading: None)
        self.running = running

    def _note(self):
        self.said.append((self.status.state, self.status.message))

    @property
    def status(self):
        return self.session.status

    def command(self, goal):
        names = self.session.device.joints
        move = NamedPositions(names, np.atleast_2d(goal), np.array([0.05]))
        assert self.session.take(move, time.perf_counter()) is None
        self.loop.wake()

    def follow(self, goal, limit=5.0):
        """Command until the motors are there."""
        end = time.perf_counter() + limit
        while not np.allclose(self.running.plant.position, goal, atol=5e-3):
            assert time.perf_counter() < end, (self.status.state, self.status.message)
            self.command(goal)
            time.sleep(0.01)

    def until(self, condition, limit):
        """Command the present goal until a condition holds; return how long that took [s]."""
        began = time.perf_counter()
        goal = self.running.plant.position.copy()
        while not condition():
            assert time.perf_counter() - began < limit, (self.status.state, self.status.message)
            self.command(goal)
            time.sleep(0.005)
        return time.perf_counter() - began

    def largest_step(self, since):
        """Largest step between writes, over that of three periods at top speed."""
        goals = np.array([goal for at, goal in self.running.writes() if at >= since])
        allowed = self.limits.max_speed * 3.0 * self.session.period + 2e-3
        return float((np.abs(np.diff(goals, axis=0)) / allowed).max(initial=0.0))


@contextmanager
def rig(folder, **values):
    with emulator.start(folder / 'port') as running:
        made = Rig(running, **values)
        made.session.configure(time.perf_counter())
        made.session.activate(time.perf_counter())
        made.loop.start()
        try:
            yield made
        finally:
            made.loop.stop()
            made.session.cleanup()


def test_the_first_write_is_the_measured_position_and_limits_hold(tmp_path):
    with rig(tmp_path) as made:
        before = made.running.plant.position.copy()
        began = time.perf_counter()
        made.follow(made.limits.upper)
        goals = np.array([goal for _, goal in made.running.writes()])
        assert np.allclose(goals[0], before, atol=1e-3)
        far = np.full(16, 3.0)
        for _ in range(30):
            made.command(far)
            time.sleep(0.01)
        goals = np.array([goal for _, goal in made.running.writes()])
        assert (goals <= made.limits.upper + 8e-4).all()
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
        home = made.running.plant.position.copy()
        away = made.limits.clip(home + 0.3)
        made.follow(away)
        began = time.perf_counter()
        made.running.faults.set(fault)
        told = []
        taken = made.until(lambda: told or told.extend(_told(made, state, text)), limit=2.0)
        assert taken < 1.0
        made.running.faults.clear()
        if state == DriverState.FAULT:
            made.session.reset(time.perf_counter())
        made.until(lambda: made.status.state == DriverState.ACTIVE, limit=4.0)
        made.follow(home)
        assert made.largest_step(began) <= 1.0
        assert made.limits.contains(made.running.plant.position, 1e-3)


def _told(made, state, text):
    return [True for said, message in made.said if said == state and text in message]


def test_noise_is_read_through_and_told(tmp_path):
    with rig(tmp_path) as made:
        made.running.faults.set('noise')
        made.until(lambda: made.status.health.warnings, limit=2.0)
        assert 'noise on the bus' in made.status.health.warnings[0]
        made.follow(made.limits.clip(made.running.plant.position + 0.1))
        assert made.status.state == DriverState.ACTIVE


def test_a_stuck_motor_is_told(tmp_path):
    with rig(tmp_path, following_time=0.2) as made:
        made.running.faults.set('stuck', joint=9)
        goal = made.running.plant.position.copy()
        goal[9] = made.limits.upper[9]
        end = time.perf_counter() + 4.0
        while not made.status.warnings:
            assert time.perf_counter() < end
            made.command(goal)
            time.sleep(0.01)
        assert made.status.warnings == ('leap_joint_9 does not follow its command',)


@pytest.mark.parametrize('policy', ['hold', 'limp'])
def test_a_lost_client(tmp_path, policy):
    with rig(tmp_path, on_lost_client=policy, command_timeout=0.1) as made:
        made.follow(made.limits.clip(made.running.plant.position + 0.1))
        time.sleep(0.4)
        assert made.status.client == 'lost'
        assert (made.running.device.tables[:, 64] == (policy == 'hold')).all()
        made.follow(made.limits.clip(made.running.plant.position - 0.1))
        assert (made.running.device.tables[:, 64] == 1).all()


@pytest.mark.parametrize('policy', ['hold', 'limp'])
def test_deactivate(tmp_path, policy):
    with rig(tmp_path, on_deactivate=policy) as made:
        made.follow(made.limits.clip(made.running.plant.position + 0.1))
        made.session.deactivate()
        assert (made.running.device.tables[:, 64] == (policy == 'hold')).all()


def test_moved_by_hand_while_unplugged(tmp_path):
    with rig(tmp_path) as made:
        made.follow(made.limits.clip(made.running.plant.position + 0.1))
        made.running.faults.set('disconnect')
        made.until(lambda: made.status.state == DriverState.LOST, limit=1.0)
        made.running.device.tables[:, 64] = 0
        moved = made.limits.clip(made.running.plant.position + 0.2)
        made.running.plant.position[:] = moved
        count = len(made.running.writes())
        made.running.faults.clear()
        end = time.perf_counter() + 4.0
        while made.status.state != DriverState.ACTIVE or len(made.running.writes()) < count + 5:
            assert time.perf_counter() < end
            time.sleep(0.01)
        assert np.allclose(made.running.writes()[count + 4][1], moved, atol=5e-3)
