"""CAN frames of the Allegro Hand: bytes <-> numbers, in the two dialects of its versions.

Sources: Wonikrobotics-git/allegro_hand_ros2 (v4), simlabrobotics/allegro_hand_ros and
felixduvallet/allegro-hand-ros (v2, v3). Fingers are index, middle, ring, thumb, 4 joints each.
"""

import struct
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from mimic_core.arrays import FloatArray, IntArray
from mimic_core.errors import ProtocolError

FINGERS: Final = ('index', 'middle', 'ring', 'thumb')
JOINTS: Final = 16
RAD_PER_COUNT: Final = np.radians(333.3 / 65536.0)  # [rad]
BITRATE: Final = 1_000_000  # [1/s]
SERIAL_PREFIX: Final = 'SAH0'  # of every hand with the v4 dialect
# Largest PWM of each joint, of 1200. Source: v4_spec.hpp.
PWM_CAPS: Final = (*(375, 675, 450, 285) * 3, 525, 405, 270, 270)

_SERVO_ON, _OVER_TEMPERATURE, _INTERNAL_FAULT = 0x01, 0x02, 0x04  # bits of the status


@dataclass(frozen=True)
class Frame:
    """One CAN frame with an 11-bit id."""

    id: int
    data: bytes = b''
    remote: bool = False  # asks for the frame of that id
    stamp: float = 0.0  # [s] when it was on the bus, by whatever clock; 0: not known


@dataclass(frozen=True)
class Info:
    """What a v4 hand says of itself."""

    hardware: int
    firmware: int
    left: bool
    temperature: int  # [deg C]
    servo: bool
    over_temperature: bool
    internal_fault: bool

    @property
    def who(self) -> tuple[int, int, bool]:
        """What does not change while it is the same hand."""
        return self.hardware, self.firmware, self.left


class Dialect(Protocol):
    """How one version of the hand speaks."""

    name: str
    position_ids: dict[int, int]  # id -> finger
    torque_ids: frozenset[int]
    info_id: int | None  # None: it says nothing of itself
    serial_id: int | None
    temperature_ids: dict[int, int]  # id -> finger

    def servo(self, on: bool) -> list[Frame]:
        """Return the frames that switch the motors on or off."""

    def period(self, position_ms: int, temperature_ms: int) -> Frame:
        """Return the frame that sets how often the hand sends [ms]; 0: never."""

    def torque(self, pwm: FloatArray) -> list[Frame]:
        """Return the four frames of (16,) PWM values."""

    def positions(self, data: bytes) -> FloatArray:
        """Return (16,) positions [rad] of the 32 bytes of four frames, finger by finger."""


class V4:
    """Hands of version 4; ids are (message << 2) + device id, numbers little-endian."""

    name = 'v4'

    def __init__(self, device_id: int = 0) -> None:
        """Take the id of the hand on its bus, 0 to 3."""
        self._id = device_id
        self.position_ids = {self._of(0x20 + f): f for f in range(4)}
        self.torque_ids = frozenset(self._of(0x60 + f) for f in range(4))
        self.info_id: int | None = self._of(0x80)
        self.serial_id: int | None = self._of(0x88)
        self.temperature_ids = {self._of(0x38 + f): f for f in range(4)}
        self._torque = [self._of(0x60 + f) for f in range(4)]

    def _of(self, message: int) -> int:
        return (message << 2) + self._id

    def servo(self, on: bool) -> list[Frame]:
        """Return the frame that switches the motors on or off."""
        return [Frame(self._of(0x40 if on else 0x41))]

    def period(self, position_ms: int, temperature_ms: int) -> Frame:
        """Return the frame that sets how often positions and temperatures come; no IMU."""
        return Frame(self._of(0x81), struct.pack('<HHH', position_ms, 0, temperature_ms))

    def torque(self, pwm: FloatArray) -> list[Frame]:
        """Return four frames of int16, joints in their order."""
        data = pwm.astype('<i2').tobytes()
        return [Frame(id_, data[8 * f : 8 * f + 8]) for f, id_ in enumerate(self._torque)]

    def positions(self, data: bytes) -> FloatArray:
        """Return (16,) positions [rad]; the hand knows its own zero."""
        return np.frombuffer(data, '<i2') * RAD_PER_COUNT


class V3:
    """Hands of versions 2 and 3; ids are (command << 6) + (destination << 3) + source."""

    name = 'v3'
    info_id: int | None = None
    serial_id: int | None = None

    def __init__(
        self, offsets: IntArray, directions: IntArray, motor_directions: IntArray
    ) -> None:
        """Take what the zero file of the hand says of each joint.

        Args:
            offsets: (16,) of the encoders [counts].
            directions: (16,) of the encoders, 1 or -1.
            motor_directions: (16,) of the motors, 1 or -1.
        """
        self._offsets = np.asarray(offsets, np.int64) + 32768
        self._directions = np.asarray(directions, np.int64)
        self._motor_directions = np.asarray(motor_directions, np.int64)
        self.position_ids = {0x3D3 + f: f for f in range(4)}  # command 0x0F, from 3 + f to 2
        self._torque = (0x18A, 0x1CA, 0x20A, 0x24A)  # command 6 + f, from 2 to 1
        self.torque_ids = frozenset(self._torque)
        self.temperature_ids: dict[int, int] = {}

    def servo(self, on: bool) -> list[Frame]:
        """Return the frames that switch the motors on (in joint mode) or off."""
        return [Frame(0x10A), Frame(0x04A)] if on else [Frame(0x08A)]

    def period(self, position_ms: int, temperature_ms: int) -> Frame:
        """Return the frame that sets how often positions come; it sends no temperatures."""
        return Frame(0x0CA, bytes([position_ms]))

    def torque(self, pwm: FloatArray) -> list[Frame]:
        """Return four frames of big-endian int16, joints of a finger in reverse order."""
        turned = self._motor_directions * pwm
        data = turned.reshape(4, 4)[:, ::-1].astype('>i2').tobytes()
        return [Frame(id_, data[8 * f : 8 * f + 8]) for f, id_ in enumerate(self._torque)]

    def positions(self, data: bytes) -> FloatArray:
        """Return (16,) positions [rad] by the offsets and directions of the zero file."""
        raw = np.frombuffer(data, '<u2').astype(np.int64)
        return (self._directions * raw - self._offsets) * RAD_PER_COUNT


def parse_info(data: bytes) -> Info:
    """Return what a reply to the request for information holds.

    Raises:
        ProtocolError: It is not of 7 bytes.
    """
    if len(data) != 7:
        raise ProtocolError(f'information of {len(data)} bytes, not 7')
    hardware, firmware, hand, temperature, status = struct.unpack('<HHBBB', data)
    return Info(
        hardware,
        firmware,
        hand == 1,
        temperature,
        bool(status & _SERVO_ON),
        bool(status & _OVER_TEMPERATURE),
        bool(status & _INTERNAL_FAULT),
    )
