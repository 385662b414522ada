"""A device at a TCP port that is not there: a socket with an emulator behind it."""

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable

from mimic_core.emulator.faults import Faults
from mimic_core.emulator.pty import ByteDevice

_MOST_RECEIVED = 1 << 21  # [B] kept, then it begins anew: an emulator may run for days

_POLL = 0.002  # [s] between looks when nothing comes
_REPLUG = 0.05  # [s] between looks whether the cable is back


class TcpServer:
    """Serves a device to one client at a time, as most devices with a socket do.

    The fault disconnect closes the connection and refuses new ones; once it is cleared, the same
    port takes clients again.
    """

    def __init__(
        self,
        device: ByteDevice,
        port: int = 0,
        host: str = '127.0.0.1',
        on_disconnect: Callable[[], None] = lambda: None,
    ) -> None:
        """Make a server that does not run yet.

        Args:
            device: Who answers.
            port: TCP port; 0: a free one, which `port` tells once it serves.
            host: Address to listen on.
            on_disconnect: Called after a client went, for whatever reason.
        """
        self.device, self.port, self.host = device, port, host
        self.received = bytearray()  # what came lately, for tests of the wire
        self.received_at: list[tuple[float, int]] = []  # [s] perf_counter, bytes so far
        self._on_disconnect = on_disconnect
        self._listener: socket.socket | None = None
        self._client: socket.socket | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name='emulator', daemon=True)

    @property
    def faults(self) -> Faults:
        """Faults of the device."""
        return self.device.faults

    def __enter__(self) -> 'TcpServer':
        """Start serving; the port takes clients when this returns."""
        self._listen()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and close the port."""
        self._stop.set()
        self._thread.join()
        self._unplug()

    def _listen(self) -> socket.socket:
        listener = socket.create_server((self.host, self.port), backlog=1)
        self.port = listener.getsockname()[1]
        self._listener = listener
        return listener

    def _unplug(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self._drop()

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
            self._on_disconnect()

    def _run(self) -> None:
        last = time.perf_counter()
        while not self._stop.is_set():
            now = time.perf_counter()
            frames = self.device.step(now - last)
            last = now
            if self.faults.on('disconnect'):
                self._unplug()
                time.sleep(_REPLUG)
                continue
            source = self._client or self._listener or self._listen()
            for frame in frames:
                self._send(frame)
            if select.select([source], [], [], _POLL)[0]:
                self._serve()

    def _serve(self) -> None:
        if self._client is None:
            assert self._listener is not None  # else there would be nothing to select
            self._client = self._listener.accept()[0]
            self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return
        try:
            data = self._client.recv(4096)
        except OSError:
            data = b''
        if not data:
            self._drop()
            return
        if len(self.received) > _MOST_RECEIVED:
            self.received.clear()
            self.received_at.clear()
        self.received += data
        self.received_at.append((time.perf_counter(), len(self.received)))
        for reply in self.device.feed(data):
            self._send(reply)

    def _send(self, reply: bytes) -> None:
        if self._client is None:
            return  # nobody listens
        spoiled, delay = self.faults.spoil(reply, self.device.break_checksum)
        if delay:
            time.sleep(delay)
        with contextlib.suppress(OSError):  # the client went meanwhile
            self._client.sendall(spoiled)
