"""Every fault of an Allegro Hand under the session: what is said, when, and how it moves."""

import itertools
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from mimic_allegro_driver.driver import make_device
from mimic_allegro_driver.emulator import start
from mimic_allegro_driver.params import AllegroParams
from mimic_allegro_driver.protocol import PWM_CAPS
from mimic_core.command import NamedPositions
from mimic_core.driver import DriverSession, DriverState
from mimic_core.driver.loop import Loop
from mimic_core.params import from_mapping
from mimic_description import load_robot

SAID_WITHIN = 0.2  # [s]
LOST_AFTER = AllegroParams().lost_after  # [s]; tests of other things bear a busy machine
HOME = load_robot('none', 'allegro').home
CAPS = np.array(PWM_CAPS) / 1200.0  # [N m]
_buses = (f'allegro-faults-{i}' for i in itertools.count())


class Stalls:
    """The time for which this machine let a thread wait that wanted to run [s]."""

    def __init__(self):
        self.total = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        last = time.perf_counter()
        while not self._stop.wait(0.002):
            now = time.perf_counter()
            self.total += now - last - 0.002 if now - last > 0.006 else 0.0
            last = now

    def stop(self):
        self._stop.set()
        self._thread.join()


class Bench:
    """A session in its loop before an emulator, commanded at 100 Hz."""

    def __init__(self, *, emulator=None, **params):
        self.stalls = Stalls()
        options = {'interface': 'virtual', 'channel': next(_buses), **(emulator or {})}
        self.context = start(**options)
        self.emulator = self.context.__enter__()
        given = from_mapping(AllegroParams, {'lost_after': 2.0, **self.emulator.params, **params})
        device, self.limits, rate = make_device(given)
        self.changes: list[tuple[float, DriverState, str]] = []
        settings = replace(given, rate=rate, reconnect_period=0.1)
        self.session = DriverSession(device, self.limits, settings, self._note)
        self.readings: list = []
        self.loop = Loop(self.session, time.perf_counter, self.readings.append)
        self.path: list[np.ndarray] = []
        step = self.emulator.plant.step
        plant = self.emulator.plant
        plant.step = lambda dt: (step(dt), self.path.append(plant.position.copy()))[0]
        self.goal = HOME.copy()
        self._stop = threading.Event()
        self._client = threading.Thread(target=self._command, daemon=True)

    def _note(self):
        status = self.session.status
        self.changes.append((time.perf_counter(), status.state, status.message))

    def _command(self):
        phase = 0.0
        while not self._stop.wait(0.01):
            phase += 0.03
            goal = self.goal + 0.1 * np.sin(phase)
            command = NamedPositions.single(self.session.device.joints, goal)
            self.session.take(command, time.perf_counter())
            self.loop.wake()

    def __enter__(self):
        now = time.perf_counter()
        self.session.configure(now)
        self.session.activate(now)
        self.loop.start()
        self._client.start()
        time.sleep(0.4)
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._client.join()
        self.loop.stop()
        self.session.cleanup()
        self.context.__exit__(None, None, None)
        self.stalls.stop()
        assert all(self.limits.contains(q, 1e-6) for q in self.path)
        assert (np.abs([t for _, t in self.emulator.writes()]) <= CAPS + 1e-6).all()

    @property
    def state(self):
        return self.session.status.state

    def wait(self, condition, seconds: float = 8.0) -> float:
        """Wait for a condition; return how long it took, less the stalls of the machine [s]."""
        begin = time.perf_counter()
        self.stalls.total = 0.0
        while not condition():
            assert time.perf_counter() - begin < seconds, self.session.status
            time.sleep(0.002)
        return time.perf_counter() - begin - self.stalls.total

    def moved_after(self, index: int) -> float:
        """Return the largest distance from where it was at a step of the plant [rad]."""
        return float(np.abs(np.array(self.path[index:]) - self.path[index]).max())


