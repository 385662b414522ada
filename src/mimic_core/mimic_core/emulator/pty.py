"""A serial device that is not there: a pseudo-terminal with an emulator behind it."""

import contextlib
import os
import select
import termios
import time
import tty
from pathlib import Path

from mimic_core.emulator.server import POLL, REPLUG, ByteDevice, Server

_BITS = 10  # of a byte on the wire: start, 8 data, stop


class PtyServer(Server):
    """Serves a device on a pseudo-terminal, behind a link that stays where it is.

    Both ends are raw. The fault disconnect closes the terminal, as a pulled cable does; once it is
    cleared, a new one takes its place behind the same link.
    """

    def __init__(
        self, device: ByteDevice, link: Path, baud: int = 0, device_baud: int = 0
    ) -> None:
        """Make a server that does not run yet.

        Args:
            device: Who answers.
            link: Where drivers find the port.
            baud: Bits a second that replies need on the wire [1/s]; 0: none.
            device_baud: To which the device is set [1/s]: what a port of another speed sends is
                noise to it. 0: it understands every speed.
        """
        super().__init__(device)
        self.link, self.baud, self.device_baud = link, baud, device_baud
        self._fd = -1
        self._slave = -1

    def _plug(self) -> None:
        if self._fd >= 0:
            return
        self._fd, self._slave = os.openpty()
        tty.setraw(self._fd)
        tty.setraw(self._slave)
        os.set_blocking(self._fd, False)
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(os.ttyname(self._slave))

    def _unplug(self) -> None:
        if self._fd < 0:
            return
        self.link.unlink(missing_ok=True)
        os.close(self._fd)
        os.close(self._slave)
        self._fd = self._slave = -1

    def _serve(self) -> None:
        if not select.select([self._fd], [], [], POLL)[0]:
            return
        try:
            data = os.read(self._fd, 4096)
        except OSError:  # nobody has the other end open
            time.sleep(REPLUG)
            return
        self._note(data)
        if self.device_baud and self._speed() != self.device_baud:
            data = self.device.faults.rng.bytes(len(data))
        for reply in self.device.feed(data):
            self._send(reply)

    def _speed(self) -> int:
        """Return the speed to which the driver has set its end [1/s]; 0: an unusual one."""
        code = termios.tcgetattr(self._slave)[5]
        names = (name for name in dir(termios) if name[0] == 'B' and name[1:].isdigit())
        return next((int(name[1:]) for name in names if getattr(termios, name) == code), 0)

    def _airtime(self, frame: bytes) -> float:
        return _BITS * len(frame) / self.baud if self.baud else 0.0

    def _write(self, frame: bytes) -> None:
        with contextlib.suppress(BlockingIOError):  # nobody reads: lost, as on a wire
            os.write(self._fd, frame)
