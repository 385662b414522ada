"""An SO-ARM101 that is not there: six STS3215 motors with their memory, on a terminal.

Written from the tables of the motors and independent of the driver's packets.
"""

import argparse
import json
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.emulator import FAULTS, Faults, Plant, PtyServer, Running, console
from mimic_description import load_robot

POSSIBLE_FAULTS: Final = FAULTS
MOTORS: Final = (
    'shoulder_pan', 'shoulder_lift', 'elbow_flex', 'wrist_flex', 'wrist_roll', 'gripper',
)  # fmt: skip
_ALL: Final = 0xFE
_PING, _READ, _WRITE, _SYNC_READ, _SYNC_WRITE = 1, 2, 3, 0x82, 0x83
_MEMORY: Final = 90
_EEPROM_END: Final = 40
_BOOT_TIME: Final = 0.06  # [s] in which a motor that restarts is silent
_HOT, _WARM = 80, 30  # [deg C]
_TURN: Final = 2.0 * np.pi / 4096.0  # [rad] of a count
_KEPT_WRITES: Final = 50_000
# Where the horns sit: counts of the sensor with each joint at 0 rad, the gripper closed
_MOUNTING: Final = np.array([2100, 1890, 2047, 2333, 1700, 1200])
# address, size, value at delivery: what differs from zero
_DELIVERY: Final = (
    (0, 1, 3), (1, 1, 10), (3, 2, 777), (7, 1, 250), (11, 2, 4095), (13, 1, 70), (16, 2, 1000),
    (18, 1, 0x1C), (21, 1, 32), (22, 1, 32), (28, 2, 500), (36, 1, 80), (48, 2, 1000),
    (55, 1, 1), (62, 1, 120), (63, 1, _WARM),
)  # fmt: skip


def _word(value: int, sign_bit: int = 15) -> int:
    return -value | 1 << sign_bit if value < 0 else value


def _number(word: int, sign_bit: int = 15) -> int:
    return -(word & (1 << sign_bit) - 1) if word >> sign_bit & 1 else word


