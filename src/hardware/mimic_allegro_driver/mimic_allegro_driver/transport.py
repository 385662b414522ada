"""The CAN bus of an Allegro Hand, through python-can."""

import errno
from typing import Any

import can

from mimic_allegro_driver.protocol import BITRATE, Frame
from mimic_core.driver.serial_port import explain
from mimic_core.errors import PortError

_SEND_TIMEOUT = 0.005  # [s]; a bus that takes nothing in that time is dead


class CanBus:
    """Sends and receives frames with 11-bit ids; errors say what to do."""

    def __init__(self, interface: str, channel: str) -> None:
        """Open the bus.

        Args:
            interface: Of python-can.
            channel: Of that interface; of udp_multicast GROUP:PORT.

        Raises:
            PortError: It cannot be opened; says why.
        """
        self.where = f'{channel} ({interface})'
        self.errors = 0  # error frames: damaged frames on the wire
        self._channel, self._interface = channel, interface
        try:
            self._bus = can.Bus(**_options(interface, channel))
        except (can.CanError, OSError, ImportError, ValueError, TypeError) as error:
            raise PortError(self._explain(error)) from error

    def close(self) -> None:
        """Close it; never raises."""
        try:
            self._bus.shutdown()
        except (can.CanError, OSError):
            return  # it is gone already

    def send(self, frame: Frame) -> None:
        """Send a frame; raises PortError when the bus does not take it."""
        message = can.Message(
            arbitration_id=frame.id,
            is_extended_id=False,
            is_remote_frame=frame.remote,
            data=None if frame.remote else frame.data,
        )
        try:
            self._bus.send(message, _SEND_TIMEOUT)
        except (can.CanError, OSError) as error:
            raise PortError(self._explain(error)) from error

    def receive(self, timeout: float) -> Frame | None:
        """Return the next frame, one of id -1 for an error frame, None when none came in time [s].

        Raises:
            PortError: The bus is gone.
        """
        try:
            message = self._bus.recv(timeout)
        except (can.CanError, OSError, ValueError) as error:
            raise PortError(self._explain(error)) from error
        if message is None:
            return None
        if message.is_error_frame:
            self.errors += 1
            return Frame(-1)
        data, stamp = bytes(message.data), message.timestamp
        return Frame(message.arbitration_id, data, message.is_remote_frame, stamp)

    def _explain(self, error: Exception) -> str:
        """Return one sentence on what is wrong with the bus, and what to do."""
        code = getattr(error, 'errno', None) or getattr(error, 'error_code', None)
        up = f'sudo ip link set {self._channel} up type can bitrate {BITRATE}'
        if code == errno.ENODEV and self._interface == 'socketcan':
            return f'there is no CAN interface {self._channel} (ip link lists them): {error}'
        if code == errno.ENETDOWN:
            return f'{self.where} is down: {up}'
        if code == errno.ENOBUFS:
            return f'{self.where} takes no frames: nobody acknowledges them; is the hand powered?'
        if self._channel.startswith('/'):  # adapters behind a serial port
            return explain(self._channel, error)
        return f'{self.where} does not work: {error}'


def _options(interface: str, channel: str) -> dict[str, Any]:
    options: dict[str, Any] = {'interface': interface, 'channel': channel}
    if interface == 'udp_multicast':
        group, colon, port = channel.rpartition(':')
        if colon and port.isdigit():
            options |= {'channel': group, 'port': int(port)}
    elif interface not in ('socketcan', 'virtual'):
        options['bitrate'] = BITRATE
    return options
