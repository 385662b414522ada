"""Requests and replies of the Ability Hand on a serial line, several of them under way."""

import time
from collections import deque

from mimic_ability_driver.protocol import LENGTHS, FrameReader, Reply
from mimic_core.driver.serial_port import SerialPort
from mimic_core.errors import NoReplyError, ProtocolError

_QUIET = 0.005  # [s] without a byte after which nothing is under way any more
_FLAGS = 2  # [bytes] around a reply
_BITS = 10  # of a byte on the wire: start, 8 data, stop


class Line:
    """Sends requests and collects their replies, matched by header and order.

    A command is sent and its reply collected a cycle later, so that nobody waits for the wire.
    """

    def __init__(self, path: str, baud: int, reply_timeout: float) -> None:
        """Open the port and drop what is on it.

        Args:
            path: Of the port.
            baud: Bits a second [1/s].
            reply_timeout: Longest wait for a reply [s].

        Raises:
            PortError: It cannot be opened; says why.
        """
        self.late = 0  # replies to requests that were given up
        self._port = SerialPort(path, baud, reply_timeout)
        self._reader = FrameReader()
        self._byte_time = _BITS / baud  # [s]
        self._pending: deque[tuple[int, float]] = deque()  # header, when it reached the hand [s]
        self._astray = True  # bytes of an earlier request may still come

    @property
    def path(self) -> str:
        """Of the port."""
        return self._port.path

    @property
    def damaged(self) -> int:
        """How many pieces between flags were no reply."""
        return self._reader.damaged

    @property
    def pending(self) -> bool:
        """Whether a reply is still to come."""
        return bool(self._pending)

    def close(self) -> None:
        """Close the port; never raises."""
        self._port.close()

    def send(self, frame: bytes, header: int) -> None:
        """Send the frame of a request that will be answered with `header`; raises PortError."""
        if self._astray:
            self._port.drain(_QUIET)
            self._reader.clear()
            self._astray = False
        self._port.write(frame)
        reached = time.perf_counter() + len(frame) * self._byte_time
        self._pending.append((header, reached))

    def tell(self, frame: bytes) -> None:
        """Send a frame that is not answered; raises PortError."""
        self._port.write(frame)

    def collect(self) -> tuple[Reply, float]:
        """Return the newest reply to what was sent, and how old it is [s].

        Raises:
            NoReplyError: None came in time.
            ProtocolError: What came is damaged, or answers something else.
            PortError: The port was unplugged.
        """
        begin, damaged, late = time.perf_counter(), self.damaged, self.late
        size = LENGTHS[self._pending[-1][0] & 0x0F] + _FLAGS
        received = 0
        while True:
            data = self._port.read_some(max(size - received, self._port.waiting(), 1))
            received += len(data)
            found = [m for reply in self._reader.feed(data) if (m := self._match(reply))]
            now = time.perf_counter()
            if found:
                reply, reached = found[-1]
                return reply, max(now - reached, 0.0)
            if not data or now - begin > self._port.timeout:
                break
        self._astray = True
        self._pending.clear()
        if not received:
            raise NoReplyError(f'{self.path}: no reply in {self._port.timeout} s')
        if self.late > late:
            raise ProtocolError(f'{self.path}: a late reply to an earlier request')
        reason = self._reader.reason if self.damaged > damaged else 'a reply that does not end'
        raise ProtocolError(f'{self.path}: {received} bytes came: {reason}')

    def _match(self, reply: Reply) -> tuple[Reply, float] | None:
        headers = [header for header, _ in self._pending]
        if reply.header not in headers:
            self.late += 1
            return None
        for _ in range(headers.index(reply.header)):
            self._pending.popleft()  # their replies were lost
        return reply, self._pending.popleft()[1]
