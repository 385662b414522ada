"""An Ability Hand that is not there: its protocol on a pseudo-terminal, and six motors.

Written from the interface control document, not from `protocol`, so that each checks the other.
"""

import argparse
import struct
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.emulator import Faults, Plant, PtyServer, console
from mimic_description import load_robot

_KEPT_WRITES = 50_000  # of the last minutes, so that its memory stays flat

_WATCHDOG = 0.3  # [s] without a valid frame until the hand controls itself again
_FULL_SCALE = 150.0  # [deg]
_COUNTS_PER_AMPERE = 620.606
_STALL_CURRENT = 0.6  # [A] of a blocked motor
_GRIP_FORCE = 8.0  # [N] on a pad at full effort
_GEARS = (649.0,) * 5 + (162.45,)
_PAD_OF_JOINT = (0, 1, 2, 3, 4)  # the rotator has none


class Emulator:
    """The far end of the line, in the motors' own order: four fingers, flexor, rotator."""

    def __init__(
        self, address: int = 0x50, boot_time: float = 0.3, stuff_replies: bool = True
    ) -> None:
        """Make a hand at rest, half open.

        Args:
            address: That it answers to.
            boot_time: Silence after a brown-out [s].
            stuff_replies: The hand's own setting 46.
        """
        robot = load_robot('none', 'ability')
        self.faults = Faults()
        self.plant = Plant(robot.limits, robot.home)
        self.params: dict[str, Any] = {}
        self.api = False  # whether it follows commands
        self.frames = 0  # valid ones
        self._address, self._boot_time, self._stuffs = address, boot_time, stuff_replies
        self._since_frame = self._booting = 0.0
        self._browned = False
        self._writes: deque[tuple[float, FloatArray]] = deque(maxlen=_KEPT_WRITES)
        self._inside, self._escaped = bytearray(), False

    def writes(self) -> list[tuple[float, FloatArray]]:
        """Return when [perf_counter, s] which (6,) set-points [rad] came over the wire."""
        return list(self._writes)

    # ByteDevice -----------------------------------------------------------------------------

    def step(self, dt: float) -> list[bytes]:
        """Move the motors, watch the watchdog and the supply."""
        browned = self.faults.on('brown_out')
        if browned and not self._browned:
            self._booting = self._boot_time
            self._let_go()
        self._browned = browned
        self._booting = max(self._booting - dt, 0.0)
        self._since_frame += dt
        if self._since_frame > _WATCHDOG:
            self._let_go()
        for i in range(6):
            self.plant.stuck[i] = self.faults.on('stuck', i)
            if self.faults.on('over_temperature', i):  # its output is limited to nothing
                self.plant.target[i] = self.plant.position[i]
        self.plant.step(dt)
        return []

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes; answer every whole valid frame for this address."""
        if self._booting > 0.0:
            self._inside.clear()
            return []
        replies = []
        for byte in data:
            if byte == 0x7E:
                frame = bytes(self._inside)
                self._inside.clear()
                self._escaped = False
                if len(frame) >= 3 and sum(frame) % 256 == 0 and frame[0] == self._address:
                    replies += self._serve(frame[1:-1])
            elif byte == 0x7D:
                self._escaped = True
            else:
                self._inside.append(byte ^ 0x20 if self._escaped else byte)
                self._escaped = False
        return replies

    def break_checksum(self, reply: bytes) -> bytes:
        """Return a stuffed frame in which a byte before the closing flag is wrong."""
        wrong = reply[-2] ^ 0x55
        return reply[:-2] + bytes([wrong if wrong not in (0x7D, 0x7E) else wrong ^ 0x01, 0x7E])

    # The hand -------------------------------------------------------------------------------

    def _let_go(self) -> None:
        self.api = False
        self.plant.torque[:] = False
        self.plant.target = self.plant.position.copy()

    def _serve(self, frame: bytes) -> list[bytes]:
        self.frames += 1
        control, variant = frame[0] & 0xF0, frame[0] & 0x0F
        if frame[0] == 0x7C:
            self._let_go()
            return []
        if control == 0xA0:
            if self.api:
                self._since_frame = 0.0
        elif control in (0x10, 0x30) and len(frame) == 13:
            self.api, self._since_frame = True, 0.0
            values = struct.unpack('<6h', frame[1:])
            if control == 0x10:
                target = np.radians([v * _FULL_SCALE / 32767 for v in values])
                self._writes.append((time.perf_counter(), target))
                self.plant.target = target.copy()
                self.plant.torque[:] = True
            else:  # currents: only none of it is emulated
                self.plant.torque[:] = False
        else:
            return []
        return [self._reply(frame[0], variant)] if variant < 3 else []

    def _reply(self, header: int, variant: int) -> bytes:
        positions = [round(np.degrees(q) * 32767 / _FULL_SCALE) for q in self.plant.position]
        effort = self.plant.effort
        currents = [round(e * _STALL_CURRENT * _COUNTS_PER_AMPERE) for e in effort]
        rotors = [
            int(np.clip(round(v * gear * 4.0), -32767, 32767))
            for v, gear in zip(self.plant.velocity, _GEARS, strict=True)
        ]
        seconds = rotors if variant == 1 else currents
        body = bytes([header])
        for position, second in zip(positions, seconds, strict=True):
            body += struct.pack('<hh', position, second)
        body += struct.pack('<6h', *rotors) if variant == 2 else self._touch()
        body += bytes([self._status()])
        body += bytes([(256 - sum(body) % 256) % 256])
        if not self._stuffs:
            return body
        stuffed = bytearray(b'\x7e')
        for byte in body:
            stuffed += bytes([0x7D, byte ^ 0x20]) if byte in (0x7D, 0x7E) else bytes([byte])
        return bytes(stuffed) + b'\x7e'

    def _touch(self) -> bytes:
        """Return 45 bytes: two cells of each pad press when an object stops its motor."""
        cells = [0] * 30
        blocked = self.plant.blocked()
        for joint, pad in enumerate(_PAD_OF_JOINT):
            if blocked[joint] and self.plant.torque[joint]:
                force = 1.0 + _GRIP_FORCE * abs(self.plant.effort[joint])
                resistance = 121591.0 / (force - 0.878894)
                volts = 33000.0 / max(resistance - 10000.0, 10001.0)
                for cell in (0, 5):
                    cells[6 * pad + cell] = min(4095, round(volts * 4096 / 3.3))
        packed = 0
        for i, value in enumerate(cells):
            packed |= value << 12 * i
        return packed.to_bytes(45, 'little')

    def _status(self) -> int:
        status = 0
        for i, stalled in enumerate(self.plant.blocked()):
            hot = self.faults.on('over_temperature', i)
            hard = bool(stalled) and abs(self.plant.effort[i]) > 0.9
            status |= int(hot or hard) << i
        return status


@contextmanager
def start(
    link: Path, *, baud: int = 0, device_baud: int = 0, **options: Any
) -> Iterator[Emulator]:
    """Serve a hand behind a link while the context lasts.

    Args:
        link: Where drivers find the port.
        baud: Bits a second that replies need on the wire [1/s]; 0: none.
        device_baud: To which the hand is set [1/s]; 0: it understands every speed.
        options: Of `Emulator`.
    """
    emulator = Emulator(**options)
    emulator.params = {'port': str(link)}
    with PtyServer(emulator, link, baud, device_baud):
        yield emulator


def main() -> None:
    """Run a hand by hand."""
    parser = argparse.ArgumentParser(description='A PSYONIC Ability Hand on a pseudo-terminal.')
    parser.add_argument('--link', type=Path, default=Path('ability'), help='path of the port')
    parser.add_argument('--baud', type=int, default=0, help='line time of replies; 0: none')
    options, _ = parser.parse_known_args()  # a launch file adds arguments of ROS
    with start(options.link, baud=options.baud) as emulator:

        def state() -> str:
            mode = 'follows commands' if emulator.api else 'on its own'
            return f'{mode}, {np.round(emulator.plant.position, 3).tolist()} rad'

        console(str(options.link), emulator.faults, state)


if __name__ == '__main__':
    main()
