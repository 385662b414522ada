"""Every fault of every emulator against the real driver: how soon it is known, what moves."""

import importlib
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.harness import Options, Row, at_most, info
from mimic_core.arrays import FloatArray
from mimic_core.command import NamedPositions
from mimic_core.driver import DriverSession, DriverState, Loop
from mimic_core.emulator import FAULTS
from mimic_core.limits import JointLimits
from mimic_core.params import from_mapping

# Devices on a wire: name of the row, package, options of its emulator.
DEVICES: Final = {
    'robotiq': ('mimic_robotiq_driver', {}),
    'fin_ray wsg': ('mimic_fin_ray_driver', {'backend': 'wsg'}),
    'fin_ray dynamixel': ('mimic_fin_ray_driver', {'backend': 'dynamixel'}),
    'allegro': ('mimic_allegro_driver', {}),
    'ability': ('mimic_ability_driver', {}),
    'leap': ('mimic_leap_driver', {}),
    'so101': ('mimic_so101_driver', {}),
}
KNOWN_WITHIN: Final = 0.2  # [s] after a fault begins
_BEFORE, _DURING, _AFTER = 1.0, 1.2, 6.0  # [s] of motion before, with and (at most) after it
_STUCK: Final = 4.0  # [s] with a stuck motor: the command must go far and stay there
_TOLERATED: Final = 0.9  # [1] of the reads of the same time without a fault
_COMMAND_RATE: Final = 100.0  # [Hz]
_PAUSE: Final = 0.3  # [s] without a write
_SWING: Final = 0.6  # [1] of a joint's range
_SWING_PERIOD: Final = 4.0  # [s]


@dataclass
class Outcome:
    """What one fault did."""

    device: str
    fault: str
    known: float = np.inf  # [s] until the state or a warning said something
    said: str = ''
    recovered: float = np.inf  # [s] after the fault was over, until it followed commands again
    tolerated: bool = False  # it read and wrote on as if nothing had happened
    outside: int = 0  # samples of the motors outside their bounds
    jump: float = 0.0  # [1] largest step between writes over what the speed limit allows
    written: int = 0
    states: list[str] = field(default_factory=list)


class Rig:
    """A driver's session and loop before an emulator, with a swinging command."""

    def __init__(self, name: str, emulator: Any, package: str) -> None:
        driver = importlib.import_module(f'{package}.driver')
        kind = driver.make_device.__annotations__['params']
        params = from_mapping(kind, {**emulator.params, 'reconnect_period': 0.2})
        device, self.limits, rate = driver.make_device(params)
        self.emulator, self.name = emulator, name
        emulators = importlib.import_module(f'{package}.emulator')
        self.torques = getattr(emulators, 'WRITES', 'position') == 'torque'
        self.joints: tuple[str, ...] = device.joints
        self.changes: list[tuple[float, DriverState, str]] = []
        settings = replace(params, rate=params.rate or rate)
        self.session = DriverSession(device, self.limits, settings, self._note)
        self.loop = Loop(self.session, time.perf_counter, self._take)
        self.reads = 0
        self.positions: list[FloatArray] = []
        self.times: list[float] = []  # [s] of `positions`
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._command, daemon=True)

    def _note(self) -> None:
        status = self.session.status
        self.changes.append((time.perf_counter(), status.state, status.message))

    def _take(self, _: object) -> None:
        self.reads += 1

    def _command(self) -> None:
        middle = 0.5 * (self.limits.lower + self.limits.upper)
        swing = 0.5 * _SWING * (self.limits.upper - self.limits.lower)
        begin = due = time.perf_counter()
        while not self._stop.is_set():
            phase = 2.0 * np.pi * (time.perf_counter() - begin) / _SWING_PERIOD
            goal = np.atleast_2d(middle + swing * np.sin(phase))
            command = NamedPositions(self.joints, goal, np.array([1.0 / _COMMAND_RATE]))
            self.session.take(command, time.perf_counter())
            self.loop.wake()
            self.times.append(time.perf_counter())
            self.positions.append(self.emulator.plant.position.copy())
            due += 1.0 / _COMMAND_RATE
            self._stop.wait(max(due - time.perf_counter(), 0.0))

    def __enter__(self) -> 'Rig':
        """Configure, activate, and begin to swing."""
        self.session.configure(time.perf_counter())
        self.session.activate(time.perf_counter())
        self.loop.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the command, the loop and the device."""
        self._stop.set()
        self._thread.join()
        self.loop.stop()
        self.session.cleanup()

    def following(self) -> bool:
        """Tell whether it is active without a complaint, reads and writes."""
        status = self.session.status
        before = self.reads, status.writes
        time.sleep(0.1)
        moved = self.reads > before[0] and status.writes > before[1]
        return status.state == DriverState.ACTIVE and not status.message and moved


@contextmanager
def rig(name: str) -> Iterator[Rig]:
    """Start the emulator of a device and a driver before it."""
    package, options = DEVICES[name]
    emulators = importlib.import_module(f'{package}.emulator')
    with (
        tempfile.TemporaryDirectory() as folder,
        emulators.start(Path(folder) / 'port', **options) as emulator,
        Rig(name, emulator, package) as running,
    ):
        yield running


def possible(name: str) -> tuple[str, ...]:
    """Return the faults that a device's bus can have."""
    emulators = importlib.import_module(f'{DEVICES[name][0]}.emulator')
    faults: tuple[str, ...] = getattr(emulators, 'POSSIBLE_FAULTS', FAULTS)
    return faults


