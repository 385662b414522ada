"""For tests and benchmarks: a driver before its emulator, who commands it, and what it did."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, Self

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.command import NamedPositions
from mimic_core.driver.device import Device, Reading
from mimic_core.driver.loop import Loop
from mimic_core.driver.params import DriverParams
from mimic_core.driver.session import DriverSession, DriverState, DriverStatus
from mimic_core.errors import DeviceError
from mimic_core.limits import JointLimits

COMMAND_PERIOD: Final = 0.01  # [s]
LOOK: Final = 0.12  # [s] in which every device is read and written at least once
_STALL: Final = 0.006  # [s] without a turn that counts as one


class Stalls:
    """The time for which this machine let a thread wait that wanted to run [s]."""

    def __init__(self) -> None:
        """Begin to look."""
        self.total = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        pause = 0.002
        last = time.perf_counter()
        while not self._stop.wait(pause):
            now = time.perf_counter()
            self.total += now - last - pause if now - last > _STALL else 0.0
            last = now

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join()


def wait(condition: Callable[[], object], limit: float = 5.0) -> float:
    """Wait until a condition holds; return how long that took [s].

    Raises:
        AssertionError: It does not hold after `limit` seconds.
    """
    begin = time.perf_counter()
    while not condition():
        if time.perf_counter() - begin > limit:
            raise AssertionError('waited in vain')
        time.sleep(0.002)
    return time.perf_counter() - begin


class Rig:
    """A driver's session in its loop before an emulator; it notes everything that happens."""

    def __init__(
        self,
        emulator: Any,
        made: tuple[Device, JointLimits, float],
        params: DriverParams,
        goal_at: Callable[[float], FloatArray | None] | None = None,
    ) -> None:
        """Make session and loop; nothing runs before `with`.

        Args:
            emulator: A running one: it has plant, faults and writes().
            made: Device, its limits and its rate [Hz], as a driver's make_device returns them.
            params: Of the driver.
            goal_at: Returns the (J,) positions to command at 100 Hz, given the seconds since the
                start, or None for no command then. Without it nobody commands.
        """
        device, self.limits, rate = made
        self.emulator = emulator
        self.joints = device.joints
        self.changes: list[tuple[float, DriverState, str]] = []  # when, state, message
        self.readings: list[tuple[float, Reading]] = []  # when it was handed on, reading
        self.path: list[tuple[float, FloatArray]] = []  # when, (J,) of the motors
        settings = replace(params, rate=params.rate or rate)
        self.session = DriverSession(device, self.limits, settings, self._note)
        self.loop = Loop(self.session, time.perf_counter, self._take)
        self._goal_at = goal_at or (lambda _: None)
        self._stop = threading.Event()
        self._client = threading.Thread(target=self._command_all, daemon=True)

    def _note(self) -> None:
        self.changes.append((time.perf_counter(), self.status.state, self.status.message))

    def _take(self, reading: Reading) -> None:
        self.readings.append((time.perf_counter(), reading))

    def _command_all(self) -> None:
        begin = time.perf_counter()
        while not self._stop.wait(COMMAND_PERIOD):
            self.path.append((time.perf_counter(), self.emulator.plant.position.copy()))
            goal = self._goal_at(time.perf_counter() - begin)
            if goal is not None:
                self.command(goal)

    def __enter__(self) -> Self:
        """Configure, activate, and let the loop and the client run."""
        self.session.configure(time.perf_counter())
        self.session.activate(time.perf_counter())
        self.loop.start()
        self._client.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the client, the loop and the device."""
        self.stop_client()
        self.loop.stop()
        self.session.cleanup()

    def stop_client(self) -> None:
        """Command no more, for good."""
        self._stop.set()
        self._client.join()

    @property
    def status(self) -> DriverStatus:
        """What the session says."""
        return self.session.status

    def command(self, goal: FloatArray) -> None:
        """Command (J,) positions [rad] or [m], to be reached as soon as limits allow."""
        self.session.take(NamedPositions.single(self.joints, goal), time.perf_counter())
        self.loop.wake()

    def follow(self, goal: FloatArray, limit: float = 5.0, atol: float = 5e-3) -> None:
        """Command (J,) positions until the motors are there."""

        def there() -> bool:
            self.command(goal)
            return bool(np.allclose(self.emulator.plant.position, goal, atol=atol))

        wait(there, limit)

    def stay_until(self, condition: Callable[[], object], limit: float) -> float:
        """Command where the motors are until a condition holds; return how long that took [s]."""
        goal = self.emulator.plant.position.copy()

        def holds() -> object:
            self.command(goal)
            return condition()

        return wait(holds, limit)

    def follows(self) -> bool:
        """Tell whether it is active without a complaint, reads and writes."""
        before = len(self.readings), self.status.writes
        time.sleep(LOOK)
        moved = len(self.readings) > before[0] and self.status.writes > before[1]
        return self.status.state == DriverState.ACTIVE and not self.status.message and moved

    def complaint(self) -> str:
        """Return what it complains of, or nothing."""
        status = self.status
        return status.message or '; '.join((*status.warnings, *status.health.warnings))

    def reset(self) -> bool:
        """Reset it; a machine that is busy may need another try, as people would give it."""
        try:
            self.session.reset(time.perf_counter())
        except DeviceError:
            return False
        return True

    def writes(self, since: float = 0.0) -> FloatArray:
        """Return (N, J) of what was written since a time [s]."""
        return np.array([goal for at, goal in self.emulator.writes() if at >= since])

    def moved(self, since: float = 0.0) -> FloatArray:
        """Return (N, J) positions of the motors, each 10 ms, since a time [s]."""
        return np.array([position for at, position in self.path if at >= since])

    def largest_step(self, since: float, resolution: float = 2e-3) -> float:
        """Return the largest step between writes [1], over that of three periods at top speed."""
        allowed = self.limits.max_speed * 3.0 * self.session.period + resolution
        steps = np.abs(np.diff(self.writes(since), axis=0))
        return float((steps / allowed).max(initial=0.0))
