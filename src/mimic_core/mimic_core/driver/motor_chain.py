"""What drivers of motors on one serial bus share: the port, names, torque, restarts."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar, Final, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from mimic_core.driver.motor_bus import Bytes, MotorBus, Register
from mimic_core.driver.serial_port import SerialParams, SerialPort
from mimic_core.driver.tries import TRIES
from mimic_core.errors import DeviceError, DeviceFaultError, NoReplyError, ProtocolError

_QUIET: Final = 0.02  # [s] without a byte before the first request
_SCAN_TIMEOUT: Final = 0.01  # [s] for a reply at another baud
B = TypeVar('B', bound=MotorBus)


class MotorChain(ABC, Generic[B]):
    """The part of a `Device` that does not depend on whose motors they are.

    Attributes:
        what: Name of the device, for people.
        torque_enable: Register of one byte that holds whether a motor has torque.
    """

    what: ClassVar[str]
    torque_enable: ClassVar[Register]

    def __init__(
        self, serial: SerialParams, joints: tuple[str, ...], ids: tuple[int, ...]
    ) -> None:
        """Make a device that is not open.

        Args:
            serial: Port, baud and timeout.
            joints: J names.
            ids: Of the J motors.
        """
        self._serial, self._joints, self._ids = serial, joints, ids
        self._port: SerialPort | None = None
        self._bus: B | None = None
        self._found = False  # whether it has ever answered
        self._enabled = False  # whether torque is meant to be on
        self._restarted: list[int] = []  # motors that lost their torque, until a reset
        self._noise = 0

    @property
    def joints(self) -> tuple[str, ...]:
        """Names of the J joints."""
        return self._joints

    def close(self) -> None:
        """Let go of the port; the motors stay as they are."""
        if self._port is not None:
            self._port.close()
        self._port = self._bus = None

    def disable(self, *, hold: bool) -> None:
        """Go limp, or stay: a motor holds its last goal by itself."""
        self._enabled = False
        if not hold:
            self._switch_torque(self._the_bus(), on=False)

    # Of a driver ----------------------------------------------------------------------------

    @abstractmethod
    def _make_bus(self, port: SerialPort) -> B:
        """Return the bus on a port."""

    @abstractmethod
    def _all(self, reply: tuple[Bytes, Bytes]) -> Bytes:
        """Return the data of a reply in which no motor reports a fault, else raise."""

    # For a driver ---------------------------------------------------------------------------

    def _open_bus(self) -> B:
        """Open the port; nobody has been asked yet."""
        serial = self._serial
        self._port = SerialPort(serial.port, serial.baud, serial.reply_timeout)
        self._port.drain(_QUIET)
        self._bus = self._make_bus(self._port)
        self._enabled, self._restarted, self._noise = False, [], 0
        return self._bus

    def _the_bus(self) -> B:
        if self._bus is None:
            raise DeviceError(f'the {self.what} is not open')
        return self._bus

    def _name(self, index: int) -> str:
        return f'{self._joints[index]} (motor {self._ids[index]})'

    def _names(self, indices: Iterable[int]) -> str:
        indices = list(indices)
        if len(indices) == len(self._joints):
            return 'all motors'
        return ', '.join(map(self._name, indices))

    def _why_nobody(self, bauds: Iterable[int], ids: Iterable[int]) -> str:
        """Look for the motors at other bauds; only when they have never been seen."""
        path, own = self._serial.port, self._serial.baud
        answer = f'no motor answers on {path} at {own} baud'
        assert self._port is not None
        for baud in bauds:
            if baud == own:
                continue
            self._port.close()
            self._port = SerialPort(path, baud, _SCAN_TIMEOUT)
            bus = self._make_bus(self._port)
            for motor in ids:
                try:
                    bus.ping(motor)
                except (NoReplyError, ProtocolError):
                    continue
                return f'{answer}, but motor {motor} does at {baud}: set baud to that'
        return f'{answer}, nor at others: is its supply on, is it this port?'

    def _switch_torque(self, bus: B, *, on: bool) -> None:
        bus.sync_write(self.torque_enable, np.full((len(self._ids), 1), int(on), np.uint8))
        errors, data = bus.sync_read(self.torque_enable, TRIES)
        differ = np.flatnonzero(data[:, 0] != int(on))
        if on:
            self._all((errors, data))
        if len(differ):
            raise DeviceFaultError(
                f'torque of {self._names(differ)} does not go {"on" if on else "off"}'
            )

    def _refuse_restarted(self, torque: npt.NDArray[np.bool_]) -> None:
        """Raise DeviceFaultError when motors have lost torque by themselves, until a reset."""
        if self._enabled and not torque.all():
            self._restarted = np.flatnonzero(~torque).tolist()
        if self._restarted:
            raise DeviceFaultError(
                f'{self._names(self._restarted)} restarted and lost torque: the supply failed for '
                'a moment; reset to go on'
            )

    def _noise_warnings(self, bus: B) -> tuple[str, ...]:
        """Return what to say of the noise since the last call."""
        noise, self._noise = bus.noise - self._noise, bus.noise
        return (f'noise on the bus: {noise} bytes that belong to no reply',) if noise else ()