def scenario(running: Rig, fault: str) -> Outcome:
    """Let a driver that follows commands meet one fault, and find its way back."""
    outcome = Outcome(running.name, fault)
    session, faults = running.session, running.emulator.faults
    _wait(running.following, _AFTER)
    time.sleep(_BEFORE)
    began_writes = len(running.emulator.writes())
    running.times.clear()
    running.positions.clear()
    running.changes.clear()
    reads = running.reads
    began = time.perf_counter()
    faults.set(fault, joint=0 if fault == 'stuck' else -1)
    while time.perf_counter() - began < (_STUCK if fault == 'stuck' else _DURING):
        status = session.status
        words = status.message or '; '.join((*status.warnings, *status.health.warnings))
        if words and not np.isfinite(outcome.known):
            outcome.known = time.perf_counter() - began
        outcome.said = words or outcome.said
        time.sleep(0.005)
    rate = (running.reads - reads) / (time.perf_counter() - began) * session.period
    outcome.tolerated = rate > _TOLERATED and not np.isfinite(outcome.known)
    faults.clear(fault)
    over = time.perf_counter()
    if session.status.state == DriverState.FAULT:
        _reset(running)
    if _wait(running.following, _AFTER):
        outcome.recovered = time.perf_counter() - over - 0.1
    outcome.states = [state.value for _, state, _ in running.changes]
    writes = running.emulator.writes()[began_writes:]
    outcome.written = len(writes)
    outcome.outside = _outside(running.limits, running.positions)
    outcome.jump = _jump(running, writes)
    return outcome


def _reset(running: Rig) -> None:
    from mimic_core.errors import DeviceError

    try:
        running.session.reset(time.perf_counter())
    except DeviceError:
        return  # the outcome says that it did not recover


def _wait(condition: Any, limit: float) -> bool:
    end = time.perf_counter() + limit
    while time.perf_counter() < end:
        if condition():
            return True
    return False


def _outside(limits: JointLimits, positions: list[FloatArray]) -> int:
    margin = 1e-3 * (limits.upper - limits.lower)
    q = np.array(positions)
    return int(((q < limits.lower - margin) | (q > limits.upper + margin)).any(axis=1).sum())


def _jump(running: Rig, writes: list[tuple[float, FloatArray]]) -> float:
    """Return the largest step between two writes, over that of two periods at top speed.

    After a pause the step is from where the motors are: a gripper that is activated anew has swept
    its stroke meanwhile.
    """
    if len(writes) < 2:
        return 0.0
    if running.torques:
        return _step_of_motors(running)
    times = np.array([when for when, _ in writes])
    q = np.array([position for _, position in writes])
    before = q[:-1].copy()
    for i in np.flatnonzero(np.diff(times) > _PAUSE):
        sample = max(int(np.searchsorted(running.times, times[i + 1])) - 1, 0)
        before[i] = running.positions[sample]
    step = np.abs(q[1:] - before)
    resolution = 0.01 * (running.limits.upper - running.limits.lower)  # counts of the device
    allowed = running.limits.max_speed * 2.0 * running.session.period + resolution
    return float((step / allowed).max())


def _step_of_motors(running: Rig) -> float:
    """Return the same of the motors themselves, where the wire has torques and no positions."""
    resolution = 0.01 * (running.limits.upper - running.limits.lower)
    step = np.abs(np.diff(np.array(running.positions), axis=0))
    passed = np.diff(np.array(running.times[: len(running.positions)]))[:, None]
    return float((step / (2.0 * running.limits.max_speed * passed + resolution)).max())


def run(options: Options) -> list[Row]:
    """Run every possible fault on every device on a wire."""
    rows = []
    for name in DEVICES:
        outcomes = []
        with rig(name) as running:
            for fault in possible(name):
                outcome = scenario(running, fault)
                outcomes.append(outcome)
                label = f'{name}, {fault}'
                if outcome.tolerated:
                    rows.append(info(f'{label}: no effect', 1.0, ''))
                elif fault != 'stuck':  # a motor that lags is judged over following_time
                    rows.append(at_most(f'{label}: known after', outcome.known, 's', KNOWN_WITHIN))
                else:
                    rows.append(info(f'{label}: known after', outcome.known, 's'))
                rows.append(info(f'{label}: follows again after', outcome.recovered, 's'))
        moved = sum(outcome.outside for outcome in outcomes)
        rows.append(at_most(f'{name}: motor samples outside limits', moved, '', 0.0))
        jump = max(outcome.jump for outcome in outcomes)
        rows.append(at_most(f'{name}: largest step of writes', jump, 'of allowed', 1.0))
    return rows
