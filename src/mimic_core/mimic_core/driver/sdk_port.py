"""A serial port as the packet handlers of the Dynamixel SDK want it, which waits for bytes.

The SDK's own port reads without blocking, in a loop that keeps a core busy for as long as a reply
takes, and never ends while bytes of noise keep coming. Its packet handlers take any port.
"""

import time

from mimic_core.driver.serial_port import SerialPort


class SdkPort:
    """The SDK's view of a `SerialPort`; the names of the methods are the SDK's."""

    def __init__(self, port: SerialPort) -> None:
        """Stand before an open port, which its owner closes."""
        self._port = port
        self.timeout = port.timeout  # [s]
        self.is_using = False
        self.received = 0  # bytes since the last request
        self.timed_out = False
        self._deadline = 0.0

    def clearPort(self) -> None:  # noqa: N802
        """Drop what came before a request."""
        self._port.flush_input()
        self.received, self.timed_out = 0, False
        self.setPacketTimeout(0)

    def writePort(self, packet: list[int]) -> int:  # noqa: N802
        """Send a request."""
        self._port.write(bytes(packet))
        return len(packet)

    def readPort(self, size: int) -> bytes:  # noqa: N802
        """Return up to `size` bytes; none after the deadline, whatever still comes."""
        if time.perf_counter() > self._deadline:
            return b''
        data = self._port.read_some(size)
        self.received += len(data)
        return data

    def setPacketTimeout(self, _: int) -> None:  # noqa: N802
        """Let a reply take as long as the port's reply timeout, however long it is."""
        self._deadline = time.perf_counter() + self.timeout

    setPacketTimeoutMillis = setPacketTimeout

    def isPacketTimeout(self) -> bool:  # noqa: N802
        """Tell whether the time for a reply is over."""
        self.timed_out = time.perf_counter() > self._deadline
        return self.timed_out
