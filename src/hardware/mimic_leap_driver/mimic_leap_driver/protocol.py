"""Registers and units of Dynamixel XL330 and XC330 motors; the packets themselves are the SDK's.

Source: ROBOTIS e-Manual, XL330-M288 (the XC330 has the same control table); control tables of the
Dynamixel SDK.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from mimic_core.arrays import FloatArray
from mimic_core.driver.motor_bus import Bytes, Register

Counts = npt.NDArray[np.int32]

MODEL: Final = Register(0, 2)
FIRMWARE: Final = Register(6, 1)
RETURN_DELAY: Final = Register(9, 1)  # [2 us]
OPERATING_MODE: Final = Register(11, 1)
TORQUE_ENABLE: Final = Register(64, 1)
HARDWARE_ERROR: Final = Register(70, 1)
POSITION_D: Final = Register(80, 2)
POSITION_I: Final = Register(82, 2)
POSITION_P: Final = Register(84, 2)
GOAL_CURRENT: Final = Register(102, 2)  # [1 mA]
PROFILE_ACCELERATION: Final = Register(108, 4)  # 0: none
PROFILE_VELOCITY: Final = Register(112, 4)  # 0: none
GOAL_POSITION: Final = Register(116, 4)

# Neighbours that are read together
FIXED: Final = Register(9, 3)  # return delay to operating mode, in EEPROM
STATUS: Final = Register(64, 7)  # torque enable to hardware error
COMMANDS: Final = Register(64, 56)  # torque enable to goal position
PRESENT: Final = Register(126, 10)  # current, velocity, position
CONDITION: Final = Register(144, 3)  # voltage, temperature

MODELS: Final = {
    1190: 'XL330-M077',
    1200: 'XL330-M288',
    1210: 'XC330-T181',
    1220: 'XC330-T288',
    1230: 'XC330-M181',
    1240: 'XC330-M288',
}
CURRENT_BASED_POSITION: Final = 5  # operating mode: position, with a bound on the current
ALERT: Final = 0x80  # bit of the error byte: see register HARDWARE_ERROR
BAUDS: Final = (57600, 4_000_000, 3_000_000, 2_000_000, 1_000_000, 115200, 9600)  # likely first
HARDWARE_ERRORS: Final = {
    0x01: 'input voltage out of range',
    0x04: 'too hot',
    0x10: 'electrical shock, or no supply for the motor',
    0x20: 'overload',
}
REPLY_ERRORS: Final = {
    1: 'the instruction failed',
    2: 'unknown instruction',
    3: 'damaged instruction',
    4: 'value out of range',
    5: 'wrong length',
    6: 'value beyond a limit',
    7: 'no access: EEPROM while torque is on',
}

RADIANS_PER_COUNT: Final = 2.0 * np.pi / 4096.0
_SPEED_UNIT: Final = 0.229 * 2.0 * np.pi / 60.0  # [rad/s] of 0.229 rpm
_CURRENT_UNIT: Final = 1e-3  # [A]; 1.34 mA in LEAP's own client is that of XH motors


def to_counts(position: FloatArray, zero: Counts) -> Counts:
    """Return (J,) goal counts of (J,) joint positions [rad]; `zero` are the counts at 0 rad."""
    return np.rint(position / RADIANS_PER_COUNT).astype(np.int32) + zero


def to_radians(counts: Counts, zero: Counts) -> FloatArray:
    """Return (J,) joint positions [rad] of (J,) counts."""
    return (counts - zero).astype(float) * RADIANS_PER_COUNT


def present(data: Bytes) -> tuple[FloatArray, FloatArray, Counts]:
    """Return (J,) currents [A], speeds [rad/s] and position counts of (J, 10) bytes at PRESENT."""
    data = np.ascontiguousarray(data)
    current = data[:, 0:2].view('<i2')[:, 0] * _CURRENT_UNIT
    speed = data[:, 2:6].view('<i4')[:, 0] * _SPEED_UNIT
    return current, speed, data[:, 6:10].view('<i4')[:, 0].copy()


def condition(data: Bytes) -> tuple[FloatArray, FloatArray]:
    """Return (J,) voltages [V] and temperatures [deg C] of (J, 3) bytes at CONDITION."""
    data = np.ascontiguousarray(data)
    return data[:, 0:2].view('<u2')[:, 0] * 0.1, data[:, 2].astype(float)


def value_of(data: Bytes, block: Register, register: Register) -> Counts:
    """Return (J,) unsigned values of a register within (J, N) bytes read at a block."""
    begin = register.address - block.address
    part = data[:, begin : begin + register.size].astype(np.int64)
    return (part << (8 * np.arange(register.size))).sum(axis=1).astype(np.int32)


def hardware_error(bits: int) -> str:
    """Return the hardware error of one motor in words."""
    known = [text for bit, text in HARDWARE_ERRORS.items() if bits & bit]
    rest = bits & ~sum(HARDWARE_ERRORS)
    return ', '.join([*known, *([f'hardware error 0x{rest:02x}'] if rest else [])])
