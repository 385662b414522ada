"""An Allegro Hand that is not there: both CAN dialects on python-can, and motors that take PWM.

Written from the makers' drivers, not from `protocol`, so that each checks the other.
"""

import argparse
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import can
import numpy as np
import pinocchio as pin

from mimic_core.arrays import FloatArray
from mimic_core.emulator import Faults, Plant, console
from mimic_description import load_robot
from mimic_description.model import RobotModel

_KEPT_WRITES = 50_000  # of the last minutes, so that its memory stays flat

WRITES = 'torque'  # what `writes` gives: the hand takes no positions
STILL = 2.1 / 1200.0  # [N m] torques that differ by less belong to the same set-point: two counts
_GROUP = '239.74.163.2'  # of python-can's multicast bus
_DEGREES = 333.3 / 65536.0  # of a count
_INERTIA = 1e-3  # [kg m^2] of a joint, with that of its motor behind the gear
_DAMPING = 0.05  # [N m s/rad] of a joint, mostly of its motor's own voltage
_LONGEST_STEP = 1e-3  # [s]
_LONGEST_TICK = 0.01  # [s]; while the machine stalls, the hand's time does, too
_WARM, _HOT = 38, 83  # [deg C]
_ERROR_FRAME = bytes(9)  # longer than any: what a wrong checksum becomes on CAN
_Out = tuple[int, bytes]  # id, data


class TorquePlant(Plant):
    """Joints with inertia and damping that torques move, within end stops."""

    def __init__(self, robot: RobotModel, start: FloatArray, gravity: FloatArray) -> None:
        """Make joints at rest at (16,) [rad], in gravity (3,) [m/s^2]."""
        super().__init__(robot.limits, start)
        self.drive = np.zeros(len(start))  # (16,) [N m]
        self._model = robot.pin_model.copy()
        self._data = self._model.createData()
        self._model.gravity = pin.Motion(gravity, np.zeros(3))
        self._index, self._heavy = np.array(robot.q_index), bool(gravity.any())

    def step(self, dt: float) -> None:
        """Move for `dt` seconds; damping is solved implicitly."""
        dt = min(dt, _LONGEST_TICK)
        steps = max(int(np.ceil(dt / _LONGEST_STEP)), 1)
        h = dt / steps
        for _ in range(steps if dt > 0.0 else 0):
            torque = np.where(self.torque, self.drive, 0.0) - self._weight()
            speed = (self.velocity + h * torque / _INERTIA) / (1.0 + h * _DAMPING / _INERTIA)
            wish = self.position + h * speed
            low = np.maximum(self.limits.lower, self.obstacle_lower)
            high = np.minimum(self.limits.upper, self.obstacle_upper)
            there = np.where(self.stuck, self.position, np.clip(wish, low, high))
            self.velocity = (there - self.position) / h
            self.position = there
        self.effort = np.where(self.torque, self.drive, 0.0)

    def _weight(self) -> FloatArray:
        if not self._heavy:
            return np.zeros(len(self.position))
        q = np.zeros(self._model.nq)
        q[self._index] = self.position
        torque: FloatArray = pin.computeGeneralizedGravity(self._model, self._data, q)
        return torque[self._index]


