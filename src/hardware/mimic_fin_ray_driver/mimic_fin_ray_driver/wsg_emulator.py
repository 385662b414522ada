"""A WSG-50 that is not there: its frames, its script, its motor and its faults.

Written from the protocol reference, with nothing of the driver's own encoders.
"""

import dataclasses
import struct
import time
from collections import deque
from typing import Final

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.emulator import Faults, Plant
from mimic_core.limits import JointLimits

_KEPT_WRITES = 50_000  # of the last minutes, so that its memory stays flat

TRAVEL: Final = 0.054  # [m] of a finger: 108 mm of width with Fin Ray fingers
TOP_SPEED: Final = 0.21  # [m/s] of a finger: 420 mm/s
_HOMING_SPEED = 0.1  # [m/s] of a finger
_REBOOT = 0.3  # [s] without a connection; a real one takes longer
_FRICTION = 2.0  # [N] that the motor shows while it moves
_SCRIPT = (0xB0, 0xB1)


def _crc(data: bytes) -> bytes:
    crc = 0xFFFF
    for byte in data:
        row = ((crc ^ byte) & 0xFF) << 8
        for _ in range(8):
            row = (row << 1) ^ (0x1021 if row & 0x8000 else 0)
        crc = (row & 0xFFFF) ^ (crc >> 8)
    return crc.to_bytes(2, 'little')


def _reply(command: int, status: int, data: bytes = b'') -> bytes:
    payload = status.to_bytes(2, 'little') + data
    body = b'\xaa\xaa\xaa' + bytes([command]) + len(payload).to_bytes(2, 'little') + payload
    return body + _crc(body)


