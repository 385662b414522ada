"""Errors of mimic: one base class, one class for each thing a caller may want to catch."""

import difflib
from collections.abc import Iterable

__all__ = [
    'ConfigError',
    'DeviceError',
    'DeviceFaultError',
    'IdentityError',
    'LimitError',
    'MimicError',
    'NoReplyError',
    'NotFiniteError',
    'PortError',
    'ProtocolError',
    'ShapeError',
    'SourceError',
    'StaleInputError',
    'UnknownNameError',
]


class MimicError(Exception):
    """Base of every error that mimic raises on purpose."""


class ShapeError(MimicError):
    """An array does not have the documented shape."""


class NotFiniteError(MimicError):
    """An array holds NaN or infinity where numbers are needed."""


class LimitError(MimicError):
    """A value is outside a bound that must hold."""


class StaleInputError(MimicError):
    """An input is too old, or its time went backwards."""


class ConfigError(MimicError):
    """A parameter, a file or a combination of them is wrong; says which field of which file."""


class SourceError(MimicError):
    """A camera, video or bag cannot be opened, or has stopped."""


class DeviceError(MimicError):
    """A robot device does not answer, or answers with a fault."""


class PortError(DeviceError):
    """A port cannot be opened or was unplugged: unknown, busy, no permission, gone."""


class IdentityError(DeviceError):
    """What answers is not the device that was meant: ids missing, other firmware, other model."""


class NoReplyError(DeviceError):
    """A device did not answer in time."""


class ProtocolError(DeviceError):
    """A reply is damaged or makes no sense: checksum, length, unexpected fields."""


class DeviceFaultError(DeviceError):
    """The device itself reports a fault: over-temperature, over-current, lost supply."""


class UnknownNameError(MimicError):
    """A name is not known; the message lists the known ones, nearest first."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
        hint = f" Did you mean '{close[0]}'?" if close else ''
        super().__init__(f"unknown {what} '{name}'.{hint} Known: {', '.join(names) or 'none'}")
        self.what = what
        self.name = name
        self.known = tuple(names)

    def __reduce__(self) -> tuple[type['UnknownNameError'], tuple[str, str, tuple[str, ...]]]:
        """Let it pass from one process to another."""
        return type(self), (self.what, self.name, self.known)
