"""A bus of Feetech motors on a serial port; every call has a time limit."""

import time
from typing import Final

import numpy as np

from mimic_core.driver import SerialPort
from mimic_core.driver.motor_bus import Bytes, MotorBus, Register
from mimic_core.driver.tries import tried
from mimic_core.errors import IdentityError, NoReplyError, ProtocolError
from mimic_so101_driver import protocol
from mimic_so101_driver.protocol import Counts

_EMPTY: Final = 6  # [bytes] of a reply without data


class Bus(MotorBus):
    """Requests to the motors of an arm."""

    def __init__(self, port: SerialPort, ids: tuple[int, ...]) -> None:
        """Make a bus on an open port, which its owner closes."""
        super().__init__(ids)
        self._port = port

    def ping(self, motor: int) -> None:
        """Return when a motor answers; raises NoReplyError or ProtocolError."""
        self._ask(protocol.ping(motor), [motor], 0)

    def read(self, motor: int, register: Register) -> bytes:
        """Return the bytes of a register of one motor."""
        request = protocol.read(motor, register)
        rows = tried(lambda: self._ask(request, [motor], register.size))
        return rows[0, 1:].tobytes()

    def write(self, motor: int, register: Register, value: int) -> None:
        """Set a register of one motor, which confirms it."""
        request = protocol.write(motor, register, value)
        tried(lambda: self._ask(request, [motor], 0))

    def sync_write(self, register: Register, values: Bytes) -> None:
        """Set (J, N) bytes in all motors; nobody confirms it."""
        self._port.write(protocol.sync_write(self.ids, register, values))

    def _rows(self, register: Register, order: list[int]) -> Bytes:
        return self._ask(protocol.sync_read(order, register), order, register.size)

    def _ask(self, request: bytes, order: list[int], size: int) -> Bytes:
        """Return (J, 1 + size) rows of error and data of the motors that answer in order."""
        self._port.flush_input()
        self._port.write(request)
        rows = np.empty((len(order), 1 + size), np.uint8)
        buffer = bytearray()
        end = time.perf_counter() + 2.0 * self._port.timeout  # noise may go on for ever
        over = False
        for i, motor in enumerate(order):
            while (status := self._status(buffer)) is None:
                missing = max((len(order) - i) * (_EMPTY + size) - len(buffer), 1)
                if over:
                    rest = ', '.join(map(str, sorted(order[i:])))
                    raise NoReplyError(f'no reply of motor {rest}')
                data = self._port.read_some(missing)
                buffer += data
                over = len(data) < missing or time.perf_counter() > end
            if status.motor != motor or len(status.data) != size:
                raise ProtocolError(
                    f'motor {status.motor} answers with {len(status.data)} bytes '
                    f'instead of motor {motor} with {size}'
                )
            rows[i, 0] = status.error
            rows[i, 1:] = list(status.data)
        return rows

    def _status(self, buffer: bytearray) -> protocol.Status | None:
        status, dropped = protocol.take_status(buffer)
        self.noise += dropped
        return status


def identify(bus: Bus, names: dict[int, str]) -> str:
    """Check that every motor is there and an STS3215, all with one firmware; return which.

    Args:
        bus: Its motors are asked.
        names: What people call each id.

    Raises:
        NoReplyError: No motor answers at all.
        IdentityError: Some are missing or something else; says which.
    """
    found: dict[int, tuple[int, str]] = {}
    why = ''
    for motor in bus.ids:
        try:
            major, minor, _, low, high = bus.read(motor, protocol.IDENTITY)
        except (NoReplyError, ProtocolError) as error:
            why = str(error)
            continue
        found[motor] = low + 256 * high, f'{major}.{minor}'
    if not found:
        raise NoReplyError(f'the SO-ARM101 does not answer: {why}')
    missing = [f'{names[motor]} (motor {motor})' for motor in bus.ids if motor not in found]
    if missing:
        raise IdentityError(
            f'motors do not answer: {", ".join(missing)}; {len(found)} others do. '
            'Is a cable of the chain loose?'
        )
    foreign = [
        f'motor {m} says model {model}'
        for m, (model, _) in found.items()
        if model != protocol.MODEL
    ]
    if foreign:
        raise IdentityError(f'no STS3215 motors (model {protocol.MODEL}): {", ".join(foreign)}')
    versions = {firmware for _, firmware in found.values()}
    if len(versions) > 1:
        told = ', '.join(f'motor {m} {firmware}' for m, (_, firmware) in found.items())
        raise IdentityError(
            f"motors with different firmware: {told}; bring them to one with Feetech's software"
        )
    return f'{len(found)} STS3215 motors, firmware {versions.pop()}'


def calibration_registers(bus: Bus, motor: int) -> tuple[int, int, int]:
    """Return homing offset, lower and upper position limit of a motor [counts]."""
    data = np.frombuffer(bus.read(motor, protocol.CALIBRATED), np.uint8)
    low, high = protocol.words(data[:4].reshape(1, -1))[0].tolist()
    raw: Counts = protocol.words(data[22:24].reshape(1, -1))[0]
    return int(protocol.decode_signed(raw, 11)[0]), low, high
