"""A Dynamixel servo that is not there: its packets, registers, motor and faults.

Written from the protocol reference, with nothing of the SDK.
"""

import time
from collections import deque
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.emulator import Faults, Plant
from mimic_core.limits import JointLimits

_KEPT_WRITES = 50_000  # of the last minutes, so that its memory stays flat

TRAVEL: Final = 0.054  # [m] of a finger
_TOP_SPEED = 0.21  # [m/s] of a finger
_HEADER = b'\xff\xff\xfd\x00'
_SIZE = 147  # [bytes] of the control table
_RAM = 64  # first address that is not kept without supply
_OVERHEATING = 0x04


def _crc(data: bytes) -> bytes:
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ (0x8005 if crc & 0x8000 else 0)
        crc &= 0xFFFF
    return crc.to_bytes(2, 'little')


class ServoDevice:
    """One XL330-M288 that moves two fingers: a `ByteDevice`."""

    def __init__(
        self, motor: int = 1, model: int = 1200, closed_ticks: int = 1024, open_ticks: int = 3072
    ) -> None:
        """Make a gripper with its fingers half open.

        Args:
            motor: Id.
            model: Model number.
            closed_ticks: Position of closed fingers.
            open_ticks: Position of open ones.
        """
        bounds = JointLimits(
            np.zeros(1),
            np.array([TRAVEL]),
            np.array([_TOP_SPEED]),
            np.array([3.0]),
            np.array([150.0]),
        )
        self.plant = Plant(bounds, np.array([0.5 * TRAVEL]))
        self.faults = Faults()
        self.motor = motor
        self.written: deque[tuple[float, FloatArray]] = deque(
            maxlen=_KEPT_WRITES
        )  # [s] perf_counter, (1,) [m]
        self._closed, self._open = closed_ticks, open_ticks
        self._table = bytearray(_SIZE)
        self._set(0, 2, model)
        self._set(6, 1, 52)
        self._set(7, 1, motor)
        self._set(11, 1, 3)
        self._restart()
        self._buffer = b''
        self._browned = False

    def _set(self, address: int, size: int, value: int) -> None:
        self._table[address : address + size] = value.to_bytes(size, 'little', signed=value < 0)

    def _get(self, address: int, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(self._table[address : address + size], 'little', signed=signed)

    def _restart(self) -> None:
        """Put what is not kept to its default."""
        self._table[_RAM:] = bytes(_SIZE - _RAM)
        self._set(68, 1, 2)
        self._set(84, 2, 400)
        self._set(102, 2, 1750)

    # The wire -------------------------------------------------------------------------------

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they come; answer whole packets."""
        self._buffer += data
        replies = []
        while (start := self._buffer.find(_HEADER)) >= 0:
            self._buffer = self._buffer[start:]
            if len(self._buffer) < 7:
                break
            size = 7 + int.from_bytes(self._buffer[5:7], 'little')
            if len(self._buffer) < size:
                break
            packet, self._buffer = self._buffer[:size], self._buffer[size:]
            if _crc(packet[:-2]) == packet[-2:] and packet[4] == self.motor:
                body = packet[7:-2].replace(b'\xff\xff\xfd\xfd', b'\xff\xff\xfd')
                replies.append(self._answer(body[0], body[1:]))
        return replies

    def _answer(self, instruction: int, rest: bytes) -> bytes:
        if instruction == 0x01:
            return self._status(0, bytes(self._table[0:2] + self._table[6:7]))
        if instruction == 0x02:
            address, count = (int.from_bytes(rest[i : i + 2], 'little') for i in (0, 2))
            if address + count > _SIZE:
                return self._status(4)
            self._measure()
            return self._status(0, bytes(self._table[address : address + count]))
        if instruction == 0x03:
            return self._status(self._write(int.from_bytes(rest[:2], 'little'), rest[2:]))
        if instruction == 0x08:
            self._restart()
            return self._status(0)
        return self._status(2)

    def _write(self, address: int, data: bytes) -> int:
        if address + len(data) > _SIZE:
            return 4
        if address < _RAM and self._table[64]:
            return 7  # EEPROM while torque is on
        if address == 64 and data[0] and self._table[70]:
            return 1  # no torque with a hardware error
        self._table[address : address + len(data)] = data
        if address == 116:
            share = (self._get(116, 4, signed=True) - self._closed) / (self._open - self._closed)
            self.written.append((time.perf_counter(), np.array([share * TRAVEL])))
        return 0

    def _status(self, error: int, data: bytes = b'') -> bytes:
        alert = 0x80 if self._table[70] else 0
        body = (bytes([0x55, error | alert]) + data).replace(b'\xff\xff\xfd', b'\xff\xff\xfd\xfd')
        packet = _HEADER + bytes([self.motor]) + (len(body) + 2).to_bytes(2, 'little') + body
        return packet + _crc(packet)

    def _measure(self) -> None:
        per_metre = (self._open - self._closed) / TRAVEL
        presses = float(self.plant.effort[0]) * (not self.faults.on('stuck'))  # a dead motor
        self._set(126, 2, round(presses * self._get(102, 2)))
        turns = float(self.plant.velocity[0]) * per_metre / 4096.0
        self._set(128, 4, round(turns * 60.0 / 0.229))
        self._set(132, 4, round(self._closed + float(self.plant.position[0]) * per_metre))
        self._set(144, 2, 50)
        self._set(146, 1, 85 if self.faults.on('over_temperature') else 36)

    def break_checksum(self, reply: bytes) -> bytes:
        """Return a packet with a wrong checksum."""
        return reply[:-1] + bytes([reply[-1] ^ 0x10])

    # The servo ------------------------------------------------------------------------------

    def step(self, dt: float) -> list[bytes]:
        """Let time pass [s]."""
        if self.faults.on('brown_out') and not self._browned:
            self._restart()
        self._browned = self.faults.on('brown_out')
        if self.faults.on('over_temperature'):
            self._table[70] |= _OVERHEATING
            self._table[64] = 0
        self.plant.stuck[:] = self.faults.on('stuck', 0)
        self.plant.torque[:] = bool(self._table[64])
        share = (self._get(116, 4, signed=True) - self._closed) / (self._open - self._closed)
        self.plant.target[:] = share * TRAVEL
        self.plant.step(dt)
        return []
