"""Frames of the PSYONIC Ability Hand: bytes <-> numbers.

Source: PSYONIC, Ability Hand Interface Control Document, v1.8, sections on the serial protocol;
what it leaves open as in the maker's ability-hand-api (python/ah_wrapper).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from mimic_core.arrays import FloatArray, IntArray
from mimic_core.errors import ProtocolError

JOINTS: Final = 6  # index, middle, ring, pinky, thumb flexor, thumb rotator
PADS: Final = 5  # index, middle, ring, pinky, thumb
CELLS: Final = 6  # of a pad

FLAG: Final = b'\x7e'  # before and after every frame
_ESCAPE: Final = b'\x7d'

# Upper half of the first byte after the address; the lower half is the variant of the reply.
POSITION: Final = 0x10
CURRENT: Final = 0x30
READ: Final = 0xA0
EXIT: Final = 0x7C  # leave the API mode

# Variants of the reply.
TOUCH: Final = 0  # position, current, touch
TOUCH_VELOCITY: Final = 1  # position, rotor velocity, touch
VELOCITY: Final = 2  # position, current, rotor velocity
LENGTHS: Final = {TOUCH: 72, TOUCH_VELOCITY: 72, VELOCITY: 39}  # [bytes] without flags

COUNTS_PER_RAD: Final = 32767.0 / np.radians(150.0)  # [1/rad], ICD: 150 degrees full scale
GEAR: Final = np.array([649.0, 649.0, 649.0, 649.0, 649.0, 162.45])  # [1] rotor over joint
_SHORTEST: Final = 4  # [bytes]; less is noise that RS-485 adapters add at the edges of frames


@dataclass(frozen=True)
class Reply:
    """What the hand said, in counts but for the positions."""

    header: int  # that of the command
    position: FloatArray  # (6,) [rad]
    current: IntArray | None  # (6,) counts
    rotor: IntArray | None  # (6,) counts
    touch: IntArray | None  # (30,) [0..4095], pads of six cells
    limited: int  # bit set of joints whose output is limited: collision or heat


def checksum(data: bytes) -> int:
    """Return the byte that makes the sum of all bytes 0 modulo 256."""
    return -sum(data) & 0xFF


def stuff(frame: bytes) -> bytes:
    """Return a frame between flags, with flags and escapes inside it escaped."""
    inner = frame.replace(_ESCAPE, b'\x7d\x5d').replace(FLAG, b'\x7d\x5e')
    return FLAG + inner + FLAG


def unstuff(inner: bytes) -> bytes:
    """Return the frame that stood between two flags."""
    if _ESCAPE not in inner:
        return inner
    first, *rest = inner.split(_ESCAPE)
    return first + b''.join(bytes([part[0] ^ 0x20]) + part[1:] for part in rest if part)


def command(address: int, control: int, variant: int, counts: npt.ArrayLike) -> bytes:
    """Return the stuffed frame of a command with six values, [-32767, 32767] each."""
    data = np.asarray(counts, '<i2').tobytes()
    return _frame(bytes([address, control | variant]) + data)


def query(address: int, variant: int) -> bytes:
    """Return the stuffed frame that asks for a reply and commands nothing."""
    return _frame(bytes([address, READ | variant]))


def leave(address: int) -> bytes:
    """Return the stuffed frame that ends the API mode."""
    return _frame(bytes([address, EXIT]))


def _frame(data: bytes) -> bytes:
    return stuff(data + bytes([checksum(data)]))


def position_to_counts(position: FloatArray) -> npt.NDArray[np.int16]:
    """Return (6,) counts of (6,) positions [rad]; those beyond 150 degrees are clipped."""
    counts = np.rint(position * COUNTS_PER_RAD)
    return np.clip(counts, -32767, 32767).astype(np.int16)


def parse(frame: bytes) -> Reply:
    """Return what an unstuffed reply holds.

    Raises:
        ProtocolError: Of the wrong length, or its checksum is wrong.
    """
    variant = frame[0] & 0x0F if frame else -1
    length = LENGTHS.get(variant)
    if length is None or len(frame) != length:
        raise ProtocolError(f'a reply of {len(frame)} bytes that begins with {frame[:1].hex()}')
    if sum(frame) & 0xFF:
        raise ProtocolError('a reply with a wrong checksum')
    pairs = np.frombuffer(frame, '<i2', 2 * JOINTS, 1)
    position = pairs[::2] / COUNTS_PER_RAD
    second = pairs[1::2].astype(np.int64)
    if variant == VELOCITY:
        rotor = np.frombuffer(frame, '<i2', JOINTS, 25).astype(np.int64)
        return Reply(frame[0], position, second, rotor, None, frame[-2])
    touch = unpack_touch(frame[25:70])
    if variant == TOUCH:
        return Reply(frame[0], position, second, None, touch, frame[-2])
    return Reply(frame[0], position, None, second, touch, frame[-2])


def unpack_touch(data: bytes) -> IntArray:
    """Return (30,) values [0..4095] of 45 bytes, two values in three bytes, low bits first."""
    low, middle, high = np.frombuffer(data, np.uint8).reshape(-1, 3).T.astype(np.int64)
    return np.stack([low | (middle & 0x0F) << 8, middle >> 4 | high << 4], axis=1).ravel()


def touch_to_force(touch: IntArray) -> FloatArray:
    """Return forces [N] of touch values [0..4095], 0 where nothing touches.

    Source: ICD v1.8, force sensing resistors on 3.3 V with 33 kOhm; the maker does not calibrate
    them.
    """
    voltage = np.maximum(touch, 1) * 3.3 / 4096.0
    resistance = 33000.0 / voltage + 10000.0
    return np.where(touch > 0, 121591.0 / resistance + 0.878894, 0.0)


class FrameReader:
    """Finds replies in a stream of bytes, whatever noise is between them."""

    def __init__(self) -> None:
        self.damaged = 0  # pieces that were no reply
        self.reason = ''  # why the last of them was not
        self._rest = b''

    def clear(self) -> None:
        """Forget what came and was no whole frame."""
        self._rest = b''

    def feed(self, data: bytes) -> list[Reply]:
        """Take bytes as they come; return the replies in them."""
        *pieces, self._rest = (self._rest + data).split(FLAG)
        replies = []
        for piece in pieces:
            if len(piece) < _SHORTEST:
                continue
            try:
                replies.append(parse(unstuff(piece)))
            except ProtocolError as error:
                self.damaged += 1
                self.reason = str(error)
        return replies
