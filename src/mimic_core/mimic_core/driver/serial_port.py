"""A serial port with errors that say what to do."""

import contextlib
import errno
import os
import stat
import termios
import time
from dataclasses import dataclass
from pathlib import Path

import serial
from serial.tools import list_ports

from mimic_core.errors import NoReplyError, PortError
from mimic_core.params import param

# What a port raises when its cable was pulled, depending on what is asked of it.
_GONE = (serial.SerialException, OSError, TypeError, termios.error)


@dataclass(frozen=True, kw_only=True)
class SerialParams:
    """Parameters of a device on a serial port; a device overrides `baud`."""

    port: str = param('Serial port, best by /dev/serial/by-id.', '/dev/ttyUSB0')
    baud: int = param('Bits a second [1/s].', 115200, low=1200, high=10_000_000)
    reply_timeout: float = param('Longest wait for a reply [s].', 0.03, low=0.001, high=1.0)


class SerialPort:
    """A serial port: 8 data bits, no parity, 1 stop bit, for this process alone."""

    def __init__(self, path: str, baud: int, timeout: float) -> None:
        """Open the port.

        Args:
            path: Of the device file; a link is followed.
            baud: Bits a second [1/s].
            timeout: Longest wait for bytes [s].

        Raises:
            PortError: Unknown, busy, or no permission; says which and what to do.
        """
        self.path, self.timeout = path, timeout
        try:
            self._serial = serial.Serial(
                path, baud, timeout=timeout, write_timeout=timeout, exclusive=True
            )
        except (*_GONE, ValueError) as error:
            raise PortError(explain(path, error)) from error
        # A USB adapter of FTDI else keeps what came for 16 ms. Others, and terminals, have none.
        with contextlib.suppress(OSError, ValueError, NotImplementedError):
            self._serial.set_low_latency_mode(True)
        self.flush_input()

    def close(self) -> None:
        """Close it; never raises."""
        try:
            self._serial.close()
        except _GONE:
            return  # it is gone already

    def write(self, data: bytes) -> None:
        """Send bytes; raises PortError when it was unplugged, NoReplyError when it takes none."""
        try:
            self._serial.write(data)
        except serial.SerialTimeoutException as error:
            raise NoReplyError(f'{self.path} takes no bytes for {self.timeout} s') from error
        except _GONE as error:
            raise PortError(f'{self.path} was unplugged: {error}') from error

    def read(self, size: int) -> bytes:
        """Return exactly `size` bytes.

        Raises:
            NoReplyError: Fewer came in time; the message says how many.
            PortError: It was unplugged.
        """
        data = self.read_some(size)
        if len(data) < size:
            raise NoReplyError(f'{self.path}: {len(data)} of {size} bytes in {self.timeout} s')
        return data

    def read_some(self, size: int) -> bytes:
        """Return up to `size` bytes, as many as come in time; raises PortError."""
        try:
            data: bytes = self._serial.read(size)
        except _GONE as error:
            raise PortError(f'{self.path} was unplugged: {error}') from error
        return data

    def waiting(self) -> int:
        """Return how many bytes have come; raises PortError."""
        try:
            return int(self._serial.in_waiting)
        except _GONE as error:
            raise PortError(f'{self.path} was unplugged: {error}') from error

    def flush_input(self) -> None:
        """Drop what came and was not read; raises PortError."""
        try:
            self._serial.reset_input_buffer()
        except _GONE as error:
            raise PortError(f'{self.path} was unplugged: {error}') from error

    def drain(self, quiet: float) -> None:
        """Drop bytes until none has come for `quiet` seconds: after noise or a late reply."""
        end = time.perf_counter() + 10.0 * quiet
        while time.perf_counter() < end:
            if not self.waiting():
                time.sleep(quiet)
                if not self.waiting():
                    return
            self.flush_input()


def explain(path: str, error: Exception) -> str:
    """Return one sentence on why a port cannot be opened, and what to do."""
    file = Path(path)
    code = getattr(error, 'errno', None)
    if not file.exists():
        found = ', '.join(sorted(port.device for port in list_ports.comports())) or 'none'
        return f'there is no port {path}; ports of this machine: {found}. Is it plugged in?'
    if code == errno.EBUSY or 'exclusively lock' in str(error):
        return f'{path} is busy: another program has it open (fuser {path} names it)'
    if code in (errno.EACCES, errno.EPERM) or not os.access(file, os.R_OK | os.W_OK):
        join = f'sudo usermod -aG {group_of(file)} $USER'
        return f'no permission for {path}: join its group ({join}), then log in again'
    if not stat.S_ISCHR(file.stat().st_mode):
        return f'{path} is not a serial port'
    return f'{path} cannot be opened: {error}'


def group_of(file: Path) -> str:
    """Return the group that owns a device file, its number where it has no name."""
    try:
        return file.group()
    except KeyError:
        return str(file.stat().st_gid)
