"""Registers of Dynamixel X servos, protocol 2.0, and what their numbers mean.

Source: ROBOTIS e-Manual, XL330-M288 and XC330. The packets are those of the Dynamixel SDK.
"""

from dataclasses import dataclass
from typing import Final

from mimic_core.driver.motor_bus import Register

OPERATING_MODE: Final = Register(11, 1)
TORQUE_ENABLE: Final = Register(64, 1)
CONDITION: Final = Register(64, 7)  # torque enable, LED, …, hardware error at the end
GOAL_CURRENT: Final = Register(102, 2)
GOAL_POSITION: Final = Register(116, 4)
PRESENT: Final = Register(126, 10)  # current, velocity, position
SUPPLY: Final = Register(144, 3)  # voltage, temperature

MODELS: Final = {
    1190: 'XL330-M077', 1200: 'XL330-M288', 1210: 'XC330-T181', 1220: 'XC330-T288',
    1230: 'XC330-M181', 1240: 'XC330-M288',
}  # fmt: skip
CURRENT_BASED_POSITION: Final = 5  # operating mode: to a position, with bounded current
ALERT: Final = 0x80  # of the error byte: look at the hardware error
REPLY_ERRORS: Final = {
    1: 'failed', 2: 'unknown instruction', 3: 'wrong checksum', 4: 'out of range',
    5: 'wrong length', 6: 'beyond a limit', 7: 'no access',
}  # fmt: skip
HARDWARE_ERRORS: Final = {
    0x01: 'input voltage', 0x04: 'over-temperature', 0x08: 'encoder', 0x10: 'electrical shock',
    0x20: 'overload',
}  # fmt: skip
BAUDS: Final = (57600, 1_000_000, 115200, 9600, 2_000_000, 3_000_000, 4_000_000)  # [1/s]

BITS_PER_BYTE: Final = 10  # on the line: start, 8 data, stop
CYCLE_BYTES: Final = 14 + 21 + 16 + 11  # read PRESENT, write GOAL_POSITION, and their replies

TICKS_PER_TURN: Final = 4096
AMPERE_PER_COUNT: Final = 0.001
TURNS_PER_SECOND_PER_COUNT: Final = 0.229 / 60.0  # of velocity
VOLT_PER_COUNT: Final = 0.1


@dataclass(frozen=True)
class Present:
    """What a servo measures."""

    current: float  # [A]
    velocity: float  # [ticks/s]
    position: int  # [ticks]


def parse_present(data: bytes) -> Present:
    """Return the content of PRESENT."""
    current = int.from_bytes(data[0:2], 'little', signed=True)
    velocity = int.from_bytes(data[2:6], 'little', signed=True)
    position = int.from_bytes(data[6:10], 'little', signed=True)
    return Present(
        AMPERE_PER_COUNT * current,
        TURNS_PER_SECOND_PER_COUNT * TICKS_PER_TURN * velocity,
        position,
    )


@dataclass(frozen=True)
class Scale:
    """Ticks of the servo to and from the way of a finger."""

    closed_ticks: int
    open_ticks: int
    travel: float  # [m] of a finger between closed and open

    @property
    def metres_per_tick(self) -> float:
        """Return the way per tick [m]; negative where opening turns backwards."""
        return self.travel / (self.open_ticks - self.closed_ticks)

    def to_ticks(self, way: float) -> int:
        """Return the position of a way [m]."""
        return round(self.closed_ticks + way / self.metres_per_tick)

    def to_way(self, ticks: int) -> float:
        """Return the way of a position [m]."""
        return (ticks - self.closed_ticks) * self.metres_per_tick


def hardware_errors(code: int) -> str:
    """Return a hardware error in words."""
    names = [text for bit, text in HARDWARE_ERRORS.items() if code & bit]
    return ', '.join(names) or f'hardware error {code:#04x}'