class Emulator:
    """The far end of the bus."""

    def __init__(
        self,
        dialect: str = 'v4',
        serial: str = 'SAH040BR',
        left: bool = False,
        boot_time: float = 0.0,
        gravity: tuple[float, float, float] = (0.0, 0.0, 0.0),
        mute: tuple[int, ...] = (),
        pwm_per_newton_metre: float = 1200.0,
    ) -> None:
        """Make a hand at its home posture.

        Args:
            dialect: v4 or v3.
            serial: Number that a v4 hand tells.
            left: Which hand it says to be.
            boot_time: Silence after a brown-out [s].
            gravity: In base_link [m/s^2].
            mute: Fingers (0 to 3) whose board does not send.
            pwm_per_newton_metre: Of its motors [1/(N m)].
        """
        robot = load_robot('none', 'allegro')
        self.faults = Faults()
        self.plant = TorquePlant(robot, robot.home, np.array(gravity))
        self.params: dict[str, Any] = {}
        self.period = 0.0  # [s] between positions; 0: none
        self.temperature_period = 0.0  # [s]
        self.sent: list[_Out] = []  # what it answered and sent last, for tests
        self._v4, self._serial, self._left = dialect == 'v4', serial, left
        self._boot_time, self._mute = boot_time, mute
        self._pwm_scale = pwm_per_newton_metre
        self._servo = False
        self._booting = self._due = self._temperature_due = 0.0
        self._browned = False
        self._writes: deque[tuple[float, FloatArray]] = deque(maxlen=_KEPT_WRITES)
        self._half: dict[int, FloatArray] = {}

    def writes(self) -> list[tuple[float, FloatArray]]:
        """Return when [perf_counter, s] which (16,) torques [N m] came: CAN has no positions."""
        return list(self._writes)

    def step(self, dt: float) -> list[_Out]:
        """Let time pass [s]; return the frames that are due."""
        browned = self.faults.on('brown_out')
        if browned and not self._browned:
            self._restart()
        self._browned = browned
        self._booting = max(self._booting - dt, 0.0)
        if self.faults.on('over_temperature'):
            self._switch(False)
        for i in range(16):
            self.plant.stuck[i] = self.faults.on('stuck', i)
        self.plant.step(dt)
        frames: list[_Out] = []
        self._due -= dt
        self._temperature_due -= dt
        if self.period and self._due <= 0.0:
            self._due = max(self._due + self.period, 0.0)
            frames += [(i, d) for f, (i, d) in enumerate(self._positions()) if f not in self._mute]
        if self._v4 and self.temperature_period and self._temperature_due <= 0.0:
            self._temperature_due = self.temperature_period
            frames += [(0x0E0 + 4 * f, bytes([_WARM + f] * 4)) for f in range(4)]
        return frames

    def feed(self, id_: int, data: bytes, remote: bool) -> list[_Out]:
        """Take a frame; return the answers."""
        if self._booting > 0.0:
            return []
        return self._feed_v4(id_, data, remote) if self._v4 else self._feed_v3(id_, data)

    def _feed_v4(self, id_: int, data: bytes, remote: bool) -> list[_Out]:
        if remote and id_ == 0x200:
            return [(0x200, self._info())]
        if remote and id_ == 0x220:
            return [(0x220, self._serial.encode())]
        if id_ in (0x100, 0x104):
            self._switch(id_ == 0x100)
        elif id_ == 0x204 and len(data) == 6:
            self._set_period(int.from_bytes(data[:2], 'little'))
            self.temperature_period = int.from_bytes(data[4:], 'little') * 1e-3
        elif id_ in (0x180, 0x184, 0x188, 0x18C) and len(data) == 8:
            pwm = [int.from_bytes(data[k : k + 2], 'little', signed=True) for k in (0, 2, 4, 6)]
            self._drive((id_ - 0x180) // 4, pwm)
        return []

    def _feed_v3(self, id_: int, data: bytes) -> list[_Out]:
        if id_ in (0x04A, 0x08A):
            self._switch(id_ == 0x04A)
        elif id_ == 0x0CA and len(data) == 1:
            self._set_period(data[0])
        elif id_ in (0x18A, 0x1CA, 0x20A, 0x24A) and len(data) == 8:
            pwm = [int.from_bytes(data[k : k + 2], 'big', signed=True) for k in (6, 4, 2, 0)]
            self._drive((id_ - 0x18A) // 0x40, pwm)
        return []

    def _set_period(self, ms: int) -> None:
        self.period, self._due = ms * 1e-3, 0.0

    def _switch(self, on: bool) -> None:
        self._servo = on
        self.plant.torque[:] = on

    def _restart(self) -> None:
        self._booting = self._boot_time
        self._switch(False)
        self.plant.drive[:] = 0.0
        self.period = self.temperature_period = 0.0

    def _drive(self, finger: int, pwm: list[int]) -> None:
        torque = np.array(pwm) / self._pwm_scale
        self.plant.drive[4 * finger : 4 * finger + 4] = torque
        self._half[finger] = torque
        if len(self._half) == 4:
            whole = np.concatenate([self._half[f] for f in range(4)])
            self._half = {}
            self._writes.append((time.perf_counter(), whole))

    def _positions(self) -> list[_Out]:
        counts = np.rint(np.degrees(self.plant.position) / _DEGREES).astype(int)
        frames = []
        for f in range(4):
            four = counts[4 * f : 4 * f + 4]
            if self._v4:
                data = b''.join(int(c).to_bytes(2, 'little', signed=True) for c in four)
                frames.append((0x080 + 4 * f, data))
            else:  # offsets 0, directions 1
                data = b''.join(int(c + 32768).to_bytes(2, 'little') for c in four)
                frames.append((0x3D3 + f, data))
        return frames

    def _info(self) -> bytes:
        hot = self.faults.on('over_temperature')
        status = (1 if self._servo else 0) | (2 if hot else 0)
        return bytes([0x04, 0x00, 0x13, 0x02, int(self._left), _HOT if hot else _WARM, status])


class CanServer:
    """Puts an emulator on a python-can bus, with what goes wrong on buses."""

    def __init__(self, hand: Emulator, interface: str, **options: Any) -> None:
        """Take the emulator and the options of `can.Bus`."""
        self._hand = hand
        self._bus = can.Bus(interface=interface, **options)
        self._late: deque[tuple[float, can.Message]] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name='emulator', daemon=True)

    def __enter__(self) -> 'CanServer':
        """Start."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._stop.set()
        self._thread.join()
        self._bus.shutdown()

    def _run(self) -> None:
        last = due = time.perf_counter()
        hand = self._hand
        while not self._stop.is_set():
            now = time.perf_counter()
            if now >= due:
                for id_, data in hand.step(now - last):
                    self._send(id_, data)
                last = now
                due = max(due + (hand.period or 0.003), now)
            while self._late and self._late[0][0] <= now:
                self._bus.send(self._late.popleft()[1])
            message = self._bus.recv(max(due - time.perf_counter(), 0.0))
            if message is None or message.is_error_frame or hand.faults.on('disconnect'):
                continue
            data, remote = bytes(message.data), message.is_remote_frame
            for id_, reply in hand.feed(message.arbitration_id, data, remote):
                self._send(id_, reply)

    def _send(self, id_: int, data: bytes) -> None:
        faults = self._hand.faults
        if faults.on('disconnect'):
            return
        spoiled, delay = faults.spoil(data, lambda _: _ERROR_FRAME)
        if not spoiled:
            return
        noise, rest = spoiled[: -len(data)], spoiled[-len(data) :]
        error = spoiled == _ERROR_FRAME
        if len(spoiled) > len(data) and not error:
            stray = int.from_bytes(noise[:2], 'little') & 0x7FF
            self._put(can.Message(arbitration_id=stray, is_extended_id=False, data=noise), delay)
        data = bytes(8) if error else rest
        message = can.Message(
            arbitration_id=0 if error else id_,
            is_extended_id=False,
            is_error_frame=error,
            data=data,
        )
        self._put(message, delay)

    def _put(self, message: can.Message, delay: float) -> None:
        if delay or self._late:
            self._late.append((time.perf_counter() + delay, message))
        else:
            self._bus.send(message)


@contextmanager
def start(
    link: Path = Path(), *, interface: str = 'udp_multicast', channel: str = '', **options: Any
) -> Iterator[Emulator]:
    """Put a hand on a bus while the context lasts.

    Args:
        link: Not used: a CAN bus has no path.
        interface: Of python-can: udp_multicast between processes, virtual within one.
        channel: Of that interface; empty: a multicast port that is free.
        options: Of `Emulator`.
    """
    emulator = Emulator(**options)
    bus: dict[str, Any] = {'channel': channel}
    if interface == 'udp_multicast':
        group, _, port = (channel or f'{_GROUP}:{_free_port()}').rpartition(':')
        channel, bus = f'{group}:{port}', {'channel': group, 'port': int(port)}
    emulator.params = {'interface': interface, 'channel': channel}
    if options.get('dialect'):
        emulator.params['dialect'] = options['dialect']
    with CanServer(emulator, interface, **bus):
        yield emulator


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(('', 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Run a hand by hand."""
    parser = argparse.ArgumentParser(description='An Allegro Hand on a CAN bus.')
    parser.add_argument('--interface', default='udp_multicast', help='of python-can')
    parser.add_argument('--channel', default=f'{_GROUP}:43113', help='of that interface')
    parser.add_argument('--dialect', default='v4', choices=('v4', 'v3'), help='of the frames')
    options, _ = parser.parse_known_args()  # a launch file adds arguments of ROS
    with start(
        interface=options.interface, channel=options.channel, dialect=options.dialect
    ) as emulator:

        def state() -> str:
            motors = 'on' if emulator.plant.torque.all() else 'off'
            return f'motors {motors}, {np.round(emulator.plant.position, 2).tolist()} rad'

        console(f'{options.channel} ({options.interface})', emulator.faults, state)


if __name__ == '__main__':
    main()
