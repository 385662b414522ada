"""Bytes of the WSG-50: binary frames, and the two commands of the measuring script.

Source: Weiss Robotics WSG command set reference, and the script `cmd_measure.lua` of the UMI
project, which the gripper runs. All numbers are little-endian, lengths are in mm.
"""

import struct
from dataclasses import dataclass
from typing import Final

from mimic_core.errors import IdentityError, ProtocolError

PREAMBLE: Final = b'\xaa\xaa\xaa'
DISCONNECT: Final = 0x07
HOMING: Final = 0x20
STOP: Final = 0x22
FAST_STOP: Final = 0x23
ACKNOWLEDGE: Final = 0x24
SYSTEM_STATE: Final = 0x40
SCRIPT_QUERY: Final = 0xB0
SCRIPT_STEP: Final = 0xB1

HOME_OPEN: Final = b'\x01'
ACKNOWLEDGE_WORD: Final = b'ack'

OK, PENDING, UNKNOWN_COMMAND = 0, 26, 14
STATUS: Final = {
    1: 'not available', 2: 'no sensor', 3: 'not initialised', 4: 'already running',
    5: 'unsupported', 6: 'inconsistent data', 7: 'timeout', 8: 'read error', 9: 'write error',
    10: 'no resources', 11: 'wrong checksum', 12: 'takes no parameter',
    13: 'not enough parameters', 14: 'unknown command', 15: 'wrong format', 16: 'access denied',
    17: 'already open', 18: 'failed', 19: 'aborted', 20: 'invalid handle', 21: 'not found',
    22: 'not open', 23: 'input or output error', 24: 'invalid parameter', 25: 'index',
    26: 'pending', 27: 'overrun', 28: 'out of range', 29: 'axis blocked', 30: 'file exists',
}  # fmt: skip
# Bits of the system state; a reply of the script has the lowest eight.
REFERENCED: Final = 1 << 0
BLOCKED_CLOSING, BLOCKED_OPENING = 1 << 2, 1 << 3
FAST_STOPPED: Final = 1 << 12
FAULTS: Final = {
    1 << 14: 'over-temperature',
    1 << 15: 'power fault',
    1 << 16: 'over-current',
    1 << 17: 'finger fault',
    1 << 20: 'script error',
}
WARNINGS: Final = {1 << 13: 'is getting hot'}

_HEADER = struct.Struct('<3sBH')
_CRC_BYTES = 2
_MAX_PAYLOAD = 64  # [bytes]; what announces more is noise
_STEP = struct.Struct('<B6f')
_SCRIPT_REPLY = struct.Struct('<HB4f')


def _table() -> tuple[int, ...]:
    rows = []
    for index in range(256):
        value = index << 8
        for _ in range(8):
            value = (value << 1 ^ 0x1021 if value & 0x8000 else value << 1) & 0xFFFF
        rows.append(value)
    return tuple(rows)


_TABLE: Final = _table()


def crc(data: bytes) -> int:
    """Return the checksum of the makers' own: a table for one bit order, used in the other."""
    value = 0xFFFF
    for byte in data:
        value = _TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    return value


def frame(command: int, payload: bytes = b'') -> bytes:
    """Return the bytes of a command."""
    body = _HEADER.pack(PREAMBLE, command, len(payload)) + payload
    return body + crc(body).to_bytes(_CRC_BYTES, 'little')


@dataclass(frozen=True)
class Frame:
    """A sound frame of the gripper."""

    command: int
    payload: bytes

    @property
    def status(self) -> int:
        """Return the status with which every reply begins."""
        if len(self.payload) < 2:
            raise ProtocolError(f'a reply to {self.command:#04x} without a status')
        return int.from_bytes(self.payload[:2], 'little')


class FrameReader:
    """Finds frames in a stream of bytes."""

    def __init__(self) -> None:
        self.damaged = 0  # pieces of the stream that are no frame
        self.rest = b''
        self._in_noise = False

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that are complete with these bytes."""
        self.rest += data
        frames = []
        while self.rest:
            found = self._next()
            if found is None:
                break
            frames.append(found)
        return frames

    def _next(self) -> Frame | None:
        while True:
            start = self.rest.find(PREAMBLE)
            # The end of the stream may be the begin of a preamble.
            keep = len(self.rest) - len(self.rest.rstrip(b'\xaa')) if start < 0 else 0
            cut = start if start >= 0 else len(self.rest) - min(keep, len(PREAMBLE) - 1)
            if cut:
                self._skip(cut)
            if start < 0 or len(self.rest) < _HEADER.size:
                return None
            _, command, length = _HEADER.unpack_from(self.rest)
            size = _HEADER.size + length + _CRC_BYTES
            if length > _MAX_PAYLOAD:
                self._skip(1)
                continue
            if len(self.rest) < size:
                return None
            if crc(self.rest[:size]) != 0:
                self._skip(1)
                continue
            payload = self.rest[_HEADER.size : size - _CRC_BYTES]
            self.rest, self._in_noise = self.rest[size:], False
            return Frame(command, payload)

    def _skip(self, count: int) -> None:
        self.rest = self.rest[count:]
        self.damaged += not self._in_noise
        self._in_noise = True


@dataclass(frozen=True)
class ScriptState:
    """What the script measured."""

    state: int  # lowest eight bits of the system state
    width: float  # [mm]
    speed: float  # [mm/s], opening is positive
    force: float  # [N] of the motor


def query() -> bytes:
    """Return the frame that asks the script for its state."""
    return frame(SCRIPT_QUERY, b'\x00')


def step(
    width: float, speed: float, kp: float, kd: float, travel_force: float, blocked_force: float
) -> bytes:
    """Return the frame of one step of the script's controller.

    Args:
        width: Where to [mm].
        speed: Wanted there [mm/s].
        kp: Speed per distance [1/s].
        kd: Share of the error of speed [1].
        travel_force: Force limit on the way [N].
        blocked_force: Force limit on an object [N].
    """
    payload = _STEP.pack(0, width, speed, kp, kd, travel_force, blocked_force)
    return frame(SCRIPT_STEP, payload)


def system_state_query() -> bytes:
    """Return the frame that asks for the whole system state, once."""
    return frame(SYSTEM_STATE, struct.pack('<BH', 0, 0))


def status_name(status: int) -> str:
    """Return a status code in words."""
    return STATUS.get(status, f'status {status}')


def script_state(reply: Frame) -> ScriptState:
    """Return what the script measured.

    Raises:
        IdentityError: The script does not run, or is another one.
        ProtocolError: The gripper refuses.
    """
    if reply.status == UNKNOWN_COMMAND:
        raise IdentityError(
            'the gripper does not know the commands of the script: load cmd_measure.lua of UMI '
            'and make it the startup script'
        )
    if reply.status != OK:
        raise ProtocolError(f'the script answers: {status_name(reply.status)}')
    if len(reply.payload) != _SCRIPT_REPLY.size:
        raise IdentityError(
            f'another script runs: it answers {len(reply.payload)} bytes, not {_SCRIPT_REPLY.size}'
        )
    _, state, width, speed, force, _ = _SCRIPT_REPLY.unpack(reply.payload)
    return ScriptState(state, width, speed, force)


def system_state(reply: Frame) -> int:
    """Return the bits of the system state; raises ProtocolError when the gripper refuses."""
    if reply.status != OK:
        raise ProtocolError(f'the system state is refused: {status_name(reply.status)}')
    if len(reply.payload) != 6:
        raise ProtocolError(f'a system state of {len(reply.payload) - 2} bytes, not 4')
    return int.from_bytes(reply.payload[2:], 'little')
