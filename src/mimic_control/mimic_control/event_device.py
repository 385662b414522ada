"""Input devices of Linux: which there are, and the events of one of them."""

import array
import errno
import fcntl
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mimic_control.deadman import Press
from mimic_core.errors import ConfigError, DeviceError, PortError, UnknownNameError

EVENT: Final = struct.Struct(
    'llHHi'
)  # struct input_event: seconds, microseconds, type, code, value
EV_SYN: Final = 0
EV_KEY: Final = 1
SYN_DROPPED: Final = 3  # the kernel's buffer ran over: events were lost
_MOST: Final = 64  # events of one read
_KEYS: Final = 0x300  # of the kernel: KEY_CNT
_EVIOCGKEY: Final = (2 << 30) | ((_KEYS // 8) << 16) | (ord('E') << 8) | 0x18
_CLASS: Final = Path('/sys/class/input')
_DEV: Final = Path('/dev/input')


@dataclass(frozen=True)
class Input:
    """An input device that the kernel knows."""

    path: Path
    name: str

    def __str__(self) -> str:
        return f'{self.path} ({self.name})'


def list_inputs(folder: Path = _CLASS, devices: Path = _DEV) -> list[Input]:
    """Return the input devices; names can be read without permission to read the device."""
    found = []
    for item in sorted(folder.glob('event*'), key=lambda p: (len(p.name), p.name)):
        try:
            name = (item / 'device' / 'name').read_text().strip()
        except OSError:
            name = 'unknown'
        found.append(Input(devices / item.name, name))
    return found


def find_input(wanted: str, inputs: Sequence[Input]) -> Path:
    """Return the path of an input device.

    Args:
        wanted: A path, or a part of a name, in any case.
        inputs: Those that there are.

    Raises:
        PortError: There is none, or more than one; lists those that there are.
    """
    listed = '; '.join(str(item) for item in inputs) or 'none'
    if wanted.startswith('/'):
        if not Path(wanted).exists():
            raise PortError(f"there is no input device '{wanted}'; there are: {listed}")
        return Path(wanted)
    found = [item for item in inputs if wanted.lower() in item.name.lower()]
    if not found:
        raise PortError(f"no input device has '{wanted}' in its name; there are: {listed}")
    if len({item.name for item in found}) > 1:
        some = '; '.join(str(item) for item in found)
        raise PortError(f"more than one input device has '{wanted}' in its name: {some}")
    return found[0].path


def key_codes(names: Sequence[str]) -> tuple[int, ...]:
    """Return the codes of keys and buttons such as KEY_SPACE and BTN_TR.

    Raises:
        UnknownNameError: There is no such key; tells the nearest.
        ConfigError: The library evdev is not installed.
    """
    try:
        from evdev import ecodes
    except ImportError as error:
        raise ConfigError('input devices need the library evdev: pip install evdev') from error
    known = {name for name in ecodes.ecodes if name.startswith(('KEY_', 'BTN_'))}
    for name in names:
        if name not in known:
            near = sorted(k for k in known if k.startswith(name[:5])) or ['KEY_SPACE', 'BTN_TR']
            raise UnknownNameError('key or button', name, near)
    return tuple(ecodes.ecodes[name] for name in names)


class EventDevice:
    """Reads one device without blocking."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            PortError: It cannot be read; without permission, says which group may.
        """
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except PermissionError as error:
            raise PortError(
                f"no permission to read '{path}': be a member of the group input "
                '(sudo usermod -aG input $USER, then log in again)'
            ) from error
        except OSError as error:
            raise PortError(f"cannot open input device '{path}': {error.strerror}") from error
        self.path = path
        self._rest = b''

    def read(self) -> tuple[list[Press], bool]:
        """Return the changes of buttons since the last read, and whether some were lost.

        Raises:
            DeviceError: The device is gone.
        """
        presses: list[Press] = []
        lost = False
        while True:
            try:
                data = os.read(self._file, _MOST * EVENT.size)
            except BlockingIOError:
                return presses, lost
            except OSError as error:
                if error.errno == errno.EINTR:
                    continue
                raise DeviceError(
                    f"input device '{self.path}' is gone: {error.strerror}"
                ) from error
            if not data:
                raise DeviceError(f"input device '{self.path}' is gone: end of its events")
            data = self._rest + data
            whole = len(data) - len(data) % EVENT.size
            self._rest = data[whole:]
            for _, _, kind, code, value in EVENT.iter_unpack(data[:whole]):
                if kind == EV_KEY:
                    presses.append(Press(code, value))
                elif kind == EV_SYN and code == SYN_DROPPED:
                    presses.clear()
                    lost = True

    def down(self) -> set[int]:
        """Return the codes of the buttons that are down now; empty where it cannot be asked."""
        bits = array.array('B', bytes(_KEYS // 8))
        try:
            fcntl.ioctl(self._file, _EVIOCGKEY, bits)
        except OSError:
            return set()
        return {8 * i + j for i, byte in enumerate(bits) for j in range(8) if byte >> j & 1}

    def close(self) -> None:
        """Close it."""
        os.close(self._file)
