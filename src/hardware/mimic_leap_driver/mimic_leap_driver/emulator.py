"""A LEAP Hand that is not there: sixteen XL330 motors with their control tables, on a terminal.

Written from the e-Manual and independent of the driver's packets: its CRC, framing and registers
are its own.
"""

import argparse
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
_HEADER: Final = b'\xff\xff\xfd\x00'
_ALL: Final = 0xFE
_READ, _WRITE, _REBOOT, _PING, _STATUS = 0x02, 0x03, 0x08, 0x01, 0x55
_SYNC_READ, _SYNC_WRITE, _FAST_SYNC_READ = 0x82, 0x83, 0x8A
_INSTRUCTION, _CRC, _ACCESS = 2, 3, 7  # errors
_TABLE_SIZE: Final = 256
_EEPROM_END: Final = 64
_BOOT_TIME: Final = 0.06  # [s] in which a motor that restarts is silent
_HOT, _WARM, _TOO_HOT = 85, 32, 70  # [deg C]
_TURN: Final = 2.0 * np.pi / 4096.0  # [rad] of a count
_SPEED: Final = 0.229 * 2.0 * np.pi / 60.0  # [rad/s] of a count
_KEPT_WRITES: Final = 50_000

# address, size, value at delivery: what differs from zero
_DELIVERY: Final = (
    (0, 2, 1200), (6, 1, 52), (8, 1, 1), (9, 1, 250), (11, 1, 3), (31, 1, _TOO_HOT),
    (38, 2, 1750), (48, 4, 4095), (63, 1, 53), (68, 1, 2), (84, 2, 400), (100, 2, 885),
    (102, 2, 1750), (104, 4, 445), (144, 2, 50), (146, 1, _WARM),
)  # fmt: skip


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ (0x8005 if crc & 0x8000 else 0)
        table.append(crc & 0xFFFF)
    return table


_CRC_TABLE: Final = _crc_table()


def crc16(data: bytes, crc: int = 0) -> int:
    """Return the CRC of Dynamixel 2.0: polynomial 0x8005, most significant bit first."""
    for byte in data:
        crc = (crc << 8 & 0xFFFF) ^ _CRC_TABLE[crc >> 8 ^ byte]
    return crc


def frame(motor: int, body: bytes) -> bytes:
    """Return a packet with stuffing and CRC around instruction and parameters."""
    stuffed = body.replace(b'\xff\xff\xfd', b'\xff\xff\xfd\xfd')
    head = _HEADER + bytes([motor]) + (len(stuffed) + 2).to_bytes(2, 'little')
    return head + stuffed + crc16(head + stuffed).to_bytes(2, 'little')


