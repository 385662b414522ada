"""Every fault of an Ability Hand under the session: what is said, when, and how it moves."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mimic_ability_driver.driver import make_device
from mimic_ability_driver.emulator import start
from mimic_ability_driver.params import AbilityParams
from mimic_core.command import NamedPositions
from mimic_core.driver import DriverSession, DriverState
from mimic_core.driver.loop import Loop
from mimic_core.params import from_mapping

LOST_WITHIN = 0.2  # [s]
LOST_AFTER = AbilityParams().lost_after  # [s]; tests of other things bear a busy machine
HOME = np.array([0.25, 0.25, 0.25, 0.25, 0.25, -0.5])


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

    def __init__(self, link: Path, **params):
        self.stalls = Stalls()
        self.context = start(link)
        self.emulator = self.context.__enter__()
        given = from_mapping(AbilityParams, {'lost_after': 2.0, **self.emulator.params, **params})
        device, self.limits, _ = make_device(given)
        self.changes: list[tuple[float, DriverState, str]] = []
        settings = replace(given, rate=200.0, reconnect_period=0.1)
        self.session = DriverSession(device, self.limits, settings, self._note)
        self.readings: list = []
        self.loop = Loop(self.session, time.perf_counter, self.readings.append)
        self.path: list[np.ndarray] = []
        step = self.emulator.step
        self.emulator.step = lambda dt: (step(dt), self.path.append(self._moved(dt)))[0]
        self.goal = HOME.copy()
        self._stop = threading.Event()
        self._client = threading.Thread(target=self._command, daemon=True)

    def _moved(self, dt: float) -> np.ndarray:
        return self.emulator.plant.position.copy()

    def _note(self):
        status = self.session.status
        self.changes.append((time.perf_counter(), status.state, status.message))

    def _command(self):
        phase = 0.0
        while not self._stop.wait(0.01):
            phase += 0.05
            goal = self.goal + 0.2 * np.sin(phase)
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
        writes = self.emulator.writes()
        assert all(self.limits.contains(q, 1e-4) for _, q in writes)

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

    def first_write_after(self, at: float) -> np.ndarray:
        return next(q for t, q in self.emulator.writes() if t > at)


@pytest.mark.parametrize('fault', ['checksum', 'short', 'silent', 'slow', 'disconnect'])
def test_a_bus_that_fails_is_lost_and_found_without_a_jump(tmp_path: Path, fault: str):
    with Bench(tmp_path / 'port', lost_after=LOST_AFTER) as bench:
        bench.emulator.faults.set(fault)
        assert bench.wait(lambda: bench.state == DriverState.LOST) < LOST_WITHIN
        assert bench.session.status.message
        time.sleep(0.4)  # the watchdog lets go; somebody moves the fingers
        at = time.perf_counter()
        bench.emulator.plant.position[:3] = bench.emulator.plant.target[:3] = 1.0
        bench.emulator.faults.clear()
        bench.wait(lambda: bench.state == DriverState.ACTIVE)
        bench.wait(lambda: len(bench.emulator.writes()) and bench.emulator.writes()[-1][0] > at)
        np.testing.assert_allclose(bench.first_write_after(at)[:3], 1.0, atol=0.01)
        reached = len(bench.readings)
        bench.wait(lambda: len(bench.readings) > reached + 50)
        assert bench.session.status.reconnects >= 1


def test_noise_is_no_reason_to_stop(tmp_path: Path):
    with Bench(tmp_path / 'port') as bench:
        bench.emulator.faults.set('noise')
        time.sleep(0.5)
        assert bench.state == DriverState.ACTIVE
        assert len(bench.changes) == 2  # inactive, active


def test_single_damaged_replies_are_no_reason_to_stop(tmp_path: Path):
    with Bench(tmp_path / 'port') as bench:
        for fault in ('checksum', 'short', 'silent'):
            bench.emulator.faults.set(fault, 1)
            time.sleep(0.2)
        assert bench.state == DriverState.ACTIVE
        assert sum(bench.session.status.errors.values()) >= 3


def test_a_brown_out_is_noticed_and_left_from_where_the_hand_is(tmp_path: Path):
    with Bench(tmp_path / 'port', lost_after=LOST_AFTER) as bench:
        bench.emulator.faults.set('brown_out')
        assert bench.wait(lambda: bench.state == DriverState.LOST) < LOST_WITHIN
        bench.wait(lambda: bench.state == DriverState.ACTIVE)
        found = next(t for t, state, _ in reversed(bench.changes) if state == DriverState.ACTIVE)
        np.testing.assert_allclose(
            bench.first_write_after(found - 0.01), bench.emulator.plant.position, atol=0.15
        )


def test_heat_is_said_within_a_fifth_of_a_second(tmp_path: Path):
    with Bench(tmp_path / 'port') as bench:
        bench.emulator.faults.set('over_temperature', joint=2)
        said = bench.wait(lambda: bench.session.status.health.warnings)
        assert said < LOST_WITHIN
        assert bench.session.status.health.warnings[0].startswith(
            'ability_ring_q1: output limited'
        )
        bench.emulator.faults.clear()
        bench.wait(lambda: not bench.session.status.health.warnings)


def test_a_stuck_motor_is_named(tmp_path: Path):
    params = {'following_error': 0.2, 'following_time': 0.1}
    with Bench(tmp_path / 'port', **params) as bench:
        bench.emulator.faults.set('stuck', joint=1)
        bench.goal = HOME + 0.6 * np.array([1, 1, 1, 1, 1, 0])
        bench.wait(lambda: bench.session.status.warnings)
        assert bench.session.status.warnings == ('ability_middle_q1 does not follow its command',)


@pytest.mark.parametrize(('policy', 'stiff'), [('hold', True), ('limp', False)])
def test_a_lost_client(tmp_path: Path, policy: str, stiff: bool):
    params = {'command_timeout': 0.1, 'on_lost_client': policy}
    with Bench(tmp_path / 'port', **params) as bench:
        bench._stop.set()
        bench.wait(lambda: bench.session.status.client == 'lost')
        time.sleep(0.4)
        assert bool(bench.emulator.plant.torque.all()) is stiff
        assert bench.emulator.api


def test_steps_on_the_wire_are_bounded_by_the_speed_limits(tmp_path: Path):
    with Bench(tmp_path / 'port') as bench:
        bench.goal = HOME + np.array([0.9, 0.9, 0.9, 0.9, 0.9, -0.6])
        time.sleep(0.6)
    q = np.array([position for _, position in bench.emulator.writes()])
    reach = bench.limits.max_speed * 2.0 / 200.0
    assert (np.abs(np.diff(q, axis=0)) <= reach + 2e-4).all()
