"""The line to a gripper: one request, one reply, each with a time limit."""

import time

from mimic_core.driver import SerialPort
from mimic_core.errors import DeviceError, NoReplyError
from mimic_robotiq_driver.protocol import (
    STATUS_REGISTERS,
    WRITE_REPLY_BYTES,
    Command,
    Status,
    check_write_reply,
    is_sound,
    own_bytes,
    parse_status,
    read_reply_bytes,
    read_request,
    write_request,
)

_MAX_REGISTERS = 6  # of the status block that a gripper answers
_QUIET = 0.002  # [s] without a byte: the line is idle (17 characters at 115200 bit/s)


class ModbusLine:
    """One gripper on one serial port."""

    def __init__(self, path: str, baud: int, timeout: float, slave: int, gap: float) -> None:
        """Open the port.

        Args:
            path: Of the port.
            baud: Bits a second [1/s].
            timeout: Longest wait for a reply [s].
            slave: Modbus address.
            gap: Least time between two commands [s].

        Raises:
            PortError: It cannot be opened.
        """
        self._port = SerialPort(path, baud, timeout)
        self._slave, self._gap = slave, gap
        self._where = f'{path} at {baud} bit/s'
        self._count = STATUS_REGISTERS
        self._commanded_at = -1.0

    def close(self) -> None:
        """Close the port; never raises."""
        self._port.close()

    def status(self) -> Status:
        """Read the status registers.

        After a failure the next request asks for another number of registers, so that a reply
        that comes late is not taken for that of the next request.

        Raises:
            DeviceError: No reply, a damaged one, or unplugged.
        """
        try:
            frame = self._ask(
                read_request(self._slave, self._count), read_reply_bytes(self._count)
            )
            return parse_status(frame, self._slave, self._count)
        except DeviceError as error:
            choices = _MAX_REGISTERS - STATUS_REGISTERS + 1
            self._count = STATUS_REGISTERS + (self._count - STATUS_REGISTERS + 1) % choices
            raise self._settled(error) from error

    def command(self, command: Command) -> None:
        """Write the command registers.

        Raises:
            DeviceError: No reply, a damaged one, or unplugged.
        """
        wait = self._commanded_at + self._gap - time.perf_counter()
        if wait > 0.0:
            time.sleep(wait)
        self._commanded_at = time.perf_counter()
        try:
            frame = self._ask(write_request(self._slave, command), WRITE_REPLY_BYTES)
            check_write_reply(frame, self._slave)
        except DeviceError as error:
            raise self._settled(error) from error

    def _ask(self, request: bytes, size: int) -> bytes:
        """Send a request; return its reply, or what else comes. Late replies are passed over."""
        self._port.flush_input()
        self._port.write(request)
        data = self._port.read_some(size)
        while own_bytes(data) not in (0, size):
            late = own_bytes(data)
            data += self._port.read_some(max(late - len(data), 0))
            if not is_sound(data[:late], self._slave):
                break
            data = data[late:]
            data += self._port.read_some(size - len(data))
        return data

    def _settled(self, error: DeviceError) -> DeviceError:
        """Let the line fall silent; return the error, which says where it was."""
        self._port.drain(_QUIET)
        if isinstance(error, NoReplyError):
            return NoReplyError(f'{error} on {self._where}')
        return error
