"""Bytes of the Robotiq grippers: Modbus RTU frames, registers, counts.

Source: Robotiq 2F-85 and 2F-140 instruction manual, sections on registers and Modbus RTU; frames
are built and taken apart by pymodbus.
"""

from dataclasses import dataclass
from typing import Final

from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU, ExceptionResponse
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    WriteMultipleRegistersRequest,
    WriteMultipleRegistersResponse,
)

from mimic_core.errors import IdentityError, NoReplyError, ProtocolError

COMMAND_REGISTER: Final = 0x03E8
STATUS_REGISTER: Final = 0x07D0
STATUS_REGISTERS: Final = 3  # up to 6 can be read, the others are zero
WRITE_REPLY_BYTES: Final = 8

_ACTIVATE, _GO = 0x01, 0x08  # bits of ACTION REQUEST
_STATE_ACTIVE, _STATE_UNUSED = 3, 2  # gSTA
_READ, _WRITE = 0x03, 0x10  # functions
_EXCEPTION = 0x80  # added to the function of a request that is refused
_EXCEPTION_BYTES = 5

OBJECT: Final = ('moving', 'contact while opening', 'contact while closing', 'at target')  # gOBJ
FAULT_NAMES: Final = {  # gFLT
    0x05: 'activation must finish first',
    0x07: 'not activated',
    0x08: 'over-temperature',
    0x09: 'no communication for 1 s',
    0x0A: 'supply under-voltage',
    0x0B: 'automatic release runs',
    0x0C: 'internal fault',
    0x0D: 'activation fault',
    0x0E: 'over-current',
    0x0F: 'automatic release finished',
}
FAULT_WAITS: Final = (0x05, 0x07)  # priority: it wants to be activated
FAULT_SILENCE: Final = 0x09  # minor: nobody talked to it, which the next command ends

_framer: Final = FramerRTU(DecodePDU(is_server=False))


@dataclass(frozen=True)
class Model:
    """What the data sheet says of a gripper."""

    name: str
    stroke: float  # [m] between the fingers when open
    closed_position: float  # [rad] of the knuckle
    speed_min: float  # [m/s] of the fingers towards each other, speed byte 0
    speed_max: float  # [m/s], speed byte 255
    force_min: float  # [N], force byte 0
    force_max: float  # [N], force byte 255

    @property
    def metres_per_radian(self) -> float:
        """Return how far the fingers approach each other, per angle of the knuckle [m/rad]."""
        return self.stroke / self.closed_position


MODELS: Final = {
    '2f85': Model('2F-85', 0.085, 0.7929, 0.020, 0.150, 20.0, 235.0),
    '2f140': Model('2F-140', 0.140, 0.695, 0.030, 0.250, 10.0, 125.0),
}


@dataclass(frozen=True)
class Scale:
    """Counts of the gripper to and from angles of the knuckle."""

    closed_position: float  # [rad]
    open_count: int  # gPO with the fingers fully open
    closed_count: int  # gPO with the fingers fully closed

    def to_count(self, angle: float) -> int:
        """Return rPR of an angle [rad]: truncated, clamped to a byte."""
        span = self.closed_count - self.open_count
        # A measured angle must give its own count again, whatever the rounding.
        count = angle / self.closed_position * span + self.open_count + 1e-6
        return int(min(max(count, 0.0), 255.0))

    def to_angle(self, count: int) -> float:
        """Return the angle of a count [rad]; a little below 0 or above closed where it is so."""
        span = self.closed_count - self.open_count
        return self.closed_position * (count - self.open_count) / span


def share_byte(value: float, low: float, high: float) -> int:
    """Return the byte 0..255 of a value between those of 0 and 255, never above the value."""
    share = (value - low) / (high - low)
    return int(255.0 * min(max(share, 0.0), 1.0) + 1e-6)


@dataclass(frozen=True)
class Command:
    """The three command registers."""

    activate: bool = False  # rACT
    go: bool = False  # rGTO: go to the position
    position: int = 0  # rPR, 0 open .. 255 closed
    speed: int = 0  # rSP, 0 slowest .. 255 fastest
    force: int = 0  # rFR, 0 weakest .. 255 strongest

    @property
    def registers(self) -> list[int]:
        """Return the three registers."""
        action = _ACTIVATE * self.activate | _GO * self.go
        return [action << 8, self.position, self.speed << 8 | self.force]