class LeapEmulator:
    """The far end of the bus; motors move as the plant does."""

    def __init__(
        self,
        ids: tuple[int, ...] = tuple(range(16)),
        missing: tuple[int, ...] = (),
        model: int = 1200,
        fast: bool = True,
    ) -> None:
        """Make a hand as it comes out of the box, in its home posture, without torque.

        Args:
            ids: Of the motors, in the order of the joints.
            missing: Ids that do not answer.
            model: Number of the motors' model.
            fast: Whether the firmware knows Fast Sync Read.
        """
        robot = load_robot('none', 'leap')
        self.faults = Faults()
        self.plant = Plant(robot.limits, robot.home)
        self.ids, self.missing, self.fast = ids, set(missing), fast
        self.tables = np.zeros((len(ids), _TABLE_SIZE), np.uint8)
        for address, size, value in _DELIVERY:
            self.tables[:, address : address + size] = list(value.to_bytes(size, 'little'))
        self.tables[:, :2] = list(model.to_bytes(2, 'little'))
        self.tables[:, 7] = ids
        self._delivered = self.tables.copy()
        self.written: deque[tuple[float, FloatArray]] = deque(maxlen=_KEPT_WRITES)
        self._buffer = bytearray()
        self._now = 0.0  # [s]
        self._silent_until = np.zeros(len(ids))
        self._browned_out = False
        self._show()

    # Motors ---------------------------------------------------------------------------------

    def _field(self, address: int, kind: str) -> Any:
        size = np.dtype(kind).itemsize
        return self.tables[:, address : address + size].view(kind)[:, 0]

    def step(self, dt: float) -> list[bytes]:
        """Let time pass [s]."""
        self._now += dt
        count = range(len(self.ids))
        if self.faults.on('brown_out') and not self._browned_out:
            self._restart([i for i in count if self.faults.on('brown_out', i)])
        self._browned_out = self.faults.on('brown_out')
        hot = np.array([self.faults.on('over_temperature', i) for i in count])
        self.tables[:, 146] = np.where(hot, _HOT, _WARM)
        self.tables[hot, 70] |= 0x04
        self.tables[self.tables[:, 70] != 0, 64] = 0  # shutdown
        self.plant.stuck[:] = [self.faults.on('stuck', i) for i in count]
        controls = np.isin(self.tables[:, 11], (3, 4, 5))
        self.plant.torque[:] = (self.tables[:, 64] == 1) & controls
        self.plant.target[:] = (self._field(116, '<i4') - 2048) * _TURN
        self.plant.step(dt)
        self._show()
        return []

    def _show(self) -> None:
        """Put what the motors measure into their tables."""
        goal_current = self._field(102, '<i2')
        self._field(126, '<i2')[:] = np.rint(self.plant.effort * goal_current)
        self._field(128, '<i4')[:] = np.rint(self.plant.velocity / _SPEED)
        self._field(132, '<i4')[:] = np.rint(self.plant.position / _TURN) + 2048

    def _restart(self, motors: list[int]) -> None:
        """Lose what is not in EEPROM, and be silent for a moment."""
        for i in motors:
            self.tables[i, _EEPROM_END:] = self._delivered[i, _EEPROM_END:]
            self._silent_until[i] = self._now + _BOOT_TIME
        self._show()

    def _answers(self, index: int) -> bool:
        return self.ids[index] not in self.missing and self._now >= self._silent_until[index]

    # Bus ------------------------------------------------------------------------------------

    def break_checksum(self, reply: bytes) -> bytes:
        """Return a reply with a wrong CRC."""
        return reply[:-1] + bytes([reply[-1] ^ 0x55])

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes; return the replies."""
        self._buffer += data
        replies: list[bytes] = []
        while (packet := self._next_packet()) is not None:
            replies += self._answer(packet)
        return replies

    def _next_packet(self) -> bytes | None:
        """Return the next whole packet with a correct CRC, without stuffing."""
        while True:
            start = self._buffer.find(_HEADER)
            if start < 0:
                del self._buffer[: max(len(self._buffer) - len(_HEADER) + 1, 0)]
                return None
            del self._buffer[:start]
            if len(self._buffer) < 7:
                return None
            size = 7 + int.from_bytes(self._buffer[5:7], 'little')
            if size > 1024:
                del self._buffer[:4]
                continue
            if len(self._buffer) < size:
                return None
            packet = bytes(self._buffer[:size])
            if crc16(packet[:-2]) != int.from_bytes(packet[-2:], 'little'):
                del self._buffer[:4]
                continue
            del self._buffer[:size]
            body = packet[7:-2].replace(b'\xff\xff\xfd\xfd', b'\xff\xff\xfd')
            return bytes([packet[4]]) + body

    def _answer(self, packet: bytes) -> list[bytes]:
        motor, instruction, parameters = packet[0], packet[1], packet[2:]
        if instruction in (_SYNC_READ, _FAST_SYNC_READ):
            address, size = np.frombuffer(parameters[:4], '<u2').tolist()
            asked = [self.ids.index(m) for m in parameters[4:] if m in self.ids]
            if instruction == _SYNC_READ:
                return [self._status(i, self._data(i, address, size)) for i in self._there(asked)]
            return [self._fast_status(asked, address, size)] if self.fast else []
        if instruction == _SYNC_WRITE:
            self._sync_write(parameters)
            return []
        targets = range(len(self.ids)) if motor == _ALL else [i for i in (motor,) if i in self.ids]
        indices = targets if motor == _ALL else [self.ids.index(m) for m in targets]
        return [self._single(i, instruction, parameters) for i in self._there(list(indices))]

    def _there(self, indices: list[int]) -> list[int]:
        return [i for i in indices if self._answers(i)]

    def _single(self, index: int, instruction: int, parameters: bytes) -> bytes:
        if instruction == _PING:
            return self._status(index, self._data(index, 0, 2) + self._data(index, 6, 1))
        if instruction == _READ:
            address, size = np.frombuffer(parameters[:4], '<u2').tolist()
            return self._status(index, self._data(index, address, size))
        if instruction == _WRITE:
            address = int.from_bytes(parameters[:2], 'little')
            return self._status(index, b'', self._set(index, address, parameters[2:]))
        if instruction == _REBOOT:
            reply = self._status(index, b'')
            self._restart([index])
            return reply
        return self._status(index, b'', _INSTRUCTION)

    def _data(self, index: int, address: int, size: int) -> bytes:
        return self.tables[index, address : address + size].tobytes()

    def _error(self, index: int) -> int:
        return 0x80 if self.tables[index, 70] else 0

    def _status(self, index: int, data: bytes, error: int = 0) -> bytes:
        body = bytes([_STATUS, error | self._error(index)]) + data
        return frame(self.ids[index], body)

    def _fast_status(self, asked: list[int], address: int, size: int) -> bytes:
        """Return one reply of all; where a motor is missing it ends."""
        length = (size + 4) * len(asked) + 1
        reply = _HEADER + bytes([_ALL]) + length.to_bytes(2, 'little') + bytes([_STATUS])
        crc = crc16(reply)
        for index in asked:
            if not self._answers(index):
                return reply if index != asked[0] else b''
            part = bytes([self._error(index), self.ids[index]]) + self._data(index, address, size)
            crc = crc16(part, crc)
            closing = crc.to_bytes(2, 'little')
            crc = crc16(closing, crc)
            reply += part + closing
        return reply

    def _set(self, index: int, address: int, data: bytes) -> int:
        """Write to a control table; returns the error."""
        if address < _EEPROM_END and self.tables[index, 64]:
            return _ACCESS
        if address == 64 and self.tables[index, 70]:
            return 0  # a motor that shut down stays off until it is restarted
        if address == 64 and data[:1] == b'\x01' and not self.tables[index, 64]:
            self.tables[index, 116:120] = self.tables[index, 132:136]  # the goal is where it is
        self.tables[index, address : address + len(data)] = list(data)
        if address < _EEPROM_END:
            self._delivered[index, address : address + len(data)] = list(data)
        return 0

    def _sync_write(self, parameters: bytes) -> None:
        address, size = np.frombuffer(parameters[:4], '<u2').tolist()
        rows = np.frombuffer(parameters[4:], np.uint8).reshape(-1, 1 + size)
        goal = self.plant.target.copy()
        for row in rows:
            if int(row[0]) not in self.ids:
                continue
            index, data = self.ids.index(int(row[0])), row[1:].tobytes()
            if self._answers(index):
                self._set(index, address, data)
            if address == 116:
                goal[index] = (int.from_bytes(data, 'little', signed=True) - 2048) * _TURN
        if address == 116:
            self.written.append((time.perf_counter(), goal))


@contextmanager
def start(
    link: Path, *, baud: int = 0, device_baud: int = 0, **options: Any
) -> Iterator[Running[LeapEmulator]]:
    """Serve a hand at a link.

    Args:
        link: Path of the port for drivers.
        baud: Bits a second that replies need on the wire [1/s]; 0: none.
        device_baud: To which the motors are set [1/s]; 0: they understand every speed.
        options: Of LeapEmulator.
    """
    device = LeapEmulator(**options)
    with PtyServer(device, link, baud, device_baud) as server:
        yield Running(device, server, {'port': str(link)})


def main() -> None:
    """Serve a hand until it is stopped; faults come from the keyboard."""
    parser = argparse.ArgumentParser(description='A LEAP Hand on a pseudo-terminal.')
    parser.add_argument('--link', type=Path, default=Path('leap_port'), help='path of the port')
    parser.add_argument('--baud', type=int, default=0, help='bits a second of replies; 0: none')
    options, _ = parser.parse_known_args()  # a launch file adds arguments of ROS
    with start(options.link, baud=options.baud) as running:

        def state() -> str:
            torque = running.device.tables[:, 64].sum()
            return f'{np.round(running.plant.position, 2).tolist()} rad, {torque} with torque'

        console(str(options.link.absolute()), running.faults, state)