@pytest.mark.parametrize('fault', ['checksum', 'short', 'silent', 'slow', 'disconnect'])
def test_a_bus_that_fails_is_lost_and_found_without_a_jump(fault: str):
    with Bench(lost_after=LOST_AFTER) as bench:
        bench.emulator.faults.set(fault)
        assert bench.wait(lambda: bench.state == DriverState.LOST) < SAID_WITHIN
        assert bench.session.status.message
        time.sleep(0.4)  # somebody moves the fingers
        moved = HOME + np.array([0, 0.5, 0.5, 0.5] * 3 + [0.3, 0, 0, 0])
        bench.emulator.plant.torque[:] = False
        bench.emulator.plant.position[:] = moved
        bench.emulator.plant.velocity[:] = 0.0
        index, writes = len(bench.path), len(bench.emulator.writes())
        bench.emulator.faults.clear()
        bench.wait(lambda: bench.state == DriverState.ACTIVE)
        bench.wait(lambda: len(bench.emulator.writes()) > writes + 5)
        # From where they are, at a quarter of the speed limits: no torque worth the name at first.
        first = np.array([t for _, t in bench.emulator.writes()[writes : writes + 5]])
        assert np.abs(first).max() < 0.06
        steps = np.abs(np.diff(np.array(bench.path[index:]), axis=0)).max()
        assert steps < 0.25 * 3.14 * 0.003 * 4
        assert bench.session.status.reconnects >= 1


def test_noise_is_no_reason_to_stop():
    with Bench() as bench:
        bench.emulator.faults.set('noise')
        time.sleep(0.5)
        assert bench.state == DriverState.ACTIVE
        assert len(bench.changes) == 2  # inactive, active


def test_single_lost_frames_are_no_reason_to_stop():
    with Bench() as bench:
        for fault in ('checksum', 'short', 'silent', 'slow'):
            bench.emulator.faults.set(fault, 1)
            time.sleep(0.15)
        assert bench.state == DriverState.ACTIVE


def test_a_restart_is_named_at_once_and_left_by_reset():
    with Bench() as bench:
        bench.emulator.faults.set('brown_out')
        assert bench.wait(lambda: bench.state == DriverState.FAULT) < SAID_WITHIN
        assert 'restarted' in bench.session.status.message
        index = len(bench.path)
        time.sleep(0.3)
        assert bench.state == DriverState.FAULT  # nobody asked
        assert bench.moved_after(index) < 0.02
        bench.session.reset(time.perf_counter())
        assert bench.state == DriverState.ACTIVE
        bench.wait(lambda: bench.emulator.plant.torque.all())


def test_a_restart_is_left_by_itself_where_that_is_wanted():
    with Bench(auto_reset=True) as bench:
        bench.emulator.faults.set('brown_out')
        bench.wait(lambda: any(state == DriverState.FAULT for _, state, _ in bench.changes))
        bench.wait(lambda: bench.state == DriverState.ACTIVE)


def test_a_restart_that_takes_its_time_is_lost_then_found():
    with Bench(emulator={'boot_time': 0.6}, lost_after=LOST_AFTER) as bench:
        bench.emulator.faults.set('brown_out')
        assert bench.wait(lambda: bench.state == DriverState.LOST) < SAID_WITHIN
        bench.wait(lambda: bench.state == DriverState.ACTIVE)
        bench.wait(lambda: bench.emulator.plant.torque.all())


def test_heat_is_said_and_left_when_it_is_over():
    with Bench() as bench:
        bench.emulator.faults.set('over_temperature')
        assert bench.wait(lambda: bench.state == DriverState.FAULT) < SAID_WITHIN
        assert 'over-temperature: 83 deg C' in bench.session.status.message
        bench.emulator.faults.clear()
        bench.wait(lambda: bench.state == DriverState.ACTIVE)
        bench.wait(lambda: bench.emulator.plant.torque.all())


def test_a_stuck_motor_is_named():
    with Bench(following_error=0.2, following_time=0.1) as bench:
        bench.emulator.faults.set('stuck', joint=5)
        bench.goal = HOME + np.array([0, 0.6, 0.6, 0.6] * 3 + [0, 0.3, 0.3, 0.3])
        bench.wait(lambda: bench.session.status.warnings == (
            'allegro_joint_5 does not follow its command',))  # fmt: skip


@pytest.mark.parametrize(('policy', 'stiff'), [('hold', True), ('limp', False)])
def test_a_lost_client(policy: str, stiff: bool):
    with Bench(command_timeout=0.15, on_lost_client=policy) as bench:
        bench._stop.set()
        bench.wait(lambda: bench.session.status.client == 'lost')
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
        assert bench.state == DriverState.INACTIVE