@dataclass(frozen=True)
class Status:
    """The three status registers."""

    activated: bool  # gACT: echo of rACT
    going: bool  # gGTO
    state: int  # gSTA: 0 reset, 1 activating, 3 active
    object: int  # gOBJ, index of OBJECT; says nothing while `going` is off
    fault: int  # gFLT
    controller_fault: int  # kFLT
    requested: int  # gPR: echo of rPR
    position: int  # gPO
    current: int  # gCU, 10 mA each

    @property
    def active(self) -> bool:
        """Return whether it is activated and takes positions."""
        return self.activated and self.state == _STATE_ACTIVE


def read_request(slave: int, count: int = STATUS_REGISTERS) -> bytes:
    """Return the frame that asks for `count` status registers."""
    pdu = ReadHoldingRegistersRequest(address=STATUS_REGISTER, count=count, dev_id=slave)
    return _framer.buildFrame(pdu)


def read_reply_bytes(count: int = STATUS_REGISTERS) -> int:
    """Return the length of the reply to `read_request`."""
    return 5 + 2 * count


def write_request(slave: int, command: Command) -> bytes:
    """Return the frame of a command."""
    pdu = WriteMultipleRegistersRequest(
        address=COMMAND_REGISTER, registers=command.registers, dev_id=slave
    )
    return _framer.buildFrame(pdu)


def parse_status(frame: bytes, slave: int, count: int = STATUS_REGISTERS) -> Status:
    """Return the status in a reply to `read_request`.

    Raises:
        NoReplyError: There is none.
        ProtocolError: It is damaged, of another slave, or the answer to something else.
        IdentityError: It is sound, but no status of a gripper.
    """
    pdu = _pdu(frame, slave, read_reply_bytes(count))
    if not isinstance(pdu, ReadHoldingRegistersResponse) or len(pdu.registers) != count:
        raise ProtocolError(f'the answer to something else: {frame.hex(" ")}')
    first, second, third = pdu.registers[:3]
    high = first >> 8
    status = Status(
        activated=bool(high & _ACTIVATE),
        going=bool(high & _GO),
        state=high >> 4 & 3,
        object=high >> 6,
        fault=second >> 8 & 0x0F,
        controller_fault=second >> 12,
        requested=second & 0xFF,
        position=third >> 8,
        current=third & 0xFF,
    )
    if first & 0xFF or high & 0x06 or status.state == _STATE_UNUSED:
        raise IdentityError(
            f'slave {slave} is no Robotiq gripper: its status registers hold '
            f'{first:04x} {second:04x} {third:04x}'
        )
    return status


def check_write_reply(frame: bytes, slave: int) -> None:
    """Check the reply to `write_request`.

    Raises:
        NoReplyError: There is none.
        ProtocolError: It is damaged, or the answer to something else.
    """
    pdu = _pdu(frame, slave, WRITE_REPLY_BYTES)
    if not isinstance(pdu, WriteMultipleRegistersResponse) or (pdu.address, pdu.count) != (
        COMMAND_REGISTER,
        3,
    ):
        raise ProtocolError(f'the answer to something else: {frame.hex(" ")}')


def _pdu(frame: bytes, slave: int, size: int) -> object:
    if not frame:
        raise NoReplyError(f'no reply from slave {slave}')
    if frame[0] != slave:
        raise ProtocolError(
            f'noise, or a reply of slave {frame[0]}, not {slave}: {frame.hex(" ")}'
        )
    if len(frame) != size and not is_exception(frame):
        raise ProtocolError(f'{len(frame)} of {size} bytes: {frame.hex(" ")}')
    _, pdu = _framer.handleFrame(frame, slave, 0)
    if pdu is None:
        raise ProtocolError(f'wrong checksum or unknown function: {frame.hex(" ")}')
    if isinstance(pdu, ExceptionResponse):
        raise IdentityError(
            f'slave {slave} is no Robotiq gripper: it answers with Modbus exception '
            f'{pdu.exception_code}, which a gripper never does'
        )
    return pdu


def own_bytes(frame: bytes) -> int:
    """Return how long a reply is by its own first bytes; 0 where they tell nothing."""
    if len(frame) < 3:
        return 0
    return {_READ: 5 + frame[2], _WRITE: WRITE_REPLY_BYTES}.get(frame[1], 0)


def is_sound(frame: bytes, slave: int) -> bool:
    """Tell whether bytes are one whole reply of a slave, to whatever request."""
    return frame[:1] == bytes([slave]) and _framer.handleFrame(frame, slave, 0)[1] is not None


def is_exception(frame: bytes) -> bool:
    """Tell whether a frame is as long as a Modbus exception and begins as one."""
    return len(frame) == _EXCEPTION_BYTES and bool(frame[1] & _EXCEPTION)
