"""A gripper that is not there: its registers, its motor and its faults on a pseudo-terminal.

Written from the instruction manual, with nothing of the driver's own encoders.
"""

import argparse
import dataclasses
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.emulator import FAULTS, Faults, Plant, PtyServer, Running, console
from mimic_core.limits import JointLimits

_KEPT_WRITES = 50_000  # of the last minutes, so that its memory stays flat

POSSIBLE_FAULTS: Final = FAULTS
SLAVE: Final = 9
BAUD: Final = 115200  # [1/s]

_OPEN, _CLOSED = 3, 230  # [counts] that the stock fingers reach
_FRAME_GAP = 0.02  # [s] after which half a frame is forgotten; a pty has no 3.5 characters
_SILENCE = 1.0  # [s] without a request: fault 9
_AMPERES = 0.6  # [A] of a blocked motor at full force
# model: [rad] knuckle when closed, [m] stroke, [m/s] at speed byte 0 and 255
_MODELS = {'2f85': (0.7929, 0.085, 0.020, 0.150), '2f140': (0.695, 0.140, 0.030, 0.250)}


def _crc(data: bytes) -> bytes:
    """Return CRC-16 of Modbus, low byte first, bit by bit."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc.to_bytes(2, 'little')


class GripperDevice:
    """Registers and motor of a gripper: a `ByteDevice`."""

    def __init__(self, model: str = '2f85', slave: int = SLAVE, activated: bool = False) -> None:
        """Make a gripper with its fingers half closed.

        Args:
            model: 2f85 or 2f140.
            slave: Modbus address.
            activated: It has been activated before, as one that was left powered.
        """
        self._closed, stroke, slow, fast = _MODELS[model]
        per_metre = self._closed / stroke
        self._speeds = slow * per_metre, fast * per_metre  # [rad/s]
        bounds = JointLimits(
            np.zeros(1),
            np.array([self._closed]),
            np.array([self._speeds[1]]),
            np.array([20.0]),
            np.array([1000.0]),
        )
        self.plant = Plant(bounds, np.array([0.5 * self._closed]))
        self.faults = Faults()
        self.slave = slave
        self.firmware = True  # False: some other Modbus device, which knows no such registers
        self.written: deque[tuple[float, FloatArray]] = deque(
            maxlen=_KEPT_WRITES
        )  # [s] perf_counter, (1,) [rad]
        self._command = bytes(6)
        self._state = 0  # gSTA
        self._sweep: list[float] = []  # [rad] goals that activation still has to reach
        self._buffer = b''
        self._buffer_age = self._silence = 0.0
        self._browned = self._forgotten = False
        if activated:
            self._command, self._state = bytes([1, 0, 0, 0, 0, 0]), 3
            self.plant.torque[:] = True

    # The wire -------------------------------------------------------------------------------

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they come; answer whole requests."""
        self._buffer += data
        self._buffer_age = 0.0
        replies = []
        while (size := self._request_size()) and len(self._buffer) >= size:
            frame, self._buffer = self._buffer[:size], self._buffer[size:]
            if _crc(frame[:-2]) != frame[-2:]:
                self._buffer = b''  # nobody knows where the next one begins
                break
            if frame[0] == self.slave:
                self._silence = 0.0
                body = self._answer(frame[1:-2])
                if body:
                    reply = bytes([self.slave]) + body
                    replies.append(reply + _crc(reply))
        return replies

    def _request_size(self) -> int:
        """Return how long the request in the buffer will be; 0 when that is not known yet."""
        if len(self._buffer) < 2:
            return 0
        function = self._buffer[1]
        if function in (0x03, 0x04, 0x06):
            return 8
        if function == 0x10:
            return 9 + self._buffer[6] if len(self._buffer) > 6 else 0
        if function == 0x17:
            return 13 + self._buffer[10] if len(self._buffer) > 10 else 0
        return 4  # unknown: its checksum will be wrong, or it is not answered

    def _answer(self, pdu: bytes) -> bytes:
        function = pdu[0]
        if not self.firmware:
            return bytes([function | 0x80, 2])
        words = [int.from_bytes(pdu[i : i + 2], 'big') for i in range(1, min(len(pdu), 9), 2)]
        if function in (0x03, 0x04):
            return self._read(function, words[0], words[1])
        if function == 0x06:
            return pdu if self._write(words[0], pdu[3:5]) else b''
        if function == 0x10:
            return pdu[:5] if self._write(words[0], pdu[6:]) else b''
        if function == 0x17:
            written = self._write(words[2], pdu[10:])
            return self._read(function, words[0], words[1]) if written else b''
        return b''

    def _read(self, function: int, address: int, count: int) -> bytes:
        blocks = {0x07D0: self._status_bytes() + bytes(6), 0x03E8: self._command}
        for start, content in blocks.items():
            offset = 2 * (address - start)
            if offset >= 0 and count > 0 and offset + 2 * count <= len(content):
                data = content[offset : offset + 2 * count]
                return bytes([function, len(data)]) + data
        return b''

    def _write(self, address: int, data: bytes) -> bool:
        offset = 2 * (address - 0x03E8)
        if offset < 0 or offset + len(data) > 6 or not data:
            return False
        self._command = self._command[:offset] + data + self._command[offset + len(data) :]
        self._forgotten = False
        self._obey()
        return True

    def break_checksum(self, reply: bytes) -> bytes:
        """Return a frame with a wrong checksum."""
        return reply[:-2] + bytes([reply[-2] ^ 0x40, reply[-1]])

    # The gripper ----------------------------------------------------------------------------

    def _obey(self) -> None:
        """Do what the command registers say."""
        action, request, speed = self._command[0], self._command[3], self._command[4]
        if not action & 1:
            self._rest()
        elif self._state == 0:
            self._state, self._sweep = 1, [self._closed, 0.0]
            self.plant.torque[:] = True
            self._set_speed(255)
        elif self._state == 3 and action & 8:
            angle = self._closed * (request - _OPEN) / (_CLOSED - _OPEN)
            self.written.append((time.perf_counter(), np.array([angle])))
            self.plant.target[:] = angle
            self._set_speed(speed)
        elif self._state == 3:
            self.plant.target = self.plant.position.copy()

    def _rest(self) -> None:
        self._state, self._sweep = 0, []
        self.plant.torque[:] = False
        self.plant.target = self.plant.position.copy()

    def _set_speed(self, byte: int) -> None:
        slow, fast = self._speeds
        speed = np.array([slow + (fast - slow) * byte / 255.0])
        self.plant.limits = dataclasses.replace(self.plant.limits, max_speed=speed)

    def step(self, dt: float) -> list[bytes]:
        """Let time pass [s]."""
        self._buffer_age += dt
        self._silence += dt
        self._forgotten |= self._silence > _SILENCE
        if self._buffer_age > _FRAME_GAP:
            self._buffer = b''
        if self.faults.on('brown_out') and not self._browned:
            self._command = bytes(6)
            self._rest()
        self._browned = self.faults.on('brown_out')
        self.plant.stuck[:] = self.faults.on('stuck', 0) or self.faults.on('over_temperature')
        if self._sweep:
            self.plant.target[:] = self._sweep[0]
        self.plant.step(dt)
        there = abs(float(self.plant.position[0]) - float(self.plant.target[0])) < 1e-3
        if self._sweep and (there or self.plant.blocked()[0]):
            self._sweep.pop(0)
            if not self._sweep:
                self._state = 3
                self.plant.target = self.plant.position.copy()
                self._obey()
        return []

    def _fault(self) -> int:
        if self.faults.on('over_temperature'):
            return 0x08
        if self._command[0] & 8 and self._state != 3:
            return 0x05 if self._state == 1 else 0x07
        return 0x09 if self._forgotten else 0

    def _status_bytes(self) -> bytes:
        action, request = self._command[0], self._command[3]
        position = round(float(self.plant.position[0]) / self._closed * (_CLOSED - _OPEN) + _OPEN)
        side = int(self.plant.blocked()[0])
        clipped = min(max(request, _OPEN), _CLOSED)
        going = bool(action & 8) and self._state == 3
        reached = 3 if abs(position - clipped) <= 1 else 0
        found = {1: 2, -1: 1}.get(side, reached) if going else 0
        moving = abs(float(self.plant.velocity[0])) > 1e-3
        load = 0.2 * moving + 0.8 * abs(side) * self._command[5] / 255.0
        status = action & 9 | self._state << 4 | found << 6
        return bytes([status, 0, self._fault(), request, position, int(100 * _AMPERES * load)])