class WsgDevice:
    """Interface and motor of a WSG-50: a `ByteDevice`."""

    def __init__(
        self, referenced: bool = False, script: bool = True, text: bool = False, loop: float = 0.02
    ) -> None:
        """Make a gripper with its fingers half open.

        Args:
            referenced: It has been homed before.
            script: The measuring script runs.
            text: Its text based interface is on.
            loop: Time that the script takes for a command [s].
        """
        bounds = JointLimits(
            np.zeros(1),
            np.array([TRAVEL]),
            np.array([TOP_SPEED]),
            np.array([3.0]),
            np.array([150.0]),
        )
        self.plant = Plant(bounds, np.array([0.5 * TRAVEL]))
        self.plant.torque[:] = True
        self.faults = Faults()
        self.script, self.text = script, text
        self.written: deque[tuple[float, FloatArray]] = deque(
            maxlen=_KEPT_WRITES
        )  # [s] perf_counter, (1,) [m]
        self.commands: list[int] = []  # that came
        self._referenced = referenced
        self._fast_stopped = self._announced = self._homing = self._browned = False
        self._speed = 0.0  # [m/s] to which the motor is set
        self._force = 0.0  # [N] limit on an object
        self._buffer = b''
        self._clock = self._script_free = self._reboot = 0.0  # [s]
        self._loop = loop
        self._script_replies: list[tuple[float, int]] = []  # [s] when due, command

    # The wire -------------------------------------------------------------------------------

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they come; answer whole frames."""
        if self.text:
            return [b'ERR CMD_UNKNOWN\n']
        self._buffer += data
        replies = []
        while (start := self._buffer.find(b'\xaa\xaa\xaa')) >= 0:
            self._buffer = self._buffer[start:]
            if len(self._buffer) < 6:
                break
            size = 8 + int.from_bytes(self._buffer[4:6], 'little')
            if len(self._buffer) < size:
                break
            frame, self._buffer = self._buffer[:size], self._buffer[size:]
            if _crc(frame[:-2]) != frame[-2:]:
                replies.append(_reply(frame[3], 11))
            else:
                self.commands.append(frame[3])
                replies += self._answer(frame[3], frame[6:-2])
        return replies

    def _answer(self, command: int, payload: bytes) -> list[bytes]:
        if command in _SCRIPT and self.script:
            self._script_free = max(self._script_free, self._clock) + self._loop
            self._script_replies.append((self._script_free, command))
            if command == 0xB1:
                self._step_of_script(payload)
            return []
        if command == 0x07:
            self._announced = True
            return []
        if command == 0x20:
            return self._home(payload)
        if command in (0x22, 0x23):
            self._speed, self._homing = 0.0, False
            self._fast_stopped |= command == 0x23
            return [_reply(command, 0)]
        if command == 0x24:
            good = payload == b'ack'
            self._fast_stopped &= not good
            return [_reply(command, 0 if good else 24)]
        if command == 0x40:
            return [_reply(command, 0, self._system_state().to_bytes(4, 'little'))]
        return [_reply(command, 14)]

    def _home(self, payload: bytes) -> list[bytes]:
        if self._fast_stopped:
            return [_reply(0x20, 16)]
        if payload not in (b'\x00', b'\x01'):
            return [_reply(0x20, 24)]
        self._homing, self._speed = True, _HOMING_SPEED
        return [_reply(0x20, 26)]

    def _step_of_script(self, payload: bytes) -> None:
        _, width, speed, kp, kd, _, blocked = struct.unpack('<B6f', payload)
        self.written.append((time.perf_counter(), np.array([width / 2000.0])))
        self._force = blocked
        if not self._referenced or self._fast_stopped:
            return
        now = 2000.0 * float(self.plant.position[0]), 2000.0 * float(self.plant.velocity[0])
        self._speed = (kp * (width - now[0]) + kd * (speed - now[1])) / 2000.0

    def _system_state(self) -> int:
        side = float(self.plant.blocked()[0]) if self._speed else 0.0
        moving = abs(float(self.plant.velocity[0])) > 1e-5
        bits = int(self._referenced) | moving << 1 | (side < 0.0) << 2 | (side > 0.0) << 3
        bits |= self._fast_stopped << 12
        bits |= self.faults.on('over_temperature') << 14
        return bits | self.script << 19

    def _measurement(self, command: int) -> bytes:
        width = 2000.0 * float(self.plant.position[0])
        speed = 2000.0 * float(self.plant.velocity[0])
        side = float(self.plant.blocked()[0])
        force = self._force * abs(side) or _FRICTION * (abs(speed) > 0.01)
        bits = self._system_state() & 0xFF
        return _reply(command, 0, struct.pack('<B4f', bits, width, speed, force, self._clock))

    def break_checksum(self, reply: bytes) -> bytes:
        """Return a frame with a wrong checksum."""
        return reply[:-1] + bytes([reply[-1] ^ 0x10])

    def on_disconnect(self) -> None:
        """Make a fast stop when the client went without taking leave."""
        if not self._announced:
            self._fast_stopped, self._speed, self._homing = True, 0.0, False
        self._announced = False
        self._buffer, self._script_replies = b'', []
        self._script_free = self._clock

    # The gripper ----------------------------------------------------------------------------

    def step(self, dt: float) -> list[bytes]:
        """Let time pass [s]; return replies that are ready now."""
        self._clock += dt
        self._brown_out(dt)
        self.plant.torque[:] = not (self._fast_stopped or self.faults.on('over_temperature'))
        self.plant.stuck[:] = self.faults.on('stuck', 0)
        speed = min(max(self._speed, -TOP_SPEED), TOP_SPEED)
        top = np.array([max(abs(speed), 1e-9)])
        self.plant.limits = dataclasses.replace(self.plant.limits, max_speed=top)
        goal = self.plant.position if speed == 0.0 else TRAVEL if speed > 0.0 else 0.0
        self.plant.target[:] = goal
        self.plant.step(dt)
        replies = []
        if self._homing and self.plant.position[0] > TRAVEL - 2e-4:
            self._homing, self._referenced, self._speed = False, True, 0.0
            replies.append(_reply(0x20, 0))
        while self._script_replies and self._script_replies[0][0] <= self._clock:
            replies.append(self._measurement(self._script_replies.pop(0)[1]))
        return replies

    def _brown_out(self, dt: float) -> None:
        """Start anew when the supply fails: the connection is gone for a while."""
        if self.faults.on('brown_out') and not self._browned:
            self._reboot = _REBOOT
            self.faults.set('disconnect')
        self._browned = self.faults.on('brown_out')
        if self._reboot > 0.0:
            self._reboot -= dt
            self._referenced = self._homing = self._fast_stopped = False
            self._speed = 0.0
            if self._reboot <= 0.0:
                self.faults.clear('disconnect')
