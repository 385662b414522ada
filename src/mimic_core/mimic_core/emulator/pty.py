"""A serial device that is not there: a pseudo-terminal with an emulator behind it."""

import contextlib
import os
import select
import termios
import threading
import time
import tty
from pathlib import Path
from typing import Protocol

from mimic_core.emulator.faults import Faults

_MOST_RECEIVED = 1 << 21  # [B] kept, then it begins anew: an emulator may run for days

_POLL = 0.002  # [s] between looks when nothing comes
_REPLUG = 0.05  # [s] between looks whether the cable is back
_BITS = 10  # of a byte on the wire: start, 8 data, stop


class ByteDevice(Protocol):
    """The far end of a serial line."""

    faults: Faults

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they come; return the replies, whole frames, in order."""

    def step(self, dt: float) -> list[bytes]:
        """Let time pass [s]; return frames that the device sends by itself."""

    def break_checksum(self, reply: bytes) -> bytes:
        """Return a frame with a wrong checksum."""


class PtyServer:
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
        self.device, self.link, self.baud = device, link, baud
        self.device_baud = device_baud
        self.received = bytearray()  # what came lately, for tests of the wire
        self.received_at: list[tuple[float, int]] = []  # [s] perf_counter, bytes so far
        self._fd = -1
        self._slave = -1
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name='emulator', daemon=True)

    def __enter__(self) -> 'PtyServer':
        """Start serving; the link is there when this returns."""
        self._plug()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and remove the link."""
        self._stop.set()
        self._thread.join()
        self._unplug()

    def _plug(self) -> None:
        self._fd, self._slave = os.openpty()
        tty.setraw(self._fd)
        tty.setraw(self._slave)
        os.set_blocking(self._fd, False)
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(os.ttyname(self._slave))

    def _unplug(self) -> None:
        self.link.unlink(missing_ok=True)
        for fd in (self._fd, self._slave):
            if fd >= 0:
                os.close(fd)
        self._fd = self._slave = -1

    def _run(self) -> None:
        last = time.perf_counter()
        while not self._stop.is_set():
            now = time.perf_counter()
            frames = self.device.step(now - last)
            last = now
            if self.device.faults.on('disconnect'):
                if self._fd >= 0:
                    self._unplug()
                time.sleep(_REPLUG)
                continue
            if self._fd < 0:
                self._plug()
            for frame in frames:
                self._send(frame)
            if select.select([self._fd], [], [], _POLL)[0]:
                self._serve()

    def _serve(self) -> None:
        try:
            data = os.read(self._fd, 4096)
        except OSError:  # nobody has the other end open
            time.sleep(_REPLUG)
            return
        if len(self.received) > _MOST_RECEIVED:
            self.received.clear()
            self.received_at.clear()
        self.received += data
        self.received_at.append((time.perf_counter(), len(self.received)))
        if self.device_baud and self._speed() != self.device_baud:
            data = self.device.faults.rng.bytes(len(data))
        for reply in self.device.feed(data):
            self._send(reply)

    def _speed(self) -> int:
        """Return the speed to which the driver has set its end [1/s]; 0: an unusual one."""
        code = termios.tcgetattr(self._slave)[5]
        names = (name for name in dir(termios) if name[0] == 'B' and name[1:].isdigit())
        return next((int(name[1:]) for name in names if getattr(termios, name) == code), 0)

    def _send(self, reply: bytes) -> None:
        spoiled, delay = self.device.faults.spoil(reply, self.device.break_checksum)
        delay += _BITS * len(spoiled) / self.baud if self.baud else 0.0
        if delay:
            time.sleep(delay)
        with contextlib.suppress(BlockingIOError):  # nobody reads: lost, as on a wire
            os.write(self._fd, spoiled)
