"""Every fault of an Allegro Hand under the session: what is said, when, and how it moves."""

import itertools
import time

import numpy as np
import pytest
from wave_rig import WaveRig

from mimic_allegro_driver.driver import make_device
from mimic_allegro_driver.emulator import start
from mimic_allegro_driver.params import AllegroParams
from mimic_allegro_driver.protocol import PWM_CAPS
from mimic_core.driver import DriverState
from mimic_description import load_robot

SAID_WITHIN = 0.2  # [s]
LOST_AFTER = AllegroParams().lost_after  # [s]; tests of other things bear a busy machine
HOME = load_robot('none', 'allegro').home
CAPS = np.array(PWM_CAPS) / 1200.0  # [N m]
_buses = (f'allegro-faults-{i}' for i in itertools.count())


class Bench(WaveRig):
    make_device = staticmethod(make_device)
    params = AllegroParams
    home = HOME
    amplitude, speed = 0.1, 3.0

    def __init__(self, *, emulator=None, **values):
        options = {'interface': 'virtual', 'channel': next(_buses), **(emulator or {})}
        super().__init__(start(**options), **values)

    def check_writes(self):
        assert (np.abs(self.writes()) <= CAPS + 1e-6).all()

    def moved_after(self, index: int) -> float:
        """Return the largest distance from where it was at a step of the plant [rad]."""
        path = self.moved()[index:]
        return float(np.abs(path - path[0]).max())


@pytest.mark.parametrize('fault', ['checksum', 'short', 'silent', 'slow', 'disconnect'])
def test_a_bus_that_fails_is_lost_and_found_without_a_jump(fault: str):
    with Bench(lost_after=LOST_AFTER) as bench:
        bench.emulator.faults.set(fault)
        assert bench.wait(lambda: bench.status.state == DriverState.LOST) < SAID_WITHIN
        assert bench.status.message
        time.sleep(0.4)  # somebody moves the fingers
        moved = HOME + np.array([0, 0.5, 0.5, 0.5] * 3 + [0.3, 0, 0, 0])
        bench.emulator.plant.torque[:] = False
        bench.emulator.plant.position[:] = moved
        bench.emulator.plant.velocity[:] = 0.0
        index, writes = len(bench.path), len(bench.emulator.writes())
        bench.emulator.faults.clear()
        bench.wait(lambda: bench.status.state == DriverState.ACTIVE)
        bench.wait(lambda: len(bench.emulator.writes()) > writes + 5)
        # From where they are, at a quarter of the speed limits: no torque worth the name at first.
        first = bench.writes()[writes : writes + 5]
        assert np.abs(first).max() < 0.06
        times = np.array([at for at, _ in bench.path])[index:]
        speeds = np.abs(np.diff(bench.moved()[index:], axis=0)) / np.diff(times)[:, None]
        assert speeds.max() < 0.25 * 3.14 * 4
        assert bench.status.reconnects >= 1


def test_noise_is_no_reason_to_stop():
    with Bench() as bench:
        bench.emulator.faults.set('noise')
        time.sleep(0.5)
        assert bench.status.state == DriverState.ACTIVE
        assert len(bench.changes) == 2  # inactive, active


def test_single_lost_frames_are_no_reason_to_stop():
    with Bench() as bench:
        for fault in ('checksum', 'short', 'silent', 'slow'):
            bench.emulator.faults.set(fault, 1)
            time.sleep(0.15)
        assert bench.status.state == DriverState.ACTIVE


def test_a_restart_is_named_at_once_and_left_by_reset():
    with Bench() as bench:
        bench.emulator.faults.set('brown_out')
        assert bench.wait(lambda: bench.status.state == DriverState.FAULT) < SAID_WITHIN
        assert 'restarted' in bench.status.message
        index = len(bench.path)
        time.sleep(0.3)
        assert bench.status.state == DriverState.FAULT  # nobody asked
        assert bench.moved_after(index) < 0.02
        bench.session.reset(time.perf_counter())
        assert bench.status.state == DriverState.ACTIVE
        bench.wait(lambda: bench.emulator.plant.torque.all())


def test_a_restart_is_left_by_itself_where_that_is_wanted():
    with Bench(auto_reset=True) as bench:
        bench.emulator.faults.set('brown_out')
        bench.wait(lambda: any(state == DriverState.FAULT for _, state, _ in bench.changes))
        bench.wait(lambda: bench.status.state == DriverState.ACTIVE)


def test_a_restart_that_takes_its_time_is_lost_then_found():
    with Bench(emulator={'boot_time': 0.6}, lost_after=LOST_AFTER) as bench:
        bench.emulator.faults.set('brown_out')
        assert bench.wait(lambda: bench.status.state == DriverState.LOST) < SAID_WITHIN
        bench.wait(lambda: bench.status.state == DriverState.ACTIVE)
        bench.wait(lambda: bench.emulator.plant.torque.all())


def test_heat_is_said_and_left_when_it_is_over():
    with Bench() as bench:
        bench.emulator.faults.set('over_temperature')
        assert bench.wait(lambda: bench.status.state == DriverState.FAULT) < SAID_WITHIN
        assert 'over-temperature: 83 deg C' in bench.status.message
        bench.emulator.faults.clear()
        bench.wait(lambda: bench.status.state == DriverState.ACTIVE)
        bench.wait(lambda: bench.emulator.plant.torque.all())


def test_a_stuck_motor_is_named():
    with Bench(following_error=0.2, following_time=0.1) as bench:
        bench.emulator.faults.set('stuck', joint=5)
        bench.goal = HOME + np.array([0, 0.6, 0.6, 0.6] * 3 + [0, 0.3, 0.3, 0.3])
        bench.wait(lambda: bench.status.warnings == (
            'allegro_joint_5 does not follow its command',))  # fmt: skip


@pytest.mark.parametrize(('policy', 'stiff'), [('hold', True), ('limp', False)])
def test_a_lost_client(policy: str, stiff: bool):
    with Bench(command_timeout=0.15, on_lost_client=policy) as bench:
        bench.stop_client()
        bench.wait(lambda: bench.status.client == 'lost')
        time.sleep(0.2)
        assert bool(bench.emulator.plant.torque.all()) is stiff


@pytest.mark.parametrize(('policy', 'stiff'), [('hold', True), ('limp', False)])
def test_deactivate(policy: str, stiff: bool):
    with Bench(on_deactivate=policy) as bench:
        bench.session.deactivate()
        index = len(bench.path)
        time.sleep(0.3)
        assert bool(bench.emulator.plant.torque.all()) is stiff
        assert bench.moved_after(index) < 0.03
        assert bench.status.state == DriverState.INACTIVE
