"""What a device driver gives: an arm or a hand in SI units, whatever bytes are on its bus."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from mimic_core.arrays import FloatArray


@dataclass(frozen=True)
class TactilePad:
    """Sensors of one pad, in the order of the device's data sheet."""

    name: str  # link that carries it, without prefix
    force: FloatArray  # (N,) [N], one for each cell; NaN where broken


@dataclass(frozen=True)
class Reading:
    """One read of all joints, in the order of `Device.joints`."""

    position: FloatArray  # (J,) [rad] or [m]
    velocity: FloatArray | None = None  # (J,) [rad/s] or [m/s]; None: the device gives none
    effort: FloatArray | None = None  # (J,) [N m] or [N]; None: the device gives none
    stamp: float | None = None  # [s] when measured; None: between request and reply, or by `age`
    tactile: tuple[TactilePad, ...] = ()
    age: float | None = None  # [s] how long before the end of the read it was measured


@dataclass(frozen=True)
class Health:
    """What diagnostics show beside the state. Empty mappings where the device has no sensor."""

    temperature: Mapping[str, float] = field(default_factory=dict)  # part -> [deg C]
    current: Mapping[str, float] = field(default_factory=dict)  # part -> [A]
    voltage: float | None = None  # [V]
    warnings: tuple[str, ...] = ()  # in words; a fault raises DeviceFaultError instead
    details: Mapping[str, str] = field(default_factory=dict)  # firmware, counters, modes


class Device(Protocol):
    """One device on its bus. One thread at a time calls it; every call has a time limit.

    Errors: PortError (cannot open, unplugged), IdentityError (something else answers),
    NoReplyError, ProtocolError (damaged reply), DeviceFaultError (the device says so).
    """

    @property
    def joints(self) -> tuple[str, ...]:
        """Names of the J joints without prefix, in the order of the registry."""

    def open(self) -> str:
        """Connect and identify, without moving; returns what answered, for people.

        Raises:
            DeviceError: It cannot be reached, or is not the device that was meant.
        """

    def close(self) -> None:
        """Let go of the port; never raises and may be called twice."""

    def enable(self) -> None:
        """Let it take commands, at the position where it is; does nothing if it does already.

        Raises:
            DeviceError: It does not answer, or refuses.
        """

    def disable(self, *, hold: bool) -> None:
        """Take no more commands: `hold` stays stiff where it is, else torque goes off.

        Raises:
            DeviceError: It does not answer.
        """

    def read(self) -> Reading:
        """Return measured positions.

        Raises:
            DeviceError: No reply, a damaged one, or a fault of the device.
        """

    def write(self, position: FloatArray) -> None:
        """Send (J,) positions [rad] or [m], inside the limits, to be reached in one period.

        Raises:
            DeviceError: They cannot be sent.
        """

    def health(self) -> Health:
        """Return temperatures, currents and the like; called about once a second.

        Raises:
            DeviceError: No reply, a damaged one, or a fault of the device.
        """

    def reset(self) -> None:
        """Clear a fault that the device keeps until it is told.

        Raises:
            DeviceError: It does not answer, or the fault stays.
        """
