"""Every fault of an Ability Hand under the session: what is said, when, and how it moves."""

import time
from pathlib import Path

import numpy as np
import pytest
from wave_rig import WaveRig

from mimic_ability_driver.driver import make_device
from mimic_ability_driver.emulator import start
from mimic_ability_driver.params import AbilityParams
from mimic_core.driver import DriverState

LOST_WITHIN = 0.2  # [s]
LOST_AFTER = AbilityParams().lost_after  # [s]; tests of other things bear a busy machine
HOME = np.array([0.25, 0.25, 0.25, 0.25, 0.25, -0.5])


class Bench(WaveRig):
    make_device = staticmethod(make_device)
    params = AbilityParams
    home = HOME
    amplitude, speed = 0.2, 5.0

    def __init__(self, link: Path, **values):
        super().__init__(start(link), **{'rate': 200.0, **values})

    def check_writes(self):
        assert all(self.limits.contains(q, 1e-4) for q in self.writes())


@pytest.mark.parametrize('fault', ['checksum', 'short', 'silent', 'slow', 'disconnect'])
def test_a_bus_that_fails_is_lost_and_found_without_a_jump(tmp_path: Path, fault: str):
    with Bench(tmp_path / 'port', lost_after=LOST_AFTER) as bench:
        bench.emulator.faults.set(fault)
        assert bench.wait(lambda: bench.status.state == DriverState.LOST) < LOST_WITHIN
        assert bench.status.message
        time.sleep(0.4)  # the watchdog lets go; somebody moves the fingers
        at = time.perf_counter()
        bench.emulator.plant.position[:3] = bench.emulator.plant.target[:3] = 1.0
        bench.emulator.faults.clear()
        bench.wait(lambda: bench.status.state == DriverState.ACTIVE)
        bench.wait(lambda: len(bench.emulator.writes()) and bench.emulator.writes()[-1][0] > at)
        np.testing.assert_allclose(bench.writes(at)[0][:3], 1.0, atol=0.01)
        reached = len(bench.readings)
        bench.wait(lambda: len(bench.readings) > reached + 50)
        assert bench.status.reconnects >= 1


def test_noise_is_no_reason_to_stop(tmp_path: Path):
    with Bench(tmp_path / 'port') as bench:
        bench.emulator.faults.set('noise')
        time.sleep(0.5)
        assert bench.status.state == DriverState.ACTIVE
        assert len(bench.changes) == 2  # inactive, active


def test_single_damaged_replies_are_no_reason_to_stop(tmp_path: Path):
    with Bench(tmp_path / 'port') as bench:
        for fault in ('checksum', 'short', 'silent'):
            bench.emulator.faults.set(fault, 1)
            time.sleep(0.2)
        assert bench.status.state == DriverState.ACTIVE
        assert sum(bench.status.errors.values()) >= 3


def test_a_brown_out_is_noticed_and_left_from_where_the_hand_is(tmp_path: Path):
    with Bench(tmp_path / 'port', lost_after=LOST_AFTER) as bench:
        bench.emulator.faults.set('brown_out')
        assert bench.wait(lambda: bench.status.state == DriverState.LOST) < LOST_WITHIN
        bench.wait(lambda: bench.status.state == DriverState.ACTIVE)
        found = next(t for t, state, _ in reversed(bench.changes) if state == DriverState.ACTIVE)
        bench.wait(lambda: len(bench.writes(found - 0.01)) > 0)
        np.testing.assert_allclose(
            bench.writes(found - 0.01)[0], bench.emulator.plant.position, atol=0.15
        )


def test_heat_is_said_within_a_fifth_of_a_second(tmp_path: Path):
    with Bench(tmp_path / 'port') as bench:
        bench.emulator.faults.set('over_temperature', joint=2)
        said = bench.wait(lambda: bench.status.health.warnings)
        assert said < LOST_WITHIN
        assert bench.status.health.warnings[0].startswith('ability_ring_q1: output limited')
        bench.emulator.faults.clear()
        bench.wait(lambda: not bench.status.health.warnings)


def test_a_stuck_motor_is_named(tmp_path: Path):
    params = {'following_error': 0.2, 'following_time': 0.1}
    with Bench(tmp_path / 'port', **params) as bench:
        bench.emulator.faults.set('stuck', joint=1)
        bench.goal = HOME + 0.6 * np.array([1, 1, 1, 1, 1, 0])
        bench.wait(lambda: bench.status.warnings)
        assert bench.status.warnings == ('ability_middle_q1 does not follow its command',)


@pytest.mark.parametrize(('policy', 'stiff'), [('hold', True), ('limp', False)])
def test_a_lost_client(tmp_path: Path, policy: str, stiff: bool):
    params = {'command_timeout': 0.1, 'on_lost_client': policy}
    with Bench(tmp_path / 'port', **params) as bench:
        bench.stop_client()
        bench.wait(lambda: bench.status.client == 'lost')
        time.sleep(0.4)
        assert bool(bench.emulator.plant.torque.all()) is stiff
        assert bench.emulator.api


def test_steps_on_the_wire_are_bounded_by_the_speed_limits(tmp_path: Path):
    with Bench(tmp_path / 'port') as bench:
        bench.goal = HOME + np.array([0.9, 0.9, 0.9, 0.9, 0.9, -0.6])
        time.sleep(0.6)
    q = bench.writes()
    reach = bench.limits.max_speed * 2.0 / 200.0
    assert (np.abs(np.diff(q, axis=0)) <= reach + 2e-4).all()
