"""The connection to a WSG-50: requests out, replies matched to them, each with a time limit."""

import contextlib
import select
import socket
import struct
import time
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import Any, Final

from mimic_core.errors import IdentityError, NoReplyError, PortError, ProtocolError
from mimic_fin_ray_driver.wsg_protocol import (
    DISCONNECT,
    SCRIPT_QUERY,
    SCRIPT_STEP,
    Frame,
    FrameReader,
    frame,
)

_SO_TIMESTAMPNS: Final = 35  # Linux: the kernel notes when bytes came; not in Python's socket
_TIMESPEC: Final = struct.Struct('qq')  # [s], [ns]
_NOTES: Final = socket.CMSG_SPACE(_TIMESPEC.size)


@dataclass
class _Request:
    command: int
    given_up: bool = False


class WsgLink:
    """One TCP connection.

    The script answers its commands in their order, the gripper itself answers the others: each is
    a lane. A reply belongs to the oldest request of its command in its lane; older requests of
    that lane were lost. A reply that comes after its request was given up is dropped.
    """

    def __init__(self, host: str, port: int, connect_timeout: float, timeout: float) -> None:
        """Connect.

        Args:
            host: Name or address.
            port: TCP port.
            connect_timeout: Longest wait for the connection [s].
            timeout: Longest wait for a reply [s].

        Raises:
            PortError: Nobody listens there; says what to look at.
        """
        self.timeout, self.where = timeout, f'{host}:{port}'
        try:
            self._socket = socket.create_connection((host, port), connect_timeout)
        except OSError as error:
            raise PortError(_explain(host, port, error)) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(timeout)
        with contextlib.suppress(OSError):  # else the time of the look counts
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._reader = FrameReader()
        self._requests: dict[int, deque[_Request]] = defaultdict(deque)
        self._replies: dict[int, deque[tuple[Frame, float]]] = defaultdict(deque)

    def close(self) -> None:
        """Take leave, without which the gripper makes a fast stop, and close; never raises."""
        with contextlib.suppress(OSError):
            self._socket.sendall(frame(DISCONNECT))
        self._socket.close()

    def tell(self, data: bytes) -> None:
        """Send a frame whose reply does not matter; raises PortError."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise PortError(f'{self.where} is gone: {error}') from error

    def send(self, data: bytes, replies: int = 1) -> None:
        """Send a frame whose replies are waited for later; raises PortError."""
        self.tell(data)
        self._requests[_lane(data[3])].extend(_Request(data[3]) for _ in range(replies))

    def outstanding(self, command: int) -> int:
        """Return how many replies to a command are still to come, after a look at what has come.

        Raises:
            PortError: The connection is gone.
            ProtocolError: What came is damaged.
        """
        self._take(0.0)
        lane = self._requests[_lane(command)]
        return sum(r.command == command and not r.given_up for r in lane)

    def reply(self, command: int, timeout: float | None = None) -> tuple[Frame, float]:
        """Return the next reply to a command, and when it came [s, perf_counter].

        Raises:
            NoReplyError: None came in time.
            PortError: The connection is gone.
            ProtocolError: It is damaged.
            IdentityError: The gripper talks text.
        """
        limit = self.timeout if timeout is None else timeout
        end = time.perf_counter() + limit
        while not self._replies[command]:
            left = end - time.perf_counter()
            if left <= 0.0:
                for request in self._requests[_lane(command)]:
                    request.given_up = True
                raise NoReplyError(f'no reply of {self.where} to {command:#04x} in {limit} s')
            self._take(left)
        return self._replies[command].popleft()

    def newest(self, command: int) -> tuple[Frame, float] | None:
        """Return the newest reply that has come to a command, and forget the others."""
        replies = self._replies[command]
        newest = replies[-1] if replies else None
        replies.clear()
        return newest

    def forget(self, command: int) -> None:
        """Wait for no more replies to a command."""
        self._requests[_lane(command)].clear()
        self._replies[command].clear()

    def _take(self, wait: float) -> None:
        """Take what comes within `wait` seconds, at most one piece."""
        if not select.select([self._socket], [], [], wait)[0]:
            return
        try:
            data, notes, _, _ = self._socket.recvmsg(4096, _NOTES)
        except OSError as error:
            raise PortError(f'{self.where} is gone: {error}') from error
        if not data:
            raise PortError(f'{self.where} closed the connection')
        arrived = time.perf_counter() - _age(notes)
        damaged = self._reader.damaged
        frames = self._reader.feed(data)
        for received in frames:
            self._match(received, arrived)
        if self._reader.damaged > damaged:
            if _is_text(data):
                raise IdentityError(
                    f'{self.where} talks text: switch its text based interface off ({data[:40]!r})'
                )
            if not frames:
                self._give_up_oldest()  # that was its reply
            raise ProtocolError(f'damaged bytes from {self.where}')

    def _give_up_oldest(self) -> None:
        for lane in (_lane(SCRIPT_STEP), *self._requests):
            if self._requests[lane]:
                self._requests[lane].popleft()
                return

    def _match(self, received: Frame, now: float) -> None:
        lane = self._requests[_lane(received.command)]
        if not any(request.command == received.command for request in lane):
            return  # an automatic update that somebody switched on, or the reply to a stop
        request = lane.popleft()
        while request.command != received.command:
            request = lane.popleft()
        if not request.given_up:
            self._replies[received.command].append((received, now))


def _lane(command: int) -> int:
    return SCRIPT_QUERY if command in (SCRIPT_QUERY, SCRIPT_STEP) else command


def _age(notes: list[Any]) -> float:
    """Return how long ago bytes came, by the kernel's note [s]; 0 without one."""
    for level, kind, note in notes:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = _TIMESPEC.unpack(note)
            came = int(seconds) * 10**9 + int(nanoseconds)
            return max(1e-9 * (time.clock_gettime_ns(time.CLOCK_REALTIME) - came), 0.0)
    return 0.0


def _is_text(data: bytes) -> bool:
    text = data.strip()
    return len(text) > 2 and text.isascii() and text.decode().isprintable()


def _explain(host: str, port: int, error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f'there is no host {host}'
    if isinstance(error, ConnectionRefusedError):
        return (
            f'{host} refuses TCP port {port}: is it a gripper with its command interface on that '
            'port, and is no other program connected?'
        )
    if isinstance(error, TimeoutError):
        return f'{host} does not answer: is it powered, in this network, and its address right?'
    return f'{host}:{port} cannot be reached: {error}'
