"""A device at a TCP port that is not there: a socket with an emulator behind it."""

import contextlib
import select
import socket
from collections.abc import Callable

from mimic_core.emulator.server import POLL, ByteDevice, Server


class TcpServer(Server):
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
        super().__init__(device)
        self.port, self.host = port, host
        self._on_disconnect = on_disconnect
        self._listener: socket.socket | None = None
        self._client: socket.socket | None = None

    def _plug(self) -> None:
        if self._listener is None:
            self._listener = socket.create_server((self.host, self.port), backlog=1)
            self.port = self._listener.getsockname()[1]

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

    def _serve(self) -> None:
        source = self._client or self._listener
        if source is None or not select.select([source], [], [], POLL)[0]:
            return
        if self._client is None:
            self._client = source.accept()[0]
            self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return
        try:
            data = self._client.recv(4096)
        except OSError:
            data = b''
        if not data:
            self._drop()
            return
        self._note(data)
        for reply in self.device.feed(data):
            self._send(reply)

    def _write(self, frame: bytes) -> None:
        if self._client is None:
            return  # nobody listens
        with contextlib.suppress(OSError):  # the client went meanwhile
            self._client.sendall(frame)
