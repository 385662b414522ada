"""Every fault of every emulator against the real driver: how soon it is known, what moves."""

import importlib
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.harness import Options, Row, at_most, info
from mimic_core.arrays import FloatArray
from mimic_core.driver import DriverState
from mimic_core.driver.testing import LOOK, Rig, wait
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


class Swinging(Rig):
    """A driver's session and loop before an emulator, with a swinging command."""

    def __init__(self, name: str, emulator: Any, package: str) -> None:
        driver = importlib.import_module(f'{package}.driver')
        kind = driver.make_device.__annotations__['params']
        params = from_mapping(kind, {**emulator.params, 'reconnect_period': 0.2})
        super().__init__(emulator, driver.make_device(params), params, self._swing)
        emulators = importlib.import_module(f'{package}.emulator')
        self.name = name
        self.torques = getattr(emulators, 'WRITES', 'position') == 'torque'

    def _swing(self, seconds: float) -> FloatArray:
        middle = 0.5 * (self.limits.lower + self.limits.upper)
        swing = 0.5 * _SWING * (self.limits.upper - self.limits.lower)
        return middle + swing * np.sin(2.0 * np.pi * seconds / _SWING_PERIOD)


@contextmanager
def rig(name: str) -> Iterator[Swinging]:
    """Start the emulator of a device and a driver before it."""
    package, options = DEVICES[name]
    emulators = importlib.import_module(f'{package}.emulator')
    with (
        tempfile.TemporaryDirectory() as folder,
        emulators.start(Path(folder) / 'port', **options) as emulator,
        Swinging(name, emulator, package) as running,
    ):
        yield running


def possible(name: str) -> tuple[str, ...]:
    """Return the faults that a device's bus can have."""
    emulators = importlib.import_module(f'{DEVICES[name][0]}.emulator')
    faults: tuple[str, ...] = getattr(emulators, 'POSSIBLE_FAULTS', FAULTS)
    return faults


def scenario(running: Swinging, fault: str) -> Outcome:
    """Let a driver that follows commands meet one fault, and find its way back."""
    outcome = Outcome(running.name, fault)
    session, faults = running.session, running.emulator.faults
    _settles(running)
    time.sleep(_BEFORE)
    began_writes = len(running.emulator.writes())
    running.path.clear()
    running.changes.clear()
    reads = len(running.readings)
    began = time.perf_counter()
    faults.set(fault, joint=0 if fault == 'stuck' else -1)
    while time.perf_counter() - began < (_STUCK if fault == 'stuck' else _DURING):
        words = running.complaint()
        if words and not np.isfinite(outcome.known):
            outcome.known = time.perf_counter() - began
        outcome.said = words or outcome.said
        time.sleep(0.005)
    rate = (len(running.readings) - reads) / (time.perf_counter() - began) * session.period
    outcome.tolerated = rate > _TOLERATED and not np.isfinite(outcome.known)
    faults.clear(fault)
    over = time.perf_counter()
    if session.status.state == DriverState.FAULT:
        running.reset()  # the outcome says where that does not help
    if _settles(running):
        outcome.recovered = time.perf_counter() - over - LOOK
    outcome.states = [state.value for _, state, _ in running.changes]
    writes = running.emulator.writes()[began_writes:]
    outcome.written = len(writes)
    outcome.outside = _outside(running.limits, running.moved())
    outcome.jump = _jump(running, writes)
    return outcome


def _settles(running: Swinging) -> bool:
    try:
        wait(running.follows, _AFTER)
    except AssertionError:
        return False
    return True


def _outside(limits: JointLimits, q: FloatArray) -> int:
    margin = 1e-3 * (limits.upper - limits.lower)
    return int(((q < limits.lower - margin) | (q > limits.upper + margin)).any(axis=1).sum())


def _jump(running: Swinging, writes: list[tuple[float, FloatArray]]) -> float:
    """Return the largest step between two writes, over that of two periods at top speed.

    After a pause the step is from where the motors are: a gripper that is activated anew has swept
    its stroke meanwhile.
    """
    if len(writes) < 2:
        return 0.0
    if running.torques:
        return _step_of_motors(running)
    times, moved = np.array([when for when, _ in writes]), running.path
    stepped = [when for when, _ in moved]
    q = np.array([position for _, position in writes])
    before = q[:-1].copy()
    for i in np.flatnonzero(np.diff(times) > _PAUSE):
        sample = max(int(np.searchsorted(stepped, times[i + 1])) - 1, 0)
        before[i] = moved[sample][1]
    step = np.abs(q[1:] - before)
    resolution = 0.01 * (running.limits.upper - running.limits.lower)  # counts of the device
    allowed = running.limits.max_speed * 2.0 * running.session.period + resolution
    return float((step / allowed).max())


def _step_of_motors(running: Swinging) -> float:
    """Return the same of the motors themselves, where the wire has torques and no positions."""
    resolution = 0.01 * (running.limits.upper - running.limits.lower)
    step = np.abs(np.diff(running.moved(), axis=0))
    passed = np.diff([when for when, _ in running.path[: len(step) + 1]])[:, None]
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