@contextmanager
def start(
    link: Path,
    model: str = '2f85',
    slave: int = SLAVE,
    activated: bool = False,
    baud: int = BAUD,
    device_baud: int = 0,
) -> Iterator[Running[GripperDevice]]:
    """Serve a gripper on a pseudo-terminal.

    Args:
        link: Where the port is to be found.
        model: 2f85 or 2f140.
        slave: Modbus address.
        activated: It has been activated before.
        baud: For the time that bytes need on the line [1/s]; 0: none.
        device_baud: Speed to which it is set [1/s]; 0: it understands every speed.
    """
    device = GripperDevice(model, slave, activated)
    with PtyServer(device, link, baud, device_baud) as server:
        yield Running(device, server, {'port': str(link), 'model': model, 'slave_id': slave})


def main() -> None:
    """Serve a gripper until stopped; faults are typed."""
    parser = argparse.ArgumentParser(description='A Robotiq gripper that is not there.')
    parser.add_argument('--link', type=Path, default=Path('robotiq_port'), help='path of its port')
    parser.add_argument('--model', choices=sorted(_MODELS), default='2f85')
    parser.add_argument('--slave', type=int, default=SLAVE, help='Modbus address')
    parser.add_argument('--baud', type=int, default=BAUD, help='of the line [1/s]; 0: no time')
    parser.add_argument('--object', type=float, help='angle at which the fingers meet it [rad]')
    options, _ = parser.parse_known_args()  # a launch file adds arguments of ROS
    with start(options.link, options.model, options.slave, baud=options.baud) as emulator:
        if options.object is not None:
            emulator.plant.obstacle_upper[:] = options.object
        console(str(options.link), emulator.faults, lambda: _line(emulator))


def _line(emulator: Running[GripperDevice]) -> str:
    plant = emulator.plant
    return (
        f'knuckle {plant.position[0]:.4f} rad, target {plant.target[0]:.4f} rad, '
        f'{len(emulator.writes())} set-points'
    )