class So101Emulator:
    """The far end of the bus; motors move as the plant does."""

    def __init__(
        self,
        missing: tuple[int, ...] = (),
        model: int = 777,
        odd_firmware: int = 0,
        calibrated: bool = True,
    ) -> None:
        """Make an arm in its home posture, without torque.

        Args:
            missing: Ids that do not answer.
            model: Number of the motors' model.
            odd_firmware: Id of a motor with an older one; 0: none.
            calibrated: Whether the motors hold a calibration, as after LeRobot's or ours.
        """
        robot = load_robot('so101', 'so101_gripper')
        self.limits = robot.limits
        self.faults = Faults()
        self.plant = Plant(robot.limits, robot.home)
        self.missing = set(missing)
        self.written: deque[tuple[float, FloatArray]] = deque(maxlen=_KEPT_WRITES)
        self.memory = [bytearray(_MEMORY) for _ in MOTORS]
        for i, memory in enumerate(self.memory):
            for address, size, value in _DELIVERY:
                memory[address : address + size] = value.to_bytes(size, 'little')
            memory[3:5] = model.to_bytes(2, 'little')
            memory[5] = i + 1
            memory[1] -= odd_firmware == i + 1
        self._closed = np.array([0.0] * 5 + [robot.limits.lower[5]])  # [rad] at `_MOUNTING`
        if calibrated:
            for memory, values in zip(self.memory, self.calibration().values(), strict=True):
                memory[31:33] = _word(values['homing_offset'], 11).to_bytes(2, 'little')
                memory[9:11] = values['range_min'].to_bytes(2, 'little')
                memory[11:13] = values['range_max'].to_bytes(2, 'little')
        self._buffer = bytearray()
        self._now = 0.0  # [s]
        self._silent_until = [0.0] * len(MOTORS)
        self._browned_out = False
        self._show()

    def calibration(self) -> dict[str, dict[str, int]]:
        """Return what a careful person would find, as LeRobot's file has it."""
        found = {}
        spans = np.rint((self.limits.upper - self.limits.lower) / _TURN).astype(int).tolist()
        for i, name in enumerate(MOTORS):
            middle = 2047
            low, high = middle - spans[i] // 2, middle + (spans[i] + 1) // 2
            zero = low if name == 'gripper' else middle  # counts where `_MOUNTING` is
            if name == 'wrist_roll':
                low, high = 0, 4095
            found[name] = {
                'id': i + 1,
                'drive_mode': 0,
                'homing_offset': int(_MOUNTING[i]) - zero,
                'range_min': low,
                'range_max': high,
            }
        return found

    # Motors ---------------------------------------------------------------------------------

    def _get(self, index: int, address: int, size: int = 2) -> int:
        return int.from_bytes(self.memory[index][address : address + size], 'little')

    def step(self, dt: float) -> list[bytes]:
        """Let time pass [s]."""
        self._now += dt
        brown_out = self.faults.on('brown_out')
        for i, memory in enumerate(self.memory):
            if brown_out and not self._browned_out and self.faults.on('brown_out', i):
                self._restart(i)
            hot = self.faults.on('over_temperature', i)
            memory[63] = _HOT if hot else _WARM
            memory[65] = 0x04 if hot else 0
            if hot:
                memory[40] = 0
            self.plant.stuck[i] = self.faults.on('stuck', i)
            self.plant.torque[i] = memory[40] == 1 and memory[33] == 0
            low, high = self._get(i, 9), self._get(i, 11)
            goal = min(max(_number(self._get(i, 42)), low), high)
            self.plant.target[i] = self._angle(i, goal)
        self._browned_out = brown_out
        self.plant.step(dt)
        self._show()
        return []

    def _offset(self, index: int) -> int:
        return _number(self._get(index, 31), 11)

    def _angle(self, index: int, counts: int) -> float:
        """Return the joint angle [rad] that is nearest to the present one."""
        turned = counts + self._offset(index) - int(_MOUNTING[index])
        return float((turned + 2048) % 4096 - 2048) * _TURN + float(self._closed[index])

    def _show(self) -> None:
        """Put what the motors measure into their memory."""
        for i, memory in enumerate(self.memory):
            angle = (self.plant.position[i] - self._closed[i]) / _TURN
            position = (round(angle) + int(_MOUNTING[i]) - self._offset(i)) % 4096
            speed = round(self.plant.velocity[i] / _TURN)
            load = round(1000.0 * self.plant.effort[i])
            memory[56:62] = b''.join(
                word.to_bytes(2, 'little') for word in (position, _word(speed), _word(load, 10))
            )
            memory[69:71] = abs(load // 4).to_bytes(2, 'little')

    def _restart(self, index: int) -> None:
        """Lose what is not in EEPROM, and be silent for a moment."""
        memory = self.memory[index]
        memory[_EEPROM_END:] = bytes(_MEMORY - _EEPROM_END)
        for address, size, value in _DELIVERY:
            if address >= _EEPROM_END:
                memory[address : address + size] = value.to_bytes(size, 'little')
        memory[48:50] = memory[16:18]
        self._silent_until[index] = self._now + _BOOT_TIME

    # Bus ------------------------------------------------------------------------------------

    def break_checksum(self, reply: bytes) -> bytes:
        """Return a reply with a wrong checksum."""
        return reply[:-1] + bytes([reply[-1] ^ 0x55])

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes; return the replies, those of several motors as one piece."""
        self._buffer += data
        replies = []
        while (request := self._next_request()) is not None:
            reply = self._answer(*request)
            if reply:
                replies.append(reply)
        return replies

    def _next_request(self) -> tuple[int, int, bytes] | None:
        while True:
            start = self._buffer.find(b'\xff\xff')
            if start < 0:
                del self._buffer[:-1]
                return None
            del self._buffer[:start]
            if len(self._buffer) < 4:
                return None
            motor, size = self._buffer[2], self._buffer[3]
            if motor == 0xFF or size < 2:
                del self._buffer[0]
                continue
            if len(self._buffer) < 4 + size:
                return None
            body = bytes(self._buffer[2 : 4 + size])
            if (sum(body[:-1]) + body[-1]) & 0xFF != 0xFF:
                del self._buffer[:2]
                continue
            del self._buffer[: 4 + size]
            return motor, body[2], body[3:-1]

    def _answers(self, index: int) -> bool:
        return index + 1 not in self.missing and self._now >= self._silent_until[index]

    def _answer(self, motor: int, instruction: int, parameters: bytes) -> bytes:
        present = [i for i in range(len(MOTORS)) if self._answers(i)]
        if instruction == _SYNC_READ:
            address, size = parameters[:2]
            asked = [m - 1 for m in parameters[2:] if m - 1 in present]
            return b''.join(self._status(i, self._data(i, address, size)) for i in asked)
        if instruction == _SYNC_WRITE:
            address, size = parameters[:2]
            goal = self.plant.target.copy()
            for begin in range(2, len(parameters), 1 + size):
                index, data = parameters[begin] - 1, parameters[begin + 1 : begin + 1 + size]
                if index in present:
                    self._set(index, address, data)
                if address == 42:
                    goal[index] = self._angle(index, _number(int.from_bytes(data[:2], 'little')))
            if address == 42:
                self.written.append((time.perf_counter(), goal))
            return b''
        if motor - 1 not in present:
            return b''
        if instruction == _PING:
            return self._status(motor - 1, b'')
        if instruction == _READ:
            return self._status(motor - 1, self._data(motor - 1, *parameters[:2]))
        if instruction == _WRITE:
            self._set(motor - 1, parameters[0], parameters[1:])
            return self._status(motor - 1, b'')
        return b''

    def _data(self, index: int, address: int, size: int) -> bytes:
        return bytes(self.memory[index][address : address + size])

    def _set(self, index: int, address: int, data: bytes) -> None:
        memory = self.memory[index]
        locked = memory[55] == 1 and address < _EEPROM_END
        if not locked:
            memory[address : address + len(data)] = data
            self._show()

    def _status(self, index: int, data: bytes) -> bytes:
        body = bytes([index + 1, len(data) + 2, self.memory[index][65]]) + data
        return b'\xff\xff' + body + bytes([0xFF - (sum(body) & 0xFF)])


@contextmanager
def start(
    link: Path, *, baud: int = 0, device_baud: int = 0, **options: Any
) -> Iterator[Running[So101Emulator]]:
    """Serve an arm at a link, with its calibration file beside it.

    Args:
        link: Path of the port for drivers.
        baud: Bits a second that replies need on the wire [1/s]; 0: none.
        device_baud: To which the motors are set [1/s]; 0: they understand every speed.
        options: Of So101Emulator.
    """
    device = So101Emulator(**options)
    calibration = link.with_name(link.name + '.json')
    calibration.write_text(json.dumps(device.calibration(), indent=4))
    with PtyServer(device, link, baud, device_baud) as server:
        yield Running(device, server, {'port': str(link), 'calibration': str(calibration)})


def main() -> None:
    """Serve an arm until it is stopped; faults come from the keyboard."""
    parser = argparse.ArgumentParser(description='An SO-ARM101 on a pseudo-terminal.')
    parser.add_argument('--link', type=Path, default=Path('so101_port'), help='path of the port')
    parser.add_argument('--baud', type=int, default=0, help='bits a second of replies; 0: none')
    options, _ = parser.parse_known_args()  # a launch file adds arguments of ROS
    with start(options.link, baud=options.baud) as running:

        def state() -> str:
            torque = [memory[40] for memory in running.device.memory]
            return f'{np.round(running.plant.position, 2).tolist()} rad, torque {torque}'

        where = f'{options.link.absolute()}, calibration {running.params["calibration"]}'
        console(where, running.faults, state)
