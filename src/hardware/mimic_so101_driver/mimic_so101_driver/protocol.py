"""The protocol of Feetech STS motors: packets, registers, units. Words are little-endian.

Source: Feetech's FTServo_Python (packets) and the tables of LeRobot (registers of the STS3215).
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mimic_core.arrays import FloatArray
from mimic_core.driver.motor_bus import Bytes, Register
from mimic_core.errors import ProtocolError

Counts = npt.NDArray[np.int32]


class Status(NamedTuple):
    """The reply of one motor."""

    motor: int
    error: int
    data: bytes


RETURN_DELAY: Final = Register(7, 1)
POSITION_LIMITS: Final = Register(9, 4)  # lower, upper [counts]
MAX_TORQUE: Final = Register(16, 2)  # [0.1 %], loaded into TORQUE_LIMIT at power-on
PHASE: Final = Register(18, 1)
POSITION_P: Final = Register(21, 1)
POSITION_D: Final = Register(22, 1)
POSITION_I: Final = Register(23, 1)
PROTECTION_CURRENT: Final = Register(28, 2)
HOMING_OFFSET: Final = Register(31, 2)  # sign in bit 11
MODE: Final = Register(33, 1)
OVERLOAD_TORQUE: Final = Register(36, 1)  # [%]
TORQUE_ENABLE: Final = Register(40, 1)
ACCELERATION: Final = Register(41, 1)
GOAL_POSITION: Final = Register(42, 2)  # sign in bit 15
GOAL: Final = Register(42, 6)  # position, time, speed
TORQUE_LIMIT: Final = Register(48, 2)  # [0.1 %]
LOCK: Final = Register(55, 1)  # 0: EEPROM can be written
PRESENT: Final = Register(56, 6)  # position, speed, load; signs in bits 15, 15, 10
CONDITION: Final = Register(40, 31)  # torque enable to current
MAX_ACCELERATION: Final = Register(85, 1)

IDENTITY: Final = Register(0, 5)  # firmware major, minor, then model
CALIBRATED: Final = Register(9, 24)  # position limits to homing offset
SETTINGS: Final = Register(7, 43)  # return delay to torque limit

MODEL: Final = 777  # STS3215
BAUDS: Final = (1_000_000, 115200, 500_000, 250_000, 128_000)
COUNTS: Final = 4096  # of a turn
RADIANS_PER_COUNT: Final = 2.0 * np.pi / COUNTS
ANGLE_FEEDBACK: Final = 0x10  # bit of PHASE; off: positions stay within one turn
ERRORS: Final = {
    0x01: 'supply voltage out of range',
    0x02: 'angle sensor failed',
    0x04: 'too hot',
    0x08: 'too much current',
    0x20: 'overload',
}

_HEADER: Final = b'\xff\xff'
_ALL: Final = 0xFE
_PING, _READ, _WRITE, _SYNC_READ, _SYNC_WRITE = 0x01, 0x02, 0x03, 0x82, 0x83
_LONGEST: Final = 128  # [bytes] of error and data in a reply


def checksum(body: bytes) -> int:
    """Return the checksum of what stands between header and checksum."""
    return ~sum(body) & 0xFF


def _packet(motor: int, instruction: int, parameters: bytes = b'') -> bytes:
    body = bytes([motor, len(parameters) + 2, instruction]) + parameters
    return _HEADER + body + bytes([checksum(body)])


def ping(motor: int) -> bytes:
    """Return the request for a sign of life."""
    return _packet(motor, _PING)


def read(motor: int, register: Register) -> bytes:
    """Return the request to read from one motor."""
    return _packet(motor, _READ, bytes(register))


def write(motor: int, register: Register, value: int) -> bytes:
    """Return the request to set a register of one motor, which confirms it."""
    data = value.to_bytes(register.size, 'little')
    return _packet(motor, _WRITE, bytes([register.address]) + data)


def sync_read(motors: Sequence[int], register: Register) -> bytes:
    """Return the request to read from several motors, which answer in this order."""
    return _packet(_ALL, _SYNC_READ, bytes([*register, *motors]))


def sync_write(motors: Sequence[int], register: Register, data: Bytes) -> bytes:
    """Return the request to set (J, N) bytes in J motors; nobody confirms it."""
    rows = np.empty((len(motors), 1 + register.size), np.uint8)
    rows[:, 0], rows[:, 1:] = motors, data
    return _packet(_ALL, _SYNC_WRITE, bytes(register) + rows.tobytes())


def take_status(buffer: bytearray) -> tuple[Status | None, int]:
    """Take the next reply from the front of what has come, and count what belongs to none.

    Returns:
        The reply, or None while it is not whole; how many bytes were dropped before it.

    Raises:
        ProtocolError: Its checksum is wrong; it is dropped.
    """
    dropped = 0
    while True:
        start = buffer.find(_HEADER)
        junk = start if start >= 0 else max(len(buffer) - 1, 0)
        del buffer[:junk]
        dropped += junk
        if len(buffer) < 4:
            return None, dropped
        motor, size = buffer[2], buffer[3]
        if motor >= _ALL or not 2 <= size <= _LONGEST:
            del buffer[:1]
            dropped += 1
            continue
        if len(buffer) < 4 + size:
            return None, dropped
        body = bytes(buffer[2 : 4 + size])
        del buffer[: 4 + size]
        if checksum(body[:-1]) != body[-1]:
            raise ProtocolError(f'wrong checksum in a reply of motor {motor}')
        return Status(motor, body[2], body[3:-1]), dropped


def decode_signed(values: Counts, sign_bit: int) -> Counts:
    """Return numbers of their magnitudes with a sign in a bit."""
    magnitude = values & ((1 << sign_bit) - 1)
    return np.where(values & (1 << sign_bit), -magnitude, magnitude).astype(np.int32)


def encode_signed(values: Counts, sign_bit: int) -> Counts:
    """Return magnitudes with a sign in a bit; raises ProtocolError where one is too large."""
    if (np.abs(values) >= 1 << sign_bit).any():
        raise ProtocolError(f'{values.tolist()} do not fit into {sign_bit} bits and a sign')
    return np.where(values < 0, np.abs(values) | (1 << sign_bit), values).astype(np.int32)


def words(data: Bytes) -> Counts:
    """Return (J, N / 2) unsigned words of (J, N) bytes."""
    return np.ascontiguousarray(data).view('<u2').astype(np.int32)


def word_bytes(values: Counts) -> Bytes:
    """Return (J, 2 N) bytes of (J, N) unsigned words."""
    return np.ascontiguousarray(values, '<u2').view(np.uint8)


def present(data: Bytes) -> tuple[Counts, FloatArray, FloatArray]:
    """Return (J,) positions [counts], speeds [rad/s], loads [1] of (J, 6) bytes at PRESENT."""
    raw = words(data)
    position, speed = decode_signed(raw[:, 0], 15), decode_signed(raw[:, 1], 15)
    load = decode_signed(raw[:, 2], 10)
    return position, speed.astype(float) * RADIANS_PER_COUNT, load.astype(float) * 1e-3


def error_text(bits: int) -> str:
    """Return the error byte of one motor in words."""
    known = [text for bit, text in ERRORS.items() if bits & bit]
    rest = bits & ~sum(ERRORS)
    return ', '.join([*known, *([f'error 0x{rest:02x}'] if rest else [])])
